"""Reports on their way into a partner's folder.

The outbox waits for a whole batch, so nobody here may keep it waiting for long: a server in
trouble is answered for at once, and a slow one after a few seconds. What is under way then goes on
by itself, and the next attempt finds it done.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.internet import defer

from gateway.errors import (
    DeliveryFailed,
    DeliveryPutOff,
    DeliveryUnderWay,
    DestinationAway,
    GatewayError,
)
from gateway.model.partner import SftpRemote
from gateway.service.sftp_client.lane import Lane
from gateway.service.sftp_client.upload import upload

WAIT_SECONDS = 10.0
AGAIN_SECONDS = 5.0
"""When to ask again what became of a report that goes on by itself."""
MAX_UNDER_WAY = 64
MAX_DONE = 10_000


@dataclass(slots=True)
class _Sending:
    """One report: under way until `over`; `waiter` is who waits for it.

    `slow`: somebody waited in vain.
    """

    over: bool = False
    slow: bool = False
    error: GatewayError | None = None
    waiter: defer.Deferred[None] | None = None

    def tell(self) -> None:
        """Whoever waits need not any more."""
        waiter, self.waiter = self.waiter, None
        if waiter is not None:
            waiter.callback(None)


class Pushing:
    """One partner's reports, by the number of their outbox row."""

    def __init__(
        self,
        reactor: Any,
        lane: Lane,
        remote: SftpRemote,
        *,
        partner: str,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        self._reactor = reactor
        self._lane = lane
        self._remote = remote
        self._partner = partner
        self._wait_seconds = wait_seconds
        self._sending: dict[int, _Sending] = {}

    async def deliver(self, row: int, filename: str, body: bytes | Path) -> None:
        """Leave a report in the partner's folder; returns when it is there, whole.

        Raises `DeliveryFailed`; the next attempt with the same `row` goes on from there.
        """
        sending = self._sending.get(row)
        if sending is None:
            sending = self._begin(row, filename, body)
        if not sending.over and not any(each.slow for each in self._sending.values()):
            await self._wait(sending)
        if not sending.over:
            sending.slow = True
            raise DeliveryUnderWay(
                f"{filename} is still on its way to {self._partner}'s server.",
                seconds=AGAIN_SECONDS,
                remedy="Nothing to do: it goes on by itself.",
            )
        del self._sending[row]
        if sending.error is not None:
            raise DeliveryFailed(
                f"{filename} could not be left with {self._partner}: {sending.error.what}",
                remedy=sending.error.remedy or "It is tried again by itself.",
            )

    def _begin(self, row: int, filename: str, body: bytes | Path) -> _Sending:
        trouble = self._lane.health.trouble
        if trouble is not None:
            raise DestinationAway(
                f"{filename} waits for {self._partner}'s server: {trouble.what}",
                remedy=trouble.remedy or "It is tried again by itself.",
            )
        under_way = sum(not each.over for each in self._sending.values())
        if under_way >= MAX_UNDER_WAY or len(self._sending) >= MAX_DONE:
            raise DeliveryPutOff(
                f"{filename} waits: {under_way} reports are on their way to {self._partner}.",
                seconds=AGAIN_SECONDS,
                remedy="Nothing to do: it is tried again by itself.",
            )
        sending = self._sending[row] = _Sending()
        # A fault of ours in there is an error of this report, as any other.
        defer.Deferred.fromCoroutine(self._send(sending, filename, body))
        return sending

    async def _send(self, sending: _Sending, filename: str, body: bytes | Path) -> None:
        try:
            await self._lane.step(
                lambda session: upload(session, self._remote.push_to, filename, body),
                in_doubt=False,
            )
        except GatewayError as error:
            sending.error = error
        except Exception as error:
            sending.error = DeliveryFailed(
                f"it failed in a way nobody thought of: {error!r}.",
                remedy="This is a fault in the gateway; please report it.",
            )
        sending.over, sending.slow = True, False
        sending.tell()

    async def _wait(self, sending: _Sending) -> None:
        waiter: defer.Deferred[None] = defer.Deferred()
        sending.waiter = waiter
        timer = self._reactor.callLater(self._wait_seconds, sending.tell)
        try:
            await waiter
        finally:
            sending.waiter = None
            if timer.active():
                timer.cancel()
