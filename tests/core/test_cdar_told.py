"""What lifecycle messages that come in tell, judged as the line judges them; hostile ones too."""

from __future__ import annotations

import base64
import datetime as dt
import functools
import re

import pytest

from gateway.config import load_flows
from gateway.core.cdar import told
from gateway.core.cdar.told import MAX_STATUSES, Told, ToldMessage, tell
from gateway.core.pipeline import Judge
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.xml import ParsedXml, parse
from gateway.model.job import DocumentLimits, JudgeJob
from gateway.model.verdict import Accepted, Judgement, Severity
from tests.cdar_documents import check
from tests.status_documents import message

FLOWS = ("ctc-fr-invoice", "invoice-status")


@functools.cache
def judge() -> Judge:
    """With the flows that ship; skipped where the official rules are not there."""
    check()
    chosen = [flow for name, flow in load_flows().items() if name in FLOWS]
    return Judge(chosen, Catalogue.load(), DocumentLimits())


def judged(data: bytes, *flows: str) -> Judgement:
    """The judgement on a file of a partner with these flows; both, when none is named."""
    job = JudgeJob(
        path="",
        name="a.xml",
        sha256="0" * 64,
        size=len(data),
        partner="acme",
        partner_flows=flows or FLOWS,
        on=dt.date(2026, 10, 2),
    )
    return judge().judge(job, data)


def rules(judgement: Judgement) -> list[str]:
    """What was found, each rule once."""
    return list(dict.fromkeys(finding.rule for finding in judgement.findings))


def read(data: bytes) -> Told:
    """What a message tells, checked by nobody."""
    parsed = parse(data, DocumentLimits())
    assert isinstance(parsed, ParsedXml)
    found = tell(parsed)
    assert isinstance(found, Told)
    return found


def test_an_accepted_message_is_no_invoice() -> None:
    """It takes its own flow beside that for invoices, and tells what it says."""
    found = judged(message("210"))
    assert isinstance(found.verdict, Accepted)
    assert found.verdict.invoice == b""
    said = told.decode(found.verdict.message)
    assert isinstance(said, ToldMessage)
    (one,) = said.statuses
    assert (one.number, one.issued, one.status) == ("FA-1", dt.date(2026, 4, 26), "210")
    assert one.reasons == ("TX_TVA_ERR",)
    assert one.said_at == dt.datetime.fromisoformat("2026-05-01T11:00:00")
    assert (found.flow, found.syntax, found.document_type) == ("invoice-status", "cdar", "status")
    assert (found.invoice_number, found.issue_date) == ("FA-1", "2026-04-26")
    assert found.seller_id == "000123455"
    assert [reference.pack for reference in found.rules] == ["br-fr-cdv"]


def test_what_is_told_survives_the_way_to_the_journal() -> None:
    """Encoded and decoded, every value is the same."""
    found = read(message("212", ["FA-1", "FA-2"])).message
    assert told.decode(told.encode(found)) == found


def test_a_partner_without_the_flow_is_told_so() -> None:
    """Its flows take invoices alone: the message is rejected, not undetermined."""
    found = judged(message("205"), "ctc-fr-invoice")
    assert rules(found) == ["ROUTE-NO-FLOW"]


def test_files_are_named_and_measured() -> None:
    """Their bytes are not told again: the message lies in the spool."""
    content = base64.b64encode(b"%PDF-1.7" + bytes(2_000_000))
    place = b"<ram:FormattedIssueDateTime"
    attached = (
        b'<ram:AttachmentBinaryObject filename="../../etc/x.pdf" mimeCode="application/pdf">'
        + content
        + b"</ram:AttachmentBinaryObject>"
    )
    found = judged(message("205").replace(place, attached + place))
    assert isinstance(found.verdict, Accepted), rules(found)
    (file,) = told.decode(found.verdict.message).statuses[0].files
    assert (file.filename, file.size) == ("../../etc/x.pdf", 2_000_008)
    assert len(found.verdict.message) < 5_000


HOSTILE = {
    "DOCTYPE": (
        lambda data: data.replace(
            b"<rsm:Cross", b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><rsm:Cross', 1
        ),
        "XML-DOCTYPE",
    ),
    "cut off": (lambda data: data[: len(data) // 2], "XML-"),
    "nested in itself": (
        lambda data: data.replace(
            b"</ram:ReferenceReferencedDocument>",
            b"<ram:ReferenceReferencedDocument/></ram:ReferenceReferencedDocument>",
        ),
        "XSD-",
    ),
    "another month": (lambda data: data.replace(b"20260426", b"20261326"), "MAP-STATUS-UNREADABLE"),
    "digits of another script": (
        lambda data: data.replace(b">20260426<", ">２０２６０４２６<".encode()),
        "",
    ),
    "a reason nobody has": (lambda data: data.replace(b"TX_TVA_ERR", b"X'\" or 1=1"), "BR-FR-CDV-"),
    "no invoice number": (
        lambda data: re.sub(rb"<ram:IssuerAssignedID>.*?</ram:IssuerAssignedID>", b"", data),
        "MAP-STATUS-MISSING",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_messages_are_rejected_with_words(case: str) -> None:
    """Never accepted, never undetermined; every finding says why and what to do."""
    change, rule = HOSTILE[case]
    good = message("210")
    changed = change(good)
    assert changed != good
    found = judged(changed)
    assert not isinstance(found.verdict, Accepted)
    errors = [each for each in found.findings if each.severity is Severity.ERROR]
    assert any(each.rule.startswith(rule) for each in errors), rules(found)
    assert all(each.explanation and each.remedy for each in found.findings)


def test_too_many_statuses_are_refused_at_once() -> None:
    """They would be written in one transaction, for which everybody else waits."""
    numbers = [f"FA-{number}" for number in range(MAX_STATUSES + 1)]
    found = read(message("205", numbers))
    assert [each.rule for each in found.findings] == ["MAP-STATUS-MANY"]
    assert read(message("205", numbers[1:])).findings == ()


def test_what_cannot_be_read_is_found_behind_what_is_unknown() -> None:
    """A hundred elements that have no place do not hide a month 13."""
    place = b"<ram:SpecifiedDocumentStatus"
    strange = b"<ram:Strange>1</ram:Strange>" * 100
    data = message("210").replace(place, strange + place, 1)
    assert read(data).findings == ()
    assert read(data).left > 0
    broken = data.replace(b"20260501110000", b"20261301110000")
    assert {each.rule for each in read(broken).findings} == {"MAP-STATUS-UNREADABLE"}


def test_what_is_said_twice_is_remarked_on() -> None:
    """The first counts, and the second is told to the sender."""
    place = b"<ram:IssuerAssignedID>"
    data = message("205").replace(place, place + b"FA-0</ram:IssuerAssignedID>" + place, 1)
    found = read(data)
    assert found.message.statuses[0].number == "FA-0"
    assert [(each.rule, each.severity) for each in found.findings] == [
        ("MAP-STATUS-REPEATED", Severity.WARNING)
    ]
