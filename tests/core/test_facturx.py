"""Factur-X end to end: from the bytes of a PDF to the verdict of its profile's own rules.

The oracle (tests.facturx_documents) is the official schema and stylesheet, run directly.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
from collections import Counter

import pytest
from lxml import etree

from gateway.config import load_flows
from gateway.core.facts import DocumentFacts, identify
from gateway.core.pipeline import Judge
from gateway.core.routing import chain_for
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.xml import ParsedXml, parse
from gateway.model.flow import Chain, Flow
from gateway.model.interchange import DocumentType, Syntax
from gateway.model.job import DocumentLimits, JudgeJob
from gateway.model.verdict import Finding, Judgement, Layer, Severity, verdict_name
from gateway.samples import sample_bytes
from tests.facturx_documents import (
    FRENCH,
    PROFILES,
    document,
    official,
    schema,
    stylesheet_bytes,
)
from tests.mutations import Vocabulary, mutants, vocabulary
from tests.official_chain import cen_cii_rules
from tests.pdfs import pdf, xmp

ON = dt.date(2026, 11, 2)
"""Release 1.09.2 of the rules for BASIC WL and EN 16931 applies from 1 September 2026."""

FRENCH_FLOW, EUROPEAN_FLOW = "ctc-fr-invoice", "en16931-invoice"
ALL = pytest.mark.parametrize("profile", PROFILES)
SOURCES = pytest.mark.parametrize("source", ["sample", "generated"])
_MUTANTS = 8


@functools.cache
def judge() -> Judge:
    """One judge of the flows that ship."""
    return Judge(load_flows().values(), Catalogue.load(), DocumentLimits())


def judged(
    data: bytes,
    *flows: str,
    layers: tuple[Layer, ...] | None = None,
    on: dt.date = ON,
    of: Judge | None = None,
) -> Judgement:
    """The judgement on a file of a partner that may use these flows."""
    job = JudgeJob(
        path="",
        name="facture.pdf",
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        partner="acme",
        partner_flows=flows,
        on=on,
        layers=layers,
    )
    return (of or judge()).judge(job, data)


def hybrid(profile: str, xml: bytes) -> bytes:
    """A PDF with this invoice, announced as the profile it is."""
    return pdf(("factur-x.xml", xml), metadata=xmp(PROFILES[profile].level))


def chain_of(profile: str, flow: str) -> list[str]:
    """The stylesheets that must judge the profile in that flow."""
    return [PROFILES[profile].rules, *([FRENCH] if flow == FRENCH_FLOW else [])]


def flows_of(profile: str) -> list[str]:
    """The flows that take the profile inside a PDF."""
    if profile == "minimum":
        return [EUROPEAN_FLOW]
    return [FRENCH_FLOW] if profile == "extended-ctc-fr" else [FRENCH_FLOW, EUROPEAN_FLOW]


@ALL
@SOURCES
def test_a_good_document_is_accepted_by_its_own_rules(profile: str, source: str) -> None:
    """Accepted, without a remark, by exactly the packs that the official chain consists of."""
    data = hybrid(profile, document(profile, source))
    for flow in flows_of(profile):
        judgement = judged(data, flow)
        assert verdict_name(judgement.verdict) == "accepted", judgement.findings
        assert judgement.findings == ()
        assert judgement.profile == PROFILES[profile].bt24
        catalogue = Catalogue.load()
        sums = [reference.sha256 for reference in judgement.rules]
        expected = [stylesheet_bytes(path) for path in chain_of(profile, flow)]
        assert sums == [hashlib.sha256(content).hexdigest() for content in expected]
        assert {ref.version for ref in judgement.rules} == {
            catalogue.pack(ref.pack).version for ref in judgement.rules
        }


def test_the_credit_note_among_them_is_one() -> None:
    """BT-3 tells, inside a PDF as anywhere."""
    judgement = judged(hybrid("en16931", document("en16931", "generated")), FRENCH_FLOW)
    assert judgement.document_type == DocumentType.CREDIT_NOTE


@functools.cache
def words(profile: str) -> Vocabulary:
    """What the rules of a profile, and the French ones, talk about."""
    return vocabulary(stylesheet_bytes(path) for path in (PROFILES[profile].rules, FRENCH))


@pytest.mark.timeout(120)
@ALL
@SOURCES
def test_damaged_documents_get_the_findings_of_the_official_rules(
    profile: str, source: str
) -> None:
    """The same rules fail, as often, with the same words; what gives up there, gives up here."""
    flow = flows_of(profile)[0]
    compared = 0
    for mutant in mutants(
        document(profile, source), words(profile), seed=f"{profile}/{source}", count=_MUTANTS
    ):
        parsed = parse(mutant, DocumentLimits())
        assert isinstance(parsed, ParsedXml)
        facts = identify(parsed)
        if isinstance(facts, Finding) or facts.profile != PROFILES[profile].bt24:
            continue  # routing has the word then
        data = hybrid(profile, mutant)
        judgement = judged(data, flow, layers=(Layer.SCHEMATRON,))
        reports = [official(path, mutant) for path in chain_of(profile, flow)]
        said = Counter(
            (finding.rule, finding.message)
            for finding in judgement.findings
            if finding.layer is Layer.SCHEMATRON and not finding.rule.startswith("CHECK-")
        )
        expected = Counter(
            (rule, text) for report in reports if report for rule, _, text in report.elements()
        )
        # An assertion without an id is named by its text where that begins with one: [BR-16].
        assert Counter({message: n for (_, message), n in said.items()}) == Counter(
            {text: n for (_, text), n in expected.items()}
        )
        named = {rule for rule, _ in expected if rule != "UNNAMED"}
        assert named <= {rule for rule, _ in said}
        if None in reports:
            assert verdict_name(judgement.verdict) != "accepted"
        compared += sum(expected.values())

        tree = etree.ElementTree(etree.fromstring(mutant))
        in_order = schema(profile).validate(tree)
        found = judged(data, flow, layers=(Layer.XSD,)).findings
        assert in_order == (not found), found
    assert compared > 0


@ALL
def test_the_rules_of_the_profile_have_the_last_word(profile: str) -> None:
    """One wrong sum, judged in full: rejected by a rule of the profile's own pack."""
    total, wrong = (
        (b"<ram:DuePayableAmount>1612.04<", b"<ram:DuePayableAmount>1612.05<")
        if profile != "minimum"
        else (b"<ram:GrandTotalAmount>1612.04<", b"<ram:GrandTotalAmount>1612.044<")
    )
    good = document(profile, "sample")
    assert total in good
    judgement = judged(hybrid(profile, good.replace(total, wrong)), flows_of(profile)[0])
    assert verdict_name(judgement.verdict) == "rejected"
    errors = [found for found in judgement.findings if found.severity is Severity.ERROR]
    assert {found.pack for found in errors} == {judgement.rules[0].pack}
    assert all(found.line for found in errors)


