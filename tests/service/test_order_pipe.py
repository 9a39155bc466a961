"""Words to a child process: at once while there is room, in order, and never in the way."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor

from gateway.service.order_pipe import OrderPipe
from tests.service.sftp_gateway import until


@pytest.fixture
def pipe() -> Iterator[OrderPipe]:
    made = OrderPipe(reactor)
    yield made
    made.close()


def test_a_word_is_there_at_once(pipe: OrderPipe) -> None:
    """Without a turn of the reactor."""
    pipe.write(b"one")
    pipe.write(b"two")
    assert os.read(pipe.far_end, 100) == b"onetwo"
    pipe.started()


@ensureDeferred
async def test_what_finds_no_room_follows_in_order(pipe: OrderPipe) -> None:
    """A child that is slow to read gets everything in the end."""
    words = [bytes([number]) * 10_000 for number in range(40)]
    for word in words:
        pipe.write(word)
    got = bytearray()

    def read() -> bool:
        if len(got) < 400_000:
            got.extend(os.read(pipe.far_end, 7_000))
        return len(got) == 400_000

    await until(read)
    assert bytes(got) == b"".join(words)
    pipe.write(b"and after")
    assert os.read(pipe.far_end, 100) == b"and after"
    pipe.started()


@ensureDeferred
async def test_a_child_that_is_gone_is_told_nothing(pipe: OrderPipe) -> None:
    """Neither at once nor of what still waited; whoever started it hears of its end."""
    for _ in range(40):
        pipe.write(b"x" * 10_000)
    pipe.started()
    await until(lambda: pipe.fileno() == -1)
    pipe.write(b"nobody")
    alone = OrderPipe(reactor)
    alone.started()
    alone.write(b"nobody")
    alone.close()
    alone.close()
