"""From the text of an element to the value of a business term: a small, closed list.

A conversion reads exactly or not at all. What it cannot read becomes a finding with the place,
never a guess and never an exception: schema-valid documents hold 30 February and 20261301.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from lxml import etree

from gateway.core.explain import own_finding
from gateway.core.mapping.file_rules import FileRules
from gateway.core.mapping.files import Files
from gateway.core.mapping.paths import WHITE_SPACE, Path
from gateway.core.mapping.table import AMOUNTS, DECIMALS, DocumentForm, Term, TermType
from gateway.core.mapping.unmapped import Unmapped
from gateway.core.terms import labelled
from gateway.core.xml import Place, friendly_path
from gateway.model.interchange import Syntax
from gateway.model.invoice_types import (
    DATE_PATTERN,
    DECIMAL_PATTERN,
    BusinessGroup,
    Identifier,
)
from gateway.model.verdict import Finding, Language

Value = str | Identifier

Locator = Callable[[etree._Element], Place]

MAX_FINDINGS = 100
"""Listed for one document: a file with 10,000 bad lines needs no 10,000 sentences."""


class Reading:
    """One document being read: the currencies it names, what could not be read, what was not.

    `terms` holds the values that conditions compare with, in upper case, by BT id. `locate` says
    where in the bytes an element stands; it is asked only for findings. `files` takes what is
    attached, `attached` counts it, `file_rules` says what to look at in it. `twice` is asked of
    each element that gives a term, or a group, a second time by the same path, whether that is to
    be reported.
    """

    __slots__ = (
        "_locate",
        "attached",
        "derived",
        "file_rules",
        "files",
        "findings",
        "terms",
        "twice",
        "unmapped",
    )

    def __init__(
        self,
        terms: dict[str, str],
        unmapped: Unmapped,
        locate: Locator | None = None,
        files: Files | None = None,
        file_rules: FileRules | None = None,
        twice: Callable[[etree._Element], bool] = lambda _: False,
    ) -> None:
        self.terms = terms
        self.twice = twice
        self.unmapped = unmapped
        self.findings: list[Finding] = []
        self.derived: list[tuple[BusinessGroup, str]] = []
        """Properties whose value follows from others, with the groups they are in."""
        self._locate = locate or _line_only
        self.files = files or Files()
        self.file_rules = file_rules or FileRules()
        self.attached = 0

    def report(self, rule: str, element: etree._Element, term: str, **values: object) -> None:
        """Note a finding about `term` at `element`; beyond the first hundred only that."""
        if len(self.findings) > MAX_FINDINGS:
            return
        if len(self.findings) == MAX_FINDINGS:
            self.findings.append(own_finding("MAP-MORE", shown=MAX_FINDINGS))
            return
        words: dict[str, Any] = {
            "term": term,
            "name_en": labelled(term, Language.EN),
            "name_fr": labelled(term, Language.FR),
            **values,
        }
        line, column, excerpt = self._locate(element)
        self.findings.append(
            own_finding(
                rule,
                location=friendly_path(element),
                line=line,
                column=column,
                excerpt=excerpt,
                terms=(term,),
                **words,
            )
        )


Conversion = Callable[[str, etree._Element, Reading], Value | None]
"""The trimmed text (never empty), the element it came from, and where to report."""

SchemePaths = tuple[Path | None, Path | None]
"""Where an identifier's scheme and the version of the scheme stand, from the element."""

_LAST_LINE = 65_535

_decimal = re.compile(DECIMAL_PATTERN).match
_date = re.compile(DATE_PATTERN).match
_date_102 = re.compile(r"[0-9]{8}").fullmatch
_ubl_note = re.compile(r"#([A-Z0-9]{3})#(.*)", re.DOTALL).fullmatch


def conversion(
    identifier: str, term: Term, form: DocumentForm, paths: SchemePaths
) -> Conversion | None:
    """What turns text into the value of `term` in this kind of document; None: the text itself."""
    convert = _of_type(identifier, term, form, paths)
    if term.ubl_none is not None and form.syntax is Syntax.UBL:
        convert = _given(term.ubl_none, convert)
    if term.unlike is not None:
        convert = _unlike(term.unlike, convert)
    return convert


def _of_type(
    identifier: str, term: Term, form: DocumentForm, paths: SchemePaths
) -> Conversion | None:
    if term.type is TermType.DATE:
        return _dates(identifier, form)
    if term.type in AMOUNTS:
        return _amounts(identifier, term.currency or "")
    if term.type in DECIMALS:
        return _decimals(identifier)
    if term.ubl_part is not None and form.syntax is Syntax.UBL:
        return _note_subject if term.ubl_part == "note-subject" else _note_text
    if term.cii_codes and form.syntax is Syntax.CII:
        return _codes(identifier, term.cii_codes)
    if term.ubl_scheme or term.cii_scheme:
        return _identifiers(paths)
    return None


