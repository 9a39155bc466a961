"""What follows from a judgement, decided before anything is written: pure functions on values.

Whether the document is tried again, what is published about it, how its interchange ends and what
its partner is told. `settle` writes it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import msgspec

from gateway.config.settings import Judges as JudgeSettings
from gateway.core.naming import interface_code
from gateway.errors import Disposition, GatewayError
from gateway.model.interchange import Interchange
from gateway.model.lifecycle import DocumentState, InterchangeState
from gateway.model.partner import Partner
from gateway.model.publication import Publication
from gateway.model.verdict import Judgement, Language, Layer, Rejected, Undetermined, Verdict
from gateway.service import messages

UNREADABLE = frozenset({Layer.CONTAINER, Layer.XML})
"""Layers whose errors mean that there was no invoice to judge: the interchange is refused."""


class Retry(msgspec.Struct, frozen=True):
    """When an undetermined document is tried again; `at` None: it needs a human."""

    at: dt.datetime | None


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """How an interchange ends, with its acknowledgement."""

    state: InterchangeState
    flow: str | None
    revision: int
    report: Publication
    filename: str
    cause: str | None


Judged = Sequence[tuple[int, DocumentState, Judgement]]
"""Ordinal, state and judgement of every document of an interchange, in order."""


def language_of(partner: Partner | None) -> Language:
    """The language answers to this partner are written in."""
    return partner.language if partner else Language.FR


def undetermined(interchange: Interchange, verdict: Undetermined) -> Judgement:
    """The judgement on a payload whose judge failed before it could say anything."""
    return Judgement(
        document=interchange.envelope.name,
        sha256=interchange.sha256,
        size=interchange.size,
        flow=None,
        syntax=None,
        document_type=None,
        profile=None,
        verdict=verdict,
    )


def without_partner(interchange: Interchange) -> Judgement:
    """What is said of a document whose partner was removed while it waited."""
    return undetermined(
        interchange,
        Undetermined(
            cause=f"Partner {interchange.envelope.partner} is no longer configured.",
            remedy="Put its file back in paths.partners and restart the gateway.",
        ),
    )


def failed_by(interchange: Interchange, error: GatewayError) -> Judgement:
    """What is said of a document whose judge failed at it."""
    return undetermined(
        interchange,
        Undetermined(
            cause=error.what,
            remedy=error.remedy,
            transient=error.disposition is Disposition.RETRY,
        ),
    )


def retry_plan(
    verdict: Verdict, attempt: int, settings: JudgeSettings, now: dt.datetime
) -> Retry | None:
    """When to judge again: None for a verdict that stands, `Retry(None)` after the last attempt.

    The pause doubles with each attempt. A cause that needs somebody to mend something (a missing
    rule pack) is retried as well: it is mended while the document waits more often than not.
    """
    if not isinstance(verdict, Undetermined):
        return None
    if attempt >= settings.attempts:
        return Retry(None)
    return Retry(now + dt.timedelta(seconds=settings.retry_seconds * 2 ** (attempt - 1)))


def result_of(
    interchange: Interchange, judgement: Judgement, language: Language, now: dt.datetime
) -> Publication | None:
    """The publication of a document's result; None while it is undetermined."""
    if isinstance(judgement.verdict, Undetermined):
        return None
    return messages.document_publication(interchange, 1, judgement, language, revision=0, now=now)


def closing_of(
    interchange: Interchange,
    judged: Judged,
    language: Language,
    *,
    revision: int,
    now: dt.datetime,
) -> Closing:
    """How the interchange ends, with the report that says so.

    Settled; or refused when there was nothing readable in it; or quarantined when a document
    needs a human: then its report is provisional.
    """
    quarantined = [j for _, state, j in judged if state is DocumentState.QUARANTINED]
    flow = next((j.flow for _, _, j in judged if j.flow), None)
    cause = None
    if quarantined:
        state = InterchangeState.QUARANTINED
        verdict = quarantined[0].verdict
        cause = verdict.cause if isinstance(verdict, Undetermined) else None
    elif all(_unreadable(j) for _, _, j in judged):
        state = InterchangeState.REFUSED
        cause = next((f.rule for _, _, j in judged for f in j.findings), None)
    else:
        state = InterchangeState.SETTLED
    report, filename = messages.report_publication(
        interchange,
        judged,
        language,
        interface_code=interface_code(interchange.envelope.name),
        flow=flow,
        provisional=bool(quarantined),
        revision=revision,
        now=now,
    )
    return Closing(
        state=state,
        flow=flow,
        revision=revision,
        report=report,
        filename=filename,
        cause=cause,
    )


def _unreadable(judgement: Judgement) -> bool:
    return isinstance(judgement.verdict, Rejected) and any(
        finding.layer in UNREADABLE for finding in judgement.findings
    )
