from __future__ import annotations

import datetime as dt
import hashlib
import io
import re
import tarfile
from pathlib import Path

import facturx
import pytest
from lxml import etree

from gateway import samples
from gateway.config import load_flows
from gateway.core.pipeline import Judge
from gateway.core.schematron.catalogue import Catalogue
from gateway.model.interchange import Syntax
from gateway.model.job import DocumentLimits, JudgeJob
from gateway.model.verdict import Severity, verdict_name
from gateway.samples import SAMPLES, Sample, sample_bytes, sendings
from tests.official_chain import cen_cii_rules, failed_rules

ALL = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.file)


@ALL
def test_official_rules_say_what_the_sample_promises(sample: Sample) -> None:
    """Schema, EN 16931 and the French rules, run directly, agree with the expected verdict.

    A faulty sample has one fault and one only.
    """
    expected = [sample.expected_rule] if sample.expected_rule else []
    assert failed_rules(sample_bytes(sample.file)) == expected
    assert sample.expected_verdict == ("rejected" if expected else "accepted")


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge(load_flows().values(), Catalogue.load(), DocumentLimits())


@ALL
def test_gateway_says_what_the_sample_promises(sample: Sample, judge: Judge) -> None:
    """Judged as a partner of the flow `ctc-fr-invoice` would be: verdict and first error."""
    if sample.syntax is Syntax.CII and sample.expected_rule is None and cen_cii_rules() is None:
        pytest.skip("CEN's CII rules are not imported: edi-gateway rules import")
    data = sample_bytes(sample.file)
    job = JudgeJob(
        path="",
        name=sample.file,
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        partner="demo",
        partner_flows=("ctc-fr-invoice",),
        on=dt.date(2026, 3, 31),
    )
    judgement = judge.judge(job, data)
    errors = [f.rule for f in judgement.findings if f.severity is Severity.ERROR]
    assert verdict_name(judgement.verdict) == sample.expected_verdict
    assert errors[:1] == ([sample.expected_rule] if sample.expected_rule else [])
    assert judgement.flow == "ctc-fr-invoice"
    assert judgement.document_type == sample.document_type


def test_cens_cii_rules_were_asked() -> None:
    """The CII sample is also good by CEN's own rules, where those were imported."""
    if cen_cii_rules() is None:
        pytest.skip("CEN's CII rules are not imported: edi-gateway rules import")
    assert failed_rules(sample_bytes("cii-invoice.xml")) == []


@ALL
def test_sample_is_of_a_size_people_can_read(sample: Sample) -> None:
    """Between 5 and 15 kB, and its root is what the sample says."""
    data = sample_bytes(sample.file)
    assert 5_000 < len(data) < 15_000
    root = etree.QName(etree.fromstring(data)).localname
    assert (
        root
        == {
            ("ubl", "invoice"): "Invoice",
            ("ubl", "credit-note"): "CreditNote",
            ("cii", "invoice"): "CrossIndustryInvoice",
        }[sample.syntax, sample.document_type]
    )


def test_every_file_is_listed_and_every_good_one_has_a_faulty_twin() -> None:
    """No sample lies there unlisted, and the samples come in pairs."""
    folder = Path(samples.__file__).parent
    listed = {sample.file for sample in SAMPLES}
    assert {path.name for path in folder.glob("*.xml")} == listed
    good = {sample.file for sample in SAMPLES if sample.expected_verdict == "accepted"}
    assert listed - good == {file.replace(".xml", "-faulty.xml") for file in good}


def test_the_pdf_is_a_factur_x_that_others_read(judge: Judge) -> None:
    """factur-x's own reader finds the invoice in it; the gateway accepts it, without a remark."""
    pdf = sendings.facturx_pdf()
    name, xml = facturx.get_xml_from_pdf(pdf, check_xsd=True)
    assert name == "factur-x.xml"
    assert b"<ram:ID>2026/TC/2942</ram:ID>" in xml
    job = JudgeJob(
        path="",
        name=sendings.HYBRID,
        sha256=hashlib.sha256(pdf).hexdigest(),
        size=len(pdf),
        partner="demo",
        partner_flows=("ctc-fr-invoice",),
        on=dt.date(2026, 11, 2),
    )
    judgement = judge.judge(job, pdf)
    assert verdict_name(judgement.verdict) == "accepted", judgement.findings
    assert judgement.findings == ()


def test_the_batch_holds_every_sample_under_a_number_of_its_own() -> None:
    """Half of it is faulty; no invoice of the demo is issued twice, and credit notes follow."""
    with tarfile.open(fileobj=io.BytesIO(sendings.batch())) as archive:
        packed = {m.name: archive.extractfile(m).read() for m in archive}  # type: ignore[union-attr]
    assert list(packed) == [sample.file for sample in SAMPLES]
    verdicts = [sample.expected_verdict for sample in SAMPLES]
    assert verdicts.count("rejected") * 2 == len(SAMPLES)
    for name, content in packed.items():
        alone = sample_bytes(name)
        assert content != alone
        assert len(content) == len(alone)
        assert not re.search(rb">(FA|AV)-2026-0|>2026/TC/0", content)
    assert b"<cbc:ID>FA-2026-10187</cbc:ID>" in packed["ubl-credit-note.xml"]
    assert sendings.batch() == sendings.batch()


def test_the_invoice_sent_by_as2_is_good_and_has_a_number_of_its_own(judge: Judge) -> None:
    """The gateway accepts it, and no other sending holds an invoice of that number."""
    sending = sendings.by_as2()
    job = JudgeJob(
        path="",
        name=sending.file,
        sha256=hashlib.sha256(sending.content).hexdigest(),
        size=len(sending.content),
        partner="demo",
        partner_flows=("ctc-fr-invoice",),
        on=dt.date(2026, 11, 2),
    )
    judgement = judge.judge(job, sending.content)
    ((_, sample),) = sending.documents
    assert verdict_name(judgement.verdict) == sample.expected_verdict == "accepted"
    assert judgement.findings == ()
    number = b"<cbc:ID>FA-2026-30187</cbc:ID>"
    assert number in sending.content
    with tarfile.open(fileobj=io.BytesIO(sendings.batch())) as archive:
        packed = [archive.extractfile(m).read() for m in archive]  # type: ignore[union-attr]
    assert not any(number in each for each in [*packed, *(sample_bytes(s.file) for s in SAMPLES)])


def test_every_document_the_demo_sends_is_told_apart() -> None:
    """Files have names of their own, and so have the documents in each."""
    sent = [*sendings.sendings(), sendings.by_as2()]
    assert len({sending.file for sending in sent}) == len(sent)
    for sending in sent:
        assert len(dict(sending.documents)) == len(sending.documents) > 0


def test_only_samples_can_be_asked_for() -> None:
    """The name is looked up, never used as a path."""
    with pytest.raises(KeyError):
        sample_bytes("../__init__.py")
