"""What needs somebody: each condition at its threshold, just below it, and switched off."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.config.alert_settings import Alerts
from gateway.service.alerting.conditions import Condition, conditions, unknown
from gateway.service.alerting.facts import Expiry, Facts, Rejections
from gateway.service.alerting.kinds import SEVERITIES, TITLES, AlertKind
from gateway.service.alerting.rejections import Window
from gateway.service.alerting.words import names, span, unlinked
from gateway.service.delivery_watch import Deliveries
from gateway.service.journal.standing_records import Overdue
from gateway.service.standing_metrics import Disk
from tests.service.alerting import ALL, NOW, ago, circuit, facts, late, queue, standing


def found(given: Facts, settings: Alerts = ALL) -> list[Condition]:
    """What holds now."""
    return conditions(given, settings, NOW)


def keys(given: Facts, settings: Alerts = ALL) -> list[tuple[str, str, str]]:
    """Kind, subject, partner."""
    return [(each.kind.value, each.subject, each.partner) for each in found(given, settings)]


def test_where_all_is_well_nobody_is_needed() -> None:
    """Also where nobody has looked yet."""
    assert found(facts()) == []
    assert found(facts(standing=None, deliveries=None, counted=False)) == []


def waiting(number: int, minutes: float = 0) -> Facts:
    """Interchanges of two partners, one of them for so long."""
    unfinished = {
        "acme": Overdue(number - 1, ago(minutes=minutes)),
        "other": Overdue(1, ago(minutes=1)),
    }
    return facts(standing=standing(unfinished=unfinished))


def delivering(*queues: Any, away: Any = (), late: Any = ()) -> Facts:
    """These wait in the outbox."""
    return facts(deliveries=Deliveries(queues=queues, away=tuple(away), late=tuple(late)))


def room(free_mb: int) -> Facts:
    """So much of the disk is free."""
    return facts(standing=standing(disk=Disk(free_mb * 1_000_000, 10**12, 1)))


def rejecting(judged: int, rejected: int) -> Facts:
    """Documents of a flow."""
    return facts(rejections={"f": Rejections(judged, rejected, ("acme",))})


def expiring(days: float, subject: str = "", partner: str = "acme") -> Facts:
    """A certificate has so many days left."""
    return facts(expiries=[Expiry(subject, partner, "a.pem", NOW + dt.timedelta(days=days))])


AT_ITS_THRESHOLD = [
    (waiting(10_000), waiting(9_999), ("depth", "intake", ""), {"depth": 0}),
    (waiting(2, 60), waiting(2, 59.9), ("age", "intake", ""), {"oldest_minutes": 0}),
    (
        delivering(queue(waiting=10_005, held=5)),
        delivering(queue(waiting=10_004, held=5)),
        ("depth", "broker", ""),
        {"depth": 0},
    ),
    (
        delivering(queue("as2", "acme", oldest=ago(minutes=60))),
        delivering(queue("as2", "acme", oldest=ago(minutes=59.9))),
        ("age", "as2", ""),
        {"oldest_minutes": 0},
    ),
    (
        delivering(away=[circuit("broker", minutes=5)]),
        delivering(away=[circuit("broker", minutes=4.9)]),
        ("outage", "broker", ""),
        {"outage_minutes": 0},
    ),
    (
        delivering(away=[circuit("as2", "acme", minutes=5)]),
        delivering(away=[circuit("as2", "acme", minutes=4.9)]),
        ("outage", "as2", "acme"),
        {"outage_minutes": 0},
    ),
    (
        facts(broken={"judges": ago(minutes=5)}),
        facts(broken={"judges": ago(minutes=4.9)}),
        ("outage", "judges", ""),
        {"outage_minutes": 0},
    ),
    (rejecting(100, 50), rejecting(100, 49), ("rejections", "f", ""), {"reject_percent": 0}),
    (rejecting(50, 50), rejecting(49, 49), ("rejections", "f", ""), {"reject_percent": 0}),
    (room(1_999), room(2_000), ("disk", "", ""), {"disk_free_mb": 0}),
    (
        facts(standing=standing(quarantined=Overdue(1, ago(minutes=1)))),
        facts(),
        ("quarantine", "", ""),
        {"quarantine": False},
    ),
    (
        delivering(queue("as2", "acme", waiting=0, dead=1)),
        delivering(queue("as2", "acme", waiting=1)),
        ("dead", "as2", ""),
        {"quarantine": False},
    ),
    (delivering(late=[late(1, "acme", 25)]), delivering(), ("late", "", "acme"), None),
    (
        facts(
            standing=standing(unanswered={"acme": Overdue(2, ago(minutes=20))}),
            promised={"acme": 15},
        ),
        facts(promised={"acme": 15}),
        ("sla", "", "acme"),
        None,
    ),
    (
        facts(standing=standing(mdns={"acme": Overdue(2, ago(minutes=20))})),
        facts(),
        ("mdn", "", "acme"),
        None,
    ),
    (expiring(29.9), expiring(30), ("certificate", "", "acme"), None),
    (expiring(29, "ours", ""), expiring(31, "ours", ""), ("certificate", "ours", ""), None),
    (expiring(-3, "https", ""), expiring(31, "https", ""), ("certificate", "https", ""), None),
    (
        expiring(9, "management", ""),
        expiring(31, "management", ""),
        ("certificate", "management", ""),
        None,
    ),
]


@pytest.mark.parametrize(("there", "below", "key", "off"), AT_ITS_THRESHOLD)
def test_a_condition_begins_at_its_threshold(
    there: Facts, below: Facts, key: tuple[str, str, str], off: dict[str, Any] | None
) -> None:
    """Not below it, and not when it is switched off. It says what and what to do, both ways."""
    assert keys(there) == [key]
    assert keys(below) == []
    if off is not None:
        assert keys(there, replace(ALL, **off)) == []
    (condition,) = found(there)
    for text in (condition.what, condition.remedy):
        assert text.en
        assert text.fr
        assert text.en != text.fr
        assert "://" not in text.en + text.fr
        assert "{" not in text.en + text.fr
    assert condition.since is None or condition.since <= NOW


def test_by_default_only_rejections_are_off() -> None:
    """As conf/gateway.toml says."""
    off = {key[0] for there, _, key, _ in AT_ITS_THRESHOLD if not keys(there, Alerts())}
    assert off == {"rejections"}
    assert {key[0] for _, _, key, _ in AT_ITS_THRESHOLD} == set(AlertKind)
    assert set(SEVERITIES) == set(TITLES) == set(AlertKind)


def test_one_cause_is_one_condition() -> None:
    """What a destination that is away keeps waiting, or an operator holds, is none of its own."""
    old = {"waiting": 20_000, "oldest": ago(hours=3)}
    away = [circuit("broker", minutes=200), circuit("as2", "acme", minutes=200)]
    given = delivering(queue(**old), queue("as2", "acme", **old), away=away)
    assert keys(given) == [("outage", "broker", ""), ("outage", "as2", "acme")]
    assert keys(delivering(queue("as2", "acme", **old, held=20_000))) == []
    # Acknowledgements whose results the broker has not confirmed.
    turn = queue("as2", "other", **old, before_turn=20_000)
    assert keys(delivering(turn, away=away[:1])) == [("outage", "broker", "")]
    dead = queue("as2", oldest=ago(hours=3), oldest_due=ago(minutes=1), dead=1)
    assert keys(delivering(dead)) == [("dead", "as2", "")]


def test_what_is_held_or_dead_hides_no_other_that_waits() -> None:
    """One message was refused for good, one is held; a third of that queue waits all the same."""
    third = queue("as2", "acme", waiting=2, held=1, dead=1, oldest_due=ago(hours=2))
    assert set(keys(delivering(third))) == {("age", "as2", ""), ("dead", "as2", "")}
    assert found(delivering(third))[0].since == ago(hours=1)


def test_others_at_the_same_destination_count_still() -> None:
    """One partner is away; what another waits for is its own condition, and it is named."""
    given = delivering(
        queue("as2", "acme", oldest=ago(hours=9)),
        queue("as2", "other", oldest=ago(hours=2)),
        queue("as2", "third", oldest=ago(hours=3)),
        away=[circuit("as2", "acme", minutes=200)],
    )
    assert keys(given) == [("outage", "as2", "acme"), ("age", "as2", "")]
    age = found(given)[1]
    assert age.since == ago(hours=2)
    assert "third, other has waited for as2 for 3 h" in age.what.en


def test_late_by_partner_since_the_oldest() -> None:
    """A number for each; what is late by a status alone began now at the latest."""
    given = delivering(late=[late(1, "acme", 30), late(2, "acme", 40), late(3, "other", 1)])
    first, second = found(given)
    assert (first.partner, first.since) == ("acme", ago(hours=16))
    assert first.what.en.startswith("2 interchanges of acme")
    assert (second.partner, second.since) == ("other", NOW)


def test_who_waits_most_is_named_first() -> None:
    """Three of them, and how many more."""
    unfinished = {
        f"p{number}": Overdue(10 * number, ago(minutes=70 - number)) for number in range(1, 7)
    }
    (age,) = found(facts(standing=standing(unfinished=unfinished)))
    assert "p1, p2, p3 and 3 more" in age.what.en
    deep = found(facts(standing=standing(unfinished=unfinished)), replace(ALL, depth=5))[0]
    assert "p6, p5, p4 and 3 more" in deep.what.en
    assert "210 interchanges" in deep.what.en


def test_words_of_others_are_cut_and_lose_their_links() -> None:
    """Host, not path; one line; nothing a terminal obeys; not longer than people read."""
    error = "POST https://user:pw@as2.acme.example:4080/in?token=s3cret failed\n\x1b[31mred"
    assert unlinked(error) == "POST as2.acme.example failed \\u001b[31mred"
    assert "s3cret" not in unlinked(error)
    assert len(unlinked("x" * 1000)) == 300
    (away,) = found(delivering(away=[circuit("as2", "acme", minutes=9, error=error)]))
    assert "as2.acme.example" in away.what.en
    assert "token" not in away.what.en + away.what.fr


@pytest.mark.parametrize(
    ("seconds", "en", "fr"),
    [
        (59, "59 s", "59 s"),
        (600, "10 min", "10 min"),
        (9000, "2 h", "2 h"),
        (400_000, "4 days", "4 jours"),
    ],
)
def test_spans_are_short(seconds: int, en: str, fr: str) -> None:
    """In the largest unit that says something."""
    said = span(dt.timedelta(seconds=seconds))
    assert (said.en, said.fr) == (en, fr)
    assert names(["a", "b"]).en == "a, b"


ALL_KEYS = [
    (AlertKind(kind), subject, partner) for _, _, (kind, subject, partner), _ in AT_ITS_THRESHOLD
]


@pytest.mark.parametrize("key", ALL_KEYS)
def test_where_nobody_has_looked_nothing_is_known(key: Any) -> None:
    """What an alert goes by decides; certificates and workers are known at once."""
    assert not unknown(key, facts())
    at_once = key[0] is AlertKind.CERTIFICATE or key[1] == "judges"
    blind = facts(standing=None, deliveries=None, counted=False)
    assert unknown(key, blind) == (not at_once)


def test_rejections_are_known_when_there_are_enough_or_time_has_passed() -> None:
    """After a restart an alert stays on until one of both."""
    key = (AlertKind.REJECTIONS, "f", "")
    few = {"f": Rejections(3, 0, (), known=False)}
    assert unknown(key, facts(rejections=few, counted=False))
    assert not unknown(key, facts(rejections={"f": Rejections(100, 0, ())}, counted=False))
    assert unknown(key, facts(counted=False))
    assert not unknown(key, facts(counted=True))


def test_beyond_the_last_of_a_long_list_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of so many late interchanges only the oldest are seen: others' alerts stay on."""
    key = (AlertKind.LATE, "", "other")
    assert not unknown(key, delivering(late=[late(1, "acme", 30)]))
    monkeypatch.setattr("gateway.service.alerting.conditions.MOST_LATE", 1)
    assert unknown(key, delivering(late=[late(1, "acme", 30)]))


