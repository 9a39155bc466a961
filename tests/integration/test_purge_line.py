"""Retention on a whole gateway: it receives and judges while what is old is archived and freed."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.faults import Faults
from tests.gateway_process import GatewayProcess
from tests.integration.test_repeats_line import answered, copy, put, told

pytestmark = [pytest.mark.ssh, pytest.mark.timeout(600)]

CLASS = '[retention]\ndefault = "operational"\noperational_days = 30\n'


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    """Two partners who may send nothing twice, and whose payloads are kept for 30 days."""
    made = GatewayProcess(
        tmp_path / "gateway",
        partners=("acme", "other"),
        judges=1,
        uniqueness=True,
        settings=CLASS,
        faults=tmp_path / "faults",
    )
    yield made
    made.ensure_gone()


def age(gateway: GatewayProcess, days: int) -> None:
    """Everything that is there came so many days earlier; the gateway must be stopped."""
    with sqlite3.connect(gateway.state / "journal.sqlite") as raw:
        for column in ("received_at", "updated_at"):
            raw.execute(
                f"UPDATE interchanges SET {column} ="
                f" strftime('%Y-%m-%d %H:%M:%f000', {column}, '-{days} days')"
            )
    raw.close()


def purged(gateway: GatewayProcess, *words: str) -> dict[str, list[str]]:
    """What a purge of what is older than 40 days says."""
    done = gateway.command("purge", "--older-than", "40d", "--json", *words)
    assert done.returncode == 0, done.stderr
    said: dict[str, list[str]] = json.loads(done.stdout)
    return said


def test_purged_while_it_runs_and_while_it_is_stopped(gateway: GatewayProcess) -> None:
    """Archived, held, purged; still no repetition; a daemon that dies meanwhile loses nothing."""
    gateway.start()
    put(gateway, {f"{number}.xml": copy(f"F-{number}", "") for number in range(1, 4)})
    put(gateway, {"o.xml": copy("O-1", "")}, partner="other")
    answered(gateway, 4)
    assert gateway.stop() == 0
    age(gateway, 60)
    gateway.start()
    ids = {row["name"]: row["id"] for row in told(gateway, "interchanges")}
    hold = ("legal-hold", "add", "--interchange", ids["2.xml"], "--reason", "asked by the court")
    assert gateway.command(*hold).returncode == 0
    assert (
        gateway.command("legal-hold", "add", "--partner", "other", "--reason", "x").returncode == 0
    )

    archive = gateway.folder / "archive"
    faults = Faults(gateway.folder.parent / "faults")
    faults.arm("control.reply", "before", "kill")  # purged, and nobody hears of it
    words = ("--archive", str(archive))
    assert gateway.command("purge", "--older-than", "40d", *words).returncode != 0
    gateway.ensure_gone()
    gateway.start()
    said = purged(gateway, *words)
    assert sorted(id_ for id_, _ in said["skipped"]) == sorted([ids["2.xml"], ids["o.xml"]])
    (run,) = archive.iterdir()
    done = subprocess.run(
        ["sha256sum", "-c", "--quiet", "manifest.sha256"], cwd=run, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout
    (original,) = run.glob(f"interchanges/*/{ids['1.xml']}/original/1.xml")
    assert original.read_bytes() == copy("F-1", "")
    (result,) = run.glob(f"interchanges/*/{ids['1.xml']}/results/*.json")
    assert json.loads(result.read_bytes())["invoice_number"] == "F-1"
    assert len(list(run.glob(f"interchanges/*/{ids['1.xml']}/acknowledgements/*.xml"))) == 1

    refused = gateway.command("replay", ids["1.xml"])
    assert refused.returncode == 3
    assert "it was purged" in refused.stderr
    put(gateway, {"again.xml": copy("F-1", "other bytes")})
    answered(gateway, 5)
    again = next(row["id"] for row in told(gateway, "interchanges") if row["name"] == "again.xml")
    (shown,) = told(gateway, "show", again)
    (document,) = shown["documents"]
    assert document["verdict"] == "rejected"
    assert any(
        "DOUBLON" in json.dumps(f) or "REPEATED" in f["rule"]
        for f in document["judgement"]["findings"]
    )

    assert (
        gateway.command("legal-hold", "remove", "--partner", "other", "--reason", "x").returncode
        == 0
    )
    assert gateway.stop() == 0
    before = (gateway.state / "journal.sqlite").stat().st_size
    said = purged(gateway, "--no-archive")
    assert said["purged"] == [ids["o.xml"]]
    assert said["file_bytes"] == len(copy("O-1", ""))
    assert (gateway.state / "journal.sqlite").stat().st_size <= before
    gateway.start()
    found = gateway.command("doctor", "--json")
    assert found.returncode == 0, found.stdout + found.stderr
    assert len(told(gateway, "interchanges")) == 5
    assert gateway.stop() == 0
