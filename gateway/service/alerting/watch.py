"""Looks at how everything stands, and has what begins and what is over told: each of it once.

What is on is in the journal, written in one transaction with the messages about it: a restart tells
nothing twice and forgets nothing. An alert ends when its condition has been gone for a while, so
that what comes and goes is one alert and not fifty.
"""

from __future__ import annotations

import datetime as dt
import os
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from gateway.config.alert_settings import Alerts
from gateway.model.interchange import new_interchange_id
from gateway.model.verdict import Language
from gateway.service.alerting.conditions import Condition, Key, conditions, unknown
from gateway.service.alerting.facts import Facts
from gateway.service.alerting.kinds import SEVERITIES, AlertKind
from gateway.service.alerting.messages import AlertMessage, Event, over_words, title_of
from gateway.service.alerting.telling import Teller
from gateway.service.journal import Journal, alert_records
from gateway.service.journal.alert_records import AlertRow, ToldRow
from gateway.service.looking import Looking

SECONDS: Final = 30.0
_KINDS: Final = frozenset(kind.value for kind in AlertKind)
MOST_TOLD: Final = 20
"""Alerts of one look that have messages of their own: when all partners are away, one cause has
made hundreds. The others are on all the same, and the last message says how many they are."""


class AlertWatch:
    """`on` is what needs somebody now.

    `settings` gives the thresholds in force, asked for at each look. `gateway`: what this one is
    called in messages.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        journal: Journal,
        settings: Callable[[], Alerts],
        gateway: str,
        facts: Callable[[], Facts],
        tellers: Sequence[Teller],
        log: Any,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._journal = journal
        self._settings = settings
        self._gateway = gateway
        self._language = Language(settings().language)
        self._facts = facts
        self._tellers = tellers
        self._log = log
        self._now = now
        self.on: dict[Key, AlertRow] | None = None
        """None until the journal was asked."""
        self.unsent: dict[str, int] = {}
        self._gone: dict[Key, dt.datetime] = {}
        """Conditions that hold no more, of alerts that are on still."""
        self._looking = Looking(reactor, self.look, failed="alert_watch_failed", log=log)

    def start(self) -> None:
        """Look twice a minute, first when everybody else has looked once."""
        for teller in self._tellers:
            teller.start()
        self._looking.start(SECONDS, now=False)

    async def stop(self) -> None:
        """Look no more, tell no more; what is to be told waits for the next start."""
        await self._looking.stop()
        for teller in self._tellers:
            await teller.stop()

    async def look(self) -> None:
        """Look now, and write what began and what is over."""
        now, facts = self._now(), self._facts()
        if self.on is None:
            await self._give_up_others(now)
            self.on = await self._journal.read("alerts", _on)
        found = {each.key: each for each in conditions(facts, self._settings(), now)}
        began = [self._row(each, now) for key, each in found.items() if key not in self.on]
        over = self._over(found, facts, now)
        if began or over:
            await self._journal.write("alerts", lambda conn: self._write(conn, began, over, now))
            self.on = await self._journal.read("alerts", _on)
            self._say(began, over, now)
            for teller in self._tellers:
                teller.wake()
        self.unsent = await self._journal.read("alerts_unsent", alert_records.unsent_messages)

    async def trial(self) -> list[tuple[str, str]]:
        """A message to every receiver, now: its name, and "" or why it did not arrive."""
        now = self._now()
        number = str(uuid.uuid4())
        french = self._language is Language.FR
        message = AlertMessage(
            id=number,
            event="test",
            alert=number,
            kind="test",
            severity="info",
            gateway=self._gateway,
            subject="",
            partner="",
            since=now,
            at=now,
            title=title_of("test", self._language),
            what="Ceci est un essai ; tout va bien."
            if french
            else "This is a test; nothing is wrong.",
            remedy="Rien." if french else "Nothing.",
        )
        return [(teller.name, await teller.now_or_never(message)) for teller in self._tellers]

    # ---- inside

    async def _give_up_others(self, now: dt.datetime) -> None:
        """What waits for a receiver that is not there any more would wait for ever."""
        names = {teller.name for teller in self._tellers}
        waiting = await self._journal.read("alerts_unsent", alert_records.unsent_messages)
        if set(waiting) <= names:
            return
        number = await self._journal.write(
            "alerts_unsent", lambda conn: alert_records.close_of_others(conn, names, now)
        )
        gone = sorted(set(waiting) - names)
        self._log.warning("alert_receivers_gone", receivers=gone, messages=number)

    def _over(self, found: dict[Key, Condition], facts: Facts, now: dt.datetime) -> list[AlertRow]:
        """Alerts whose condition has been gone for long enough."""
        over = []
        calm = dt.timedelta(minutes=self._settings().calm_minutes)
        for key, row in (self.on or {}).items():
            if key in found or unknown(key, facts):
                self._gone.pop(key, None)
            elif now - self._gone.setdefault(key, now) >= calm:
                over.append(row)
                del self._gone[key]
        return over

    def _row(self, condition: Condition, now: dt.datetime) -> AlertRow:
        return AlertRow(
            id=new_interchange_id(int(now.timestamp() * 1000), os.urandom(10)),
            kind=condition.kind.value,
            subject=condition.subject,
            partner=condition.partner,
            since=min(now, condition.since or now),
            began_at=now,
            what_en=condition.what.en,
            what_fr=condition.what.fr,
            remedy_en=condition.remedy.en,
            remedy_fr=condition.remedy.fr,
        )

    def _write(
        self, conn: Connection, began: list[AlertRow], over: list[AlertRow], now: dt.datetime
    ) -> None:
        messages: list[ToldRow] = []
        everybody = [teller.name for teller in self._tellers]
        for number, row in enumerate(began):
            alert_records.begin_alert(conn, row)
            if number < MOST_TOLD:
                last = number == MOST_TOLD - 1
                more = len(began) - MOST_TOLD if last else 0
                messages += self._told(row, "began", everybody, now, max(0, more))
        for row in over:
            told = alert_records.end_alert(conn, row.id, now)
            messages += self._told(row, "over", [each for each in everybody if each in told], now)
        alert_records.add_messages(conn, messages)

    def _told(
        self, row: AlertRow, event: Event, receivers: Iterable[str], now: dt.datetime, more: int = 0
    ) -> list[ToldRow]:
        body = msgspec.json.encode(self._message(row, event, now, more))
        return [
            ToldRow(
                alert_id=row.id,
                about=event,
                receiver=receiver,
                body=body,
                created_at=now,
                next_attempt_at=now,
            )
            for receiver in receivers
        ]

    def _message(self, row: AlertRow, event: Event, now: dt.datetime, more: int) -> AlertMessage:
        french = self._language is Language.FR
        what = row.what_fr if french else row.what_en
        remedy = row.remedy_fr if french else row.remedy_en
        lasted: int | None = None
        if event == "over":
            lasted = max(0, int((now - row.since).total_seconds()))
            what, remedy = over_words(what, now - row.since, self._language)
        return AlertMessage(
            id=str(uuid.uuid5(uuid.UUID(row.id), event)),
            event=event,
            alert=row.id,
            kind=row.kind,
            severity=SEVERITIES[AlertKind(row.kind)],
            gateway=self._gateway,
            subject=row.subject,
            partner=row.partner,
            since=row.since,
            at=now,
            lasted_seconds=lasted,
            more=more,
            title=title_of(row.kind, self._language),
            what=what,
            remedy=remedy,
        )

    def _say(self, began: list[AlertRow], over: list[AlertRow], now: dt.datetime) -> None:
        for row in began:
            self._log.warning(
                "alert_began",
                **_about(row),
                what=row.what_en,
                remedy=row.remedy_en,
            )
        for row in over:
            lasted = int((now - row.since).total_seconds())
            self._log.info("alert_over", **_about(row), lasted_seconds=lasted)


def _about(row: AlertRow) -> dict[str, Any]:
    about = {"alert": row.id, "kind": row.kind, "subject": row.subject or None}
    return {**about, "partner": row.partner or None}


def _on(conn: Connection) -> dict[Key, AlertRow]:
    return {
        (AlertKind(row.kind), row.subject, row.partner): row
        for row in alert_records.alerts_on(conn)
        if row.kind in _KINDS  # a newer version may have left one of its own
    }
