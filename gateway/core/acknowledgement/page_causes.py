"""What a readable report says of thousands of findings: one entry for each cause.

One pass over the documents, and what is kept is bounded whatever they hold: so many causes, of
each its counts and first places, so many documents by name. What is left out is counted.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from gateway.core.acknowledgement.refusal_codes import Refusal, refusal_of
from gateway.core.acknowledgement.report_facts import REPEATED, Outcome, ReportDocument
from gateway.model.verdict import Finding, Language, Layer, Severity

MAX_CAUSES: Final = 200
"""Causes of one weight with an entry of their own; findings of others are counted together."""
MAX_PLACES: Final = 5
"""Places shown of one cause."""
MAX_LISTED: Final[dict[Outcome, int]] = {
    Outcome.REJECTED: 1000,
    Outcome.ACCEPTED: 200,
    Outcome.UNDETERMINED: 200,
    Outcome.DISCARDED: 200,
}
"""Documents named on the page, by what became of them; the CSV names them all."""
MAX_CAUSES_OF_ONE: Final = 8
"""Causes named in the row of one document."""

_POSITION: Final = re.compile(r"\[\d+\]")
_QUOTED: Final = re.compile(r"'[^']*'|“[^“”]*”|«[^«»]*»")
_DIGITS: Final = re.compile(r"\d+")
_LINE: Final = re.compile(r",? (?:ligne|line) \d+")
"""Where a remedy says on which line a term stands: `(BT-112, line 187)`."""
_MOST: Final = {"name": 120, "id": 60, "excerpt": 400, "words": 1500, "location": 400, "term": 40}
"""Characters kept of each."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One place where a cause shows."""

    document: str
    number: str | None
    line: int | None
    column: int | None
    location: str | None
    excerpt: str | None
    explanation: str
    remedy: str


