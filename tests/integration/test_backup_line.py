"""A backup made under load, a power cut, a restore elsewhere: what was promised by then is kept."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.model.publication import Exchange
from tests.broker import Broker
from tests.gateway_process import GatewayProcess
from tests.torture import evidence
from tests.torture.checks import faults
from tests.torture.consumer import Consumer
from tests.torture.load import Parcel, parcel

pytestmark = [pytest.mark.broker, pytest.mark.ssh, pytest.mark.timeout(600)]

SEED = 20_260_901
QUIET_SECONDS = 180.0
PAUSE_SECONDS = 1.0
"""Between two files of a partner: commands shall not have to wait for a mountain of work."""


class Partner(threading.Thread):
    """Sends file after file by OpenSSH's client, each until it is told "received"."""

    def __init__(self, gateway: GatewayProcess, folder: Path, index: int) -> None:
        super().__init__(name=f"partner-{index}", daemon=True)
        self._gateway = gateway
        self._folder = folder
        self._index = index
        self.sent: dict[tuple[str, str], Parcel] = {}
        self.received: list[tuple[str, str]] = []
        self.finish = threading.Event()
        folder.mkdir()

    def run(self) -> None:
        """Until `finish` is set, and what was begun is received."""
        number = 0
        while not self.finish.is_set():
            each = parcel(SEED, self._index, number, archives=True)
            number += 1
            (self._folder / each.name).write_bytes(each.content)
            self.sent[each.key] = each
            while not self._received(each):
                time.sleep(0.3)
            self.received.append(each.key)
            self.finish.wait(PAUSE_SECONDS)

    def _received(self, each: Parcel) -> bool:
        try:
            done = subprocess.run(
                self._gateway.sftp_command(),
                input=f"put {self._folder / each.name} in/{each.name}\n",
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0


def until(condition: Callable[[], bool], what: Callable[[], str], seconds: float) -> None:
    """Wait for it."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.2)


def test_what_was_received_before_the_backup_is_there_after_the_restore_and_ends_once(
    tmp_path: Path, broker: Broker
) -> None:
    """Each file once, judged as it must be, its messages under the ids they had before.

    On the way: a second gateway on the same state directory is refused, the backups are made while
    the gateway works, and no client notices that the host keys came out of a backup.
    """
    gateway = GatewayProcess(tmp_path / "gateway", rabbitmq_port=broker.port, uniqueness=True)
    consumer = Consumer(broker)
    partners = [Partner(gateway, tmp_path / f"partner-{index}", index) for index in range(3)]
    backups = tmp_path / "backups"

    def received() -> set[tuple[str, str]]:
        return {key for each in partners for key in list(each.received)}

    try:
        consumer.begin()
        gateway.start()
        for each in partners:
            each.start()
        until(lambda: len(received()) >= 4, gateway.log_tail, 120)
        second = gateway.command("run")
        assert second.returncode == 2, second.stderr
        assert f"Another gateway (process {gateway.pid}) already uses" in second.stderr
        backed_up(gateway, backups)
        commanded(gateway, "hold", "--all", "--reason", "something must wait at the backup")
        held = len(received())
        until(lambda: len(received()) >= held + 4, gateway.log_tail, 120)
        before = received()
        made = backed_up(gateway, backups)
        assert made["kept"] > 0
        told_before = len(consumer.taken)
        commanded(gateway, "resume", "--all")
        until(lambda: len(received()) >= len(before) + 3, gateway.log_tail, 120)
        until(lambda: len(consumer.taken) > told_before + 10, gateway.log_tail, 120)
        gateway.kill()
        at_kill = received()
        until(lambda: time.monotonic() - consumer.last > 2, gateway.log_tail, 60)
        told, consumer.taken = consumer.taken, {}
        gateway.state.rename(tmp_path / "lost")
        commanded(gateway, "restore", str(backups))
        gateway.start()
        commanded(gateway, "resume", "--all")
        until(lambda: len(received()) >= len(at_kill) + 1, gateway.log_tail, 120)
        for each in partners:
            each.finish.set()
        for each in partners:
            each.join(60)
            assert not each.is_alive(), gateway.log_tail()
        journal = gateway.state / "journal.sqlite"
        until(
            lambda: quiet(journal) and time.monotonic() - consumer.last > 2,
            gateway.log_tail,
            QUIET_SECONDS,
        )
        looked = gateway.command("doctor", "--deep", "--json")
        assert (looked.returncode, json.loads(looked.stdout)["troubles"]) == (0, []), looked.stdout
        assert gateway.stop() == 0
    finally:
        for each in partners:
            each.finish.set()
        consumer.end()
        gateway.ensure_gone()
    found = evidence.read_journal(journal)
    sent = {key: one for each in partners for key, one in each.sent.items()}
    promised = before | (received() - at_kill)
    here = {(each.name, each.sha256) for each in found.interchanges}
    assert promised <= here
    print(
        f"{len(before)} before the backup, {len(at_kill)} before the kill, {len(here)} at the end"
    )
    parcels = {key: sent[key] for key in here}
    ids = {each.id for each in found.interchanges}
    known = {row.id for row in found.outbox}
    mine = {id_: each for id_, each in told.items() if each.correlation_id in ids}
    # Steps are numbered anew, and events named by them; all else is told under the id it had.
    others = [each for id_, each in mine.items() if id_ not in known]
    assert {each.exchange for each in others} <= {Exchange.EVENTS.value}
    assert set(consumer.taken) & set(told), "nothing was sent once more: this proves little"
    found.taken = {id_: each for id_, each in mine.items() if id_ in known} | consumer.taken
    names = {row.filename for row in found.outbox}
    out = gateway.state / "sftp" / gateway.partner / "out"
    found.out = {path.name: path.read_bytes() for path in out.iterdir() if path.name in names}
    found.payloads = evidence.read_spool(gateway.state)
    found.leftovers = evidence.working_files(gateway.state)
    wrong = faults(parcels, received(), found)
    assert not wrong, str(wrong)
    looked = gateway.command("doctor", "--deep")
    assert looked.returncode == 0, looked.stdout


def backed_up(gateway: GatewayProcess, folder: Path) -> dict[str, int]:
    """A backup by the command, while the gateway works."""
    made: dict[str, int] = json.loads(commanded(gateway, "backup", str(folder), "--json"))
    assert gateway.running
    return made


def commanded(gateway: GatewayProcess, *words: str) -> str:
    """What a command that succeeds says."""
    done = gateway.command(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def quiet(journal: Path) -> bool:
    """Whether everything came to its end."""
    now = evidence.progress(journal)
    return not (now.unfinished or now.unsent)
