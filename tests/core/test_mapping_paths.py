"""The path language of mapping tables: what it accepts, and that it means what XPath means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.core.mapping.paths import PathError, parse_path, text_of

PREFIXES = {"a": "urn:a", "b": "urn:b"}


def _matches(condition: str, xml: str, terms: dict[str, str] | None = None) -> bool:
    (step,) = parse_path(f"a:x{condition}", PREFIXES).steps
    element = etree.fromstring(f'<x xmlns="urn:a" xmlns:b="urn:b" {xml}</x>')
    return all(one.test()(element, terms or {}) for one in step.conditions)


def test_a_path_is_child_steps_and_perhaps_an_attribute() -> None:
    """Steps become names in Clark notation; an attribute can only stand last."""
    path = parse_path("a:one/b:two/@three", PREFIXES)
    assert [step.tag for step in path.steps] == ["{urn:a}one", "{urn:b}two"]
    assert path.attribute == "three"


def test_a_dot_is_the_element_itself_and_two_dots_its_parent() -> None:
    """`.` adds no step; `..` climbs, and is counted."""
    assert parse_path(".", PREFIXES) == parse_path("./.", PREFIXES)
    beside = parse_path("../b:two", PREFIXES)
    assert (beside.up, beside.steps[0].tag) == (1, "{urn:b}two")


@pytest.mark.parametrize(
    ("condition", "xml", "expected"),
    [
        ("[b:t='VAT']", "><b:t> vat </b:t>", True),
        ("[b:t='VAT']", "><b:t>LOC</b:t>", False),
        ("[b:t='VAT']", "><b:t>LOC</b:t><b:t>VAT</b:t>", True),
        ("[b:t!='VAT']", "><b:t>LOC</b:t>", True),
        ("[b:t!='VAT']", ">", False),
        ("[not(b:t='VAT')]", ">", True),
        ("[not(b:t)]", "><b:t/>", False),
        ("[b:t]", "><b:t/>", True),
        ("[@s]", 's="">', True),
        ("[not(@s)]", 's="">', False),
        ("[@s!='SEPA']", 's="sepa">', False),
        ("[b:t=true()]", "><b:t>1</b:t>", True),
        ("[b:t=true()]", "><b:t>true</b:t>", True),
        ("[b:t=false()]", "><b:t>0</b:t>", True),
        ("[b:t=false()]", "><b:t>true</b:t>", False),
        ("[b:t/@c=$BT-5]", '><b:t c="eur"/>', True),
        ("[b:t/@c=$BT-6]", '><b:t c="EUR"/>', False),
        ("[b:t='1'][@s='2']", 's="2"><b:t>1</b:t>', True),
        ("[b:t='1'][@s='2']", 's="3"><b:t>1</b:t>', False),
        ("[.='x']", ">x", True),
    ],
)
def test_a_condition_holds_as_in_xpath(condition: str, xml: str, expected: bool) -> None:
    """Comparisons are satisfied by any node, ignore case and white space; unknown terms never."""
    assert _matches(condition, xml, {"BT-5": "EUR"}) is expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "one",
        "z:one",
        "a:one//b:two",
        "a:one/@two/b:three",
        "a:one/..",
        "a:one[",
        "a:one]",
        "a:one[b:two='x'",
        "a:one[b:two='x]",
        "a:one[b:two=x]",
        "a:one[]",
        "a:one[1]",
        "a:one[b:two[b:three]]",
        "a:one['x'=b:two]",
        "a:one[b:two='x']b:three",
        "/a:one",
        ".[a:one]",
        "@one[a:two]",
    ],
)
def test_what_the_language_does_not_know_is_refused_in_words(text: str) -> None:
    """Nothing is half understood: every other path is a PathError with a message."""
    with pytest.raises(PathError) as caught:
        parse_path(text, PREFIXES)
    assert str(caught.value)


@given(st.text(alphabet="ab:/@.[]='!$()not 1", max_size=40))
def test_parsing_either_works_or_says_why(text: str) -> None:
    """No path, however odd, makes the parser fail in another way."""
    try:
        parse_path(text, PREFIXES)
    except PathError as error:
        assert str(error)  # noqa: PT017 - either outcome is right; a crash is not


def test_text_is_trimmed_of_xml_white_space_only() -> None:
    """Blanks around a value are layout; a no-break space is what the sender wrote."""
    assert text_of(etree.fromstring("<x>\n\t 12\u00a0 \r\n</x>")) == "12\u00a0"


def test_text_goes_on_behind_a_comment() -> None:
    """A comment inside a value does not cut it off: it reads as XPath's string() does."""
    assert text_of(etree.fromstring("<x>12<!-- and -->34<?p i?>5</x>")) == "12345"
