"""Which conditions hold: the facts on one side, the thresholds on the other. Pure.

One cause makes one condition: what a destination that is away keeps waiting is no alert of its own,
nor what an operator holds.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from gateway.config.alert_settings import Alerts
from gateway.model.verdict import Text
from gateway.service.alerting import partner_words, words
from gateway.service.alerting.facts import Facts
from gateway.service.alerting.kinds import AlertKind
from gateway.service.delivery_watch import MOST_LATE, Deliveries
from gateway.service.journal.queue_records import Queue
from gateway.service.standing_metrics import Standing

Key = tuple[AlertKind, str, str]
"""Kind, subject, partner: two conditions of one key are the same one."""


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """Something that needs somebody. `since` None: it is not known since when."""

    kind: AlertKind
    subject: str = ""
    partner: str = ""
    since: dt.datetime | None = None
    what: Text
    remedy: Text

    @property
    def key(self) -> Key:
        """What tells it from others."""
        return self.kind, self.subject, self.partner


def conditions(facts: Facts, settings: Alerts, now: dt.datetime) -> list[Condition]:
    """All that hold, as far as the facts go."""
    found = [
        *_certificates(facts, now),
        *_rejections(facts, settings),
        *_broken(facts, settings, now),
    ]
    if facts.standing is not None:
        found += _standing(facts.standing, facts, settings, now)
    if facts.deliveries is not None:
        found += _deliveries(facts.deliveries, facts, settings, now)
    return found


def unknown(key: Key, facts: Facts) -> bool:
    """Whether the facts cannot tell if a condition of this key holds: then nothing changes."""
    kind, subject, _ = key
    in_intake = subject == "intake"
    match kind:
        case AlertKind.QUARANTINE | AlertKind.SLA | AlertKind.MDN | AlertKind.DISK:
            return facts.standing is None
        case AlertKind.DEPTH | AlertKind.AGE if in_intake:
            return facts.standing is None
        case AlertKind.CERTIFICATE:
            return False
        case AlertKind.OUTAGE if subject in ("judges", "crypto"):
            return False
        case AlertKind.REJECTIONS:
            seen = facts.rejections.get(subject)
            return not (facts.counted if seen is None else seen.known)
        case AlertKind.LATE if facts.deliveries is not None:
            return len(facts.deliveries.late) >= MOST_LATE  # others may be late beyond the last
    return facts.deliveries is None


# ---- what waits for a verdict, what was promised, the disk


def _standing(
    seen: Standing, facts: Facts, settings: Alerts, now: dt.datetime
) -> Iterator[Condition]:
    waiting = sum(each.number for each in seen.unfinished.values())
    if settings.depth and waiting >= settings.depth:
        most = sorted(seen.unfinished, key=lambda name: (-seen.unfinished[name].number, name))
        yield Condition(
            kind=AlertKind.DEPTH,
            subject="intake",
            what=words.intake_depth(waiting, most),
            remedy=words.INTAKE_REMEDY,
        )
    limit = dt.timedelta(minutes=settings.oldest_minutes)
    old = {name: each.since for name, each in seen.unfinished.items() if now - each.since >= limit}
    if settings.oldest_minutes and old:
        first = min(old.values())
        yield Condition(
            kind=AlertKind.AGE,
            subject="intake",
            since=first + limit,
            what=words.intake_age(now - first, sorted(old, key=lambda name: (old[name], name))),
            remedy=words.INTAKE_REMEDY,
        )
    if settings.quarantine and seen.quarantined is not None:
        yield Condition(
            kind=AlertKind.QUARANTINE,
            since=seen.quarantined.since,
            what=words.quarantine(seen.quarantined.number),
            remedy=words.QUARANTINE_REMEDY,
        )
    for partner, each in sorted(seen.unanswered.items()):
        minutes = facts.promised.get(partner, 0)
        yield Condition(
            kind=AlertKind.SLA,
            partner=partner,
            since=each.since + dt.timedelta(minutes=minutes),
            what=partner_words.sla(partner, each.number, minutes),
            remedy=partner_words.sla_remedy(partner),
        )
    for partner, each in sorted(seen.mdns.items()):
        yield Condition(
            kind=AlertKind.MDN,
            partner=partner,
            since=each.since,
            what=partner_words.mdn(partner, each.number),
            remedy=partner_words.MDN_REMEDY,
        )
    free_mb = seen.disk.free // 1_000_000
    if free_mb < settings.disk_free_mb:
        yield Condition(kind=AlertKind.DISK, what=words.disk(free_mb), remedy=words.DISK_REMEDY)


# ---- what waits to be sent


def _deliveries(
    seen: Deliveries, facts: Facts, settings: Alerts, now: dt.datetime
) -> Iterator[Condition]:
    for circuit in seen.away:
        limit = dt.timedelta(minutes=settings.outage_minutes)
        if not settings.outage_minutes or now - circuit.opened_at < limit:
            continue
        to, partner = circuit.destination, circuit.partner
        yield Condition(
            kind=AlertKind.OUTAGE,
            subject=to,
            partner=partner,
            since=circuit.opened_at,
            what=partner_words.partner_away(partner, to, circuit.error)
            if partner
            else words.broker_away(circuit.error),
            remedy=partner_words.PARTNER_REMEDY if partner else words.BROKER_REMEDY,
        )
    away = {(each.destination, each.partner) for each in seen.away}
    by_destination: dict[str, list[Queue]] = {}
    for queue in seen.queues:
        by_destination.setdefault(queue.destination, []).append(queue)
    for destination, queues in sorted(by_destination.items()):
        answering = [each for each in queues if (each.destination, each.partner) not in away]
        yield from _queues(destination, answering, settings, now)
        dead = sum(each.dead for each in queues)
        if settings.quarantine and dead:
            yield Condition(
                kind=AlertKind.DEAD,
                subject=destination,
                what=words.dead(destination, dead),
                remedy=words.DEAD_REMEDY,
            )
    yield from _late(seen, facts, now)


def _queues(
    destination: str, queues: Sequence[Queue], settings: Alerts, now: dt.datetime
) -> Iterator[Condition]:
    """Of one destination, without those that do not answer there."""
    due = sum(each.waiting - each.held - each.before_turn for each in queues)
    if settings.depth and due >= settings.depth:
        yield Condition(
            kind=AlertKind.DEPTH,
            subject=destination,
            what=words.outbox_depth(destination, due),
            remedy=words.QUEUES_REMEDY,
        )
    limit = dt.timedelta(minutes=settings.oldest_minutes)
    waiting = sorted((each.oldest_due, each.partner) for each in queues if each.oldest_due)
    old = [(oldest, partner) for oldest, partner in waiting if now - oldest >= limit]
    if settings.oldest_minutes and old:
        first = old[0][0]
        partners = [partner for _, partner in old if partner]
        yield Condition(
            kind=AlertKind.AGE,
            subject=destination,
            since=first + limit,
            what=words.outbox_age(destination, now - first, partners),
            remedy=words.QUEUES_REMEDY,
        )


def _late(seen: Deliveries, facts: Facts, now: dt.datetime) -> Iterator[Condition]:
    numbers = Counter(each.partner for each in seen.late)
    oldest: dict[str, dt.datetime] = {}
    for each in seen.late:
        oldest[each.partner] = min(each.received_at, oldest.get(each.partner, each.received_at))
    for partner, number in sorted(numbers.items()):
        yield Condition(
            kind=AlertKind.LATE,
            partner=partner,
            since=min(now, oldest[partner] + dt.timedelta(hours=facts.late_hours)),
            what=partner_words.late(partner, number, facts.late_hours),
            remedy=partner_words.LATE_REMEDY,
        )


# ---- the rest


def _broken(facts: Facts, settings: Alerts, now: dt.datetime) -> Iterator[Condition]:
    limit = dt.timedelta(minutes=settings.outage_minutes)
    for pool, since in sorted(facts.broken.items()):
        if settings.outage_minutes and now - since >= limit:
            yield Condition(
                kind=AlertKind.OUTAGE,
                subject=pool,
                since=since,
                what=words.pool_broken(pool),
                remedy=words.POOL_REMEDY,
            )


def _rejections(facts: Facts, settings: Alerts) -> Iterator[Condition]:
    for flow, seen in sorted(facts.rejections.items()):
        if not settings.reject_percent or seen.judged < settings.reject_documents:
            continue
        percent = 100 * seen.rejected // seen.judged
        if percent >= settings.reject_percent:
            yield Condition(
                kind=AlertKind.REJECTIONS,
                subject=flow,
                what=words.rejections(flow, percent, seen.judged, seen.partners),
                remedy=words.REJECTIONS_REMEDY,
            )


def _certificates(facts: Facts, now: dt.datetime) -> Iterator[Condition]:
    for each in facts.expiries:
        if each.until - now < dt.timedelta(days=facts.warning_days):
            yield Condition(
                kind=AlertKind.CERTIFICATE,
                subject=each.subject,
                partner=each.partner,
                what=partner_words.certificate(
                    each.subject, each.partner, each.file, each.until, now
                ),
                remedy=partner_words.certificate_remedy(each.subject, each.partner),
            )
