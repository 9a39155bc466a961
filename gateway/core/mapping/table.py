"""Reading a mapping table: mappings/<name>.toml, strictly.

A mistake in the table is a mistake of ours or of a domain person who edited it, so it must not
wait for the first invoice: every fault is collected, and each names its entry and how to mend it.
What is checked here: keys and their types, ids, groups that exist, paths that parse, and that the
table and the model (`gateway.model.invoice`) describe the same invoice.
"""

from __future__ import annotations

import tomllib
import typing
from collections.abc import Iterator
from pathlib import Path as File
from typing import Any

import msgspec

from gateway.core.mapping.derived import derived_faults
from gateway.core.mapping.entries import (
    AMOUNTS,
    DECIMALS,
    FORMS,
    Derived,
    DocumentForm,
    Group,
    Implied,
    NoPlace,
    Table,
    Term,
    TermType,
    WritingRules,
)
from gateway.core.mapping.fields import ModelField, model_fields
from gateway.core.mapping.paths import PathError
from gateway.core.mapping.writer_rules import writing_faults
from gateway.errors import ConfigurationError
from gateway.model.interchange import Syntax
from gateway.model.invoice import Invoice
from gateway.model.invoice_types import BusinessGroup, Identifier

__all__ = [
    "AMOUNTS",
    "DECIMALS",
    "FORMS",
    "DocumentForm",
    "Group",
    "Implied",
    "ModelField",
    "NoPlace",
    "Table",
    "Term",
    "TermType",
    "WritingRules",
    "model_fields",
    "read_table",
]


