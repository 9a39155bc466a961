"""What the demo's partner was told of its half-faulty batch: state, statuses, the page to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
from lxml import etree
from tabulate import tabulate

from gateway.core.cdar.checking import PACK, SCHEMA
from gateway.core.cdar.message_reader import MessageRead, read
from gateway.core.cdar.statuses import STATUSES
from gateway.core.schematron.catalogue import Catalogue
from gateway.model.job import DocumentLimits

_EXPECTED = {
    "batch.tar.gz": "IN_INTEGRE_PARTIEL",
    "batch-corrected.tar.gz": "IN_INTEGRE_PARTIEL",
}


class Status(msgspec.Struct, frozen=True, order=True):
    """One lifecycle message: the invoice, what became of it and why, and the file that says so."""

    number: str
    status: str
    reasons: str
    file: str


class Told(msgspec.Struct, frozen=True):
    """What lies in the partner's folder. `states`: of each batch, by its file name."""

    states: dict[str, str]
    statuses: tuple[Status, ...]
    pages: tuple[Path, ...]
    checked: str

    @property
    def good(self) -> bool:
        """Whether the batch was taken in part, then the rest; and what came twice was refused.

        Three invoices were mended: rejected first, deposited then; three came once too often.
        """
        seen = Counter((each.status, each.reasons == "DOUBLON") for each in self.statuses)
        mended = {each.number for each in self.statuses if each.status == "200"} & {
            each.number for each in self.statuses if each.status == "213"
        }
        return (
            self.states == _EXPECTED
            and seen["213", True] == 3
            and len(mended) == 6  # three by mending, three that were repeated
            and len(self.pages) > 0
        )

    def words(self) -> str:
        """For people."""
        rows = [
            (
                each.number,
                f"{each.status} {STATUSES[each.status].name}",
                each.reasons or "none",
                each.file,
            )
            for each in self.statuses
        ]
        shown = tabulate(
            rows,
            headers=("invoice", "status (CDAR)", "reason", "lifecycle message in out/"),
            tablefmt="grid",
            disable_numparse=True,
        )
        states = "\n".join(f"  {name:<24}{state}" for name, state in self.states.items())
        pages = "\n".join(f"  {page}" for page in self.pages)
        return (
            f"{shown}\nEach was checked before it left, and is valid: {self.checked}.\n\n"
            f"What became of the batch, then of the corrected one\n{states}\n"
            f"What was refused and how to mend it, as a page to open in a browser\n{pages}"
        )


def look(received: Path, batches: Sequence[str]) -> Told:
    """Read what was fetched from `out/`."""
    states: dict[str, str] = {}
    for file in sorted(received.glob("*.report.xml")):
        report = etree.fromstring(file.read_bytes())
        name = report.findtext("{*}Interchange/{*}FileName") or ""
        if name in batches:
            states[name] = report.findtext("{*}State/{*}Code") or ""
    pages = [file for file in sorted(received.glob("*.report.html")) if "batch" in file.name]
    return Told(
        states={name: states.get(name, "NOT TOLD") for name in batches},
        statuses=tuple(sorted(_statuses(received))),
        pages=tuple(pages),
        checked=_checked(),
    )


def _statuses(received: Path) -> list[Status]:
    found = []
    for file in received.glob("CDV_*.xml"):
        message = read(file.read_bytes(), DocumentLimits())
        if isinstance(message, MessageRead):
            found += [
                Status(
                    each.number or "",
                    each.status or "",
                    ", ".join(detail.reason or "" for detail in each.details),
                    file.name,
                )
                for each in message.message.documents
            ]
    return found


def _checked() -> str:
    """By whom: the artefacts that judges hold every message against."""
    catalogue = Catalogue.load()
    pack = catalogue.pack(PACK)
    return f"schema {SCHEMA}, Schematron {PACK} {pack.version}"
