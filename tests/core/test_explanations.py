"""What a broken rule means, in words."""

from __future__ import annotations

import difflib
import functools
import re

import pytest

from gateway.core.explanations import explain_rule, values_in
from gateway.core.figures import COUNT, FOUND, Seen
from gateway.core.schematron.catalogue import Catalogue, PackProblem, PackState
from gateway.core.schematron.inventory import Assertion, assertions
from gateway.core.schematron.versions import key_of
from gateway.core.terms import terms, terms_in
from gateway.core.wordings import explanations, named_rule, wording_for
from gateway.core.xml import ParsedXml, element_at, friendly_path, parse
from gateway.model.interchange import INVOICE_SYNTAXES, Syntax
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Finding, Language, Layer, Severity, Text
from gateway.samples import sample_bytes

UNFILLED = re.compile(r"\{(?!\w*:|/)[A-Za-z-]+\}|\bNone\b|: \.|\[@|\.\.\.")
"""What a sentence with a hole in it looks like."""

FROM_WHEELS = {"en16931-cii", "br-fr-cdv"}
"""Packs that `edi-gateway rules import` takes out of a wheel."""

SIMILAR = 0.75
"""From this likeness on (difflib) a sentence says what the rule's text says and nothing else."""


@functools.cache
def every_rule() -> tuple[Assertion, ...]:
    """Every assertion of every version of every pack on board, each text once.

    What no installed package carries may not have been imported.
    """
    catalogue = Catalogue.load()
    found: list[Assertion] = []
    every = [catalogue.versions(name) for name in catalogue.names()]
    keys = [(each.name, key_of(each, versions)) for versions in every for each in versions]
    for pack, key in keys:
        try:
            found += assertions(catalogue.artefact(key).stylesheet)
        except PackProblem as problem:
            if problem.state is not PackState.MISSING or pack not in FROM_WHEELS:
                raise
    return tuple({(each.rule, each.text): each for each in found}.values())


def finding(rule: str, message: str = "", location: str = "/Invoice") -> Finding:
    """A finding of an official rule, not yet explained."""
    return Finding(
        rule=rule,
        layer=Layer.SCHEMATRON,
        severity=Severity.ERROR,
        message=message,
        location=location,
        terms=terms_in(message),
    )


def document(data: bytes) -> ParsedXml:
    """Parse what must be good XML."""
    parsed = parse(data, DocumentLimits())
    assert isinstance(parsed, ParsedXml)
    return parsed


def explained(rule: str, message: str = "", location: str = "/Invoice") -> tuple[str, str]:
    """English explanation and remedy."""
    told = explain_rule(finding(rule, message, location))
    assert told.explanation is not None
    assert told.remedy is not None
    return told.explanation.en, told.remedy.en


def test_every_official_rule_has_a_whole_explanation() -> None:
    """In both languages: something is said, nothing is left unfilled, no XPath is shown."""
    assert len({assertion.rule for assertion in every_rule()}) > 2_900
    for assertion in every_rule():
        told = explain_rule(finding(assertion.rule, assertion.text))
        for sentence in (told.explanation, told.remedy):
            assert sentence is not None
            for language in Language:
                text = sentence.to(language)
                assert text.endswith("."), (assertion.rule, text)
                assert not re.search(r"\{(?!\w*:|/)[A-Za-z-]+\}|\bNone\b|: \.|\[@|\.\.\.", text), (
                    text
                )


def test_no_official_rule_falls_to_the_last_resort() -> None:
    """Each has words of its own or a family; the general words are for rules not on board."""
    general = explanations().families[-1]
    poor = [
        assertion.rule
        for assertion in every_rule()
        if wording_for(assertion.rule, assertion.text).wording.why_en == general.why_en
    ]
    assert poor == []


def test_many_rules_are_explained_by_hand() -> None:
    """Not by family: all of BR-CO and of the VAT categories, and at least 150 in all."""
    hand = {
        named_rule(assertion.rule, assertion.text)
        for assertion in every_rule()
        if wording_for(assertion.rule, assertion.text).hand
    }
    assert len(hand & explanations().rules.keys()) >= 150
    for assertion in every_rule():
        rule = named_rule(assertion.rule, assertion.text)
        if re.fullmatch(r"BR-(?:CO|S|Z|E|AE|IC|G|O|AF|AG)-\d+", rule):
            assert rule in hand
        if re.match(r"BR-FR-(?!05)", rule):
            assert rule in hand


