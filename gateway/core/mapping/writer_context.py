"""What is at hand while an invoice is written, and what the parts of a writer pass each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gateway.core.explain import own_finding
from gateway.core.mapping.conversions import MAX_FINDINGS
from gateway.core.mapping.writer_contents import Contents
from gateway.core.terms import labelled
from gateway.model.invoice import Invoice
from gateway.model.verdict import Finding, Language

Step = tuple[str, int | None]
"""A property, and for one that repeats the slot that says which of them."""


class Writing:
    """One invoice being written: what is at hand, and what could not be written.

    `bound` holds the invoice in slot 0 and, in the others, the group or value that is being
    written of each list; `index` says which of the list it is. `contents` are those of the
    attached documents.
    """

    __slots__ = ("_told", "bound", "contents", "findings", "index", "syntax")

    def __init__(
        self, invoice: Invoice, slots: int, syntax: str, contents: Contents | None = None
    ) -> None:
        self.bound: list[Any] = [invoice, *[None] * (slots - 1)]
        self.index = [0] * slots
        self.syntax = syntax
        self.contents = {group: iter(held) for group, held in (contents or {}).items()}
        self.findings: list[Finding] = []
        self._told: set[tuple[str, str, str]] = set()

    def report(self, rule: str, term: str, steps: tuple[Step, ...], value: str = "") -> None:
        """Note a finding about a term, at its place in the canonical invoice; each only once."""
        location = "".join(
            f".{name}" if slot is None else f".{name}[{self.index[slot]}]" for name, slot in steps
        ).removeprefix(".")
        key = (rule, term, location)
        if key in self._told or len(self.findings) > MAX_FINDINGS:
            return
        self._told.add(key)
        if len(self.findings) == MAX_FINDINGS:
            self.findings.append(own_finding("MAP-MORE-UNWRITTEN", shown=MAX_FINDINGS))
            return
        self.findings.append(
            own_finding(
                rule,
                location=location,
                terms=(term,),
                term=term,
                syntax=self.syntax,
                name_en=labelled(term, Language.EN),
                name_fr=labelled(term, Language.FR),
                value=value,
            )
        )


Getter = Callable[[Writing], Any]
"""What finds a value; None, or an empty list, where there is none."""

Maker = Callable[[Writing], str | None]
"""The text to write, if there is any. What cannot be written, it reports."""


class Value:
    """Text that comes from a term, or (`term` None) is always the same.

    `slot`: which list the term stands in; `names`: the properties that lead to it from there.
    `copied`: it is repeated in every element of a list that it is not in itself.
    """

    __slots__ = ("copied", "make", "names", "slot", "steps", "term")

    def __init__(
        self,
        make: Maker,
        term: str | None = None,
        steps: tuple[Step, ...] = (),
        slot: int = 0,
        *,
        copied: bool = False,
    ) -> None:
        self.make = make
        after = max((at for at, (_, one) in enumerate(steps, 1) if one is not None), default=0)
        self.names = tuple(name for name, _ in steps[after:])
        self.term = term
        self.steps = steps
        self.slot = slot
        self.copied = copied


class Demand:
    """A term or group that the schema demands where it is, and what stands in for it.

    `told`: not where what stands in is a word for nothing, which nobody takes for a value.
    """

    __slots__ = ("stand_in", "told", "value")

    def __init__(self, value: Value, stand_in: Maker | None = None, *, told: bool = True) -> None:
        self.value = value
        self.stand_in = stand_in
        self.told = told

    def meet(self, writing: Writing) -> str:
        """What is written for what the invoice lacks."""
        term, steps = self.value.term or "", self.value.steps
        text = None if self.stand_in is None else self.stand_in(writing)
        if text is None:
            writing.report("MAP-DEMANDED", term, steps)
            return ""
        if self.told:
            writing.report("MAP-ADDED", term, steps, value=text)
        return text


class Repeat:
    """A list whose every member makes an element: where it is, and the slot of the member.

    `value` stands for the list where it is demanded.
    """

    __slots__ = ("items", "slot", "value")

    def __init__(
        self,
        slot: int,
        items: Callable[[Writing], Sequence[Any]],
        value: Value,
    ) -> None:
        self.slot = slot
        self.items = items
        self.value = value
