"""The tree that reads a document, compiled from the table: what is read at which step of a path.

Each `Branch` stands for a step of one or more paths. Values are collected in a frame (term id →
value); every group with elements of its own opens a frame for each of them, and its `Builder`
makes the struct from it. `walk` goes along the document with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from lxml import etree

from gateway.core.mapping.attached import with_file
from gateway.core.mapping.conversions import Conversion, Reading, same
from gateway.core.mapping.derived import Completion, Frame, completed
from gateway.core.mapping.paths import WHITE_SPACE, Condition, text_of
from gateway.model.invoice_types import BusinessGroup, Identifier

__all__ = ["Branch", "Builder", "Frame", "GroupReader", "Leaf"]


class Leaf:
    """Reads one term at an element: its text, or an attribute.

    `rank` is the position of the path among the term's paths: the order of a list, and which
    value stands when two paths differ on a term that does not repeat. `by_scheme`: the order is
    not that of the paths, but those without a scheme come first.
    """

    __slots__ = ("attribute", "by_scheme", "convert", "rank", "repeats", "term")

    def __init__(
        self,
        term: str,
        *,
        attribute: str | None,
        convert: Conversion | None,
        repeats: bool,
        rank: int,
        by_scheme: bool = False,
    ) -> None:
        self.term = term
        self.attribute = attribute
        self.by_scheme = by_scheme
        self.convert = convert
        self.repeats = repeats
        self.rank = rank

    def read(self, element: etree._Element, frame: Frame, reading: Reading) -> None:
        """Put the value, if there is one, into the frame."""
        if self.attribute is not None:
            text = element.get(self.attribute)
        elif len(element):
            text = text_of(element)
        else:
            text = element.text
        if text is None or not (text := str(text).strip(WHITE_SPACE)):
            return
        value = text if self.convert is None else self.convert(text, element, reading)
        if value is None:
            return
        term = self.term
        if self.repeats:
            rank = self.rank
            if self.by_scheme and isinstance(value, Identifier):
                rank = int(value.scheme is not None)
            frame.setdefault(term, []).append((rank, value))
        elif term not in frame:
            frame[term] = value
            if self.rank:
                frame[_rank_of(term)] = self.rank
        else:
            kept = frame[term]
            if self.rank == frame.get(_rank_of(term), 0) and reading.twice(element):
                reading.report("MAP-TWICE", element, term, value=_shown(value))
            elif self.rank < frame.get(_rank_of(term), 0):
                frame[term], frame[_rank_of(term)] = value, self.rank
                kept, value = value, kept
            if not same(kept, value):
                reading.report(
                    "MAP-REPEATED", element, term, value=_shown(value), kept=_shown(kept)
                )


class Builder:
    """Makes a group's struct from its frame; None when nothing was found."""

    __slots__ = ("completions", "fields", "nested", "nothing", "struct")

    def __init__(self, struct: type[BusinessGroup]) -> None:
        self.struct = struct
        self.fields: dict[str, tuple[str, bool]] = {}
        """Term → property, and whether it repeats."""
        self.nested: list[tuple[str, Builder]] = []
        """Groups without elements of their own, read into the same frame."""
        self.completions: list[Completion] = []
        self.nothing: dict[str, str] = {}
        """Properties with values that make no group by themselves."""

    def values(self, frame: Frame, reading: Reading) -> dict[str, Any]:
        """The constructor's arguments."""
        found: dict[str, Any] = {}
        for term, value in frame.items():  # a line has few of all the terms there are
            name, repeats = self.fields.get(term, _NO_FIELD)
            if name is None:
                continue
            if repeats:
                value.sort(key=_rank)
                found[name] = tuple([one for _, one in value])
            else:
                found[name] = value
        for name, builder in self.nested:
            group = builder.build(frame, reading)
            if group is not None:
                found[name] = group
        return found

    def build(self, frame: Frame, reading: Reading) -> BusinessGroup | None:
        """The struct, with what follows from the rest of it."""
        derived: tuple[str, ...] = ()
        if self.completions:
            derived = completed(self.completions, frame, reading.findings)
        found = self.values(frame, reading)
        if not found or found == self.nothing:
            return None
        group = self.struct(**found)
        for term in derived:
            reading.derived.append((group, self.fields[term][0]))
        return group


class GroupReader:
    """Reads one group at each element of its own. `file`: the element's text is a file."""

    __slots__ = ("builder", "file", "rank", "repeats", "root", "term")

    def __init__(
        self,
        term: str,
        root: Branch,
        builder: Builder,
        *,
        repeats: bool,
        rank: int,
        file: bool = False,
    ) -> None:
        self.term = term
        self.root = root
        self.builder = builder
        self.repeats = repeats
        self.rank = rank
        self.file = file

    def close(self, own: Frame, frame: Frame, element: etree._Element, reading: Reading) -> None:
        """Put the group, if anything is in its `own` frame, into that of the group around it."""
        group = self.builder.build(own, reading)
        if self.file:
            if group is None:  # neither name nor kind: nothing would tell of it
                reading.unmapped.text(element)
            else:
                group = with_file(group, element, reading)
        if group is None:
            return
        if self.repeats:
            frame.setdefault(self.term, []).append((self.rank, group))
        elif self.term not in frame:
            frame[self.term] = group
            if self.rank:
                frame[_rank_of(self.term)] = self.rank
        elif self.rank == frame.get(_rank_of(self.term), 0) and reading.twice(element):
            reading.report("MAP-TWICE", element, self.term, value=_shown(group))
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
    """One step of the paths: its conditions, what is read here, and where they go on.

    `takes_text`, `attributes`: what of the element is accounted for, be it read as a value or
    looked at for a condition, a scheme or a currency.
    """

    __slots__ = (
        "attributes",
        "children",
        "conditions",
        "groups",
        "leaves",
        "takes_text",
        "tests",
    )

    def __init__(self, conditions: tuple[Condition, ...]) -> None:
        self.conditions = conditions
        self.tests: tuple[Callable[[etree._Element, Mapping[str, str]], bool], ...] = tuple(
            condition.test() for condition in conditions
        )
        self.leaves: list[Leaf] = []
        self.groups: list[GroupReader] = []
        self.children: dict[str, list[Branch]] = {}
        self.takes_text = False
        self.attributes: set[str] = set()

    def admits(self, element: etree._Element, terms: Mapping[str, str]) -> bool:
        """Whether the element satisfies the conditions, given the values of terms."""
        for test in self.tests:  # noqa: SIM110 (twice as fast as all())
            if not test(element, terms):
                return False
        return True

    def takes(self, attribute: str | None) -> None:
        """Account for an attribute, or for the text."""
        if attribute is None:
            self.takes_text = True
        else:
            self.attributes.add(attribute)

    def child(self, tag: str, conditions: tuple[Condition, ...]) -> Branch:
        """The branch for a child step, made when it is not there yet."""
        branches = self.children.setdefault(tag, [])
        for branch in branches:
            if branch.conditions == conditions:
                return branch
        branches.append(Branch(conditions))
        return branches[-1]


_NO_FIELD: Final = (None, False)


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
