"""From verdicts to statuses: deposited, rejected, refused; each valid by the official rules."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
from pathlib import Path

import msgspec
import pytest

import gateway.samples
from gateway.config import load_flows
from gateway.core.acknowledgement.flux_state import TechnicalError, technical_errors
from gateway.core.acknowledgement.refusal_codes import refusal_codes
from gateway.core.acknowledgement.report_facts import Outcome, ReportDocument, document_of
from gateway.core.cdar.sending import assembled
from gateway.core.cdar.statuses import DEPOSITED, INADMISSIBLE, REJECTED
from gateway.core.cdar.values import DocumentStatus, Identifier
from gateway.core.cdar.verdicts import (
    MAX_NOTE,
    MAX_NOTES,
    by_status,
    document_status,
    refused_flux,
    status_for,
)
from gateway.core.explain import own_finding
from gateway.core.pipeline import Judge
from gateway.core.schematron.catalogue import Catalogue
from gateway.model.job import DocumentLimits, JudgeJob
from gateway.model.lifecycle import DocumentState
from gateway.model.verdict import (
    Accepted,
    Finding,
    Judgement,
    Language,
    Layer,
    Rejected,
    Severity,
    Text,
    Undetermined,
    Verdict,
)
from tests.cdar_documents import AT, objections, sending

RULE_OF = {
    "MONTANTTOTAL_ERR": "BR-CO-15",
    "CALCUL_ERR": "BR-CO-10",
    "DOUBLON": "DOUBLON",
    "ADR_ERR": "BR-FR-23_BT-49",
    "REJ_SEMAN": "BR-02",
    "REJ_UNI": "BR-FR-MV-12_BT-128",
    "REJ_COH": "BR-CL-14",
    "REJ_ADR": "BR-FR-12_BT-49",
    "REJ_CONT_B2G": "BR-FR-CPRO-12",
    "REJ_REF_PJ": "BR-FR-17_BT-123",
    "REJ_ASS_PJ": "ATTACHMENT-NAME",
}
"""A rule for every reason that a finding of ours can have; DEST_INC has none."""


def error(rule: str, severity: Severity = Severity.ERROR, line: int | None = 12) -> Finding:
    """A finding with words in both languages."""
    return Finding(
        rule=rule,
        layer=Layer.SCHEMATRON,
        severity=severity,
        message=f"[{rule}]-…",
        line=line,
        explanation=Text(en=f"{rule} is broken.", fr=f"{rule} n'est pas respectée."),
        remedy=Text(en="Mend it.", fr="Corrigez."),
    )


def judgement(
    verdict: Verdict,
    *,
    number: str | None = "FA-2026-00187",
    issued: str | None = "2026-09-12",
    seller: str | None = "000123455",
) -> Judgement:
    """What judging an invoice says."""
    return Judgement(
        document="FA.xml",
        sha256="0" * 64,
        size=1,
        flow="ctc-fr-invoice",
        syntax="ubl",
        document_type="invoice",
        profile=None,
        verdict=verdict,
        invoice_number=number,
        issue_date=issued,
        seller_id=seller,
    )


def said(
    document: Judgement | ReportDocument, language: Language = Language.FR
) -> DocumentStatus | None:
    """What a message would say of it."""
    return document_status(document, received=AT, language=language)


def rejected(*rules: str, language: Language = Language.FR) -> DocumentStatus:
    """What a message says of an invoice that breaks these rules."""
    found = said(judgement(Rejected(tuple(error(rule) for rule in rules))), language)
    assert found is not None
    return found


def test_an_accepted_invoice_is_deposited() -> None:
    """With its type, which the canonical invoice has; without a reason."""
    accepted = judgement(Accepted(b'{"invoice_type_code": "389", "invoice_number": "FA"}'))
    found = said(accepted)
    assert status_for(accepted) is DEPOSITED
    assert found is not None
    assert (found.number, found.type_code, found.issued) == (
        "FA-2026-00187",
        "389",
        dt.date(2026, 9, 12),
    )
    assert found.details == ()
    for portal in (False, True):
        assert objections(assembled(DEPOSITED, [found], sending(DEPOSITED, portal=portal))) == ()


@pytest.mark.parametrize("code", REJECTED.reasons)
def test_every_reason_of_a_rejection(code: str) -> None:
    """From a finding to a message that is valid, to partner and portal; or from none."""
    if code not in RULE_OF:
        assert code == "DEST_INC"
        return
    found = rejected(RULE_OF[code])
    assert [detail.reason for detail in found.details] == [code]
    for portal in (False, True):
        message = assembled(REJECTED, [found], sending(REJECTED, portal=portal))
        assert objections(message) == ()


def test_a_rejection_says_why_in_the_partners_language() -> None:
    """The reason by name, the rule with its line, why, what to do, what is asked for."""
    (detail,) = rejected("BR-CO-15").details
    assert detail.reason_text == "Montant total erroné"
    assert detail.notes == ("BR-CO-15 (ligne 12) : BR-CO-15 n'est pas respectée. Corrigez.",)
    assert detail.action == "NIN"
    (detail,) = rejected("BR-CO-15", language=Language.EN).details
    assert detail.reason_text == "Total amount wrong"
    assert detail.notes == ("BR-CO-15 (line 12): BR-CO-15 is broken. Mend it.",)
    (detail,) = rejected("DOUBLON").details
    assert detail.action == "NOA"


def test_reasons_come_in_the_order_of_their_first_error() -> None:
    """One detail for each; warnings are no reason."""
    findings = (
        error("BR-S-02", Severity.WARNING),
        error("BR-02"),
        error("BR-CO-15"),
        error("BR-03"),
    )
    found = said(judgement(Rejected(findings)))
    assert found is not None
    assert [detail.reason for detail in found.details] == ["REJ_SEMAN", "MONTANTTOTAL_ERR"]
    assert [note.partition(" ")[0] for note in found.details[0].notes] == ["BR-02", "BR-03"]


def test_what_is_told_is_bounded() -> None:
    """First causes, each rule once, short; how much more there is is said."""
    findings = [error("BR-02", line=line) for line in range(3000)]
    findings += [error(f"BR-{number:02}") for number in range(3, 12)]
    findings[0] = msgspec.structs.replace(
        findings[0], explanation=Text(en="x" * 9000, fr="x" * 9000)
    )
    (detail,) = said(judgement(Rejected(tuple(findings)))).details
    assert len(detail.notes) == MAX_NOTES + 1
    assert [note.split()[0] for note in detail.notes] == ["BR-02", "BR-03", "BR-04", "Et"]
    assert len(detail.notes[0]) == MAX_NOTE
    assert detail.notes[-1] == "Et 3006 de plus : voir le compte rendu du fichier."


@pytest.mark.parametrize(
    ("seller", "identifier"),
    [
        ("000123455", Identifier("000123455", "0002")),
        ("00012345500017", Identifier("000123455", "0002")),
        ("FR83000123455", Identifier("000123455", "0002")),
        ("DE123456789", Identifier("DE123456789", "0223")),
        ("seller@example.com", Identifier("seller@example.com")),
    ],
)
def test_the_seller_is_named_by_siren_where_it_has_one(seller: str, identifier: Identifier) -> None:
    """MDT-129: BT-30; a SIRET and a French VAT identifier contain it."""
    found = said(judgement(Rejected((error("BR-02"),)), seller=seller))
    assert found is not None
    assert found.issuer is not None
    assert found.issuer.ids == (identifier,)
    assert objections(assembled(REJECTED, [found], sending(REJECTED))) == ()


@pytest.mark.parametrize(
    ("number", "issued", "seller"),
    [
        (None, "2026-09-12", "000123455"),
        ("  ", "2026-09-12", "000123455"),
        ("FA", None, "000123455"),
        ("FA", "2026-13-12", "000123455"),
        ("FA", "20260912", "000123455"),
        ("FA", "2026-09-12", None),
    ],
)
def test_an_invoice_nobody_can_name_has_no_status(
    number: str | None, issued: str | None, seller: str | None
) -> None:
    """Better no message than one about another invoice: the report tells of it."""
    found = judgement(Rejected((error("BR-02"),)), number=number, issued=issued, seller=seller)
    assert said(found) is None


def test_what_is_not_decided_has_no_status() -> None:
    """Undetermined is neither good nor bad news; nor is what an operator set aside."""
    undetermined = judgement(Undetermined("the rules could not run", findings=(error("BR-02"),)))
    assert status_for(undetermined) is None
    assert said(undetermined) is None
    discarded = document_of(
        judgement(Rejected((error("BR-02"),))), 1, DocumentState.DISCARDED, "set aside"
    )
    assert discarded.outcome is Outcome.DISCARDED
    assert said(discarded) is None


def test_the_documents_of_a_report_say_the_same() -> None:
    """Whoever has a report needs no judgement."""
    judged = judgement(Rejected((error("BR-CO-15"),)))
    assert said(document_of(judged, 1, DocumentState.REJECTED)) == said(judged)


def test_an_interchange_is_told_in_groups() -> None:
    """One message for what is deposited, one for what is rejected; valid with many in each."""
    documents = [
        judgement(Accepted(b"{}"), number="A1"),
        judgement(Rejected((error("BR-02"),)), number="R1"),
        judgement(Accepted(b"{}"), number="A2"),
        judgement(Undetermined("later"), number="U1"),
        judgement(Rejected((error("BR-CO-15"),)), number="R2"),
        judgement(Rejected((error("BR-02"),)), number=None),
    ]
    told = by_status(documents, received=AT, language=Language.FR)
    assert {status.code: [each.number for each in found] for status, found in told.items()} == {
        "200": ["A1", "A2"],
        "213": ["R1", "R2"],
    }
    for status, found in told.items():
        assert objections(assembled(status, found, sending(status))) == ()


@pytest.mark.parametrize("code", refusal_codes())
def test_a_refused_flux_is_told_where_cdar_knows_the_code(code: str) -> None:
    """Ten of the codes make a valid 501; the others make none."""
    found = refused_flux(
        "FSO1100A_XXX999_XXX9991100000000000000001.tar.gz",
        [TechnicalError(code, "FLUX", error("CONTAINER-X"))],
        received=AT,
        language=Language.EN,
    )
    assert (found is not None) == (code in INADMISSIBLE.reasons)
    if found is not None:
        assert [detail.reason for detail in found.details] == [code]
        for portal in (False, True):
            message = assembled(INADMISSIBLE, [found], sending(INADMISSIBLE, portal=portal))
            assert objections(message) == ()


def test_a_flux_refused_for_several_reasons_names_those_that_are_known() -> None:
    """Each once, with what was found; IRR_UNCITE is for the report alone."""
    errors = [
        TechnicalError("IRR_UNCITE", "FLUX", error("PAYLOAD-REPEATED")),
        TechnicalError("IRR_ANTIVIRUS", "FLUX", error("CONTAINER-VIRUS", line=None)),
        TechnicalError("IRR_NOM_F", "FICHIER", error("CONTAINER-MEMBER-NAME", line=None)),
        TechnicalError("IRR_NOM_F", "FICHIER", None),
    ]
    found = refused_flux("F.tar.gz", errors, received=AT, language=Language.FR)
    assert found is not None
    assert [(detail.reason, len(detail.notes)) for detail in found.details] == [
        ("IRR_ANTIVIRUS", 1),
        ("IRR_NOM_F", 1),
    ]
    assert found.issued is None
    assert found.issuer is None
    assert refused_flux("F.tar.gz", errors[:1], received=AT, language=Language.FR) is None
    assert refused_flux("", errors, received=AT, language=Language.FR) is None


def test_a_virus_found_leads_to_a_message() -> None:
    """The whole way, from our own finding."""
    virus = own_finding("CONTAINER-VIRUS", signature="Eicar", name="F.tar.gz")
    document = document_of(judgement(Rejected((virus,))), 1, DocumentState.REJECTED)
    errors = technical_errors(document, document.sha256)
    found = refused_flux("F.tar.gz", errors, received=AT, language=Language.FR)
    assert found is not None
    (detail,) = found.details
    assert detail.reason == "IRR_ANTIVIRUS"
    assert "Eicar" in detail.notes[0]


SAMPLES = sorted(Path(gateway.samples.__file__).parent.glob("*.xml"))


@functools.cache
def judge() -> Judge:
    """One with the flows and rules of the installation."""
    return Judge(load_flows().values(), Catalogue.load(), DocumentLimits())


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
@pytest.mark.parametrize("language", Language)
def test_every_sample_is_told_what_became_of_it(sample: Path, language: Language) -> None:
    """Judged in earnest: the good are deposited, the faulty rejected; all messages are valid."""
    data = sample.read_bytes()
    job = JudgeJob(
        path=str(sample),
        name=sample.name,
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        partner=None,
        partner_flows=None,
        on=dt.date(2026, 10, 2),
        flow="ctc-fr-invoice",
    )
    judged = judge().judge(job, data)
    status, found = status_for(judged), said(judged, language)
    assert status is (REJECTED if "faulty" in sample.name else DEPOSITED)
    assert status is not None
    assert found is not None
    assert (found.type_code is not None) == (status is DEPOSITED)
    assert bool(found.details) == (status is REJECTED)
    for detail in found.details:
        assert detail.notes
    for portal in (False, True):
        assert objections(assembled(status, [found], sending(status, portal=portal))) == ()
