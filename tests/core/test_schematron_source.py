"""Schematron source becomes XSLT that finds what the source says."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from gateway.core.schematron.compiler import rewrite
from gateway.core.schematron.inventory import assertions
from gateway.core.schematron.locked import LockedSaxon
from gateway.core.schematron.source import compile_source, read_source
from gateway.core.schematron.svrl import violations
from gateway.errors import RulePackError
from gateway.model.verdict import Severity
from tests import mini_packs
from tests.schematron_sources import fired, pattern, rule, written


def rules_of(path: Path, **options: str) -> list[str]:
    """The rules that fired, in order."""
    return [violation.rule for violation in fired(path, **options)]  # type: ignore[arg-type]


def test_an_assert_fails_and_a_report_succeeds_where_its_test_says(tmp_path: Path) -> None:
    """Both say where, with the values of the node they are about."""
    path = written(
        tmp_path,
        pattern(
            rule(
                "p:amount",
                '<assert id="A" test=". &gt; 0"><name/> is <emph>below</emph> 0:\n'
                ' <value-of select="."/> of <name path=".."/> {%}</assert>'
                '<report id="R" test=". = 5">Five.</report>',
            )
        ),
    )

    report, failed = fired(path)

    assert (report.rule, report.text) == ("R", "Five.")
    assert (failed.rule, failed.text) == ("A", "p:amount is below 0: -7 of p:line {%}")
    assert failed.location == (
        "/*:order[namespace-uri()='urn:test:order'][1]/*:line[namespace-uri()='urn:test:part'][2]"
        "/*:amount[namespace-uri()='urn:test:part'][1]"
    )


def test_a_node_belongs_to_the_first_rule_of_a_pattern_that_wants_it(tmp_path: Path) -> None:
    """Later rules of the same pattern do not see it; those of another pattern do."""
    path = written(
        tmp_path,
        pattern(
            rule("p:line[1]", '<assert id="A" test="false()">x</assert>')
            + rule("p:line", '<assert id="B" test="false()">x</assert>')
            + rule("p:*", '<assert id="C" test="self::p:total or self::p:amount">x</assert>')
        )
        + pattern(rule("p:line", '<assert id="D" test="false()">x</assert>')),
    )

    assert rules_of(path) == ["A", "B", "D", "D"]


@pytest.mark.parametrize(
    ("context", "found"),
    [("/", 1), ("/*", 1), ("//p:amount", 2), ("o:order/p:line[2]", 1), ("@currency", 1),
     ("p:total/@*", 1), ("p:amount/text()", 2), ("p:total | p:line", 3), ("p:missing", 0)],
)  # fmt: skip
def test_contexts_reach_every_kind_of_node(tmp_path: Path, context: str, found: int) -> None:
    """The document, elements, attributes and text can be the context of a rule."""
    path = written(tmp_path, pattern(rule(context, '<assert id="A" test="false()">x</assert>')))

    assert len(fired(path)) == found


def test_the_place_of_an_attribute_and_a_subject(tmp_path: Path) -> None:
    """An attribute is named as locations reads it; a subject moves the finding elsewhere."""
    path = written(
        tmp_path,
        pattern(
            rule("@currency", '<assert id="A" test="false()">x</assert>')
            + rule("o:order", '<assert id="B" subject="p:line[2]" test="false()">x</assert>')
        ),
    )

    order, currency = sorted(fired(path), key=lambda violation: violation.rule, reverse=True)

    assert currency.location.endswith("/@*[local-name()='currency' and namespace-uri()='']")
    assert order.location.endswith("/*:line[namespace-uri()='urn:test:part'][2]")


@pytest.mark.parametrize(
    ("attributes", "severity"),
    [
        ("", Severity.ERROR),
        ('flag="fatal"', Severity.ERROR),
        ('role="error"', Severity.ERROR),
        ('role="Warning"', Severity.WARNING),
        ('flag="warn"', Severity.WARNING),
        ('flag="information"', Severity.INFO),
        ('role="info"', Severity.INFO),
        ('flag="whatever"', Severity.ERROR),
        ('flag="checked" role="warning"', Severity.WARNING),
        ('flag="fatal" role="warning"', Severity.ERROR),
    ],
)
def test_severities(tmp_path: Path, attributes: str, severity: Severity) -> None:
    """Flag, else role, says how grave; a word that is not known is an error."""
    body = pattern(rule("o:order", f'<assert id="A" {attributes} test="false()">x</assert>'))

    (found,) = fired(written(tmp_path, body))

    assert found.severity is severity


def test_a_rule_lends_its_role_to_the_assertions_that_have_none(tmp_path: Path) -> None:
    """Their own word counts when there is one."""
    body = pattern(
        '<rule context="o:order" role="warning"><assert id="A" test="false()">x</assert>'
        '<assert id="B" flag="error" test="false()">x</assert></rule>'
    )

    assert [each.severity for each in fired(written(tmp_path, body))] == [
        Severity.WARNING,
        Severity.ERROR,
    ]


def test_variables_at_every_level(tmp_path: Path) -> None:
    """Schema, phase, pattern and rule; each sees those around it, and a tree can be a value."""
    body = (
        '<let name="base" value="10"/><let name="codes"><c xmlns="">{EUR}</c></let>'
        '<phase id="all"><let name="extra" value="$base + 1"/><active pattern="one"/></phase>'
        + pattern(
            '<let name="lines" value="count(//p:line)"/>'
            + rule(
                "p:total",
                '<let name="twice" value="$lines * 2"/><let name="sum" value="$twice + $extra"/>'
                '<report id="A" test="$sum = 15"><value-of select="$sum, $codes/c"/></report>',
            ),
            'id="one"',
        )
    )

    (found,) = fired(written(tmp_path, body), phase="all")

    assert found.text == "15 {EUR}"


def test_patterns_may_give_the_same_name_to_their_variables(tmp_path: Path) -> None:
    """Each means its own, and no string or comment that looks like one is touched."""
    body = '<let name="x" value="0"/>' + "".join(
        pattern(
            f'<let name="x" value="{number}"/>'
            + rule(
                "o:order",
                f'<let name="y" value="$x + 1 (: $x :)"/><report id="A" test="$y = {number} + 1">'
                "<value-of select=\"'$x is', for $x in $x return $x\"/></report>",
            )
        )
        for number in (3, 4)
    )
    of_the_schema = '<report id="B" test="true()"><value-of select="$x"/></report>'
    body += pattern(rule("o:order", of_the_schema))

    assert [found.text for found in fired(written(tmp_path, body))] == ["$x is 3", "$x is 4", "0"]


def test_phases_choose_patterns(tmp_path: Path) -> None:
    """The default phase when none is asked for; #ALL is all; a phase that is not there is said."""
    body = (
        '<phase id="first"><active pattern="a"/></phase><phase id="second"><active pattern="b"/>'
        "</phase>"
        + pattern(rule("o:order", '<assert id="A" test="false()">x</assert>'), 'id="a"')
        + pattern(rule("o:order", '<assert id="B" test="false()">x</assert>'), 'id="b"')
    )
    path = written(tmp_path, body, 'defaultPhase="first"')

    assert rules_of(path) == ["A"]
    assert rules_of(path, phase="second") == ["B"]
    assert rules_of(path, phase="#ALL") == ["A", "B"]
    with pytest.raises(RulePackError, match="no phase 'third'") as caught:
        compile_source(path, phase="third")
    assert "#ALL, first, second" in caught.value.remedy


