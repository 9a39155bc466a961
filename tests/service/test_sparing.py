"""Whoever makes noise fills no log, and no line is left out uncounted."""

from __future__ import annotations

from gateway.service.sparing import Sparing


def test_so_many_lines_in_so_much_time() -> None:
    """The first ones; then none; then the next, which says how many were left out."""
    now = [0.0]
    sparing = Sparing(3, 10.0, lambda: now[0])
    assert [sparing.allows() for _ in range(8)] == [{}, {}, {}, None, None, None, None, None]
    now[0] = 9.9
    assert sparing.allows() is None
    now[0] = 10.0
    assert [sparing.allows() for _ in range(4)] == [{"lines_left_out": 6}, {}, {}, None]
    now[0] = 100.0
    assert sparing.allows() == {"lines_left_out": 1}
