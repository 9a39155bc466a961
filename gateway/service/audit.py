"""Who did what: every command of a person is written down before it is carried out.

The console, the control socket and commands on a gateway that does not run all go through here. A
row that still says `begun` was cut short: nothing is done that nobody can be asked about.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final, Protocol, TypeVar

import msgspec
import sqlalchemy as sa

from gateway.errors import GatewayError
from gateway.service.journal import audit_records
from gateway.service.journal.audit_records import Deed, Outcome

T = TypeVar("T")

MAX_WORDS: Final = 500
_IGNORED: Final = frozenset({"interchange", "by", "password_hash", "invoices", "rows"})
"""Arguments that are said elsewhere, are nobody's to read, or are long."""


class Writer(Protocol):
    """What can write the journal: the daemon's, or a command's own."""

    async def write(self, name: str, work: Callable[[sa.Connection], T]) -> T:
        """Run `work` in a transaction."""
        ...


class Who(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody at one of the doors: `console`, `control` or `direct`."""

    name: str
    via: str
    peer: str = ""


class Audit:
    """Writes down what people do, in `journal`."""

    def __init__(
        self,
        journal: Writer,
        *,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._journal = journal
        self._now = now

    async def carry_out(
        self,
        who: Who,
        command: str,
        arguments: Mapping[str, Any],
        handler: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]],
    ) -> dict[str, Any]:
        """What the handler answers. What it raises is written down, and goes on."""
        asked = arguments.get("interchange")
        deed = Deed(
            at=self._now(),
            by=_short(who.name, 200),
            via=who.via,
            peer=_short(who.peer, 100),
            action=command,
            subject=_short(subject_of(arguments), MAX_WORDS),
            interchange_id=_short(asked, 100) if isinstance(asked, str) else None,
        )
        number = await self._journal.write("audit", lambda conn: audit_records.begin(conn, deed))
        try:
            answer = await handler(dict(arguments))
        except BaseException as error:
            refused = isinstance(error, GatewayError | msgspec.ValidationError)
            outcome = Outcome.REFUSED if refused else Outcome.FAILED
            words = error.what if isinstance(error, GatewayError) else str(error) or repr(error)
            await self._end(number, outcome, words)
            raise
        await self._end(number, Outcome.DONE, _said(answer))
        return answer

    async def note(self, who: Who, action: str, subject: str = "") -> None:
        """Write down what needs no carrying out, such as a login."""
        now = self._now()
        deed = Deed(
            at=now,
            by=_short(who.name, 200),
            via=who.via,
            peer=_short(who.peer, 100),
            action=action,
            subject=_short(subject, MAX_WORDS),
            outcome=Outcome.DONE,
            ended_at=now,
        )
        await self._journal.write("audit", lambda conn: audit_records.begin(conn, deed))

    async def _end(self, number: int, outcome: Outcome, said: str) -> None:
        work = partial(
            audit_records.end,
            id_=number,
            outcome=outcome,
            said=_short(said, MAX_WORDS),
            now=self._now(),
        )
        await self._journal.write("audit", work)


def subject_of(arguments: Mapping[str, Any]) -> str:
    """On what, in words: `partner acme, reason their server is down`."""
    named = [
        f"{key} {value}"
        for key, value in arguments.items()
        if key not in _IGNORED and isinstance(value, str | int) and value not in ("", False)
    ]
    asked = arguments.get("interchange")
    return ", ".join([*([f"interchange {asked}"] if isinstance(asked, str) else []), *named])


def _said(answer: Mapping[str, Any]) -> str:
    """The numbers and short words of an answer."""
    return ", ".join(
        f"{key} {value}"
        for key, value in answer.items()
        if key != "interchange" and isinstance(value, str | int) and len(str(value)) <= 100
    )


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
