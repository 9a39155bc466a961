"""The reader: a tree compiled from the table, walked once along the document.

Each `Branch` stands for a step of one or more paths; its `children` are looked up by tag, so an
element that no term asks for costs one dictionary look-up, and 10,000 lines cost ten times as
much as 1,000. Values are collected in a frame (term id → value); every group with elements of
its own opens a frame for each of them, and its `Builder` makes the struct from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lxml import etree

from gateway.core.mapping.conversions import Conversion, Reading, same
from gateway.core.mapping.paths import WHITE_SPACE, Condition, text_of
from gateway.model.invoice_types import BusinessGroup

Frame = dict[str, Any]


class Leaf:
    """Reads one term at an element: its text, or an attribute.

    `rank` is the position of the path among the term's paths: the order of a list, and which
    value stands when two paths differ on a term that does not repeat.
    """

    __slots__ = ("attribute", "convert", "rank", "repeats", "term")

    def __init__(
        self,
        term: str,
        *,
        attribute: str | None,
        convert: Conversion | None,
        repeats: bool,
        rank: int,
    ) -> None:
        self.term = term
        self.attribute = attribute
        self.convert = convert
        self.repeats = repeats
        self.rank = rank

    def read(self, element: etree._Element, frame: Frame, reading: Reading) -> None:
        """Put the value, if there is one, into the frame."""
        if self.attribute is None:
            text = text_of(element)
        else:
            text = str(element.get(self.attribute, "")).strip(WHITE_SPACE)
        if not text:
            return
        value = text if self.convert is None else self.convert(text, element, reading)
        if value is None:
            return
        term = self.term
        if self.repeats:
            frame.setdefault(term, []).append((self.rank, value))
        elif term not in frame:
            frame[term] = value
            if self.rank:
                frame[_rank_of(term)] = self.rank
        else:
            kept = frame[term]
            if self.rank < frame.get(_rank_of(term), 0):
                frame[term], frame[_rank_of(term)] = value, self.rank
                kept, value = value, kept
            if not same(kept, value):
                reading.report(
                    "MAP-REPEATED", element, term, value=_shown(value), kept=_shown(kept)
                )


class Builder:
    """Makes a group's struct from its frame; None when nothing was found."""

    __slots__ = ("fields", "nested", "struct")

    def __init__(self, struct: type[BusinessGroup]) -> None:
        self.struct = struct
        self.fields: list[tuple[str, str, bool]] = []
        """Property, term, whether it repeats."""
        self.nested: list[tuple[str, Builder]] = []
        """Groups without elements of their own, read into the same frame."""

    def values(self, frame: Frame) -> dict[str, Any]:
        """The constructor's arguments."""
        found: dict[str, Any] = {}
        for name, term, repeats in self.fields:
            value = frame.get(term)
            if value is None:
                continue
            if repeats:
                value.sort(key=_rank)
                value = tuple([one for _, one in value])
            found[name] = value
        for name, builder in self.nested:
            group = builder.build(frame)
            if group is not None:
                found[name] = group
        return found

    def build(self, frame: Frame) -> BusinessGroup | None:
        """The struct."""
        found = self.values(frame)
        return self.struct(**found) if found else None


class GroupReader:
    """Reads one group at each element of its own."""

    __slots__ = ("builder", "rank", "repeats", "root", "term")

    def __init__(
        self, term: str, root: Branch, builder: Builder, *, repeats: bool, rank: int
    ) -> None:
        self.term = term
        self.root = root
        self.builder = builder
        self.repeats = repeats
        self.rank = rank

    def read(self, element: etree._Element, frame: Frame, reading: Reading) -> None:
        """Put the group, if it holds anything, into the frame of the group around it."""
        own: Frame = {}
        walk(element, self.root, own, reading)
        group = self.builder.build(own)
        if group is None:
            return
        if self.repeats:
            frame.setdefault(self.term, []).append((self.rank, group))
        elif self.term not in frame:
            frame[self.term] = group
        elif frame[self.term] != group:
            # The first stands: mixing two elements would make an address nobody wrote.
            reading.report(
                "MAP-REPEATED",
                element,
                self.term,
                value=_shown(group),
                kept=_shown(frame[self.term]),
            )


class Branch:
    """One step of the paths: its conditions, what is read here, and where they go on."""

    __slots__ = ("children", "conditions", "groups", "leaves", "tests")

    def __init__(self, conditions: tuple[Condition, ...]) -> None:
        self.conditions = conditions
        self.tests: tuple[Callable[[etree._Element, Mapping[str, str]], bool], ...] = tuple(
            condition.test() for condition in conditions
        )
        self.leaves: list[Leaf] = []
        self.groups: list[GroupReader] = []
        self.children: dict[str, list[Branch]] = {}

    def child(self, tag: str, conditions: tuple[Condition, ...]) -> Branch:
        """The branch for a child step, made when it is not there yet."""
        branches = self.children.setdefault(tag, [])
        for branch in branches:
            if branch.conditions == conditions:
                return branch
        branches.append(Branch(conditions))
        return branches[-1]


def walk(element: etree._Element, branch: Branch, frame: Frame, reading: Reading) -> None:
    """Read what `branch` asks for at `element` and below. As deep as the table's paths."""
    for leaf in branch.leaves:
        leaf.read(element, frame, reading)
    for group in branch.groups:
        group.read(element, frame, reading)
    children = branch.children
    if not children:
        return
    for child in element:
        branches = children.get(child.tag)
        if branches is None:
            continue
        for below in branches:
            for test in below.tests:
                if not test(child, reading.terms):
                    break
            else:
                walk(child, below, frame, reading)


def _rank_of(term: str) -> str:
    """The frame's key for the rank of a value that came by another path than the first."""
    return f"{term} rank"


def _rank(value: tuple[int, Any]) -> int:
    return value[0]


def _shown(value: Any) -> str:
    """A value in a sentence for people."""
    if isinstance(value, BusinessGroup):
        parts = (getattr(value, name) for name in value.__struct_fields__)
        return ", ".join(_shown(part) for part in parts if part)
    if isinstance(value, tuple):
        return ", ".join(_shown(part) for part in value)
    return str(value)
