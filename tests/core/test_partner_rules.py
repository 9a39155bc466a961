"""Schematron beside a flow judges in the chain, and reaches nothing but the document."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.core.pipeline import Judge
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.schematron.locked import LockedSaxon, saxon_error
from gateway.core.schematron.partners import PartnerPacks
from gateway.core.schematron.source import read_source
from gateway.core.xml import ParsedXml, parse
from gateway.errors import RulePackError
from gateway.model.flow import Chain, Flow, PartnerRules
from gateway.model.interchange import Syntax
from gateway.model.job import DocumentLimits, JudgeJob
from gateway.model.verdict import Accepted, Judgement, Rejected, Severity, Undetermined
from gateway.samples import sample_bytes
from tests import mini_packs
from tests.schematron_sources import NAME, UBL, pattern, rule, rules

ORDER_NUMBER = rule(
    "ubl:Invoice/cac:OrderReference/cbc:ID",
    '<assert id="ACME-1" flag="{flag}" test="starts-with(., \'PO\')">The order number (BT-13) is '
    '<value-of select="."/>, not one of ours.</assert>',
)


def raw(instruction: str, *, declarations: str = "") -> PartnerRules:
    """Rules whose stylesheet was never looked at: what the processor alone holds back."""
    stylesheet = f"""<xsl:stylesheet version="3.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
      xmlns:svrl="http://purl.oclc.org/dsdl/svrl" xmlns:fn="http://www.w3.org/2005/xpath-functions"
      {declarations}><xsl:template match="/"><svrl:schematron-output><svrl:fired-rule context="/"/>
      <svrl:failed-assert id="LEAK" test="x" location="/"><svrl:text>[{instruction}]</svrl:text>
      </svrl:failed-assert></svrl:schematron-output></xsl:template></xsl:stylesheet>"""
    return PartnerRules(name=NAME, title="", version="1", sha256="0" * 64, stylesheet=stylesheet)


def parsed(data: bytes = mini_packs.DOCUMENT) -> ParsedXml:
    """A document."""
    found = parse(data, DocumentLimits())
    assert isinstance(found, ParsedXml)
    return found


def judged(partner: PartnerRules, data: bytes, *official: str) -> Judgement:
    """The judgement of a flow with these rules at its end."""
    chain = Chain(syntax=Syntax.UBL, schema="ubl-2.1", rules=(*official, NAME))
    flow = Flow(name="acme", chain=(chain,), partner_rules=(partner,))
    job = JudgeJob(
        path="/nowhere",
        name="x.xml",
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        partner=None,
        partner_flows=None,
        on=dt.date(2026, 10, 1),
    )
    return Judge((flow,), Catalogue.load(), DocumentLimits()).judge(job, data)


def test_a_partner_rule_rejects_after_the_official_ones(tmp_path: Path) -> None:
    """Its finding names it as the pack, stands at its line, and the judgement holds its sum."""
    partner = rules(tmp_path, UBL + pattern(ORDER_NUMBER.format(flag="fatal")))

    judgement = judged(partner, sample_bytes("ubl-invoice.xml"), "en16931-ubl")

    assert isinstance(judgement.verdict, Rejected)
    (finding,) = judgement.verdict.findings
    assert (finding.rule, finding.pack, finding.severity) == ("ACME-1", NAME, Severity.ERROR)
    assert finding.location == "/Invoice/cac:OrderReference[1]/cbc:ID[1]"
    lines = sample_bytes("ubl-invoice.xml").decode().splitlines()
    assert finding.line is not None
    assert "<cbc:ID>" in lines[finding.line - 1]
    assert finding.terms == ("BT-13",)
    assert [reference.pack for reference in judgement.rules] == ["en16931-ubl", NAME]
    assert judgement.rules[1].sha256 == partner.sha256


def test_a_warning_of_a_partner_rule_accepts(tmp_path: Path) -> None:
    """As one of an official rule does."""
    partner = rules(tmp_path, UBL + pattern(ORDER_NUMBER.format(flag="warning")))

    verdict = judged(partner, sample_bytes("ubl-invoice.xml")).verdict

    assert isinstance(verdict, Accepted)
    assert [finding.rule for finding in verdict.findings] == ["ACME-1"]


@pytest.mark.parametrize(
    ("test", "says"),
    [
        ("xs:date(.) gt xs:date('2026-01-01')", "failed on this document"),
        ("$nowhere = 1", "do not compile"),
    ],
)
def test_a_partner_rule_that_cannot_run_leaves_the_document_undetermined(
    tmp_path: Path, test: str, says: str
) -> None:
    """Never accepted; and the operator reads which rules, why, and what to do."""
    body = UBL + pattern(rule("/ubl:Invoice/cbc:ID", f'<assert id="A" test="{test}">x</assert>'))

    verdict = judged(rules(tmp_path, body), sample_bytes("ubl-invoice.xml")).verdict

    assert isinstance(verdict, Undetermined)
    assert f"{NAME} {says}" in verdict.cause
    assert "edi-gateway check" in verdict.remedy


def test_rules_about_the_other_syntax_do_not_count_as_obeyed(tmp_path: Path) -> None:
    """None of what they are about can occur in the document."""
    body = '<ns prefix="ram" uri="urn:x"/>' + pattern(
        rule("ram:ID", '<assert id="A" test="false()">x</assert>')
    )

    verdict = judged(rules(tmp_path, body), sample_bytes("ubl-invoice.xml")).verdict

    assert isinstance(verdict, Undetermined)
    assert "nothing was checked" in verdict.cause
    assert "NAME.ubl.sch" in verdict.remedy


def test_rules_that_were_not_read_with_the_flows() -> None:
    """A name alone is no rule."""
    with pytest.raises(RulePackError, match="not read with the flows"):
        PartnerPacks(()).run(NAME, parsed())


def test_the_report_of_partner_rules(tmp_path: Path) -> None:
    """Standard SVRL, as for official packs."""
    partner = rules(tmp_path, pattern(rule("p:line", '<assert id="A" test="false()">x</assert>')))

    report = PartnerPacks((partner,)).svrl(NAME, parsed()).decode()

    assert report.count("<svrl:failed-assert") == 2
    assert "<svrl:fired-rule" in report


SECRET = "a-secret-of-the-machine"
READS = {
    "document": "document('file://{file}')",
    "doc": "doc('file://{file}')",
    "doc, relative": "doc('{name}')",
    "unparsed-text": "unparsed-text('file://{file}')",
    "unparsed-text-lines": "unparsed-text-lines('file://{file}')",
    "json-doc": "json-doc('file://{file}')",
    "collection": "collection('file://{folder}')",
    "uri-collection": "uri-collection('file://{folder}')",
    "document(''), the stylesheet": "document('')",
    "data URI": "unparsed-text('data:text/plain,x')",
    "jar URI": "unparsed-text('jar:file://{file}!/x')",
    "found by name": "function-lookup(xs:QName('fn:unparsed-text'), 1)('file://{file}')",
    "XQuery": "load-xquery-module('x', map{{'location-hints': 'file://{file}'}})?functions",
    "an entity": "parse-xml('&lt;!DOCTYPE x [&lt;!ENTITY e SYSTEM &quot;file://{file}&quot;>]>"
    "&lt;x>&amp;e;&lt;/x>')",
    "a document type": "parse-xml('&lt;!DOCTYPE x SYSTEM &quot;file://{file}&quot;>&lt;x/>')",
    "by transform": "transform(map{{'stylesheet-location': 'file://{file}'}})",
    "Java": "Q{{java:java.lang.System}}getenv('EDI_SECRET')",
    "Java, old": "jt:getenv('EDI_SECRET')",
    "Saxon": "saxon:serialize(., 'xml')",
    "EXPath file": "Q{{http://expath.org/ns/file}}read-text('{file}')",
}


@pytest.mark.parametrize("way", READS)
def test_no_file_is_read_whatever_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """The processor refuses by itself, also what the reader of Schematron would have refused."""
    secret = tmp_path / "secret.xml"
    secret.write_text(f"<secret>{SECRET}</secret>")
    call = READS[way].format(file=secret, name=secret.name, folder=tmp_path)
    partner = raw(
        f'<xsl:value-of select="{call}"/>',
        declarations='xmlns:xs="http://www.w3.org/2001/XMLSchema" '
        'xmlns:saxon="http://saxon.sf.net/" xmlns:jt="http://saxon.sf.net/java-type"',
    )
    monkeypatch.chdir(tmp_path)

    with pytest.raises(RulePackError) as caught:
        PartnerPacks((partner,)).run(NAME, parsed())

    assert SECRET not in str(caught.value)


ANSWERS_NOTHING = {
    "environment-variable": "environment-variable('EDI_SECRET')",
    "all of them": "available-environment-variables()",
    "found by name": "function-lookup(xs:QName('fn:environment-variable'), 1)('EDI_SECRET')",
    "the user": "system-property('user.home')",
    "the system": "system-property('os.name')",
    "doc-available": "doc-available('file://{file}')[.]",
    "doc-available, http": "doc-available('http://127.0.0.1:{port}/')[.]",
    "stream-available": "stream-available('file://{file}')[.]",
    "Java is not there": "function-available('jt:getenv', 1)[.]",
    "unparsed-text-available": "unparsed-text-available('file://{file}')[.]",
}


@pytest.mark.parametrize("way", ANSWERS_NOTHING)
def test_the_environment_answers_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """No variable, no property of the machine, not even whether a file is there."""
    monkeypatch.setenv("EDI_SECRET", SECRET)
    file = tmp_path / "secret.xml"
    file.write_text("<x/>")
    call = ANSWERS_NOTHING[way].format(file=file, port=9)
    partner = raw(
        f'<xsl:value-of select="{call}"/>',
        declarations='xmlns:xs="http://www.w3.org/2001/XMLSchema" '
        'xmlns:jt="http://saxon.sf.net/java-type"',
    )

    (finding,) = PartnerPacks((partner,)).run(NAME, parsed())

    assert finding.message == "[]"


PROGRAM = """
from saxonche import PySaxonProcessor
from tests.core.test_partner_rules import NAME, PartnerPacks, parsed, raw

