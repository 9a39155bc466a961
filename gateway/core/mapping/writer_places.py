"""Paths of the table, seen with the eyes of an official schema.

What reading and writing ask of a path differs in one thing: a condition that chooses among
elements when it is read says, when it is written, which of them are different ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from gateway.core.mapping.paths import Condition, Step
from gateway.core.mapping.writer_context import Demand, Value
from gateway.core.mapping.writer_schema import Child, ElementType


class WritingFault(ValueError):
    """What the table asks to write, the schema does not allow. The message says what."""


class Workshop(msgspec.Struct, frozen=True):
    """What drafts of one document need to know.

    `made`: conditions by tag. `otherwise`: what to write where a text must only differ, by path.
    `properties`: of the terms that conditions compare with. `demand`: what is asked for a term
    that the schema demands. `unlike`: terms that are left out when they equal another. `outer`:
    slot → the slot of the list around its list.
    """

    names: Mapping[str, str]
    made: Mapping[str, tuple[Condition, ...]]
    otherwise: Mapping[tuple[str, ...], str]
    properties: Mapping[str, str]
    demand: Callable[[Value], Demand]
    unlike: frozenset[str]
    outer: list[int]

    def name(self, tag: str) -> str:
        """A name in Clark notation as it is written."""
        namespace, _, local = tag[1:].partition("}")
        prefix = self.names.get(namespace, "")
        return f"{prefix}:{local}" if prefix else local

    def inside(self, slot: int, around: int) -> bool:
        """Whether a list is another, or stands in it."""
        while slot != around and slot != 0:
            slot = self.outer[slot]
        return slot == around


def constant(text: str) -> Value:
    """Text that is the same in every document."""
    return Value(lambda _writing: text)


class Place(msgspec.Struct):
    """One step of a path, with what the schema says about it and the conditions that fell to it.

    A condition on an element that can stand only once chooses among its parents: it moves up to
    the nearest element that can repeat. `make`: whether it is to be made true.
    """

    tag: str
    child: Child
    conditions: list[tuple[Condition, bool]]


def places(
    shop: Workshop, tag: str, kind: ElementType, steps: Sequence[Step], unmade: Iterable[Condition]
) -> tuple[Place, ...]:
    """The steps of a path from an element. `unmade`: conditions the values bring with them."""
    found: list[Place] = []
    for step in steps:
        child = kind.children.get(step.tag)
        if child is None:
            raise WritingFault(f"the schema knows no {shop.name(step.tag)} in {shop.name(tag)}")
        own = [(condition, condition not in unmade) for condition in step.conditions]
        found.append(Place(step.tag, child, own))
        kind, tag = child.type, step.tag
    for above, below in zip(reversed(found[:-1]), reversed(found[1:]), strict=True):
        if not below.child.many:
            above.conditions += [(_seen_from_above(c, below.tag), m) for c, m in below.conditions]
            below.conditions = []
    return tuple(found)


def _seen_from_above(condition: Condition, tag: str) -> Condition:
    return msgspec.structs.replace(condition, steps=(tag, *condition.steps))