def read_table(file: File) -> Table:
    """The table in `file`. Raises ConfigurationError with every fault found."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(
            f"{file}: {error}.", remedy="Put the mapping table there, or mend it."
        ) from error
    faults: list[str] = []
    for unknown in content.keys() - set(Table.__struct_fields__):
        faults.append(f"{unknown}: no such part of a table; the head of the file lists them.")
    table = Table(
        documents=_converted(content, "documents", DocumentForm, faults),
        prefixes=_converted(content, "prefixes", str, faults),
        writing=_writing(content, faults),
        groups=_converted(content, "groups", Group, faults),
        terms=_converted(content, "terms", Term, faults),
        derived=_converted({"derived": {}, **content}, "derived", Derived, faults),
        implied=_converted({"implied": {}, **content}, "implied", Implied, faults),
        no_place=_converted({"no_place": {}, **content}, "no_place", NoPlace, faults),
    )
    if not faults:
        faults.extend(_own_faults(table))
        faults.extend(writing_faults(table))
        faults.extend(derived_faults(table))
        faults.extend(_model_faults(table, None, Invoice, set()))
    if faults:
        raise ConfigurationError("\n".join(f"{file}: {fault}" for fault in faults))
    return table


T = typing.TypeVar("T")


def _converted(
    content: dict[str, Any], part: str, kind: type[T], faults: list[str]
) -> dict[str, T]:
    """One part of the table, entry by entry, so that each fault names its own."""
    entries = content.get(part)
    if not isinstance(entries, dict):
        faults.append(f"[{part}] is missing; the head of the file says what it holds.")
        return {}
    converted: dict[str, T] = {}
    for key, entry in entries.items():
        try:
            converted[key] = msgspec.convert(entry, kind)
        except msgspec.ValidationError as error:
            told = str(error).replace("`$.", f"`{part}.{key}.")
            faults.append(f"{part}.{key}: {told}; the head of the file lists keys and values.")
    return converted


def _writing(content: dict[str, Any], faults: list[str]) -> dict[Syntax, WritingRules]:
    rules = _converted({"writing": {}, **content}, "writing", WritingRules, faults)
    for key in rules.keys() - set(Syntax):
        faults.append(f"writing.{key}: only ubl and cii are known.")
    return {syntax: rules[syntax] for syntax in Syntax if syntax in rules}


def _own_faults(table: Table) -> Iterator[str]:
    if unknown := set(table.documents) - set(FORMS):
        yield f"documents.{min(unknown)}: only ubl, ubl_credit_note and cii are known."
    for name, implied in table.implied.items():
        yield from _ends_faults(table, f"implied.{name}.paths", implied.paths)
    for name, known in table.no_place.items():
        yield from _ends_faults(table, f"no_place.{name}.paths", known.paths)
    entries: dict[str, Group | Term] = {**table.groups, **table.terms}
    for key, entry in entries.items():
        where = f"{'groups' if isinstance(entry, Group) else 'terms'}.{key}"
        if entry.group is not None and entry.group not in table.groups:
            yield f"{where}.group: there is no [groups.{entry.group}]; add it or mend the id."
        for name in FORMS:
            if entry.without and not entry.texts(name):
                continue
            yield from _path_faults(table, f"{where}.{name}", entry.texts(name), False)
        if entry.without and all(entry.texts(name) for name in FORMS):
            yield f"{where}.without: it has a path in every syntax; leave that key out."
        if isinstance(entry, Group):
            for one in entry.nothing:
                if one not in table.terms or table.terms[one].group != key:
                    yield f"{where}.nothing: {one} is no term of the group."
            if any(text == "." for text in entry.texts("ubl") + entry.texts("cii")) and (
                entry.repeats
            ):
                yield f"{where}: a group that repeats needs elements of its own; “.” names none."
            continue
        for name in ("ubl_scheme", "ubl_scheme_version", "cii_scheme", "cii_scheme_version"):
            if text := getattr(entry, name):
                yield from _path_faults(table, f"{where}.{name}", [text], True)
                if entry.type is not TermType.IDENTIFIER:
                    yield f"{where}.{name}: only an identifier has a scheme."
        if (entry.currency is not None) is not (entry.type in AMOUNTS):
            yield f"{where}.currency: give it for amounts and prices, and only for them."
        elif entry.currency is not None:
            yield from _compared_faults(table, f"{where}.currency", entry.currency)
        if entry.unlike is not None:
            yield from _compared_faults(table, f"{where}.unlike", entry.unlike)
            if entry.group is not None:
                yield f"{where}.unlike: it must be a term of the invoice itself."


def _path_faults(table: Table, where: str, texts: list[str], beside: bool) -> Iterator[str]:
    if not texts:
        yield f"{where}: the list is empty; give at least one path, or say why in `without`."
    for text in texts:
        try:
            path = table.path(text)
        except PathError as error:
            yield f"{where} = “{text}”: {error}."
            continue
        conditions = [one for step in path.steps for one in step.conditions]
        if path.up and not beside:
            yield f"{where} = “{text}”: .. is only for schemes; start from the group's element."
        if conditions and beside:
            yield f"{where} = “{text}”: a scheme is read without conditions."
        for condition in conditions:
            if condition.term is not None:
                yield from _compared_faults(table, f"{where} = “{text}”", condition.term)


def _ends_faults(table: Table, where: str, texts: list[str]) -> Iterator[str]:
    yield from _path_faults(table, where, texts, True)
    for text in texts:
        if text.startswith(".") or text.endswith("."):
            yield f"{where} = “{text}”: name an element or an attribute, and what stands above it."


def _compared_faults(table: Table, where: str, key: str) -> Iterator[str]:
    """A term that others are compared with is read before them: it must be easy to find."""
    term = table.terms.get(key)
    if term is None:
        yield f"{where}: there is no [terms.{key}] to compare with."
    elif term.group is not None or any("[" in text for form in FORMS for text in term.texts(form)):
        yield f"{where}: {key} must be a term of the invoice itself, its path without conditions."


def _model_faults(
    table: Table, group: str | None, struct: type[BusinessGroup], seen: set[str]
) -> Iterator[str]:
    """Where table and model differ, group by group."""
    entries: dict[str, Group | Term] = {**table.groups, **table.terms}
    for field in model_fields(struct):
        seen.add(field.term)
        entry = entries.get(field.term)
        at = f"{struct.__name__}.{field.name}"
        if entry is None:
            yield f"{field.term}: the model has it ({at}), the table has not; add the entry."
            continue
        if entry.property_name != field.name or entry.group != group:
            yield (
                f"{field.term}: the model has it as {at} (group {group or 'none'}), the table as "
                f"{entry.property_name} (group {entry.group or 'none'}); make them the same."
            )
        if entry.repeats is not field.repeats:
            yield f"{field.term}: {at} and the cardinality disagree on whether it repeats."
        if isinstance(entry, Group):
            if field.struct is None:
                yield f"{field.term}: {at} holds no group."
            else:
                yield from _model_faults(table, field.term, field.struct, seen)
            continue
        schemed = bool(entry.ubl_scheme or entry.cii_scheme)
        if field.struct is not (Identifier if schemed else None):
            yield f"{field.term}: {at} holds a scheme exactly if the table names one; it must."
        if field.decimal is not (entry.type in DECIMALS):
            yield f"{field.term}: {at} does not hold what type “{entry.type}” gives."
    if group is None:
        for key in entries.keys() - seen:
            yield f"{key}: gateway/model/invoice has no field for it; add one or remove the entry."
