"""A partner that tries things out beside one that is live: real SFTP, judges, RabbitMQ."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from bench.invoices import ubl_invoice
from gateway.model.interchange import Environment
from gateway.model.publication import Exchange
from tests.broker import Broker, Message
from tests.gateway_process import GatewayProcess

pytestmark = [pytest.mark.broker, pytest.mark.ssh, pytest.mark.timeout(300)]

REAL, TRIAL = "acme", "newcomer"
FILE, AGAIN = "FA-1.xml", "FA-1-again.xml"
WATCHING = "watching-everything"


@pytest.fixture
def gateway(tmp_path: Path, broker: Broker) -> Iterator[GatewayProcess]:
    """One judge and both partners, who may send nothing twice; the second is a test."""
    process = GatewayProcess(
        tmp_path / "gateway",
        partners=(REAL, TRIAL),
        flows=("en16931-invoice",),
        judges=1,
        sftp_processes=1,
        rabbitmq_port=broker.port,
        uniqueness=True,
    )
    file = process.folder / "partners" / f"{TRIAL}.toml"
    file.write_text(f'environment = "test"\n{file.read_text()}')
    process.start()
    try:
        yield process
    finally:
        process.ensure_gone()


def watch(broker: Broker) -> None:
    """Have a queue of our own see all that is published to any exchange of the gateway."""
    connection = broker.connect()
    try:
        channel = connection.channel()
        channel.queue_delete(WATCHING)
        channel.queue_declare(WATCHING, durable=True)
        for exchange in Exchange:
            channel.queue_bind(WATCHING, exchange.value, "#")
    finally:
        connection.close()


def forget(broker: Broker) -> None:
    """Other tests use this node as well."""
    connection = broker.connect()
    try:
        connection.channel().queue_delete(WATCHING)
    finally:
        connection.close()


def put(gateway: GatewayProcess, partner: str, name: str, data: bytes) -> None:
    """Drop a file by SFTP."""
    path = gateway.folder / f"drop-{partner}-{name}"
    path.write_bytes(data)
    done = gateway.sftp([f"put {path} in/{name}"], partner=partner)
    assert done.returncode == 0, done.stderr


def told(gateway: GatewayProcess, *words: str) -> list[dict[str, Any]]:
    """What a command says in JSON lines."""
    done = gateway.command(*words, "--json")
    assert done.returncode in (0, 1), done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def answered(gateway: GatewayProcess, count: int) -> None:
    """Wait until so many files have their answers and nothing waits to be sent."""
    deadline = time.monotonic() + 120
    while True:
        (status,) = told(gateway, "status")
        if status["interchanges"] == {"acknowledged": count} and not status["outbox"]:
            return
        assert time.monotonic() < deadline, f"{status}\n{gateway.log_tail()}"
        time.sleep(0.2)


def reports(gateway: GatewayProcess, partner: str) -> list[bytes]:
    """What lies in the partner's out/, as the partner fetches it."""
    listed = gateway.sftp(["ls -1 out"], partner=partner)
    names = [line for line in listed.stdout.splitlines() if line.startswith("out/")]
    folder = gateway.folder / f"fetched-{partner}"
    folder.mkdir()
    done = gateway.sftp([f"get {name} {folder}/" for name in names], partner=partner)
    assert done.returncode == 0, done.stderr
    return [path.read_bytes() for path in sorted(folder.iterdir())]


def test_what_is_tried_out_never_meets_what_is_real(
    gateway: GatewayProcess, broker: Broker
) -> None:
    """The same file by both, then the same invoice in another file: each repeats its own alone."""
    watch(broker)
    invoice = ubl_invoice("FA-1", lines=2)
    put(gateway, TRIAL, FILE, invoice)
    answered(gateway, 1)
    put(gateway, REAL, FILE, invoice)
    answered(gateway, 2)
    for partner in (TRIAL, REAL):
        put(gateway, partner, AGAIN, invoice + b"<!-- again -->")
    answered(gateway, 4)

    came = broker.take(WATCHING, 12, timeout=5.0)
    forget(broker)
    by_partner: dict[str, list[Message]] = defaultdict(list)
    for message in came:
        by_partner[message.properties.headers["partner"]].append(message)
    assert set(by_partner) == {REAL, TRIAL}
    for partner, environment in ((REAL, Environment.PRODUCTION), (TRIAL, Environment.TEST)):
        mine = by_partner[partner]
        exchanges = {each.exchange for each in mine}
        assert exchanges == {each.value for each in Exchange if each.environment is environment}
        marks = {each.properties.headers.get("environment") for each in mine}
        assert marks == ({"test"} if environment is Environment.TEST else {None})
        _accepted_once(mine)
        told_to = [etree.fromstring(body) for body in reports(gateway, partner)]
        assert len(told_to) == 2
        published = [each.body for each in mine if each.exchange.endswith("acknowledgements")]
        assert sorted(map(etree.tostring, told_to)) == sorted(
            etree.tostring(etree.fromstring(body)) for body in published
        )
    _queues_of_each(broker)
    _commands_say_which(gateway)


def _accepted_once(messages: list[Message]) -> None:
    """The first file is accepted; the invoice in another file is what the same partner sent."""
    results = [each for each in messages if each.exchange.endswith(".documents")]
    first, again = (json.loads(each.body) for each in results)
    keys = [each.routing_key for each in results]
    assert keys == ["en16931-invoice.ubl.accepted", "en16931-invoice.ubl.rejected"]
    assert first["invoice_number"] == "FA-1"
    (finding,) = (each for each in again["findings"] if each["severity"] == "error")
    assert finding["rule"] == "DOUBLON"


def _queues_of_each(broker: Broker) -> None:
    """What consumers of the queues that are declared get: their own, and nothing else."""
    for prefix, partner in (("edi.", REAL), ("edi.test.", TRIAL)):
        for queue, count in (
            ("documents.accepted", 1),
            ("documents.rejected", 1),
            ("acknowledgements", 2),
        ):
            taken = broker.take(f"{prefix}{queue}", count, timeout=5.0)
            assert [each.properties.headers["partner"] for each in taken] == [partner] * count


def _commands_say_which(gateway: GatewayProcess) -> None:
    """Search and statistics keep them apart; tests do not count unless they are asked for."""
    for words, partners in (
        ((), {REAL}),
        (("--environment", "test"), {TRIAL}),
        (("--environment", "all"), {REAL, TRIAL}),
    ):
        rows = told(gateway, "statistics", "--by", "partner,channel", *words)
        counted = {(row["partner"], row["channel"]): row for row in rows}
        assert set(counted) == {(partner, "sftp") for partner in partners}
        for row in rows:
            assert (row["documents"], row["accepted"], row["rejected"]) == (2, 1, 1)
    *found, _ = told(gateway, "search", "--number", "FA-1")
    assert {(row["environment"], row["partner"]) for row in found} == {
        ("production", REAL),
        ("test", TRIAL),
    }
    *tests, _ = told(gateway, "search", "--number", "FA-1", "--environment", "test")
    assert [row["partner"] for row in tests] == [TRIAL, TRIAL]
