"""What a judge leaves in the folder for attached files: those of accepted invoices alone."""

from __future__ import annotations

import hashlib
from pathlib import Path

from gateway import frames
from gateway.model.verdict import Accepted, AttachedFile, Judgement, Rejected
from gateway.samples import sample_bytes
from tests.attached_documents import with_attachment
from tests.test_worker import XSD_ONLY, boot, job, judgement, spoken

PDF = b"%PDF-1.7\n" + bytes(range(256)) * 2000
GOOD = with_attachment(sample_bytes("ubl-invoice.xml"), PDF)
BAD = GOOD.replace(b"<cbc:IssueDate>", b"<cbc:IssueDate>x", 1)
UNREADABLE = GOOD.replace(b"EUR</cbc:DocumentCurrencyCode>", b"USD</cbc:DocumentCurrencyCode>", 1)


def said(tmp_path: Path, folder: Path | None, *documents: bytes) -> list[Judgement]:
    """The judgements on these documents, one after the other."""
    jobs = []
    for number, data in enumerate(documents):
        path = tmp_path / f"{number}.xml"
        path.write_bytes(data)
        order = job(path, data, files_to=None if folder is None else str(folder))
        jobs.append((frames.JOB, order))
    _, answers = spoken((frames.BOOT, boot(tmp_path, XSD_ONLY)), *jobs)
    return [judgement(answer) for answer in answers[1:]]


def test_the_file_of_an_accepted_invoice_lies_in_the_folder(tmp_path: Path) -> None:
    """Named by its sum; the answer says so; what an earlier judge left there is gone."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "unfinished").write_bytes(b"%PDF")
    (answer,) = said(tmp_path, folder, GOOD)
    assert isinstance(answer.verdict, Accepted)
    sha256 = hashlib.sha256(PDF).hexdigest()
    assert answer.files == (AttachedFile(sha256, len(PDF)),)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {sha256: PDF}


def test_a_rejected_invoice_leaves_no_file(tmp_path: Path) -> None:
    """Neither one that never came so far, nor one that the mapping itself objects to."""
    folder = tmp_path / "files"
    for answer in said(tmp_path, folder, BAD, UNREADABLE):
        assert isinstance(answer.verdict, Rejected)
        assert answer.files == ()
    assert not folder.exists()


def test_an_invoice_without_files_touches_no_folder(tmp_path: Path) -> None:
    """Nor does one whose job names none."""
    folder = tmp_path / "files"
    (plain,) = said(tmp_path, folder, sample_bytes("ubl-invoice.xml"))
    (attached,) = said(tmp_path, None, GOOD)
    assert plain.files == attached.files == ()
    assert isinstance(attached.verdict, Accepted)
    assert not folder.exists()
