"""The alerts page: what is on, who was told, what is over, what could not be told, who is told."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from pytest_twisted import ensureDeferred

from gateway.config.alert_settings import Alerts, Mail, Webhook
from gateway.model.verdict import Language
from gateway.service.console.users import Role
from gateway.service.journal import alert_records
from gateway.service.journal.alert_records import AlertRow, ToldRow
from gateway.service.journal.audit_records import deeds
from tests.service.console.rig import ConsoleRig, console_rig

AWAY = "acme <b>does</b> not answer by as2."
TELLS = Alerts(
    webhook=Webhook(url="https://hooks.example.com/T0/very-secret", token_file="/etc/token"),
    mail=Mail(
        host="smtp.example.com",
        username="edi",
        password_file="/etc/smtp.password",
        sender="edi@example.com",
        recipients=("team@example.com",),
    ),
)


def alert(id_: str, kind: str, now: dt.datetime, **changed: Any) -> AlertRow:
    """One that began an hour ago."""
    fields: dict[str, Any] = {
        "subject": "as2",
        "partner": "acme",
        "since": now - dt.timedelta(hours=1),
        "began_at": now - dt.timedelta(minutes=55),
        "what_en": AWAY,
        "what_fr": "acme ne répond pas par as2.",
        "remedy_en": "Ask the partner.",
        "remedy_fr": "Demandez au partenaire.",
    }
    return AlertRow(id=id_, kind=kind, **{**fields, **changed})


def message(alert_id: str, receiver: str, now: dt.datetime, about: str) -> ToldRow:
    """One that is to be sent."""
    return ToldRow(
        alert_id=alert_id,
        about=about,
        receiver=receiver,
        body=b"{}",
        created_at=now - dt.timedelta(minutes=55),
        next_attempt_at=now,
    )


async def alerts(rig: ConsoleRig) -> None:
    """One is on: the webhook got it, mail did not. One is over: its end was given up by mail."""
    now = dt.datetime.now(dt.UTC)

    def write(conn: Any) -> None:
        alert_records.begin_alert(conn, alert("a1", "outage", now))
        over = alert("a2", "disk", now, subject="", partner="", what_en="9 MB are free.")
        alert_records.begin_alert(conn, over)
        alert_records.end_alert(conn, "a2", now - dt.timedelta(minutes=10))
        told = (("a1", "webhook", "began"), ("a1", "mail", "began"), ("a2", "mail", "over"))
        alert_records.add_messages(conn, [message(id_, to, now, about) for id_, to, about in told])
        alert_records.close_message(conn, 1, now)
        again = now + dt.timedelta(minutes=3)
        alert_records.put_off_message(conn, 2, again, "smtp.example.com took no mail: <full>")
        alert_records.close_message(conn, 3, now, "smtp.example.com answered 500")

    await rig.house.journal.write("t", write)


@ensureDeferred
async def test_what_is_on_and_who_was_told(tmp_path: Path) -> None:
    """Since when, what, what to do, who was told; what waits with its reason; what is over."""
    async with console_rig(tmp_path) as rig:
        await alerts(rig)
        reply = await rig.ask("GET", "/console/alerts", login=rig.login(Role.VIEWER))
        assert reply.status == 200
        on, _, rest = reply.text.partition("<h2>Not told yet</h2>")
        waiting, _, over = rest.partition("<h2>Over</h2>")
        assert "no answer" in on
        assert "critical" in on
        assert "acme &lt;b&gt;does&lt;/b&gt; not answer by as2." in on
        assert "1 h ago" not in on  # under two hours it is told in minutes
        assert "60 min ago" in on
        assert "Ask the partner." in on
        assert "webhook <time" in on
        assert "not yet" in on
        assert "smtp.example.com took no mail: &lt;full&gt;" in waiting
        assert "that it began" in waiting
        assert "9 MB are free." not in waiting
        assert "9 MB are free." in over
        assert "50 min" in over
        assert "given up" in over
        assert "smtp.example.com answered 500" in over


@ensureDeferred
async def test_in_french(tmp_path: Path) -> None:
    """The same in the reader's language, in the words of the alert itself."""
    async with console_rig(tmp_path) as rig:
        await alerts(rig)
        login = rig.login(Role.VIEWER)
        login[1].language = Language.FR
        reply = await rig.ask("GET", "/console/alerts", login=login)
        assert "acme ne répond pas par as2." in reply.text
        assert "Demandez au partenaire." in reply.text
        assert "pas de réponse" in reply.text


