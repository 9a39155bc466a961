"""Every code by which we refuse, provoked by a file that earns it; or why none can.

One table for the reasons of a rejected invoice (213), one for the codes of the platforms (IRR_…,
501 where CDAR knows them). No finding is made up here: files are opened, judged and settled as the
gateway does it, and each message that follows is held against the official schema and rules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from gateway.config import load_flows
from gateway.core.acknowledgement.refusal_codes import refusal_codes
from gateway.core.cdar.message_reader import MessageRead, read
from gateway.core.cdar.reasons import reasons
from gateway.core.cdar.statuses import INADMISSIBLE, REJECTED
from gateway.core.cdar.values import DocumentStatus
from gateway.model.container import ContainerLimits
from gateway.model.flow import Flow
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Language
from gateway.samples import sample_bytes
from tests.attached_documents import with_attachment
from tests.b2g_documents import DOCUMENTS
from tests.cdar_documents import check
from tests.core.archives import tar_gz
from tests.sent_files import FIRST, Answer, SentFiles

UBL, CII = sample_bytes("ubl-invoice.xml"), sample_bytes("cii-invoice.xml")
PDF = b"%PDF-1.7\n%%EOF\n"
FLOW = "ctc-fr-invoice"
ENVELOPE = "FSO1100A_ABC123_ABC1231100000000000000001.xml"


def flow(**changed: Any) -> Flow:
    """The flow that comes with us, as somebody's settings would have it."""
    return msgspec.structs.replace(load_flows()[FLOW], **changed)


def swapped(invoice: bytes, pattern: str, by: str) -> bytes:
    """The invoice, changed at the first place that fits."""
    changed, count = re.subn(pattern.encode(), by.encode(), invoice, count=1, flags=re.DOTALL)
    assert count == 1, pattern
    return changed


def several_sellers_one_number() -> bytes:
    """A CII invoice of several sellers (BT-23 S8) whose groups of lines have one number."""
    framework = r"(<ram:BusinessProcessSpecifiedDocumentContextParameter>\s*<ram:ID>)[^<]*"
    line, total = b"</ram:LineID>", b"</ram:SpecifiedTradeSettlementLineMonetarySummation>"
    group = b"<ram:LineStatusReasonCode>GROUP</ram:LineStatusReasonCode>"
    number = (
        b"<ram:AdditionalReferencedDocument><ram:IssuerAssignedID>SAME-1</ram:IssuerAssignedID>"
        b"<ram:TypeCode>130</ram:TypeCode><ram:ReferenceTypeCode>AFL</ram:ReferenceTypeCode>"
        b"</ram:AdditionalReferencedDocument>"
    )
    invoice = swapped(CII, framework, r"\g<1>S8")
    assert invoice.count(line) == invoice.count(total) > 1
    return invoice.replace(line, line + group).replace(total, total + number)


class Invoice(NamedTuple):
    """What earns a reason. `rule`: one that is broken; `before`: what was sent before it."""

    content: bytes
    rule: str
    flow: str | Flow = FLOW
    before: Sequence[bytes] = ()


_ENDPOINT = r"<cbc:EndpointID schemeID=\"0225\">000471102</cbc:EndpointID>"
_TOTAL = r"<ram:LineTotalAmount>(?=[^<]*</ram:LineTotalAmount>\s*<ram:)"
_BUYER_ADDRESS = (
    r"(<ram:BuyerTradeParty>.*?)<ram:URIUniversalCommunication>.*?</ram:URIUniversalCommunication>"
)
_BUYER_URI = r"(<ram:BuyerTradeParty>.*?<ram:URIID[^>]*>)[^<]*"

_ORDERS = {
    "ubl-invoice": r"(<cac:OrderReference>\s*<cbc:ID>)[^<]*",
    "cii-invoice": r"(<ram:BuyerOrderReferencedDocument>\s*<ram:IssuerAssignedID>)[^<]*",
}

