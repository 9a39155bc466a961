"""Facts about a gateway where all is well, to be spoilt one by one."""

from __future__ import annotations

import datetime as dt
from typing import Any

from gateway.config.alert_settings import Alerts
from gateway.model.lifecycle import InterchangeState
from gateway.service.alerting.facts import Facts
from gateway.service.delivery_watch import Deliveries
from gateway.service.journal.delivery_records import Circuit
from gateway.service.journal.queue_records import Late, Queue
from gateway.service.standing_metrics import Disk, Standing

NOW = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
ALL = Alerts(reject_percent=50)
"""Every condition is on."""


def ago(**span: float) -> dt.datetime:
    """So long before NOW."""
    return NOW - dt.timedelta(**span)


def standing(**changed: Any) -> Standing:
    """Nothing waits, and there is room."""
    fields: dict[str, Any] = {
        "at": NOW,
        "unfinished": {},
        "quarantined": None,
        "unanswered": {},
        "mdns": {},
        "disk": Disk(10**11, 10**12, 10**6),
    }
    return Standing(**{**fields, **changed})


def facts(**changed: Any) -> Facts:
    """All is well."""
    fields: dict[str, Any] = {
        "standing": standing(),
        "deliveries": Deliveries(),
        "broken": {},
        "rejections": {},
        "counted": True,
        "expiries": (),
        "promised": {},
        "warning_days": 30,
        "late_hours": 24,
    }
    return Facts(**{**fields, **changed})


def queue(destination: str = "broker", partner: str = "", **changed: Any) -> Queue:
    """One message waits since a minute."""
    fields: dict[str, Any] = {
        "waiting": 1,
        "held": 0,
        "before_turn": 0,
        "dead": 0,
        "attempts": 0,
        "oldest": ago(minutes=1),
        "next_attempt_at": None,
        "last_error": None,
    }
    fields |= changed
    due = fields["waiting"] > fields["held"] + fields["before_turn"]
    fields.setdefault("oldest_due", fields["oldest"] if due else None)
    return Queue(destination=destination, partner=partner, **fields)


def circuit(destination: str, partner: str = "", *, minutes: float, error: str = "x") -> Circuit:
    """It has not answered for so long."""
    return Circuit(
        destination=destination,
        partner=partner,
        opened_at=ago(minutes=minutes),
        failures=5,
        next_probe_at=NOW,
        error=error,
    )


def late(number: int, partner: str, hours: float) -> Late:
    """An interchange received so long ago."""
    return Late(str(number), partner, "f", InterchangeState.SETTLED, ago(hours=hours), None)