def test_plain_cii_is_judged_by_cen() -> None:
    """The same invoice by itself: not the rules of Factur-X, but CEN's."""
    if cen_cii_rules() is None:
        pytest.skip("CEN's CII rules are not imported: edi-gateway rules import")
    invoice = sample_bytes("cii-invoice.xml")
    alone, inside = judged(invoice, FRENCH_FLOW), judged(hybrid("en16931", invoice), FRENCH_FLOW)
    assert [rule.pack for rule in alone.rules] == ["en16931-cii", "br-fr-flux2-cii"]
    assert [rule.pack for rule in inside.rules] == ["facturx-en16931", "br-fr-flux2-cii"]


def test_an_xrechnung_in_a_pdf_is_judged_by_cen() -> None:
    """A subset of EN 16931 that Factur-X only names: its own rules would refuse its BT-24."""
    if cen_cii_rules() is None:
        pytest.skip("CEN's CII rules are not imported: edi-gateway rules import")
    bt24 = "urn:cen.eu:en16931:2017#compliant#urn:xeinkauf.de:kosit:xrechnung_3.0"
    invoice = document("en16931", "sample").replace(
        b"<ram:ID>urn:cen.eu:en16931:2017<", f"<ram:ID>{bt24}<".encode()
    )
    data = pdf(("xrechnung.xml", invoice), metadata=xmp("XRECHNUNG", "xrechnung.xml"))
    judgement = judged(data, EUROPEAN_FLOW)
    assert [rule.pack for rule in judgement.rules] == ["en16931-cii"]
    assert judgement.profile == bt24
    assert judgement.findings == ()


@pytest.mark.parametrize(
    ("profile", "verdict"),
    [("basicwl", "undetermined"), ("en16931", "undetermined"), ("basic", "accepted")],
)
def test_rules_count_from_their_first_day_on(profile: str, verdict: str) -> None:
    """On 31 August 2026 release 1.09.2 does not apply yet: no verdict, rather than a wrong one."""
    data = hybrid(profile, document(profile, "sample"))
    judgement = judged(data, FRENCH_FLOW, on=dt.date(2026, 8, 31))
    assert verdict_name(judgement.verdict) == verdict


