"""The two tables of the lifecycle, against the picture that the module opens with."""

from __future__ import annotations

from enum import StrEnum
from itertools import product
from typing import TypeVar

import pytest

from gateway.model.lifecycle import (
    DOCUMENT_TRANSITIONS,
    INTERCHANGE_TRANSITIONS,
    UNFINISHED_INTERCHANGE,
    DocumentState,
    IllegalTransition,
    InterchangeState,
    check_document,
    check_interchange,
)

S = TypeVar("S", bound=StrEnum)

INTERCHANGE_STEPS = {
    tuple(step.split(" → "))
    for step in (
        "received → opened",
        "opened → judged",
        "judged → settled",
        "settled → acknowledged",
        "received → refused",
        "opened → refused",
        "received → quarantined",
        "opened → quarantined",
        "quarantined → opened",
        "refused → acknowledged",
        "acknowledged → opened",
    )
}
DOCUMENT_STEPS = {
    tuple(step.split(" → "))
    for step in (
        "extracted → accepted",
        "extracted → rejected",
        "extracted → undetermined",
        "extracted → quarantined",
        "accepted → published",
        "rejected → published",
        "undetermined → extracted",
        "undetermined → quarantined",
        "quarantined → extracted",
        "quarantined → discarded",
        "published → extracted",
    )
}


@pytest.mark.parametrize(("old", "new"), list(product(InterchangeState, repeat=2)))
def test_interchange_steps(old: InterchangeState, new: InterchangeState) -> None:
    """Exactly the steps of the picture are allowed; every other one names itself and is refused."""
    if (old.value, new.value) in INTERCHANGE_STEPS:
        check_interchange(old, new)
    else:
        with pytest.raises(IllegalTransition, match=f"{old} → {new}"):
            check_interchange(old, new)


@pytest.mark.parametrize(("old", "new"), list(product(DocumentState, repeat=2)))
def test_document_steps(old: DocumentState, new: DocumentState) -> None:
    """Exactly the steps of the picture are allowed; every other one names itself and is refused."""
    if (old.value, new.value) in DOCUMENT_STEPS:
        check_document(old, new)
    else:
        with pytest.raises(IllegalTransition, match=f"{old} → {new}"):
            check_document(old, new)


def reachable(start: S, steps: dict[S, frozenset[S]]) -> set[S]:
    """`start` and every state some steps away from it."""
    seen, ahead = {start}, [start]
    while ahead:
        for state in steps[ahead.pop()] - seen:
            seen.add(state)
            ahead.append(state)
    return seen


def test_no_dead_ends() -> None:
    """Every state is in the table, can be reached, and leads to an end that answers somebody."""
    assert set(INTERCHANGE_TRANSITIONS) == set(InterchangeState)
    assert set(DOCUMENT_TRANSITIONS) == set(DocumentState)
    assert reachable(InterchangeState.RECEIVED, INTERCHANGE_TRANSITIONS) == set(InterchangeState)
    assert reachable(DocumentState.EXTRACTED, DOCUMENT_TRANSITIONS) == set(DocumentState)
    for state in InterchangeState:
        assert InterchangeState.ACKNOWLEDGED in reachable(state, INTERCHANGE_TRANSITIONS)
    for document in set(DocumentState) - {DocumentState.DISCARDED}:
        assert DocumentState.PUBLISHED in reachable(document, DOCUMENT_TRANSITIONS)


def test_only_an_operator_gives_a_document_up() -> None:
    """Discarding is the one end without a result, and only from quarantine is there a way to it."""
    before = {
        old for old, steps in DOCUMENT_TRANSITIONS.items() if DocumentState.DISCARDED in steps
    }
    assert before == {DocumentState.QUARANTINED}
    assert not DOCUMENT_TRANSITIONS[DocumentState.DISCARDED]


def test_undetermined_is_never_a_result() -> None:
    """What could not be checked is checked again before it can be published."""
    assert DocumentState.PUBLISHED not in DOCUMENT_TRANSITIONS[DocumentState.UNDETERMINED]
    assert DocumentState.PUBLISHED not in DOCUMENT_TRANSITIONS[DocumentState.QUARANTINED]


def test_what_resumes() -> None:
    """Start-up takes up what still has work to do, and leaves alone what waits for a human."""
    assert InterchangeState.QUARANTINED not in UNFINISHED_INTERCHANGE
    assert {"received", "opened", "judged"} == UNFINISHED_INTERCHANGE
