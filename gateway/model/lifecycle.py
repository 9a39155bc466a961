"""The life of an interchange and of a document: one table each, and nothing beside it.

    interchange   received ─▶ opened ─▶ judged ─▶ settled ─▶ acknowledged ─▶ opened (replayed)
                     └──────────┴─▶ refused                    (its refusal is acknowledged too)
                     └──────────┴──────▶ quarantined ─▶ opened (released or discarded)

    document      extracted ─▶ accepted | rejected ─▶ published ─▶ extracted (replayed)
                     └─▶ undetermined ─▶ extracted (retry) | quarantined ─▶ extracted (released)
                                                                └─▶ discarded (by an operator)

Every step is a journal row with its time and cause; that is the audit trail.
"""

from __future__ import annotations

from enum import StrEnum


class InterchangeState(StrEnum):
    """Where an interchange stands."""

    RECEIVED = "received"
    OPENED = "opened"
    JUDGED = "judged"
    SETTLED = "settled"
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    QUARANTINED = "quarantined"


class DocumentState(StrEnum):
    """Where a document stands."""

    EXTRACTED = "extracted"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNDETERMINED = "undetermined"
    PUBLISHED = "published"
    QUARANTINED = "quarantined"
    DISCARDED = "discarded"


State = InterchangeState | DocumentState

_I = InterchangeState
_D = DocumentState

INTERCHANGE_TRANSITIONS: dict[InterchangeState, frozenset[InterchangeState]] = {
    _I.RECEIVED: frozenset({_I.OPENED, _I.REFUSED, _I.QUARANTINED}),
    _I.OPENED: frozenset({_I.JUDGED, _I.REFUSED, _I.QUARANTINED}),
    _I.JUDGED: frozenset({_I.SETTLED}),
    _I.SETTLED: frozenset({_I.ACKNOWLEDGED}),
    _I.ACKNOWLEDGED: frozenset({_I.OPENED}),
    _I.REFUSED: frozenset({_I.ACKNOWLEDGED}),
    _I.QUARANTINED: frozenset({_I.OPENED}),
}

DOCUMENT_TRANSITIONS: dict[DocumentState, frozenset[DocumentState]] = {
    _D.EXTRACTED: frozenset({_D.ACCEPTED, _D.REJECTED, _D.UNDETERMINED, _D.QUARANTINED}),
    _D.ACCEPTED: frozenset({_D.PUBLISHED}),
    _D.REJECTED: frozenset({_D.PUBLISHED}),
    _D.UNDETERMINED: frozenset({_D.EXTRACTED, _D.QUARANTINED}),
    _D.PUBLISHED: frozenset({_D.EXTRACTED}),
    _D.QUARANTINED: frozenset({_D.EXTRACTED, _D.DISCARDED}),
    _D.DISCARDED: frozenset(),
}

UNFINISHED_INTERCHANGE = frozenset({_I.RECEIVED, _I.OPENED, _I.JUDGED})
"""States from which work resumes at start-up."""


class IllegalTransition(ValueError):
    """The table has no such step: a fault of ours, never of a partner."""


def check_interchange(old: InterchangeState, new: InterchangeState) -> None:
    """Raise `IllegalTransition` unless the table allows the step."""
    if new not in INTERCHANGE_TRANSITIONS[old]:
        raise IllegalTransition(f"interchange: {old} → {new} is not in the table")


def check_document(old: DocumentState, new: DocumentState) -> None:
    """Raise `IllegalTransition` unless the table allows the step."""
    if new not in DOCUMENT_TRANSITIONS[old]:
        raise IllegalTransition(f"document: {old} → {new} is not in the table")