def test_the_verdict_does_not_depend_on_what_was_judged_before() -> None:
    """A stylesheet that has run often fails on this date, a fresh one finds fault with it."""
    good = document("en16931", "sample")
    bad = hybrid("en16931", good.replace(b">20260430<", b">B8<"))
    fresh = Judge(load_flows().values(), Catalogue.load(), DocumentLimits())
    verdicts = []
    for _ in range(3):
        judgement = judged(bad, FRENCH_FLOW, of=fresh)
        verdicts.append((verdict_name(judgement.verdict), judgement.findings))
        for _ in range(40):
            judged(hybrid("en16931", good), FRENCH_FLOW, of=fresh)
    assert [found.rule for found in verdicts[0][1]] == ["BR-FR-03_BT-9"]
    assert verdicts == [verdicts[0]] * 3


# ------------------------------------------------------------------ MINIMUM and the French rules


def test_minimum_has_no_room_for_what_the_french_rules_ask_for() -> None:
    """Why it is not in the French flow: its schema refuses what would satisfy BR-FR-05, 12, 13."""
    good = document("minimum", "sample")
    report = official(FRENCH, good)
    assert report is not None
    assert {rule.partition("_")[0] for rule, _, _ in report} == {
        "BR-FR-05",
        "BR-FR-12",
        "BR-FR-13",
    }
    note = b"<ram:IncludedNote><ram:Content>x</ram:Content></ram:IncludedNote>"
    address = (
        b'<ram:URIUniversalCommunication><ram:URIID schemeID="0225">000908178</ram:URIID>'
        b"</ram:URIUniversalCommunication>"
    )
    for after, more in (
        (b"</ram:IssueDateTime>", note),
        (b"</ram:SpecifiedLegalOrganization>", address),
        (b"</ram:PostalTradeAddress>", address),
    ):
        assert after in good
        richer = good.replace(after, after + more, 1)
        assert not schema("minimum").validate(etree.ElementTree(etree.fromstring(richer)))


def test_minimum_in_the_french_flow_is_told_why() -> None:
    """One finding, which says what the profile lacks and which to use instead."""
    judgement = judged(hybrid("minimum", document("minimum", "sample")), FRENCH_FLOW)
    assert verdict_name(judgement.verdict) == "rejected"
    (found,) = judgement.findings
    assert found.rule == "ROUTE-UNKNOWN-PROFILE"
    assert found.line
    assert found.explanation
    assert found.remedy
    assert "BG-1" in found.explanation.fr
    assert "BT-34" in found.explanation.en
    assert "urn:factur-x.eu:1p0:basicwl" in found.explanation.fr
    assert "EN 16931" in found.remedy.fr


# ------------------------------------------------------------------ the PDF and what is in it


def test_a_profile_other_than_announced_is_refused() -> None:
    """XMP says BASIC, BT-24 says EN 16931: the finding names both, at BT-24."""
    data = pdf(("factur-x.xml", document("en16931", "sample")), metadata=xmp("BASIC"))
    judgement = judged(data, FRENCH_FLOW)
    assert verdict_name(judgement.verdict) == "rejected"
    (found,) = judgement.findings
    assert found.rule == "PDF-PROFILE"
    assert "BASIC" in found.message
    assert "urn:cen.eu:en16931:2017" in found.message
    assert found.location
    assert found.location.endswith("ID[1]")
    assert found.line


def test_a_pdf_without_xmp_is_accepted_with_a_warning() -> None:
    """Nothing contradicts the invoice then; the sender hears that something is missing."""
    data = pdf(("factur-x.xml", document("en16931", "sample")), metadata=None)
    judgement = judged(data, FRENCH_FLOW)
    assert verdict_name(judgement.verdict) == "accepted"
    assert [(found.rule, found.severity) for found in judgement.findings] == [
        ("PDF-XMP", Severity.WARNING)
    ]


def test_ubl_in_a_pdf_is_refused() -> None:
    """However good it is: Factur-X is CII."""
    judgement = judged(pdf(("factur-x.xml", sample_bytes("ubl-invoice.xml"))), FRENCH_FLOW)
    assert [found.rule for found in judgement.findings] == ["PDF-UBL"]
    assert verdict_name(judgement.verdict) == "rejected"