def test_the_window_moves() -> None:
    """Only what was judged within it counts; before it is full, few documents say nothing."""
    window = Window()

    def look(minutes: float, accepted: int, rejected: int) -> Rejections:
        verdicts = {
            ("f", "acme", "accepted"): accepted,
            ("f", "acme", "rejected"): rejected,
            ("f", "other", "rejected"): 1,
            ("f", "acme", "undetermined"): 99,
        }
        now = NOW + dt.timedelta(minutes=minutes)
        return window.look(verdicts, now, minutes=60, documents=10)["f"]

    assert look(0, 0, 0) == Rejections(1, 1, ("other",), known=False)
    assert look(30, 3, 5) == Rejections(9, 6, ("acme", "other"), known=False)
    assert look(40, 3, 6) == Rejections(10, 7, ("acme", "other"), known=True)
    assert not window.full
    assert look(70, 4, 6) == Rejections(10, 6, ("acme",), known=True)
    assert look(95, 5, 6) == Rejections(3, 1, ("acme",), known=True)
    assert look(300, 5, 6) == Rejections(0, 0, (), known=True)
    assert window.full


def test_a_window_made_longer_has_to_fill_again() -> None:
    """It knows no more than the shorter one kept; made shorter, it is full at once."""
    window = Window()

    def look(at: float, minutes: int) -> bool:
        now = NOW + dt.timedelta(minutes=at)
        return window.look({("f", "a", "rejected"): 1}, now, minutes=minutes, documents=9)[
            "f"
        ].known

    assert not look(0, 15)
    for at in range(1, 300):
        look(at, 15)
    assert look(300, 15)
    assert not look(301, 60)
    assert not look(340, 60)
    assert look(350, 60)
    assert look(351, 15)


def test_the_window_keeps_steps_not_looks() -> None:
    """However often one looks and many partners are: what did not change is not kept."""
    window = Window()
    verdicts = {("f", f"p{number}", "accepted"): 1 for number in range(1000)}
    for number in range(400):
        now = NOW + dt.timedelta(seconds=30 * number)
        window.look(verdicts, now, minutes=60, documents=1)
    assert len(window._slots) <= 61
    assert sum(len(numbers) for _, numbers in window._slots) == 0
    assert window.look(verdicts, now, minutes=60, documents=1)["f"].judged == 0
