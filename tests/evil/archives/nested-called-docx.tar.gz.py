"""A ZIP of invoices called .docx beside an invoice: it is an attachment, never opened."""

from pathlib import Path

from tests.evil.building import FAULTY, GOOD, member, tar_gz, zip_of


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        tar_gz(member("FA-1.xml", GOOD), member("FA-1.docx", zip_of({"FA-9.xml": FAULTY})))
    )
