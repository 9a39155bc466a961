"""Ten thousand namespaces on one element."""

from pathlib import Path


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        b"<Invoice " + b" ".join(b'xmlns:n%d="urn:x:%d"' % (i, i) for i in range(10_000)) + b"/>"
    )
