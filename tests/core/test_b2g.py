"""The B2G rules: for each, an invoice that obeys it and one that does not, in every document."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pytest

from gateway.core.directory import OneDirectory, Recipient
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.schematron.inventory import assertions
from gateway.core.schematron.runner import RulePacks
from gateway.core.xml import ParsedXml
from gateway.core.xsd import SchemaStore
from gateway.model.interchange import INVOICE_SYNTAXES, Syntax
from gateway.model.verdict import Finding, Severity
from tests.b2g_documents import (
    AGENT_SIRET,
    BUYER_SIRET,
    DOCUMENTS,
    SELLER_SIRET,
    Change,
    before,
    beside,
    document,
    drop,
    lines,
    mark,
    scheme,
    twice,
    write,
)
from tests.directories import snapshot

CATALOGUE = Catalogue.load()
SCHEMAS = SchemaStore(CATALOGUE)
PACKS = RulePacks(CATALOGUE)
KINDS = tuple(DOCUMENTS)

Changes = tuple[Change, ...]


class Case(NamedTuple):
    """What breaks the rule, and what comes close to it and does not.

    `ubl_schema`: the schema of UBL leaves no room for breaking it.
    """

    breaks: Changes
    obeys: Changes = ()
    ubl_schema: bool = True


def at_most(place: str, length: int) -> Case:
    """A value that may have so many characters: as many, and one more."""
    return Case((write(place, "9" * (length + 1)),), (write(place, f" {'é' * length}\n"),))


def identifier(kind: str, text: str) -> Changes:
    """The seller has no SIREN, and is known by an identifier of this scheme."""
    return scheme("BT-29", kind), write("BT-29", text), drop("BT-30")


def vat_identifier(text: str) -> Changes:
    """The seller is known by its VAT identifier."""
    return *identifier("0223", text), write("BT-31", text)


def foreign(text: str) -> Changes:
    """The seller is from outside the EU."""
    return *identifier("0227", text), write("BT-27", "Ácme Tools & Company Inc.")


RULES: dict[str, Case] = {
    "01": Case((write("EXT-FR-FE-01", "Marché"),), (write("EXT-FR-FE-01", "CONTRAT"),)),
    "02_BT-1": at_most("BT-1", 20),
    "02_BT-25": at_most("BT-25", 20),
    "02_EXT-FR-FE-136": at_most("EXT-FR-FE-136", 20),
    "03": Case((scheme("BT-29", "0088"),), identifier("0226", "1850575116DUPONTJEAN")),
    "03_SIRET": Case((write("BT-29", "0001234550001"),)),
    "04_LENGTH": Case(vat_identifier("DE" + "1" * 17), vat_identifier("DE" + "1" * 16)),
    "04_BT-31": Case(
        (*vat_identifier("DE123456789"), write("BT-31", "DE123456780")),
        (*vat_identifier("DE 123 456 789"), write("BT-31", "DE123456789")),
    ),
    "05_LENGTH": Case(foreign("USAcme Tools & Comp"), foreign("USAcme Tools & Com")),
    "05_BT-27": Case(foreign("USAcme Trade"), foreign("USACMETOOLSCOMPANY")),
    "06": Case(identifier("0228", "12345678"), identifier("0228", "1234567.01")),
    "07": Case(identifier("0229", "12345678901"), identifier("0229", "123456789")),
    "08": Case(identifier("0226", "185057511XDUPONT"), identifier("0226", "1850575116" + "D" * 70)),
    "09": Case((scheme("BT-29", "0088"),), identifier("0229", "123456789")),
    "10": Case((drop("BT-46/0009"),)),
    "14": at_most("BT-12", 50),
    "15": at_most("BT-13", 50),
    "17": Case((write("BT-60", "00031415400024"),), (drop("BT-61"), scheme("BT-60", "0227"))),
    "18": Case((drop("EXT-FR-FE-71"),), (drop("EXT-FR-FE-71"), scheme("EXT-FR-FE-69", "0223"))),
    "20": Case((twice("BG-3"),), (drop("BG-3"),)),
    "21": Case((write("BT-23", "S6"), drop("EXT-FR-FE-BG-03")), (write("BT-23", "S3"),)),
    "24": Case((write("BT-23", "S5"),), (write("BT-23", "S2"),)),
    "25": Case((twice("payment terms"),), (drop("payment terms"),)),
    "26": Case((twice("BG-6"),), (drop("BG-6"),), ubl_schema=False),
    "27": Case((twice("BG-9"),), (drop("BG-9"),), ubl_schema=False),
    "28": Case((twice("EXT-FR-FE-85"),), (drop("EXT-FR-FE-85"),), ubl_schema=False),
    "29": at_most("BT-120", 1024),
    "30": at_most("BT-122", 50),
    "31": at_most("BT-154", 1024),
    "32": at_most("BT-35", 400),
    "33": at_most("BT-37", 400),
    "34": at_most("BT-45", 99),
    "35": at_most("BT-20", 1024),
    "36": at_most("BT-28", 99),
    "37": at_most("BT-59", 99),
    "38": at_most("BT-71", 20),
    "39": at_most("BT-84", 84),
    "40": at_most("EXT-FR-FE-146", 20),
    "41": Case(
        (mark("BT-125", "filename", "x" * 47 + ".csv"),),
        (mark("BT-125", "filename", "x" * 46 + ".csv"),),
    ),
    "42": at_most("BT-22", 1024),
    "43": at_most("BT-27", 99),
    "44": at_most("BT-44", 99),
}
"""The rules that need no directory and reject, but for 19: its invoices are large."""


def found(parsed: ParsedXml, *, noted: bool = False, packs: RulePacks = PACKS) -> list[Finding]:
    """What the pack of the document's syntax finds."""
    syntax = Syntax.CII if parsed.root.tag.endswith("CrossIndustryInvoice") else Syntax.UBL
    return list(packs.run(f"b2g-{'noted-' if noted else ''}{syntax.value}", parsed))


