"""A trial of everything that is set up for one partner, AS2 rehearsed: `edi-gateway partner check`.

The check runs as a process of its own, started by the daemon: it works with our private keys, which
threads of the daemon should not; it makes keys, which holds an interpreter up; and a process can be
ended when it takes too long. It sees what the daemon sees: its files, its folders, its user. One
runs at a time.
"""

# ruff: noqa: N802 (the names of ProcessProtocol's methods are Twisted's)

from __future__ import annotations

import contextlib
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from twisted.internet import defer
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

import gateway
from gateway.model.verdict import Language
from gateway.service.control import CommandRefused, Handler

SECONDS: Final = 90.0
"""How long a trial may take: some two seconds are usual, but for servers that do not answer."""
MOST_BYTES: Final = 1 << 20
_HERE: Final = str(Path(gateway.__file__).resolve().parent.parent)


class TryPartner(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of `partner.try`.

    `language`: the one its steps are told in. `connect`: its own servers are reached as well.
    """

    partner: str
    language: Language = Language.EN
    connect: bool = False


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was tried: a line of `partner check --json`.

    `result`: ok, notice, skipped or fault. Of the last and of a notice, `what` is wrong, in which
    `file` and `key`, and the `remedy`; of the others there is a `detail`.
    """

    check: str
    subject: str = ""
    result: str
    detail: str = ""
    file: str = ""
    key: str = ""
    what: str = ""
    remedy: str = ""


class PartnerTrial:
    """Answers `partner.try`.

    `command` is the one that checks, to which language and name are added; `partners`, those there
    are.
    """

    def __init__(
        self,
        reactor: Any,
        command: Sequence[str],
        *,
        partners: Container[str],
        log: Any,
        seconds: float = SECONDS,
    ) -> None:
        self._reactor = reactor
        self._command = tuple(command)
        self._partners = partners
        self._log = log
        self._seconds = seconds
        self._running = False

    def handlers(self) -> Mapping[str, Handler]:
        """Commands by name."""
        return {"partner.try": self.attempt}

    async def attempt(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """What was tried, in order: `{"partner", "faults", "notices", "steps"}`.

        Raises `CommandRefused` when there is no such partner, when another trial runs, and when
        this one came to no end.
        """
        wanted = msgspec.convert(arguments, TryPartner)
        if wanted.partner not in self._partners:
            raise CommandRefused(
                f'There is no partner "{wanted.partner}".', remedy="See: edi-gateway partner list"
            )
        if self._running:
            raise CommandRefused(
                "A partner is being tried already.", remedy="Wait a moment, and try again."
            )
        self._running = True
        try:
            steps = await self._steps(wanted)
        finally:
            self._running = False
        results = [step.result for step in steps]
        faults, notices = results.count("fault"), results.count("notice")
        self._log.info("partner_tried", partner=wanted.partner, faults=faults, notices=notices)
        return {
            "partner": wanted.partner,
            "faults": faults,
            "notices": notices,
            "steps": msgspec.to_builtins(steps),
        }

    async def _steps(self, wanted: TryPartner) -> list[Step]:
        partner = wanted.partner
        ended: defer.Deferred[_Process] = defer.Deferred()
        process = _Process(ended.callback)
        further = ["--connect"] if wanted.connect else []
        command = [*self._command, "--lang", wanted.language.value, *further, partner]
        try:
            self._reactor.spawnProcess(process, command[0], command, env=None, path=_HERE)
        except OSError as error:
            raise _broken(partner, str(error)) from error
        timer = self._reactor.callLater(self._seconds, process.end)
        try:
            await ended
        except defer.CancelledError:
            process.end()
            raise
        finally:
            if timer.active():
                timer.cancel()
        if process.ended_by_us:
            raise CommandRefused(
                f"The trial of {partner} came to no end within {self._seconds:g} s.",
                remedy=f"Run it yourself, to see where it stands: edi-gateway partner check"
                f" {partner}",
            )
        try:
            lines = [msgspec.json.decode(line, type=Step) for line in process.output.splitlines()]
        except (msgspec.DecodeError, UnicodeDecodeError):
            lines = []
        # The last line sums up; without it the check broke off, and is no check that passed.
        if not lines or lines[-1].check != "summary":
            raise _broken(partner, process.last_words)
        return lines[:-1]


class _Process(ProcessProtocol):
    """The check, while it runs."""

    transport: Any

    def __init__(self, ended: Callable[[_Process], None]) -> None:
        self._ended = ended
        self._errors = b""
        self.output = b""
        self.ended_by_us = False

    @property
    def last_words(self) -> str:
        """The end of what it wrote on standard error."""
        return " ".join(self._errors.decode("utf-8", "replace").split())[-500:]

    def connectionMade(self) -> None:
        """It runs, and is told nothing."""
        self.transport.closeStdin()

    def outReceived(self, data: bytes) -> None:
        """Lines of its answer."""
        self.output += data
        if len(self.output) > MOST_BYTES:
            self.end()

    def errReceived(self, data: bytes) -> None:
        """What it says beside: kept to its end."""
        self._errors = (self._errors + data)[-4000:]

    def processEnded(self, reason: Failure) -> None:
        """It is gone and reaped."""
        self._ended(self)

    def end(self) -> None:
        """It takes too long, or says too much."""
        self.ended_by_us = True
        with contextlib.suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")


def _broken(partner: str, why: str) -> CommandRefused:
    return CommandRefused(
        f"The trial of {partner} broke off: {why or 'it said nothing'}",
        remedy=f"Run it yourself: edi-gateway partner check {partner}",
    )
