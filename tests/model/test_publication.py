"""Message ids: the same for the same thing, always; another for anything else."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from gateway.model.publication import NAMESPACE, Exchange, message_id

ID = "0190a6f0-0000-7000-8000-000000000001"
PARTS = st.tuples(
    st.uuids(version=4).map(str),
    st.integers(0, 10_000),
    st.sampled_from(["result", "report", "event"]),
    st.integers(0, 100),
)


def test_never_changes() -> None:
    """Consumers keep these ids to recognise a repeat: this value is a contract over releases."""
    assert str(NAMESPACE) == "6f0f1c3e-3b0e-5b0f-9c52-0d8b3b8f6a11"
    assert message_id(ID, 1, "result", 1) == str(uuid.uuid5(NAMESPACE, f"{ID}/1/result/1"))
    assert message_id(ID, 1, "result", 1) == "0928d7d6-5c4a-529e-b1b5-ea144c1a542f"


@given(PARTS, PARTS)
def test_one_id_per_thing(one: tuple[str, int, str, int], other: tuple[str, int, str, int]) -> None:
    """Two messages share an id only when they are the same message."""
    assert (message_id(*one) == message_id(*other)) == (one == other)


def test_neighbours_differ() -> None:
    """Ordinal and revision cannot run into each other: 1/11 is not 11/1."""
    near = [(1, "a", 11), (11, "a", 1), (1, "a1", 1), (11, "a", 11), (1, "a", 1)]
    assert len({message_id(ID, *parts) for parts in near}) == len(near)


def test_is_a_uuid_of_version_5() -> None:
    """RFC 9562 §5.5: a name-based id needs no state and no randomness."""
    assert uuid.UUID(message_id(ID, 0, "report", 1)).version == 5


def test_exchanges() -> None:
    """The three exchanges consumers bind to, and those of tests, which are others."""
    kinds = ["documents", "acknowledgements", "events"]
    assert [exchange.value for exchange in Exchange] == [
        *(f"edi.{kind}" for kind in kinds),
        *(f"edi.test.{kind}" for kind in kinds),
    ]
