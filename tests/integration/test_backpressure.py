"""The gateway short of something: it promises nothing it cannot keep, and recovers by itself."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko
import psutil
import pytest
from paramiko.sftp import CMD_CLOSE

from bench.invoices import ubl_invoice
from gateway.cli.demo_client import make_key
from gateway.service.backlog import LINE
from tests.gateway_process import PARTNER, GatewayProcess

pytestmark = [pytest.mark.ssh, pytest.mark.timeout(300)]

MB = 1_000_000


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    """A gateway that is not running yet."""
    process = GatewayProcess(tmp_path / "gateway", judges=2, sftp_processes=1)
    try:
        yield process
    finally:
        process.ensure_gone()


def setting(gateway: GatewayProcess, table: str, key: str, value: object) -> None:
    """Write one setting into the gateway's file, instead of what stood there."""
    lines = gateway.config.read_text().splitlines()
    start = lines.index(f"[{table}]")
    end = next((n for n in range(start + 1, len(lines)) if lines[n].startswith("[")), len(lines))
    kept = [line for line in lines[start + 1 : end] if not line.startswith(f"{key} ")]
    text = "\n".join([*lines[: start + 1], f"{key} = {value}", *kept, *lines[end:]])
    gateway.config.write_text(text + "\n")


def wait_for(what: str, condition: Callable[[], bool], gateway: GatewayProcess) -> None:
    """Poll until `condition` holds, for a bounded time."""
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}\n{gateway.log_tail()}"
        time.sleep(0.2)


def invoices(folder: Path, prefix: str, count: int) -> list[Path]:
    """So many invoices to send."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{prefix}-{number:04d}.xml" for number in range(count)]
    for path in paths:
        path.write_bytes(ubl_invoice(path.stem))
    return paths


def send(gateway: GatewayProcess, paths: list[Path]) -> subprocess.CompletedProcess[str]:
    """Put the files, until the first that is refused."""
    return gateway.sftp([f"put {path} in/{path.name}" for path in paths])


def answer_to(gateway: GatewayProcess, path: Path) -> str:
    """What the server says when this file is closed; OpenSSH's client shows only "Failure"."""
    with paramiko.SSHClient() as client:
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        client.connect(
            "127.0.0.1",
            gateway.port,
            PARTNER,
            key_filename=str(gateway.key),
            allow_agent=False,
            look_for_keys=False,
            timeout=20,
        )
        file = client.open_sftp().open(f"in/{path.name}", "wb")
        file.write(path.read_bytes())
        try:
            # The request itself, for it raises what paramiko's own close() swallows.
            file.sftp._request(CMD_CLOSE, file.handle)
        except OSError as error:
            return str(error)
    return ""


def states(gateway: GatewayProcess) -> dict[str, int]:
    """How many interchanges stand where."""
    found: dict[str, int] = json.loads(gateway.command("status", "--json").stdout)["interchanges"]
    return found


def all_acknowledged(gateway: GatewayProcess, count: int) -> Callable[[], bool]:
    """Whether `count` interchanges are there, and every one is answered."""
    return lambda: states(gateway) == {"acknowledged": count}


def answered_once(gateway: GatewayProcess, paths: list[Path]) -> None:
    """Every file has one result and one report."""
    wait_for("all acknowledged", all_acknowledged(gateway, len(paths)), gateway)
    assert len(gateway.out()) == len(paths)
    results = (gateway.state / "publications" / "edi.documents").rglob("*.json")
    numbers = [
        json.loads(path.read_bytes())["invoice_number"]
        for path in results
        if not path.name.endswith(".headers.json")
    ]
    assert sorted(numbers) == sorted(path.stem for path in paths)


def judges(gateway: GatewayProcess) -> list[psutil.Process]:
    """The gateway's judge processes."""
    children = psutil.Process(gateway.pid).children()
    return [child for child in children if "gateway.worker" in child.cmdline()]


def rested(gateway: GatewayProcess) -> Callable[[], bool]:
    """Whether both judges are there, and do nothing for half a second."""

    def used() -> list[float]:
        return [sum(judge.cpu_times()[:2]) for judge in judges(gateway)]

    def at_rest() -> bool:
        before = used()
        time.sleep(0.5)
        after = used()
        return len(before) == len(after) == 2 and before == after and min(before) > 0.5

    return at_rest


@contextlib.contextmanager
def stopped(processes: list[psutil.Process]) -> Iterator[None]:
    """These processes stand still meanwhile."""
    try:
        for process in processes:
            process.send_signal(signal.SIGSTOP)
        yield
    finally:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def journal_full(gateway: GatewayProcess) -> Iterator[None]:
    """No file of the daemon can grow beyond the size its journal's log has now.

    As on a full disk, but for this process only. Python ignores SIGXFSZ, so a write fails.
    """
    limit = (gateway.state / "journal.sqlite-wal").stat().st_size
    assert gateway.log_file.stat().st_size + MB // 20 < limit, "the daemon may still write its log"
    unlimited = resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (limit, unlimited[1]))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, unlimited)


def logged(gateway: GatewayProcess, event: str) -> list[dict[str, object]]:
    """What the daemon's log says under this name."""
    lines = gateway.log_file.read_text().splitlines()
    found = [json.loads(line) for line in lines if line.startswith("{")]
    return [line for line in found if line.get("event") == event]


