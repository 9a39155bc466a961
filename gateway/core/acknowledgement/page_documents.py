"""The documents of an interchange by name, and the facts of the file, on the readable report."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Protocol

from gateway.core.acknowledgement.flux_state import ReportTotals
from gateway.core.acknowledgement.markup import Html, Piece, element, joined
from gateway.core.acknowledgement.page_causes import Causes, Listed
from gateway.core.acknowledgement.page_entries import set_off, title
from gateway.core.acknowledgement.page_words import VIRUS_CHECKS, time_in_words
from gateway.core.acknowledgement.report_facts import InterchangeReport, Outcome, moment
from gateway.model.verdict import Language, VirusCheck


class Page(Protocol):
    """What a section asks of the page it stands on."""

    report: InterchangeReport
    totals: ReportTotals
    causes: Causes
    language: Language
    positions: dict[int, int]

    def word(self, key: str, **values: object) -> str:
        """A label in the language of the page."""
        ...

    def has_room(self, piece: Html) -> bool:
        """Whether a row may still be written."""
        ...

    def number(self, count: int) -> str:
        """A number in the language of the page."""
        ...


def documents(page: Page, outcome: Outcome, heading: str) -> Iterable[Html]:
    """Those that this became of, in a table; nothing when there are none."""
    count = page.totals.outcomes[outcome]
    if not count:
        return
    with_reasons = outcome in (Outcome.REJECTED, Outcome.DISCARDED)
    heads = ("invoice", "reasons" if with_reasons else "parties")
    yield Html(f'<section id="{outcome.value}">\n')
    yield element(
        "h2", page.word(heading), " ", element("span", page.number(count), class_="count")
    )
    yield Html("<table>\n<thead>\n")
    yield element("tr", *(element("th", page.word(head), scope="col") for head in heads))
    yield Html("</thead>\n<tbody>\n")
    more = count
    for document in page.causes.listed[outcome]:
        row = _row(page, document, with_reasons)
        if page.has_room(row):
            more -= 1
            yield row
    yield Html("</tbody>\n</table>\n")
    if more:
        yield element("p", page.word("not_listed", count=page.number(more)))
    yield Html("</section>\n")


def _row(page: Page, document: Listed, with_reasons: bool) -> Html:
    """Two cells, for no more stand beside each other on a telephone."""
    number = document.number or page.word("unnumbered")
    parties = _parties(page, document)
    head = element(
        "th",
        element("bdi", number, class_="number" if document.number else "unknown"),
        " ",
        element("bdi", document.name, class_="file"),
        " ",
        parties if with_reasons else None,
        scope="row",
    )
    return element("tr", head, element("td", _reasons(page, document) if with_reasons else parties))


def _parties(page: Page, document: Listed) -> Html:
    known = (("supplier", document.supplier), ("recipient", document.recipient))
    shown = [
        element("span", page.word(key, id=identifier), class_="party")
        for key, identifier in known
        if identifier
    ]
    pieces = (piece for party in shown for piece in (party, " "))
    return element("span", *pieces, class_="parties")


def _reasons(page: Page, document: Listed) -> Html:
    """Why it is rejected, by the numbers of the entries, which also lead there on paper."""
    pieces: list[Piece] = [document.remark]
    for cause in document.causes:
        position = page.positions.get(cause.first_seen)
        if position is not None:
            name = set_off(title(cause, page.language))
            pieces += [element("a", f"{position}. ", name, href=f"#e{position}"), " "]
    if document.more_causes:
        pieces.append(f"+ {page.number(document.more_causes)}")
    return joined(pieces)


def facts(page: Page) -> Html:
    """What is known of the file itself, and who judged it: for whoever asks us about it."""
    report, language = page.report, page.language
    known: list[tuple[str, Piece]] = [
        ("name", element("bdi", report.file_name[:300])),
        ("received_at", _time(report.received_at, page)),
        ("reported_at", _time(report.reported_at, page)),
        ("size", page.word("bytes", size=page.number(report.size))),
        ("partner", report.partner or None),
        ("interface", report.interface_code),
        ("flow", report.flow),
    ]
    if report.virus_check is not VirusCheck.NOT_CHECKED:
        known.append(("antivirus", VIRUS_CHECKS[report.virus_check].to(language)))
    packs = [f"{pack.pack} {pack.version}" for pack in list(page.totals.packs)[:20]]
    known += [
        ("packs", ", ".join(packs) or None),
        ("sha256", element("code", report.sha256)),
        ("id", element("code", report.interchange_id)),
        ("revision", str(report.revision) if report.revision > 1 else None),
    ]
    told = (
        element("div", element("dt", page.word(key)), element("dd", value))
        for key, value in known
        if value is not None
    )
    return element(
        "section", element("h2", page.word("file")), element("dl", *told, class_="facts"), id="file"
    )


def _time(time: dt.datetime, page: Page) -> Html:
    return element("time", time_in_words(time, page.language), datetime=moment(time))
