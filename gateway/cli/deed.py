"""A command that changes files is written down in the audit, like what the daemon does for people.

Before it is done, and how it ended after: by the daemon that runs, or in the journal while none
does. Where there is no journal yet, there is nothing to write in. One that cannot be written keeps
nobody from mending a configuration, but it is said.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.cli.control_client import ask
from gateway.cli.operator import operator_uid
from gateway.errors import GatewayError, StateInUse
from gateway.service.audit import Audit, Who, how_it_failed, subject_of
from gateway.service.journal.audit_records import Outcome
from gateway.service.journal.direct import DirectJournal, at_once

_SECONDS = 30.0
"""How long a daemon that has much to do may take for its answer."""


class Deed:
    """What is being done: whoever does it says what came of it in `said`.

    `outcome` is another than done when nothing was changed after all.
    """

    def __init__(self) -> None:
        self.said = ""
        self.outcome = Outcome.DONE


@contextlib.contextmanager
def written_down(state: Path, action: str, **on: str) -> Iterator[Deed]:
    """Write down that `action` is done `on` something, in the journal of this state directory."""
    noted = _noted(state, "audit.begin", action=action, subject=subject_of(on))
    number = noted and noted["number"]
    deed = Deed()
    try:
        yield deed
    except BaseException as error:
        outcome, said = how_it_failed(error)
        if deed.said:
            said = f"{said} Before that: {deed.said}"
        if number is not None:
            _noted(state, "audit.end", number=number, outcome=outcome.value, said=said)
        raise
    if number is not None:
        _noted(state, "audit.end", number=number, outcome=deed.outcome.value, said=deed.said)


def _noted(state: Path, command: str, **arguments: Any) -> dict[str, Any] | None:
    """What is answered; None when there is no journal, or it was said that it cannot be written."""
    path = state / "journal.sqlite"
    try:
        if not path.exists():
            return None
        try:
            with DirectJournal(path) as journal:
                who = Who(name=operator_uid(), via="direct")
                return at_once(Audit(journal).commands_for(who)[command](arguments))
        except StateInUse:
            tells = "edi-gateway audit"
            return ask(state, command, tells=tells, seconds=_SECONDS, **arguments)
    except (GatewayError, OSError) as error:
        what = error if isinstance(error, GatewayError) else f"{path}: {error.strerror}."
        print(f"The audit does not tell of this. {what}", file=sys.stderr)
        return None
