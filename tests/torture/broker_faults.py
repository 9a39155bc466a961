"""What goes wrong with the broker: it, the wire to it, its memory, its queues.

Each fault is seen to have happened before it is over, and each is over when it returns: the broker
is there again, the wire whole, and the consumer has had a message since.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from pika import exceptions

from gateway.service.amqp_topology import QUEUES
from gateway.service.journal import open_reader
from gateway.service.journal.tables import outbox
from tests.broker import Broker
from tests.torture.consumer import Consumer
from tests.torture.kills import Kill
from tests.torture.wire import Wire

AWAY_SECONDS = 2.0
"""How long the broker is away, silent or blocked."""
BACK_SECONDS = 90.0
"""Within so long after that something is published and consumed again."""
EMPTY_POLLS = 4
"""A queue that so many looks find empty, with nothing on its way to it, is empty."""
CONFIRM_BYTES = 21
"""A `basic.ack`, of one message or of many."""
AGAIN_SECONDS = 60.0
"""A broker whose queues are not there so long after its start is started once more."""
LOG_CHARACTERS = 12_000
"""Of the broker's log in what is said of it: a crash report of RabbitMQ's is some thousand."""
_POLL = 0.25


class BrokerFaults:
    """Does them, one at a time. `alive` is called while it waits, and raises when that is vain."""

    def __init__(
        self,
        broker: Broker,
        wire: Wire,
        consumer: Consumer,
        *,
        journal: Path,
        log: Path,
        alive: Callable[[], None],
        dice: random.Random,
    ) -> None:
        self._broker = broker
        self._wire = wire
        self._consumer = consumer
        self._journal = journal
        self._log = log
        self._alive = alive
        self._dice = dice
        self._do: dict[Kill, Callable[[], str]] = {
            Kill.STOPPED: self._stop,
            Kill.KILLED: self._kill,
            Kill.CUT: self._cut,
            Kill.UNCONFIRMED: self._lose_confirms,
            Kill.HELD: self._hold,
            Kill.MEMORY: self._alarm,
            Kill.DELETED: self._delete,
        }

    def do(self, kind: Kill) -> str:
        """Let it happen, and wait until all is well again: a few words about it."""
        said = self._do[kind]()
        before = self._consumer.deliveries
        self._until(lambda: self._consumer.deliveries > before, f"a message after: {said}")
        return said

    def mend(self) -> None:
        """Leave the broker as it was found, whatever happened."""
        self._wire.flow()
        self._broker.start()

    def _stop(self) -> str:
        self._broker.stop()
        return self._start_again("stopped")

    def _kill(self) -> str:
        self._broker.kill()
        return self._start_again("killed")

    def _start_again(self, how: str) -> str:
        connections = self._consumer.connections
        time.sleep(AWAY_SECONDS)
        self._broker.start()
        said = f"the broker was {how} and started"
        if not self._within(AGAIN_SECONDS, lambda: self._consumer.connections > connections):
            # Seen once: RabbitMQ 3.10.8 answered, and its queues did not. Known of quorum queues
            # (rabbitmq-server issue 4512), whose remedy it is to start the broker again.
            said = f"{said}, then once more, for its queues did not answer: {self._end_of_log()}"
            self._broker.stop()
            self._broker.start()
        self._until(lambda: self._consumer.connections > connections, "the consumer's return")
        return said

    def _cut(self) -> str:
        size = self._dice.randint(1, 3000)
        assert self._wire.cut_within(size), "the gateway said nothing that could be cut"
        return f"the connection was cut after {size} bytes"

    def _lose_confirms(self) -> str:
        assert self._wire.swallow(CONFIRM_BYTES), "the broker said nothing that could be lost"
        return "the broker's confirms were lost"

    def _hold(self) -> str:
        self._wire.hold()
        time.sleep(AWAY_SECONDS)
        self._wire.flow()
        return "nothing reached the broker for a while"

    def _alarm(self) -> str:
        before = self._blocked()
        self._broker.ctl("set_vm_memory_high_watermark", "0.0001")
        try:
            self._until(lambda: self._blocked() > before, "the gateway's word that it is blocked")
            time.sleep(AWAY_SECONDS)
        finally:
            self._broker.ctl("set_vm_memory_high_watermark", "0.4")
        return "the broker had no memory"

    def _delete(self) -> str:
        """While nothing is under way to the queue, so that nothing is lost that was confirmed."""
        name = self._dice.choice(QUEUES).name
        connections, returned = self._consumer.connections, self._returned()
        self._wire.hold()
        try:
            self._empty_and_delete(name)
        finally:
            self._wire.flow()
        self._until(lambda: self._returned() > returned, f"a message returned for want of {name}")
        self._until(lambda: self._is_there(name), f"{name}, declared again")
        self._until(lambda: self._consumer.connections > connections, f"the consumer of {name}")
        return f"{name} was deleted"

    def _empty_and_delete(self, name: str) -> None:
        connection = self._broker.connect()
        try:
            channel = connection.channel()
            looks = 0

            def empty() -> bool:
                nonlocal looks
                found = channel.queue_declare(name, passive=True).method.message_count
                looks = looks + 1 if found == 0 else 0
                return looks >= EMPTY_POLLS

            self._until(empty, f"{name} to be emptied")
            channel.queue_delete(name)
        finally:
            connection.close()

    def _is_there(self, name: str) -> bool:
        connection = self._broker.connect()
        try:
            connection.channel().queue_declare(name, passive=True)
        except exceptions.ChannelClosedByBroker:
            return False
        finally:
            connection.close()
        return True

    def _blocked(self) -> int:
        """How often the gateway noticed it."""
        return self._log.read_bytes().count(b'"broker_blocked"')

    def _returned(self) -> int:
        """How often the journal says that no queue took a message."""
        engine = open_reader(self._journal)
        try:
            with engine.connect() as conn:
                return int(
                    conn.execute(
                        sa.select(sa.func.coalesce(sa.func.sum(outbox.c.refusals), 0)).where(
                            outbox.c.destination == "broker"
                        )
                    ).scalar_one()
                )
        finally:
            engine.dispose()

    def _until(self, done: Callable[[], bool], what: str) -> None:
        assert self._within(BACK_SECONDS, done), (
            f"waited {BACK_SECONDS:.0f} s in vain for {what}; {self._end_of_log()}"
        )

    def _within(self, seconds: float, done: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + seconds
        while not done():
            self._alive()
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL)
        return True

    def _end_of_log(self) -> str:
        return f"the broker's log ends:\n{self._broker.output()[-LOG_CHARACTERS:]}"
