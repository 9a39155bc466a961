"""Deviations from a schema: of which kind each is, and which of them have one cause.

A validator says "this element is not expected" for five different mistakes, and says it again for
each thing that follows from the first. What the sender has to do differs: add what is missing,
change the order, correct a name or its namespace, take out what is there twice.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable
from typing import NamedTuple

from lxml import etree

from gateway.core.places import steps_to


class Deviation:
    """One deviation: where, of which kind, in which words. Names are in Clark notation.

    `variant` is the wording in schemas/findings.toml. For a `child` that its parent does not
    expect, `settle` works it out: `expected` are the names that may stand there, `model` all those
    the parent may hold, in order (None when not known). `allowed`: the codes a value may have.
    `attribute`: the one it is about, or "".
    """

    __slots__ = (
        "allowed",
        "attribute",
        "child",
        "expected",
        "model",
        "reason",
        "subject",
        "variant",
    )

    def __init__(
        self,
        subject: etree._Element | None,
        reason: str,
        *,
        variant: str | None = None,
        child: bool = False,
        expected: tuple[str, ...] = (),
        model: tuple[str, ...] | None = None,
        allowed: tuple[str, ...] = (),
        attribute: str = "",
    ) -> None:
        self.subject = subject
        self.reason = reason
        self.variant = variant
        self.child = child
        self.expected = tuple(dict.fromkeys(expected))
        self.model = model
        self.allowed = allowed
        self.attribute = attribute

    def lacks_something(self, elements: Collection[etree._Element]) -> bool:
        """Whether it is that one of these elements ends too early, and nothing else."""
        ends = self.variant == "missing" or "not complete" in self.reason
        return ends and not self.child and self.subject in elements

    def settle(self) -> None:
        """Find out what is wrong about a child at its place. Looks at all that follow it."""
        if self.child and self.subject is not None:
            self.variant = self._misplacement(self.subject)

    def _misplacement(self, subject: etree._Element) -> str:
        tag, model = str(subject.tag), self.model
        candidates = (*self.expected, *(model or ()))
        if tag not in candidates:
            twin = [name for name in candidates if _local(name) == _local(tag)]
            if twin:
                self.expected = tuple(dict.fromkeys(twin))
                return "namespace"
            if model is not None:
                return "unknown"
        before = subject.getprevious()
        if before is not None and before.tag == tag and tag not in self.expected:
            return "repeated"
        misplaced = tuple(
            name for name in self.expected if next(subject.itersiblings(name), None) is not None
        )
        if misplaced:
            self.expected = misplaced
            return "order"
        if model is None:
            return "unexpected" if self.expected else "superfluous"
        if not self.expected or model.index(tag) < min(map(model.index, self.expected)):
            return "late"
        return "absent"

    def cause(self) -> Hashable:
        """The same for deviations that one mistake in the sending software explains."""
        subject = self.subject
        if subject is None or self.variant is None:
            return id(self)
        if self.variant == "namespace":
            return self.variant, etree.QName(subject).namespace
        if self.variant.startswith("attribute"):
            return self.variant, self.attribute
        if self.child or self.variant == "missing":
            parent = subject.getparent() if self.child else subject
            return self.variant, subject.tag, None if parent is None else parent.tag, self.expected
        return self.variant, subject.tag


class Cause(NamedTuple):
    """The first deviation of a cause in the document, and the elements of the others."""

    first: Deviation
    others: list[etree._Element]


def causes(deviations: Iterable[Deviation]) -> list[Cause]:
    """What is wrong, in the order of the document, each cause once.

    Of the children of one element only the first that is out of place counts: from there on
    nothing stands where it is expected.
    """
    ordered = sorted(deviations, key=_position)
    found: dict[Hashable, Cause] = {}
    parents = set()
    for deviation in ordered:
        subject = deviation.subject
        if deviation.child and subject is not None:
            parent = subject.getparent()
            if parent in parents:
                continue
            parents.add(parent)
        deviation.settle()
        known = found.setdefault(deviation.cause(), Cause(deviation, []))
        if known.first is not deviation and subject is not None:
            known.others.append(subject)
    return list(found.values())


def _position(deviation: Deviation) -> tuple[int, ...]:
    return () if deviation.subject is None else steps_to(deviation.subject)


def _local(name: str) -> str:
    return name.rpartition("}")[2]
