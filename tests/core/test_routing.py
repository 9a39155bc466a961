"""Which document this is, and the one flow it takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.facts import CREDIT_NOTE_CODES, DocumentFacts, identify
from gateway.core.routing import chain_for, overlaps, placed, route
from gateway.core.xml import ParsedXml, parse
from gateway.model.flow import Chain, Flow, FlowMatch
from gateway.model.interchange import DocumentType, Syntax
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Finding, Layer
from gateway.samples import sample_bytes

EN = "urn:cen.eu:en16931:2017"
EXTENDED = f"{EN}#conformant#urn.cpro.gouv.fr:1p0:extended-ctc-fr"
UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
CII = "urn:un:unece:uncefact:data:standard:"


def parsed(text: str) -> ParsedXml:
    """Parse what must be good."""
    result = parse(text.encode(), DocumentLimits())
    assert isinstance(result, ParsedXml)
    return result


def ubl(root: str = "Invoice", profile: str = EN, body: str = "") -> str:
    """A UBL document with little in it."""
    bt24 = f"<cbc:CustomizationID> {profile} </cbc:CustomizationID>" if profile else ""
    return (
        f'<{root} xmlns="{UBL}{root}-2" xmlns:cbc="{UBL}CommonBasicComponents-2" '
        f'xmlns:cac="{UBL}CommonAggregateComponents-2">\n{bt24}\n<cbc:ID>FA-1</cbc:ID>'
        f"<cbc:IssueDate>2026-01-31</cbc:IssueDate>{body}</{root}>"
    )


def cii(code: str = "380", profile: str = EN, date: str = "20260131") -> str:
    """A CII document with little in it."""
    return f"""<rsm:CrossIndustryInvoice xmlns:rsm="{CII}CrossIndustryInvoice:100"
      xmlns:ram="{CII}ReusableAggregateBusinessInformationEntity:100"
      xmlns:udt="{CII}UnqualifiedDataType:100">
      <rsm:ExchangedDocumentContext><ram:GuidelineSpecifiedDocumentContextParameter>
        <ram:ID>{profile}</ram:ID></ram:GuidelineSpecifiedDocumentContextParameter>
      </rsm:ExchangedDocumentContext>
      <rsm:ExchangedDocument><ram:ID>FA-2</ram:ID><ram:TypeCode>{code}</ram:TypeCode>
        <ram:IssueDateTime><udt:DateTimeString format="102">{date}</udt:DateTimeString>
        </ram:IssueDateTime></rsm:ExchangedDocument>
      <rsm:SupplyChainTradeTransaction><ram:ApplicableHeaderTradeAgreement>
        <ram:SellerTradeParty><ram:ID>S1</ram:ID><ram:SpecifiedLegalOrganization>
          <ram:ID>123456789</ram:ID></ram:SpecifiedLegalOrganization></ram:SellerTradeParty>
        <ram:BuyerTradeParty><ram:ID>B1</ram:ID></ram:BuyerTradeParty>
      </ram:ApplicableHeaderTradeAgreement></rsm:SupplyChainTradeTransaction>
    </rsm:CrossIndustryInvoice>"""


def facts_of(text: str) -> DocumentFacts:
    """What `identify` reads from a good document."""
    facts = identify(parsed(text))
    assert isinstance(facts, DocumentFacts)
    return facts


def test_a_ubl_invoice_says_what_it_is() -> None:
    """Root element, BT-24, BT-1, BT-2 and the parties' identifiers are read, trimmed."""
    body = (
        "<cac:AccountingSupplierParty><cac:Party><cbc:EndpointID>e</cbc:EndpointID>"
        "<cac:PartyTaxScheme><cbc:CompanyID>FR12</cbc:CompanyID></cac:PartyTaxScheme>"
        "<cac:PartyLegalEntity><cbc:CompanyID>123</cbc:CompanyID></cac:PartyLegalEntity>"
        "</cac:Party></cac:AccountingSupplierParty>"
        "<cac:AccountingCustomerParty><cac:Party><cac:PartyTaxScheme>"
        "<cbc:CompanyID>FR34</cbc:CompanyID></cac:PartyTaxScheme></cac:Party>"
        "</cac:AccountingCustomerParty>"
    )
    assert facts_of(ubl(body=body)) == DocumentFacts(
        syntax=Syntax.UBL,
        document_type=DocumentType.INVOICE,
        profile=EN,
        invoice_number="FA-1",
        issue_date="2026-01-31",
        seller_id="123",
        buyer_id="FR34",
    )


