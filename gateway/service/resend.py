"""An operator's `resend`: something said before is sent once more, without judging again.

The same bytes under the same message id: whoever has it already recognises it. Works for what was
delivered, for what waits (it is tried at once) and for what is dead. A hold still holds.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_args

import msgspec
from sqlalchemy import Connection

from gateway.model.interchange import Interchange
from gateway.model.partner import Partner
from gateway.service.control import CommandRefused, Handler
from gateway.service.holds import Who
from gateway.service.journal import Journal, delivery_records, records
from gateway.service.journal.delivery_records import Intervention
from gateway.service.journal.resend_records import (
    dead_messages,
    for_the_portal,
    messages_said,
)
from gateway.service.payloads_gone import refuse_purged
from gateway.service.portal import add_missing_ways, portal_among

AT_ONCE = 200
"""Dead messages in one transaction: the journal has other work that must not wait long."""

Kind = Literal["report", "document", "cdar", "mdn"]


class Resend(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of `resend`: the newest of a kind, to whoever was told, or to one of them.

    `every`: what was said before it as well. `message`: this message alone, whatever it is.
    """

    by: Who
    interchange: str
    kind: Kind = "report"
    document: Annotated[int, msgspec.Meta(ge=1)] | None = None
    to: Literal["broker", "partner", "portal"] | None = None
    every: bool = False
    message: str = ""


class Revive(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of `resend.dead`: everything that is dead; "" for any."""

    by: Who
    partner: str = ""
    destination: str = ""


class Resending:
    """Answers an operator's commands; `handlers` is what `Control` wants."""

    def __init__(
        self,
        journal: Journal,
        *,
        outbox_written: Callable[[], None],
        log: Any,
        partners: Mapping[str, Partner] = MappingProxyType({}),
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._journal = journal
        self._partners = partners
        self._outbox_written = outbox_written
        self._log = log
        self._now = now

    def handlers(self) -> Mapping[str, Handler]:
        """Commands by name."""
        return {"resend": self.resend, "resend.dead": self.revive}

    async def resend(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Send again what one interchange caused: `{"interchange", "messages": how many}`."""
        wanted = msgspec.convert(arguments, Resend)
        now = self._now()
        portal = portal_among(self._partners)
        number: int = await self._journal.write(
            "resend", lambda conn: _resend(conn, wanted, portal, now)
        )
        self._log.info(
            "resent",
            interchange=wanted.interchange,
            kind=wanted.kind,
            document=wanted.document,
            to=wanted.to,
            message=wanted.message or None,
            messages=number,
            by=wanted.by,
        )
        self._outbox_written()
        return {"interchange": wanted.interchange, "messages": number}

    async def revive(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Send again what is dead: `{"messages": how many}`."""
        wanted = msgspec.convert(arguments, Revive)
        number = 0
        while True:
            revive = partial(_revive, wanted=wanted, now=self._now())
            revived = await self._journal.write("resend_dead", revive)
            number += revived
            if revived < AT_ONCE:
                break
        if number:
            self._log.info(
                "dead_revived",
                messages=number,
                partner=wanted.partner or None,
                destination=wanted.destination or None,
                by=wanted.by,
            )
            self._outbox_written()
        return {"messages": number}


def _resend(conn: Connection, wanted: Resend, portal: Partner | None, now: dt.datetime) -> int:
    row = records.interchange(conn, wanted.interchange)
    if row is None:
        raise CommandRefused(
            f"There is no interchange {wanted.interchange}.",
            remedy="Find it with: edi-gateway interchanges --search TEXT",
        )
    refuse_purged(conn, row.id, "sent again")
    ids = (
        _the_one(conn, wanted)
        if wanted.message
        else _those(conn, wanted, row.interchange(), portal, now)
    )
    if not ids:
        raise CommandRefused(
            f"Interchange {row.id} ({row.state}) has sent no {_subject(wanted)}.",
            remedy=f"What it sent, tells: edi-gateway show {row.id}",
        )
    records.once_more(conn, ids, now)
    _note(conn, [row.id], _subject(wanted), wanted.by, now)
    return len(ids)


def _the_one(conn: Connection, wanted: Resend) -> list[int]:
    """The message that is named, if it is of this interchange and may be said again."""
    row = records.outbox_named(conn, wanted.message)
    if row is None or row.interchange_id != wanted.interchange or row.kind not in get_args(Kind):
        return []
    return [row.id]


def _those(
    conn: Connection,
    wanted: Resend,
    interchange: Interchange,
    portal: Partner | None,
    now: dt.datetime,
) -> list[int]:
    """All that is meant; what the portal has by no channel of its own yet, gets its ways now."""
    find = partial(
        messages_said,
        conn,
        interchange.id,
        wanted.kind,
        ordinal=wanted.document,
        every=wanted.every,
        broker=records.BROKER,
    )
    if wanted.kind == "cdar" and wanted.to in (None, "portal") and portal is not None:
        published = for_the_portal(conn, find(audience="broker"))
        add_missing_ways(conn, interchange, published, portal, now)
    return find(audience=wanted.to)


def _revive(conn: Connection, wanted: Revive, now: dt.datetime) -> int:
    dead = dead_messages(
        conn, partner=wanted.partner, destination=wanted.destination, limit=AT_ONCE
    )
    records.once_more(conn, [id_ for id_, _ in dead], now)
    _note(
        conn, dict.fromkeys(interchange for _, interchange in dead), "what was dead", wanted.by, now
    )
    return len(dead)


def _subject(wanted: Resend) -> str:
    if wanted.message:
        return f"message {wanted.message}"
    words: list[str] = [f"{wanted.kind}, every one," if wanted.every else wanted.kind]
    if wanted.document is not None:
        words.append(f"of document {wanted.document}")
    if wanted.to is not None:
        words.append(f"to the {wanted.to}")
    return " ".join(words)


def _note(
    conn: Connection, interchanges: Iterable[str], subject: str, by: str, now: dt.datetime
) -> None:
    for id_ in interchanges:
        done = Intervention(
            at=now, action="resend", by=by, subject=subject, reason="", interchange_id=id_
        )
        delivery_records.add_intervention(conn, done)
