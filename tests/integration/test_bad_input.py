"""Bad input end to end: each kind is answered with a clear finding, and the daemon works on."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from bench.invoices import ubl_invoice
from tests.gateway_process import GatewayProcess

pytestmark = [pytest.mark.ssh, pytest.mark.timeout(600)]

GOOD = ubl_invoice("FA-GOOD")
DEEP = b"<a>" * 5000 + b"</a>" * 5000
BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE Invoice [<!ENTITY a "aaaaaaaaaa">'
    b'<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
    b"<Invoice>&c;</Invoice>"
)
PROFILE = b"urn:cen.eu:en16931:2017<"

BAD: dict[str, tuple[bytes, str]] = {
    "empty.xml": (b"", "XML-EMPTY"),
    "not-xml.xml": (b"INVOIC D 96A, not XML at all\n", "XML-NOT-XML"),
    "truncated.xml": (GOOD[: len(GOOD) // 2], "XML-TRUNCATED"),
    "encoding.xml": (GOOD.replace(b"FA-GOOD", b"FA-\xe9\xff"), "XML-ENCODING"),
    "doctype.xml": (
        b'<?xml version="1.0"?><!DOCTYPE Invoice SYSTEM "file:///etc/passwd"><Invoice/>',
        "XML-DOCTYPE",
    ),
    "bomb.xml": (BOMB, "XML-DOCTYPE"),
    "deep.xml": (DEEP, "XML-DEPTH"),
    "large.xml": (GOOD.replace(b"</", b" " * 400_000 + b"</", 1), "XML-SIZE"),
    "unknown-root.xml": (b"<order><line/></order>", "ROUTE-UNKNOWN-ROOT"),
    "unknown-profile.xml": (
        GOOD.replace(PROFILE, b"urn:example:nobody-knows<"),
        "ROUTE-UNKNOWN-PROFILE",
    ),
    "xsd.xml": (GOOD.replace(b"cbc:IssueDate>", b"cbc:IssuedDate>"), "XSD-INVALID"),
    "schematron.xml": (ubl_invoice("FA-BAD", fault="total"), "BR-CO-15"),
}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    """A gateway without a broker whose documents may have at most 300 kB."""
    process = GatewayProcess(
        tmp_path / "gateway", settings="\n[documents]\nmax_bytes = 300000\n", sftp_processes=1
    )
    process.start()
    try:
        yield process
    finally:
        process.ensure_gone()


def test_each_kind_of_bad_input_is_answered_with_its_finding(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    """Every bad file gets a report naming its code, in French, and the original is kept."""
    assert PROFILE in GOOD
    folder = tmp_path / "bad"
    folder.mkdir()
    for name, (data, _) in BAD.items():
        (folder / name).write_bytes(data)
    (folder / "good.xml").write_bytes(GOOD)
    names = [*BAD, "good.xml"]
    done = gateway.sftp([f"put {folder / name} in/{name}" for name in names])
    assert done.returncode == 0, done.stderr
    deadline = time.monotonic() + 120
    while len(gateway.out()) < len(names):
        assert time.monotonic() < deadline, gateway.log_tail()
        time.sleep(0.2)

    received = tmp_path / "received"
    received.mkdir()
    assert gateway.sftp([f"get out/* {received}/"]).returncode == 0
    reports = {}
    for path in received.iterdir():
        text = path.read_text()
        root = etree.fromstring(text.encode())
        (name,) = [e.text for e in root.iter("{*}fileName", "{*}FileName")]
        reports[name] = text
    assert set(reports) == set(names)
    for name, (_, code) in BAD.items():
        assert code in reports[name], f"{name}: {reports[name]}"
    assert "BR-CO-15" not in reports["good.xml"]

    done = gateway.command("interchanges", "--json")
    rows = {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}
    states = {name: row["state"] for name, row in rows.items()}
    assert set(states.values()) == {"acknowledged"}, states
    for name, (data, _) in BAD.items():
        sha256 = rows[name]["sha256"]
        kept = gateway.state / "spool" / "payloads" / sha256[:2] / sha256
        assert kept.read_bytes() == data, "the original bytes are kept"

    shown = gateway.command("show", rows["schematron.xml"]["id"])
    assert shown.returncode == 0, shown.stderr
    assert "BR-CO-15" in shown.stdout
    assert gateway.stop() == 0


def test_a_missing_rule_pack_makes_the_document_undetermined_never_accepted(
    tmp_path: Path,
) -> None:
    """Without CEN's CII rules a CII is quarantined with the remedy; its report is provisional."""
    from bench.invoices import cii_invoice

    (tmp_path / "no-packs").mkdir()
    gateway = GatewayProcess(
        tmp_path / "gateway", flows=("en16931-invoice",), sftp_processes=1, judges=1
    )
    gateway.config.write_text(
        gateway.config.read_text().replace("[paths]\n", '[paths]\nrule_packs = "../no-packs"\n')
    )
    gateway.start()
    try:
        path = tmp_path / "cii.xml"
        path.write_bytes(cii_invoice("FA-C"))
        assert gateway.sftp([f"put {path} in/cii.xml"]).returncode == 0
        deadline = time.monotonic() + 60
        while not gateway.out():
            assert time.monotonic() < deadline, gateway.log_tail()
            time.sleep(0.2)
        rows = [
            json.loads(line)
            for line in gateway.command("interchanges", "--json").stdout.splitlines()
        ]
        assert [row["state"] for row in rows] == ["quarantined"]
        shown = json.loads(gateway.command("show", rows[0]["id"], "--json").stdout)
        assert shown["documents"][0]["verdict"] == "undetermined"
        assert "rules import" in json.dumps(shown["documents"][0]["judgement"])
        assert [row["kind"] for row in shown["outbox"] if row["kind"] == "document"] == []
        assert gateway.command("status").returncode == 1, "something needs a human"
    finally:
        gateway.ensure_gone()
