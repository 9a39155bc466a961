"""Who did what: every command of a person is written down before it is carried out.

The console, the control socket and commands on a gateway that does not run all go through here;
commands that change files themselves say so by `audit.begin` and `audit.end`. A row that still says
`begun` was cut short: nothing is done that nobody can be asked about.
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
_IGNORED: Final = frozenset({"interchange", "by", "password_hash", "invoices", "rows", "language"})
"""Arguments that are said elsewhere, are nobody's to read, are long, or choose words only."""


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


class _Begin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `audit.begin` is given: what somebody is about to do, and on what."""

    action: str
    subject: str = ""


class _End(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `audit.end` is given: the number that `audit.begin` answered, and how it ended."""

    number: int
    outcome: Outcome
    said: str = ""


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
        deed = self._deed(who, command, subject_of(arguments))
        if isinstance(asked, str):
            deed = msgspec.structs.replace(deed, interchange_id=_short(asked, 100))
        number = await self._write(deed)
        try:
            answer = await handler(dict(arguments))
        except BaseException as error:
            await self.end(number, *how_it_failed(error))
            raise
        await self.end(number, Outcome.DONE, _said(answer))
        return answer

    async def note(self, who: Who, action: str, subject: str = "") -> None:
        """Write down what needs no carrying out, such as a login."""
        deed = self._deed(who, action, subject)
        await self._write(msgspec.structs.replace(deed, outcome=Outcome.DONE, ended_at=deed.at))

    async def begin(self, who: Who, action: str, subject: str = "") -> int:
        """Write down what somebody is about to do elsewhere: its number, for `end`."""
        return await self._write(self._deed(who, action, subject))

    async def end(self, number: int, outcome: Outcome, said: str = "") -> None:
        """How it ended. Raises `GatewayError` when nothing of that number is under way."""
        work = partial(
            audit_records.end,
            id_=number,
            outcome=outcome,
            said=_short(said, MAX_WORDS),
            now=self._now(),
        )
        if not await self._journal.write("audit", work):
            raise GatewayError(
                f"Nothing of number {number} is under way.", remedy="See: edi-gateway audit"
            )

    def commands_for(
        self, who: Who
    ) -> dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]]:
        """`audit.begin` and `audit.end` by `who`, which are not written down themselves."""

        async def begin(asked: dict[str, Any]) -> dict[str, Any]:
            told = msgspec.convert(asked, _Begin)
            return {"number": await self.begin(who, told.action, told.subject)}

        async def end(asked: dict[str, Any]) -> dict[str, Any]:
            told = msgspec.convert(asked, _End)
            await self.end(told.number, told.outcome, told.said)
            return {}

        return {"audit.begin": begin, "audit.end": end}

    def _deed(self, who: Who, action: str, subject: str) -> Deed:
        return Deed(
            at=self._now(),
            by=_short(who.name, 200),
            via=who.via,
            peer=_short(who.peer, 100),
            action=_short(action, 100),
            subject=_short(subject, MAX_WORDS),
        )

    async def _write(self, deed: Deed) -> int:
        return await self._journal.write("audit", lambda conn: audit_records.begin(conn, deed))


def how_it_failed(error: BaseException) -> tuple[Outcome, str]:
    """Refused or failed, and the words for it."""
    refused = isinstance(error, GatewayError | msgspec.ValidationError)
    words = error.what if isinstance(error, GatewayError) else str(error) or repr(error)
    return Outcome.REFUSED if refused else Outcome.FAILED, words


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
