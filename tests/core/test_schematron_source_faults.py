"""What is wrong with Schematron is said with file, line and remedy, and nothing else is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.core.schematron.source import SourceError, compile_source, read_source
from gateway.errors import Fault
from tests.schematron_sources import HEAD_LINES, fired, pattern, rule, schema, written

GOOD = pattern(rule("o:order", '<assert id="A" test="false()">x</assert>'))


def faults(path: Path) -> tuple[Fault, ...]:
    """What compiling the file objects to."""
    with pytest.raises(SourceError) as caught:
        compile_source(path)
    assert all(fault.what and fault.remedy for fault in caught.value.faults)
    return caught.value.faults


def fault(path: Path) -> Fault:
    """The one fault of a file."""
    (found,) = faults(path)
    return found


def test_every_wrong_expression_is_told_with_its_line(tmp_path: Path) -> None:
    """What the XSLT compiler says about our stylesheet becomes a word about the source."""
    body = """<let name="n" value="1 +"/>
<pattern><rule context="p:line[">
<assert id="A" test="$missing &gt; 1">It is
<value-of select="q:x"/></assert>
</rule><rule context="p:line"><assert id="B"
test="nothing(.)">x</assert></rule></pattern>"""

    found = faults(written(tmp_path, body))

    assert [(each.key, each.what.partition(" is not understood")[0]) for each in found] == [
        (f"line {HEAD_LINES + 1}", "The variable n"),
        (f"line {HEAD_LINES + 2}", "The context of this rule"),
        (f"line {HEAD_LINES + 3}", "Assert A"),
        (f"line {HEAD_LINES + 4}", "This value-of"),
        (f"line {HEAD_LINES + 6}", "Assert B"),
    ]
    assert [each.what.rpartition(" ")[2] for each in found] == [
        "(XPST0003)", "(XTSE0340)", "(XPST0008)", "(XPST0081)", "(XPST0017)",
    ]  # fmt: skip
    assert "<ns" in found[3].remedy
    assert "<let" in found[2].remedy


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('<pattern><rule><assert test="1">x</assert></rule></pattern>', "has no context"),
        (pattern(rule("p:x", "<assert>x</assert>")), "has no test"),
        (pattern(rule("p:x", '<assert test="1"><value-of/></assert>')), "has no select"),
        (GOOD + pattern(rule("p:x", '<asert test="1">x</asert>')), "<asert> has no place"),
        (GOOD + "<patern/>", "<patern> has no place"),
        (pattern(rule("p:x", '<xsl:if test="1"/><assert test="1">x</assert>')), "<xsl:if> has"),
        (pattern('<xsl:variable name="v"/>') + GOOD, "<xsl:variable> has no place"),
        (GOOD + '<xsl:include href="x.xsl"/>', "xsl:include is not taken over"),
        (GOOD + '<xsl:template match="/"/>', "xsl:template is not taken over"),
        (pattern(rule("p:x", '<extends rule="z"/>')), "no abstract rule 'z'"),
        ('<pattern is-a="z"/>', "no abstract pattern 'z'"),
        ('<let name="a" value="1"/><let name="a" value="2"/>' + GOOD, "a stands twice"),
        (pattern(rule("p:x", '<let name="a"/><assert test="1">x</assert>')), "a has no value"),
        (pattern(rule("p:x", '<assert test="1" diagnostics="d">x</assert>')), "no diagnostic 'd'"),
        (GOOD + '<ns prefix="svrl" uri="urn:x"/>', "svrl has another meaning"),
        (GOOD + '<ns prefix="p" uri="urn:x"/>', "p has another meaning"),
        ('<pattern documents="p:x">' + GOOD[9:], "wants to read other documents"),
        (pattern(rule("p:x", '<assert test="1"><xsl:text>x</xsl:text></assert>')), "XSLT stands"),
        ("<title>Nothing</title>", "nothing would be checked"),
    ],
)
def test_what_is_not_understood_is_refused(tmp_path: Path, body: str, says: str) -> None:
    """An element or attribute that is passed over would be a rule that nobody applies."""
    found = faults(written(tmp_path, body))

    assert any(says in each.what for each in found), found
    assert all(each.key.startswith("line ") for each in found)


def test_a_rule_that_extends_itself(tmp_path: Path) -> None:
    """It would go on for ever."""
    body = (
        '<pattern><rule abstract="true" id="a"><extends rule="b"/></rule>'
        '<rule abstract="true" id="b"><extends rule="a"/></rule>'
        + rule("o:order", '<extends rule="a"/><assert test="true()">x</assert>')
        + "</pattern>"
    )

    assert "extends itself" in fault(written(tmp_path, body)).what


def test_rules_that_would_double_at_each_step(tmp_path: Path) -> None:
    """Abstract rules that extend one another twice are not followed for ever."""
    twice = '<extends rule="r{0}"/><extends rule="r{0}"/>'
    steps = "".join(
        f'<rule abstract="true" id="r{number}">{twice.format(number + 1)}</rule>'
        for number in range(40)
    )
    last = '<rule abstract="true" id="r40"><assert test="true()">x</assert></rule>'
    start = rule("o:order", '<extends rule="r0"/>')
    body = f"<pattern>{steps}{last}{start}</pattern>"

    assert "More than" in fault(written(tmp_path, body)).what


@pytest.mark.parametrize("binding", ["", "xslt", "stx"])
def test_other_query_bindings(tmp_path: Path, binding: str) -> None:
    """XPath 1 compares differently: who wrote it must look before it is run as XPath 2."""
    path = tmp_path / "x.sch"
    path.write_text(schema(GOOD).replace('"xslt2"', f'"{binding}"'))

    assert 'queryBinding="xslt2"' in fault(path).remedy


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("<schema", "cut off"),
        ("<!DOCTYPE schema><schema/>", "DOCTYPE"),
        ('<!DOCTYPE s [<!ENTITY e SYSTEM "file:///etc/passwd">]><s>&e;</s>', "DOCTYPE"),
        ("<x/>", "The root element is x"),
        ('<schema xmlns="http://www.ascc.net/xml/schematron"/>', "Schematron 1.5"),
    ],
)
def test_files_that_are_no_schematron(tmp_path: Path, content: str, says: str) -> None:
    """Read as shut as a partner's document."""
    path = tmp_path / "x.sch"
    path.write_text(content)

    found = fault(path)

    assert says.lower() in f"{found.what} {found.remedy}".lower()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Said with its name."""
    assert fault(tmp_path / "x.sch").what == "x.sch cannot be read: there is no such file."


def test_includes_are_relative_to_the_file_that_includes(tmp_path: Path) -> None:
    """Whole files, elements by id, rules by href; and all of them count for the sum."""
    sub = tmp_path / "parts"
    sub.mkdir()
    namespace = 'xmlns="http://purl.oclc.org/dsdl/schematron"'
    (sub / "p.sch").write_text(f'<pattern {namespace}><include href="r.sch"/></pattern>')
    (sub / "r.sch").write_text(
        f'<rule {namespace} context="o:order"><extends href="more.sch#two"/></rule>'
    )
    (sub / "more.sch").write_text(
        f'<rules {namespace}><rule id="one"/><rule id="two"><assert id="A" test="false()">x'
        "</assert></rule></rules>"
    )
    path = written(tmp_path, '<include href="parts/p.sch"/>')

    (found,) = fired(path)

    source = read_source(path)
    assert found.rule == "A"
    assert list(source.contents) == ["house.sch", "parts/p.sch", "parts/r.sch", "parts/more.sch"]
    (sub / "more.sch").write_text((sub / "more.sch").read_text().replace("false()", "1 = 2"))
    assert read_source(path).sha256 != source.sha256


def test_a_fault_in_an_included_file_names_that_file(tmp_path: Path) -> None:
    """With its own line."""
    (tmp_path / "p.sch").write_text(
        '<pattern xmlns="http://purl.oclc.org/dsdl/schematron">\n<rule context="o:order">\n'
        '<assert test="1 +">x</assert></rule></pattern>'
    )

    found = fault(written(tmp_path, '<include href="p.sch"/>'))

    assert (found.file, found.key) == ("p.sch", "line 3")


@pytest.mark.parametrize(
    "href",
    ["../outside.sch", "/etc/passwd", "file:///etc/passwd", "http://127.0.0.1/x.sch", "link.sch",
     "parts/../../outside.sch", "", "#x", "missing.sch", "C:x.sch", "\\\\host\\x.sch"],
)  # fmt: skip
def test_nothing_outside_the_folder_is_included(tmp_path: Path, href: str) -> None:
    """Not by a path, not by a link, not by a URI."""
    folder = tmp_path / "flows"
    (folder / "parts").mkdir(parents=True)
    outside = tmp_path / "outside.sch"
    outside.write_text('<pattern xmlns="http://purl.oclc.org/dsdl/schematron"/>')
    (folder / "link.sch").symlink_to(outside)
    path = written(folder, f'<include href="{href}"/>{GOOD}')

    found = fault(path)

    assert found.key == f"line {HEAD_LINES + 1}"
    assert outside.read_text() not in found.what


def test_includes_that_lead_back(tmp_path: Path) -> None:
    """A file cannot include itself, at whatever distance."""
    namespace = 'xmlns="http://purl.oclc.org/dsdl/schematron"'
    (tmp_path / "a.sch").write_text(f'<pattern {namespace}><include href="b.sch"/></pattern>')
    (tmp_path / "b.sch").write_text(f'<rule {namespace}><include href="a.sch"/></rule>')

    found = faults(written(tmp_path, f'<include href="a.sch"/>{GOOD}'))

    assert any("includes itself" in each.what for each in found)


@pytest.mark.parametrize(
    "call",
    ["document('x')", "doc ('x')", "fn:doc('x')", "unparsed-text('x')", "collection()",
     "environment-variable('HOME')", "doc-available('http://127.0.0.1/')",
     "p:a[1 = (: :) json-doc('x')]", "for-each('x', doc#1)", "transform(map{})"],
)  # fmt: skip
def test_functions_that_reach_beyond_the_document_are_refused(tmp_path: Path, call: str) -> None:
    """They would not run; who writes one is told before, and where."""
    body = pattern(rule("o:order", f'<assert id="A" test="exists({call})">x</assert>'))

    found = fault(written(tmp_path, body))

    assert "no file, network, environment or extension" in found.what
    assert found.what.startswith("Assert A calls ")


def test_names_that_only_look_like_such_functions_are_taken(tmp_path: Path) -> None:
    """In texts, as elements, as functions of the schema's own."""
    body = (
        '<ns prefix="f" uri="urn:test:f"/><xsl:function name="f:doc"><xsl:param name="x"/>'
        '<xsl:sequence select="true()"/></xsl:function>'
        + pattern(
            rule(
                "o:order",
                '<assert id="A" test="f:doc(\'doc(x)\') and not(doc) and not(p:doc[(1)])">'
                "x</assert>",
            )
        )
    )

    assert fired(written(tmp_path, body)) == ()