def test_a_ubl_credit_note_is_told_by_its_root() -> None:
    """UBL has a root element of its own for credit notes."""
    assert facts_of(ubl("CreditNote")).document_type is DocumentType.CREDIT_NOTE


@pytest.mark.parametrize("code", [*sorted(CREDIT_NOTE_CODES), "380", "389", "", "x"])
def test_a_cii_credit_note_is_told_by_bt3(code: str) -> None:
    """The credit-note codes of UNTDID 1001 make a credit note, anything else an invoice."""
    facts = facts_of(cii(code))
    expected = DocumentType.CREDIT_NOTE if code in CREDIT_NOTE_CODES else DocumentType.INVOICE
    assert facts.document_type is expected
    assert facts.syntax is Syntax.CII
    assert (facts.invoice_number, facts.issue_date) == ("FA-2", "2026-01-31")
    assert (facts.seller_id, facts.buyer_id) == ("123456789", "B1")


@pytest.mark.parametrize(
    ("sample", "seller", "buyer", "amount"),
    [
        ("ubl-credit-note.xml", "Ateliers du Ponant SAS", "Cabinet Vauquelin SELARL", "368.82"),
        ("cii-invoice.xml", "Brûlerie des Trois Caps SARL", "Hôtel du Belvédère SAS", "1612.04"),
    ],
)
def test_names_and_amount_for_people_who_search(
    sample: str, seller: str, buyer: str, amount: str
) -> None:
    """Of the parties (BT-27, BT-44), and the total with VAT (BT-112)."""
    facts = facts_of(sample_bytes(sample).decode())
    assert (facts.seller_name, facts.buyer_name) == (seller, buyer)
    assert (facts.amount, facts.currency) == (amount, "EUR")


def test_a_trading_name_and_the_amount_due_where_there_is_no_other() -> None:
    """BT-28 and BT-115 are better than nothing."""
    body = (
        "<cac:AccountingSupplierParty><cac:Party><cac:PartyName><cbc:Name>Ponant</cbc:Name>"
        "</cac:PartyName></cac:Party></cac:AccountingSupplierParty><cac:LegalMonetaryTotal>"
        "<cbc:PayableAmount>7.10</cbc:PayableAmount></cac:LegalMonetaryTotal>"
    )
    facts = facts_of(ubl(body=body))
    assert (facts.seller_name, facts.buyer_name, facts.amount) == ("Ponant", None, "7.10")


@pytest.mark.parametrize("date", ["20261331", "yesterday", "2026", "202601311", "", "٢٠٢٦٠١٣١"])
def test_a_date_that_is_none_is_left_out(date: str) -> None:
    """It is for people who search; the rules will say that it is wrong."""
    assert facts_of(cii(date=date)).issue_date is None


@pytest.mark.parametrize(
    "text",
    ["<Invoice/>", '<Invoice xmlns="urn:x"/>', f'<Order xmlns="{UBL}Order-2"/>', "<r>\n</r>"],
)
def test_an_unknown_root_is_named_with_those_that_are_known(text: str) -> None:
    """Name and namespace both count; the finding lists what is taken."""
    finding = identify(parsed(text))
    assert isinstance(finding, Finding)
    assert finding.rule == "ROUTE-UNKNOWN-ROOT"
    assert finding.layer is Layer.ROUTING
    assert (finding.line, finding.column) == (1, 1)
    assert finding.explanation is not None
    assert "CrossIndustryInvoice" in finding.explanation.en


def flow(name: str, *, chain: tuple[Chain, ...] = (), **match: tuple[str, ...]) -> Flow:
    """A flow with these criteria."""
    return Flow(name=name, match=FlowMatch(**match), chain=chain)  # type: ignore[arg-type]


def facts(
    syntax: Syntax = Syntax.UBL,
    document_type: DocumentType = DocumentType.INVOICE,
    profile: str | None = EN,
) -> DocumentFacts:
    """Facts that decide."""
    return DocumentFacts(syntax=syntax, document_type=document_type, profile=profile)


