"""From a TOML file to a typed, frozen struct, naming everything that is wrong on the way.

msgspec's own converter stops at the first mistake and knows nothing of files. An operator wants
the whole list at once, each entry with its file, the path of the key and what to do. So this
module walks the struct's type description beside the parsed TOML: unknown and missing keys,
wrong types, values out of bounds, and field checks that the caller brings along (is this name
in the catalogue? is this a public key?).

A value that is wrong is never shown where it could be a secret: type complaints name the type
that was found, not the value, and unknown keys are named without what they hold.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from msgspec import inspect

from gateway.errors import Fault

T = TypeVar("T")


class Complaint(NamedTuple):
    """What a field check has against a value, and the way out."""

    what: str
    remedy: str


FieldCheck = Callable[[Any], Complaint | None]
Checks = Mapping[tuple[type, str], FieldCheck]
"""(struct, field name) → check of its value; of each element where the field is an array."""


NOT_AT_ALL = "none"
"""In a file, None for a choice that may also be left out altogether."""


class _Bad:
    """Stands for a value that could not be read; its fault is already on the list."""


_BAD = _Bad()


def read_toml(file: Path) -> tuple[dict[str, Any] | None, tuple[Fault, ...]]:
    """The parsed file, or None with the one fault that kept it from being read."""
    try:
        # utf-8-sig: editors on Windows put a byte-order mark in front, and TOML has none.
        return tomllib.loads(file.read_bytes().decode("utf-8-sig")), ()
    except FileNotFoundError:
        what, remedy = "There is no such file.", "Create it, or correct the path that leads here."
    except OSError as error:
        what = f"The file cannot be read: {error.strerror}."
        remedy = "Make it a plain file that the gateway's user may read."
    except UnicodeDecodeError as error:
        what = f"Byte {error.start + 1} is not UTF-8."
        remedy = "Save the file in UTF-8, the only encoding TOML has."
    except (ValueError, RecursionError) as error:  # ValueError: a number of 5000 digits, too
        what = f"Not valid TOML: {_with_place_first(str(error))}."
        remedy = (
            'Mend that line: key = value, texts in "double quotes", lists in [brackets], '
            "each key and each table once."
        )
    return None, (Fault(file=str(file), what=what, remedy=remedy),)


def convert(
    table: Mapping[str, Any], struct: type[T], *, file: Path, checks: Checks | None = None
) -> tuple[T | None, tuple[Fault, ...]]:
    """`table` as a `struct`, and everything wrong with it.

    The struct is None only when a value without default is missing or wrong. Otherwise a wrong
    value is replaced by its default, so that the caller can go on and find further faults; it
    must not be used while there are any.
    """
    converter = _Converter(str(file), checks or {})
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    value = converter.struct(info, table, "")
    return (None if value is _BAD else value), tuple(converter.faults)


class _Converter:
    def __init__(self, file: str, checks: Checks) -> None:
        self.file = file
        self.checks = checks
        self.faults: list[Fault] = []

    def fault(self, key: str, what: str, remedy: str) -> _Bad:
        self.faults.append(Fault(file=self.file, key=key, what=what, remedy=remedy))
        return _BAD

    def struct(self, info: inspect.StructType, table: Mapping[str, Any], path: str) -> Any:
        fields = {field.encode_name: field for field in info.fields}
        for key in table:
            if key not in fields:
                self.fault(key_path(path, key), *_unknown_key(key, fields, path))
        given: dict[str, Any] = {}
        complete = True
        for name, field in fields.items():
            here = key_path(path, name)
            if name not in table:
                if field.required:
                    complete = False
                    self.fault(here, *_missing_key(name, field.type))
                continue
            check = self.checks.get((info.cls, field.name))
            value = self.value(field.type, table[name], here, check)
            if value is not _BAD:
                given[field.name] = value
            elif field.required:
                complete = False
        return info.cls(**given) if complete else _BAD

    def value(self, info: inspect.Type, raw: Any, path: str, check: FieldCheck | None) -> Any:
        if isinstance(info, inspect.Metadata):
            return self.value(info.type, raw, path, check)
        if isinstance(info, inspect.UnionType):
            # Only `X | None` occurs. TOML has no null: the key is left out instead, or, where that
            # means another default, the word for "not at all" stands among the others.
            info = next(kind for kind in info.types if not isinstance(kind, inspect.NoneType))
            if isinstance(info, inspect.EnumType):
                return self._choice_or_none(info, raw, path)
            return self.value(info, raw, path, check)
        if isinstance(info, inspect.StructType):
            if not isinstance(raw, dict):
                return self.fault(path, *_not_a_table(path, raw))
            return self.struct(info, raw, path)
        if isinstance(info, inspect.VarTupleType):
            if not isinstance(raw, list):
                return self.fault(path, *_not_an_array(path, info, raw))
            items = [
                self.value(info.item_type, item, f"{path}[{index}]", check)
                for index, item in enumerate(raw)
            ]
            return _BAD if _BAD in items else tuple(items)
        value = self._scalar(info, raw, path)
        if value is not _BAD and check is not None:
            complaint = check(value)
            if complaint is not None:
                return self.fault(path, *complaint)
        return value

    def _choice_or_none(self, info: inspect.EnumType, raw: Any, path: str) -> Any:
        words = [*(str(member.value) for member in info.cls), NOT_AT_ALL]
        if raw == NOT_AT_ALL:
            return None
        if isinstance(raw, str) and raw not in words:
            return self.fault(path, *_choice(raw, words))
        return self._scalar(info, raw, path)

    def _scalar(self, info: inspect.Type, raw: Any, path: str) -> Any:
        match info:
            case inspect.BoolType() if isinstance(raw, bool):
                return raw
            case inspect.IntType() if isinstance(raw, int) and not isinstance(raw, bool):
                return self._bounded(info, raw, path)
            case inspect.FloatType() if isinstance(raw, (int, float)) and not isinstance(raw, bool):
                if not -1e18 < raw < 1e18:  # not a number and infinity are valid TOML
                    return self.fault(path, "Not a usable number.", "Give a number in digits.")
                return self._bounded(info, float(raw), path)
            case inspect.StrType() if isinstance(raw, str):
                if len(raw) < (info.min_length or 0):
                    return self.fault(path, "Empty, but it must say something.", "Fill it in.")
                return raw
            case inspect.EnumType() if isinstance(raw, str):
                words = [str(member.value) for member in info.cls]
                return info.cls(raw) if raw in words else self.fault(path, *_choice(raw, words))
            case inspect.LiteralType() if isinstance(raw, str):
                words = [str(word) for word in info.values]
                return raw if raw in words else self.fault(path, *_choice(raw, words))
        return self.fault(
            path, f"Expected {_wanted(info)}, found {_found(raw)}.", f"Write it as {_sample(info)}."
        )

    def _bounded(self, info: inspect.IntType | inspect.FloatType, raw: float, path: str) -> Any:
        low, high = (info.ge if info.ge is not None else info.gt), info.le
        below = (info.ge is not None and raw < info.ge) or (info.gt is not None and raw <= info.gt)
        if not below and (high is None or raw <= high):
            return raw
        bounds = [f"{'at least' if info.ge is not None else 'more than'} {low}"] * (low is not None)
        bounds += [f"at most {high}"] * (high is not None)
        wanted = " and ".join(bounds)
        return self.fault(path, f"{raw} is out of bounds.", f"Give a number of {wanted}.")


def key_path(parent: str, key: str) -> str:
    """`key` under `parent`, written as TOML would write it."""
    word = key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else f'"{key}"'
    return f"{parent}.{word}" if parent else word


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A remedy that proposes the known name most like `word`, or lists them all."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f'Did you mean "{close[0]}"?'
    return f"Known are: {', '.join(names)}." if names else "There are none yet."


def _unknown_key(key: str, fields: Iterable[str], path: str) -> Complaint:
    where = f"[{path}]" if path else "this file"
    return Complaint(f'Unknown key in {where}: "{key}".', did_you_mean(key, fields))


def _missing_key(name: str, info: inspect.Type) -> Complaint:
    bare = _bare(info)
    if isinstance(bare, inspect.VarTupleType) and isinstance(bare.item_type, inspect.StructType):
        return Complaint("Missing, and there is no default.", f"Add a table [[{name}]].")
    return Complaint("Missing, and there is no default.", f"Add: {name} = {_sample(bare)}")


def _not_a_table(path: str, raw: Any) -> Complaint:
    name = re.sub(r"\[\d+\]$", "", path)
    if isinstance(raw, list):
        return Complaint("Expected one table, found a list.", f"Write [{name}], single brackets.")
    return Complaint(f"Expected a table, found {_found(raw)}.", f"Write [{name}] and its keys.")


def _not_an_array(path: str, info: inspect.VarTupleType, raw: Any) -> Complaint:
    if isinstance(info.item_type, inspect.StructType):
        return Complaint(
            f"Expected a list of tables, found {_found(raw)}.",
            f"Write [[{path}]], double brackets, in front of each of them.",
        )
    return Complaint(
        f"Expected a list, found {_found(raw)}.", f"Put it in brackets: {_sample(info)}."
    )


def _choice(raw: str, words: list[str]) -> Complaint:
    return Complaint(f'"{raw}" is not one of: {", ".join(words)}.', did_you_mean(raw, words))


def _bare(info: inspect.Type) -> inspect.Type:
    return _bare(info.type) if isinstance(info, inspect.Metadata) else info


def _wanted(info: inspect.Type) -> str:
    match info:
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return "a whole number"
        case inspect.FloatType():
            return "a number"
        case _:
            return "a text"


def _sample(info: inspect.Type) -> str:
    match _bare(info):
        case inspect.BoolType():
            return "true or false, without quotes"
        case inspect.IntType():
            return "digits without quotes"
        case inspect.FloatType():
            return "digits without quotes, such as 2.5"
        case inspect.VarTupleType():
            return '["…", "…"]'
        case inspect.EnumType(cls=cls):
            return " or ".join(f'"{member.value}"' for member in cls)
        case inspect.LiteralType(values=values):
            return " or ".join(f'"{value}"' for value in values)
        case _:
            return '"…" in double quotes'


def _found(raw: Any) -> str:
    kinds: dict[type, str] = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "a table",
        dt.datetime: "a date and time",
        dt.date: "a date",
        dt.time: "a time of day",
    }
    return kinds[type(raw)]


def _with_place_first(message: str) -> str:
    """`Invalid value (at line 3, column 5)` → `line 3, column 5: Invalid value`."""
    found = re.fullmatch(r"(.*) \(at (.*)\)", message, re.DOTALL)
    return f"{found[2]}: {found[1]}" if found else message
