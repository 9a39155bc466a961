"""What the demo's partner was told of its half-faulty batch: state, statuses, the page to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
from lxml import etree
from tabulate import tabulate

from gateway.core.acknowledgement.flux_state import FluxState
from gateway.core.acknowledgement.page_words import STATES
from gateway.core.cdar.checking import PACK, SCHEMA
from gateway.core.cdar.message_reader import MessageRead, read
from gateway.core.cdar.reasons import reasons
from gateway.core.cdar.statuses import STATUSES
from gateway.core.schematron.catalogue import Catalogue
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Language

_EXPECTED = {
    "batch.tar.gz": "IN_INTEGRE_PARTIEL",
    "batch-corrected.tar.gz": "IN_INTEGRE_PARTIEL",
}
_WHY_AGAIN = (
    "\nThe first time the faulty half was rejected. The second time that half was mended, so it was"
    "\nintegrated; the other half was here already, so it was refused: DOUBLON, the same invoice"
    "\ntwice. Every invoice of the batch is now integrated, once."
)


class Status(msgspec.Struct, frozen=True, order=True):
    """One lifecycle message: the invoice, what became of it and why, and the file that says so."""

    number: str
    status: str
    reasons: str
    file: str


class Told(msgspec.Struct, frozen=True):
    """What lies in the partner's folder. `states`: of each batch, by its file name.

    `counts`: how many invoices of it were integrated, and how many not, in words.
    """

    states: dict[str, str]
    counts: dict[str, str]
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

    def words(self, language: Language = Language.EN) -> str:
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
        states = "\n".join(
            f"  {name:<24}{_named(state, language)}: {self.counts.get(name, 'no report came')}"
            for name, state in self.states.items()
        )
        pages = "\n".join(f"  {page}" for page in self.pages)
        return (
            "What the sender was told of each invoice, as lifecycle messages (CDAR), one file each:"
            "\n200 when it is accepted and passed on, 213 when it is rejected. A number with both"
            f"\nwas sent twice.\n{shown}\n{self._legend(language)}"
            f"\nEach was checked before it left, and is valid: {self.checked}."
            f"\n\nWhat became of the batch, then of the corrected one\n{states}"
            f"{_WHY_AGAIN if self.good else ''}"
            "\n\nWhat was refused and how to mend it, as pages to open in a browser\n"
            f"{pages or '  NONE'}"
        )

    def _legend(self, language: Language) -> str:
        """What the reasons are called."""
        used = {code for each in self.statuses for code in each.reasons.split(", ") if code}
        named = reasons().codes
        return "\n".join(
            f"  {code:<18}{named[code].to(language)}" for code in sorted(used) if code in named
        )


def look(received: Path, batches: Sequence[str]) -> Told:
    """Read what was fetched from `out/`."""
    states: dict[str, str] = {}
    counts: dict[str, str] = {}
    pages: dict[str, Path] = {}
    for file in sorted(received.glob("*.report.xml")):
        report = etree.fromstring(file.read_bytes())
        name = report.findtext("{*}Interchange/{*}FileName") or ""
        if name in batches:
            states[name] = report.findtext("{*}State/{*}Code") or ""
            counts[name] = _counted(report.find("{*}Counts"))
            pages[name] = file.with_suffix(".html")
    return Told(
        states={name: states.get(name, "NOT TOLD") for name in batches},
        counts=counts,
        statuses=tuple(sorted(_statuses(received))),
        pages=tuple(pages[name] for name in batches if name in pages and pages[name].is_file()),
        checked=_checked(),
    )


def _named(state: str, language: Language) -> str:
    """The platforms' code, and what it is called."""
    known = state in list(FluxState)
    return f"{state} ({STATES[FluxState(state)].to(language)})" if known else state


def _counted(counts: etree._Element | None) -> str:
    if counts is None:
        return "no counts"
    sent, accepted, rejected = (counts.get(key) for key in ("documents", "accepted", "rejected"))
    return f"of {sent} invoices {accepted} integrated, {rejected} rejected"


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
