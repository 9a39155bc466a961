"""What a document says twice, where the official rules take one for granted: its sender is told."""

from __future__ import annotations

import copy

import msgspec
import pytest
from lxml import etree

from gateway.core.pipeline import Judge
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.schematron.several import meant_by
from gateway.errors import RulePackError
from gateway.model.flow import Chain
from gateway.model.interchange import Syntax
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Judgement, Rejected, Severity, Undetermined
from gateway.samples import sample_bytes
from tests.core.mapping_documents import mapping
from tests.core.test_pipeline import FLOW, Packs, job, judged
from tests.official_packs import official

STOPPED = (
    "The rule pack x failed on this document: A sequence of more than one item "
    '{ ("%s", "%s") } is not allowed as the first argument of fn:normalize-space()'
)
BOTH = msgspec.structs.replace(
    FLOW,
    chain=(*FLOW.chain, Chain(syntax=Syntax.CII, schema="cii-d22b", rules=("en16931-cii",))),
)
_NAME = ".//{*}AccountingSupplierParty/{*}Party/{*}PartyLegalEntity/{*}RegistrationName"
NAME = str(etree.fromstring(sample_bytes("ubl-invoice.xml")).findtext(_NAME))
SHORTENED = '{ ("Fournitures de l\'Est ... responsabilité", "x") }'
SELLER = "{*}AccountingSupplierParty/{*}Party/{*}PartyLegalEntity"


def with_twice(sample: str, path: str) -> bytes:
    """The sample with an element written once more beside itself."""
    root = etree.fromstring(sample_bytes(sample))
    element = root.find(path)
    assert element is not None
    element.addnext(copy.deepcopy(element))
    return etree.tostring(root)


def by_official_rules(data: bytes) -> Judgement:
    """The judgement by EN 16931's own rules for UBL and CII."""
    official("en16931-cii")
    return Judge((BOTH,), Catalogue.load(), DocumentLimits()).judge(job(data), data)


@pytest.mark.parametrize(
    ("sample", "path", "terms"),
    [
        ("ubl-invoice.xml", f".//{SELLER}", {"BT-27", "BT-30"}),
        (
            "ubl-invoice.xml",
            ".//{*}AccountingCustomerParty/{*}Party/{*}PartyLegalEntity",
            {"BT-44", "BT-47"},
        ),
        ("cii-invoice.xml", ".//{*}GrandTotalAmount", {"BT-112"}),
        ("cii-invoice.xml", ".//{*}SpecifiedTradeProduct/{*}Name", {"BT-153"}),
        ("cii-invoice.xml", ".//{*}GuidelineSpecifiedDocumentContextParameter", {"BT-24"}),
    ],
)
def test_official_rules_that_stop_there_reject_with_the_place(
    sample: str, path: str, terms: set[str]
) -> None:
    """Each repeated term is an error with its line, even when both values are the same."""
    data = with_twice(sample, path)
    judgement = by_official_rules(data)
    assert isinstance(judgement.verdict, Rejected)
    found = [one for one in judgement.findings if one.rule == "MAP-TWICE"]
    assert {term for one in found for term in one.terms} == terms
    for one in found:
        assert one.severity is Severity.ERROR
        assert one.line is not None
        assert one.location is not None
        assert one.explanation is not None
        assert one.remedy is not None


def test_the_checks_that_did_not_end_are_named_too() -> None:
    """The list of errors may be incomplete, and says so."""
    judgement = by_official_rules(with_twice("ubl-invoice.xml", f".//{SELLER}"))
    assert [one.rule for one in judgement.findings if one.severity is Severity.INFO] == [
        "CHECK-NOT-RUN",
        "CHECK-NOT-RUN",
    ]


def test_rules_that_stop_for_another_reason_leave_the_document_undetermined() -> None:
    """That something is there twice is no proof that the rules stopped because of it."""
    data = with_twice("ubl-invoice.xml", f".//{SELLER}")
    for words in ("Division by zero", STOPPED % ("Someone else", "Someone else")):
        judgement = judged(Packs(en16931_ubl=RulePackError(words)), data)
        assert isinstance(judgement.verdict, Undetermined)
        assert "MAP-TWICE" not in {one.rule for one in judgement.findings}


def test_a_document_that_says_it_once_is_undetermined_whatever_the_rules_name() -> None:
    """A fault in a pack is ours: nobody is rejected for it."""
    packs = Packs(en16931_ubl=RulePackError(STOPPED % (NAME, NAME)))
    assert isinstance(judged(packs).verdict, Undetermined)


def test_the_error_of_the_rules_is_enough_with_the_repetition() -> None:
    """The same words for a document that does say it twice: rejected."""
    packs = Packs(en16931_ubl=RulePackError(STOPPED % (NAME, NAME)))
    judgement = judged(packs, with_twice("ubl-invoice.xml", f".//{SELLER}"))
    assert isinstance(judgement.verdict, Rejected)
    assert [one.terms for one in judgement.findings if one.rule == "MAP-TWICE"] == [("BT-27",)]


@pytest.mark.parametrize(
    ("said", "text", "meant"),
    [
        ('{ ("a", "b") }', "b", True),
        ('{ ("a", "b") }', "c", False),
        ('{ ("a b", "a b") }', " a\n  b ", True),
        ('{ ("say ""yes""", "x") }', 'say "yes"', True),
        (
            SHORTENED,
            "Fournitures de l'Estuaire SAS à responsabilité",
            True,
        ),
        (
            SHORTENED,
            "Fournitures de l'Estuaire SAS",
            False,
        ),
        ('{ ("", "x") }', "", False),
    ],
)
def test_values_are_known_again_as_saxon_quotes_them(said: str, text: str, meant: bool) -> None:
    """Shortened in the middle, quotes doubled, white space normalised; an empty one is nobody's."""
    where = meant_by([f"A sequence of more than one item {said} is not allowed as"])
    assert where is not None
    element = etree.Element("e")
    etree.SubElement(element, "inner").text = text
    assert where(element) is meant


@pytest.mark.parametrize(
    "said", ["", "Division by zero", "more than one item { (<a/>, <b/>) } is not allowed"]
)
def test_other_errors_name_no_values(said: str) -> None:
    """Nothing is guessed."""
    assert meant_by([said]) is None


def test_what_may_repeat_is_never_given_twice() -> None:
    """Lines, notes and VAT breakdowns are lists; a sample says nothing twice."""
    for sample in ("ubl-invoice.xml", "cii-invoice.xml", "ubl-credit-note.xml"):
        root = etree.fromstring(sample_bytes(sample))
        syntax = Syntax.CII if sample.startswith("cii") else Syntax.UBL
        assert mapping().given_twice(root, syntax, None, lambda _: True) == ()
