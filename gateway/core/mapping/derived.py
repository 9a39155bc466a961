"""Terms whose value follows from others, so that every syntax gives the same invoice.

UBL cannot write a gross price without a discount, nor a VAT breakdown without its total; CII no
discount without a gross price. What one syntax has to state and another leaves to be understood is
therefore in the canonical invoice always. The table ([derived]) says how it follows, and
`source.derived` which values the document itself does not state.
"""

from __future__ import annotations

import decimal
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from gateway.core.mapping.entries import Table
from gateway.core.mapping.unmapped import MAX_PATHS
from gateway.model.invoice import Invoice
from gateway.model.invoice_types import BusinessGroup
from gateway.model.verdict import Finding

Frame = dict[str, Any]
"""What was read of a group: term, or group within, by its id."""

_DIGITS: Final = 1_000
"""More than any amount has; what does not fit is not derived."""


class Completion:
    """Adds one term to what was read of its group."""

    __slots__ = ("_addends", "_beside", "_constant", "term")

    def __init__(
        self, term: str, beside: str, constant: str, addends: tuple[tuple[str, str], ...]
    ) -> None:
        self.term = term
        self._beside = beside
        self._constant = constant
        self._addends = addends

    def complete(self, frame: Frame, findings: Sequence[Finding]) -> bool:
        """Add the term if it is not there and follows; whether it was added."""
        if self.term in frame or self._beside not in frame:
            return False
        if any(self.term in finding.terms for finding in findings):
            return False  # it was there and could not be read
        value = self._sum(frame) if self._addends else self._constant
        if value is None:
            return False
        frame[self.term] = value
        return True

    def _sum(self, frame: Frame) -> str | None:
        """The sum of the addends: terms of the frame, or of the groups in it; None without one."""
        found: list[str | None] = []
        for held, name in self._addends:
            value: Any = frame.get(held)
            if not name:
                found.append(value)
            elif isinstance(value, list):
                found += [getattr(group, name) for _, group in value]
            else:
                found.append(getattr(value, name, None))
        known = [text for text in found if text is not None]
        return exact_sum(known) if len(known) == len(found) else None


def completed(
    completions: Iterable[Completion], frame: Frame, findings: Sequence[Finding]
) -> tuple[str, ...]:
    """Add what follows to what was read of a group; the terms that were added."""
    return tuple(one.term for one in completions if one.complete(frame, findings))


def exact_sum(texts: Iterable[str]) -> str | None:
    """The sum of decimals, as a decimal; None where it would have to be rounded."""
    context = decimal.Context(prec=_DIGITS, traps=[decimal.Inexact])
    try:
        summed = decimal.Decimal(0)
        for text in texts:
            summed = context.add(summed, decimal.Decimal(text))
    except decimal.Inexact:
        return None
    return format(summed, "f")


def addends(table: Table, value: str) -> tuple[str, ...]:
    """The terms that a value is the sum of; none where it is a text."""
    keys = tuple(value.split(" + "))
    return keys if set(keys) <= table.terms.keys() else ()


def completions(table: Table, fields: Mapping[str, Any]) -> list[Completion]:
    """Those of a group with these terms."""
    found = []
    for key, derived in table.derived.items():
        if key not in fields:
            continue
        sources = tuple(
            (one, "") if one in fields else (_group(table, one), table.terms[one].property_name)
            for one in addends(table, derived.value)
        )
        found.append(Completion(key, derived.beside, derived.value, sources))
    return found


def with_derived_paths(invoice: Invoice, derived: list[tuple[BusinessGroup, str]]) -> Invoice:
    """The invoice, with its `source` saying which values follow from others."""
    wanted: dict[int, list[str]] = {}
    for group, name in derived:
        wanted.setdefault(id(group), []).append(name)
    paths = _paths(invoice, "", wanted)
    first = tuple(itertools.islice(paths, MAX_PATHS))
    total = len(first) + sum(1 for _ in paths)
    source = msgspec.structs.replace(invoice.source, derived=first, derived_total=total)
    return msgspec.structs.replace(invoice, source=source)


def derived_faults(table: Table) -> Iterator[str]:
    """Every term, group or addend of [derived] that is none, or is read elsewhere."""
    for key, derived in table.derived.items():
        where = f"derived.{key}"
        term = table.terms.get(key)
        if term is None or term.group is None or term.repeats:
            yield f"{where}: name a term of a group, and one that does not repeat."
            continue
        if derived.beside not in table.terms | table.groups:
            yield f"{where}.beside: there is no {derived.beside}; name a term or a group."
            continue
        for one in (derived.beside, *addends(table, derived.value)):
            around = _held_in(table, one, term.group)
            if _with_elements(table, around) != _with_elements(table, term.group):
                yield f"{where}: {one} is not read together with it, so nothing follows from it."


def _group(table: Table, key: str) -> str:
    return table.terms[key].group or ""


def _held_in(table: Table, key: str, own: str) -> str | None:
    """The group in which a group, a term of `own`, or the group around another term is."""
    group = key if key in table.groups else table.terms[key].group
    return own if group is None or group == own else table.groups[group].group


def _with_elements(table: Table, group: str | None) -> str | None:
    """The nearest group around, itself included, that has elements of its own."""
    while group is not None and table.groups[group].texts("ubl") == ["."]:
        group = table.groups[group].group
    return group


def _paths(group: BusinessGroup, at: str, wanted: Mapping[int, list[str]]) -> Iterator[str]:
    """The paths to the wanted properties in a group."""
    for name in wanted.get(id(group), ()):
        yield f"{at}{name}"
    for name in group.__struct_fields__:
        value = getattr(group, name)
        if isinstance(value, BusinessGroup):
            yield from _paths(value, f"{at}{name}.", wanted)
        elif isinstance(value, tuple):
            for position, one in enumerate(value):
                if isinstance(one, BusinessGroup):
                    yield from _paths(one, f"{at}{name}[{position}].", wanted)
