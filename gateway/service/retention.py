"""How long payloads must be kept at least: the class of a partner, in days of the settings.

A pure rule. What a purge may take is older than the operator says, and no longer bound by this.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import msgspec

from gateway.config.settings import Retention
from gateway.model.partner import Partner, RetentionClass


class Kept(msgspec.Struct, frozen=True):
    """Until when something is kept, and by which class; `until` None: for ever."""

    by: RetentionClass
    until: dt.datetime | None

    def binds(self, now: dt.datetime) -> bool:
        """Whether that has not passed."""
        return self.until is None or self.until > now

    @property
    def words(self) -> str:
        """For people: by which class. The same for many, so that they can be told together."""
        return f'its retention class "{self.by}" keeps it {"for ever" if not self.until else "yet"}'


def kept(
    received_at: dt.datetime,
    partner: str,
    partners: Mapping[str, Partner],
    settings: Retention,
) -> Kept:
    """By the class its partner has now; of a partner that is gone, by the default."""
    known = partners.get(partner)
    by = (known.retention if known is not None else "") or settings.default
    days = {
        "commercial": settings.commercial_days,
        "tax": settings.tax_days,
        "operational": settings.operational_days,
    }.get(by)
    return Kept(by, None if days is None else received_at + dt.timedelta(days=days))