def routed(
    found: DocumentFacts,
    *flows: Flow,
    partner: str | None = "acme",
    partner_flows: tuple[str, ...] | None = None,
    interface_code: str | None = None,
) -> str:
    """The name of the flow, or the rule of the finding."""
    result = route(
        found,
        partner=partner,
        partner_flows=partner_flows,
        interface_code=interface_code,
        flows=flows,
    )
    return result.name if isinstance(result, Flow) else result.rule


def test_every_criterion_given_must_hold() -> None:
    """Each word of the vocabulary alone decides between two flows."""
    assert routed(facts(), flow("a", syntaxes=("ubl",)), flow("b", syntaxes=("cii",))) == "a"
    one, other = flow("a", document_types=("credit-note",)), flow("b", document_types=("invoice",))
    assert routed(facts(), one, other) == "b"
    assert routed(facts(), flow("a", profiles=(EN,)), flow("b", profiles=(EXTENDED,))) == "a"
    coded = flow("a", interface_codes=("FSO1100A",)), flow("b", interface_codes=("FSO1110A",))
    assert routed(facts(), *coded, interface_code="FSO1110A") == "b"
    named = flow("a", partners=("acme",)), flow("b", partners=("other",))
    assert routed(facts(), *named) == "a"
    assert routed(facts(), *named, partner=None) == "ROUTE-NO-FLOW"


def test_only_the_flows_of_the_partner_count() -> None:
    """Two flows that overlap do no harm to a partner that may use one; none means none."""
    flows = flow("a", profiles=(EN,)), flow("b", profiles=(f"{EN}*",))
    assert routed(facts(), *flows) == "ROUTE-AMBIGUOUS"
    assert routed(facts(), *flows, partner_flows=("b",)) == "b"
    assert routed(facts(), *flows, partner_flows=()) == "ROUTE-NO-FLOW"


def test_an_unknown_profile_is_named_with_those_that_are_known() -> None:
    """BT-24 that nothing matches: the finding lists what would, with the place of BT-24."""
    document = parsed(ubl(profile="urn:nobody"))
    found = facts_of(ubl(profile="urn:nobody"))
    finding = route(
        found,
        partner="acme",
        partner_flows=None,
        interface_code=None,
        flows=[flow("a", profiles=(EN, EXTENDED)), flow("b", syntaxes=("cii",))],
    )
    assert isinstance(finding, Finding)
    assert finding.rule == "ROUTE-UNKNOWN-PROFILE"
    assert finding.terms == ("BT-24",)
    assert finding.explanation is not None
    assert EXTENDED in finding.explanation.fr
    assert "urn:nobody" in finding.explanation.fr
    finding = placed(finding, document, found)
    assert (finding.line, finding.column) == (2, 1)
    assert finding.location == "/Invoice/cbc:CustomizationID[1]"


def test_a_missing_profile_has_a_finding_of_its_own() -> None:
    """A document without BT-24 is told to give one, at its root."""
    found = facts_of(ubl(profile=""))
    assert found.profile is None
    finding = route(
        found,
        partner="a",
        partner_flows=None,
        interface_code=None,
        flows=[flow("a", profiles=(EN,))],
    )
    assert isinstance(finding, Finding)
    assert finding.rule == "ROUTE-NO-PROFILE"
    assert placed(finding, parsed(ubl(profile="")), found).line == 1


def test_a_flow_without_profiles_takes_a_document_without_bt24() -> None:
    """An empty criterion holds for everything."""
    assert routed(facts(profile=None), flow("a")) == "a"


def test_no_flow_for_this_partner_says_what_is_arranged() -> None:
    """The finding names the partner, the document and the flows there are."""
    finding = route(
        facts(Syntax.CII),
        partner="acme",
        partner_flows=("a",),
        interface_code=None,
        flows=[flow("a", syntaxes=("ubl",)), flow("b", syntaxes=("cii",))],
    )
    assert isinstance(finding, Finding)
    assert finding.rule == "ROUTE-NO-FLOW"
    assert "acme" in finding.message
    assert "CII" in finding.message


def chain(syntax: Syntax, schema: str, *profiles: str) -> Chain:
    """A chain known by its schema."""
    return Chain(syntax=syntax, profiles=profiles, schema=schema, rules=())


