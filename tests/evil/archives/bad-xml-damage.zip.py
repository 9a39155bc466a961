"""Members called .xml that are cut off, empty, text, or in another encoding than they say."""

from pathlib import Path

from tests.evil.building import GOOD, zip_of


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        zip_of(
            {
                "cut.xml": GOOD[:1000],
                "empty.xml": b"",
                "edifact.xml": b"UNB+UNOC:3+SENDER+RECEIVER'\r\n",
                "latin1.xml": GOOD.replace("énalités".encode(), b"\xe9nalit\xe9s"),
            }
        )
    )
