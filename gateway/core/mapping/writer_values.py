"""From the value of a business term to the text of an element: `conversions`, the other way.

A value is written exactly or it is reported: what a syntax cannot say, or would read as something
else, never goes missing in silence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from gateway.core.mapping.derived import exact_sum
from gateway.core.mapping.entries import DocumentForm, Term, TermType
from gateway.core.mapping.writer_context import Getter, Maker, Step, Value, Writing
from gateway.model.interchange import Syntax
from gateway.model.invoice_types import BusinessGroup, Identifier

_SUBJECT = re.compile(r"[A-Z0-9]{3}").fullmatch
_LIKE_A_SUBJECT = re.compile(r"#[A-Z0-9]{3}#").match
_DATE = 10
"""Characters of a calendar date; what follows is the offset of its time zone."""


def getter(slot: int, names: tuple[str, ...]) -> Getter:
    """What finds a property of what is bound to `slot`; None where there is nothing."""
    if not names:
        return lambda writing: writing.bound[slot]
    if len(names) == 1:
        (name,) = names

        def near(writing: Writing) -> Any:
            held = writing.bound[slot]
            return None if held is None else getattr(held, name)

        return near

    def far(writing: Writing) -> Any:
        held = writing.bound[slot]
        for each in names:
            if held is None:
                return None
            held = getattr(held, each)
        return held

    return far


def text_maker(
    get: Getter,
    key: str,
    term: Term,
    form: DocumentForm,
    steps: tuple[Step, ...],
    nowhere_to: tuple[str, ...],
) -> Maker:
    """What writes the value of a term as text. `nowhere_to`: parts of it that have no place."""
    if term.type is TermType.DATE and form.dates == "102":
        return _date_102(get, key, steps)
    if term.cii_codes and form.syntax is Syntax.CII:
        return _codes(get, key, {code: own for own, code in term.cii_codes.items()}, steps)
    if term.ubl_scheme or term.cii_scheme:
        return _identifier(get, key, steps, nowhere_to)
    return get


def unless_equal(make: Maker, other: Getter, key: str, steps: tuple[Step, ...]) -> Maker:
    """The same, but not where it equals a term it must differ from: it would not be read back."""

    def made(writing: Writing) -> str | None:
        text = make(writing)
        if text is None or text.upper() != str(other(writing)).upper():
            return text
        writing.report("MAP-NO-PLACE", key, steps, value=text)
        return None

    return made


def told_if_equal(value: Value, texts: frozenset[str], other: Getter | None) -> Maker:
    """The same text; but where it equals what it must not, it would be read as something else."""
    make = value.make

    def made(writing: Writing) -> str | None:
        text = make(writing)
        unwanted = texts if other is None else {str(other(writing)).upper()}
        if text is not None and text.upper() in unwanted:
            # What stands beside it in its group is not read either: the group has no place.
            steps = value.steps if other is None else value.steps[:-1]
            writing.report("MAP-NO-PLACE", value.term or "", steps, value=text)
        return text

    return made


def scheme_maker(get: Getter, name: str) -> Maker:
    """What writes the scheme of an identifier, or the scheme's version."""

    def make(writing: Writing) -> str | None:
        value = get(writing)
        return None if value is None else getattr(value, name)

    return make


def note_maker(subject: Getter, text: Getter, keys: tuple[str, str], steps: Any) -> Maker:
    """What writes a note of UBL: `#AAI#text`, as EN 16931-3-2 says for BT-21 and BT-22."""

    def make(writing: Writing) -> str | None:
        code, note = subject(writing), text(writing)
        if code is not None:
            if _SUBJECT(code):
                return f"#{code}#{note or ''}"
            writing.report("MAP-NO-PLACE", keys[0], steps[0], value=code)
        elif note is not None and _LIKE_A_SUBJECT(note):
            writing.report("MAP-NO-PLACE", keys[1], steps[1], value=note)
        return note if isinstance(note, str) else None

    return make


def content_maker(get: Getter, key: str, steps: tuple[Step, ...]) -> Maker:
    """What writes the bytes of an attached document, which the canonical invoice does not hold."""

    def make(writing: Writing) -> str | None:
        document = get(writing)
        if document is None:
            return None
        content = next(writing.contents.get(key, iter(())), "")
        if not content:
            writing.report("MAP-NO-CONTENT", key, steps, value=shown(document))
        return content or None

    return make


def total(paths: Sequence[tuple[str, ...]], steps: tuple[Step, ...]) -> Maker:
    """The sum of terms, each given by its properties from the invoice on.

    Of the lists that `steps` goes through, only the member at hand counts; of others, all.
    """

    def make(writing: Writing) -> str | None:
        found: list[str] = []
        for path in paths:
            held: list[Any] = [writing.bound[0]]
            for position, name in enumerate(path):
                held = [value for one in held if (value := getattr(one, name)) not in (None, ())]
                if held and isinstance(held[0], tuple):
                    lists = [list(members) for members in held]
                    own = steps[position] if position < len(steps) else ("", None)
                    if own[0] == name and own[1] is not None:
                        held = [lists[0][writing.index[own[1]]]]
                    else:
                        held = [member for members in lists for member in members]
            found += held
        return exact_sum(found) if found else None

    return make


def shown(value: Any) -> str:
    """A value in a sentence for people."""
    if isinstance(value, Identifier):
        known = filter(None, (value.scheme, value.scheme_version))
        return " ".join([value.value, *(f"({part})" for part in known)])
    if isinstance(value, BusinessGroup):
        parts = (getattr(value, name) for name in value.__struct_fields__)
        return ", ".join(shown(part) for part in parts if part)
    if isinstance(value, tuple):
        return ", ".join(shown(part) for part in value)
    return str(value)


def _identifier(
    get: Getter, key: str, steps: tuple[Step, ...], nowhere_to: tuple[str, ...]
) -> Maker:
    def make(writing: Writing) -> str | None:
        value = get(writing)
        if value is None:
            return None
        for name in nowhere_to:
            if part := getattr(value, name):
                writing.report("MAP-NO-PLACE", key, steps, value=part)
        return str(value.value)

    return make


def _date_102(get: Getter, key: str, steps: tuple[Step, ...]) -> Maker:
    # UNTDID 2379: 102 is CCYYMMDD, which has no room for a time zone.
    def make(writing: Writing) -> str | None:
        value = get(writing)
        if value is None:
            return None
        if len(value) > _DATE:
            writing.report("MAP-NO-PLACE", key, steps, value=value[_DATE:])
        return str(value[:_DATE]).replace("-", "")

    return make


def _codes(get: Getter, key: str, codes: dict[str, str], steps: tuple[Step, ...]) -> Maker:
    def make(writing: Writing) -> str | None:
        value = get(writing)
        if value is None or value in codes:
            return None if value is None else codes[value]
        writing.report("MAP-NO-PLACE", key, steps, value=value)
        return None

    return make
