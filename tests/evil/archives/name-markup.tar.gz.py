"""Names that mean something to HTML, to a shell, to a spreadsheet and to a format string."""

from pathlib import Path

from tests.evil.building import FAULTY, member, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        tar_gz(
            member("<script>alert(1)<&script>.xml", FAULTY),
            member("'; DROP TABLE invoice; --.xml", b""),
            member("=cmd|' &C calc'!A1.xml", b""),
            member("{name}%s%n{0}.xml", b""),
            member('"quoted".exe', b"MZ\x90\x00"),
        )
    )
