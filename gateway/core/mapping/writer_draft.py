"""The tree of a document while a writer is compiled: elements where the table's paths lead.

Each draft knows from the official schema what its element is, where it stands and how often; a
path that the schema does not know is a fault of the table. Conditions of a path are made here:
what reading asks an element for, writing puts into it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from gateway.core.mapping.conversions import same
from gateway.core.mapping.paths import Condition, Step
from gateway.core.mapping.writer_context import Demand, Getter, Repeat, Value, Writing
from gateway.core.mapping.writer_nodes import Attribute, Branch, Leaf, Node, Text, Unplaced
from gateway.core.mapping.writer_places import Place, Workshop, WritingFault, constant, places
from gateway.core.mapping.writer_schema import Child, ElementType
from gateway.core.mapping.writer_values import getter, told_if_equal

_OPPOSITE = {"true": "false", "false": "true"}


def twin(draft: Draft, other: Draft) -> Callable[[Writing], bool]:
    """Whether two elements would look the same to a reader: then only the other is written.

    The terms are those of the invoice with which their conditions compare: the two currencies. A
    value of the first that cannot be read from the other is reported.
    """
    shop = draft.shop
    unread = any(term in shop.unlike for term in draft.terms().values())
    pairs = [
        (getter(0, (shop.properties[term],)), getter(0, (shop.properties[other.terms()[key]],)))
        for key, term in draft.terms().items()
    ]

    def alike(writing: Writing) -> bool:
        if any(str(one(writing)).upper() != str(two(writing)).upper() for one, two in pairs):
            return False
        written = [value.make(writing) for value in other.values() if value.term is not None]
        for value in draft.values():
            text = None if value.term is None else value.make(writing)
            if text is not None and (unread or not any(same(text, one) for one in written)):
                writing.report("MAP-NO-PLACE", value.term or "", value.steps, value=text)
        return True

    return alike


class Draft:
    """An element to write: `value` is its text. See `writer_nodes` for what becomes of it."""

    def __init__(
        self, shop: Workshop, tag: str, kind: ElementType, parent: Draft | None, child: Child | None
    ) -> None:
        self.shop = shop
        self.tag = tag
        self.type = kind
        self.parent = parent
        self.child = child
        self.conditions: frozenset[Condition] = frozenset()
        self.children: list[Draft] = []
        self.value: Value | None = None
        self.attributes: dict[str, Value] = {}
        self.unplaced: list[Value] = []
        self.repeat: Repeat | None = None
        self.demanded = True
        self.made = False
        self.left_to_terms: list[Condition] = []
        self.twin: Draft | None = None

    @property
    def name(self) -> str:
        """The element's name as it is written."""
        return self.shop.name(self.tag)

    def places(self, steps: Sequence[Step], unmade: Iterable[Condition] = ()) -> tuple[Place, ...]:
        """The steps of a path from here. Raises WritingFault where the schema knows no such."""
        return places(self.shop, self.tag, self.type, steps, unmade)

    def descend(
        self, path: Sequence[Place], repeat: Repeat | None = None, at: int | None = None
    ) -> Draft:
        """The draft at the end of a path; that of step `at` repeats."""
        draft = self
        for position, place in enumerate(path):
            draft = draft.below(place, repeat if position == at else None)
        return draft

    def below(self, place: Place, repeat: Repeat | None = None) -> Draft:
        """The child for a step: one that is there already, if it does not repeat otherwise."""
        wanted = frozenset(condition for condition, _ in place.conditions)
        for draft in self.children:
            if (
                draft.tag == place.tag
                and draft.conditions == wanted
                and (draft.repeat is None or repeat is None)
            ):
                draft.repeat = draft.repeat or repeat
                return draft
        made = Draft(self.shop, place.tag, place.child.type, self, place.child)
        made.conditions = wanted
        made.repeat = repeat
        self.children.append(made)
        always = [(condition, True) for condition in self.shop.made.get(place.tag, ())]
        for condition, make in [*place.conditions, *always]:
            if make and (text := made._text_for(condition)) is not None:
                made.fulfil(condition, text)
        return made

    def fulfil(self, condition: Condition, text: Value) -> None:
        """Write what makes a condition true."""
        steps = [Step(tag) for tag in condition.steps]
        target = self
        for place in self.places(steps):
            target = target.below(place)
            target.made = True
        if condition.attribute is not None:
            target.attributes.setdefault(condition.attribute, text)
        elif target.value is None:
            target.value = text

    def set_text(self, value: Value) -> None:
        """Give the element its text. Raises WritingFault when it has one."""
        if self.value is not None:
            raise WritingFault(f"something else is written in {self.name} as well")
        self.value = value

    def set_attribute(self, name: str, value: Value) -> None:
        """Give the element an attribute that the schema knows; the first one given stands."""
        if name not in self.type.attributes:
            raise WritingFault(f"the schema knows no attribute {name} of {self.name}")
        self.attributes.setdefault(name, value)

    def complete(self) -> None:
        """Add what the schema demands beside what there is; raise WritingFault where it cannot."""
        self._check_what_is_left_to_terms()
        for tag, child in self.type.children.items():
            there = [draft for draft in self.children if draft.tag == tag]
            if len(there) > 1 and not child.many:
                raise WritingFault(f"there can be only one {there[0].name} in {self.name}")
            if child.required and not there:
                if not child.type.children:
                    missing = self.shop.name(tag)
                    raise WritingFault(
                        f"the schema demands {missing} in {self.name}; give it in `made`"
                    )
                self.children.append(Draft(self.shop, tag, child.type, self, child))
        for position, draft in enumerate(self.children):
            draft.twin = next((d for d in self.children[:position] if d.may_equal(draft)), None)
            draft.complete()

    def finished(self, depth: int, around: int = 0) -> Node:
        """The node that writes it. `around`: the slot of the nearest list it stands in."""
        own = around if self.repeat is None else self.repeat.slot
        attributes = tuple(
            Attribute(name, value, again=self._belongs(value, own))
            for name, value in self.attributes.items()
        )
        asked = self.child is None or self.child.required
        value = self.value
        filler = self._demand(value)
        group = self._demand(self.repeat.value if self.repeat else None)
        where: dict[str, Any] = {
            "repeat": self.repeat,
            "again": self._again(around),
            "twin": None if self.twin is None else twin(self, self.twin),
            "demand": (filler or group) if asked else None,
        }
        if not self.type.children:
            plain = not attributes and self.repeat is None and self.twin is None
            if plain and value is not None and value.term is not None:
                del where["repeat"], where["twin"]
                return Text(self.name, depth, value, **where)
            return Leaf(self.name, depth, value, attributes, filler=filler, **where)
        children = [draft.finished(depth + 1, own) for draft in self._in_order()]
        children += [Unplaced(value) for value in self.unplaced]
        alone = not any(value.term is not None for value in self.values())
        required = (asked and self.repeat is None) or alone or self.made
        where["guard"] = None if required else self._guard()
        return Branch(self.name, depth, tuple(children), attributes, required=required, **where)

    def _guard(self) -> Getter | None:
        """What finds the nearest thing that all terms of this element are in."""
        drafts = list(self._all())
        lists = [draft.repeat for draft in drafts if draft.repeat is not None]
        values = [value for draft in drafts for value in [*draft._own(), *draft.unplaced]]
        values += [one.value for one in lists]
        inner = {one.slot for one in lists}
        slots = {value.slot for value in values if value.term is not None} - inner
        if len(slots) != 1:
            return None
        (slot,) = slots
        names = [value.names for value in values if value.slot == slot and value.term is not None]
        common = itertools.takewhile(lambda level: len(set(level)) == 1, zip(*names, strict=False))
        return getter(slot, tuple(level[0] for level in common))

    def _demand(self, value: Value | None) -> Demand | None:
        if value is None or value.term is None or not self.demanded:
            return None
        return self.shop.demand(value)

    def may_equal(self, other: Draft) -> bool:
        """Whether both are told apart only by which term they are compared with."""
        return (
            self.tag == other.tag
            and self.conditions != other.conditions
            and self.terms().keys() == other.terms().keys() != set()
            and len(self.terms()) == len(self.conditions) == len(other.conditions)
        )

    def terms(self) -> dict[Condition, str]:
        """The terms that its conditions compare with."""
        return {
            msgspec.structs.replace(condition, term=None): condition.term
            for condition in self.conditions
            if condition.term is not None and condition.operator == "="
        }

    def names(self) -> Iterator[str]:
        """The tags of this element and all below."""
        for draft in self._all():
            yield draft.tag

    def _in_order(self) -> list[Draft]:
        return sorted(self.children, key=lambda draft: draft.child.position if draft.child else 0)

    def _all(self) -> Iterator[Draft]:
        yield self
        for draft in self.children:
            yield from draft._all()

    def _own(self) -> Iterator[Value]:
        if self.value is not None:
            yield self.value
        yield from self.attributes.values()

    def values(self) -> Iterator[Value]:
        """What is written in it and below."""
        for draft in self._all():
            yield from draft._own()

    def _again(self, around: int) -> bool:
        """Whether it is written in every element of the list around it, not only in the first."""
        values = [value for value in self.values() if value.term is not None]
        return not values or any(self._belongs(value, around) for value in values)

    def _belongs(self, value: Value, around: int) -> bool:
        return value.term is None or value.copied or self.shop.inside(value.slot, around)

    def _text_for(self, condition: Condition) -> Value | None:
        """What makes a condition true; None when it is so by itself."""
        if condition.negated:
            opposite = _OPPOSITE.get(condition.text or "")
            return constant(opposite) if condition.operator == "=" and opposite else None
        if condition.operator == "exists":
            return None
        if condition.operator == "!=":
            return self._otherwise(condition)
        if condition.term is not None:
            return Value(getter(0, (self.shop.properties[condition.term],)))
        return constant(condition.text or "")

    def _otherwise(self, condition: Condition) -> Value | None:
        """What to write where a text must only differ; else a term has to give it."""
        ending = (*condition.steps, *filter(None, [condition.attribute]))
        for path, text in self.shop.otherwise.items():
            if ending[-len(path) :] == path:
                return constant(text)
        self.left_to_terms.append(condition)
        return None

    def _check_what_is_left_to_terms(self) -> None:
        """Where a text must differ and a term gives it, tell when it does not."""
        for condition in self.left_to_terms:
            held: Draft | None = self
            for tag in condition.steps:
                held = next((d for d in held.children if d.tag == tag), None) if held else None
            if held is None or held.value is None or condition.attribute is not None:
                names = "/".join(self.shop.name(tag) for tag in condition.steps)
                raise WritingFault(
                    f"nothing says what to write in {names} of {self.name}; add it to `otherwise`"
                )
            compared = None
            if condition.term is not None:
                compared = getter(0, (self.shop.properties[condition.term],))
            held.value.make = told_if_equal(held.value, condition.values, compared)
