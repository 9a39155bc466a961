"""What the pages show, and what they let people do: everything the console is given."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec

from gateway.config.alert_settings import Alerts
from gateway.config.settings import Console as ConsoleSettings
from gateway.model.interchange import Transport
from gateway.model.partner import Partner
from gateway.service.audit import Audit
from gateway.service.broker_queues import BrokerQueues
from gateway.service.certificate_watch import CertificateWatch
from gateway.service.console.reading import PageReader
from gateway.service.console.sessions import Sessions
from gateway.service.control import Handler
from gateway.service.guessing import Guesses
from gateway.service.intake import Arrival
from gateway.spool import Spool


class Live(msgspec.Struct, frozen=True):
    """What the daemon knows at this moment, without asking the journal."""

    in_flight: int
    waiting: int
    broker: bool
    broken: tuple[str, ...] = ()
    """Pools of workers of which none starts."""


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. `commands` are those of the control socket: nothing is done in a second way.

    `in_thread` runs what blocks; `seconds` is a clock that only goes forward; `later` waits.
    `unready`: why pages cannot be shown yet; "" when they can. `alerts`: what alerts begin at, and
    who is told of them, now. `broker_queues` answers at once.
    """

    settings: ConsoleSettings
    reader: PageReader
    spool: Spool
    partners: Mapping[str, Partner]
    flows: Collection[str]
    destinations: Collection[str]
    committed: Collection[str]
    certificates: CertificateWatch
    rule_packs: Path | None
    alerts: Callable[[], Alerts]
    commands: Mapping[str, Handler]
    audit: Audit
    sessions: Sessions
    guesses: Guesses
    in_thread: Callable[..., Awaitable[Any]]
    later: Callable[[float], Awaitable[Any]]
    receive: Callable[[Arrival, Transport], Awaitable[str]]
    ready: Callable[[], None]
    live: Callable[[], Live]
    broker_queues: Callable[[], BrokerQueues]
    unready: Callable[[], str]
    incoming: Path
    max_upload_bytes: int
    log: Any
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
