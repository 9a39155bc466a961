"""Which of a term's paths a value is written to, where the table gives several.

Reading takes a value from any of them; writing has to find the one it would be read back from.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from gateway.core.mapping.paths import Condition
from gateway.core.mapping.writer_context import Getter, Maker, Writing
from gateway.core.mapping.writer_values import shown
from gateway.model.invoice_types import Identifier


class Way:
    """One of the paths of a term: which of its values go there.

    `conditions` are those that look at the identifier's scheme; `pattern` is what the element
    can hold.
    """

    __slots__ = ("_conditions", "_pattern")

    def __init__(self, conditions: tuple[Condition, ...], pattern: str | None) -> None:
        self._conditions = conditions
        self._pattern = re.compile(pattern) if pattern else None

    @property
    def demanding(self) -> bool:
        """Whether there may be values it does not take."""
        return bool(self._conditions or self._pattern)

    def takes(self, value: Any) -> bool:
        """Whether a value would be read back from here."""
        if self._pattern is not None and not self._pattern.fullmatch(_plain(value)):
            return False
        scheme = value.scheme if isinstance(value, Identifier) else None
        return all(_holds(condition, scheme) for condition in self._conditions)


def open_to(ways: Sequence[Way], value: Any) -> list[int]:
    """The ways a value can go."""
    return [position for position, way in enumerate(ways) if way.takes(value)]


def chosen(ways: Sequence[Way], value: Any) -> int | None:
    """Which way a value goes, if any.

    Where several are open an identifier with a scheme goes the last, as CII has GlobalID after
    ID; everything else the first.
    """
    possible = open_to(ways, value)
    if not possible:
        return None
    with_scheme = isinstance(value, Identifier) and value.scheme is not None
    return possible[-1] if with_scheme else possible[0]


def selected(get: Getter, ways: Sequence[Way], own: int) -> Getter:
    """The value, where it goes this way."""

    def select(writing: Writing) -> Any:
        value = get(writing)
        return value if value is not None and chosen(ways, value) == own else None

    return select


def selected_list(get: Getter, ways: Sequence[Way], own: int) -> Getter:
    """The values of a list that go this way."""

    def select(writing: Writing) -> Any:
        values = get(writing) or ()
        return [value for value in values if chosen(ways, value) == own]

    return select


def first(items: Getter) -> Getter:
    """The first of a list, where a syntax has room for one."""

    def make(writing: Writing) -> Any:
        values = items(writing)
        return values[0] if values else None

    return make


def beyond_first(items: Getter) -> Maker:
    """The others, in words."""

    def make(writing: Writing) -> str | None:
        return ", ".join(shown(value) for value in items(writing)[1:]) or None

    return make


def unplaced(get: Getter, ways: Sequence[Way]) -> Maker:
    """The values that go no way at all, in words."""

    def make(writing: Writing) -> str | None:
        value = get(writing)
        values = value if isinstance(value, tuple) else () if value is None else (value,)
        lost = [shown(one) for one in values if chosen(ways, one) is None]
        return ", ".join(lost) or None

    return make


def nowhere(get: Getter) -> Maker:
    """Any value, in words."""

    def make(writing: Writing) -> str | None:
        value = get(writing)
        return None if value in (None, ()) else shown(value)

    return make


def _plain(value: Any) -> str:
    return value.value if isinstance(value, Identifier) else str(value)


def _holds(condition: Condition, scheme: str | None) -> bool:
    """Whether an identifier with this scheme satisfies a condition about the scheme."""
    if condition.operator == "exists":
        found = scheme is not None
    else:
        equal = scheme is not None and scheme.upper() in condition.values
        found = scheme is not None and equal is (condition.operator == "=")
    return found is not condition.negated
