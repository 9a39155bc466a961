"""The strict reading of TOML: every fault, each with file, key, what and remedy."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.config.settings import Settings
from gateway.config.strict import Complaint, convert, read_toml
from gateway.errors import Fault


class Colour(StrEnum):
    """An enumeration."""

    RED = "red"
    GREEN = "green"


class Inner(msgspec.Struct, frozen=True, kw_only=True):
    """A table in a table."""

    colour: Colour
    words: tuple[str, ...] = ()


class Outer(msgspec.Struct, frozen=True, kw_only=True):
    """Every kind of field there is."""

    name: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 22
    seconds: Annotated[float, msgspec.Meta(gt=0)] = 1.5
    on: bool = True
    level: Literal["low", "high"] = "low"
    title: Annotated[str, msgspec.Meta(min_length=1)] = "x"
    nickname: str | None = None
    inner: Inner = Inner(colour=Colour.RED)
    chain: tuple[Inner, ...] = ()


FILE = Path("some.toml")


def faults_of(table: dict[str, Any]) -> dict[str, Fault]:
    """Faults of a table that is otherwise sound, by key; two at one key fail the test."""
    _, faults = convert({"name": "n"} | table, Outer, file=FILE)
    by_key = {fault.key: fault for fault in faults}
    assert len(by_key) == len(faults)
    return by_key


def test_a_sound_table_becomes_the_struct() -> None:
    """Every kind of value arrives typed; what is left out takes its default."""
    value, faults = convert(
        {
            "name": "n",
            "port": 2222,
            "seconds": 3,
            "on": False,
            "level": "high",
            "nickname": "nick",
            "chain": [{"colour": "green", "words": ["a", "b"]}],
        },
        Outer,
        file=FILE,
    )
    assert faults == ()
    assert value == Outer(
        name="n",
        port=2222,
        seconds=3.0,
        on=False,
        level="high",
        nickname="nick",
        chain=(Inner(colour=Colour.GREEN, words=("a", "b")),),
    )
    assert isinstance(value.seconds, float)


def test_every_fault_is_reported_with_its_path() -> None:
    """One reading finds them all, at any depth; each says where, what and what to do."""
    value, faults = convert(
        {
            "prot": 22,
            "port": "22",
            "inner": {"colour": "blue"},
            "chain": [{"colour": "red"}, {"words": ["a", 5], "colour": 3}],
        },
        Outer,
        file=FILE,
    )
    assert value is None
    assert sorted(fault.key for fault in faults) == [
        "chain[1].colour",
        "chain[1].words[1]",
        "inner.colour",
        "name",
        "port",
        "prot",
    ]
    assert all(fault.file == "some.toml" and fault.what and fault.remedy for fault in faults)


@pytest.mark.parametrize(
    ("table", "key", "what", "remedy"),
    [
        ({"prot": 1}, "prot", "Unknown key", '"port"'),
        ({"zzz": 1}, "zzz", "Unknown key", "Known are: chain, inner, level"),
        ({"inner": {"color": "red", "colour": "red"}}, "inner.color", "[inner]", '"colour"'),
        ({"a b": 1}, '"a b"', "Unknown key", "Known"),
        ({"port": 0}, "port", "0 is out of bounds", "at least 1 and at most 65535"),
        ({"port": 65536}, "port", "65536", "at most 65535"),
        ({"port": 22.0}, "port", "whole number, found a number", "digits"),
        ({"port": True}, "port", "whole number, found true or false", "digits"),
        ({"seconds": 0}, "seconds", "0.0 is out of bounds", "more than 0"),
        ({"seconds": float("inf")}, "seconds", "Not a usable number", "digits"),
        ({"seconds": float("nan")}, "seconds", "Not a usable number", "digits"),
        ({"seconds": 10**400}, "seconds", "Not a usable number", "digits"),
        ({"on": "true"}, "on", "true or false, found a text", "without quotes"),
        ({"on": 1}, "on", "found a whole number", "without quotes"),
        ({"level": "hihg"}, "level", "not one of: high, low", '"high"'),
        ({"title": ""}, "title", "Empty", "Fill it in"),
        ({"nickname": 5}, "nickname", "a text, found a whole number", "double quotes"),
        ({"name": ["n"]}, "name", "a text, found a list", "double quotes"),
        ({"inner": "x"}, "inner", "a table, found a text", "[inner]"),
        ({"inner": [{"colour": "red"}]}, "inner", "one table, found a list", "single brackets"),
        ({"inner": {}}, "inner.colour", "Missing", 'colour = "red" or "green"'),
        ({"chain": {"colour": "red"}}, "chain", "list of tables", "[[chain]]"),
        ({"chain": ["x"]}, "chain[0]", "a table, found a text", "[chain]"),
        ({"inner": {"colour": "red", "words": "a"}}, "inner.words", "a list, found", '["…"'),
    ],
)  # fmt: skip
def test_what_each_fault_says(table: dict[str, Any], key: str, what: str, remedy: str) -> None:
    """The words an operator reads, for each kind of mistake."""
    fault = faults_of(table)[key]
    assert what in fault.what
    assert remedy in fault.remedy


def test_a_required_list_of_tables_that_is_missing_is_shown_as_such() -> None:
    """The remedy shows the double brackets that TOML wants."""

    class Flow(msgspec.Struct):
        chain: tuple[Inner, ...]

    (fault,) = convert({}, Flow, file=FILE)[1]
    assert fault.key == "chain"
    assert "[[chain]]" in fault.remedy


def test_a_wrong_value_gives_way_to_the_default_so_that_reading_goes_on() -> None:
    """The struct is there to be checked further; only its faults forbid its use."""
    value, faults = convert({"name": "n", "port": 0, "on": False}, Outer, file=FILE)
    assert value == Outer(name="n", on=False)
    assert len(faults) == 1


def test_field_checks_see_every_element() -> None:
    """A check brought by the caller complains at the element's own path."""

    def no_b(word: str) -> Complaint | None:
        return Complaint("It is b.", "Use a.") if word == "b" else None

    value, faults = convert(
        {"name": "n", "inner": {"colour": "red", "words": ["a", "b", "c", "b"]}},
        Outer,
        file=FILE,
        checks={(Inner, "words"): no_b},
    )
    assert [fault.key for fault in faults] == ["inner.words[1]", "inner.words[3]"]
    assert faults[0].what == "It is b."
    assert value is not None
    assert value.inner.words == ()


