"""A version of a rule pack, imported while a real gateway works: from its day on, no sooner."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.samples import sample_bytes
from tests.gateway_process import GatewayProcess
from tests.schematron_sources import UBL, pattern, rule, written

FLOW = """
name = "house"
[match]
syntaxes = ["ubl"]
[[chain]]
syntax = "ubl"
schema = "ubl-2.1"
rules = ["house"]
"""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    """A gateway with a flow that is judged by the imported pack `house` alone."""
    made = GatewayProcess(tmp_path / "gateway", flows=("house",), judges=1, sftp_processes=1)
    (made.folder / "flows").mkdir()
    (made.folder / "flows" / "house.toml").write_text(FLOW)
    ours = '[paths]\nflows = "flows"\nrule_packs = "packs"\n'
    made.config.write_text(made.config.read_text().replace("[paths]\n", ours))
    yield made
    made.ensure_gone()


def imported(gateway: GatewayProcess, test: str, *options: str) -> dict[str, Any]:
    """Have `rules import` take in a version of `house` that demands this."""
    asserted = f'<assert id="H-1" test="{test}">x</assert>'
    file = written(gateway.folder, UBL + pattern(rule("/ubl:Invoice", asserted)))
    done = gateway.command("rules", "import", "--json", str(file), *options)
    assert done.returncode == 0, done.stderr
    stored: dict[str, Any] = json.loads(done.stdout)
    return stored


def judged(gateway: GatewayProcess, name: str) -> tuple[str, dict[str, Any]]:
    """Send an invoice under this name; its interchange's id, and the verdicts on it."""
    file = gateway.folder / name
    file.write_bytes(sample_bytes("ubl-invoice.xml") + b"<!-- %s -->" % name.encode())
    assert gateway.sftp([f"put {file} in/{name}"]).returncode == 0
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        done = gateway.command("interchanges", "--json", "--search", name)
        (row,) = (json.loads(line) for line in done.stdout.splitlines())
        if row["verdicts"]:
            return row["id"], row["verdicts"]
        time.sleep(0.2)
    raise AssertionError(gateway.log_tail())


def replayed(gateway: GatewayProcess, id_: str, day: str) -> dict[str, Any]:
    """The one difference the rules of that day would make."""
    done = gateway.command("replay", id_, "--dry-run", "--json", "--rules", day)
    assert done.returncode == 1, done.stderr
    (difference,) = json.loads(done.stdout)["differences"]
    found: dict[str, Any] = difference
    return found


def test_a_version_counts_from_its_day_on_without_a_restart(gateway: GatewayProcess) -> None:
    """What is received today meets the version of today; `replay --rules` asks another day's."""
    imported(gateway, "cbc:ID", "--valid-from", "2026-01-01")
    gateway.start()
    _, before = judged(gateway, "one.xml")
    coming = imported(gateway, "cbc:ID = 'never'", "--valid-from", "2999-01-01")
    _, meanwhile = judged(gateway, "two.xml")
    imported(gateway, "not(cbc:ID)")
    id_, after = judged(gateway, "three.xml")

    assert (before, meanwhile, after) == ({"accepted": 1}, {"accepted": 1}, {"rejected": 1})
    assert coming["valid_from"] == "2999-01-01"
    old = replayed(gateway, id_, "2026-03-01")
    assert (old["before"], old["after"], old["gone"]) == ("rejected", "accepted", ["H-1"])
    none = replayed(gateway, id_, "2025-12-31")
    assert none["after"] == "undetermined"
    assert "house has no version that applies on 2025-12-31" in none["cause"]
    assert gateway.stop() == 0
