"""Exchanges, queues and bindings the gateway relies on, as data.

The gateway declares them at every connection (`rabbitmq.declare`); a sysadmin who prefers to do
so imports `conf/rabbitmq-definitions.json`, which a test keeps equal to this module. There is no
alternate exchange on purpose: a broker confirms, and never returns, what an alternate exchange
took, and a message without a queue must come back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from gateway.model.interchange import Environment
from gateway.model.publication import Exchange

EXCHANGE_TYPE = "topic"

EXCHANGES: tuple[str, ...] = tuple(exchange.value for exchange in Exchange)

QUEUE_ARGUMENTS: dict[str, Any] = {"x-queue-type": "quorum"}


REQUESTS_ARGUMENTS: dict[str, Any] = {**QUEUE_ARGUMENTS, "x-delivery-limit": 1_000_000}
"""Of the queue of requests. What fails for a reason of ours is given back, ever more seldom: the
few times after which RabbitMQ 4 drops a message by itself would be over in an hour."""


class Queue(msgspec.Struct, frozen=True):
    """A durable quorum queue and the one binding that fills it."""

    name: str
    exchange: Exchange
    binding: str


QUEUES: tuple[Queue, ...] = (
    Queue("edi.documents.accepted", Exchange.DOCUMENTS, "#.accepted"),
    Queue("edi.documents.rejected", Exchange.DOCUMENTS, "#.rejected"),
    Queue("edi.acknowledgements", Exchange.ACKNOWLEDGEMENTS, "#"),
)
TEST_QUEUES: tuple[Queue, ...] = (
    Queue("edi.test.documents.accepted", Exchange.TEST_DOCUMENTS, "#.accepted"),
    Queue("edi.test.documents.rejected", Exchange.TEST_DOCUMENTS, "#.rejected"),
    Queue("edi.test.acknowledgements", Exchange.TEST_ACKNOWLEDGEMENTS, "#"),
)


def definitions(virtual_host: str = "/") -> dict[str, Any]:
    """The topology in RabbitMQ's definitions format (`rabbitmqctl import_definitions`)."""
    return {
        "exchanges": [
            {
                "name": exchange,
                "vhost": virtual_host,
                "type": EXCHANGE_TYPE,
                "durable": True,
                "auto_delete": False,
                "internal": False,
                "arguments": {},
            }
            for exchange in EXCHANGES
        ],
        "queues": [
            {
                "name": queue.name,
                "vhost": virtual_host,
                "durable": True,
                "auto_delete": False,
                "arguments": QUEUE_ARGUMENTS,
            }
            for queue in (*QUEUES, *TEST_QUEUES)
        ],
        "bindings": [
            {
                "source": queue.exchange.value,
                "vhost": virtual_host,
                "destination": queue.name,
                "destination_type": "queue",
                "routing_key": queue.binding,
                "arguments": {},
            }
            for queue in (*QUEUES, *TEST_QUEUES)
        ],
    }


def declarations(*, tests: bool = False) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """What to declare, in order: a name for people, the channel's method, its arguments.

    `tests`: what test partners need as well. Where there is none, a broker's user who may declare
    nothing else goes on without it.
    """
    wanted = {Environment.PRODUCTION, *([Environment.TEST] if tests else [])}
    for exchange in Exchange:
        if exchange.environment not in wanted:
            continue
        yield (
            f"exchange {exchange.value}",
            "exchange_declare",
            {"exchange": exchange.value, "exchange_type": EXCHANGE_TYPE, "durable": True},
        )
    for queue in (*QUEUES, *(TEST_QUEUES if tests else ())):
        yield (
            f"queue {queue.name}",
            "queue_declare",
            {"queue": queue.name, "durable": True, "arguments": QUEUE_ARGUMENTS},
        )
        yield (
            f"binding of {queue.name}",
            "queue_bind",
            {"queue": queue.name, "exchange": queue.exchange.value, "routing_key": queue.binding},
        )


def dead_letters_of(queue: str) -> str:
    """The queue of what could not be taken from `queue`."""
    return f"{queue}.dead"


def queue_names(*, tests: bool, requests_queue: str = "") -> list[str]:
    """The queues there should be: those of results, for tests too, and those of requests."""
    names = [queue.name for queue in (*QUEUES, *(TEST_QUEUES if tests else ()))]
    return [*names, *([requests_queue, dead_letters_of(requests_queue)] if requests_queue else [])]


def request_declarations(queue: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """As `declarations`: the queue in which statuses are asked for, and that of its dead letters.

    Both are filled by name, through the default exchange.
    """
    for name, arguments in ((queue, REQUESTS_ARGUMENTS), (dead_letters_of(queue), QUEUE_ARGUMENTS)):
        yield (
            f"queue {name}",
            "queue_declare",
            {"queue": name, "durable": True, "arguments": arguments},
        )
