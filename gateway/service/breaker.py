"""Which destinations answer, and when one that does not is asked again. Pure: no clock, no network.

    closed ── so many failures in a row, or known to be away ─▶ open ── a probe arrives ─▶ closed

While a circuit is open one message at a time is tried, as a probe; the others wait and are not
counted as tried. Pauses double up to a bound and are spread by half, so that many messages, or
many gateways, do not come back at the same moment. Messages that were under way together when the
circuit opened fail together: that is one failure, or a batch of them would ask for the longest
pause at once.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import random
from collections.abc import Iterable, Iterator

from gateway.config.settings import Outbox as OutboxSettings
from gateway.errors import (
    DeliveryAwaited,
    DeliveryPutOff,
    DeliveryRefused,
    DeliveryUnderWay,
    DestinationAway,
    GatewayError,
)
from gateway.service.journal.delivery_records import Circuit


class Pauses:
    """Seconds until the next attempt, by how many there were."""

    def __init__(self, settings: OutboxSettings, rng: random.Random) -> None:
        self._shortest = settings.retry_min_seconds
        self._longest = settings.retry_max_seconds
        self._rng = rng

    def after(self, attempts: int) -> dt.timedelta:
        """Between half of the pause and all of it."""
        pause = min(self._shortest * 2.0 ** min(attempts, 30), self._longest)
        return dt.timedelta(seconds=pause * (1 - self._rng.random() / 2))


class Breaker:
    """The circuits of one destination, by partner; "" where it is not a partner's."""

    def __init__(self, destination: str, *, failures: int, pauses: Pauses) -> None:
        self._destination = destination
        self._limit = failures
        self._pauses = pauses
        self._failures: dict[str, int] = {}
        """In a row, of those whose circuit is closed."""
        self._open: dict[str, Circuit] = {}

    @property
    def open(self) -> dict[str, Circuit]:
        """The circuits that are open, by partner."""
        return self._open

    def restore(self, circuits: Iterable[Circuit], now: dt.datetime) -> None:
        """Those that were open when the gateway ended; each is probed at once."""
        for each in circuits:
            self._open[each.partner] = _probed(each, now)

    def probes(self, now: dt.datetime) -> list[str]:
        """The partners to try one message for."""
        return [name for name, each in self._open.items() if each.next_probe_at <= now]

    def probe_all(self, now: dt.datetime) -> None:
        """Something says that a destination may be back: do not wait to find out."""
        self._open = {name: _probed(each, now) for name, each in self._open.items()}

    def hear(self, partner: str, error: GatewayError | None, now: dt.datetime) -> bool:
        """Take note of an outcome; True when a circuit opened, closed, or was probed in vain."""
        if isinstance(error, (DeliveryUnderWay, DeliveryPutOff)):
            return False  # it says nothing yet
        if error is None or isinstance(error, (DeliveryAwaited, DeliveryRefused)):
            self._failures.pop(partner, None)
            return self._open.pop(partner, None) is not None
        known = self._open.get(partner)
        if known is not None and now < known.next_probe_at:
            return False  # no probe: it was under way when the circuit opened
        failures = (known.failures if known else self._failures.get(partner, 0)) + 1
        if known is None and failures < self._limit and not isinstance(error, DestinationAway):
            self._failures[partner] = failures
            return False
        self.trip(partner, str(error), now, failures=failures)
        return True

    @contextlib.contextmanager
    def unless_lost(self, partners: Iterable[str]) -> Iterator[None]:
        """What is heard of these inside, and written there, was not heard if writing it fails.

        The journal does not know of it then: the messages are due as before, nobody would be told
        of the circuit, and a closed one would still stand in the journal.
        """
        names = list(partners)
        failures = {name: self._failures[name] for name in names if name in self._failures}
        circuits = {name: self._open[name] for name in names if name in self._open}
        try:
            yield
        except BaseException:
            for name in names:
                self._failures.pop(name, None)
                self._open.pop(name, None)
            self._failures.update(failures)
            self._open.update(circuits)
            raise

    def trip(self, partner: str, error: str, now: dt.datetime, *, failures: int) -> None:
        """Open a circuit, or note that a probe came back."""
        known = self._open.get(partner)
        self._failures.pop(partner, None)
        self._open[partner] = Circuit(
            destination=self._destination,
            partner=partner,
            opened_at=known.opened_at if known else now,
            failures=failures,
            next_probe_at=now + self._pauses.after(max(0, failures - self._limit)),
            error=error,
        )


def _probed(circuit: Circuit, now: dt.datetime) -> Circuit:
    return Circuit(
        destination=circuit.destination,
        partner=circuit.partner,
        opened_at=circuit.opened_at,
        failures=circuit.failures,
        next_probe_at=now,
        error=circuit.error,
    )
