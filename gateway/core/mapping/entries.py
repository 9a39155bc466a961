"""What a mapping table consists of: groups, terms, kinds of document, as frozen values."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

from gateway.core.mapping.paths import Path, parse_path
from gateway.model.interchange import Syntax

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
    without: str = ""
    """Why a syntax has no place for it."""

    @property
    def repeats(self) -> bool:
        """Whether the canonical invoice holds a list of it."""
        return (self.extended_cardinality or self.cardinality).endswith("n")

    def texts(self, form: str) -> list[str]:
        """The paths as written for `ubl`, `ubl_credit_note` or `cii`; none: it has no place."""
        text = self.ubl_credit_note if form == "ubl_credit_note" else None
        if text is None:
            text = self.cii if form == "cii" else self.ubl
        return [text] if isinstance(text, str) else text


class Group(_Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A business group; path "." means it has no element of its own.

    `file`: its element holds a file, which is no business of the canonical invoice. `nothing`:
    values of its terms that say nothing when they are all there is.
    """

    file: bool = False
    nothing: dict[str, str] = {}


class Term(_Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A business term. Keys as explained at the head of the table."""

    type: TermType
    currency: str | None = None
    ubl_scheme: str | None = None
    ubl_scheme_version: str | None = None
    cii_scheme: str | None = None
    cii_scheme_version: str | None = None
    scheme_term: str | None = None
    ubl_part: Literal["note-subject", "note-text"] | None = None
    ubl_none: str | None = None
    cii_codes: dict[str, str] = {}
    unlike: str | None = None

    def scheme(self, syntax: Syntax) -> str | None:
        """Where the scheme stands, as written."""
        return self.ubl_scheme if syntax is Syntax.UBL else self.cii_scheme

    @property
    def by_scheme(self) -> bool:
        """Whether it is a list of identifiers of which a syntax writes some elsewhere.

        CII has ram:ID before ram:GlobalID, UBL one element for both: so that both give the same
        list, those without a scheme come first, and else the order of the document counts.
        """
        schemed = self.ubl_scheme is not None or self.cii_scheme is not None
        return self.repeats and schemed and any(len(self.texts(form)) > 1 for form in FORMS)

    def scheme_version(self, syntax: Syntax) -> str | None:
        """Where the version of the scheme stands, as written."""
        return self.ubl_scheme_version if syntax is Syntax.UBL else self.cii_scheme_version


class WritingRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What writing a syntax asks beyond the paths. Keys as explained at the head of the table."""

    schema: str
    credit_note_codes: tuple[str, ...] = ()
    every: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    otherwise: dict[str, str] = {}
    patterns: dict[str, str] = {}
    stand_ins: dict[str, str] = {}


class Implied(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands beside the terms and says nothing more: the ends of paths, and which values."""

    paths: list[str]
    values: list[str] | None = None
    why: str


class NoPlace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What documents hold and no term is made for: the ends of paths, and why."""

    paths: list[str]
    why: str


class Derived(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A term whose value follows from others. Keys as explained at the head of the table."""

    value: str
    beside: str
    why: str


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole file. `terms` and `groups` are keyed by their ids, `writing` by syntax."""

    documents: dict[str, DocumentForm]
    prefixes: dict[str, str]
    writing: dict[Syntax, WritingRules] = {}
    groups: dict[str, Group]
    terms: dict[str, Term]
    derived: dict[str, Derived] = {}
    implied: dict[str, Implied] = {}
    no_place: dict[str, NoPlace] = {}

    @property
    def ids(self) -> frozenset[str]:
        """Every id the table speaks of: groups, terms, and the schemes of identifiers."""
        schemes = {one for key in self.terms for one in self.scheme_ids(key)}
        return frozenset(self.groups.keys() | self.terms.keys() | schemes)

    def scheme_ids(self, key: str) -> tuple[str, ...]:
        """The ids of a term's scheme and of the version of that, as far as it has them."""
        term = self.terms[key]
        ids = []
        if term.ubl_scheme or term.cii_scheme:
            ids.append(term.scheme_term or f"{key}-1")
        if term.ubl_scheme_version or term.cii_scheme_version:
            ids.append(f"{key}-2")
        return tuple(ids)

    def property_path(self, key: str) -> tuple[str, ...]:
        """The properties that lead from the invoice to a group or term."""
        entry = self.terms.get(key) or self.groups[key]
        above = () if entry.group is None else self.property_path(entry.group)
        return (*above, entry.property_name)

    def path(self, text: str) -> Path:
        """`text` parsed with this table's prefixes. Raises PathError."""
        return parse_path(text, self.prefixes)