def errors(found: Iterable[Finding]) -> list[str]:
    """What rejects, by the numbers of the rules."""
    return [
        finding.rule.removeprefix("BR-FR-CPRO-")
        for finding in found
        if finding.severity is Severity.ERROR
    ]


def valid_by_schema(kind: str, parsed: ParsedXml) -> bool:
    """Whether the rules would be asked at all."""
    return not SCHEMAS.validate("cii-d22b" if kind == "cii-invoice" else "ubl-2.1", parsed)


@pytest.mark.parametrize("kind", KINDS)
def test_the_invoice_that_tests_change_obeys_all_rules(kind: str) -> None:
    """It is valid by its schema, and nothing is found but what only a directory could say."""
    parsed = document(kind)

    assert valid_by_schema(kind, parsed)
    assert {finding.rule for finding in found(parsed)} == {
        "BR-FR-CPRO-09_NOT-CHECKED",
        "BR-FR-CPRO-11_NOT-CHECKED",
        "BR-FR-CPRO-22_NOT-CHECKED",
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rule", RULES)
def test_a_rule_lets_a_good_invoice_pass_and_names_a_bad_one(rule: str, kind: str) -> None:
    """Both are valid by the schema, where that leaves room; the terms are named."""
    case = RULES[rule]
    good, bad = document(kind, case.obeys), document(kind, case.breaks)
    assert valid_by_schema(kind, good)
    assert valid_by_schema(kind, bad) == (case.ubl_schema or kind == "cii-invoice")

    assert errors(found(good)) == []
    assert rule in errors(found(bad))
    (finding,) = (each for each in found(bad) if each.rule == f"BR-FR-CPRO-{rule}")
    assert finding.terms
    assert finding.line is not None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rule", RULES)
def test_a_rule_finds_nothing_beside_what_is_wrong(rule: str, kind: str) -> None:
    """One fault makes one error, or those of rules that forbid the same."""
    together = {"03": {"09"}, "09": {"03"}, "05_LENGTH": {"05_BT-27"}}
    expected = {rule} | together.get(rule, set())
    assert set(errors(found(document(kind, RULES[rule].breaks)))) == expected


@pytest.mark.parametrize("kind", ["ubl-invoice", "cii-invoice"])
def test_a_million_lines_are_one_too_many(kind: str) -> None:
    """BR-FR-CPRO-19; all the other invoices have one line."""
    assert errors(found(document(kind, [lines(1_000_000)]))) == ["19"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_account_longer_than_a_french_iban_is_told_only(kind: str) -> None:
    """BR-FR-CPRO-39 says 27 characters and, elsewhere, 84: between the two it warns."""
    for length, expected in ((27, []), (28, [Severity.WARNING]), (84, [Severity.WARNING])):
        told = found(document(kind, [write("BT-84", "9" * length)]))
        assert [each.severity for each in told if "CPRO-39" in each.rule] == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("written", "good"),
    [
        ("USÁcme Tools & Com", True),  # 16 characters as they stand
        ("USACMETOOLSCOMPANY", True),  # without spaces and signs, before it is cut
        ("usACME TOOLS  COM", True),
        ("USÁcme Tools & Co", True),  # 17 in all, as the other place in the text has it
        ("USAcme", False),
        ("U1Ácme Tools & Com", False),
        ("US", False),
        ("USÁcme Trade & Com", False),
    ],
)
def test_how_a_name_is_cut_and_spelt_is_left_open(written: str, good: bool, kind: str) -> None:
    """BR-FR-CPRO-05: a country code and the beginning of the name, however they are written."""
    assert (errors(found(document(kind, foreign(written)))) == []) is good


@pytest.mark.parametrize("kind", KINDS)
def test_a_short_name_is_whole_in_the_identifier(kind: str) -> None:
    """BR-FR-CPRO-05: a name of fewer than 16 characters."""
    changes = (*identifier("0227", "CHUhren AG"), write("BT-27", "Uhren AG"))
    assert errors(found(document(kind, changes))) == []


PARTY = "<ram:Name>Conseil et Cie</ram:Name>"
IGNORED: dict[str, tuple[Change, Change]] = {
    "EXT-FR-FE-BG-01": (
        beside("BG-9", "<cac:AgentParty/>"),
        beside("BG-24", f"<ram:BuyerAgentTradeParty>{PARTY}</ram:BuyerAgentTradeParty>"),
    ),
    "EXT-FR-FE-BG-04": (
        beside("BG-9", "<cac:ServiceProviderParty><cac:Party/></cac:ServiceProviderParty>"),
        before("BG-10", f"<ram:InvoiceeTradeParty>{PARTY}</ram:InvoiceeTradeParty>"),
    ),
}
"""Parties that BR-FR-CPRO-16 is about, in UBL and in CII."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("party", IGNORED)
def test_parties_that_nobody_reads_are_told(party: str, kind: str) -> None:
    """BR-FR-CPRO-16 is information, in an invoice that is valid by its schema."""
    parsed = document(kind, [IGNORED[party][kind == "cii-invoice"]])

    (told,) = (each for each in found(parsed) if each.rule == "BR-FR-CPRO-16")

    assert valid_by_schema(kind, parsed)
    assert told.severity is Severity.INFO
    assert "BR-FR-CPRO-16" not in {each.rule for each in found(document(kind))}


# ── The directory ────────────────────────────────────────────────────────────────────────────


def recipient(siret: str, codes: tuple[str, ...] = (), **wants: bool) -> Recipient:
    """An active public recipient that wants nothing but what is said."""
    plain = Recipient(siret, True, True, False, False, False, codes)
    return plain._replace(**wants)


BUYER, SELLER, AGENT = recipient(BUYER_SIRET), recipient(SELLER_SIRET), recipient(AGENT_SIRET)
NO_ORDER, NO_SERVICE = drop("BT-13"), drop("BT-46/0224")
DIRECTORY_RULES: dict[str, tuple[Changes, Recipient, Changes, Recipient]] = {
    "09_ACTIVE": ((), SELLER._replace(active=False), (), SELLER),
    "11": (
        (NO_SERVICE,),
        recipient(BUYER_SIRET, service_code_required=True),
        (),
        recipient(BUYER_SIRET, ("ECOLES", "VOIRIE"), service_code_required=True),
    ),
    "11_KNOWN": (
        (),
        recipient(BUYER_SIRET, ("ECOLES",), service_code_required=True),
        (),
        recipient(BUYER_SIRET, ("ECOLES",)),
    ),
    "12": (
        (NO_ORDER,),
        recipient(BUYER_SIRET, engagement_required=True),
        (),
        recipient(BUYER_SIRET, engagement_required=True),
    ),
    "13": (
        (NO_ORDER, NO_SERVICE),
        recipient(BUYER_SIRET, either_required=True),
        (NO_ORDER,),
        recipient(BUYER_SIRET, either_required=True),
    ),
    "22": ((), AGENT._replace(active=False), (), AGENT._replace(public=False)),
    "23": (
        (write("BT-23", "S3"),),
        BUYER._replace(public=False),
        (write("BT-23", "S3"),),
        BUYER,
    ),
}
"""Rule → invoice and directory that break it, invoice and directory that obey it."""


def asked(folder: Path, parsed: ParsedXml, *recipients: Recipient) -> list[Finding]:
    """What is found with a directory that lists these."""
    path = snapshot(folder, *recipients)
    return found(parsed, packs=RulePacks(CATALOGUE, directory=OneDirectory(path)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rule", DIRECTORY_RULES)
def test_a_rule_asks_the_directory(rule: str, kind: str, tmp_path: Path) -> None:
    """A good and a bad invoice for each; whoever else stands in the directory does not matter."""
    breaks, bad, obeys, good = DIRECTORY_RULES[rule]
    others = [recipient(f"{number:014}", service_code_required=True) for number in range(50)]

    assert errors(asked(tmp_path, document(kind, breaks), bad, *others)) == [rule]
    assert errors(asked(tmp_path, document(kind, obeys), good, *others)) == []


ALL_OPEN = (write("BT-23", "S3"), NO_ORDER, NO_SERVICE)
"""Every rule that may ask the directory has to."""
OPEN_RULES = ["09", "11", "12", "13", "22", "23"]


def not_checked(found: Iterable[Finding]) -> list[str]:
    """The rules that say so, by their numbers."""
    told = [each for each in found if each.rule.endswith("_NOT-CHECKED")]
    assert {each.severity for each in told} <= {Severity.INFO}
    assert all("Not checked" in each.message for each in told)
    return sorted(each.rule.split("-")[3].split("_")[0] for each in told)


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_directory_each_rule_says_once_that_it_was_not_checked(kind: str) -> None:
    """Never passed silently, and never held against the invoice."""
    told = found(document(kind, ALL_OPEN))

    assert not_checked(told) == OPEN_RULES
    assert errors(told) == []
    assert all("no directory was imported" in each.message for each in told)


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_directory_does_not_list_is_not_checked(kind: str, tmp_path: Path) -> None:
    """It may hold a part of the recipients only."""
    told = asked(tmp_path, document(kind, ALL_OPEN))

    assert not_checked(told) == OPEN_RULES
    assert all("does not list the SIRET" in each.message for each in told)


@pytest.mark.parametrize("kind", KINDS)
def test_with_all_parties_listed_every_rule_is_checked(kind: str, tmp_path: Path) -> None:
    """Nothing is left to say about a good invoice."""
    assert asked(tmp_path, document(kind, ALL_OPEN), SELLER, BUYER, AGENT) == []


@pytest.mark.parametrize("kind", KINDS)
def test_service_codes_that_the_directory_lacks_are_not_checked(kind: str, tmp_path: Path) -> None:
    """A code is wanted, one is given, and the directory has none to compare it with."""
    buyer = recipient(BUYER_SIRET, service_code_required=True)

    assert not_checked(asked(tmp_path, document(kind), SELLER, buyer, AGENT)) == ["11"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_rule_that_is_obeyed_whatever_the_directory_says_is_checked(kind: str) -> None:
    """With an order and a service code, 12 and 13 have nothing to ask; without S3, 23 has not."""
    assert not_checked(found(document(kind))) == ["09", "11", "22"]


# ── When they apply, and how they are run ────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", KINDS)
def test_the_noted_packs_hold_only_invoices_that_say_so(kind: str) -> None:
    """A note with the subject ADN and the text B2G decides."""
    bad = (write("BT-1", "9" * 21),)

    assert errors(found(document(kind, bad), noted=True)) == ["02_BT-1"]
    assert found(document(kind, (*bad, drop("note that says B2G"))), noted=True) == []
    assert errors(found(document(kind, (*bad, drop("note that says B2G"))))) == ["02_BT-1"]


@pytest.mark.parametrize("kind", KINDS)
def test_they_find_the_same_as_they_stand(kind: str, tmp_path: Path) -> None:
    """Optimised and as written: the same findings in the same order, with a directory too."""
    directory = OneDirectory(snapshot(tmp_path, BUYER, SELLER._replace(active=False)))
    optimised = RulePacks(CATALOGUE, directory=directory)
    plain = RulePacks(CATALOGUE, directory=directory, optimise=False)
    for case in RULES.values():
        parsed = document(kind, case.breaks)
        assert found(parsed, packs=optimised) == found(parsed, packs=plain)


def test_all_44_rules_are_there_in_both_syntaxes() -> None:
    """And every assertion has a test that breaks it."""
    tested = {*RULES, *DIRECTORY_RULES, "16", "19", "39_IBAN"}
    tested |= {f"{number}_NOT-CHECKED" for number in OPEN_RULES}
    for syntax in INVOICE_SYNTAXES:
        stylesheet = CATALOGUE.artefact(f"b2g-{syntax.value}").stylesheet
        rules = {each.rule.removeprefix("BR-FR-CPRO-") for each in assertions(stylesheet)}
        assert rules == tested
        assert {int(re.split("_", rule)[0]) for rule in rules} == set(range(1, 45))
