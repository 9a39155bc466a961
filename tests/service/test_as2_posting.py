"""One POST to a partner's server: what it may answer, and what it may not do to us."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet import reactor, task
from twisted.internet.threads import deferToThread
from twisted.logger import LogEvent, LogLevel, globalLogPublisher

from gateway.errors import DeliveryFailed
from gateway.service.as2.posting import Poster
from tests.as2_partner import Listener, Said
from tests.broker import free_port

MOST = 100_000


@async_yield_fixture
async def poster() -> AsyncIterator[Poster]:
    """One that waits a second; nothing may go wrong in it unseen."""
    wrong: list[LogEvent] = []

    def observe(event: LogEvent) -> None:
        if event["log_level"] >= LogLevel.error:
            wrong.append(event)

    globalLogPublisher.addObserver(observe)
    made = Poster(reactor, seconds=1.0, max_answer_bytes=MOST)
    yield made
    await made.stop()
    globalLogPublisher.removeObserver(observe)
    assert wrong == []


@pytest.fixture
def listener() -> Iterator[Listener]:
    """The partner's server."""
    made = Listener()
    yield made
    made.close()


@ensureDeferred
async def test_body_and_answer_pass_as_they_are(
    poster: Poster, listener: Listener, tmp_path: Path
) -> None:
    """Bytes from memory and from a file; names and values of header fields both ways."""
    listener.answers["/"] = lambda came: Said(201, (("X-Said", "ü"),), came.body[:MOST])
    content = bytes(range(256)) * 1000
    file = tmp_path / "body"
    file.write_bytes(content)
    for body, sent in ((b"abc", b"abc"), (b"", b""), (file, content)):
        answer = await poster.post(listener.url("/"), (("Message-ID", "<1@x>"),), body)
        assert (answer.status, answer.body) == (201, sent[:MOST])
        assert ("X-Said", "ü") in answer.headers
        came = listener.wait("/")[-1]
        assert (came.get("Message-ID"), came.body) == ("<1@x>", sent)


@ensureDeferred
async def test_a_redirect_is_an_answer_like_others(poster: Poster, listener: Listener) -> None:
    """A message goes where the partner file says, and nowhere a server points to."""
    listener.answers["/"] = lambda _: Said(307, (("Location", listener.url("/other")),), b"")
    answer = await poster.post(listener.url("/"), (), b"abc")
    assert answer.status == 307
    assert listener.at("/other") == []


def endless(written: list[int], pause: float, ended: threading.Event) -> Iterator[bytes]:
    """An answer that goes on for as long as somebody listens, for 20 s at most."""
    until = time.monotonic() + 20
    piece = bytes(10 if pause else 50_000)
    try:
        while time.monotonic() < until:
            written.append(len(piece))
            yield piece
            time.sleep(pause)
    finally:
        ended.set()


@pytest.mark.parametrize(("pause", "words"), [(0, "larger"), (0.02, "did not answer within")])
@ensureDeferred
async def test_an_answer_without_end_is_hung_up_on(
    poster: Poster, listener: Listener, pause: float, words: str
) -> None:
    """Be it fast or dripping: the attempt fails, and the connection is closed."""
    written: list[int] = []
    ended = threading.Event()
    listener.answers["/"] = lambda _: endless(written, pause, ended)
    with pytest.raises(DeliveryFailed, match=words):
        await poster.post(listener.url("/"), (), b"abc")
    for _ in range(200):
        if ended.is_set():
            break
        await task.deferLater(reactor, 0.02)
    assert ended.is_set(), "the partner's server is still heard"
    assert sum(written) < 20_000_000


@ensureDeferred
async def test_an_answer_that_is_cut_off_is_none(poster: Poster, listener: Listener) -> None:
    """Half a receipt must not pass for a whole one."""

    def cut(_: Said) -> Said:
        return Said(200, (("Content-Length", "100"),), b"abc")

    listener.answers["/"] = cut
    with pytest.raises(DeliveryFailed):
        await poster.post(listener.url("/"), (), b"abc")


@ensureDeferred
async def test_an_answer_before_the_body_was_sent(poster: Poster, tmp_path: Path) -> None:
    """A server that says no at once and hangs up: the attempt ends, and nothing is left running."""
    file = tmp_path / "body"
    with file.open("wb") as out:
        out.truncate(60_000_000)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(10)
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 413 Too large\r\nContent-Length: 0\r\n\r\n")
                time.sleep(0.2)

        going = deferToThread(serve)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        with contextlib.suppress(DeliveryFailed):
            assert (await poster.post(url, (), file)).status == 413
        await going
    await task.deferLater(reactor, 0.1)


@ensureDeferred
async def test_a_server_that_is_away_is_told_in_words(poster: Poster, tmp_path: Path) -> None:
    """With the URL, and what to look at; a body of ours that is gone as well."""
    url = f"http://127.0.0.1:{free_port()}/"
    with pytest.raises(DeliveryFailed, match="could not be reached") as caught:
        await poster.post(url, (), b"abc")
    assert url in str(caught.value)
    with pytest.raises(DeliveryFailed, match="cannot be read"):
        await poster.post(url, (), tmp_path / "gone")
