"""Assertions said in one expression say the same, in the same order."""

from __future__ import annotations

import pytest
from lxml import etree

from gateway.core.schematron.preparation import rewriting
from gateway.core.schematron.together import say_together
from gateway.core.schematron.vocabulary import XSL
from tests.both_ways import BothWays
from tests.mini_skeleton import Rule, stylesheet
from tests.official_packs import official

X = f"{{{XSL}}}"
DOCUMENT = b"""<o:order xmlns:o="urn:test:order" xmlns:p="urn:test:part" id="a">
<p:line>1</p:line><p:line>2</p:line><p:line/></o:order>"""


def rules_found(tests: dict[str, str]) -> list[str]:
    """The rules that fire on the document, once both ways say the same."""
    shipped, found = BothWays(stylesheet([Rule("*", tests)])).answers(DOCUMENT)
    assert found == shipped
    assert not isinstance(found, str)
    return [each.rule for each in found]


def counted(text: str, name: str) -> int:
    return len(list(etree.fromstring(text).iter(f"{X}{name}")))


def test_order_and_places_stay() -> None:
    """Each element has its own findings, in the order of the assertions."""
    found = rules_found({"R1": "true()", "R2": "false()", "R3": "self::*[not(. = '2')]"})
    assert found == ["R2", "R2", "R2", "R3", "R2"]


def test_a_test_may_be_any_expression() -> None:
    """Commas, comments, `else`, quantifiers and current() mean what they meant."""
    found = rules_found(
        {
            "R1": "(), current()/@id",
            "R2": "if (@id) then false() else true()",
            "R3": "every $each in * satisfies $each != '2' (: a remark :)",
            "R4": "count(*[. = current()/*]) = 3",
        }
    )
    assert found == ["R2", "R3", *(["R1", "R4"] * 3)]


def test_more_than_go_into_one_expression() -> None:
    """Long rules are cut into pieces; nothing falls between them."""
    found = rules_found({f"R{number}": "@id" for number in range(250)})
    assert found == [f"R{number}" for number in range(250)] * 3


def test_a_test_that_fails_has_no_answer() -> None:
    """A failing expression fails the whole, as it does as shipped."""
    shipped, found = BothWays(
        stylesheet([Rule("*", {"R1": "false()", "R2": "xs:integer(string(@id)) = 1"})])
    ).answers(DOCUMENT)
    assert isinstance(shipped, str)
    assert found == shipped


@pytest.mark.parametrize("pack", ["en16931-ubl", "facturx-extended", "extended-ctc-fr-cii"])
def test_official_packs_get_smaller(pack: str) -> None:
    """Of their assertions hardly any keeps an instruction of its own, and none is lost."""
    written = rewriting(official(pack))
    root = etree.fromstring(written.stylesheet, etree.XMLParser(huge_tree=True))
    told = len(written.sayings)
    assert len(list(root.iter(f"{X}when"))) < told / 4
    selects = " ".join(each.get("select") or "" for each in root.iter(f"{X}sequence"))
    selects = selects.replace(") return", ",")
    alone = {each.get("n") for each in root.iter("{*}f")}
    for number in range(told):
        said = f"then {number} else" in selects or f"else {number}," in selects
        assert said or str(number) in alone


def test_nothing_to_say_together_is_left_as_it_is() -> None:
    """No function is added that nobody calls."""
    root = etree.fromstring(f'<xsl:stylesheet version="2.0" xmlns:xsl="{XSL}"/>')
    assert say_together(root) == 0
    assert len(root) == 0
