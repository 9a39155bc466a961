"""The files a judge found in an invoice: out of its scratch folder into the spool.

They are durable in the spool before the journal says that the invoice is accepted and whose they
are. A crash in between leaves files of nobody, which the sweep removes, and an invoice without a
verdict, which is judged again and brings the same files. The scratch folder itself need not last.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from gateway.model.verdict import AttachedFile
from gateway.spool import Spool


def files_folder(scratch: Path, interchange_id: str, ordinal: int) -> Path:
    """Where the judge puts the files of one document."""
    return scratch / f"{interchange_id}-files-{ordinal}"


def adopt_files(spool: Spool, folder: Path, files: Iterable[AttachedFile]) -> None:
    """Move the files into the spool, durably; the folder is gone afterwards. Blocks.

    Raises SpoolError; then the document has to be judged again, which makes the folder anew.
    """
    for file in files:
        spool.adopt_unsynced(folder / file.sha256, file.sha256, file.size)
    with contextlib.suppress(OSError):  # what should still lie there goes at the next start
        os.rmdir(folder)
