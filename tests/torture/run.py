"""The torture itself: load, kills at random moments with progress between them, and the verdict.

Deterministic are the files, the kinds of the kills, their order and the pauses before them; what
the gateway was doing at that moment is not, and is the point.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from gateway.faults import Faults as FaultPoints
from tests.broker import Broker, free_port
from tests.gateway_process import GatewayProcess
from tests.torture import evidence, kills
from tests.torture.as2_route import As2Route
from tests.torture.broker_faults import BrokerFaults
from tests.torture.checks import faults
from tests.torture.consumer import Consumer
from tests.torture.evidence import Evidence, Progress
from tests.torture.kills import Kill, Place, Torture
from tests.torture.outcome import Outcome, account
from tests.torture.routes import FolderRoute, HttpRoute, RemoteRoute, Route, SftpRoute
from tests.torture.senders import Ledger, Sender
from tests.torture.wire import Wire

PROGRESS_DOCUMENTS = 3
"""So many documents at least are judged between two kills."""
PROGRESS_SECONDS = 90.0
PAUSE_SECONDS = 0.5
"""A kill comes at most so long after that: at a random moment."""
PLACE_SECONDS = 90.0
"""Within so long somebody comes by every fault point there is."""
FULL_SECONDS = 3.0
"""How long a full disk stays so."""
QUIET_SECONDS = 240.0
"""For everything that was sent to reach its end once nothing is killed any more."""


def run(
    folder: Path, broker: Broker, torture: Torture, say: Callable[[str], None] = lambda _: None
) -> Outcome:
    """Torture a gateway in `folder`. Raises `AssertionError` when it does not even go on."""
    port = free_port()
    wire = Wire(broker.port)
    others = f"[http]\nenabled = true\nport = {port}\n{As2Route.settings()}"
    gateway = GatewayProcess(
        folder / "gateway",
        judges=torture.judges,
        rabbitmq_port=wire.port,
        uniqueness=True,  # what is judged again after a kill must not trip over itself
        faults=folder / "faults",
        partners=("acme", "poster", "signer", "mover", "host") if torture.routes else ("acme",),
        settings=others if torture.routes else "",
    )
    consumer = Consumer(broker)
    routes: list[Route] = [SftpRoute(gateway, folder / "out")]
    with contextlib.ExitStack() as closing:
        closing.callback(wire.close)
        if torture.routes:
            as2 = As2Route(gateway, folder / "as2", port)
            closing.callback(as2.listener.close)
            remote = RemoteRoute(gateway, folder / "remote")
            closing.callback(remote.server.stop)
            folders = FolderRoute(gateway, folder / "folders")
            routes += [HttpRoute(gateway, port), as2, folders, remote]
        rack = _Rack(folder, gateway, broker, wire, consumer, routes, torture, say)
        return _run(rack, gateway, consumer)


def _run(rack: _Rack, gateway: GatewayProcess, consumer: Consumer) -> Outcome:
    try:
        consumer.begin()
        gateway.start()
        return rack.torture()
    finally:
        for sender in rack.senders:
            sender.finish.set()
        rack.broker_faults.mend()
        consumer.end()
        gateway.ensure_gone()


class _Rack:
    def __init__(
        self,
        folder: Path,
        gateway: GatewayProcess,
        broker: Broker,
        wire: Wire,
        consumer: Consumer,
        routes: Sequence[Route],
        torture: Torture,
        say: Callable[[str], None],
    ) -> None:
        self._routes = routes
        self._gateway = gateway
        self._consumer = consumer
        self._torture = torture
        self._say = say
        self._dice = random.Random(torture.seed)
        self._faults = FaultPoints(folder / "faults")
        self._journal = gateway.state / "journal.sqlite"
        self._ledger = Ledger()
        self.broker_faults = BrokerFaults(
            broker,
            wire,
            consumer,
            journal=self._journal,
            log=gateway.log_file,
            alive=self._go_on,
            dice=self._dice,
        )
        self._sessions: set[int] = set()
        self._done: Counter[str] = Counter()
        self._released = 0
        self._began = time.monotonic()
        ways = [routes[0]] * torture.senders + [*routes[1:]]
        self.senders = [
            Sender(
                route,
                self._ledger,
                folder / f"sender-{index}",
                seed=torture.seed,
                index=index,
                archives=torture.archives,
                hangups=torture.hangups,
            )
            for index, route in enumerate(ways)
        ]

    def torture(self) -> Outcome:
        """Do it all, in order."""
        self._sessions.add(self._gateway.pid)
        for sender in self.senders:
            sender.start()
        torture = self._torture
        for target in kills.plan(torture.kills, torture.places, torture.others, self._dice):
            self._wait_for_progress()
            time.sleep(self._dice.uniform(0.0, PAUSE_SECONDS))
            if isinstance(target, Place):
                self._break_at(target)
            elif target is Kill.FULL:
                self._fill_the_disk()
            elif target in kills.BROKER:
                self._note(target, self.broker_faults.do(target))
            else:
                self._kill(target)
        self._wait_for_senders()
        self._wait_until_quiet()
        found = self._collect()
        result = faults(self._ledger.offered, self._ledger.received, found)
        return Outcome(
            seed=self._torture.seed,
            kills=dict(self._done),
            hangups={route.partner: route.hangups for route in self._routes if route.hangups},
            seconds=time.monotonic() - self._began,
            sent=len(self._ledger.offered),
            documents=sum(len(p.documents) for p in self._ledger.offered.values()),
            resends=self._ledger.resends,
            messages=len(self._consumer.taken),
            redelivered=self._consumer.deliveries - len(self._consumer.taken),
            released=self._released,
            account=account(
                self._ledger.offered,
                self._ledger.received,
                self._ledger.resends,
                self._consumer.deliveries,
                found,
            ),
            faults=result,
        )

    def _wait_for_progress(self) -> None:
        """Until enough was judged since the last kill."""
        start = self._progress().judged
        deadline = time.monotonic() + PROGRESS_SECONDS
        while True:
            now = self._progress()
            if now.judged >= start + PROGRESS_DOCUMENTS:
                return
            self._must_be_alive()
            assert time.monotonic() < deadline, self._complaint(
                f"only {now.judged - start} documents were judged in {PROGRESS_SECONDS:.0f} s"
                " after a kill"
            )
            time.sleep(0.1)

    def _kill(self, kind: Kill) -> None:
        if kind is Kill.GATEWAY:
            victim = self._gateway.pid
            self._gateway.kill()
            self._gateway.start()
            self._sessions.add(self._gateway.pid)
        else:
            victim = kills.kill_one(kind, self._gateway.pid, self._dice)
        self._note(kind, f"killed {kind} ({victim})")

    def _break_at(self, place: Place) -> None:
        """Whoever comes by next suffers it; when that ends the daemon, start another."""
        self._faults.arm(place.point, place.when, place.action)
        deadline = time.monotonic() + PLACE_SECONDS
        while (victim := self._faults.happened(place.point, place.when)) is None:
            assert time.monotonic() < deadline, self._complaint(f"nobody ever came {place}")
            self._progress()  # or senders go on waiting for what was judged long ago
            time.sleep(0.05)
        killed = place.action == "kill"
        if killed and victim == self._gateway.pid:
            self._gateway.kill()  # and what it leaves behind
            self._gateway.start()
            self._sessions.add(self._gateway.pid)
        self._note(Kill.POINT if killed else Kill.ERROR, str(place))

    def _fill_the_disk(self) -> None:
        """Nothing is written any more; then there is room again, and nobody lends a hand."""
        for point in kills.DISK:
            self._faults.arm(point, "before", "always enospc")
        time.sleep(FULL_SECONDS)
        self._must_be_alive()
        for point in kills.DISK:
            assert self._faults.disarm(point, "before")
        self._note(Kill.FULL, "the disk was full")

    def _wait_for_senders(self) -> None:
        for sender in self.senders:
            sender.finish.set()
        for sender in self.senders:
            sender.join(QUIET_SECONDS)
            assert not sender.is_alive(), self._complaint(f"{sender.name} never ended")
            assert sender.trouble is None, self._complaint(sender.trouble or "")

    def _wait_until_quiet(self) -> None:
        """Until everything is acknowledged and sent.

        A document that cost two judges is in quarantine, rightly: here it is no fault of the
        document's, so it is released as an operator would.
        """
        deadline = time.monotonic() + QUIET_SECONDS
        released: set[str] = set()
        while True:
            now = self._progress()
            idle = time.monotonic() - self._consumer.last
            if not now.unfinished and not now.unsent and idle > 2.0:
                return
            for interchange in set(now.quarantined) - released:
                done = self._gateway.command("quarantine", "release", interchange)
                assert done.returncode == 0, self._complaint(done.stderr)
                released.add(interchange)
                self._released += 1
            self._must_be_alive()
            assert time.monotonic() < deadline, self._complaint(
                f"{now.unfinished} interchanges unfinished, {now.unsent} messages unsent"
                f" {QUIET_SECONDS:.0f} s after the last kill"
            )
            time.sleep(0.3)

    def _collect(self) -> Evidence:
        """Fetch acknowledgements as partners do, stop the gateway, then look."""
        came: dict[str, bytes] = {}
        for route in self._routes:
            came |= route.acknowledgements()
        code = self._gateway.stop()
        self._consumer.end()
        found = evidence.read_journal(self._journal)
        found.taken = self._consumer.taken
        found.altered = self._consumer.altered
        for route in self._routes:
            found.altered += getattr(route, "altered", ())
        found.out = came
        found.payloads = evidence.read_spool(self._gateway.state)
        found.leftovers = evidence.working_files(self._gateway.state)
        found.leftovers += [f"still running: {each}" for each in kills.in_sessions(self._sessions)]
        if code != 0:
            found.leftovers.append(f"the gateway ended with exit code {code}")
        if self._consumer.trouble is not None:
            found.leftovers.append(f"the consumer failed: {self._consumer.trouble!r}")
        return found

    def _progress(self) -> Progress:
        now = evidence.progress(self._journal)
        self._ledger.judged = now.judged
        return now

    def _note(self, kind: Kill, what: str) -> None:
        """One more of this kind is done."""
        self._done[kind.value] += 1
        self._say(f"{time.monotonic() - self._began:6.1f} s  {what}")

    def _go_on(self) -> None:
        """Senders hear how far the gateway is; who looks on hears when it is no more."""
        self._progress()
        self._must_be_alive()

    def _must_be_alive(self) -> None:
        assert self._gateway.running, self._complaint("the gateway ended by itself")
        for sender in self.senders:
            assert sender.trouble is None, self._complaint(sender.trouble or "")

    def _complaint(self, what: str) -> str:
        return f"seed {self._torture.seed}: {what}\n{self._gateway.log_tail()}"
