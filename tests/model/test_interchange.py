"""Interchange ids: UUIDs of version 7 that sort by time and need no machine name."""

from __future__ import annotations

import os
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.interchange import new_interchange_id

MS = st.integers(min_value=0, max_value=(1 << 48) - 1)
RANDOMNESS = st.binary(min_size=10, max_size=10)


@given(MS, RANDOMNESS)
def test_is_a_uuid_of_version_7(unix_ms: int, randomness: bytes) -> None:
    """Version and variant are those of RFC 9562 §5.7, the first 48 bits are the time."""
    made = uuid.UUID(new_interchange_id(unix_ms, randomness))
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert made.int >> 80 == unix_ms


def test_example_of_the_rfc() -> None:
    """RFC 9562, appendix A.6: its time and random bits give its UUID."""
    # rand_a 0xCC3, rand_b 0b01 0x8C4DC0C0C07398F, packed the way `randomness` is read.
    rand_b = 0x18C4DC0C0C07398F
    randomness = (0xCC3 << 68 | rand_b).to_bytes(10, "big")
    made = new_interchange_id(0x017F22E279B0, randomness)
    assert made == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(MS, MS, RANDOMNESS, RANDOMNESS)
def test_sorts_by_time(earlier: int, later: int, one: bytes, other: bytes) -> None:
    """As text too, whatever the random part says: the journal's order is the order of arrival."""
    earlier, later = sorted((earlier, later))
    if earlier < later:
        assert new_interchange_id(earlier, one) < new_interchange_id(later, other)


def test_unique_within_a_millisecond() -> None:
    """The random part tells ids of one millisecond apart."""
    assert len({new_interchange_id(1, os.urandom(10)) for _ in range(1000)}) == 1000


@pytest.mark.parametrize("size", [0, 9, 11])
def test_wrong_randomness(size: int) -> None:
    """Too little randomness is an error, not a weaker id."""
    with pytest.raises(ValueError, match="10 bytes"):
        new_interchange_id(0, bytes(size))
