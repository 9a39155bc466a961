"""Statuses of invoices on a whole gateway: lifecycle messages by the official artefacts, kills."""

from __future__ import annotations

import datetime as dt
import io
import json
import tarfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from bench.invoices import ubl_invoice
from gateway.core.cdar.checking import MessageCheck
from gateway.core.cdar.message_reader import MessageRead, read
from gateway.core.cdar.values import Message
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.schematron.runner import RulePacks
from gateway.model.job import DocumentLimits
from tests.gateway_process import GatewayProcess

pytestmark = [pytest.mark.ssh, pytest.mark.timeout(600)]

LEGAL = '[legal]\nname = "Passerelle"\nid = "0123"\napplication = "AAA123"\n'


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    """One partner, who is told of each invoice, as is the portal."""
    process = GatewayProcess(
        tmp_path / "gateway",
        judges=2,
        uniqueness=True,
        settings=LEGAL,
        acknowledgements='json = true\ncsv = true\ncdar = "single"\nportal = true',
    )
    process.start()
    yield process
    process.ensure_gone()


def batch(members: dict[str, bytes]) -> bytes:
    """A tar.gz."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return made.getvalue()


def put(gateway: GatewayProcess, name: str, data: bytes) -> None:
    """The partner drops a file."""
    file = gateway.folder / name
    file.write_bytes(data)
    done = gateway.sftp([f"put {file} in/{name}"])
    assert done.returncode == 0, done.stderr


def told(gateway: GatewayProcess, *words: str) -> list[dict[str, Any]]:
    """What a command says in JSON lines."""
    done = gateway.command(*words, "--json")
    assert done.returncode in (0, 1), done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def through(gateway: GatewayProcess, count: int) -> None:
    """Wait until so many interchanges are acknowledged, with nothing owed and nothing to send."""
    deadline = time.monotonic() + 240
    while True:
        (status,) = told(gateway, "status")
        if status["interchanges"] == {"acknowledged": count} and not status["outbox"]:
            ids = [each["id"] for each in told(gateway, "interchanges")]
            shown = [told(gateway, "show", id_)[0] for id_ in ids]
            if not any(each["statuses_owed"] for each in shown):
                (status,) = told(gateway, "status")
                if not status["outbox"]:
                    return
        assert time.monotonic() < deadline, f"{status}\n{gateway.log_tail()}"
        time.sleep(0.2)


def fetched(gateway: GatewayProcess) -> dict[str, bytes]:
    """The partner's out/."""
    folder = gateway.folder / f"got-{time.monotonic_ns()}"
    folder.mkdir()
    names = gateway.out()
    done = gateway.sftp([f"get out/{name} {folder / name}" for name in names])
    assert done.returncode == 0, done.stderr
    return {name: (folder / name).read_bytes() for name in names}


def to_portal(gateway: GatewayProcess) -> dict[str, bytes]:
    """What waits for the portal, by the name it has there."""
    found = {}
    for file in (gateway.state / "publications" / "edi.acknowledgements").rglob("*.headers.json"):
        headers = json.loads(file.read_bytes())["headers"]
        if headers["cloudEvents:type"] == "edi.acknowledgement.cdar.portal":
            [body] = file.parent.glob(file.name.replace(".headers.json", ".[!h]*"))
            found[headers["filename"]] = body.read_bytes()
    return found


def read_whole(body: bytes) -> Message:
    """A message, read back."""
    found = read(body, DocumentLimits())
    assert isinstance(found, MessageRead)
    return found.message


def said(bodies: dict[str, bytes]) -> Counter[tuple[str | None, str | None, tuple[Any, ...]]]:
    """(number, status, reasons) of lifecycle messages, each valid by the official artefacts."""
    catalogue = Catalogue.load()
    check = MessageCheck(catalogue, RulePacks(catalogue))
    statuses: Counter[Any] = Counter()
    for name, body in bodies.items():
        assert check.findings(body, dt.datetime.now(dt.UTC).date()) == (), name
        found = read_whole(body)
        for each in found.documents:
            statuses[each.number, each.status, tuple(d.reason for d in each.details)] += 1
    return statuses


def lifecycle(bodies: dict[str, bytes]) -> dict[str, bytes]:
    """Those that are lifecycle messages."""
    return {name: body for name, body in bodies.items() if name.startswith("CDV_")}


def test_a_half_faulty_batch_is_told_of_once_whoever_dies(gateway: GatewayProcess) -> None:
    """Every form, a valid status for each invoice, for partner and portal; the rest afterwards."""
    good = {f"g{n}.xml": ubl_invoice(f"G-{n}", lines=2) for n in range(3)}
    bad = {f"b{n}.xml": ubl_invoice(f"B-{n}", lines=2, fault="total") for n in range(3)}
    put(gateway, "batch.tar.gz", batch({**good, **bad}))
    deadline = time.monotonic() + 240
    while "settled" not in json.dumps(told(gateway, "interchanges")):
        if "acknowledged" in json.dumps(told(gateway, "interchanges")):
            break
        assert time.monotonic() < deadline, gateway.log_tail()
        time.sleep(0.02)
    gateway.kill()
    gateway.start()
    through(gateway, 1)
    files = fetched(gateway)
    forms = {name.rpartition(".report.")[2] for name in files if ".report." in name}
    assert forms == {"xml", "json", "html", "csv"}
    (report,) = (body for name, body in files.items() if name.endswith(".report.xml"))
    assert etree.fromstring(report).findtext(".//{*}State/{*}Code") == "IN_INTEGRE_PARTIEL"
    first = Counter(
        [(f"G-{n}", "200", ()) for n in range(3)]
        + [(f"B-{n}", "213", ("MONTANTTOTAL_ERR",)) for n in range(3)]
    )
    assert said(lifecycle(files)) == first
    portal = to_portal(gateway)
    assert said(portal) == first
    assert all(name.startswith("FFE0614A_AAA123_AAA1230614") for name in portal)

    mended = {name: ubl_invoice(f"B-{n}", lines=2) for n, name in enumerate(bad)}
    put(gateway, "batch-corrected.tar.gz", batch({**good, **mended}))
    through(gateway, 2)
    after = said(lifecycle(fetched(gateway)))
    assert after - first == Counter(
        [(f"B-{n}", "200", ()) for n in range(3)]
        + [(f"G-{n}", "213", ("DOUBLON",)) for n in range(3)]
    )


def test_a_refused_file_is_inadmissible(gateway: GatewayProcess) -> None:
    """501 where CDAR knows the reason; the report alone where it does not."""
    put(gateway, "broken.xml", b"<Invoice>")
    put(gateway, "empty.xml", b"")
    through(gateway, 2)
    files = fetched(gateway)
    assert sum(name.endswith(".report.xml") for name in files) == 2
    assert said(lifecycle(files)) == Counter([("broken.xml", "501", ("IRR_SYNTAX",))])
    assert to_portal(gateway) == {}