def test_the_first_chain_that_fits_is_used() -> None:
    """Syntax and profile pick the chain, in the order of the file."""
    taken = flow(
        "a",
        chain=(
            chain(Syntax.CII, "c"),
            chain(Syntax.UBL, "en", EN),
            chain(Syntax.UBL, "any", f"{EN}*"),
        ),
    )
    found = chain_for(taken, facts())
    assert isinstance(found, Chain)
    assert found.schema == "en"
    found = chain_for(taken, facts(profile=EXTENDED))
    assert isinstance(found, Chain)
    assert found.schema == "any"
    found = chain_for(taken, facts(profile="urn:x"))
    assert isinstance(found, Finding)
    assert found.rule == "ROUTE-UNKNOWN-PROFILE"
    found = chain_for(flow("a", chain=(chain(Syntax.CII, "c"),)), facts())
    assert isinstance(found, Finding)
    assert found.rule == "ROUTE-NO-CHAIN"


def test_a_flow_for_those_who_name_it_is_not_found_by_a_document_alone() -> None:
    """With `by_name`: the partner that lists it, and nobody else."""
    flows = [flow("plain"), flow("named", by_name=True)]

    def routed(partner_flows: tuple[str, ...] | None) -> Flow | Finding:
        return route(
            facts(), partner=None, partner_flows=partner_flows, interface_code=None, flows=flows
        )

    assert routed(None) is flows[0]
    assert routed(("named",)) is flows[1]
    both = routed(("plain", "named"))
    assert isinstance(both, Finding)
    assert both.rule == "ROUTE-AMBIGUOUS"


def test_overlaps_describes_a_document_both_would_match() -> None:
    """What it says is enough to find the two criteria that collide."""
    one = flow("a", syntaxes=("ubl", "cii"), profiles=(EN,))
    other = flow("b", syntaxes=("cii",), profiles=(f"{EN}*",), document_types=("invoice",))
    assert overlaps(one, other, "acme") == f"CII invoice with BT-24 {EN!r}"
    coded = flow("c", interface_codes=("FSO1100A",))
    assert (
        overlaps(coded, flow("d"), "acme") == "document of any profile in a file named FSO1100A_…"
    )
    assert overlaps(flow("a", syntaxes=("ubl",)), flow("b", syntaxes=("cii",)), "acme") is None
    assert overlaps(flow("a", profiles=(EN,)), flow("b", profiles=(EXTENDED,)), "acme") is None
    assert overlaps(flow("a", partners=("acme",)), flow("b", partners=("x",)), "acme") is None


PROFILES = ["", "urn:a", "urn:a#b", "urn:c"]
CODES = [None, "FSO1100A", "FSO1110A"]
matches = st.builds(
    FlowMatch,
    partners=st.lists(st.sampled_from(["acme", "other"]), max_size=1).map(tuple),
    interface_codes=st.lists(st.sampled_from(CODES[1:]), max_size=2).map(tuple),
    syntaxes=st.lists(st.sampled_from(Syntax), max_size=2).map(tuple),
    document_types=st.lists(st.sampled_from(DocumentType), max_size=2).map(tuple),
    profiles=st.lists(
        st.sampled_from([*PROFILES[1:], "urn:a*", "urn:*", "urn:a#*"]), max_size=2
    ).map(tuple),
)


@given(matches, matches)
def test_overlaps_agrees_with_routing(one: FlowMatch, other: FlowMatch) -> None:
    """Two flows overlap exactly when some document of the partner is routed to both."""
    flows = Flow(name="a", match=one, chain=()), Flow(name="b", match=other, chain=())
    ambiguous = any(
        routed(facts(syntax, document_type, profile or None), *flows, interface_code=code)
        == "ROUTE-AMBIGUOUS"
        for syntax in Syntax
        for document_type in DocumentType
        for profile in PROFILES
        for code in CODES
    )
    assert (overlaps(*flows, "acme") is not None) == ambiguous


def test_the_built_in_flows_name_what_the_parser_of_flows_knows() -> None:
    """The flows that ship can be told apart by nothing but the partner: they overlap, known."""
    from gateway.config import load_flows
    from gateway.resources import data_folder

    flows = load_flows(Path(data_folder("flows")))
    example = overlaps(flows["ctc-fr-invoice"], flows["en16931-invoice"], "acme")
    assert example is not None
    assert EN in example
