"""The control socket: an operator's commands to the daemon that is running.

A Unix socket in the state directory, for the gateway's own user and for root. One JSON object per
line asks, one answers, in order:

    {"command": "quarantine.release", "interchange": "0197d5a0-…"}
    {"ok": true, "interchange": "0197d5a0-…", "documents": 1}
    {"ok": false, "error": "There is no interchange 0197….", "remedy": "Find it with: …"}

Beside an error that comes of the configuration stand its `faults`. `who`, beside the arguments, is
the name of whoever asks, for the audit; the kernel's word for it stands there as well. What a
command does is its handler's to say; here is only the conversation.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from traceback import format_exception
from typing import Any

import msgspec
from twisted.internet import defer, error, protocol
from twisted.protocols.basic import LineOnlyReceiver
from twisted.protocols.policies import TimeoutMixin

from gateway import faults
from gateway.errors import ConfigurationError, Disposition, GatewayError
from gateway.service.audit import Audit, Who

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""Gets the arguments of a command, gives what its answer holds.

A `GatewayError` or a `msgspec.ValidationError` it raises is what the operator reads.
"""

MAX_LINE = 65_536
IDLE_SECONDS = 60.0
LOOKS = frozenset({"broker-queues"})
"""Commands that only look: nobody has to be asked about them later, so no audit has them."""
MAX_PATH = 107
"""Bytes of a path to a Unix socket: Linux keeps 108, one of them for the final zero."""

_encode = msgspec.json.Encoder().encode
_REPORT = "This is a fault of the gateway: report it with what its log says."


class CommandRefused(GatewayError):
    """A command asks for something that cannot be done."""

    disposition = Disposition.REFUSE


class Control:
    """Listens in `path` and hands each command to the handler of its name.

    With `audit`, each is written down before it is carried out; by `audit.begin` and `audit.end`
    commands that change files themselves are.
    """

    def __init__(
        self,
        reactor: Any,
        path: Path,
        handlers: Mapping[str, Handler],
        *,
        log: Any,
        audit: Audit | None = None,
    ) -> None:
        self._reactor = reactor
        self._path = path
        self._handlers = handlers
        self._log = log
        self._audit = audit
        self._port: Any = None
        self._talks: set[_Talk] = set()

    async def start(self) -> None:
        """Listen. The caller holds the lock of the state directory.

        A socket that a crash left behind is replaced; one that somebody answers on is not. Raises
        `ConfigurationError` when there is no listening in `path`.
        """
        if len(os.fsencode(self._path)) > MAX_PATH:
            raise ConfigurationError(
                f"The path {self._path} is too long for a socket: {len(os.fsencode(self._path))} "
                f"bytes, and the system takes {MAX_PATH}.",
                remedy="Choose a shorter paths.state.",
            )
        factory: Any = protocol.Factory()
        factory.noisy = False
        factory.protocol = partial(_Talk, self)
        try:
            _clear(self._path)
            # Listening begins only after the mode is set, so nobody else ever gets in.
            self._port = self._reactor.listenUNIX(str(self._path), factory, mode=0o600)
        except (OSError, error.CannotListenError) as failure:
            raise ConfigurationError(
                f"The control socket {self._path} cannot be opened: "
                f"{getattr(failure, 'socketError', failure)}.",
                remedy="Make paths.state writable for the user the gateway runs as.",
            ) from failure

    async def stop(self, grace: float = 5.0) -> None:
        """Take no more commands, and answer those that run, for at most `grace` seconds."""
        port, self._port = self._port, None
        if port is not None:
            # Twisted removes the socket as it closes it, and never ends when there is none.
            with contextlib.suppress(FileExistsError):
                self._path.touch(exist_ok=False)
            await port.stopListening()
        talks = [talk.end() for talk in list(self._talks)]
        waiting: defer.Deferred[Any] = defer.DeferredList(talks, consumeErrors=True)
        waiting.addTimeout(grace, self._reactor)
        with contextlib.suppress(defer.TimeoutError):
            await waiting
        for talk in list(self._talks):
            talk.abort()

    async def answer(self, line: bytes, uid: int) -> dict[str, Any]:
        """What to say to one line."""
        try:
            asked = msgspec.json.decode(line, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError) as failure:
            return _refusal(f"That is no JSON object: {failure}.")
        command, who = asked.pop("command", None), asked.pop("who", "")
        by = Who(name=f"{who} (uid {uid})".strip(), via="control")
        noting = self._audit.commands_for(by) if self._audit is not None else {}
        known_to_us = {**self._handlers, **noting}
        handler = known_to_us.get(command) if isinstance(command, str) else None
        if not isinstance(command, str) or handler is None:
            known = ", ".join(sorted(self._handlers))
            return _refusal(f"There is no command {command!r}.", f"There are: {known}.")
        self._log.info("control_command", command=command, uid=uid)
        try:
            if self._audit is None or command in noting or command in LOOKS:
                return {"ok": True, **await handler(asked)}
            return {"ok": True, **await self._audit.carry_out(by, command, asked, handler)}
        except msgspec.ValidationError as failure:
            return _refusal(f"{command}: {failure}.", "Correct the arguments.")
        except ConfigurationError as failure:
            faults = msgspec.to_builtins(failure.faults)
            return {**_refusal(failure.what, failure.remedy), "faults": faults}
        except GatewayError as failure:
            return _refusal(failure.what, failure.remedy)
        except Exception as failure:
            self._log.error(
                "control_failed", command=command, traceback="".join(format_exception(failure))
            )
            return _refusal(f"{command} failed: {failure!r}.", _REPORT)

    def begun(self, talk: _Talk) -> None:
        """A client connected."""
        self._talks.add(talk)

    def ended(self, talk: _Talk) -> None:
        """A client is gone."""
        self._talks.discard(talk)


