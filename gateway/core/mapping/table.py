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
from enum import StrEnum
from pathlib import Path as File
from typing import Any, Literal

import msgspec

from gateway.core.mapping.paths import Path, PathError, parse_path
from gateway.errors import ConfigurationError
from gateway.model.interchange import Syntax
from gateway.model.invoice import Invoice
from gateway.model.invoice_types import DECIMAL_PATTERN, BusinessGroup, Identifier

FORMS = ("ubl", "ubl_credit_note", "cii")
"""The kinds of document a table may have paths for."""
Cardinality = Literal["0..1", "1..1", "0..n", "1..n"]


class TermType(StrEnum):
    """The data types of EN 16931-1, section 6.5."""

    AMOUNT = "amount"
    UNIT_PRICE = "unit price amount"
    QUANTITY = "quantity"
    PERCENTAGE = "percentage"
    IDENTIFIER = "identifier"
    REFERENCE = "document reference"
    CODE = "code"
    DATE = "date"
    TEXT = "text"


DECIMALS = frozenset({TermType.AMOUNT, TermType.UNIT_PRICE, TermType.QUANTITY, TermType.PERCENTAGE})
AMOUNTS = frozenset({TermType.AMOUNT, TermType.UNIT_PRICE})


class DocumentForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One root element the table can read. `dates`: "iso" (xsd:date) or "102" (UNTDID 2379)."""

    syntax: Syntax
    root: str
    dates: Literal["iso", "102"]


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    property_name: str = msgspec.field(name="property")
    cardinality: Cardinality
    group: str | None = None
    extended_cardinality: Cardinality | None = None
    always: bool = False
    ubl: str | list[str]
    ubl_credit_note: str | list[str] | None = None
    cii: str | list[str]

    @property
    def repeats(self) -> bool:
        """Whether the canonical invoice holds a list of it."""
        return (self.extended_cardinality or self.cardinality).endswith("n")

    def texts(self, form: str) -> list[str]:
        """The paths as written for `ubl`, `ubl_credit_note` or `cii`."""
        text = self.ubl_credit_note if form == "ubl_credit_note" else None
        if text is None:
            text = self.cii if form == "cii" else self.ubl
        return [text] if isinstance(text, str) else text


class Group(_Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A business group; path "." means it has no element of its own."""


class Term(_Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A business term. Keys as explained at the head of the table."""

    type: TermType
    currency: str | None = None
    ubl_scheme: str | None = None
    ubl_scheme_version: str | None = None
    cii_scheme: str | None = None
    cii_scheme_version: str | None = None
    ubl_part: Literal["note-subject", "note-text"] | None = None
    cii_codes: dict[str, str] = {}

    def scheme(self, syntax: Syntax) -> str | None:
        """Where the scheme stands, as written."""
        return self.ubl_scheme if syntax is Syntax.UBL else self.cii_scheme

    def scheme_version(self, syntax: Syntax) -> str | None:
        """Where the version of the scheme stands, as written."""
        return self.ubl_scheme_version if syntax is Syntax.UBL else self.cii_scheme_version


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole file. `terms` and `groups` are keyed by BT and BG id."""

    documents: dict[str, DocumentForm]
    prefixes: dict[str, str]
    groups: dict[str, Group]
    terms: dict[str, Term]

    def path(self, text: str) -> Path:
        """`text` parsed with this table's prefixes. Raises PathError."""
        return parse_path(text, self.prefixes)


class ModelField(msgspec.Struct, frozen=True):
    """A field of the model: the struct it holds (None for plain text), and whether it is a list."""

    name: str
    term: str
    struct: type[BusinessGroup] | None
    repeats: bool
    decimal: bool


def model_fields(struct: type[BusinessGroup]) -> tuple[ModelField, ...]:
    """The fields of a group that carry a BT or BG id, in order."""
    hints = typing.get_type_hints(struct, include_extras=True)
    return tuple(_model_field(name, hint) for name, hint in hints.items() if _id_of(hint))


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
        groups=_converted(content, "groups", Group, faults),
        terms=_converted(content, "terms", Term, faults),
    )
    if not faults:
        faults.extend(_own_faults(table))
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


def _own_faults(table: Table) -> Iterator[str]:
    if unknown := set(table.documents) - set(FORMS):
        yield f"documents.{min(unknown)}: only ubl, ubl_credit_note and cii are known."
    entries: dict[str, Group | Term] = {**table.groups, **table.terms}
    for key, entry in entries.items():
        where = f"{'groups' if isinstance(entry, Group) else 'terms'}.{key}"
        if entry.group is not None and entry.group not in table.groups:
            yield f"{where}.group: there is no [groups.{entry.group}]; add it or mend the id."
        for name in FORMS:
            yield from _path_faults(table, f"{where}.{name}", entry.texts(name), False)
        if isinstance(entry, Group):
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


def _path_faults(table: Table, where: str, texts: list[str], beside: bool) -> Iterator[str]:
    if not texts:
        yield f"{where}: the list is empty; give at least one path."
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


def _id_of(hint: Any) -> str | None:
    for extra in getattr(hint, "__metadata__", ()):
        if isinstance(extra, msgspec.Meta) and extra.extra_json_schema:
            return str(extra.extra_json_schema["x-business-term"])
    return None


def _model_field(name: str, hint: Any) -> ModelField:
    inner = next(one for one in typing.get_args(hint.__origin__) or (hint.__origin__,))
    repeats = typing.get_origin(hint.__origin__) is tuple
    struct = inner if isinstance(inner, type) and issubclass(inner, BusinessGroup) else None
    decimal = any(
        isinstance(extra, msgspec.Meta) and extra.pattern == DECIMAL_PATTERN
        for extra in getattr(inner, "__metadata__", ())
    )
    return ModelField(name, _id_of(hint) or "", struct, repeats, decimal)