def test_abstract_patterns_and_their_parameters(tmp_path: Path) -> None:
    """A parameter stands for text in expressions, whole names only; it may have a default."""
    body = (
        '<pattern abstract="true" id="positive"><param name="what" value="p:none"/>'
        '<param name="least" value="0"/>'
        + rule(
            "$what",
            '<let name="whatever" value="number(.)"/>'
            '<assert id="A" test="$whatever &gt;= $least"><value-of select=". - $least"/></assert>',
        )
        + "</pattern>"
        '<pattern is-a="positive" id="lines"><param name="what" value="p:amount"/></pattern>'
        '<pattern is-a="positive" id="more"><param name="what" value="p:amount"/>'
        '<param name="least" value="6"/></pattern>'
    )

    assert [found.text for found in fired(written(tmp_path, body))] == ["-7", "-1", "-13"]


def test_abstract_rules_are_extended_with_all_they_hold(tmp_path: Path) -> None:
    """Their variables, assertions, and what they extend themselves; also with parameters."""
    body = (
        '<pattern><rule abstract="true" id="base"><assert id="A" test="$n &gt; 5">x</assert></rule>'
        '<rule abstract="true" id="more"><extends rule="base"/><let name="m" value="$n"/>'
        '<assert id="B" test="$m = 5">x</assert></rule>'
        + rule("p:amount", '<let name="n" value="number(.)"/><extends rule="more"/>')
        + "</pattern>"
    )

    assert rules_of(written(tmp_path, body)) == ["A", "A", "B"]


