"""The control socket: who may speak, what is answered, and what survives a client."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, Annotated, Any

import msgspec
import pytest
import structlog
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet import defer, reactor, task
from twisted.internet.threads import deferToThread

from gateway.cli.control_client import ask
from gateway.errors import ConfigurationError, GatewayError
from gateway.service import control as module
from gateway.service.control import MAX_LINE, CommandRefused, Control


class Feed(msgspec.Struct, forbid_unknown_fields=True):
    """Arguments of a command."""

    animal: str
    times: Annotated[int, msgspec.Meta(ge=1)] = 1


class Zoo:
    """Commands that do what the tests need, and a log that can be read."""

    def __init__(self) -> None:
        self.said = structlog.testing.CapturingLogger()
        self.gate: defer.Deferred[None] = defer.Deferred()

    def control(self, folder: Path) -> Control:
        """A control socket in this folder."""
        handlers = {"feed": self.feed, "wait": self.wait, "break": self.fail}
        log = structlog.wrap_logger(self.said, processors=[])
        return Control(reactor, folder / "control.sock", handlers, log=log)

    async def feed(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Refuse tigers."""
        wanted = msgspec.convert(arguments, Feed)
        if wanted.animal == "tiger":
            raise CommandRefused("Nobody feeds the tiger.", remedy="Feed the goat.")
        return {"fed": wanted.animal, "times": wanted.times}

    async def wait(self, _arguments: dict[str, Any]) -> dict[str, Any]:
        """Answer when the gate opens."""
        await self.gate
        return {"waited": True}

    async def fail(self, _arguments: dict[str, Any]) -> dict[str, Any]:
        """A fault of ours."""
        raise ZeroDivisionError("oh")


def speak(folder: Path, *lines: bytes, answers: int | None = None) -> list[Any]:
    """What is answered to these lines, sent in one go; None for a connection that ended."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(folder / "control.sock"))
        client.sendall(b"".join(line + b"\n" for line in lines))
        with client.makefile("rb") as received:
            said = [_next(received) for _ in range(answers or len(lines))]
    return [json.loads(line) if line else None for line in said]


def _next(received: IO[bytes]) -> bytes:
    try:
        return received.readline()
    except ConnectionResetError:  # hung up on before all we sent was read
        return b""


async def spoken(folder: Path, *lines: bytes, answers: int | None = None) -> list[Any]:
    """`speak` beside the reactor."""
    found: list[Any] = await deferToThread(speak, folder, *lines, answers=answers)
    return found


@async_yield_fixture
async def zoo(tmp_path: Path) -> AsyncIterator[Zoo]:
    """A control socket in `tmp_path`, and what its commands do."""
    made = Zoo()
    control = made.control(tmp_path)
    await control.start()
    yield made
    await control.stop(0.1)


@ensureDeferred
async def test_commands_are_answered_in_order(zoo: Zoo, tmp_path: Path) -> None:
    """One line asks, one answers; a refused one does not end the conversation."""
    said = await spoken(
        tmp_path,
        b'{"command": "feed", "animal": "tiger"}',
        b'{"command": "feed", "animal": "goat", "times": 2}',
    )
    assert said == [
        {"ok": False, "error": "Nobody feeds the tiger.", "remedy": "Feed the goat."},
        {"ok": True, "fed": "goat", "times": 2},
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"hello", "no JSON object"),
        (b"[1]", "no JSON object"),
        (b"", "no JSON object"),
        (b'{"command": "\xff"}', "no JSON object"),
        (b'{"command": "fly"}', "There is no command 'fly'."),
        (b'{"command": ["feed"]}', "There is no command"),
        (b"{}", "There is no command None."),
        (b'{"command": "feed"}', "missing required field `animal`"),
        (b'{"command": "feed", "animal": 7}', "$.animal"),
        (b'{"command": "feed", "animal": "goat", "times": 0}', "$.times"),
        (b'{"command": "feed", "animal": "goat", "often": 1}', "`often`"),
    ],
)
@ensureDeferred
async def test_a_wrong_command_is_told_what_is_wrong(
    zoo: Zoo, tmp_path: Path, line: bytes, words: str
) -> None:
    """The answer names the command or the field; the next command is taken."""
    wrong, right = await spoken(tmp_path, line, b'{"command": "feed", "animal": "goat"}')
    assert wrong["ok"] is False
    assert words in wrong["error"]
    assert right["ok"] is True


@ensureDeferred
async def test_a_fault_of_ours_is_logged_and_told(zoo: Zoo, tmp_path: Path) -> None:
    """The client hears that the command failed; the log holds where."""
    said, after = await spoken(
        tmp_path, b'{"command": "break"}', b'{"command": "feed", "animal": "goat"}'
    )
    assert "ZeroDivisionError" in said["error"]
    assert "report it" in said["remedy"]
    assert after["ok"] is True
    errors = [call for call in zoo.said.calls if call.method_name == "error"]
    assert "in fail" in errors[0].kwargs["traceback"]


@ensureDeferred
async def test_one_client_does_not_wait_for_another(zoo: Zoo, tmp_path: Path) -> None:
    """A slow command holds up its own client only."""
    slow = defer.ensureDeferred(spoken(tmp_path, b'{"command": "wait"}'))
    (quick,) = await spoken(tmp_path, b'{"command": "feed", "animal": "goat"}')
    assert quick["ok"] is True
    assert not slow.called
    zoo.gate.callback(None)
    assert await slow == [{"ok": True, "waited": True}]


@ensureDeferred
async def test_a_line_has_a_bounded_length(zoo: Zoo, tmp_path: Path) -> None:
    """What never ends must not fill memory: it is told so, and hung up on."""
    said = await spoken(tmp_path, b"x" * (MAX_LINE + 1), answers=2)
    assert said[0]["error"] == f"A line may have {MAX_LINE} bytes."
    assert said[1] is None


@ensureDeferred
async def test_a_silent_client_is_hung_up_on(
    zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that died with its connection open does not keep it for ever."""
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.05)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(tmp_path / "control.sock"))
        assert await deferToThread(client.recv, 1) == b""