def test_no_explanation_repeats_the_text_of_its_rule() -> None:
    """Who reads it has read the rule, and needs it said otherwise."""
    for assertion in every_rule():
        told = explain_rule(finding(assertion.rule, assertion.text))
        assert told.explanation is not None
        rule = plain(assertion.text)
        for language in Language:
            said = plain(told.explanation.to(language))
            assert rule not in said
            likeness = difflib.SequenceMatcher(None, rule, said, autojunk=False)
            if likeness.quick_ratio() >= SIMILAR:
                assert likeness.ratio() < SIMILAR, (assertion.rule, said)


def plain(text: str) -> str:
    """Letters and figures only, without the id in front."""
    return " ".join(re.findall(r"\w+", re.sub(r"^\s*\[[^\]]*\]", "", text).lower()))


def test_every_word_of_the_explanations_is_known() -> None:
    """Terms have names, values have paths, and no sentence lacks its other language."""
    known = explanations()
    for wording in (*known.rules.values(), *known.families):
        sentences = (wording.why_en, wording.why_fr, wording.remedy_en, wording.remedy_fr)
        for sentence in sentences:
            assert set(re.findall(r"\{((?:BT|BG)-[\d-]+)\}", sentence)) <= terms().keys()
        assert bool(wording.why_en) == bool(wording.why_fr)
        assert bool(wording.remedy_en) == bool(wording.remedy_fr)
        shown = {*wording.show, *re.findall(r"Σ?BT-\d+\*?", wording.equation)}
        for syntax in INVOICE_SYNTAXES:
            assert shown <= known.values[syntax].keys()


def test_every_rule_explained_by_name_exists() -> None:
    """No explanation is for a rule that no pack has."""
    existing = set()
    for assertion in every_rule():
        rule = named_rule(assertion.rule, assertion.text)
        existing |= {rule[:end] for end in range(len(rule) + 1)}
    cdv = any(rule.startswith("BR-FR-CDV") for rule in existing)
    explained = {
        rule
        for rule in explanations().rules
        if cdv or not (rule.startswith("BR-FR-CDV") or rule.endswith("_MDT-91"))
    }
    assert explained - existing == set()


@pytest.mark.parametrize(
    ("sample", "syntax", "location", "line"),
    [
        ("ubl-invoice-faulty.xml", Syntax.UBL, "/Invoice", b"<cbc:TaxInclusiveAmount"),
        ("cii-invoice.xml", Syntax.CII, "/rsm:CrossIndustryInvoice", b"<ram:GrandTotalAmount"),
    ],
)
def test_a_total_that_does_not_add_up_is_shown_with_its_figures(
    sample: str, syntax: Syntax, location: str, line: bytes
) -> None:
    """BR-CO-15 names the three totals, calculates the difference, and says where to mend it."""
    data = sample_bytes(sample).replace(b"<ram:GrandTotalAmount>", b"<ram:GrandTotalAmount>9")
    parsed = document(data)
    broken = finding("BR-CO-15", "(BT-112) = (BT-109) + (BT-110)", location)
    values = values_in(broken, parsed.root, syntax)

    told = explain_rule(broken, values)

    assert values.keys() == {"BT-109", "BT-110", "BT-112"}
    net, tax, gross = (float(values[term].text) for term in ("BT-109", "BT-110", "BT-112"))
    assert told.explanation is not None
    assert told.remedy is not None
    assert f"“Invoice total amount with VAT” (BT-112) is {gross:,.2f}, but" in told.explanation.en
    assert f"(BT-109) {net:,.2f} + " in told.explanation.en
    assert f"(BT-110) {tax:,.2f} = {net + tax:,.2f}: " in told.explanation.en
    assert told.explanation.en.endswith(f"{gross - net - tax:,.2f} too much.")
    french = f"{gross:,.2f}".replace(",", "\N{NO-BREAK SPACE}").replace(".", ",")
    assert f"(BT-112) vaut {french}, alors que" in told.explanation.fr
    number = data[: data.index(line)].count(b"\n") + 1
    assert f"(BT-112, line {number})" in told.remedy.en
    assert f"(BT-112, ligne {number})" in told.remedy.fr


def test_a_file_on_one_line_has_no_line_to_name() -> None:
    """Line 1 of 1 helps nobody."""
    parsed = document(sample_bytes("ubl-invoice-faulty.xml").replace(b"\n", b" "))
    broken = finding("BR-CO-15")
    told = explain_rule(broken, values_in(broken, parsed.root, Syntax.UBL))
    assert told.remedy is not None
    assert "(BT-112)," in told.remedy.en
    assert "line" not in told.remedy.en


