"""`edi-gateway replay`, against a gateway that runs."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator

import pytest

from gateway.cli.main import main
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
    deadline = time.monotonic() + 60
    while state(gateway) != "acknowledged":
        assert time.monotonic() < deadline, gateway.log_tail()
        time.sleep(0.05)
    after = row(gateway)
    assert (after.report_revision, str(after.rules_on)) == (2, "2026-09-01")
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
