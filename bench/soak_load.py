"""Everybody around the gateway during a soak.

Partners send at a steady rate, one of them fetches, a back office takes what is published.
"""

from __future__ import annotations

import math
import threading
import time
from pathlib import Path
from typing import Any

from bench.invoices import ubl_invoice
from gateway.model.publication import Exchange
from gateway.service.amqp_topology import QUEUES, declarations
from tests.broker import Broker
from tests.gateway_process import GatewayProcess

REJECTED_ONE_IN = 10
_FETCH_SECONDS = 10.0
_SFTP_SECONDS = 1800.0


class Sender:
    """Sends invoices, each once, by SFTP: in a burst, or at a rate, from several sessions.

    At a rate, each session connects anew for each of its batches, one every `every` seconds, as
    partners do. What is due is sent however far the gateway is behind: `behind` says how far.
    """

    def __init__(self, gateway: GatewayProcess, folder: Path, sessions: int) -> None:
        self._gateway = gateway
        self._folder = folder
        self._sessions = sessions
        self._lock = threading.Lock()
        self._next = 0
        self.sent = 0
        self.behind = 0.0
        self.trouble: list[str] = []
        folder.mkdir()

    def burst(self, count: int) -> None:
        """Send so many as fast as it goes. The files are written before the first leaves."""
        batches = [
            self._write(count // self._sessions + (session < count % self._sessions))
            for session in range(self._sessions)
        ]
        self._together([(self._put, (batch,)) for batch in batches])

    def steadily(self, rate: float, seconds: float, every: float, stop: threading.Event) -> None:
        """Send `rate` a second for so many seconds, or until stopped."""
        began = time.monotonic()
        self._together(
            [
                (self._session, (began + session * every / self._sessions, rate, seconds, every))
                for session in range(self._sessions)
            ],
            stop,
        )

    def _together(self, work: list[Any], stop: threading.Event | None = None) -> None:
        threads = [
            threading.Thread(target=what, args=(*given, *([stop] if stop else [])), daemon=True)
            for what, given in work
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _session(
        self, began: float, rate: float, seconds: float, every: float, stop: threading.Event
    ) -> None:
        share = rate * every / self._sessions
        for turn in range(max(1, math.floor(seconds / every))):
            due = began + turn * every
            stop.wait(max(0.0, due - time.monotonic()))
            if stop.is_set() or self.trouble:
                return
            with self._lock:
                self.behind = max(self.behind, time.monotonic() - due)
            self._put(self._write(math.floor((turn + 1) * share) - math.floor(turn * share)))

    def _write(self, count: int) -> list[Path]:
        with self._lock:
            first, self._next = self._next, self._next + count
        paths = [self._folder / f"FA-{number:07d}.xml" for number in range(first, first + count)]
        for number, path in enumerate(paths, first):
            wrong = number % REJECTED_ONE_IN == REJECTED_ONE_IN - 1
            path.write_bytes(ubl_invoice(path.stem, fault="total" if wrong else None))
        return paths

    def _put(self, paths: list[Path], _stop: threading.Event | None = None) -> None:
        if not paths:
            return
        commands = [f"put {path} in/{path.name}" for path in paths]
        done = self._gateway.sftp(commands, timeout=_SFTP_SECONDS)
        for path in paths:
            path.unlink()
        with self._lock:
            if done.returncode == 0:
                self.sent += len(paths)
            else:
                self.trouble.append(done.stderr)


class Fetcher(threading.Thread):
    """Fetches the acknowledgements every few seconds; the gateway then removes them."""

    def __init__(self, gateway: GatewayProcess, folder: Path) -> None:
        super().__init__(name="fetcher", daemon=True)
        self._gateway = gateway
        self._folder = folder
        self._ended = threading.Event()
        self.fetched: set[str] = set()
        folder.mkdir()

    def run(self) -> None:
        """Until the end."""
        while not self._ended.wait(_FETCH_SECONDS):
            self.fetch()

    def fetch(self) -> None:
        """What is there now."""
        self._gateway.sftp([f"-get out/* {self._folder}/"], timeout=_SFTP_SECONDS)
        for path in list(self._folder.iterdir()):
            self.fetched.add(path.name)
            path.unlink()

    def end(self) -> None:
        """Fetch a last time, and no more."""
        self._ended.set()
        self.join(_SFTP_SECONDS)
        self.fetch()


class Office(threading.Thread):
    """A consumer of everything the gateway publishes, that counts each message once."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(name="office", daemon=True)
        self._broker = broker
        self._ended = threading.Event()
        self._ready = threading.Event()
        self.taken: dict[str, set[str]] = {exchange.value: set() for exchange in Exchange}
        """Exchange → ids of its messages."""
        self.again = 0
        self.trouble: BaseException | None = None

    def begin(self) -> None:
        """Return once it consumes."""
        self.start()
        if not self._ready.wait(60):
            raise SystemExit(f"the consumer could not begin: {self.trouble}")

    def run(self) -> None:
        """Until the end."""
        try:
            connection = self._broker.connect()
            channel = connection.channel()
            for _, method, arguments in declarations():
                getattr(channel, method)(**arguments)
            channel.basic_qos(prefetch_count=200)
            for queue in QUEUES:
                channel.basic_consume(queue.name, self._take)
            self._ready.set()
            while not self._ended.is_set():
                connection.process_data_events(time_limit=0.2)
            connection.close()
        except BaseException as error:
            self.trouble = error

    def _take(self, channel: Any, method: Any, properties: Any, _body: bytes) -> None:
        ids = self.taken[method.exchange]
        self.again += properties.message_id in ids
        ids.add(properties.message_id)
        channel.basic_ack(method.delivery_tag)

    def end(self) -> None:
        """Stop, and wait until it has."""
        self._ended.set()
        self.join(60)
