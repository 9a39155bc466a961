"""Attached files through a running gateway: fetched by the address that its messages give.

Publications go to files here; what is in them is what a broker would get.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.invoices import cii_invoice, ubl_invoice
from gateway.spool import Spool
from tests.attached_documents import with_attachment
from tests.gateway_process import GatewayProcess

pytestmark = [pytest.mark.ssh, pytest.mark.timeout(300)]

SECONDS = 120.0
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 4000
CSV = "Libellé;Montant\r\n".encode()
BESIDE = b"a;b\r\n"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    """A running gateway without a broker."""
    process = GatewayProcess(tmp_path / "gateway", sftp_processes=1, judges=1)
    process.start()
    try:
        yield process
    finally:
        process.ensure_gone()


def invoices(gateway: GatewayProcess, count: int) -> dict[str, dict[str, Any]]:
    """The canonical invoices published, by number, once so many are there."""
    folder = gateway.state / "publications"
    deadline = time.monotonic() + SECONDS
    while True:
        found = {}
        for path in folder.rglob("*"):
            if path.is_file() and b'"invoice_number"' in (body := path.read_bytes()):
                with contextlib.suppress(ValueError):
                    told = json.loads(body)
                    if "source" in told:
                        found[told["invoice_number"]] = told
        if len(found) == count:
            return found
        assert time.monotonic() < deadline, f"{sorted(found)}\n{gateway.log_tail()}"
        time.sleep(0.2)


def attached(invoice: dict[str, Any]) -> list[dict[str, Any]]:
    """What an invoice says of its files."""
    documents = invoice["additional_supporting_documents"]
    return [each["attached_document"] for each in documents if "attached_document" in each]


def references(gateway: GatewayProcess, data: bytes) -> int:
    """How often the journal counts the file."""
    sha256 = hashlib.sha256(data).hexdigest()
    with contextlib.closing(sqlite3.connect(gateway.state / "journal.sqlite")) as journal:
        row = journal.execute("SELECT refs FROM payloads WHERE sha256 = ?", (sha256,)).fetchone()
    return int(row[0]) if row else 0


def fetched(gateway: GatewayProcess, uri: str) -> bytes:
    """The bytes behind an address, as a consumer gets them."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "gateway", "payload", uri),
            *("--config", str(gateway.config)),
        ],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def send(gateway: GatewayProcess, *files: Path) -> None:
    """By SFTP."""
    done = gateway.sftp([f"put {path} in/{path.name}" for path in files])
    assert done.returncode == 0, done.stderr


def test_a_consumer_fetches_the_files_by_their_addresses(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    """In UBL, in CII and out of an archive; the same bytes in two invoices lie there once."""
    ubl = with_attachment(ubl_invoice("FA-A-1"), PDF, name="../../relevé.pdf")
    ubl = with_attachment(ubl, CSV, name="lignes.csv", code="text/csv", reference="PJ-2")
    cii = with_attachment(cii_invoice("FA-A-2"), PDF, name="annexe.pdf")
    for name, data in (("one.xml", ubl), ("two.xml", cii)):
        (tmp_path / name).write_bytes(data)
    folder = tmp_path / "batch"
    folder.mkdir()
    third = with_attachment(ubl_invoice("FA-A-3"), CSV, name="lignes.csv", code="text/csv")
    (folder / "FA-A-3.xml").write_bytes(third)
    (folder / "FA-A-3_annexe.csv").write_bytes(BESIDE)
    archive = shutil.make_archive(str(tmp_path / "batch"), "gztar", folder)
    send(gateway, tmp_path / "one.xml", tmp_path / "two.xml", Path(archive))

    told = invoices(gateway, 3)
    expected = {"FA-A-1": [PDF, CSV], "FA-A-2": [PDF], "FA-A-3": [CSV]}
    spool = Spool(gateway.state / "spool")
    for number, files in expected.items():
        found = attached(told[number])
        assert {each["sha256"] for each in found} == {hashlib.sha256(f).hexdigest() for f in files}
        for each in found:
            data = fetched(gateway, each["uri"])
            assert data in files
            assert len(data) == each["size"]
            assert spool.path(each["sha256"]).read_bytes() == data
    assert {each["filename"] for each in attached(told["FA-A-1"])} == {
        "../../relevé.pdf",
        "lignes.csv",
    }
    assert (references(gateway, PDF), references(gateway, CSV)) == (2, 2)
    assert not list(tmp_path.rglob("relev*"))
    wait_until_empty(gateway, gateway.state / "scratch")
    # What lies beside an invoice in an archive is no part of it.
    shown = gateway.command("show", told_by(gateway, "batch.tar.gz"))
    assert "Attachment: FA-A-3_annexe.csv (5 bytes) beside FA-A-3.xml" in shown.stdout
    shown = gateway.command("show", "--json", told_by(gateway, "batch.tar.gz"))
    (document,) = json.loads(shown.stdout)["documents"]
    (file,) = document["files"]
    (found_file,) = attached(told["FA-A-3"])
    assert file == {name: found_file[name] for name in ("sha256", "size", "uri")}
    plain = gateway.command("show", told_by(gateway, "two.xml"))
    assert f"attached urn:edi-gateway:payload:{hashlib.sha256(PDF).hexdigest()}" in plain.stdout


def wait_until_empty(gateway: GatewayProcess, folder: Path) -> None:
    """That of an archive goes when its report is made, a moment after its results."""
    deadline = time.monotonic() + SECONDS
    while left := list(folder.iterdir()):
        assert time.monotonic() < deadline, f"{left}\n{gateway.log_tail()}"
        time.sleep(0.1)


def told_by(gateway: GatewayProcess, name: str) -> str:
    """The interchange of that name."""
    with contextlib.closing(sqlite3.connect(gateway.state / "journal.sqlite")) as journal:
        rows = journal.execute("SELECT id FROM interchanges WHERE name = ?", (name,))
        ((id_,),) = rows.fetchall()
    return str(id_)


CUT = """
import os, sys
from pathlib import Path
from gateway.cli.main import main
from gateway.service import settle

def cut(*_, **__):
    token.unlink()
    os.kill(os.getpid(), 9)

token = Path(sys.argv[1])
if token.exists():
    settle.settle_document = cut
sys.exit(main(sys.argv[5:]))
"""
"""The daemon, which dies when it would settle the first document, once."""


def test_killed_between_spool_and_journal_an_invoice_is_judged_again(tmp_path: Path) -> None:
    """The files are durable by then and nobody's; the next start counts them, once."""
    token = tmp_path / "token"
    token.touch()
    gateway = GatewayProcess(
        tmp_path / "gateway",
        sftp_processes=1,
        judges=1,
        wrapper=(sys.executable, "-c", CUT, str(token)),
    )
    sha256 = hashlib.sha256(PDF).hexdigest()
    stored = gateway.state / "spool" / "payloads" / sha256[:2] / sha256
    path = tmp_path / "one.xml"
    path.write_bytes(with_attachment(ubl_invoice("FA-K-1"), PDF))
    try:
        gateway.start()
        send(gateway, path)
        deadline = time.monotonic() + SECONDS
        while gateway.running:
            assert time.monotonic() < deadline, "it never came to settle the invoice"
            time.sleep(0.05)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(gateway.pid, signal.SIGKILL)  # its children
        assert stored.read_bytes() == PDF
        assert references(gateway, PDF) == 0

        gateway.start()
        (found,) = attached(invoices(gateway, 1)["FA-K-1"])
        assert fetched(gateway, found["uri"]) == PDF
        assert references(gateway, PDF) == 1
        assert gateway.stop() == 0
    finally:
        gateway.ensure_gone()
