"""The B2G flow in a running gateway, and the directory it is given meanwhile."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from pathlib import Path

import msgspec
import pytest

from gateway.model.verdict import Accepted, Judgement, Rejected
from gateway.samples import sample_bytes
from tests.gateway_process import GatewayProcess

pytestmark = [pytest.mark.ssh, pytest.mark.timeout(300)]

TABLE = """siret,service_codes,active,public,\
service_code_required,engagement_required,either_required
00012345500016,,yes,no,no,no,no
00047110200012,VOIRIE,yes,yes,yes,no,no
"""
"""Seller and buyer of the sample, which has no service code."""


def test_a_directory_is_asked_from_the_next_document_on(tmp_path: Path) -> None:
    """Not checked before its import, checked after, without a restart; the sum is recorded."""
    gateway = GatewayProcess(
        tmp_path / "gateway", flows=("b2g-invoice",), sftp_processes=1, judges=1
    )
    invoice, table = tmp_path / "invoice.xml", tmp_path / "table.csv"
    invoice.write_bytes(sample_bytes("ubl-invoice.xml"))
    table.write_text(TABLE)
    gateway.start()
    try:
        before = judged(gateway, invoice, "before.xml")
        taken = gateway.command("directory", "import", str(table), "--json")
        assert taken.returncode == 0, taken.stderr
        after = judged(gateway, invoice, "after.xml")
    finally:
        gateway.ensure_gone()

    assert isinstance(before.verdict, Accepted)
    assert "directory" not in {each.pack for each in before.rules}
    assert isinstance(after.verdict, Rejected)
    assert {each.rule for each in after.findings} == {"BR-FR-CPRO-11"}
    assert after.rules[-1].pack == "directory"
    assert after.rules[-1].sha256 == json.loads(taken.stdout)["sha256"]


def judged(gateway: GatewayProcess, invoice: Path, name: str) -> Judgement:
    """Send a file by SFTP; the judgement the journal keeps, once it is answered."""
    answered = len(gateway.out())
    sent = gateway.sftp([f"put {invoice} in/{name}"])
    assert sent.returncode == 0, sent.stderr
    deadline = time.monotonic() + 120
    while len(gateway.out()) == answered:
        assert time.monotonic() < deadline, gateway.log_tail()
        time.sleep(0.2)
    with contextlib.closing(sqlite3.connect(gateway.state / "journal.sqlite")) as journal:
        rows = journal.execute("SELECT judgement FROM documents WHERE name = ?", (name,))
        ((kept,),) = rows.fetchall()
    return msgspec.msgpack.decode(kept, type=Judgement)
