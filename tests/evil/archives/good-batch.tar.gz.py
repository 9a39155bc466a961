"""Three documents in folders, as tar makes them: nothing is wrong."""

import tarfile
from pathlib import Path

from bench.invoices import ubl_invoice
from tests.evil.building import ALSO_GOOD, GOOD, member, tar_gz


def build(path: Path) -> None:
    """Write the case."""
    path.write_bytes(
        tar_gz(
            member("./"),
            member("./april/", type=tarfile.DIRTYPE),
            member("./april/FA-1.xml", GOOD),
            member("./april/FA-2.xml", ALSO_GOOD),
            member("./AV-1.xml", ubl_invoice("AV-2026-0001", lines=1, credit_note=True)),
        )
    )
