"""What alerts are decided by: how all stands at one moment. Who did not look yet says None."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import msgspec

from gateway.service.delivery_watch import Deliveries
from gateway.service.standing_metrics import Standing


class Expiry(msgspec.Struct, frozen=True):
    """The last certificate of a `partner`, or by `subject`: "ours", "https", "management"."""

    subject: str
    partner: str
    file: str
    until: dt.datetime


class Rejections(msgspec.Struct, frozen=True):
    """Documents of a flow judged within the time rejections are counted over.

    `partners`: those with most rejections, the worst first. `known` False: there were too few to
    say, and this process has not yet counted for that long.
    """

    judged: int
    rejected: int
    partners: tuple[str, ...]
    known: bool = True


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """How everything stands. `broken`: pools no worker of which starts, since when.

    `counted`: this process has counted rejections for as long as they are counted over.
    `promised`: minutes by partner (`sla_minutes`). `warning_days`: before a certificate expires.
    """

    standing: Standing | None
    deliveries: Deliveries | None
    broken: Mapping[str, dt.datetime]
    rejections: Mapping[str, Rejections]
    counted: bool
    expiries: Sequence[Expiry]
    promised: Mapping[str, int]
    warning_days: int
    late_hours: int