def test_an_invoice_in_a_pdf_that_is_not_xml_has_its_place_in_the_xml() -> None:
    """Line and column count in the embedded file."""
    judgement = judged(pdf(("factur-x.xml", b"<a>\n<b></a>")), FRENCH_FLOW)
    (found,) = judgement.findings
    assert (found.rule, found.line) == ("XML-MALFORMED", 2)


def test_a_broken_pdf_is_rejected_not_undetermined() -> None:
    """What a partner does to a PDF is the partner's."""
    broken = pdf(("factur-x.xml", document("en16931", "sample")))[:-40]
    judgement = judged(broken, FRENCH_FLOW)
    assert verdict_name(judgement.verdict) == "rejected"
    assert [found.rule for found in judgement.findings] == ["PDF-BROKEN"]


def facts(profile: str | None = PROFILES["en16931"].bt24) -> DocumentFacts:
    """What routing knows of a CII invoice."""
    return DocumentFacts(syntax=Syntax.CII, document_type=DocumentType.INVOICE, profile=profile)


def flow_with(*chains: tuple[bool, str]) -> Flow:
    """A flow with CII chains: (for PDF, profile)."""
    return Flow(
        name="test",
        chain=tuple(
            Chain(
                syntax=Syntax.CII,
                pdf=in_pdf,
                profiles=(PROFILES[profile].bt24,),
                schema=f"{profile}/{in_pdf}",
                rules=(),
            )
            for in_pdf, profile in chains
        ),
    )


def test_chains_for_pdf_and_for_xml_alone_are_kept_apart() -> None:
    """Same profile, two chains: how the document came decides, whatever their order."""
    for chains in (
        ((True, "en16931"), (False, "en16931")),
        ((False, "en16931"), (True, "en16931")),
    ):
        for in_pdf in (True, False):
            found = chain_for(flow_with(*chains), facts(), pdf=in_pdf)
            assert isinstance(found, Chain)
            assert found.pdf is in_pdf


def test_a_flow_without_pdf_says_so() -> None:
    """The partner sent what the flow does not take: a finding, not our failure."""
    found = chain_for(flow_with((False, "en16931")), facts(), pdf=True)
    assert isinstance(found, Finding)
    assert (found.rule, found.layer) == ("PDF-UNWANTED", Layer.ROUTING)
    assert "test" in found.message


@pytest.mark.parametrize(
    ("profile", "chains"),
    [
        ("basic", ((False, "en16931"), (True, "basic"))),
        ("en16931", ((True, "en16931"),)),
        ("basic", ((True, "en16931"),)),
    ],
)
def test_a_profile_that_exists_only_in_pdf_says_so(
    profile: str, chains: tuple[tuple[bool, str], ...]
) -> None:
    """Sent as XML alone: the finding names the profile and what else would do."""
    found = chain_for(flow_with(*chains), facts(PROFILES[profile].bt24))
    assert isinstance(found, Finding)
    assert found.rule == "PDF-ONLY"
    assert found.terms == ("BT-24",)
    assert PROFILES[profile].bt24 in found.message


def test_a_profile_no_chain_for_pdf_fits_is_unknown() -> None:
    """The profiles it names are those taken inside a PDF."""
    chains = ((False, "extended"), (True, "en16931"), (True, "basic"))
    found = chain_for(flow_with(*chains), facts("urn:nobody"), pdf=True)
    assert isinstance(found, Finding)
    assert found.rule == "ROUTE-UNKNOWN-PROFILE"
    assert found.explanation
    assert PROFILES["basic"].bt24 in found.explanation.en
    assert PROFILES["extended"].bt24 not in found.explanation.en


def test_plain_cii_of_a_factur_x_profile_is_told_to_come_in_a_pdf() -> None:
    """In the French flow as it ships."""
    judgement = judged(document("basic", "sample"), FRENCH_FLOW)
    assert [found.rule for found in judgement.findings] == ["PDF-ONLY"]
    assert verdict_name(judgement.verdict) == "rejected"


def test_a_missing_factur_x_pack_is_known_at_start() -> None:
    """Its rules wait to be compiled, but whether they are there and unaltered does not."""
    flow = flow_with((True, "en16931"))
    altered = Flow(
        name="test",
        chain=tuple(
            Chain(
                syntax=Syntax.CII,
                pdf=True,
                profiles=chain.profiles,
                schema="facturx-en16931",
                rules=("facturx-en16931", "no-such-pack"),
            )
            for chain in flow.chain
        ),
    )
    (trouble,) = Judge((altered,), Catalogue.load(), DocumentLimits()).warm_up()
    assert "no-such-pack" in trouble.what
