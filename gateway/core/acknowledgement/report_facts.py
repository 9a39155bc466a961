"""What an interchange report is made of: the interchange, its documents, what lay beside them."""

from __future__ import annotations

import datetime as dt
import re
from enum import StrEnum
from typing import Final

import msgspec

from gateway.model.container import Role
from gateway.model.lifecycle import DocumentState
from gateway.model.verdict import (
    Finding,
    Judgement,
    PackReference,
    Severity,
    VirusCheck,
    verdict_name,
)

REPEATED: Final = "DOUBLON"
"""Of invoices that were sent before."""

_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Everything outside the production Char of XML 1.0 (§2.2)."""


class Outcome(StrEnum):
    """What the partner is told about one document."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNDETERMINED = "undetermined"
    """Not judged yet, or held by us: neither good nor bad news."""
    DISCARDED = "discarded"
    """Set aside by our operator, and not processed."""


class InterchangeReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a report says of the interchange itself. Times carry a time zone.

    `revision` counts the reports about one interchange, from 1: each replaces those before it.
    """

    interchange_id: str
    revision: int
    provisional: bool
    partner: str
    flow: str | None
    file_name: str
    interface_code: str | None
    received_at: dt.datetime
    sha256: str
    size: int
    reported_at: dt.datetime
    virus_check: VirusCheck = VirusCheck.NOT_CHECKED


class ReportDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One document of an interchange, as its report shows it.

    `sha256` is empty for a member of an archive that could not even be unpacked. `remark` is why
    an operator set it aside.
    """

    ordinal: int
    state: DocumentState
    outcome: Outcome
    name: str
    sha256: str
    size: int
    flow: str | None = None
    syntax: str | None = None
    document_type: str | None = None
    profile: str | None = None
    invoice_number: str | None = None
    issue_date: str | None = None
    seller_id: str | None = None
    buyer_id: str | None = None
    rules: tuple[PackReference, ...] = ()
    findings: tuple[Finding, ...] = ()
    remark: str | None = None

    def count(self, severity: Severity) -> int:
        """How many findings weigh that much."""
        return sum(finding.severity is severity for finding in self.findings)

    @property
    def is_repeated(self) -> bool:
        """Whether it is rejected for nothing else than that it was sent before."""
        errors = {each.rule for each in self.findings if each.severity is Severity.ERROR}
        return self.outcome is Outcome.REJECTED and errors == {REPEATED}


class ReportAttachment(msgspec.Struct, frozen=True, kw_only=True):
    """One member of an archive that is no document. `beside` names the document it goes with."""

    name: str
    role: Role
    size: int
    sha256: str
    beside: str | None = None


def document_of(
    judgement: Judgement, ordinal: int, state: DocumentState, remark: str | None = None
) -> ReportDocument:
    """The document as its report shows it. `ordinal` counts from 1.

    An operator's decision to discard it stands above whatever was judged before.
    """
    discarded = state is DocumentState.DISCARDED
    return ReportDocument(
        ordinal=ordinal,
        state=state,
        outcome=Outcome.DISCARDED if discarded else Outcome(verdict_name(judgement.verdict)),
        name=judgement.document,
        sha256=judgement.sha256,
        size=judgement.size,
        flow=judgement.flow,
        syntax=judgement.syntax,
        document_type=judgement.document_type,
        profile=judgement.profile,
        invoice_number=judgement.invoice_number,
        issue_date=judgement.issue_date,
        seller_id=judgement.seller_id,
        buyer_id=judgement.buyer_id,
        rules=judgement.rules,
        findings=judgement.findings,
        remark=remark,
    )


def clean(text: str) -> str:
    """`text` with whatever XML 1.0 cannot hold replaced by U+FFFD: the same in every form."""
    return _NOT_XML.sub("\ufffd", text)


def moment(time: dt.datetime) -> str:
    """The time as xs:dateTime and RFC 3339 write it, in UTC, to the second."""
    return time.astimezone(dt.UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
