"""What was sent before, on a whole gateway: real judges, real kills, a real operator."""

from __future__ import annotations

import contextlib
import io
import json
import sqlite3
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.invoices import ubl_invoice
from tests.gateway_process import GatewayProcess

pytestmark = [pytest.mark.ssh, pytest.mark.timeout(600)]

COPIES = 24


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    """Two judges, two partners, who may send nothing twice."""
    process = GatewayProcess(
        tmp_path / "gateway", partners=("acme", "other"), judges=2, uniqueness=True
    )
    process.start()
    yield process
    process.ensure_gone()


def copy(number: str, mark: object) -> bytes:
    """An invoice of this number, in bytes of its own."""
    return ubl_invoice(number, lines=2) + f"<!-- {mark} -->".encode()


def put(gateway: GatewayProcess, files: dict[str, bytes], partner: str = "acme") -> None:
    """A partner drops files."""
    folder = gateway.folder / f"drop-{partner}-{time.monotonic_ns()}"
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    done = gateway.sftp([f"put {folder / name} in/{name}" for name in files], partner=partner)
    assert done.returncode == 0, done.stderr


def told(gateway: GatewayProcess, *words: str) -> list[dict[str, Any]]:
    """What a command says in JSON lines."""
    done = gateway.command(*words, "--json")
    assert done.returncode in (0, 1), done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def answered(gateway: GatewayProcess, count: int) -> None:
    """Wait until so many interchanges are acknowledged and nothing waits to be sent."""
    deadline = time.monotonic() + 240
    while True:
        (status,) = told(gateway, "status")
        if status["interchanges"] == {"acknowledged": count} and not status["outbox"]:
            return
        assert time.monotonic() < deadline, f"{status}\n{gateway.log_tail()}"
        time.sleep(0.2)


def published(gateway: GatewayProcess) -> tuple[list[str], list[str]]:
    """Numbers of the invoices published as accepted; rules of those published as rejected."""
    accepted, rejected = [], []
    for file in (gateway.state / "publications" / "edi.documents").rglob("*.json"):
        if file.name.endswith(".headers.json"):
            continue
        body = json.loads(file.read_bytes())
        if "verdict" in body:
            rejected += [
                finding["rule"] for finding in body["findings"] if finding["severity"] == "error"
            ]
        else:
            accepted.append(body["invoice_number"])
    return sorted(accepted), sorted(rejected)


def test_copies_at_once_and_a_kill_among_them(gateway: GatewayProcess) -> None:
    """Of all copies of an invoice exactly one is accepted, whoever dies while they are judged."""
    batch = io.BytesIO()
    with tarfile.open(fileobj=batch, mode="w:gz") as tar:
        for at in range(6):
            entry, data = tarfile.TarInfo(f"m{at}.xml"), copy("FA-1", f"member {at}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    put(gateway, {f"a{at}.xml": copy("FA-1", at) for at in range(COPIES // 2)})
    put(gateway, {"batch.tar.gz": batch.getvalue()})
    gateway.kill()
    gateway.start()
    put(gateway, {f"b{at}.xml": copy("FA-1", -at) for at in range(COPIES // 2)}, partner="other")
    put(gateway, {"new.xml": copy("FA-2", "new")})
    answered(gateway, COPIES + 2)
    accepted, rejected = published(gateway)
    assert accepted == ["FA-1", "FA-2"]
    assert rejected == ["DOUBLON"] * (COPIES + 6 - 1)


def test_a_faulty_file_is_corrected_and_nothing_is_taken_twice(gateway: GatewayProcess) -> None:
    """Rejected, corrected under its name, then repeated in every way; and another system's."""
    table = gateway.folder / "old.csv"
    table.write_text("seller;number;year\n732829320;OLD-1;2026\n")
    put(gateway, {"a.xml": ubl_invoice("FA-1", lines=2, fault="total")})
    answered(gateway, 1)
    good = copy("FA-1", "corrected")
    put(gateway, {"a.xml": good})
    answered(gateway, 2)
    assert published(gateway) == (["FA-1"], ["BR-CO-15"])
    assert gateway.sftp([f"rm out/{name}" for name in gateway.out()]).returncode == 0
    put(gateway, {"a.xml": good})  # its sender missed our answer
    answered(gateway, 2)
    assert len(gateway.out()) == 1
    put(gateway, {"b.xml": good})
    put(gateway, {"a.xml": copy("FA-3", "under a used name")})
    put(gateway, {"c.xml": copy("FA-1", "another file")})
    answered(gateway, 5)
    accepted, rejected = published(gateway)
    assert accepted == ["FA-1"]
    assert rejected == ["BR-CO-15", "DOUBLON", "ENVELOPE-REUSED", "PAYLOAD-REPEATED"]
    seller = _seller(gateway)
    table.write_text(f"seller;number;year\n{seller};OLD-1;2026\n{seller};OLD-2;2025\n")
    for expected in ({"added": 2, "known": 0}, {"added": 0, "known": 2}):
        (said,) = told(gateway, "invoices", "import", str(table))
        assert said | expected == said
    put(gateway, {"old.xml": copy("OLD-1", "")})
    answered(gateway, 6)
    assert published(gateway)[1].count("DOUBLON") == 2
    (known,) = told(gateway, "invoices", "find", seller, "OLD-1")
    assert [(each["source"], each["year"]) for each in known["holders"]] == [("old.csv", 2026)]
    (given_back,) = told(
        gateway, "invoices", "forget", seller, "OLD-1", "2026", "--reason", "never accepted there"
    )
    assert given_back["source"] == "old.csv"
    put(gateway, {"old-again.xml": copy("OLD-1", "again")})
    answered(gateway, 7)
    assert published(gateway)[0] == ["FA-1", "OLD-1"]
    (known,) = told(gateway, "invoices", "find", seller, "OLD-1", "2026")
    assert [each["file"] for each in known["holders"]] == ["old-again.xml"]
    assert [each["reason"] for each in known["forgotten"]] == ["never accepted there"]
    refused = gateway.command(
        "invoices", "forget", seller, "OLD-1", "2026", "--reason", "it is ours now"
    )
    assert refused.returncode == 3
    assert "old-again.xml" in refused.stderr


def test_what_an_earlier_version_accepted_holds_its_number_after_a_backfill(
    gateway: GatewayProcess,
) -> None:
    """A journal without keys, as an upgrade finds it: one command, and nothing is taken twice."""
    put(gateway, {"a.xml": copy("FA-1", 1), "b.xml": copy("FA-2", 1)})
    answered(gateway, 2)
    gateway.kill()
    with contextlib.closing(sqlite3.connect(gateway.state / "journal.sqlite")) as journal:
        journal.execute("DELETE FROM invoice_keys")
        journal.execute("DELETE FROM flux_keys")
        journal.commit()
    gateway.start()
    for added in (2, 0):
        (said,) = told(gateway, "invoices", "backfill")
        assert (said["documents"], said["added"], said["repeats"]) == (2, added, [])
    put(gateway, {"c.xml": copy("FA-1", 2), "d.xml": copy("FA-3", 1)})
    answered(gateway, 4)
    assert published(gateway) == (["FA-1", "FA-2", "FA-3"], ["DOUBLON"])


def _seller(gateway: GatewayProcess) -> str:
    """How the invoices of this test name their seller."""
    for file in (gateway.state / "publications" / "edi.documents").rglob("*.json"):
        body = json.loads(file.read_bytes())
        if "seller" in body:
            return str(body["seller"]["legal_registration_identifier"]["value"])
    raise AssertionError("no invoice was accepted")
