"""What the log says of deliveries: once when something begins or ends, not at every attempt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gateway.errors import DeliveryAwaited
from gateway.service.journal.delivery_records import Circuit
from gateway.service.outcomes import Outcome

ROW_FAILURES_LOGGED = 5
"""Of one batch; the others are in the journal with their error."""


class DeliveryLog:
    """The words of one destination."""

    def __init__(self, destination: str, log: Any) -> None:
        self._destination = destination
        self._log = log

    def away(self, circuits: Iterable[Circuit]) -> None:
        """These do not answer any more."""
        for circuit in circuits:
            self._log.warning(
                "destination_away",
                destination=self._destination,
                partner=circuit.partner or None,
                failures=circuit.failures,
                error=circuit.error,
                remedy="One message at a time is tried, the others wait and lose no attempt. What"
                " waits, tells: edi-gateway queues",
            )

    def answers(self, partners: Iterable[str]) -> None:
        """These answer again."""
        for partner in partners:
            self._log.info(
                "destination_answers", destination=self._destination, partner=partner or None
            )

    def dead(self, outcomes: Iterable[Outcome]) -> None:
        """These are not tried any more by themselves."""
        for row, error in outcomes:
            self._log.error(
                "outbox_dead",
                destination=self._destination,
                interchange=row.interchange_id,
                partner=row.partner,
                flow=row.headers.get("flow"),
                kind=row.kind,
                refusals=row.refusals + 1,
                error=str(error),
                remedy="It is not tried any more. Once the cause is mended: edi-gateway resend"
                f" {row.interchange_id} --kind {row.kind}",
            )

    def undelivered(self, outcomes: Sequence[Outcome]) -> str | None:
        """What a batch could not deliver; the first error, for whoever asks how things stand."""
        failed = [
            (row, str(error))
            for row, error in outcomes
            if error is not None and not isinstance(error, DeliveryAwaited)
        ]
        if not failed:
            return None
        self._log.warning(
            "outbox_undelivered",
            destination=self._destination,
            count=len(failed),
            errors=sorted({error for _, error in failed})[:ROW_FAILURES_LOGGED],
            about=[
                {
                    "interchange": row.interchange_id,
                    "partner": row.partner,
                    "flow": row.headers.get("flow"),
                }
                for row, _ in failed[:ROW_FAILURES_LOGGED]
            ],
        )
        return failed[0][1]
