"""What judging a document says: findings, and the verdict they add up to.

Bad partner data is a value (a `Finding`); a failure of our own is an exception that ends as
`Undetermined`. The three verdicts are separate classes so that no code can mistake "could not
be checked" for "checked and good".
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec


class Language(StrEnum):
    """Languages in which partners are answered (ISO 639-1)."""

    FR = "fr"
    EN = "en"


class Text(msgspec.Struct, frozen=True):
    """One sentence in every language partners read."""

    en: str
    fr: str

    def to(self, language: Language) -> str:
        """The sentence in `language`."""
        return self.fr if language is Language.FR else self.en


class Severity(StrEnum):
    """Weight of a finding. Only `ERROR` rejects a document."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Layer(StrEnum):
    """The check that made a finding, in the order the checks run."""

    CONTAINER = "container"
    XML = "xml"
    ROUTING = "routing"
    XSD = "xsd"
    SCHEMATRON = "schematron"
    BUSINESS = "business"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing a check has to say about a document.

    `rule` is the code a reader can look up (BR-CO-15, XML-DOCTYPE, …); `message` is the text of
    the rule itself; `explanation` and `remedy` are ours. `location` is an XPath with the usual
    prefixes, `line` and `column` (1-based) point into the bytes as received, `excerpt` is the
    element as written, shortened. `terms` are EN 16931 business terms (BT-112, BG-23).
    """

    rule: str
    layer: Layer
    severity: Severity
    message: str
    pack: str | None = None
    location: str | None = None
    line: int | None = None
    column: int | None = None
    excerpt: str | None = None
    terms: tuple[str, ...] = ()
    explanation: Text | None = None
    remedy: Text | None = None

    def to_json(self, language: Language) -> dict[str, Any]:
        """The finding as `validate --json`, reports and messages show it."""
        return {
            "rule": self.rule,
            "layer": self.layer.value,
            "pack": self.pack,
            "severity": self.severity.value,
            "location": self.location,
            "line": self.line,
            "column": self.column,
            "excerpt": self.excerpt,
            "terms": list(self.terms),
            "message": self.message,
            "explanation": self.explanation.to(language) if self.explanation else None,
            "remedy": self.remedy.to(language) if self.remedy else None,
        }


class Accepted(msgspec.Struct, frozen=True, tag="accepted"):
    """Every check ran and none objected: what it says as JSON bytes, and remarks.

    `invoice` is the canonical invoice; of a lifecycle message it is empty, and `message` is what
    that says (core.cdar.told).
    """

    invoice: bytes
    findings: tuple[Finding, ...] = ()
    message: bytes = b""


class Rejected(msgspec.Struct, frozen=True, tag="rejected"):
    """At least one finding of severity error."""

    findings: tuple[Finding, ...]


class Undetermined(msgspec.Struct, frozen=True, tag="undetermined"):
    """A check could not run, and no other check rejected the document.

    `cause` says what failed and what an operator does about it. `findings` holds what the
    checks that did run had to say. `transient` tells whether trying again later can help
    without anybody mending anything.
    """

    cause: str
    remedy: str = ""
    findings: tuple[Finding, ...] = ()
    transient: bool = False


Verdict = Accepted | Rejected | Undetermined


def verdict_name(verdict: Verdict) -> str:
    """`accepted`, `rejected` or `undetermined`: the word used in keys, files and exit messages."""
    match verdict:
        case Accepted():
            return "accepted"
        case Rejected():
            return "rejected"
        case Undetermined():
            return "undetermined"


class VirusCheck(StrEnum):
    """What a virus scanner said of the payload a document came in."""

    NOT_CHECKED = "NotChecked"
    """None is configured, or it could not be asked: this never counts as clean."""
    CLEAN = "Clean"
    FOUND = "Found"


class PackReference(msgspec.Struct, frozen=True):
    """Which rule pack judged: enough to repeat the judgement years later."""

    pack: str
    version: str
    sha256: str


class AttachedFile(msgspec.Struct, frozen=True):
    """A file that came inside an invoice (BT-125), decoded: `size` in bytes."""

    sha256: str
    size: int


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """Everything `core.pipeline.judge` says about one document.

    `timings_ms` has one entry per step that ran (parse, route, xsd, schematron, map).
    The identifying fields are what could be read before a check failed; they are for people
    who search, and are never relied on for a decision. `unmapped`: how many values of the document
    the canonical invoice has no place for. `files`: what was attached to an accepted invoice and
    lies in `JudgeJob.files_to`, each file once. `amount` is what the document says it comes to with
    VAT (BT-112), as it is written; `pdf`: it came inside a PDF (Factur-X). `virus_check` is not the
    judge's: it was made before, on the payload as received.
    """

    document: str
    sha256: str
    size: int
    flow: str | None
    syntax: str | None
    document_type: str | None
    profile: str | None
    verdict: Verdict
    rules: tuple[PackReference, ...] = ()
    invoice_number: str | None = None
    issue_date: str | None = None
    seller_id: str | None = None
    buyer_id: str | None = None
    seller_name: str | None = None
    buyer_name: str | None = None
    amount: str | None = None
    currency: str | None = None
    pdf: bool = False
    timings_ms: dict[str, float] = {}
    unmapped: int = 0
    files: tuple[AttachedFile, ...] = ()
    virus_check: VirusCheck = VirusCheck.NOT_CHECKED

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of whatever verdict this is."""
        return self.verdict.findings

    def to_json(self, file: str, language: Language) -> dict[str, Any]:
        """The object `validate --json` prints and a rejected document is published as."""
        out: dict[str, Any] = {
            "file": file,
            "document": self.document,
            "sha256": self.sha256,
            "flow": self.flow,
            "syntax": self.syntax,
            "document_type": self.document_type,
            "profile": self.profile,
            "invoice_number": self.invoice_number,
            "issue_date": self.issue_date,
            "seller_id": self.seller_id,
            "buyer_id": self.buyer_id,
            "verdict": verdict_name(self.verdict),
            "rules": [msgspec.to_builtins(reference) for reference in self.rules],
            "findings": [finding.to_json(language) for finding in self.findings],
            "timings_ms": {step: round(ms, 2) for step, ms in self.timings_ms.items()},
        }
        if isinstance(self.verdict, Undetermined):
            out["cause"] = self.verdict.cause
            out["remedy"] = self.verdict.remedy
        return out
