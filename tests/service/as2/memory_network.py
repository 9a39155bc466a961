"""A network in memory, its clock, and a journal on it: whole gateways run in one thread.

Protocols are real on both ends, HTTP included; between them stands `twisted.test.iosim` instead of
sockets. Time moves when a test says so. Only the journal keeps threads of its own, and whoever asks
it gets the answer before anything else happens: so there is one order of events, and it is always
the same.
"""

from __future__ import annotations

import datetime as dt
import queue
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import sqlalchemy as sa
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.test import iosim

from gateway.service.journal import Journal
from tests.core.as2.parties import NOW

T = TypeVar("T")

HOST = "127.0.0.1"
_THREAD_SECONDS = 60.0
"""Longer than any disk takes: a thread that does not answer by then never will."""


class MemoryNetwork(MemoryReactorClock):
    """A reactor whose connections lead to those who listen on it."""

    def __init__(self) -> None:
        super().__init__()
        self._from_threads: queue.SimpleQueue[Callable[[], Any]] = queue.SimpleQueue()
        self._pumps: list[iosim.IOPump] = []
        self._factories: dict[int, Any] = {}

    def now(self) -> dt.datetime:
        """The time of day on this network."""
        return NOW + dt.timedelta(seconds=self.seconds())

    # ---- what the gateway asks of a reactor

    def callFromThread(self, callable: Callable[..., Any], *args: Any, **kwargs: Any) -> None:  # noqa: A002, N802
        """Run it here, when somebody waits for a thread."""
        self._from_threads.put(lambda: callable(*args, **kwargs))

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:  # noqa: N802
        """Answer those who connect to the port."""
        self._factories[port] = factory
        return super().listenTCP(port, factory, backlog, interface)

    def connectTCP(  # noqa: N802
        self,
        host: str,
        port: int,
        factory: Any,
        timeout: float = 30,
        bindAddress: Any = None,  # noqa: N803
    ) -> Any:
        """Be connected at once."""
        connector = super().connectTCP(host, port, factory, timeout, bindAddress)
        here, there = IPv4Address("TCP", HOST, 1024), IPv4Address("TCP", host, port)
        server = self._factories[port].buildProtocol(here)
        client = factory.buildProtocol(there)
        pump = iosim.connect(
            server,
            iosim.FakeTransport(server, True, there, here),
            client,
            iosim.FakeTransport(client, False, here, there),
            greet=False,
            clock=self,
        )
        self._pumps.append(pump)
        return connector

    # ---- what a test asks of the network

    def settle(self) -> None:
        """Carry bytes and make due calls until nothing is left to be done at this time."""
        for _ in range(10_000):
            moved = [pump.pump() for pump in list(self._pumps)]
            self._pumps = [pump for pump in self._pumps if not _ended(pump)]
            self.advance(0)
            due = any(call.getTime() <= self.seconds() for call in self.getDelayedCalls())
            if not any(moved) and not due:
                return
        raise AssertionError("the network never comes to rest")

    def pass_time(self, seconds: float) -> None:
        """Let time pass, in steps, as timers set on the way would have it.

        What was begun before, by a test that woke somebody, happens at the time it is now.
        """
        self.settle()
        until = self.seconds() + seconds
        while self.seconds() < until:
            times = [call.getTime() for call in self.getDelayedCalls()]
            step = min([time for time in times if time > self.seconds()] + [until])
            self.advance(max(0.0, min(step, until) - self.seconds()))
            self.settle()

    def wait(self, going: Deferred[T]) -> T:
        """The result of what a thread does."""
        while not going.called:
            self._from_threads.get(timeout=_THREAD_SECONDS)()
        return _result(going)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of what happens on the network."""
        going = Deferred.fromCoroutine(work)
        self.settle()
        assert going.called, "it waits for something that never comes"
        return _result(going)


def _ended(pump: iosim.IOPump) -> bool:
    return bool(pump.clientIO.disconnected and pump.serverIO.disconnected)


def _result(going: Deferred[T]) -> T:
    results: list[T] = []
    failures: list[Any] = []
    going.addCallbacks(results.append, failures.append)
    for failure in failures:
        failure.raiseException()
    return results[0]


class PromptJournal(Journal):
    """The journal; it has answered before its caller goes on."""

    def __init__(self, network: MemoryNetwork, path: Any) -> None:
        super().__init__(network, path)
        self._network = network

    async def write(
        self, name: str, work: Callable[[sa.Connection], T], *, urgent: bool = False
    ) -> T:
        """As `Journal.write`."""
        going = Deferred.fromCoroutine(super().write(name, work, urgent=urgent))
        return self._network.wait(going)

    async def read(self, name: str, work: Callable[[sa.Connection], T]) -> T:
        """As `Journal.read`."""
        return self._network.wait(Deferred.fromCoroutine(super().read(name, work)))


async def at_once(function: Callable[..., Any], *args: Any) -> Any:
    """In place of the spool's threads."""
    return function(*args)