partner = raw('''<xsl:value-of select="environment-variable('EDI_SECRET')"/>''')
print(PartnerPacks((partner,)).run(NAME, parsed())[0].message)
unlocked = PySaxonProcessor(license=False)
node = unlocked.parse_xml(xml_text="<x/>")
executable = unlocked.new_xslt30_processor().compile_stylesheet(stylesheet_text=partner.stylesheet)
print("[a-secret-of-the-machine]" in executable.transform_to_string(xdm_node=node))
"""


def test_environment_variables_of_the_process_are_not_seen_either() -> None:
    """Saxon reads the variables a process was started with; without the lock, a rule does, too."""
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | {"EDI_SECRET": SECRET},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert found.stdout.split() == ["[]", "True"]


INSTRUCTIONS = {
    "result-document": '<xsl:result-document href="file://{file}"><x/></xsl:result-document>',
    "evaluate": "<xsl:evaluate xpath=\"'1 + 1'\"/>",
    "source-document": '<xsl:source-document href="file://{file}"><x/></xsl:source-document>',
    "message": '<xsl:message terminate="yes">stop</xsl:message>',
}


@pytest.mark.parametrize("way", INSTRUCTIONS)
def test_instructions_that_would_reach_out(tmp_path: Path, way: str) -> None:
    """Nothing is written, nothing computed is run, nothing else read."""
    written_file = tmp_path / "out.xml"
    partner = raw(INSTRUCTIONS[way].format(file=written_file))

    with pytest.raises(RulePackError):
        PartnerPacks((partner,)).run(NAME, parsed())

    assert not written_file.exists()


@pytest.mark.parametrize("instruction", ["import", "include"])
def test_no_stylesheet_is_fetched(tmp_path: Path, instruction: str) -> None:
    """Neither of the two ways XSLT has to say that another file is part of it."""
    other = tmp_path / "other.xsl"
    other.write_text(
        '<xsl:stylesheet version="3.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"/>'
    )
    stylesheet = raw("x").stylesheet.replace(
        "<xsl:template", f'<xsl:{instruction} href="file://{other}"/><xsl:template', 1
    )

    with pytest.raises(saxon_error()):
        LockedSaxon().compile(stylesheet)


def test_the_example_of_the_guide(tmp_path: Path) -> None:
    """docs/configuration.md shows Schematron that runs, and finds what the text says it does."""
    guide = Path(__file__).parents[2] / "docs" / "configuration.md"
    chapter = guide.read_text().split("### Rules of your own")[1]
    file = tmp_path / "house.sch"
    file.write_text(chapter.split("```xml\n")[1].split("```")[0])
    source = read_source(file)
    partner = PartnerRules(
        name=NAME,
        title=source.title,
        version=source.release,
        sha256=source.sha256,
        stylesheet=source.stylesheet,
    )
    invoice = sample_bytes("ubl-invoice.xml")

    found = PartnerPacks((partner,)).run(NAME, parsed(invoice))

    assert source.title == "What ACME asks of its suppliers"
    assert [(each.rule, each.severity) for each in found] == [("ACME-1", Severity.ERROR)]
    order = "4500123456"
    mended = invoice.replace(b"<cbc:ID>CDE-88213", f"<cbc:ID>{order}".encode())
    assert PartnerPacks((partner,)).run(NAME, parsed(mended)) == ()
