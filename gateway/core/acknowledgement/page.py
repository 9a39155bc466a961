"""The readable report: one HTML page about one interchange, for the person who sent it.

It stands by itself: no script, nothing fetched, one style sheet inside. It is bounded whatever the
interchange holds, because what it is made from is (`page_causes`); what it leaves out is counted,
and is in the other forms of the report.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Final

from gateway.core.acknowledgement.flux_state import FluxState, ReportTotals, flux_state
from gateway.core.acknowledgement.markup import Html, Piece, element, style
from gateway.core.acknowledgement.page_causes import Cause, Causes
from gateway.core.acknowledgement.page_documents import documents, facts
from gateway.core.acknowledgement.page_entries import entry, set_off, title
from gateway.core.acknowledgement.page_words import (
    STATES,
    WORDS,
    counted,
    grouped,
    number,
    typeset,
    weight,
)
from gateway.core.acknowledgement.report_facts import InterchangeReport, Outcome
from gateway.core.acknowledgement.summary_words import interchange_summary
from gateway.model.verdict import Language, Severity

MAX_BYTES: Final = 4_000_000
"""No page is larger. That of 10,000 invoices with 1,000 rejected has some 400 kB."""

_ROOM_FOR_THE_REST: Final = 200_000
"""Of the page beside its entries and its rows."""
_AT_A_GLANCE: Final = 4
"""From so many causes on, a list of the weightiest stands before the first."""
_MOST_AT_A_GLANCE: Final = 12
_SECTIONS: Final = (
    (Severity.ERROR, "errors", "e"),
    (Severity.WARNING, "warnings", "w"),
    (Severity.INFO, "remarks", "i"),
)
_TONES: Final = {
    FluxState.IN_INTEGRE: "good",
    FluxState.IN_INTEGRE_PARTIEL: "partial",
    FluxState.IN_REJETE: "bad",
    FluxState.IN_INCIDENTE: "bad",
}


def calls_for_page(totals: ReportTotals, *, provisional: bool) -> bool:
    """Whether the sender has something to mend or to send again, and so something to read."""
    if totals.rejected or totals.discarded:
        return True
    return not totals.documents and not provisional


def write_page(
    report: InterchangeReport,
    totals: ReportTotals,
    causes: Causes,
    language: Language,
    sink: BinaryIO,
) -> None:
    """Write the page to `sink`, piece by piece. `causes` has taken in what `totals` has counted."""
    page = _Page(report, totals, causes, language)
    sink.write(b"<!DOCTYPE html>\n")
    sink.write(f'<html lang="{language.value}">\n'.encode())
    for piece in page.pieces():
        sink.write(piece.encode())
    sink.write(b"</html>\n")


class _Page:
    """What every section needs to know."""

    def __init__(
        self, report: InterchangeReport, totals: ReportTotals, causes: Causes, language: Language
    ) -> None:
        self.report = report
        self.totals = totals
        self.causes = causes
        self.language = language
        self.provisional = report.provisional or bool(totals.undetermined)
        self.state, _ = flux_state(totals, provisional=self.provisional)
        self.positions: dict[int, int] = {}
        """Of each cause that stops a document, the number of its entry."""
        self._room = MAX_BYTES - _ROOM_FOR_THE_REST

    def pieces(self) -> Iterable[Html]:
        """The page in its order: what became of it, what to mend, which documents, the file."""
        yield self._head()
        yield Html("<body>\n")
        yield element("a", self.word("skip"), href="#errors", class_="skip")
        yield self._masthead()
        yield Html("<main>\n")
        yield from self._findings(*_SECTIONS[0])
        yield from documents(self, Outcome.REJECTED, "not_integrated")
        yield from documents(self, Outcome.DISCARDED, "aside_list")
        yield from documents(self, Outcome.UNDETERMINED, "waiting_list")
        for section in _SECTIONS[1:]:
            yield from self._findings(*section)
        yield from documents(self, Outcome.ACCEPTED, "accepted_list")
        yield facts(self)
        yield Html("</main>\n")
        yield element("footer", element("p", self.word("complete")))
        yield Html("</body>\n")

    def word(self, key: str, **values: object) -> str:
        """A label in the language of the page."""
        return typeset(WORDS[key].to(self.language).format(**values), self.language)

    def number(self, count: int) -> str:
        """A number in the language of the page."""
        return number(count, self.language)

    def has_room(self, piece: Html) -> bool:
        """Whether this may still be written; if so, there is less room from now on."""
        size = len(piece.encode())
        if size > self._room:
            return False
        self._room -= size
        return True

    def _head(self) -> Html:
        css, policy = _sheet()
        name = f"{STATES[self.state].to(self.language)} – {self.report.file_name[:120]}"
        return element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", http_equiv="Content-Security-Policy", content=policy),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="color-scheme", content="light dark"),
            element("meta", name="referrer", content="no-referrer"),
            element("meta", name="robots", content="noindex"),
            element("title", typeset(name, self.language)),
            css,
        )

    def _masthead(self) -> Html:
        summary = interchange_summary(
            self.totals, provisional=self.provisional, revision=self.report.revision
        )
        said = summary.to(self.language)
        state = element(
            "p",
            element("strong", STATES[self.state].to(self.language)),
            " ",
            element("span", self.state.value, class_="code"),
            class_="state",
        )
        return element(
            "header",
            element("p", self.word("report"), class_="kind"),
            element("h1", element("bdi", self.report.file_name[:300])),
            state,
            element("p", typeset(grouped(said, self.language), self.language), class_="summary"),
            self._counts(),
            class_=_TONES.get(self.state, "open"),
        )

    def _counts(self) -> Html:
        totals = self.totals
        shown = [("received", totals.documents)]
        for outcome in Outcome:
            count = totals.outcomes[outcome]
            if count or outcome in (Outcome.ACCEPTED, Outcome.REJECTED):
                shown.append((outcome.value, count))
        figures = (
            element(
                "div",
                element("dt", counted(what, count, self.language)),
                element("dd", self.number(count)),
            )
            for what, count in shown
        )
        return element("dl", *figures, class_="counts")

    def _findings(self, severity: Severity, key: str, letter: str) -> Iterable[Html]:
        causes = self.causes.of(severity)
        left_out = self.causes.left_out[severity]
        if not causes and severity is not Severity.ERROR:
            return
        yield Html(f'<section id="{key}">\n')
        yield element("h2", self.word(key))
        if not causes:
            said = "empty" if not self.totals.documents else "no_errors"
            yield element("p", self.word(said))
        elif len(causes) > 1 or severity is not Severity.ERROR:
            yield element("p", self.word(f"{key}_intro"), class_="intro")
        if len(causes) >= _AT_A_GLANCE:
            yield self._glance(causes, letter)
        for position, cause in enumerate(causes, 1):
            told = entry(
                cause, f"{letter}{position}", position, self.totals.documents, self.language
            )
            if not self.has_room(told):
                left_out += cause.findings
                continue
            if severity is Severity.ERROR:
                self.positions[cause.first_seen] = position
            yield told
        if left_out:
            yield element("p", self.word("other_causes", count=self.number(left_out)))
        yield Html("</section>\n")

    def _glance(self, causes: list[Cause], letter: str) -> Html:
        """The causes that weigh most, in one look."""
        items: list[Piece] = []
        for position, cause in enumerate(causes[:_MOST_AT_A_GLANCE], 1):
            often = weight(cause.findings, cause.documents, self.totals.documents, self.language)
            items.append(
                element(
                    "li",
                    element("a", set_off(title(cause, self.language)), href=f"#{letter}{position}"),
                    " ",
                    element("span", cause.rule, class_="code"),
                    " ",
                    element("span", often, class_="often") if often else None,
                )
            )
        listed = element("ol", *items)
        return element("nav", listed, aria_label=self.word("causes"), class_="glance")


@functools.cache
def _sheet() -> tuple[Html, str]:
    """The style sheet, and the policy that lets a browser apply it and load nothing at all."""
    css = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return style(css), policy
