"""How things stand with one partner's server: when to try again, and when to say so. Pure.

One line in the log when trouble begins, one when it changes its kind, one when it is over.
"""

from __future__ import annotations

import random

from gateway.errors import GatewayError
from gateway.service.sftp_client.errors import RemoteAway

FIRST_PAUSE_SECONDS = 5.0
LAST_PAUSE_SECONDS = 900.0


class Health:
    """Good until the first failure, bad until the next success."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.trouble: GatewayError | None = None
        self._failures = 0

    def failed(self, error: GatewayError) -> bool:
        """Note a failure; True if it is news."""
        news = self.trouble is None or type(self.trouble) is not type(error)
        self._failures += 1
        self.trouble = error
        return news

    def well(self) -> bool:
        """Note a success; True if it is news."""
        news, self.trouble, self._failures = self.trouble is not None, None, 0
        return news

    def pause(self) -> float:
        """Seconds until the next attempt; many gateways must not come back at the same moment."""
        first = FIRST_PAUSE_SECONDS
        if isinstance(self.trouble, RemoteAway):
            first = self.trouble.first_pause_seconds
        doubled = first * 2.0 ** min(max(0, self._failures - 1), 30)
        return float(min(doubled, LAST_PAUSE_SECONDS) * self._rng.uniform(0.8, 1.0))