def attributes_taken(term: Term, form: DocumentForm) -> tuple[str, ...]:
    """The attributes a conversion looks at beside the text: they are no values of their own."""
    if term.type in AMOUNTS:
        return ("currencyID",)
    if term.type is TermType.DATE and form.dates == "102":
        return ("format",)
    return ()


def _line_only(element: etree._Element) -> Place:
    line: object = element.sourceline  # libxml2 counts up to 65,534
    return Place(line if isinstance(line, int) and line < _LAST_LINE else None, None, None)


def same(one: Any, other: Any) -> bool:
    """Whether two values say the same: equal, or decimals that are equal as numbers."""
    if one == other:
        return True
    if not (isinstance(one, str) and isinstance(other, str)):
        return False
    return bool(_decimal(one) and _decimal(other) and Decimal(one) == Decimal(other))


def _decimals(identifier: str) -> Conversion:
    def convert(text: str, element: etree._Element, reading: Reading) -> str | None:
        if _decimal(text):
            return text
        reading.report("MAP-DECIMAL", element, identifier, value=text)
        return None

    return convert


def _amounts(identifier: str, currency: str) -> Conversion:
    # EN 16931-1 knows one currency for every amount but BT-111, so the canonical amounts carry
    # none: an amount marked with another currency would be read as what it is not.
    def convert(text: str, element: etree._Element, reading: Reading) -> str | None:
        if not _decimal(text):
            reading.report("MAP-DECIMAL", element, identifier, value=text)
            return None
        own = element.get("currencyID")
        if own is not None:
            expected = reading.terms.get(currency)
            own = str(own).strip(WHITE_SPACE).upper()
            if own and expected is not None and own != expected:
                reading.report("MAP-CURRENCY", element, identifier, value=own, expected=expected)
                return None
        return text

    return convert


def _dates(identifier: str, form: DocumentForm) -> Conversion:
    def iso(text: str, element: etree._Element, reading: Reading) -> str | None:
        if _date(text) and _in_calendar(text[:10]):
            return text
        reading.report("MAP-DATE", element, identifier, value=text, expected="2026-01-31")
        return None

    def format_102(text: str, element: etree._Element, reading: Reading) -> str | None:
        # UNTDID 2379: 102 is CCYYMMDD. Eight digits without a qualifier can be nothing else.
        qualifier = element.get("format")
        if qualifier in (None, "102") and _date_102(text):
            converted = f"{text[:4]}-{text[4:6]}-{text[6:]}"
            if _in_calendar(converted):
                return converted
        shown = text if qualifier in (None, "102") else f"{text} (format {qualifier})"
        reading.report("MAP-DATE", element, identifier, value=shown, expected="20260131")
        return None

    return iso if form.dates == "iso" else format_102


def _in_calendar(text: str) -> bool:
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _codes(identifier: str, codes: dict[str, str]) -> Conversion:
    def convert(text: str, element: etree._Element, reading: Reading) -> str | None:
        if text in codes:
            return codes[text]
        reading.report("MAP-CODE", element, identifier, value=text, expected=", ".join(codes))
        return None

    return convert


def _given(none: str, inner: Conversion | None) -> Conversion:
    """Nothing where the text is what stands there when there is no value."""
    none = none.upper()

    def convert(text: str, element: etree._Element, reading: Reading) -> Value | None:
        if text.upper() == none:
            return None
        return text if inner is None else inner(text, element, reading)

    return convert


def _unlike(other: str, inner: Conversion | None) -> Conversion:
    """Nothing where the value is that of another term: listed as unmapped, not read."""

    def convert(text: str, element: etree._Element, reading: Reading) -> Value | None:
        if text.upper() == reading.terms.get(other):
            reading.unmapped.text(element)
            return None
        return text if inner is None else inner(text, element, reading)

    return convert


def _identifiers(paths: SchemePaths) -> Conversion:
    scheme, version = paths

    def convert(text: str, element: etree._Element, _reading: Reading) -> Identifier:
        return Identifier(
            value=text,
            scheme=None if scheme is None else scheme.first_value(element),
            scheme_version=None if version is None else version.first_value(element),
        )

    return convert


def _note_subject(text: str, _element: etree._Element, _reading: Reading) -> str | None:
    match = _ubl_note(text)
    return match[1] if match else None


def _note_text(text: str, _element: etree._Element, _reading: Reading) -> str | None:
    match = _ubl_note(text)
    return (match[2].strip(WHITE_SPACE) or None) if match else text
