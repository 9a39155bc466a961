"""What the virus scanner says of a payload, and what follows from it before anything is judged.

No scanner configured: the report says so, and judging goes on. A virus: the file is refused.
A scanner that could not be asked, or did not see all of it: nobody knows, so the document is
undetermined, which is retried and then held for a human. Nothing is kept between asking and
judging: after a crash it is asked again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from gateway.core.explain import own_finding
from gateway.core.outcome import unreadable
from gateway.errors import AntivirusUnavailable
from gateway.model.verdict import Judgement, VirusCheck
from gateway.service.antivirus import Clean, Found, Scanner
from gateway.service.consequences import Subject, failed_by


class Scanned(msgspec.Struct, frozen=True):
    """The scanner's word on one payload; `failure`: why it has none."""

    check: VirusCheck
    signature: str | None = None
    failure: AntivirusUnavailable | None = None

    def bars(self, subject: Subject) -> Judgement | None:
        """The judgement on a document of this payload that may not be judged; None if it may."""
        if self.failure is not None:
            return failed_by(subject, self.failure)
        if self.signature is not None:
            finding = own_finding("CONTAINER-VIRUS", name=subject.name, signature=self.signature)
            return unreadable(subject.name, subject.sha256, subject.size, (finding,))
        return None


UNSCANNED: Final = Scanned(VirusCheck.NOT_CHECKED)
"""There is no scanner."""


async def look(scanner: Scanner | None, path: Path, size: int) -> Scanned:
    """What the scanner, if there is one, says of the file at `path`."""
    if scanner is None:
        return UNSCANNED
    try:
        said = await scanner.scan(path, size)
    except AntivirusUnavailable as error:
        return Scanned(VirusCheck.NOT_CHECKED, failure=error)
    match said:
        case Clean():
            return Scanned(VirusCheck.CLEAN)
        case Found():
            return Scanned(VirusCheck.FOUND, signature=said.signature)
