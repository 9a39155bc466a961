"""The whole line with real parts: OpenSSH's client, the daemon, its processes, RabbitMQ."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lxml import etree

from bench.invoices import cii_invoice, ubl_invoice
from gateway.config.settings import Rabbitmq
from gateway.samples import SAMPLES, sample_bytes
from tests.broker import Broker, Message
from tests.gateway_process import GatewayProcess

pytestmark = [pytest.mark.broker, pytest.mark.ssh, pytest.mark.timeout(600)]

REPORT = "{urn:edi-gateway:interchange-report:1}"


@pytest.fixture
def gateway(tmp_path: Path, broker: Broker) -> Iterator[GatewayProcess]:
    """A running gateway that publishes to a real broker."""
    process = GatewayProcess(tmp_path / "gateway", rabbitmq_port=broker.port)
    process.start()
    try:
        yield process
    finally:
        process.ensure_gone()


def wait_for(what: str, condition: Callable[[], bool], gateway: GatewayProcess) -> None:
    """Poll until `condition` holds, for a bounded time."""
    deadline = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}\n{gateway.log_tail()}"
        time.sleep(0.2)


def all_answered(gateway: GatewayProcess, count: int) -> bool:
    """Whether `count` interchanges ended and nothing waits in the outbox."""
    done = gateway.command("status", "--json")
    if done.returncode == 2:
        return False
    counts = json.loads(done.stdout)
    ended = sum(counts["interchanges"].get(s, 0) for s in ("acknowledged", "quarantined"))
    return ended == count and not counts["outbox"]


def results(broker: Broker, accepted: int, rejected: int) -> list[Message]:
    """The messages a consumer of both result queues gets."""
    return broker.take("edi.documents.accepted", accepted) + broker.take(
        "edi.documents.rejected", rejected
    )


def test_every_sample_gets_its_verdict_its_message_and_its_acknowledgement(
    gateway: GatewayProcess, broker: Broker, tmp_path: Path
) -> None:
    """A partner drops the samples; each comes out of RabbitMQ, and a report lies in out/."""
    folder = tmp_path / "samples"
    folder.mkdir()
    for sample in SAMPLES:
        (folder / sample.file).write_bytes(sample_bytes(sample.file))
    done = gateway.sftp([f"put {folder / s.file} in/{s.file}" for s in SAMPLES])
    assert done.returncode == 0, done.stderr
    wait_for("all samples answered", lambda: all_answered(gateway, len(SAMPLES)), gateway)

    good = [s for s in SAMPLES if s.expected_verdict == "accepted"]
    messages = results(broker, len(good), len(SAMPLES) - len(good))
    verdicts = Counter(m.routing_key for m in messages)
    expected = Counter(f"ctc-fr-invoice.{s.syntax}.{s.expected_verdict}" for s in SAMPLES)
    assert verdicts == expected
    for message in messages:
        body = json.loads(message.body)
        if message.routing_key.endswith(".accepted"):
            assert body["invoice_number"]
        else:
            assert body["verdict"] == "rejected"
            assert body["findings"][0]["explanation"]
        assert message.properties.delivery_mode == 2
        assert message.properties.headers["partner"] == "acme"

    reports = broker.take("edi.acknowledgements", len(SAMPLES))
    names = {m.properties.headers["filename"] for m in reports}
    assert names == set(gateway.out())
    rules = {}
    for message in reports:
        report = etree.fromstring(message.body)
        name = report.findtext(f".//{REPORT}fileName") or report.findtext(f".//{REPORT}FileName")
        rules[name] = b"".join(message.body.split())
    assert set(rules) == {s.file for s in SAMPLES}
    for sample in SAMPLES:
        if sample.expected_rule:
            assert sample.expected_rule.encode() in rules[sample.file]


def test_two_hundred_invoices_arrive_exactly_once_though_the_broker_leaves_in_between(
    gateway: GatewayProcess, broker: Broker, tmp_path: Path
) -> None:
    """Four sessions send 50 invoices each; RabbitMQ is stopped and started meanwhile.

    Each result arrives exactly once by message id, and each acknowledgement lies in out/.
    """
    sessions, each = 4, 50
    files: dict[int, list[Path]] = {}
    for session in range(sessions):
        files[session] = []
        for index in range(each):
            number = f"FA-{session}-{index:03d}"
            fault = "total" if index % 10 == 0 else None
            maker = cii_invoice if index % 2 else ubl_invoice
            path = tmp_path / f"{number}.xml"
            path.write_bytes(maker(number, fault=fault))
            files[session].append(path)
    failures: list[str] = []

    def send(session: int) -> None:
        done = gateway.sftp([f"put {path} in/{path.name}" for path in files[session]])
        if done.returncode != 0:
            failures.append(done.stderr)

    threads = [threading.Thread(target=send, args=(n,)) for n in range(sessions)]
    for thread in threads:
        thread.start()
    wait_for("first results delivered", lambda: delivered(gateway) >= 20, gateway)
    broker.stop()
    for thread in threads:
        thread.join()
    assert failures == [], "intake goes on while the broker is away"
    wait_for("all judged, broker away", lambda: judged(gateway) == sessions * each, gateway)
    broker.start()
    wait_for("all answered", lambda: all_answered(gateway, sessions * each), gateway)

    rejected = sessions * each // 10
    messages = results(broker, sessions * each - rejected, rejected)
    once = once_each(messages)
    assert len(once) == sessions * each
    numbers = Counter(json.loads(message.body)["invoice_number"] for message in once)
    assert numbers == Counter(path.stem for paths in files.values() for path in paths)
    keys = Counter(message.routing_key.rsplit(".", 1)[1] for message in once)
    assert keys == {"accepted": sessions * each - rejected, "rejected": rejected}
    reports = once_each(broker.take("edi.acknowledgements", sessions * each))
    assert len(reports) == sessions * each
    names = {m.properties.headers["filename"] for m in reports}
    assert len(names) == sessions * each
    assert names == set(gateway.out())


def once_each(messages: list[Message]) -> list[Message]:
    """What a consumer that de-duplicates by message id sees.

    A broker that goes away between storing a message and confirming it gets that message again;
    such a second copy is the same in every byte, and there are no more of them than fit the
    window of unconfirmed messages.
    """
    first: dict[str, Message] = {}
    for message in messages:
        known = first.setdefault(message.message_id, message)
        assert known.body == message.body
        assert known.routing_key == message.routing_key
    assert len(messages) - len(first) <= Rabbitmq().window
    return list(first.values())


def status(gateway: GatewayProcess) -> dict[str, dict[str, int]]:
    """What `edi-gateway status --json` says."""
    done = gateway.command("status", "--json")
    loaded: dict[str, dict[str, int]] = json.loads(done.stdout)
    return loaded


def delivered(gateway: GatewayProcess) -> int:
    """How many documents' results the broker has confirmed."""
    return status(gateway)["documents"].get("published", 0)