@ensureDeferred
async def test_a_running_command_outlasts_the_idle_time(
    zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client waits for us then, not we for it."""
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.05)
    slow = defer.ensureDeferred(spoken(tmp_path, b'{"command": "wait"}'))
    await task.deferLater(reactor, 0.3)
    zoo.gate.callback(None)
    assert await slow == [{"ok": True, "waited": True}]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@ensureDeferred
async def test_another_user_is_kept_out_twice() -> None:
    """By the socket's mode; and by the kernel's word for who it is, were the mode ever wrong."""
    source = (
        "import os, socket, sys\n"
        "os.setuid(65534)\n"
        "client = socket.socket(socket.AF_UNIX)\n"
        "client.connect(sys.argv[1])\n"
        "sys.stdout.write(client.makefile().readline())\n"
    )

    def nobody(path: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", "-c", source, str(path)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        path = Path(folder) / "control.sock"
        made = Zoo()
        control = made.control(path.parent)
        await control.start()
        try:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            refused = await deferToThread(nobody, path)
            assert "PermissionError" in refused.stderr
            path.chmod(0o666)
            told = await deferToThread(nobody, path)
            assert "Only the user the gateway runs as" in json.loads(told.stdout)["error"]
            assert not [call for call in made.said.calls if call.args == ("control_command",)]
        finally:
            await control.stop(0.1)


@ensureDeferred
async def test_a_socket_left_by_a_crash_is_replaced(tmp_path: Path) -> None:
    """Nobody listens on it any more: the next daemon takes its place."""
    with socket.socket(socket.AF_UNIX) as crashed:
        crashed.bind(str(tmp_path / "control.sock"))
    zoo = Zoo()
    control = zoo.control(tmp_path)
    await control.start()
    try:
        (said,) = await spoken(tmp_path, b'{"command": "feed", "animal": "goat"}')
    finally:
        await control.stop()
    assert said["ok"] is True
    assert not (tmp_path / "control.sock").exists()


@ensureDeferred
async def test_a_socket_in_use_is_left_alone(zoo: Zoo, tmp_path: Path) -> None:
    """The one who listens goes on; the other is told."""
    with pytest.raises(ConfigurationError, match="another process listens there"):
        await zoo.control(tmp_path).start()
    (said,) = await spoken(tmp_path, b'{"command": "feed", "animal": "goat"}')
    assert said["ok"] is True


@ensureDeferred
async def test_a_file_in_the_way_is_left_alone(tmp_path: Path) -> None:
    """Somebody's file is not ours to remove."""
    (tmp_path / "control.sock").write_text("mine")
    with pytest.raises(ConfigurationError, match="something else than a socket"):
        await Zoo().control(tmp_path).start()
    assert (tmp_path / "control.sock").read_text() == "mine"


@ensureDeferred
async def test_a_path_too_long_for_a_socket_is_said(tmp_path: Path) -> None:
    """The system's own message would not tell the limit, nor the setting."""
    folder = tmp_path / ("x" * 100)
    with pytest.raises(ConfigurationError, match=r"107.*shorter paths\.state"):
        await Zoo().control(folder).start()


@ensureDeferred
async def test_stopping_answers_what_runs(tmp_path: Path) -> None:
    """A command that was begun is answered; the socket is gone, and no new one is taken."""
    zoo = Zoo()
    control = zoo.control(tmp_path)
    await control.start()
    running = defer.ensureDeferred(spoken(tmp_path, b'{"command": "wait"}', answers=2))
    while not zoo.said.calls:
        await task.deferLater(reactor, 0.01)
    stopped = defer.ensureDeferred(control.stop())
    await task.deferLater(reactor, 0.05)
    assert not (tmp_path / "control.sock").exists()
    zoo.gate.callback(None)
    assert await running == [{"ok": True, "waited": True}, None]
    await stopped


@ensureDeferred
async def test_stopping_works_after_somebody_removed_the_socket(tmp_path: Path) -> None:
    """A tidy operator must not keep the daemon from ending."""
    control = Zoo().control(tmp_path)
    await control.start()
    (tmp_path / "control.sock").unlink()
    stopped = defer.ensureDeferred(control.stop())
    stopped.addTimeout(5, reactor)
    await stopped
    assert not (tmp_path / "control.sock").exists()


@ensureDeferred
async def test_stopping_does_not_wait_for_ever(tmp_path: Path) -> None:
    """A command that does not end keeps no daemon from ending."""
    zoo = Zoo()
    control = zoo.control(tmp_path)
    await control.start()
    running = defer.ensureDeferred(spoken(tmp_path, b'{"command": "wait"}'))
    while not zoo.said.calls:
        await task.deferLater(reactor, 0.01)
    await control.stop(0.05)
    assert await running == [None]
    zoo.gate.callback(None)


@ensureDeferred
async def test_the_client_hands_on_what_the_daemon_says(zoo: Zoo, tmp_path: Path) -> None:
    """An answer is an answer; a refusal comes with its remedy."""
    said = await deferToThread(ask, tmp_path, "feed", animal="goat")
    assert said == {"ok": True, "fed": "goat", "times": 1}
    with pytest.raises(GatewayError, match=r"Nobody feeds the tiger\. Feed the goat\."):
        await deferToThread(ask, tmp_path, "feed", animal="tiger")


@pytest.mark.parametrize("left_over", [False, True])
def test_the_client_says_when_no_daemon_runs(tmp_path: Path, left_over: bool) -> None:
    """No socket, or one left by a crash: the same plain words."""
    if left_over:
        with socket.socket(socket.AF_UNIX) as crashed:
            crashed.bind(str(tmp_path / "control.sock"))
    with pytest.raises(ConfigurationError, match=r"No gateway answers at .*control\.sock"):
        ask(tmp_path, "feed", animal="goat")
