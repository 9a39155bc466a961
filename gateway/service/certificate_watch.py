"""The certificates in use, ours and the partners', and how long each is still good."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, Final

from gateway.config import Configuration
from gateway.config.certificates import Held, remarks

WARN_SECONDS: Final = 86_400.0
"""How often `warn` is to be called; at start and after a reload the notices tell."""


class CertificateWatch:
    """Knows what the configuration in force holds. Those of disabled partners are not in use."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        log: Any,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._now = now
        self._log = log
        self.take(configuration)

    def take(self, configuration: Configuration) -> None:
        """Another configuration is in force."""
        self._warning_days = configuration.settings.as2.expiry_warning_days
        enabled = {name for name, each in configuration.partners.items() if each.enabled}
        self._held = [
            each for each in configuration.held if each.owner is None or each.owner in enabled
        ]

    @property
    def warning_days(self) -> int:
        """So many days beforehand somebody is to be told."""
        return self._warning_days

    def last_of_each(self) -> list[Held]:
        """Of each owner the certificate that is valid longest: when it expires, none is left."""
        last: dict[str | None, Held] = {}
        for each in self._held:
            known = last.setdefault(each.owner, each)
            if each.certificate.not_valid_after_utc > known.certificate.not_valid_after_utc:
                last[each.owner] = each
        return list(last.values())

    def days_left(self) -> list[tuple[Held, float]]:
        """Each certificate in use, and the days until it expires: below 0 when it has."""
        now = self._now()
        return [
            (each, (each.certificate.not_valid_after_utc - now).total_seconds() / 86_400.0)
            for each in self._held
        ]

    def warn(self) -> None:
        """A warning for each that expired, or does within `as2.expiry_warning_days`."""
        now = self._now()
        for owner in dict.fromkeys(each.owner for each in self._held):
            own = [each for each in self._held if each.owner == owner]
            for key, complaint in remarks(own, now, self._warning_days):
                self._log.warning(
                    "certificate_expiry",
                    partner=owner,
                    key=key,
                    what=complaint.what,
                    remedy=complaint.remedy,
                )