@ensureDeferred
async def test_the_first_page_counts_them(tmp_path: Path) -> None:
    """A line there leads here, and the number stands beside the menu's entry."""
    async with console_rig(tmp_path) as rig:
        login = rig.login(Role.VIEWER)
        assert "alert is on" not in (await rig.ask("GET", "/console/", login=login)).text
        await alerts(rig)
        first = await rig.ask("GET", "/console/", login=login)
        assert '<a href="/console/alerts">1 alert is on</a>' in first.text
        events = await rig.ask("GET", "/console/events", login=login)
        assert '"alerts":1' in events.text
        own = await rig.ask("GET", "/console/events", login=rig.login(Role.VIEWER, "acme"))
        assert "alerts" not in own.text


@ensureDeferred
async def test_no_secret_is_shown(tmp_path: Path) -> None:
    """Of a webhook its host, of mail whom it reaches; no path of a URL, no user, no file."""
    async with console_rig(tmp_path) as rig:
        rig.alerts = TELLS
        login = rig.login(Role.VIEWER)
        reply = await rig.ask("GET", "/console/alerts", login=login)
        assert "JSON, posted to hooks.example.com" in reply.text
        assert "team@example.com" in reply.text
        for secret in ("very-secret", "T0", "/etc/token", "smtp.password", ">edi<"):
            assert secret not in reply.text
        assert "/console/alerts/test" not in reply.text  # a viewer's page has no button


@ensureDeferred
async def test_an_empty_page_teaches(tmp_path: Path) -> None:
    """What would stand there, what begins an alert, and that nobody is told of it."""
    async with console_rig(tmp_path) as rig:
        rig.alerts = Alerts(depth=0)
        reply = await rig.ask("GET", "/console/alerts", login=rig.login())
        assert "No alert is on, and none was." in reply.text
        assert "Nobody: alerts stand on this page alone." in reply.text
        assert "switched off" in reply.text
        assert "for 60 minutes" in reply.text


@ensureDeferred
async def test_a_trial_of_the_receivers(tmp_path: Path) -> None:
    """By the command, so it stands in the audit; what each answered is shown, failures too."""
    async with console_rig(tmp_path) as rig:
        rig.alerts = TELLS
        rig.alert_trial = [
            {"receiver": "webhook", "error": ""},
            {"receiver": "mail", "error": "smtp.example.com <is> away"},
        ]
        viewer = await rig.ask("POST", "/console/alerts/test", login=rig.login(Role.VIEWER))
        assert viewer.status == 403
        login = rig.login(Role.OPERATOR, user="ada")
        bare = await rig.ask("POST", "/console/alerts/test", login=login, token=False)
        assert bare.status == 403
        assert await rig.house.journal.read("t", lambda conn: deeds(conn, limit=9)) == []
        page = await rig.ask("GET", "/console/alerts", login=login)
        assert 'action="/console/alerts/test"' in page.text
        reply = await rig.ask("POST", "/console/alerts/test", login=login)
        assert reply.status == 200
        assert "webhook: it arrived." in reply.text
        assert "mail: smtp.example.com &lt;is&gt; away" in reply.text
        (deed,) = await rig.house.journal.read("t", lambda conn: deeds(conn, limit=9))
        assert (deed.by, deed.action) == ("ada", "alerts-test")


@ensureDeferred
async def test_not_for_a_partners_own_login(tmp_path: Path) -> None:
    """It has no such page, whatever its role, and nothing in its menu."""
    async with console_rig(tmp_path) as rig:
        await alerts(rig)
        login = rig.login(Role.OPERATOR, "acme")
        reply = await rig.ask("GET", "/console/alerts", login=login)
        assert reply.status == 403
        assert "does" not in reply.text
        assert (await rig.ask("POST", "/console/alerts/test", login=login)).status == 403
        home = await rig.ask("GET", "/console/", login=login)
        assert "/console/alerts" not in home.text
        assert "alert is on" not in home.text
