"""What leaves, on a whole gateway: held, let go, killed in between, fetched once, sent again."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.invoices import ubl_invoice
from tests.gateway_process import GatewayProcess

pytestmark = [pytest.mark.ssh, pytest.mark.timeout(600)]


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    """One judge; `acme` fetches once only, `other` as often as it wants."""
    process = GatewayProcess(tmp_path / "gateway", partners=("acme", "other"), judges=1)
    file = process.folder / "partners" / "acme.toml"
    file.write_text(file.read_text() + "once_only = true\n")
    process.start()
    yield process
    process.ensure_gone()


def put(gateway: GatewayProcess, partner: str, name: str) -> None:
    """A partner drops an invoice."""
    file = gateway.folder / f"{partner}-{name}"
    file.write_bytes(ubl_invoice(name, lines=2) + f"<!-- {partner} -->".encode())
    done = gateway.sftp([f"put {file} in/{name}"], partner=partner)
    assert done.returncode == 0, done.stderr


def told(gateway: GatewayProcess, *words: str) -> list[dict[str, Any]]:
    """What a command says in JSON lines."""
    done = gateway.command(*words, "--json")
    assert done.returncode in (0, 1), done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def out(gateway: GatewayProcess, partner: str) -> list[str]:
    """What lies in a partner's `out/`, looked at from inside."""
    return sorted(os.listdir(gateway.state / "sftp" / partner / "out"))


def until(gateway: GatewayProcess, condition: Callable[[], bool]) -> None:
    """Wait for it."""
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, gateway.log_tail()
        time.sleep(0.1)


def said(gateway: GatewayProcess, event: str) -> list[dict[str, Any]]:
    """The lines of the log about this."""
    lines = (json.loads(line) for line in gateway.log_file.read_text().splitlines())
    return [line for line in lines if line.get("event") == event]


def test_a_hold_survives_a_kill_and_what_it_held_arrives_once(gateway: GatewayProcess) -> None:
    """One partner's acknowledgements wait, the other's and all results do not; nothing doubles."""
    done = gateway.command(
        "hold", "--partner", "acme", "--destination", "sftp", "--reason", "server moves"
    )
    assert done.returncode == 0, done.stderr
    put(gateway, "acme", "FA-1")
    put(gateway, "other", "FA-2")
    until(gateway, lambda: len(out(gateway, "other")) == 1)
    gateway.kill()
    gateway.start()
    until(gateway, lambda: [q["destination"] for q in told(gateway, "queues")][:1] == ["sftp"])
    queue, hold = told(gateway, "queues")
    assert (queue["partner"], queue["waiting"], queue["held"]) == ("acme", 1, 1)
    assert (hold["kind"], hold["reason"]) == ("hold", "server moves")
    assert out(gateway, "acme") == []
    documents = gateway.state / "publications" / "edi.documents"
    assert len([f for f in documents.rglob("*.json") if ".headers" not in f.name]) == 2
    done = gateway.command("resume", "--partner", "acme", "--destination", "sftp")
    assert done.returncode == 0, done.stderr
    until(gateway, lambda: len(out(gateway, "acme")) == 1)
    until(gateway, lambda: told(gateway, "queues") == [])
    (status,) = told(gateway, "status")
    assert status["interchanges"] == {"acknowledged": 2}


def test_once_only_retrieval_and_a_resend(gateway: GatewayProcess) -> None:
    """What was fetched is gone, and the journal knows it; a resend puts the same bytes there."""
    for partner, number in (("acme", "FA-1"), ("other", "FA-2")):
        put(gateway, partner, number)
        until(gateway, lambda partner=partner: len(out(gateway, partner)) == 1)
        (name,) = out(gateway, partner)
        done = gateway.sftp([f"get out/{name} {gateway.folder / partner}"], partner=partner)
        assert done.returncode == 0, done.stderr
    assert out(gateway, "acme") == []
    assert len(out(gateway, "other")) == 1
    until(gateway, lambda: len(said(gateway, "acknowledgement_fetched")) == 2)
    (one,) = [row for row in told(gateway, "interchanges") if row["partner"] == "acme"]
    (shown,) = told(gateway, "show", one["id"])
    (row,) = [each for each in shown["outbox"] if each["destination"] == "sftp"]
    assert row["fetched_at"] is not None
    assert row["attempts"] == 1
    done = gateway.command("resend", one["id"], "--to", "partner")
    assert done.returncode == 0, done.stderr
    until(gateway, lambda: len(out(gateway, "acme")) == 1)
    (name,) = out(gateway, "acme")
    again = gateway.state / "sftp" / "acme" / "out" / name
    assert again.read_bytes() == (gateway.folder / "acme").read_bytes()
    (shown,) = told(gateway, "show", one["id"])
    (intervention,) = shown["interventions"]
    assert (intervention["action"], intervention["subject"]) == (
        "resend",
        "report to the partner",
    )
