"""`edi-gateway replay`, against a gateway that runs."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli.control_client import ask
from gateway.cli.main import main
from gateway.core.schematron.svrl import violations
from gateway.errors import GatewayError
from gateway.model.verdict import Layer
from gateway.samples import sample_bytes
from gateway.service.journal import open_reader, records
from tests.gateway_process import GatewayProcess

pytestmark = pytest.mark.skipif(shutil.which("sftp") is None, reason="needs openssh-client")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway that judged one faulty invoice."""
    running = GatewayProcess(tmp_path_factory.mktemp("replay"), judges=1)
    try:
        running.start()
        file = running.folder / "faulty.xml"
        file.write_bytes(sample_bytes("ubl-invoice-faulty.xml"))
        assert running.sftp([f"put {file} in/faulty.xml"]).returncode == 0
        deadline = time.monotonic() + 60
        while state(running) != "acknowledged":
            assert time.monotonic() < deadline, running.log_tail()
            time.sleep(0.05)
        yield running
    finally:
        running.ensure_gone()


def row(gateway: GatewayProcess) -> records.InterchangeRow:
    """The one interchange."""
    engine = open_reader(gateway.state / "journal.sqlite")
    try:
        with engine.connect() as conn:
            return records.list_interchanges(conn, limit=1)[0]
    finally:
        engine.dispose()


def state(gateway: GatewayProcess) -> str:
    """Where it stands."""
    return row(gateway).state.value


def wait_until_acknowledged(gateway: GatewayProcess, revision: int = 1) -> None:
    """Bounded; with this report, or a later one."""
    deadline = time.monotonic() + 60
    while state(gateway) != "acknowledged" or row(gateway).report_revision < revision:
        assert time.monotonic() < deadline, gateway.log_tail()
        time.sleep(0.05)


def replay(gateway: GatewayProcess, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a person would."""
    return gateway.command("replay", *words)


def test_the_same_rules_change_nothing(gateway: GatewayProcess) -> None:
    """The beginning of the id is enough; exit code 0."""
    done = replay(gateway, row(gateway).id[:20], "--dry-run")
    assert (done.returncode, done.stdout) == (
        0,
        f"{row(gateway).id}: 1 judged again, 0 would change.\n",
    )


def test_packs_that_state_no_day_judge_on_any(gateway: GatewayProcess) -> None:
    """Those for UBL do not: by the rules of another day the verdict is the same."""
    done = replay(gateway, row(gateway).id, "--dry-run", "--rules", "2020-01-01", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer == {
        "interchange": row(gateway).id,
        "documents": 1,
        "changed": 0,
        "differences": [],
    }


def test_without_dry_run_it_is_judged_again(gateway: GatewayProcess) -> None:
    """It goes through to a second report in the partner's folder; meanwhile a second one waits."""
    before = row(gateway)
    done = replay(gateway, before.id[:20], "--rules", "2026-09-01")
    assert (done.returncode, done.stdout) == (
        0,
        f"{before.id}: 1 judged again. What comes of it: edi-gateway show {before.id}\n",
    ), done.stderr
    wait_until_acknowledged(gateway, before.report_revision + 1)
    after = row(gateway)
    assert after.report_revision == before.report_revision + 1
    assert str(after.rules_on) == "2026-09-01"
    shown = gateway.command("show", before.id)
    assert "replayed by an operator with the rules of 2026-09-01" in shown.stdout
    reports = list((gateway.state).rglob("*.report*.xml"))
    assert len(reports) >= 2, reports


def test_a_day_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong call, with an example of a right one."""
    with pytest.raises(SystemExit) as ended:
        main(["replay", "0197", "--dry-run", "--rules", "1.9.2026"])
    assert ended.value.code == 2
    assert "write it as 2026-09-01" in capsys.readouterr().err


def test_many_are_tried_first(gateway: GatewayProcess) -> None:
    """What would change is told; here nothing would, so there is nothing to commit."""
    wait_until_acknowledged(gateway)
    done = replay(gateway, "--dry-run", "--verdict", "rejected", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["interchanges"], answer["tried"], answer["changed"]) == (1, 1, 0)
    again = replay(gateway, "--try", answer["replay"])
    assert "1 interchange (verdict rejected), 1 document judged again" in again.stdout
    revision = row(gateway).report_revision
    done = replay(gateway, "--commit", answer["replay"])
    assert (done.returncode, done.stdout.split(";")[0]) == (0, "0 interchanges are judged again")
    done = replay(gateway, "--commit", answer["replay"], "--unchanged", "--json")
    assert json.loads(done.stdout)["committed"] == 1, done.stderr
    wait_until_acknowledged(gateway, revision + 1)
    assert "1 committed" in replay(gateway, "--list").stdout


def test_many_run_by_themselves(gateway: GatewayProcess) -> None:
    """As the console has it: begun, and not waited for; here nothing would change."""
    wait_until_acknowledged(gateway)
    made = ask(gateway.state, "replays.make", verdict="rejected", by="ann")
    replay_id = made["replay"]
    ask(gateway.state, "replays.run", replay=replay_id, step="try", by="ann")
    deadline = time.monotonic() + 60
    while (run := ask(gateway.state, "replays.running", replay=replay_id)["run"])["ending"] != (
        "done"
    ):
        assert run["ending"] == "running", run
        assert time.monotonic() < deadline, gateway.log_tail()
        time.sleep(0.05)
    shown = ask(gateway.state, "replays.show", replay=replay_id)
    assert (shown["tried"], shown["failed"], shown["made_by"]) == (1, 0, "ann")
    with pytest.raises(GatewayError, match="nothing is left to commit"):
        ask(gateway.state, "replays.run", replay=replay_id, step="commit")


def test_what_the_packs_say_in_svrl(gateway: GatewayProcess, tmp_path: Path) -> None:
    """One file for each pack that judged, with the rules the verdict names."""
    wait_until_acknowledged(gateway)
    done = gateway.command("show", row(gateway).id, "--svrl", str(tmp_path / "svrl"))
    assert done.returncode == 0, done.stderr
    files = sorted((tmp_path / "svrl").iterdir())
    assert sorted(done.stdout.splitlines()) == [str(file) for file in files]
    assert all(file.name.startswith(f"{row(gateway).id}-1.") for file in files)
    said = {each.rule for file in files for each in violations(file.read_bytes())}
    shown = json.loads(gateway.command("show", row(gateway).id, "--json").stdout)
    (document,) = shown["documents"]
    named = {
        each["rule"]
        for each in document["judgement"]["findings"]
        if each["layer"] == Layer.SCHEMATRON.value
    }
    assert named
    assert said == named


def test_totals_are_right_after_all_that(gateway: GatewayProcess) -> None:
    """A document that was judged again and again is counted once; a rebuild finds nothing wrong."""
    rebuilt = gateway.command("statistics", "rebuild", "--json")
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert json.loads(rebuilt.stdout)["wrong"] == 0
    shown = gateway.command("statistics", "--by", "channel", "--json")
    assert json.loads(shown.stdout)["rejected"] == 1
    found = gateway.command("search", "--file", "faulty", "--json")
    assert json.loads(found.stdout.splitlines()[0])["interchange"] == row(gateway).id


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "Nothing is chosen"),
        (["--since", "2026-01-01"], "tried before they are committed"),
        (["0197", "--rule", "BR-1", "--dry-run"], "Either interchanges are named"),
        (["--commit", "x", "--rule", "BR-1"], "was chosen when it was made"),
    ],
)
def test_what_does_not_fit_together(
    capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    """A wrong call, before anything is asked."""
    assert main(["replay", *words]) == 2
    assert told in capsys.readouterr().err