class _Talk(LineOnlyReceiver, TimeoutMixin):
    """One client."""

    delimiter = b"\n"
    MAX_LENGTH = MAX_LINE
    transport: Any
    setTimeout: Callable[[float | None], None]  # noqa: N815  # Twisted's name

    def __init__(self, control: Control) -> None:
        self._control = control
        self._turn = defer.DeferredLock()
        self._uid = -1
        self._closing = False
        self._gone: defer.Deferred[None] = defer.Deferred()

    def connectionMade(self) -> None:  # noqa: N802  # Twisted's name
        self._control.begun(self)
        self._uid = _peer_uid(self.transport.getHandle())
        if self._uid not in (os.geteuid(), 0):
            self._say(_refusal("Only the user the gateway runs as may control it."))
            self._leave()
        else:
            self.setTimeout(IDLE_SECONDS)

    def lineReceived(self, line: bytes) -> None:  # noqa: N802  # Twisted's name
        if not self._closing:
            self._turn.run(lambda: defer.Deferred.fromCoroutine(self._take(line)))

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: N802  # Twisted's name
        self._say(_refusal(f"A line may have {MAX_LINE} bytes."))
        self._leave()

    def timeoutConnection(self) -> None:  # noqa: N802  # Twisted's name
        self.abort()

    def connectionLost(self, reason: Any = protocol.connectionDone) -> None:  # noqa: N802  # Twisted's name
        self.setTimeout(None)
        self._control.ended(self)
        self._gone.callback(None)

    def end(self) -> defer.Deferred[None]:
        """Take nothing more; fires once what was taken is answered and the client is gone."""
        self._closing = True
        self._turn.run(self._leave)
        return self._gone

    def abort(self) -> None:
        """Hang up."""
        self.transport.abortConnection()

    async def _take(self, line: bytes) -> None:
        self.setTimeout(None)
        self._say(await self._control.answer(line, self._uid))
        if not self._closing:
            self.setTimeout(IDLE_SECONDS)

    def _say(self, answer: dict[str, Any]) -> None:
        with faults.around("control.reply"):
            self.transport.write(_encode(answer) + b"\n")

    def _leave(self) -> None:
        self._closing = True
        self.transport.loseConnection()


def _refusal(what: str, remedy: str = "") -> dict[str, Any]:
    return {"ok": False, "error": what, "remedy": remedy}


def _peer_uid(connected: socket.socket) -> int:
    """Who is at the other end, as the kernel knows it (unix(7), SO_PEERCRED)."""
    ids = struct.Struct("3i")
    packed = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, ids.size)
    return int(ids.unpack(packed)[1])


def _clear(path: Path) -> None:
    """Remove a socket nobody listens on. Raises `OSError` when something else is there."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError("something else than a socket is there")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        except BlockingIOError:
            raise FileExistsError("another process listens there") from None
        else:
            raise FileExistsError("another process listens there")
