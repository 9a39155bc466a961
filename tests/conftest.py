"""Fixtures that several rooms share."""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from gateway.service.amqp_topology import EXCHANGES, QUEUES, TEST_QUEUES
from tests.broker import Broker, require_rabbitmq

APART = ("integration", "console", "docs", "fuzz", "interop", "packaging")
"""Rooms whose tests start whole gateways, or measure."""
MOST_UNCOLLECTED = 50_000
"""Objects made since the last collection of garbage, beyond which the next one is due."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what several processes may do at once; `scripts/run-tests` has them do it."""
    apart = [Path(__file__).parent / name for name in APART]
    for item in items:
        marked = any(
            mark in item.keywords for mark in ("alone", "browser", "broker", "clamd", "ssh")
        )
        bench = item.path.name.startswith("test_bench_")
        if not (marked or bench or any(room in item.path.parents for room in apart)):
            item.add_marker(pytest.mark.together)


def pytest_configure() -> None:
    """Let libraries that never meet in one process of the gateway get along in this one."""
    _collect_garbage_in_one_thread()
    _keep_zope_out_of_python()


def _keep_zope_out_of_python() -> None:
    """Take away what zope.interface leaves in Python's own Sequence and its bases.

    `twisted.internet.testing` declares an interface for a kind of Sequence, which gives each base
    a `__provides__` that `dir` shows and `getattr` refuses. xmlschema, whose schemas are Sequences
    too, then fails at every one.
    """
    import twisted.internet.testing  # noqa: F401

    for base in Sequence.__mro__:
        if "__provides__" in vars(base):
            del base.__provides__


def _collect_garbage_in_one_thread() -> None:
    """Leave no garbage for Python to collect in whatever thread happens to be running.

    SaxonC's runtime ends the process (exit code 99, without a word) when one of its objects is
    given back in a thread it does not know, and a judge that a test used is such garbage: it hangs
    together in circles. The daemon is not concerned: it never loads SaxonC, and judges have one
    thread.
    """
    gc.disable()


def pytest_runtest_setup() -> None:
    """Give Twisted back the signal that tells it of a child's end.

    SaxonC's runtime, when a test loads it into this process, puts SIGCHLD back to its default
    behind Python's back; the reactor would then wait for ever for processes that have ended. The
    gateway itself is not concerned: only judges load SaxonC, and they have no children.
    """
    handler = signal.getsignal(signal.SIGCHLD)
    if callable(handler):
        signal.signal(signal.SIGCHLD, handler)
        signal.siginterrupt(signal.SIGCHLD, False)
    if gc.get_count()[0] > MOST_UNCOLLECTED:
        gc.collect()  # here, in the main thread


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One private RabbitMQ node for the whole run. Tests take `broker` instead."""
    require_rabbitmq()
    node = Broker(tmp_path_factory.mktemp("rabbitmq"))
    try:
        node.start()
        yield node
    finally:
        node.close()


@pytest.fixture
def broker(rabbitmq: Broker) -> Iterator[Broker]:
    """The node, running, without any of the gateway's exchanges and queues."""
    rabbitmq.start()
    connection = rabbitmq.connect()
    channel = connection.channel()
    for queue in (*QUEUES, *TEST_QUEUES):
        channel.queue_delete(queue.name)
    for exchange in EXCHANGES:
        channel.exchange_delete(exchange)
    connection.close()
    yield rabbitmq
    rabbitmq.start()
