"""Attachments kept away from the rules: only where no rule could tell, and then nobody can."""

from __future__ import annotations

import base64
import itertools
import random

import msgspec
import pytest
from lxml import etree

from gateway.core import attachments
from gateway.core.attachments import Attachments
from gateway.core.pipeline import Judge
from gateway.core.reading import names_read
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.schematron.preparation import prepared, rewriting, stylesheets
from gateway.core.schematron.runner import RulePacks
from gateway.core.xml import ParsedXml, new_parser, parse
from gateway.errors import RulePackError
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Accepted, Finding
from gateway.samples import sample_bytes
from tests.core.test_pipeline import FLOW, job
from tests.mutations import mutants, vocabulary

CATALOGUE = Catalogue.load()
CONTENT = base64.encodebytes(random.Random(1).randbytes(90_000)).decode()
NAMES = {
    "ubl": {
        *("Attachment", "AdditionalDocumentReference", "Invoice", "CreditNote"),
        "EmbeddedDocumentBinaryObject",
    },
    "cii": {
        *("AttachmentBinaryObject", "AdditionalReferencedDocument", "CrossIndustryInvoice"),
        *("ApplicableHeaderTradeAgreement", "SupplyChainTradeTransaction"),
    },
}
"""Attachments, and what may be around them."""


def _syntax(pack: str) -> str | None:
    syntax = CATALOGUE.pack(pack).syntax
    return syntax.value if syntax else None


def ubl(content: str = CONTENT) -> bytes:
    """The good UBL invoice with an attachment (BT-125) on line 9 and after."""
    attached = (
        "<cac:AdditionalDocumentReference><cbc:ID>A-1</cbc:ID><cac:Attachment>"
        '<cbc:EmbeddedDocumentBinaryObject mimeCode="application/pdf" filename="a>b.pdf">'
        f"{content}</cbc:EmbeddedDocumentBinaryObject></cac:Attachment>"
        "</cac:AdditionalDocumentReference>\n<cac:AccountingSupplierParty>"
    )
    text = sample_bytes("ubl-invoice.xml").decode()
    return text.replace("<cac:AccountingSupplierParty>", attached, 1).encode()


def cii(content: str = CONTENT) -> bytes:
    """The good CII invoice with one."""
    attached = (
        "<ram:AdditionalReferencedDocument><ram:IssuerAssignedID>A-1</ram:IssuerAssignedID>"
        "<ram:TypeCode>916</ram:TypeCode>"
        '<ram:AttachmentBinaryObject mimeCode="application/pdf" filename="a.pdf">'
        f"{content}</ram:AttachmentBinaryObject></ram:AdditionalReferencedDocument>"
        "</ram:ApplicableHeaderTradeAgreement>"
    )
    text = sample_bytes("cii-invoice.xml").decode()
    return text.replace("</ram:ApplicableHeaderTradeAgreement>", attached, 1).encode()


def read(data: bytes) -> ParsedXml:
    """The document, parsed."""
    found = parse(data, DocumentLimits())
    assert isinstance(found, ParsedXml)
    return found


def official(pack: str) -> tuple[str, ...]:
    """All that may be run for an official pack."""
    return stylesheets(CATALOGUE.artefact(pack))


def kept_away(data: bytes, *packs: str) -> ParsedXml:
    """The document after official packs were looked at for it."""
    parsed = read(data)
    Attachments(official).keep_away(parsed, packs)
    return parsed


@pytest.mark.parametrize("pack", [name for name in CATALOGUE.names() if _syntax(name) in NAMES])
def test_no_official_pack_reads_an_attachment(pack: str) -> None:
    """Neither as shipped nor rewritten, and both read the same elements."""
    try:
        artefact = CATALOGUE.artefact(pack)
    except RulePackError:
        pytest.skip(f"{pack} is not imported here")
    shipped = names_read(prepared(artefact)[0])
    assert shipped == names_read(rewriting(artefact).stylesheet)
    assert len(shipped) > 5
    assert shipped.isdisjoint(NAMES[_syntax(pack) or ""] | {"*"})


