"""Each alert is told once when it begins and once when it is over, whoever is away or restarted."""

from __future__ import annotations

import datetime as dt
import random
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from msgspec.structs import replace
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet import defer, reactor, task

from gateway.config.alert_settings import Alerts
from gateway.errors import DeliveryFailed, DeliveryRefused
from gateway.model.verdict import Language
from gateway.service.alerting.facts import Facts
from gateway.service.alerting.messages import AlertMessage, mail_of, subject_line, text_of
from gateway.service.alerting.telling import GIVEN_UP_AFTER, REFUSED_GIVEN_UP_AFTER, Teller
from gateway.service.alerting.watch import MOST_TOLD, AlertWatch
from gateway.service.delivery_watch import Deliveries
from gateway.service.journal import Journal, alert_records
from gateway.service.journal.standing_records import Overdue
from tests.service.alerting import NOW, circuit, facts, standing
from tests.service.test_outbox import until

CALM = dt.timedelta(minutes=5)


class FakeReceiver:
    """Takes every message, unless it is away; `held`: it takes its time."""

    where = "receiver.test"

    def __init__(self, name: str) -> None:
        self.name = name
        self.got: list[AlertMessage] = []
        self.tries = 0
        self.away = ""
        self.refuses = False
        self.held: defer.Deferred[None] | None = None

    async def send(self, message: AlertMessage) -> None:
        """Take it, or say no."""
        self.tries += 1
        if self.held is not None:
            await self.held
        if self.away:
            raise (DeliveryRefused if self.refuses else DeliveryFailed)(self.away)
        self.got.append(message)

    @property
    def told(self) -> list[tuple[str, str, str]]:
        """What it heard."""
        return [(each.event, each.kind, each.partner or each.subject) for each in self.got]