def test_the_vat_of_a_rate_is_calculated_again() -> None:
    """BR-CO-17: the taxable amount times the rate, to the cent."""
    values = {"BT-116": Seen("1000.00"), "BT-119": Seen("5.5"), "BT-117": Seen("56.00")}
    told = explain_rule(finding("BR-CO-17"), values)
    assert told.explanation is not None
    assert "(BT-116) 1,000.00 × “VAT category rate” (BT-119) 5.5 % = 55.00" in told.explanation.en
    assert told.explanation.fr.endswith(": 1,00 de trop.")


@pytest.mark.parametrize(
    ("sample", "syntax", "breakdown", "amount"),
    [
        ("ubl-invoice.xml", Syntax.UBL, "TaxSubtotal", "TaxableAmount"),
        ("cii-invoice.xml", Syntax.CII, "ApplicableTradeTax", "BasisAmount"),
    ],
)
def test_the_taxable_amount_of_a_category_is_added_up_again(
    sample: str, syntax: Syntax, breakdown: str, amount: str
) -> None:
    """BR-S-08: the lines, allowances and charges of this category and rate, and only those."""
    parsed = document(sample_bytes(sample))
    rows = [
        row
        for row in parsed.root.iter(f"{{*}}{breakdown}")
        if row.find(f"{{*}}{amount}") is not None
    ]
    assert rows
    for row in rows:
        broken = finding("BR-S-08", location=friendly_path(row))
        assert "too" not in explained_with(broken, values_in(broken, row, syntax))
        stated = row.find(f"{{*}}{amount}")
        assert stated is not None
        stated.text = str(float(stated.text or 0) + 7)
        said = explained_with(broken, values_in(broken, row, syntax))
        assert "for the category S at " in said
        assert "(BT-131) " in said
        assert ": 7.00 too much." in said


def explained_with(broken: Finding, values: dict[str, Seen]) -> str:
    """The English explanation."""
    told = explain_rule(broken, values)
    assert told.explanation is not None
    return told.explanation.en


@pytest.mark.parametrize(
    ("rule", "message", "sample", "syntax", "path", "value", "codes"),
    [
        ("BR-CL-14", "", "ubl", Syntax.UBL, "//cac:Country/cbc:IdentificationCode", "", "ISO 3166"),
        ("BR-CL-23", "", "ubl", Syntax.UBL, "//cbc:InvoicedQuantity", "unitCode", "C62 piece"),
        ("BR-CL-03", "", "ubl", Syntax.UBL, "//cbc:PayableAmount", "currencyID", "EUR, USD"),
        (
            "FX-SCH-A-000861",
            "Value of 'ram:CategoryCode' is not allowed.",
            "cii",
            Syntax.CII,
            "//ram:ApplicableTradeTax/ram:CategoryCode",
            "",
            "UNTDID 5305",
        ),
        (
            "FX-SCH-A-000020",
            "Value of '@format' is not allowed.",
            "cii",
            Syntax.CII,
            "//ram:IssueDateTime/udt:DateTimeString",
            "format",
            "102 (20260131)",
        ),
    ],
)
def test_a_code_is_shown_with_the_list_it_should_be_of(
    rule: str, message: str, sample: str, syntax: Syntax, path: str, value: str, codes: str
) -> None:
    """The value seen, the list by name, a few likely values; never the whole list."""
    parsed = document(sample_bytes(f"{sample}-invoice.xml"))
    element = next(parsed.root.iter("{*}" + path.rpartition(":")[2]))
    if value:
        element.set(value, "XQZ")
    else:
        element.text = "XQZ"
    broken = finding(rule, message, friendly_path(element))

    values = values_in(broken, element, syntax)
    told = explain_rule(broken, values)

    assert values[FOUND].text == "XQZ"
    assert told.explanation is not None
    assert told.remedy is not None
    assert "Found: “XQZ”." in told.explanation.en
    assert "Valeur trouvée : « XQZ »." in told.explanation.fr
    assert codes in told.remedy.en
    assert len(told.remedy.en) < 300


def test_what_is_counted_is_told() -> None:
    """Cardinality: missing is not the same as too many."""
    parsed = document(sample_bytes("cii-invoice.xml"))
    header = element_at(parsed, "/*:CrossIndustryInvoice/*:ExchangedDocument")
    assert header is not None
    for what, count, says in (("ram:ID", "1", "Found: 1."), ("ram:Foo", "0", "There is none.")):
        broken = finding("FX-SCH-A-000001", f"Element '{what}' must occur exactly 1 times.")
        values = values_in(broken, header, Syntax.CII)
        assert values[COUNT].text == count
        told = explain_rule(broken, values)
        assert told.explanation is not None
        assert says in told.explanation.en