REASONS: dict[str, list[Invoice]] = {
    "MONTANTTOTAL_ERR": [
        Invoice(sample_bytes("ubl-invoice-faulty.xml"), "BR-CO-15"),
        Invoice(
            swapped(CII, r"<ram:DuePayableAmount>[^<]*", "<ram:DuePayableAmount>1"), "BR-CO-16"
        ),
    ],
    "CALCUL_ERR": [
        Invoice(swapped(UBL, r"(<cac:LegalMonetaryTotal>.*?Amount[^>]*>)", r"\g<1>9"), "BR-CO-10"),
        Invoice(swapped(CII, _TOTAL, "<ram:LineTotalAmount>9"), "BR-CO-10"),
    ],
    "DOUBLON": [
        Invoice(UBL + b"<!-- again -->", "DOUBLON", before=[UBL]),
        Invoice(CII + b"<!-- again -->", "DOUBLON", before=[CII]),
    ],
    "ADR_ERR": [
        Invoice(
            swapped(UBL, "000471102</cbc:EndpointID>", "000 471 102</cbc:EndpointID>"),
            "BR-FR-23_BT-49",
        ),
        Invoice(swapped(CII, _BUYER_URI, r"\g<1>a b!"), "BR-FR-23_BT-49"),
    ],
    "REJ_SEMAN": [
        Invoice(sample_bytes("cii-invoice-faulty.xml"), "XSD-INVALID"),
        Invoice(swapped(UBL, r"(<cbc:ID>)FA-2026-00187", r"\g<1>FA 2026 00187!"), "BR-FR-02_BT-1"),
    ],
    "REJ_UNI": [Invoice(several_sellers_one_number(), "BR-FR-MV-12_BT-128")],
    "REJ_COH": [
        Invoice(sample_bytes("ubl-credit-note-faulty.xml"), "BR-FR-CO-05_BT-3"),
        Invoice(swapped(CII, r"<ram:TypeCode>380", "<ram:TypeCode>999"), "BR-CL-01"),
    ],
    "REJ_ADR": [
        Invoice(swapped(UBL, _ENDPOINT, ""), "BR-FR-12_BT-49"),
        Invoice(swapped(CII, _BUYER_ADDRESS, r"\g<1>"), "BR-FR-12_BT-49"),
    ],
    "REJ_CONT_B2G": [
        Invoice(
            swapped(DOCUMENTS[kind], pattern, r"\g<1>" + "9" * 51), "BR-FR-CPRO-15", "b2g-invoice"
        )
        for kind, pattern in _ORDERS.items()
    ],
    "REJ_REF_PJ": [
        Invoice(with_attachment(UBL, PDF, code="application/zip"), "BR-CL-24"),
        Invoice(with_attachment(CII, PDF, code="application/zip"), "BR-CL-24"),
    ],
    "REJ_ASS_PJ": [
        Invoice(
            with_attachment(invoice, PDF, name="a.exe"),
            "ATTACHMENT-EXTENSION",
            flow(attachments="chorus-pro"),
        )
        for invoice in (UBL, CII)
    ],
}
"""Reason of a rejection → invoices that earn it, in UBL and in CII."""


class File(NamedTuple):
    """What earns a code of the platforms. `name` and content of the file; `before`: sent before."""

    name: str
    content: bytes
    rule: str
    nature: str
    before: tuple[tuple[str, bytes], ...] = ()
    limits: dict[str, Any] = {}
    container: dict[str, Any] = {}
    virus: str | None = None
    flow: str | Flow = FLOW


def beside(*members: tuple[str, bytes]) -> bytes:
    """An archive of a good invoice and these."""
    return tar_gz([("FA-1.xml", UBL), *members])


CODES: dict[str, list[File]] = {
    "IRR_TAILLE": [
        File(
            "a.tar.gz",
            beside(),
            "CONTAINER-UNPACKED-SIZE",
            "FLUX",
            container={"max_unpacked_bytes": 5000},
        ),
        File(
            "b.tar.gz",
            beside(("FA-2.xml", CII)),
            "CONTAINER-MEMBERS",
            "FLUX",
            container={"max_members": 1},
        ),
    ],
    "IRR_TAILLE_F": [
        File("a.xml", UBL, "XML-SIZE", "FLUX", limits={"max_bytes": 5000}),
        File("a.tar.gz", beside(), "CONTAINER-MEMBER-SIZE", "FICHIER", limits={"max_bytes": 5000}),
    ],
    "IRR_TAILLE_PJ": [
        File(
            "a.tar.gz",
            beside(("FA-1.csv", b"a;b" * 9999)),
            "ATTACHMENT-SIZE",
            "FICHIER",
            limits={"max_bytes": 20_000},
        )
    ],
    "IRR_UNCITE": [
        File("b.xml", UBL, "PAYLOAD-REPEATED", "FLUX", before=(("a.xml", UBL),)),
        File(ENVELOPE, CII, "ENVELOPE-REUSED", "FLUX", before=((ENVELOPE, UBL),)),
    ],
    "IRR_VIDE": [
        File("a.xml", b"", "XML-EMPTY", "FLUX"),
        File("a.tar.gz", tar_gz([]), "CONTAINER-EMPTY", "FLUX"),
    ],
    "IRR_VIDE_F": [
        File("a.tar.gz", beside(("FA-2.xml", b"")), "CONTAINER-MEMBER-EMPTY", "FICHIER")
    ],
    "IRR_VID_PJ": [File("a.tar.gz", beside(("FA-1.png", b"")), "ATTACHMENT-EMPTY", "FICHIER")],
    "IRR_FORM": [
        File(
            ENVELOPE.replace("_ABC1231100", "_ABC1241100"),
            UBL,
            "ENVELOPE-NAME",
            "FLUX",
            flow=flow(envelope_names=True),
        )
    ],
    "IRR_NOM_F": [
        File("a.tar.gz", beside(("../FA-2.xml", CII)), "CONTAINER-MEMBER-PATH", "FICHIER")
    ],
    "IRR_NOM_PJ": [
        File(
            "a.tar.gz",
            beside(("FA-1_" + "annexe-" * 7 + ".csv", b"a;b")),
            "ATTACHMENT-NAME",
            "FICHIER",
        )
    ],
    "IRR_TYPE": [File("a.xml", b"\x89PNG\r\n\x1a\n", "XML-NOT-XML", "FLUX")],
    "IRR_TYPE_F": [
        File("a.tar.gz", beside(("FA-1.exe", b"MZ\x90\x00")), "CONTAINER-MEMBER-TYPE", "FICHIER")
    ],
    "IRR_ANTIVIRUS": [File("a.tar.gz", beside(), "CONTAINER-VIRUS", "FLUX", virus="Eicar")],
    "IRR_CODE_INTER": [
        File(
            ENVELOPE.replace("FSO1100A", "FSO1170A").replace("1231100", "1231170"),
            UBL,
            "ROUTE-NO-FLOW",
            "FLUX",
            flow=flow(
                match=msgspec.structs.replace(
                    load_flows()[FLOW].match, interface_codes=("FSO1100A",)
                )
            ),
        )
    ],
    "IRR_EXTRAC": [File("a.tar.gz", beside()[:2000], "CONTAINER-TRUNCATED", "FLUX")],
    "IRR_SYNTAX": [
        File("a.xml", UBL[:3000], "XML-TRUNCATED", "FLUX"),
        File("a.tar.gz", beside(("FA-2.xml", CII[:3000])), "XML-TRUNCATED", "FICHIER"),
    ],
}
"""Code of the platforms → files that earn it."""