class Watched:
    """A watch over facts the test gives, with two receivers and a clock the test moves."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.now = NOW
        self.clock = task.Clock()
        self.facts: Facts = facts()
        self.receivers = [FakeReceiver("webhook"), FakeReceiver("mail")]
        self.said = structlog.testing.CapturingLogger()
        self.settings = Alerts()
        self.watch = self.restarted()

    def restarted(self) -> AlertWatch:
        """As after a restart, with nothing in memory."""
        log = structlog.wrap_logger(self.said, processors=[])
        self.tellers = [
            Teller(
                self.clock,
                receiver,
                journal=self.journal,
                log=log,
                rng=random.Random(1),
                now=lambda: self.now,
            )
            for receiver in self.receivers
        ]
        self.watch = AlertWatch(
            self.clock,
            journal=self.journal,
            settings=lambda: self.settings,
            gateway="gw",
            facts=lambda: self.facts,
            tellers=self.tellers,
            log=log,
            now=lambda: self.now,
        )
        return self.watch

    async def look(self, minutes: float = 0.0) -> None:
        """So much later."""
        self.now += dt.timedelta(minutes=minutes)
        await self.watch.look()

    async def unsent(self) -> dict[str, int]:
        """How many messages wait."""
        return await self.journal.read("t", alert_records.unsent_messages)

    async def send(self) -> None:
        """Everything that is due is tried, at once and by itself."""
        for teller in self.tellers:
            await self._try_all(teller)

    async def _try_all(self, teller: Teller) -> None:
        while await teller._next() == 0.0:
            pass

    def events(self, *names: str) -> list[dict[str, Any]]:
        """These lines of the log."""
        return [call.kwargs for call in self.said.calls if call.kwargs["event"] in names]


@async_yield_fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    """On a journal of its own."""
    journal = Journal(reactor, tmp_path / "journal.sqlite")
    await journal.open()
    made = Watched(journal)
    yield made
    await made.watch.stop()
    await journal.close()


def broker_away(error: str = "Connection refused.") -> Facts:
    """For ten minutes."""
    return facts(deliveries=Deliveries(away=(circuit("broker", minutes=10, error=error),)))


@ensureDeferred
async def test_once_when_it_begins_and_once_when_it_is_over(watched: Watched) -> None:
    """However often one looks in between; both messages have the alert in common."""
    await watched.look()
    watched.facts = broker_away()
    for _ in range(3):
        await watched.look(1)
    watched.facts = facts()
    for _ in range(4):
        await watched.look(4)
    await watched.send()
    for receiver in watched.receivers:
        assert receiver.told == [("began", "outage", "broker"), ("over", "outage", "broker")]
        began, over = receiver.got
        assert began.alert == over.alert
        assert began.id != over.id
        assert (began.gateway, began.severity) == ("gw", "critical")
        assert began.since == over.since == NOW - dt.timedelta(minutes=10)
        assert began.at == NOW + dt.timedelta(minutes=1)
        assert over.at == NOW + dt.timedelta(minutes=15)
        assert (began.lasted_seconds, over.lasted_seconds) == (None, 25 * 60)
        assert over.what.startswith("It is over, after 25 min: The broker")
    lines = watched.events("alert_began", "alert_over")
    assert [line["event"] for line in lines] == ["alert_began", "alert_over"]


@ensureDeferred
async def test_what_comes_and_goes_is_one_alert(watched: Watched) -> None:
    """It is over only when it has been gone for calm_minutes in one piece."""
    for number in range(12):
        watched.facts = broker_away() if number % 2 else facts()
        await watched.look(4)
    assert len(watched.events("alert_began")) == 1
    assert watched.events("alert_over") == []
    watched.facts = facts()
    await watched.look(1)
    await watched.look(4.9)
    assert watched.events("alert_over") == []
    await watched.look(0.1)
    assert len(watched.events("alert_over")) == 1


@ensureDeferred
async def test_a_restart_tells_nothing_twice_and_forgets_nothing(watched: Watched) -> None:
    """Whether the message was sent before or not; what was over meanwhile is told afterwards."""
    watched.facts = broker_away()
    await watched.look()
    await watched.send()
    watched.receivers[1].got.clear()
    watched.restarted()
    await watched.look(1)
    await watched.look(1)
    await watched.send()
    assert [receiver.told for receiver in watched.receivers] == [
        [("began", "outage", "broker")],
        [],
    ]
    watched.facts = facts()
    watched.restarted()
    await watched.look(1)
    await watched.look(5)
    await watched.send()
    assert watched.receivers[0].told[1:] == [("over", "outage", "broker")]
    assert watched.watch.on == {}
    watched.facts = broker_away()
    await watched.look()
    await watched.send()
    assert watched.receivers[0].told[2:] == [("began", "outage", "broker")]
    assert len({each.alert for each in watched.receivers[0].got}) == 2


@ensureDeferred
async def test_nothing_is_over_while_nobody_can_know(watched: Watched) -> None:
    """Just after a start the parts have not looked yet: that is no recovery."""
    watched.facts = broker_away()
    await watched.look()
    watched.restarted()
    watched.facts = facts(standing=None, deliveries=None, counted=False)
    for _ in range(5):
        await watched.look(10)
    assert watched.events("alert_over") == []
    watched.facts = broker_away()
    await watched.look()
    assert len(watched.events("alert_began")) == 1


@ensureDeferred
async def test_a_receiver_that_is_away_gets_everything_in_order_later(watched: Watched) -> None:
    """The other one is told at once; pauses grow; the log says it once, and not the message."""
    mail = watched.receivers[1]
    mail.away = "receiver.test answered 503."
    watched.facts = broker_away()
    await watched.look()
    await watched.send()
    assert watched.receivers[0].told == [("began", "outage", "broker")]
    watched.facts = facts()
    await watched.look(1)
    await watched.look(5)
    pauses = []
    for _ in range(9):
        row = await watched.journal.read("t", lambda c: alert_records.next_message(c, "mail"))
        assert row is not None
        assert row.last_error == "receiver.test answered 503."
        pauses.append(max(0.0, (row.next_attempt_at - watched.now).total_seconds()))
        watched.now = max(watched.now, row.next_attempt_at)
        await watched.send()
    assert all(pause <= 900 for pause in pauses)
    assert pauses[-1] > 600
    assert mail.tries == 10
    assert len(watched.events("alert_not_told")) == 1
    mail.away = ""
    watched.now += dt.timedelta(hours=1)
    await watched.send()
    assert mail.told == [("began", "outage", "broker"), ("over", "outage", "broker")]
    assert await watched.unsent() == {}


@ensureDeferred
async def test_a_message_is_given_up_after_a_week(watched: Watched) -> None:
    """And the next one is tried."""
    mail = watched.receivers[1]
    mail.away = "no"
    watched.facts = broker_away()
    await watched.look()
    watched.now += GIVEN_UP_AFTER
    await watched.send()
    assert await watched.unsent() == {}
    (line,) = watched.events("alert_given_up")
    assert line["receiver"] == "mail"
    mail.away, watched.facts = "", facts()
    await watched.look(1)
    await watched.look(6)
    assert await watched.unsent() == {"webhook": 1}  # mail never heard that it began


@ensureDeferred
async def test_a_message_its_receiver_refuses_holds_nobody_up_for_long(watched: Watched) -> None:
    """An hour, in which the receiver may be mended; what is only away has a week."""
    mail = watched.receivers[1]
    mail.away, mail.refuses = "receiver.test answered 413.", True
    watched.facts = broker_away()
    await watched.look()
    watched.now += REFUSED_GIVEN_UP_AFTER - dt.timedelta(minutes=1)
    await watched.send()
    assert (await watched.unsent())["mail"] == 1
    watched.now += dt.timedelta(minutes=20)
    await watched.send()
    assert "mail" not in await watched.unsent()
    (line,) = watched.events("alert_given_up")
    assert line["error"] == "receiver.test answered 413."


@ensureDeferred
async def test_the_loops_send_by_themselves(watched: Watched) -> None:
    """As soon as something began, and after a pause what was not taken; a fault of ours is one."""
    webhook, mail = watched.receivers

    async def broken(_: AlertMessage) -> None:
        raise KeyError("s3cret")

    works, mail.send = mail.send, broken  # type: ignore[method-assign]
    watched.watch.start()
    watched.facts = broker_away()
    watched.clock.advance(30)
    await until(lambda: len(webhook.got) == 1)
    await until(lambda: bool(watched.events("alert_not_told")))
    assert "s3cret" not in str(watched.events("alert_not_told"))
    mail.send = works  # type: ignore[method-assign]
    watched.now += dt.timedelta(minutes=1)
    for _ in range(3):
        watched.clock.advance(30)
        await task.deferLater(reactor, 0.05)
    await until(lambda: len(mail.got) == 1)
    assert len(webhook.got) == 1


@ensureDeferred
async def test_nothing_waits_for_a_receiver_that_hangs(watched: Watched) -> None:
    """One looks on, the journal writes on, and the gateway stops when it is told to."""
    for receiver in watched.receivers:
        receiver.held = defer.Deferred()
    watched.watch.start()
    watched.facts = broker_away()
    await watched.look()
    await until(lambda: all(receiver.tries == 1 for receiver in watched.receivers))
    watched.facts = facts()
    await watched.look(1)
    await watched.look(5)
    assert len(watched.events("alert_over")) == 1
    await watched.watch.stop()
    assert await watched.unsent() == {"webhook": 2, "mail": 2}


@ensureDeferred
async def test_without_receivers_alerts_are_on_the_list(watched: Watched) -> None:
    """And one that is named later is not told of the end of what it never heard begin."""
    receivers, watched.receivers = watched.receivers, []
    watched.restarted()
    watched.facts = broker_away()
    await watched.look()
    assert [row.kind for row in await watched.journal.read("t", alert_records.alerts_on)] == [
        "outage"
    ]
    watched.receivers = receivers
    watched.restarted()
    watched.facts = facts()
    await watched.look(1)
    await watched.look(6)
    assert await watched.unsent() == {}
    assert await watched.journal.read("t", alert_records.alerts_on) == []


@ensureDeferred
async def test_what_waits_for_a_receiver_that_is_gone_waits_no_more(watched: Watched) -> None:
    """It was taken out of the settings: nobody would ever send it, nor call it sent."""
    watched.facts = broken = broker_away()
    await watched.look()
    assert await watched.unsent() == {"webhook": 1, "mail": 1}
    watched.receivers = watched.receivers[:1]
    watched.restarted()
    watched.facts = broken
    await watched.look(1)
    assert await watched.unsent() == {"webhook": 1}
    assert watched.watch.unsent == {"webhook": 1}
    assert [each["receivers"] for each in watched.events("alert_receivers_gone")] == [["mail"]]
    watched.restarted()
    await watched.look(1)
    assert len(watched.events("alert_receivers_gone")) == 1
    await watched.send()
    assert watched.receivers[0].told == [("began", "outage", "broker")]


@ensureDeferred
async def test_a_storm_is_bounded(watched: Watched) -> None:
    """Of hundreds that begin at once so many are told; the last says how many more there are."""
    partners = {f"p{number:03d}": Overdue(1, NOW) for number in range(300)}
    watched.facts = facts(standing=standing(mdns=partners))
    await watched.look()
    assert watched.watch.on is not None
    assert len(watched.watch.on) == 300
    await watched.send()
    webhook = watched.receivers[0]
    assert len(webhook.got) == MOST_TOLD
    assert [each.more for each in webhook.got] == [0] * (MOST_TOLD - 1) + [300 - MOST_TOLD]
    assert "280 other alerts" in text_of(webhook.got[-1], Language.EN)
    watched.facts = facts()
    await watched.look(1)
    await watched.look(5)
    await watched.send()
    assert len(webhook.got) == 2 * MOST_TOLD
    assert {each.alert for each in webhook.got[:MOST_TOLD]} == {
        each.alert for each in webhook.got[MOST_TOLD:]
    }


@ensureDeferred
async def test_a_clock_that_was_set_back_holds_no_message(watched: Watched) -> None:
    """An instant far away, as no pause is, was near when it was written."""
    watched.facts = broker_away()
    await watched.look()
    watched.now -= dt.timedelta(days=30)
    await watched.send()
    assert watched.receivers[0].told == [("began", "outage", "broker")]


@ensureDeferred
async def test_a_look_that_fails_is_tried_again(watched: Watched) -> None:
    """It only watches: nothing else stops with it."""
    watched.watch.start()

    def broken() -> Facts:
        raise KeyError("x")

    watched.watch._facts = broken
    watched.clock.advance(30)
    await until(lambda: bool(watched.events("alert_watch_failed")))
    watched.watch._facts = broker_away
    watched.clock.advance(30)
    await until(lambda: bool(watched.events("alert_began")))


@ensureDeferred
async def test_a_trial_is_told_now(watched: Watched) -> None:
    """To everybody, whatever waits; who did not get it says why, and nothing is kept."""
    watched.receivers[1].away = "receiver.test answered 503."
    said = await watched.watch.trial()
    assert said == [("webhook", ""), ("mail", "receiver.test answered 503.")]
    (message,) = watched.receivers[0].got
    assert (message.event, message.kind, message.severity) == ("test", "test", "info")
    assert await watched.unsent() == {}


@ensureDeferred
async def test_what_is_over_is_kept_for_a_year(watched: Watched) -> None:
    """Then it is forgotten, with what was sent of it."""
    watched.facts = broker_away()
    await watched.look()
    watched.facts = facts()
    await watched.look(1)
    await watched.look(6)
    assert len(await watched.journal.read("t", lambda c: alert_records.newest_alerts(c, 9))) == 1
    watched.now += dt.timedelta(days=500)
    watched.facts = broker_away()
    await watched.look()
    watched.facts = facts()
    await watched.look(1)
    await watched.look(6)
    newest = await watched.journal.read("t", lambda c: alert_records.newest_alerts(c, 9))
    assert len(newest) == 1
    assert newest[0].began_at > NOW + dt.timedelta(days=400)


@pytest.mark.parametrize("language", list(Language))
@ensureDeferred
async def test_words_for_people(watched: Watched, language: Language) -> None:
    """What, since when, what to do; who it is in the subject; nothing to click on or to obey."""
    watched.settings = replace(Alerts(), language=language.value)
    watched.restarted()
    watched.facts = broker_away("see http://mq.example/\r\nBcc: evil@example.com \x1b[31m")
    await watched.look()
    await watched.send()
    message = watched.receivers[0].got[0]
    heads = {Language.EN: "ALERT: no answer", Language.FR: "ALERTE: pas de réponse"}
    assert subject_line(message, language) == f"[gw] {heads[language]} (broker)"
    text = text_of(message, language)
    assert "mq.example" in text
    assert "://" not in text
    assert "\x1b" not in text
    assert "2026-03-01 11:50 UTC" in text
    mail = mail_of(message, language, sender="a@example.com", recipients=("b@example.com",))
    assert b"\nBcc" not in mail
    assert b"\r" not in mail
    assert max(map(len, mail.splitlines())) < 200


def test_the_page_shows_what_is_sent() -> None:
    """docs/alerts.md: an example with every field, in the order they are written, and all kinds."""
    page = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text()
    example = page.split("```json\n")[1].split("```")[0]
    decoded = msgspec.json.decode(example, type=AlertMessage)
    assert msgspec.json.decode(msgspec.json.encode(decoded)) == msgspec.json.decode(example)
    fields = [
        name
        for line in re.findall(r"^\| (`.*?) \|", page.split("## The JSON")[1], re.M)
        for name in re.findall(r"`(\w+)`", line)
    ]
    assert fields == list(AlertMessage.__struct_fields__)
    assert list(msgspec.json.decode(example)) == list(AlertMessage.__struct_fields__)


def test_the_schema_does_not_change_by_accident() -> None:
    """What receivers read: field by field, with its type."""
    schema = msgspec.json.schema(AlertMessage)["$defs"]["AlertMessage"]
    kinds = {
        name: each.get("type") or each.get("enum") or each.get("anyOf")
        for name, each in schema["properties"].items()
    }
    text = "string"
    assert kinds == {
        **dict.fromkeys(("id", "alert", "kind", "gateway", "subject", "partner"), text),
        **dict.fromkeys(("since", "at", "title", "what", "remedy"), text),
        "event": ["began", "over", "test"],
        "severity": ["critical", "info", "warning"],
        "version": "integer",
        "more": "integer",
        "lasted_seconds": [{"type": "integer"}, {"type": "null"}],
    }


@ensureDeferred
async def test_thresholds_may_change_meanwhile(watched: Watched) -> None:
    """A reload is enough: the next look goes by them."""
    watched.facts = broker_away()
    watched.settings = replace(Alerts(), outage_minutes=0)
    await watched.look()
    assert watched.events("alert_began") == []
    watched.settings = Alerts(calm_minutes=0)
    await watched.look()
    assert len(watched.events("alert_began")) == 1
    watched.settings = Alerts(calm_minutes=0, outage_minutes=600)
    await watched.look()
    assert len(watched.events("alert_over")) == 1
