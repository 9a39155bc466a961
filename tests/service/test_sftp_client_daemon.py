"""The whole line with a partner whose server we log in to: the daemon against a real sshd."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.samples import sample_bytes
from tests.gateway_process import GatewayProcess
from tests.service.sshd import Sshd, needs_sshd

pytestmark = [pytest.mark.ssh, needs_sshd]
SECONDS = 90.0


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    folder = tmp_path / "theirs"
    folder.mkdir()
    server = Sshd(folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def gateway(tmp_path: Path, sshd: Sshd) -> Iterator[GatewayProcess]:
    process = GatewayProcess(tmp_path / "ours", judges=1, sftp_processes=1)
    remote = sshd.remote()
    (process.folder / "partners" / "far.toml").write_text(
        f'name = "far"\nlanguage = "en"\nflows = ["ctc-fr-invoice"]\n[sftp_remote]\n'
        f'host = "{remote.host}"\nport = {remote.port}\nusername = "{remote.username}"\n'
        f'host_key = "{remote.host_key}"\nkey_file = "{remote.key_file}"\n'
        f'fetch_from = "{remote.fetch_from}"\npush_to = "{sshd.home / "in"}"\n'
        "stable_seconds = 0.2\npoll_seconds = 1.0\n"
    )
    yield process
    process.ensure_gone()


def until(condition: Callable[[], bool], gateway: GatewayProcess) -> None:
    """Poll until the condition holds."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, gateway.log_tail()
        time.sleep(0.05)


def interchanges(gateway: GatewayProcess) -> list[dict[str, Any]]:
    """What `edi-gateway interchanges` lists."""
    done = gateway.command("interchanges", "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def reports(sshd: Sshd) -> int:
    """How many lie there under their own names."""
    return sum(not name.endswith(".part") for name in sshd.names("in"))


def test_an_invoice_is_fetched_judged_and_answered(gateway: GatewayProcess, sshd: Sshd) -> None:
    """It leaves their folder, its report comes into their other one; also over a SIGKILL."""
    gateway.start()
    sshd.put("FA-1.xml", sample_bytes("ubl-invoice.xml"))
    until(lambda: sshd.names() == [] and reports(sshd) == 1, gateway)
    (name,) = sshd.names("in")
    assert b"accepted" in (sshd.home / "in" / name).read_bytes().lower()

    gateway.kill()
    sshd.put("FA-2.xml", sample_bytes("ubl-invoice.xml") + b"\n")
    sshd.stop()
    gateway.start()  # a partner's server that is away keeps nobody from starting
    until(lambda: "sftp_remote_away" in gateway.log_tail(1000), gateway)
    sshd.start()
    until(lambda: sshd.names() == [] and reports(sshd) == 2, gateway)
    until(lambda: {each["state"] for each in interchanges(gateway)} == {"acknowledged"}, gateway)
    assert sorted(each["name"] for each in interchanges(gateway)) == ["FA-1.xml", "FA-2.xml"]
    assert gateway.stop() == 0
    assert "sftp_remote_thread_left" not in gateway.log_tail(1000)