def test_keys_and_functions_of_xslt(tmp_path: Path) -> None:
    """xsl:key and xsl:function of the schema, with the prefixes that stand around them."""
    body = (
        '<ns prefix="f" uri="urn:test:f"/>'
        '<xsl:key name="by" match="p:line" use="p:amount"/>'
        '<xsl:function name="f:half" xmlns:n="http://www.w3.org/2001/XMLSchema" as="n:decimal">'
        '<xsl:param name="of"/><xsl:sequence select="n:decimal($of) div 2"/></xsl:function>'
        + pattern(
            rule(
                "o:order",
                "<report id=\"A\" test=\"exists(key('by', '-7'))\">"
                '<value-of select="f:half(5)"/></report>',
            )
        )
    )

    (found,) = fired(written(tmp_path, body))

    assert found.text == "2.5"


def test_diagnostics_follow_the_text(tmp_path: Path) -> None:
    """They are carried as diagnostic references, and read as part of what is said."""
    body = (
        pattern(rule("p:total", '<assert id="A" diagnostics="d e" test="false()">No.</assert>'))
        + '<diagnostics><diagnostic id="e">Ask us.</diagnostic><diagnostic id="d">It is '
        '<value-of select="."/>.</diagnostic></diagnostics>'
    )

    (found,) = fired(written(tmp_path, body))

    assert found.text == "No. It is 12€. Ask us."


def test_none_of_the_elements_a_rule_is_about_is_an_answer(tmp_path: Path) -> None:
    """A document of the namespaces that the contexts name was checked; one of others was not."""
    path = written(
        tmp_path, pattern(rule("p:discount", '<assert id="A" test="false()">x</assert>'))
    )

    assert fired(path) == ()
    with pytest.raises(RulePackError, match="nothing was checked"):
        fired(path, b'<o:order xmlns:o="urn:test:order"/>')


def test_newer_xpath_is_understood(tmp_path: Path) -> None:
    """XPath 3.1 under the binding xslt3."""
    path = tmp_path / "x.sch"
    path.write_text(
        '<schema xmlns="http://purl.oclc.org/dsdl/schematron" queryBinding="xslt3"><pattern>'
        '<rule context="*:order"><report id="A" test="let $m := map{\'a\': 1} return $m?a = 1">'
        "x</report></rule></pattern></schema>"
    )

    assert rules_of(path) == ["A"]


def test_the_optimiser_reads_it_and_finds_the_same(tmp_path: Path) -> None:
    """What is written has the shape of a compiled pack: rewritten, it says the same in order."""
    path = written(
        tmp_path,
        pattern(
            rule("p:line[1]", '<assert id="A" test="false()">x</assert>')
            + rule("p:line", '<assert id="B" flag="warning" test="false()">x</assert>')
        )
        + pattern(rule("p:amount", '<report id="C" test=". = 5"><name/></report>')),
    )
    stylesheet = compile_source(path)
    rewriting = rewrite(stylesheet)
    saxon = LockedSaxon()
    executable = saxon.compile(rewriting.stylesheet)
    node = saxon.processor().parse_xml(xml_text=mini_packs.DOCUMENT.decode())

    assert rewriting.as_shipped == ""
    report = executable.transform_to_string(xdm_node=node).encode()
    assert violations(report, rewriting.sayings) == fired(path)
    assert [each.rule for each in assertions(stylesheet.encode())] == ["A", "B", "C"]


def test_the_sum_of_a_single_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    """So that sha256sum shows the same; the schema's own version is told."""
    body = pattern(rule("o:order", '<assert test="true()">x</assert>'))
    path = written(tmp_path, "<title> House\n rules </title>" + body, 'schemaVersion="3"')

    source = read_source(path)

    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (source.title, source.release, source.file) == ("House rules", "3", "house.sch")


def test_elements_of_other_namespaces_are_notes(tmp_path: Path) -> None:
    """Documentation may stand anywhere; in a text it is read as text."""
    note = '<n:note xmlns:n="urn:note">told <n:b>twice</n:b></n:note>'
    body = (
        note
        + '<phase id="x">'
        + note
        + '<active pattern="a"/></phase>'
        + pattern(
            note + rule("o:order", f'{note}<assert id="A" test="false()">It is {note}.</assert>'),
            'id="a"',
        )
    )

    (found,) = fired(written(tmp_path, body), phase="x")

    assert found.text == "It is told twice."