def statuses(answer: Answer) -> list[DocumentStatus]:
    """What the messages about a file say, each message held against schema and Schematron."""
    found: list[DocumentStatus] = []
    for message in answer.messages(Language.FR):
        assert check().findings(message.body, FIRST.date()) == (), message.filename
        told = read(message.body, DocumentLimits())
        assert isinstance(told, MessageRead)
        found += told.message.documents
    return found


def rows(table: Mapping[str, Sequence[Any]]) -> list[Any]:
    """A test for each row."""
    return [
        pytest.param(code, row, id=f"{code}-{position}")
        for code, each in table.items()
        for position, row in enumerate(each, 1)
    ]


def test_every_reason_of_a_rejection_is_provoked_or_says_why_it_cannot_be() -> None:
    """All of CDAR's twelve; the table of reasons says why of those that have no row here."""
    unreachable = {code for code in REJECTED.reasons if reasons().codes[code].unreachable}
    assert set(REASONS) | unreachable == set(REJECTED.reasons)
    assert set(REASONS) & unreachable == set()
    assert all(REASONS.values())


def test_every_code_of_the_platforms_is_provoked_or_says_why_it_cannot_be() -> None:
    """All of refusal-codes.toml."""
    unreachable = {code for code, entry in refusal_codes().items() if entry.unreachable}
    assert set(CODES) | unreachable == set(refusal_codes())
    assert set(CODES) & unreachable == set()
    assert all(CODES.values())


@pytest.mark.parametrize(("code", "row"), rows(REASONS))
def test_an_invoice_is_rejected_for_this_reason(code: str, row: Invoice, tmp_path: Path) -> None:
    """Judged, settled, told: a valid 213 that names the reason; the rule is in its note."""
    with SentFiles(tmp_path, flow=row.flow) as sent:
        for position, content in enumerate(row.before):
            (accepted,) = sent.send(f"{position}.xml", content).rows
            assert accepted.verdict == "accepted"
        answer = sent.send("invoice.xml", row.content)
    (document,) = answer.documents
    assert row.rule in {each.rule for each in document.findings}
    (said,) = statuses(answer)
    assert said.status == "213"
    (detail,) = (each for each in said.details if each.reason == code)
    assert any(row.rule in note for note in detail.notes)


@pytest.mark.parametrize(("code", "row"), rows(CODES))
def test_a_file_cannot_be_used_for_this_code(code: str, row: File, tmp_path: Path) -> None:
    """Opened, judged, settled: the report has the code. CDAR tells of it if nothing was of use."""
    limits, container = DocumentLimits(**row.limits), ContainerLimits(**row.container)
    with SentFiles(
        tmp_path, flow=row.flow, limits=limits, container=container, virus=row.virus
    ) as sent:
        for name, content in row.before:
            (accepted,) = sent.send(name, content).rows
            assert accepted.verdict == "accepted"
        answer = sent.send(row.name, row.content)
    errors = [(each.code, each.nature, each.finding.rule) for each in answer.errors if each.finding]
    assert (code, row.nature, row.rule) in errors
    found = [each for each in statuses(answer) if each.status == "501"]
    if code in INADMISSIBLE.reasons and answer.refused:
        (said,) = found
        assert said.number == row.name
        assert code in [each.reason for each in said.details]
    else:
        assert found == []
