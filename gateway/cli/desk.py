"""Who does what a command asks: the running daemon, or, while none runs, this process itself."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gateway.cli.control_client import ask
from gateway.cli.operator import operator_uid
from gateway.errors import StateInUse
from gateway.service.audit import Audit, Who
from gateway.service.control import Handler
from gateway.service.journal.direct import DirectJournal, at_once

SECONDS = 3600.0
"""How long an answer may take: an archive of 10,000 documents is purged in many pages."""


class Desk:
    """Answers commands. `direct` is the journal while no daemon runs, else None."""

    def __init__(
        self,
        state: Path,
        handlers: Mapping[str, Handler],
        direct: DirectJournal | None,
        tells: str,
    ) -> None:
        self._state = state
        self._handlers = handlers
        self._tells = tells
        self.direct = direct

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """What is answered. Raises what the command line shows people."""
        if self.direct is None:
            return ask(self._state, command, tells=self._tells, seconds=SECONDS, **arguments)
        who = Who(name=operator_uid(), via="direct")
        handler = self._handlers[command]
        done = Audit(self.direct).carry_out(who, command, arguments, handler)
        return {"ok": True, **at_once(done)}


@contextlib.contextmanager
def open_desk(
    state: Path, build: Callable[[DirectJournal], Mapping[str, Handler]], *, tells: str
) -> Iterator[Desk]:
    """The daemon of this state directory, or its lock and its journal for as long as this lasts.

    `build` makes the handlers the daemon would have, on the journal; `tells`: where else to see
    what was done.
    """
    with contextlib.ExitStack() as stack:
        direct: DirectJournal | None = None
        try:
            direct = stack.enter_context(DirectJournal(state / "journal.sqlite"))
        except StateInUse:
            yield Desk(state, {}, None, tells)
            return
        yield Desk(state, build(direct), direct, tells)