def test_a_rule_s_own_figures_are_taken_from_its_text() -> None:
    """EXTENDED-CTC-FR leaves grouping lines out of its sums, and says what it calculated."""
    why, remedy = explained(
        "BR-FREXT-CO-10",
        "Num Fact : F1 , Somme calculée : 1000.5 , Total HT (BT-106) : 1010.5 , nblineItem : 2 ,"
        " Ecart calculé : 10 , [BR-FREXT-CO-10] - Écart absolu",
    )
    assert "(BT-106) is 1,010.5, but what it is made of comes to 1,000.5" in why
    assert "Correct “Sum of Invoice line net amount” (BT-106)" in remedy


@pytest.mark.parametrize(
    ("syntax", "sample"), [(Syntax.UBL, "ubl-invoice.xml"), (Syntax.CII, "cii-invoice.xml")]
)
def test_the_sums_of_a_good_invoice_leave_nothing_to_say(syntax: Syntax, sample: str) -> None:
    """Every equation finds its figures in both syntaxes, and they balance."""
    parsed = document(sample_bytes(sample))
    for rule in ("BR-CO-10", "BR-CO-13", "BR-CO-14", "BR-CO-15", "BR-CO-16"):
        values = values_in(finding(rule), parsed.root, syntax)
        assert len(values) >= 2, rule
        told = explain_rule(finding(rule), values)
        assert told.explanation is not None
        assert "too much" not in told.explanation.en
        assert "too little" not in told.explanation.en


def test_a_rule_on_a_line_says_which_line() -> None:
    """The place is in words, in both languages."""
    told = explain_rule(
        finding("BR-27", location="/Invoice/cac:InvoiceLine[3]/cac:Price[1]/cbc:PriceAmount[1]")
    )
    assert told.explanation is not None
    assert told.explanation.en.endswith("Place: invoice line 3, price.")
    assert told.explanation.fr.endswith("Endroit : ligne de facture 3, prix.")


@pytest.mark.parametrize(
    ("rule", "message", "says"),
    [
        (
            "BR-52",
            "[BR-52]-Each Additional supporting document (BG-24) shall contain a Supporting"
            " document reference (BT-122).",
            "A supporting document is announced without its reference: “Supporting document",
        ),
        (
            "BR-DEC-09",
            "[BR-DEC-09]-The allowed maximum number of decimals for the Sum of Invoice line net"
            " amount (BT-106) is 2.",
            "“Sum of Invoice line net amount” (BT-106) has more than 2 decimals.",
        ),
        (
            "BR-CL-14",
            "[BR-CL-14]-Country codes in an invoice MUST be coded using ISO code list 3166-1",
            "A code is used here that is not one of those allowed.",
        ),
        (
            "BR-AE-05",
            "",
            "where the seller charges no VAT: its rate “Invoiced item VAT rate” (BT-152)",
        ),
        (
            "UBL-CR-541",
            "[UBL-CR-541]-A UBL invoice should not include the InvoiceLine DocumentReference"
            " VersionID",
            "so the buyer's software need not read it: InvoiceLine DocumentReference VersionID.",
        ),
        ("BR-FR-10_BT-30", "[BR-FR-10/BT-30] : …", "The SIREN of the seller is missing"),
        (
            "FX-SCH-A-000250",
            "[BR-S-05]-In an Invoice line (BG-25) …",
            "so its rate “Invoiced item VAT rate” (BT-152) must be greater than 0.",
        ),
        ("OWN-1", "nothing known", "The invoice breaks the rule OWN-1"),
    ],
)
def test_families_explain_rules_nobody_wrote_a_sentence_for(
    rule: str, message: str, says: str
) -> None:
    """Missing terms, decimals, code lists, VAT categories, elements outside the standard."""
    assert says in explained(rule, message)[0]


def test_what_is_explained_stays_as_it_is() -> None:
    """Findings of our own bring their sentences along."""
    own = Finding(
        rule="XSD-INVALID",
        layer=Layer.XSD,
        severity=Severity.ERROR,
        message="m",
        explanation=Text(en="e", fr="f"),
    )
    assert explain_rule(own) is own


@pytest.mark.parametrize("amount", ["1E+999999999", "NaN", "Infinity", "twelve", "", "9" * 5000])
def test_hostile_amounts_do_not_stop_an_explanation(amount: str) -> None:
    """What is no sensible number is left out of the figures."""
    values = {"BT-109": Seen(amount), "BT-110": Seen("20"), "BT-112": Seen("120")}
    told = explain_rule(finding("BR-CO-15"), values)
    assert told.explanation is not None
    assert "do not make the total" in told.explanation.en


def test_a_text_full_of_traps_is_searched_in_bounded_time() -> None:
    """A rule may quote megabytes of the document; the families' expressions stay quick."""
    message = "shall have (BT-1) or " * 50_000
    assert "One of the two must be given" in explained("OWN-2", message)[0]
