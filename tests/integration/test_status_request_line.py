"""A back office asks for statuses by RabbitMQ: the partner has them, once, whoever dies."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pika
import pytest

from bench.invoices import ubl_invoice
from gateway.core.cdar.checking import MessageCheck
from gateway.core.cdar.message_reader import MessageRead, read
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.schematron.runner import RulePacks
from gateway.model.job import DocumentLimits
from tests.broker import Broker, Message
from tests.gateway_process import GatewayProcess
from tests.status_requests import body_of

pytestmark = [pytest.mark.broker, pytest.mark.ssh, pytest.mark.timeout(600)]

QUEUE = "edi.status-requests"
DEAD = f"{QUEUE}.dead"
REPLIES = "back-office"
CODES = ("204", "205", "207", "210", "212")


@pytest.fixture
def gateway(tmp_path: Path, broker: Broker) -> Iterator[GatewayProcess]:
    """A gateway that takes requests; its partner asked for no statuses by itself."""
    with broker.connect() as connection:
        for queue in (QUEUE, DEAD, REPLIES):
            connection.channel().queue_delete(queue)
        connection.channel().queue_declare(REPLIES, durable=True)
    process = GatewayProcess(
        tmp_path / "gateway",
        rabbitmq_port=broker.port,
        settings=f'requests_queue = "{QUEUE}"\n[legal]\nname = "Passerelle"\nid = "0123"\n',
    )
    process.start()
    yield process
    process.ensure_gone()


def wait_for(what: str, condition: Callable[[], object], gateway: GatewayProcess) -> None:
    """Poll until `condition` holds, for a bounded time."""
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}\n{gateway.log_tail()}"
        time.sleep(0.05)


def told(gateway: GatewayProcess, *words: str) -> list[dict[str, Any]]:
    """What a command says in JSON lines."""
    done = gateway.command(*words, "--json")
    assert done.returncode in (0, 1), done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def accepted(gateway: GatewayProcess, number: str = "FA-1") -> str:
    """The partner sends an invoice; its interchange, once it is answered."""
    file = gateway.folder / f"{number}.xml"
    file.write_bytes(ubl_invoice(number))
    assert gateway.sftp([f"put {file} in/{file.name}"]).returncode == 0
    wait_for(
        "the invoice is answered",
        lambda: told(gateway, "status")[0]["interchanges"] == {"acknowledged": 1},
        gateway,
    )
    (row,) = told(gateway, "interchanges")
    return str(row["id"])


def ask(broker: Broker, requests: dict[str, bytes]) -> None:
    """Publish requests, by their message ids."""
    with broker.connect() as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for id_, body in requests.items():
            properties = pika.BasicProperties(
                message_id=id_, correlation_id=f"c-{id_}", reply_to=REPLIES, delivery_mode=2
            )
            channel.basic_publish("", QUEUE, body, properties, mandatory=True)


def answers(broker: Broker, count: int) -> dict[str, list[dict[str, Any]]]:
    """What was answered, by what was asked."""
    found: dict[str, list[dict[str, Any]]] = {}
    for reply in broker.take(REPLIES, count):
        found.setdefault(reply.properties.correlation_id, []).append(json.loads(reply.body))
    return found


def statuses(messages: list[bytes]) -> list[str | None]:
    """Of lifecycle messages, each valid by the official artefacts, about invoice FA-1."""
    catalogue = Catalogue.load()
    check = MessageCheck(catalogue, RulePacks(catalogue))
    found = []
    for body in messages:
        assert check.findings(body, dt.datetime.now(dt.UTC).date()) == ()
        message = read(body, DocumentLimits())
        assert isinstance(message, MessageRead)
        (document,) = message.message.documents
        assert document.number == "FA-1"
        found.append(document.status)
    return sorted(found, key=str)


def in_out(gateway: GatewayProcess) -> list[bytes]:
    """The lifecycle messages in the partner's out/."""
    names = [name for name in gateway.out() if name.startswith("CDV_")]
    folder = gateway.folder / f"got-{time.monotonic_ns()}"
    folder.mkdir()
    done = gateway.sftp([f"get out/{name} {folder / name}" for name in names])
    assert done.returncode == 0, done.stderr
    return [(folder / name).read_bytes() for name in names]


