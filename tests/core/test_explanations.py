"""What a broken rule means, in words."""

from __future__ import annotations

import re

import pytest

from gateway.core.explanations import explain_rule, explanations, values_in
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.schematron.inventory import assertions
from gateway.core.terms import terms, terms_in
from gateway.core.xml import ParsedXml, parse
from gateway.model.interchange import Syntax
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Finding, Language, Layer, Severity, Text
from gateway.samples import sample_bytes

OFFICIAL = [
    "en16931-ubl",
    "extended-ctc-fr-ubl",
    "br-fr-flux2-ubl",
    "extended-ctc-fr-cii",
    "br-fr-flux2-cii",
    "facturx-extended",
]


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


def explained(rule: str, message: str = "", location: str = "/Invoice") -> tuple[str, str]:
    """English explanation and remedy."""
    told = explain_rule(finding(rule, message, location))
    assert told.explanation is not None
    assert told.remedy is not None
    return told.explanation.en, told.remedy.en


@pytest.mark.parametrize("pack", OFFICIAL)
def test_every_official_rule_has_a_whole_explanation(pack: str) -> None:
    """In both languages: something is said, nothing is left unfilled, no XPath is shown."""
    for assertion in assertions(Catalogue.load().artefact(pack).stylesheet):
        told = explain_rule(finding(assertion.rule, assertion.text))
        for sentence in (told.explanation, told.remedy):
            assert sentence is not None
            for language in Language:
                text = sentence.to(language)
                assert text.endswith("."), (assertion.rule, text)
                assert not re.search(r"\{(?!\w*:|/)[A-Za-z-]+\}|\bNone\b|: \.", text), text


def test_only_rules_no_family_fits_fall_to_the_last_resort() -> None:
    """Of the rules that reject a UBL invoice, few are explained in general words only."""
    general = explanations().families[-1].why_en.partition("{")[0]
    poor = [
        assertion.rule
        for pack in ("en16931-ubl", "br-fr-flux2-ubl")
        for assertion in assertions(Catalogue.load().artefact(pack).stylesheet)
        if assertion.severity is Severity.ERROR
        and explained(assertion.rule, assertion.text)[0].startswith(general)
    ]
    assert len(poor) <= 25, poor


def test_every_word_of_the_explanations_is_known() -> None:
    """Terms have names, values have paths, and no sentence lacks its other language."""
    known = explanations()
    for wording in (*known.rules.values(), *known.families):
        sentences = (wording.why_en, wording.why_fr, wording.remedy_en, wording.remedy_fr)
        for sentence in sentences:
            assert set(re.findall(r"\{((?:BT|BG)-[\d-]+)\}", sentence)) <= terms().keys()
        assert bool(wording.why_en) == bool(wording.why_fr)
        assert bool(wording.remedy_en) == bool(wording.remedy_fr)
        shown = {*wording.show, *re.findall(r"Σ?BT-\d+", wording.equation)}
        for syntax in Syntax:
            assert shown <= known.values[syntax].keys()


def test_every_rule_explained_by_name_exists() -> None:
    """No explanation is for a rule that no pack has."""
    catalogue = Catalogue.load()
    existing = set()
    for pack in (*OFFICIAL, "facturx-en16931"):
        for assertion in assertions(catalogue.artefact(pack).stylesheet):
            existing |= {assertion.rule, re.split(r"_|-(?=[A-Z]+$)", assertion.rule)[0]}
    assert explanations().rules.keys() - existing == set()


def test_a_total_that_does_not_add_up_is_shown_with_its_figures() -> None:
    """BR-CO-15 names the three totals and calculates the difference."""
    parsed = parse(sample_bytes("ubl-invoice-faulty.xml"), DocumentLimits())
    assert isinstance(parsed, ParsedXml)
    broken = finding(
        "BR-CO-15",
        "[BR-CO-15]-Invoice total amount with VAT (BT-112) = Invoice total amount without VAT"
        " (BT-109) + Invoice total VAT amount (BT-110).",
    )
    values = values_in(broken, parsed.root, Syntax.UBL)

    told = explain_rule(broken, values)

    assert values.keys() == {"BT-109", "BT-110", "BT-112"}
    assert told.explanation is not None
    assert "“Invoice total amount with VAT” (BT-112) must be" in told.explanation.en
    assert f"{values['BT-109']} (BT-109) + {values['BT-110']} (BT-110) = " in told.explanation.en
    assert f"la facture indique {values['BT-112']} (BT-112)" in told.explanation.fr


@pytest.mark.parametrize(
    ("syntax", "sample"), [(Syntax.UBL, "ubl-invoice.xml"), (Syntax.CII, "cii-invoice.xml")]
)
def test_the_sums_of_a_good_invoice_leave_nothing_to_say(syntax: Syntax, sample: str) -> None:
    """Every equation finds its figures in both syntaxes, and they balance."""
    parsed = parse(sample_bytes(sample), DocumentLimits())
    assert isinstance(parsed, ParsedXml)
    for rule in ("BR-CO-10", "BR-CO-13", "BR-CO-14", "BR-CO-15", "BR-CO-16"):
        values = values_in(finding(rule), parsed.root, syntax)
        assert len(values) >= 2, rule
        told = explain_rule(finding(rule), values)
        assert told.explanation is not None
        assert "Calculated" not in told.explanation.en


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
            "This is missing: “Supporting document reference” (BT-122).",
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
            "A code is used here that is not in its list: ISO code list 3166-1.",
        ),
        ("BR-AE-05", "", "With the VAT category reverse charge (AE) the rate must be 0."),
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
            "With the VAT category standard or reduced rate (S) the rate must be greater than 0.",
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
    values = {"BT-109": amount, "BT-110": "20", "BT-112": "120"}
    told = explain_rule(finding("BR-CO-15"), values)
    assert told.explanation is not None
    assert "Calculated" not in told.explanation.en


def test_a_text_full_of_traps_is_searched_in_bounded_time() -> None:
    """A rule may quote megabytes of the document; the families' expressions stay quick."""
    message = "shall have (BT-1) or " * 50_000
    assert "One of the two must be given" in explained("OWN-2", message)[0]
