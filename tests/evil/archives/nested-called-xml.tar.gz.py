"""A ZIP that is called .xml, and a tar.gz that is called .pdf."""

from pathlib import Path

from tests.evil.building import GOOD, member, tar_gz, zip_of


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        tar_gz(
            member("FA-1.xml", zip_of({"FA-1.xml": GOOD})),
            member("FA-2.pdf", tar_gz(member("FA-2.xml", GOOD))),
        )
    )
