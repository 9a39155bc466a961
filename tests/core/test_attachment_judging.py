"""Attached files on the way to a verdict: what rejects, what is only told, what is told once."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

import msgspec
import pytest

from gateway.config.loader import load_flows
from gateway.core.pipeline import Judge
from gateway.core.schematron.catalogue import Catalogue
from gateway.model.flow import Attachments, Chain, Flow
from gateway.model.interchange import Syntax
from gateway.model.job import DocumentLimits, JudgeJob
from gateway.model.publication import payload_uri
from gateway.model.verdict import Accepted, AttachedFile, Judgement, Rejected, Severity
from gateway.samples import sample_bytes
from tests.attached_documents import with_attachment

PDF = b"%PDF-1.7\n1 0 obj"
GIF = b"GIF89a" + bytes(10)
KINDS = ("ubl-invoice", "ubl-credit-note", "cii-invoice")
SAMPLES = {kind: sample_bytes(f"{kind}.xml") for kind in KINDS}
UBL = SAMPLES["ubl-invoice"]


def bare(attachments: Attachments | None) -> Flow:
    """A flow whose chain has no rule pack, hence none that looks at attached files."""
    return Flow(
        name="bare",
        attachments=attachments,
        chain=(Chain(syntax=Syntax.UBL, schema="ubl-2.1", rules=()),),
    )


def judged(judge: Judge, data: bytes, flow: str, **more: str) -> Judgement:
    """The judgement by that flow."""
    job = JudgeJob(
        path="",
        name="invoice.xml",
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        partner=None,
        partner_flows=None,
        on=dt.date(2026, 10, 1),
        flow=flow,
        **more,
    )
    return judge.judge(job, data)


def by_bare(data: bytes, attachments: Attachments | None = None, **more: str) -> Judgement:
    """The judgement by the schema alone, and by what the flow asks of attached files."""
    judge = Judge((bare(attachments),), Catalogue.load(), DocumentLimits())
    return judged(judge, data, "bare", **more)


def told(judgement: Judgement) -> list[tuple[str, Severity]]:
    """What was found about attached files, by whomever."""
    about = ("BT-125", "BT-125-1", "BT-125-2")
    return [(f.rule, f.severity) for f in judgement.findings if set(f.terms) & set(about)]


@pytest.fixture(scope="module")
def official() -> Judge:
    """A judge with the flows on board."""
    return Judge(load_flows().values(), Catalogue.load(), DocumentLimits())


def test_an_accepted_invoice_names_its_files_and_says_where_they_lie(tmp_path: Path) -> None:
    """In the folder of the job, by their sums; in the invoice, with the address."""
    data = with_attachment(with_attachment(UBL, PDF), b"%PDF-2", reference="PJ-2", name="b.pdf")
    judgement = by_bare(data, files_to=str(tmp_path / "files"))
    assert isinstance(judgement.verdict, Accepted)
    assert set(judgement.files) == {
        AttachedFile(hashlib.sha256(each).hexdigest(), len(each)) for each in (PDF, b"%PDF-2")
    }
    documents = msgspec.json.decode(judgement.verdict.invoice)["additional_supporting_documents"]
    attached = [each["attached_document"] for each in documents if "attached_document" in each]
    for each in attached:
        assert each["uri"] == payload_uri(each["sha256"])
        content = (tmp_path / "files" / each["sha256"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (each["size"], each["sha256"])
    assert {each["filename"] for each in attached} == {"annexe.pdf", "b.pdf"}


def test_without_a_folder_an_invoice_is_judged_just_so() -> None:
    """`edi-gateway validate` needs no spool: the verdict is the same, no file is kept."""
    judgement = by_bare(with_attachment(UBL, PDF))
    assert isinstance(judgement.verdict, Accepted)
    assert judgement.files == ()
    assert b'"uri"' not in judgement.verdict.invoice


def test_a_disk_that_fails_never_rejects(tmp_path: Path) -> None:
    """The folder cannot be made: no fault of the document, which is judged again."""
    (tmp_path / "a file").write_bytes(b"")
    judgement = by_bare(with_attachment(UBL, PDF), files_to=str(tmp_path / "a file" / "files"))
    assert type(judgement.verdict).__name__ == "Undetermined"
    assert judgement.files == ()


@pytest.mark.parametrize(
    ("asked", "severity", "verdict"),
    [
        (None, Severity.WARNING, Accepted),
        (Attachments.EN16931, Severity.ERROR, Rejected),
    ],
)
def test_a_kind_outside_the_list_is_told_where_no_pack_looks(
    asked: Attachments | None, severity: Severity, verdict: type
) -> None:
    """A warning, unless the flow asks for the list."""
    data = with_attachment(UBL, GIF, name="a.gif", code="image/gif")
    judgement = by_bare(data, asked)
    assert told(judgement) == [("ATTACHMENT-MIME-CODE", severity)]
    assert isinstance(judgement.verdict, verdict)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_outside_the_list_is_told_once_where_a_pack_looks(
    kind: str, official: Judge
) -> None:
    """By the pack: ours would only repeat it."""
    data = with_attachment(SAMPLES[kind], GIF, name="a.gif", code="image/gif")
    judgement = judged(official, data, "b2g-invoice")
    rules = [f.rule for f in judgement.findings if f.severity is Severity.ERROR]
    assert len(rules) == 1
    assert rules[0].endswith("CL-24")


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_name_is_told_once_by_the_b2g_rules(kind: str, official: Judge) -> None:
    """BR-FR-CPRO-41 counts it."""
    data = with_attachment(SAMPLES[kind], PDF, name="n" * 47 + ".pdf")
    judgement = judged(official, data, "b2g-invoice")
    rules = [f.rule for f in judgement.findings if f.severity is Severity.ERROR]
    assert rules == ["BR-FR-CPRO-41"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("flow", ["b2g-invoice", "ctc-fr-invoice"])
def test_extensions_are_asked_of_invoices_for_chorus_pro(
    flow: str, kind: str, official: Judge
) -> None:
    """Elsewhere a name of another kind is a warning; with its place in the document."""
    data = with_attachment(SAMPLES[kind], PDF, name="annexe.exe")
    judgement = judged(official, data, flow)
    b2g = flow == "b2g-invoice"
    errors = [f for f in judgement.findings if f.severity is Severity.ERROR]
    assert [f.rule for f in errors] == ["ATTACHMENT-EXTENSION"] * b2g
    (warning,) = [f for f in judgement.findings if f.rule == "ATTACHMENT-DISAGREES"]
    assert warning.severity is Severity.WARNING
    assert warning.line is not None
    assert b"annexe.exe" in data.splitlines()[warning.line - 1]
    for finding in (*errors, warning):
        assert "annexe.exe" in finding.message
        assert finding.explanation is not None
        assert finding.remedy is not None


@pytest.mark.parametrize("kind", KINDS)
def test_a_large_file_is_advised_against_and_an_empty_one_refused(
    kind: str, official: Judge
) -> None:
    """By Chorus Pro; 10 MB is what it advises."""
    large = with_attachment(SAMPLES[kind], PDF + bytes(10_000_000))
    judgement = judged(official, large, "b2g-invoice")
    assert isinstance(judgement.verdict, Accepted), judgement.findings
    assert ("ATTACHMENT-TOO-LARGE", Severity.WARNING) in told(judgement)
    judgement = judged(official, with_attachment(SAMPLES[kind], b""), "b2g-invoice")
    assert isinstance(judgement.verdict, Rejected)
    assert ("ATTACHMENT-NOTHING", Severity.ERROR) in told(judgement)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_base64_is_refused_by_the_schema(kind: str, official: Judge) -> None:
    """Once, where it stands: the mapping is not reached."""
    data = with_attachment(SAMPLES[kind], "not base64!")
    judgement = judged(official, data, "b2g-invoice")
    assert isinstance(judgement.verdict, Rejected)
    assert {finding.rule for finding in judgement.findings} == {"XSD-INVALID"}


def test_content_of_another_kind_is_a_warning(official: Judge) -> None:
    """It is published all the same: the sender is told, and the recipient has the file."""
    data = with_attachment(UBL, b"\x89PNG\r\n\x1a\n")
    judgement = judged(official, data, "ctc-fr-invoice")
    assert isinstance(judgement.verdict, Accepted)
    assert told(judgement) == [("ATTACHMENT-CONTENT", Severity.WARNING)]