def test_a_disk_that_runs_low_refuses_new_files_until_there_is_room_again(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    """The sender reads why, nothing of the file is taken in; with room it is, by itself."""
    free = shutil.disk_usage(tmp_path).free
    if free < 4000 * MB:
        pytest.skip("not enough free space here to take some away for a moment")
    filler = tmp_path / "filler"
    # Others use this disk too: what they take and give meanwhile must not matter.
    setting(gateway, "intake", "min_free_mb", free // MB - 500)
    gateway.start()
    first, second = invoices(tmp_path / "files", "FA-D", 2)
    assert send(gateway, [first]).returncode == 0
    try:
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, 1000 * MB)
        time.sleep(1.5)  # free space is looked at every second
        assert send(gateway, [second]).returncode != 0
        assert "short of disk space" in answer_to(gateway, second)
    finally:
        filler.unlink(missing_ok=True)
    wait_for("the first acknowledged", all_acknowledged(gateway, 1), gateway)
    wait_for("room again", lambda: send(gateway, [second]).returncode == 0, gateway)
    answered_once(gateway, [first, second])
    assert all(line["name"] == second.name for line in logged(gateway, "sftp_not_received"))


def test_a_journal_that_cannot_grow_promises_nothing_and_recovers_by_itself(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    """The sender hears failure; what was being settled gets its verdict later; no restart."""
    gateway.start()
    before = invoices(tmp_path / "files", "FA-B", 20)
    refused = invoices(tmp_path / "files", "FA-R", 3)
    pid = gateway.pid
    with stopped(judges(gateway)):
        assert send(gateway, before).returncode == 0
        with journal_full(gateway):
            for path in refused:
                assert send(gateway, [path]).returncode != 0
            assert "could not store it; send it again" in answer_to(gateway, refused[0])
            assert sum(states(gateway).values()) == len(before), "none was taken in halfway"
            for judge in judges(gateway):
                judge.send_signal(signal.SIGCONT)
            wait_for(
                "a verdict that cannot be written",
                lambda: len(logged(gateway, "interchange_failed")) >= 2,
                gateway,
            )
            assert psutil.Process(pid).is_running()
    wait_for("those before acknowledged", all_acknowledged(gateway, len(before)), gateway)
    assert send(gateway, refused).returncode == 0
    answered_once(gateway, before + refused)
    assert gateway.pid == pid
    assert gateway.stop() == 0


def test_a_second_gateway_on_the_same_state_directory_is_told_who_uses_it(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    """It ends at once and harms nothing; the first goes on."""
    gateway.start()
    second = gateway.command("run")
    assert second.returncode == 2
    (words,) = [x for x in second.stderr.splitlines() if x.startswith("edi-gateway: ")]
    assert str(gateway.state) in words
    assert f"process {gateway.pid}" in words
    paths = invoices(tmp_path / "files", "FA-S", 1)
    assert send(gateway, paths).returncode == 0
    answered_once(gateway, paths)
    assert gateway.stop() == 0


def test_what_waits_for_the_judges_waits_in_the_journal_not_in_memory(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    """With no judge at work, files are still taken in; memory holds a bounded number of them."""
    most, count = 8, 600
    setting(gateway, "intake", "max_in_flight", most)
    setting(gateway, "judges", "time_limit_seconds", 600.0)
    gateway.start()
    warm = invoices(tmp_path / "files", "FA-W", 100)
    assert send(gateway, warm).returncode == 0
    wait_for("a warm gateway", all_acknowledged(gateway, len(warm)), gateway)
    daemon = psutil.Process(gateway.pid)
    rss = daemon.memory_info().rss
    paths = invoices(tmp_path / "files", "FA-M", count)
    with stopped(judges(gateway)):
        assert send(gateway, paths).returncode == 0
        judged, waiting = being_judged_and_waiting(gateway)
        assert judged == most
        assert waiting == (LINE - 1) * most
        assert states(gateway)["received"] == count
        assert daemon.memory_info().rss - rss < 30 * MB
    answered_once(gateway, warm + paths)


def test_a_partner_with_many_files_does_not_hold_back_another_with_ten(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    """Ten files wait for no more of the other's than fit in work at once, and one each in turn."""
    places, many, few = 16, 300, 10
    setting(gateway, "intake", "max_in_flight", places)
    setting(gateway, "judges", "time_limit_seconds", 600.0)
    key, public = make_key(tmp_path / "small-key")
    (gateway.folder / "partners" / "small.toml").write_text(
        f'name = "small"\nflows = ["ctc-fr-invoice"]\n[sftp]\nauthorized_keys = ["{public}"]\n'
    )
    gateway.start()
    first, then = invoices(tmp_path / "m", "FA-M", many), invoices(tmp_path / "f", "FA-F", few)
    # One that still compiles rules holds a document for longer than the other takes for twenty.
    wait_for("the judges have compiled their rules", rested(gateway), gateway)
    with stopped(judges(gateway)):
        assert send(gateway, first).returncode == 0
        command = [
            {str(gateway.key): str(key), f"{PARTNER}@127.0.0.1": "small@127.0.0.1"}.get(word, word)
            for word in gateway.sftp_command()
        ]
        puts = "".join(f"put {path} in/{path.name}\n" for path in then)
        subprocess.run(command, input=puts.encode(), check=True, timeout=60)
    wait_for("all acknowledged", all_acknowledged(gateway, many + few), gateway)
    order = [line["partner"] for line in logged(gateway, "document_judged")]
    last = len(order) - order[::-1].index("small")
    # Two judges: either may be one document ahead of the other.
    assert order[:last].count(PARTNER) <= places + few + 2


def being_judged_and_waiting(gateway: GatewayProcess) -> tuple[int, int]:
    """What the daemon tells the service manager next."""
    address = gateway.folder / "notify"
    address.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(address))
        notify.settimeout(30)
        while True:
            found = re.search(r"(\d+) being judged, (\d+) waiting", notify.recv(4096).decode())
            if found:
                return int(found[1]), int(found[2])