def judged(gateway: GatewayProcess) -> int:
    """How many documents have their verdict."""
    counts = status(gateway)["documents"]
    return sum(counts.get(state, 0) for state in ("accepted", "rejected", "published"))


def test_sigterm_drains_and_exits_0_with_the_broker_away_and_the_rest_arrives_after_a_restart(
    gateway: GatewayProcess, broker: Broker, tmp_path: Path
) -> None:
    """What was received before SIGTERM is published after the next start, once."""
    paths = []
    for index in range(12):
        path = tmp_path / f"FA-R-{index}.xml"
        path.write_bytes(ubl_invoice(f"FA-R-{index}"))
        paths.append(path)
    broker.stop()
    done = gateway.sftp([f"put {path} in/{path.name}" for path in paths])
    assert done.returncode == 0, done.stderr
    assert gateway.stop() == 0
    broker.start()
    gateway.start()
    wait_for("all answered", lambda: all_answered(gateway, 12), gateway)
    messages = broker.take("edi.documents.accepted", 12)
    assert len({m.message_id for m in messages}) == len(messages) == 12
    assert len(gateway.out()) == 12


def test_a_killed_gateway_takes_up_what_it_had_promised(
    gateway: GatewayProcess, broker: Broker, tmp_path: Path
) -> None:
    """SIGKILL to every process right after the sender heard success: nothing is lost."""
    paths = []
    for index in range(10):
        path = tmp_path / f"FA-K-{index}.xml"
        path.write_bytes(ubl_invoice(f"FA-K-{index}"))
        paths.append(path)
    done = gateway.sftp([f"put {path} in/{path.name}" for path in paths])
    assert done.returncode == 0, done.stderr
    gateway.kill()
    gateway.start()
    wait_for("all answered", lambda: all_answered(gateway, 10), gateway)
    numbers = {
        json.loads(m.body)["invoice_number"] for m in broker.take("edi.documents.accepted", 10)
    }
    assert numbers == {path.stem for path in paths}
    assert len(gateway.out()) == 10


def test_a_resend_after_success_makes_no_second_interchange(
    gateway: GatewayProcess, broker: Broker, tmp_path: Path
) -> None:
    """The same bytes under the same name are one interchange; under a new name, another one."""
    path = tmp_path / "FA-1.xml"
    path.write_bytes(ubl_invoice("FA-1"))
    for _ in range(2):
        assert gateway.sftp([f"put {path} in/FA-1.xml"]).returncode == 0
    assert gateway.sftp([f"put {path} in/FA-1-again.xml"]).returncode == 0
    wait_for("both answered", lambda: all_answered(gateway, 2), gateway)
    assert len(broker.take("edi.documents.accepted", 2)) == 2


def test_log_lines_are_json_and_carry_interchange_partner_and_flow(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    """Every line of the daemon's log is one JSON object; those of a document name it in full."""
    path = tmp_path / "FA-L.xml"
    path.write_bytes(ubl_invoice("FA-L"))
    assert gateway.sftp([f"put {path} in/FA-L.xml"]).returncode == 0
    wait_for("answered", lambda: all_answered(gateway, 1), gateway)
    assert gateway.stop() == 0
    lines = [json.loads(line) for line in gateway.log_file.read_text().splitlines()]
    judged_lines = [line for line in lines if line["event"] == "document_judged"]
    assert len(judged_lines) == 1
    assert judged_lines[0]["partner"] == "acme"
    assert judged_lines[0]["flow"] == "ctc-fr-invoice"
    assert judged_lines[0]["interchange"]
    assert any("STOPPING=1" in text or text.startswith("READY=1") for text in gateway.notifications)
