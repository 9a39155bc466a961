"""What follows from a judgement, decided before anything is written: pure functions on values.

Whether the document is tried again, alone or not, what is published about it, and how its
interchange ends. `settle` writes it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Set
from typing import Final

import msgspec

from gateway.config.settings import Judges as JudgeSettings
from gateway.errors import Disposition, GatewayError, WorkerDied, WorkerTimeout
from gateway.model.interchange import Interchange
from gateway.model.lifecycle import DocumentState, InterchangeState
from gateway.model.partner import Partner
from gateway.model.publication import Publication
from gateway.model.verdict import (
    Judgement,
    Language,
    Layer,
    Rejected,
    Undetermined,
    Verdict,
    VirusCheck,
)
from gateway.service import messages

UNREADABLE = frozenset({Layer.CONTAINER, Layer.XML})
"""Layers whose errors mean that there was no invoice to judge: the interchange is refused."""

LETHAL_ATTEMPTS: Final = 2
"""A document that ends its judge is tried once more, alone; then it needs a human."""


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """A document on its way to a verdict: which one, and what was tried before.

    `position`: its place in the archive it came out of; None when it is the payload itself.
    `revision`: the number its result will have, 0 for the first.
    """

    ordinal: int
    name: str
    sha256: str
    size: int
    position: int | None = None
    attempts: int = 0
    lethal: int = 0
    revision: int = 0


class Retry(msgspec.Struct, frozen=True):
    """When an undetermined document is tried again; `at` None: it needs a human.

    `lethal`: how often it has ended its judge by now.
    """

    at: dt.datetime | None
    lethal: int = 0


def payload_of(
    interchange: Interchange, *, attempts: int = 0, lethal: int = 0, revision: int = 0
) -> Subject:
    """The payload as a whole: the one document of the interchange, until it proves an archive."""
    return Subject(
        ordinal=1,
        name=interchange.envelope.name,
        sha256=interchange.sha256,
        size=interchange.size,
        attempts=attempts,
        lethal=lethal,
        revision=revision,
    )


def language_of(partner: Partner | None) -> Language:
    """The language answers to this partner are written in."""
    return partner.language if partner else Language.FR


def undetermined(subject: Subject, verdict: Undetermined) -> Judgement:
    """The judgement on a document whose judge failed before it could say anything."""
    return Judgement(
        document=subject.name,
        sha256=subject.sha256,
        size=subject.size,
        flow=None,
        syntax=None,
        document_type=None,
        profile=None,
        verdict=verdict,
    )


def without_partner(interchange: Interchange, subject: Subject) -> Judgement:
    """What is said of a document whose partner was removed while it waited."""
    return undetermined(
        subject,
        Undetermined(
            cause=f"Partner {interchange.envelope.partner} is no longer configured.",
            remedy="Put its file back in paths.partners, and run: edi-gateway reload",
        ),
    )


def failed_by(subject: Subject, error: Exception) -> Judgement:
    """What is said of a document whose judge, or whose settling, failed at it."""
    if isinstance(error, GatewayError):
        verdict = Undetermined(
            cause=error.what,
            remedy=error.remedy,
            transient=error.disposition is Disposition.RETRY,
        )
    else:
        verdict = Undetermined(
            cause=f"The gateway failed at this document: {error!r}.",
            remedy="Keep it and report this to the makers of the gateway.",
        )
    return undetermined(subject, verdict)


def is_lethal(error: Exception) -> bool:
    """Whether a judge was lost to this document: it died, hung or grew."""
    return isinstance(error, WorkerDied | WorkerTimeout)


def retry_plan(
    verdict: Verdict, subject: Subject, settings: JudgeSettings, now: dt.datetime, *, lethal: bool
) -> Retry | None:
    """When to judge again: None for a verdict that stands, `Retry(None)` after the last attempt.

    The pause doubles with each attempt. A cause that needs somebody to mend something (a missing
    rule pack) is retried as well: it is mended while the document waits more often than not. A
    document that ended its judge has one more attempt, whatever the setting.
    """
    if not isinstance(verdict, Undetermined):
        return None
    ended = subject.lethal + lethal
    attempt = subject.attempts + 1
    if ended >= LETHAL_ATTEMPTS or (attempt >= settings.attempts and not lethal):
        return Retry(None, ended)
    pause = settings.retry_seconds * 2 ** (attempt - 1)
    return Retry(now + dt.timedelta(seconds=pause), ended)


def result_of(
    interchange: Interchange,
    subject: Subject,
    judgement: Judgement,
    language: Language,
    now: dt.datetime,
) -> Publication | None:
    """The publication of a document's result; None while it is undetermined."""
    if isinstance(judgement.verdict, Undetermined):
        return None
    return messages.document_publication(
        interchange, subject.ordinal, judgement, language, revision=subject.revision, now=now
    )


def ending(states: Mapping[DocumentState, int], *, unreadable: int) -> InterchangeState:
    """How an interchange ends whose documents stand like this.

    `unreadable` of them were no invoice at all. Settled; or refused when there was nothing in it
    to process; or quarantined when a document needs a human.
    """
    if states.get(DocumentState.QUARANTINED):
        return InterchangeState.QUARANTINED
    useless = unreadable + states.get(DocumentState.DISCARDED, 0)
    if useless >= sum(states.values()):
        return InterchangeState.REFUSED
    return InterchangeState.SETTLED


def is_unreadable(judgement: Judgement) -> bool:
    """Whether no invoice could be read in the document at all."""
    return isinstance(judgement.verdict, Rejected) and any(
        finding.layer in UNREADABLE for finding in judgement.findings
    )


def checked(documents: Set[VirusCheck]) -> VirusCheck:
    """What was said of the payload its documents came in.

    They all came in the same bytes. Some may not say so: those whose last attempt was made while
    the scanner could not be asked.
    """
    for check in (VirusCheck.FOUND, VirusCheck.CLEAN):
        if check in documents:
            return check
    return VirusCheck.NOT_CHECKED