@pytest.mark.parametrize(
    ("data", "packs"),
    [
        (ubl(), ("en16931-ubl", "br-fr-flux2-ubl", "b2g-ubl")),
        (cii(), ("br-fr-flux2-cii", "extended-ctc-fr-cii", "facturx-en16931", "b2g-cii")),
    ],
    ids=["ubl", "cii"],
)
def test_the_packs_get_the_beginning_of_it_and_everybody_else_the_whole(
    data: bytes, packs: tuple[str, ...]
) -> None:
    """What is left is not empty, and nothing but the text is shorter."""
    parsed = kept_away(data, *packs)
    assert parsed.data == data
    lighter = etree.fromstring(parsed.for_rules, new_parser())
    changed = []
    for before, after in itertools.zip_longest(parsed.root.iter(), lighter.iter("*")):
        assert (before.tag, dict(before.attrib)) == (after.tag, dict(after.attrib))
        if before.text != after.text:
            changed.append((before.text, after.text))
    assert changed == [(CONTENT, CONTENT[:4])]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (CONTENT[:2000], "light"),
        (CONTENT + "&#13;", "no plain base64"),
        (f"{CONTENT}<!-- -->{CONTENT}", "a comment inside"),
        (f"<![CDATA[{CONTENT}]]>", "CDATA"),
        (" " * 200_000, "white space"),
    ],
    ids=lambda value: value if len(value) < 20 else "",
)
def test_what_is_not_plainly_base64_stays(content: str, why: str) -> None:
    """Nobody guesses."""
    assert kept_away(ubl(content), "en16931-ubl").for_rules == ubl(content), why


@pytest.mark.parametrize(
    "wrapping", ["<!--{}-->", "<cbc:Note><![CDATA[{}]]></cbc:Note>", "<?x {}?>"]
)
def test_what_only_looks_like_an_attachment_stays(wrapping: str) -> None:
    """Comments, CDATA and processing instructions hold text, whatever it looks like."""
    inner = f"<cbc:EmbeddedDocumentBinaryObject>{CONTENT}</cbc:EmbeddedDocumentBinaryObject>"
    text = sample_bytes("ubl-invoice.xml").decode()
    data = text.replace("<cbc:Note>", wrapping.format(inner) + "<cbc:Note>", 1).encode()
    assert kept_away(data, "en16931-ubl").for_rules == data


def test_an_attachment_in_an_element_that_is_read_stays() -> None:
    """Wherever the document has it: what counts is what is around it there."""
    element = f"<cbc:EmbeddedDocumentBinaryObject>{CONTENT}</cbc:EmbeddedDocumentBinaryObject>"
    for around in ("cbc:ID", "cbc:TaxableAmount", "cbc:OddAmount"):
        text = sample_bytes("ubl-invoice.xml").decode()
        at = text.index("<cac:AccountingSupplierParty>")
        data = f"{text[:at]}<{around}>{element}</{around}>{text[at:]}".encode()
        assert kept_away(data, "en16931-ubl").for_rules == data
        assert len(kept_away(data, "b2g-ubl").for_rules) < len(data) or around == "cbc:ID"


def test_a_pack_that_cannot_be_read_keeps_it_whole() -> None:
    """It cannot be run either, and others must not be told less for it."""

    def missing(pack: str) -> tuple[str, ...]:
        raise RulePackError("It is not there.")

    parsed = read(ubl())
    Attachments(missing).keep_away(parsed, ["gone"])
    assert parsed.for_rules == parsed.data


def test_the_judgement_is_that_on_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Findings, places, canonical invoice with the attachment's sum: everything but the times."""
    judgements = []
    for heavy in (100_000, 10**9):
        monkeypatch.setattr(attachments, "HEAVY", heavy)
        judge = Judge((FLOW,), CATALOGUE, DocumentLimits())
        for data in (ubl(), ubl().replace(b"EUR", b"EURO"), ubl().replace(b"FA-2026", b"?")):
            judged = judge.judge(job(data), data)
            judgements.append(msgspec.structs.replace(judged, timings_ms={}))
    assert judgements[:3] == judgements[3:]
    assert isinstance(judgements[0].verdict, Accepted)
    assert judgements[1].findings


def said(packs: RulePacks, pack: str, parsed: ParsedXml) -> tuple[Finding, ...] | str:
    """What a pack finds, or why it fails."""
    try:
        return packs.run(pack, parsed)
    except RulePackError as error:
        return str(error)


@pytest.mark.parametrize(
    ("data", "pack"),
    [
        (ubl(), "en16931-ubl"),
        (ubl(), "br-fr-flux2-ubl"),
        (ubl(), "b2g-ubl"),
        (cii(), "br-fr-flux2-cii"),
        (cii(), "facturx-extended"),
        (cii(), "b2g-cii"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_damaged_invoices_get_the_same_findings(data: bytes, pack: str) -> None:
    """In the same order, at the same places, whether the attachment is there or kept away."""
    packs, keeping = RulePacks(CATALOGUE), Attachments(official)
    words = vocabulary([prepared(CATALOGUE.artefact(pack))[0].encode()])
    away = found = 0
    for mutant in mutants(data, words, seed=f"attachments/{pack}", count=40):
        whole = parse(mutant, DocumentLimits())
        parsed = parse(mutant, DocumentLimits())
        if isinstance(whole, Finding) or isinstance(parsed, Finding):
            continue
        keeping.keep_away(parsed, [pack])
        away += len(parsed.for_rules) < len(parsed.data)
        seen = said(packs, pack, parsed)
        found += len(seen)
        assert seen == said(packs, pack, whole)
    assert away > 15
    assert found > 50
