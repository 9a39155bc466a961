"""A document that hangs its judge, end to end: nobody waits for it, and an operator decides."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from bench.invoices import ubl_invoice
from gateway.model.lifecycle import DocumentState
from gateway.service.journal import open_reader, records
from tests.gateway_process import GatewayProcess

pytestmark = [pytest.mark.ssh, pytest.mark.timeout(300)]

HANGS = ubl_invoice("FA-HANGS", lines=40_000)
"""Many seconds of a judge's time, where these tests allow two."""
NS = "{urn:edi-gateway:interchange-report:1}"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    """A gateway whose judges may take two seconds, alone or not."""
    process = GatewayProcess(tmp_path / "gateway", sftp_processes=1)
    limits = "[judges]\ntime_limit_seconds = 2\nlarge_time_limit_seconds = 2\n"
    process.config.write_text(process.config.read_text().replace("[judges]\n", limits))
    process.start()
    try:
        yield process
    finally:
        process.ensure_gone()


def batch(path: Path, **members: bytes) -> Path:
    """A tar.gz of these members."""
    with tarfile.open(path, "w:gz") as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(f"{name}.xml")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


def put(gateway: GatewayProcess, *files: Path) -> None:
    """Send files as the partner."""
    done = gateway.sftp([f"put {file} in/{file.name}" for file in files])
    assert done.returncode == 0, done.stderr


def reports(gateway: GatewayProcess, stem: str, count: int) -> list[etree._Element]:
    """The partner's reports about a file, by revision, once there are `count`."""
    deadline = time.monotonic() + 120
    names: list[str] = []
    while time.monotonic() < deadline:
        names = [name for name in gateway.out() if Path(name).name.startswith(stem)]
        if len(names) >= count:
            break
        time.sleep(0.2)
    assert len(names) == count, (names, gateway.log_tail())
    found = []
    for name in names:
        target = gateway.folder / Path(name).name
        done = gateway.sftp([f"get out/{Path(name).name} {target}"])
        assert done.returncode == 0, done.stderr
        found.append(etree.parse(target).getroot())
    return sorted(found, key=lambda root: int(root.findtext(f".//{NS}Revision") or 0))


def verdicts(report: etree._Element) -> dict[str, str]:
    """Document name → what the report says of it."""
    return {
        element.findtext(f"{NS}Name") or "": element.get("verdict") or ""
        for element in report.iter(f"{NS}Document")
    }


def assert_the_others_came_first(gateway: GatewayProcess) -> None:
    """Every good document had its verdict before the bad one was given up."""
    with open_reader(gateway.state / "journal.sqlite").connect() as conn:
        steps = [
            step
            for row in records.list_interchanges(conn)
            for step in records.transitions_of(conn, row.id)
        ]
    accepted = [step.at for step in steps if step.new == DocumentState.ACCEPTED]
    (given_up,) = [
        step.at for step in steps if step.new == DocumentState.QUARANTINED and step.ordinal
    ]
    assert len(accepted) == 7
    assert max(accepted) < given_up


def test_it_holds_nobody_back_and_an_operator_decides(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    """Two tries, then quarantine with the bytes and a provisional report; a completed one at last.

    `release` finds the document as it was, `discard` gives it up.
    """
    members = {f"FA-{number}": ubl_invoice(f"FA-{number}") for number in range(6)}
    archive = batch(tmp_path / "night.tar.gz", HANGS=HANGS, **members)
    single = tmp_path / "single.xml"
    single.write_bytes(ubl_invoice("FA-SINGLE"))
    put(gateway, archive, single)
    (of_single,) = reports(gateway, "single", 1)
    assert verdicts(of_single) == {"single.xml": "accepted"}

    (early,) = reports(gateway, "night", 1)
    said = verdicts(early)
    assert said.pop("HANGS.xml") == "undetermined"
    assert set(said.values()) == {"accepted"}
    assert len(said) == 6
    assert_the_others_came_first(gateway)
    assert early.findtext(f".//{NS}Provisional") == "true"

    listed = gateway.command("quarantine", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    (entry,) = [json.loads(line) for line in listed.stdout.splitlines()]
    assert entry["name"] == "HANGS.xml"
    assert "more than 2 s" in entry["cause"]
    assert entry["attempts"] == 2
    payload = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert payload in json.dumps(entry), "it does not say where the original bytes are"
    assert gateway.command("status").returncode == 1

    released = gateway.command("quarantine", "release", entry["interchange_id"])
    assert released.returncode == 0, released.stderr
    again = reports(gateway, "night", 2)[1]
    assert again.findtext(f".//{NS}Provisional") == "true"
    assert verdicts(again)["HANGS.xml"] == "undetermined"

    discarded = gateway.command(
        "quarantine", "discard", entry["interchange_id"], "--reason", "scindée en dix factures"
    )
    assert discarded.returncode == 0, discarded.stderr
    final = reports(gateway, "night", 3)[2]
    assert final.findtext(f".//{NS}Provisional") == "false"
    assert verdicts(final)["HANGS.xml"] == "discarded"
    assert "scindée en dix factures" in etree.tostring(final, encoding="unicode")
    assert list((gateway.state / "scratch").iterdir()) == []
    assert gateway.stop() == 0


def test_the_commands_say_so_when_no_gateway_runs(gateway: GatewayProcess) -> None:
    """`release` needs the daemon; `list` reads the journal without one."""
    assert gateway.stop() == 0
    assert gateway.command("quarantine", "list").returncode == 0
    refused = gateway.command("quarantine", "release", "0197")
    assert refused.returncode == 2
    assert refused.stderr.strip()