def lifecycle_messages(broker: Broker, count: int) -> list[Message]:
    """Those in edi.acknowledgements; the report of the invoice is there as well."""
    taken = broker.take("edi.acknowledgements", count + 1)
    return [each for each in taken if each.properties.type == "edi.acknowledgement.cdar"]


def test_statuses_asked_for_reach_the_partner_once(gateway: GatewayProcess, broker: Broker) -> None:
    """Five statuses, each asked for twice under its id; beside them what cannot be taken."""
    id_ = accepted(gateway)
    good = {f"m-{code}": body_of(code) for code in CODES}
    bad = {
        "garbage": b"\x00\xff not json",
        "unknown-status": body_of("205", status="299"),
        "unknown-invoice": body_of("205", "FA-9"),
        "no-reason": body_of("210", status="206"),
    }
    ask(broker, {**good, **bad})
    ask(broker, good)
    replies = answers(broker, 2 * len(good) + len(bad))
    for name in good:
        both = replies[f"c-{name}"]
        assert [each["outcome"] for each in both] == ["accepted", "accepted"], both
        assert sorted(each["repeated"] for each in both) == [False, True]
        assert both[0]["invoices"][0]["document"] == f"{id_}/1"
    dead = {each.message_id: each for each in broker.take(DEAD, len(bad))}
    assert set(dead) == set(bad)
    for name, body in bad.items():
        (reply,) = replies[f"c-{name}"]
        assert reply["outcome"] == "refused"
        assert reply["findings"]
        assert dead[name].body == body
        assert dead[name].properties.headers["reason"].startswith(reply["findings"][0]["rule"])

    wait_for("all is sent", lambda: not told(gateway, "status")[0]["outbox"], gateway)
    assert statuses(in_out(gateway)) == [*CODES]
    published = lifecycle_messages(broker, len(CODES))
    assert statuses([each.body for each in published]) == [*CODES]
    ids = {each[0]["id"] for name, each in replies.items() if name.removeprefix("c-") in good}
    assert {each.message_id for each in published} == ids
    shown = gateway.command("show", id_)
    for code in CODES:
        assert code in shown.stdout
    assert gateway.stop() == 0
    with broker.connect() as connection:
        left = connection.channel().queue_declare(QUEUE, passive=True).method.message_count
    assert left == 0


def taken(gateway: GatewayProcess) -> int:
    """Requests in the journal."""
    with sqlite3.connect(f"file:{gateway.state / 'journal.sqlite'}?mode=ro", uri=True) as journal:
        (number,) = journal.execute("SELECT count(*) FROM status_requests").fetchone()
    return int(number)


def in_its_hands(broker: Broker) -> bool:
    """Whether the gateway has a request that it has not acknowledged."""
    told = broker.ctl("list_queues", "name", "messages_unacknowledged", "--quiet")
    return [QUEUE, "1"] in [line.split() for line in told.splitlines()]


def judges(gateway: GatewayProcess) -> list[int]:
    """The processes that judge."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has just ended
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            if parent == str(gateway.pid) and b"gateway.worker" in (
                folder / "cmdline"
            ).read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def test_killed_between_commit_and_ack_it_makes_nothing_twice(
    gateway: GatewayProcess, broker: Broker
) -> None:
    """The broker hangs when the request is written, so nothing is acknowledged; then a kill."""
    id_ = accepted(gateway)
    stopped = judges(gateway)
    assert len(stopped) == 2
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    ask(broker, {"m-1": body_of("205")})
    wait_for("it is delivered", lambda: in_its_hands(broker), gateway)
    broker.freeze()
    try:
        assert taken(gateway) == 0
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        wait_for("it is written", lambda: taken(gateway) == 1, gateway)
        gateway.kill()
    finally:
        broker.thaw()
    gateway.start()
    found = answers(broker, 1)["c-m-1"]
    while not found[-1]["repeated"]:  # the first answer may have been in the broker's ear already
        found += answers(broker, 1)["c-m-1"]
    answer = found[-1]
    assert answer["outcome"] == "accepted"
    assert all({**each, "repeated": True} == answer for each in found)
    wait_for("all is sent", lambda: not told(gateway, "status")[0]["outbox"], gateway)
    assert statuses(in_out(gateway)) == ["205"]
    assert {each.message_id for each in lifecycle_messages(broker, 1)} == {answer["id"]}
    assert taken(gateway) == 1
    assert id_ in answer["invoices"][0]["document"]