def test_wrong_types_never_show_the_value() -> None:
    """A secret typed into the wrong key or with the wrong type is not repeated."""
    faults = faults_of({"nickname": ["s3cret"], "password": "s3cret", "port": "s3cret"})
    assert len(faults) == 3
    assert "s3cret" not in "".join(map(str, faults.values()))


def test_a_fault_prints_as_a_block() -> None:
    """File and key on the first line, then what, then the way out."""
    fault = Fault(file="/etc/g.toml", key="sftp.port", what="Wrong.", remedy="Mend it.")
    assert str(fault) == "/etc/g.toml: sftp.port\n    Wrong.\n    → Mend it."
    assert str(Fault(file="f", what="w", remedy="r")).startswith("f\n")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"a = 1\nb = \n", "line 2, column 5"),
        (b"a = 1\na = 2\n", "line 2"),
        (b"a = [1,", "end of document"),
        (b"a = \"\xff\"", "Byte 6 is not UTF-8"),
        (b"a = " + b"9" * 5000, "Not valid TOML"),
        (b"a = " + b"[" * 20000, "Not valid TOML"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_toml(tmp_path: Path, content: bytes, what: str) -> None:
    """Syntax errors name line and column; other encodings are recognised."""
    file = tmp_path / "f.toml"
    file.write_bytes(content)
    table, (fault,) = read_toml(file)
    assert table is None
    assert what in fault.what
    assert fault.file == str(file)
    assert fault.remedy


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A missing file, and a folder in its place, are faults with a remedy."""
    for path in (tmp_path / "none.toml", tmp_path):
        table, (fault,) = read_toml(path)
        assert table is None
        assert fault.file == str(path)
        assert fault.remedy


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    """Editors on Windows write one."""
    file = tmp_path / "f.toml"
    file.write_bytes(b"\xef\xbb\xbfa = 1\n")
    assert read_toml(file) == ({"a": 1}, ())


_scalars = st.integers() | st.floats() | st.booleans() | st.text() | st.dates() | st.datetimes()
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_sections = st.dictionaries(
    st.sampled_from(["enabled", "port", "host", "tls", "level", "state", "x"]), _values
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from([*Settings.__struct_fields__, "y"]), _values | _sections))
def test_whatever_toml_holds_gives_settings_or_faults(table: dict[str, Any]) -> None:
    """No table makes the converter raise, and settings without faults are what was written."""
    value, faults = convert(table, Settings, file=FILE)
    assert value is not None
    if not faults:
        for section, keys in table.items():
            for key in keys:
                assert hasattr(getattr(value, section), key)