class Cause(msgspec.Struct, kw_only=True):
    """Findings that have one cause: how many, in how many documents, and where first.

    `shared`: what the explanations of all of them begin with. `same_remedy`: it is the same for all
    of them, but for the lines it names. `refusal`: the platforms' code, when the cause lies with
    the file and not with what is in it.
    """

    rule: str
    layer: Layer
    severity: Severity
    pack: str | None
    terms: tuple[str, ...]
    message: str
    refusal: Refusal | None
    first_seen: int
    findings: int = 0
    documents: int = 0
    places: list[Place]
    last_document: int = 0
    shared: str = ""
    same_remedy: bool = True


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A document by name. `causes`: why it is rejected, as far as they have entries."""

    ordinal: int
    name: str
    number: str | None
    supplier: str | None
    recipient: str | None
    remark: str | None
    causes: tuple[Cause, ...]
    more_causes: int


class Causes:
    """Collects, document by document, what the page of one interchange shows."""

    def __init__(self, flux_sha256: str, language: Language) -> None:
        self._flux_sha256 = flux_sha256
        self._language = language
        self._by_key: dict[tuple[str, ...], Cause] = {}
        self.listed: dict[Outcome, list[Listed]] = {outcome: [] for outcome in Outcome}
        self._known = dict.fromkeys(Severity, 0)
        self.left_out = dict.fromkeys(Severity, 0)
        """Findings whose causes have no entry any more."""

    def add(self, document: ReportDocument) -> None:
        """Take in one document. What was found in one that was set aside counts no more."""
        causes: dict[int, Cause] = {}
        if document.outcome is not Outcome.DISCARDED:
            for finding in document.findings:
                cause = self._cause(finding, document)
                if cause is None:
                    self.left_out[finding.severity] += 1
                    continue
                _count(cause, finding, document, self._language)
                if cause.severity is Severity.ERROR:
                    causes.setdefault(cause.first_seen, cause)
        listed = self.listed[document.outcome]
        if len(listed) < MAX_LISTED[document.outcome]:
            named = tuple(causes.values())[:MAX_CAUSES_OF_ONE]
            listed.append(_listed(document, named, len(causes) - len(named)))

    def of(self, severity: Severity) -> list[Cause]:
        """The causes of this weight: those that stop the most documents first."""
        causes = (cause for cause in self._by_key.values() if cause.severity is severity)
        return sorted(causes, key=lambda c: (-c.documents, -c.findings, c.first_seen))

    def _cause(self, finding: Finding, document: ReportDocument) -> Cause | None:
        key = _key(finding)
        cause = self._by_key.get(key)
        if cause is None and self._known[finding.severity] < MAX_CAUSES:
            self._known[finding.severity] += 1
            cause = self._by_key[key] = Cause(
                rule=_cut(finding.rule, "name"),
                layer=finding.layer,
                severity=finding.severity,
                pack=finding.pack and _cut(finding.pack, "name"),
                refusal=refusal_of(finding, member=document.sha256 != self._flux_sha256)
                if finding.severity is Severity.ERROR
                else None,
                terms=tuple(_cut(term, "term") for term in finding.terms[:20]),
                message=_cut(finding.message, "words"),
                first_seen=len(self._by_key),
                places=[],
            )
        return cause


def _key(finding: Finding) -> tuple[str, ...]:
    """What findings of one cause have in common.

    A rule of the standards says one thing. A schema and the mapping say many under one code: there
    the kind of place and of complaint count, not which line it is, and not the value.
    """
    key = (finding.severity.value, finding.layer.value, finding.rule)
    match finding.layer:
        case Layer.CONTAINER | Layer.SCHEMATRON:
            return key
        case Layer.XML | Layer.ROUTING:
            return (*key, _DIGITS.sub("0", finding.message)[:300])
    if finding.rule == REPEATED:
        return key
    place = _POSITION.sub("", finding.location or "")
    said = _DIGITS.sub("0", _QUOTED.sub("…", finding.message))
    return (*key, place[-300:], said[:300])


def _count(cause: Cause, finding: Finding, document: ReportDocument, language: Language) -> None:
    said = finding.explanation.to(language) if finding.explanation else finding.message
    explanation = _cut(said, "words")
    remedy = _cut(finding.remedy.to(language), "words") if finding.remedy else ""
    if cause.places:
        if not explanation.startswith(cause.shared):
            cause.shared = _beginning(cause.shared, explanation)
        cause.same_remedy &= without_line(remedy) == without_line(cause.places[0].remedy)
    else:
        cause.shared = explanation
    cause.findings += 1
    if cause.last_document != document.ordinal:
        cause.last_document = document.ordinal
        cause.documents += 1
    if len(cause.places) < MAX_PLACES:
        cause.places.append(_place(finding, document, explanation, remedy))


def _place(finding: Finding, document: ReportDocument, explanation: str, remedy: str) -> Place:
    return Place(
        document=_cut(document.name, "name"),
        number=document.invoice_number and _cut(document.invoice_number, "id"),
        line=finding.line or None,
        column=finding.column or None,
        location=finding.location and _cut(finding.location, "location"),
        excerpt=finding.excerpt and _cut(finding.excerpt, "excerpt"),
        explanation=explanation,
        remedy=remedy,
    )


def told_of_all(cause: Cause) -> str:
    """The sentences that the explanations of all its findings begin with."""
    if cause.shared == cause.places[0].explanation:
        return cause.shared
    return cause.shared[: cause.shared.rfind(". ") + 1]


def without_line(words: str) -> str:
    """A remedy without the lines it names, which are those of one document."""
    return _LINE.sub("", words)


def _listed(document: ReportDocument, causes: tuple[Cause, ...], more: int) -> Listed:
    return Listed(
        ordinal=document.ordinal,
        name=_cut(document.name, "name"),
        number=document.invoice_number and _cut(document.invoice_number, "id"),
        supplier=document.seller_id and _cut(document.seller_id, "id"),
        recipient=document.buyer_id and _cut(document.buyer_id, "id"),
        remark=document.remark and _cut(document.remark, "words"),
        causes=causes,
        more_causes=more,
    )


def _beginning(one: str, other: str) -> str:
    """What two texts have in common at their beginning."""
    same = 0
    for here, there in zip(one, other, strict=False):
        if here != there:
            break
        same += 1
    return one[:same]


def _cut(text: str, what: str) -> str:
    """The beginning of a text that may be of any length."""
    most = _MOST[what]
    return text if len(text) <= most else text[: most - 1] + "…"
