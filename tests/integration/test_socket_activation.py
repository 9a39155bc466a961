"""The gateway on sockets of systemd's own opening: `systemd-socket-activate` plays its part."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.broker import free_port
from tests.gateway_process import GatewayProcess

SAMPLE = Path(__file__).parents[2] / "gateway" / "samples" / "ubl-invoice.xml"

pytestmark = [pytest.mark.ssh, pytest.mark.timeout(300)]


def answered(port: int, path: str, seconds: float = 10.0) -> tuple[int, str]:
    """Status and body, once somebody listens there and answers."""
    url = f"http://127.0.0.1:{port}{path}"
    until = time.monotonic() + 30.0
    while True:
        try:
            with urllib.request.urlopen(url, timeout=seconds) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError) or time.monotonic() > until:
                raise
            time.sleep(0.05)


class Activated:
    """A gateway whose settings name other ports than those systemd listens on."""

    def __init__(self, folder: Path) -> None:
        self.http, self.management = free_port(), free_port()
        self.line = GatewayProcess(
            folder,
            judges=1,
            sftp_processes=1,
            settings=f"[http]\nenabled = true\nport = {free_port()}\n"
            f"[management]\nenabled = true\nport = {free_port()}\n",
            wrapper=(
                "systemd-socket-activate",
                "--setenv=NOTIFY_SOCKET",
                "--fdname=http:sftp:management",
                *self._listening(sftp := free_port()),
            ),
        )
        self.line.port = sftp

    def _listening(self, sftp: int) -> list[str]:
        return [f"--listen=127.0.0.1:{port}" for port in (self.http, sftp, self.management)]


@pytest.fixture
def activated(tmp_path: Path) -> Iterator[Activated]:
    """Up: the first who asked whether it is alive had it started, and waited for the answer."""
    if shutil.which("systemd-socket-activate") is None:
        pytest.fail("systemd-socket-activate is missing: apt-get install systemd")
    made = Activated(tmp_path)
    first: list[tuple[int, str]] = []
    asking = threading.Thread(
        target=lambda: first.append(answered(made.management, "/livez", seconds=120.0))
    )
    asking.start()
    try:
        made.line.start()
        asking.join(30)
        assert first == [(200, "alive\n")]
        yield made
    finally:
        made.line.ensure_gone()
        asking.join(30)


def test_every_door_opens_on_the_socket_that_was_handed_over(activated: Activated) -> None:
    """SFTP, HTTP and management answer there; an upload is taken in and reported on."""
    assert answered(activated.management, "/readyz") == (200, "ready\n")
    assert answered(activated.http, "/v1/interchanges/none")[0] == 401
    done = activated.line.sftp([f"put {SAMPLE} in/invoice.xml"])
    assert done.returncode == 0, done.stderr
    until = time.monotonic() + 60
    while not (out := activated.line.out()) and time.monotonic() < until:
        time.sleep(0.2)
    assert len(out) == 1
    log = activated.line.log_tail(400)
    for event in ("sftp_listening", "http_listening", "management_listening"):
        assert event in log
    assert activated.line.stop() == 0


def test_a_socket_nobody_takes_stops_the_start(tmp_path: Path) -> None:
    """Exit code 2, which the unit does not try again, and the way out."""
    port = free_port()
    line = GatewayProcess(
        tmp_path,
        wrapper=("systemd-socket-activate", "--fdname=http", f"--listen=127.0.0.1:{port}"),
    )
    waking = threading.Thread(target=_connect, args=(port,))
    waking.start()
    with pytest.raises(AssertionError, match=r"http\.enabled is false"):
        line.start()
    waking.join(30)
    line.ensure_gone()


def _connect(port: int) -> None:
    """Whoever calls is hung up on when the gateway ends."""
    with contextlib.suppress(OSError):
        answered(port, "/", seconds=60.0)
