"""Who answers a request: the thread that read it, or the session's own. Answers are the same."""

from __future__ import annotations

import itertools
import struct
import threading
from types import SimpleNamespace
from typing import Any

import paramiko
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_twisted import ensureDeferred

from gateway.service.sftp_server import replies
from gateway.service.sftp_server.pipe import Pipe
from gateway.service.sftp_server.protocol import Attributes, Kind, Status
from gateway.service.sftp_server.subsystem import Session
from tests.service.sftp_gateway import SftpGateway

SECONDS = 20.0


def request(kind: int, number: int, *names: bytes) -> bytes:
    """One packet."""
    body = bytes((kind,)) + struct.pack(">I", number)
    body += b"".join(struct.pack(">I", len(name)) + name for name in names)
    return struct.pack(">I", len(body)) + body


def stat(number: int) -> bytes:
    """A request that is answered at once."""
    return request(Kind.STAT, number, b"/")


def close(number: int) -> bytes:
    """One that never is."""
    return request(Kind.CLOSE, number, b"x")


class Channel:
    """As much of a paramiko channel as the pipe and the session use."""

    def __init__(self) -> None:
        self.in_buffer: Any = paramiko.channel.BufferedPipe()
        self.transport = SimpleNamespace(clear_to_send=threading.Event())
        self.transport.clear_to_send.set()
        self.out_window_size = 1 << 20
        self.answers: list[tuple[bytes, int]] = []
        self.read = 0
        self.gone = False
        self.answering = threading.Event()
        self.answering.set()

    def recv(self, nbytes: int) -> bytes:
        """What paramiko counts as read."""
        data: bytes = self.in_buffer.read(nbytes)
        self.read += len(data)
        return data

    def sendall(self, content: bytes) -> None:
        """Keep it, with the thread it came from."""
        assert self.answering.wait(SECONDS)
        if self.gone:
            raise OSError("Socket is closed")
        self.answers.append((content, threading.get_ident()))


class Line:
    """A session behind its pipe; the test is the thread that reads the connection."""

    def __init__(self) -> None:
        self.channel = Channel()
        home: Any = SimpleNamespace(attributes=lambda _: Attributes(size=7))
        self.session = Session(
            self.channel, home, partner="acme", alive=lambda: True, log=structlog.get_logger()
        )
        self.alone = True
        stand_in: Any = self.channel
        Pipe.put_into(stand_in, self.session, alone=lambda: self.alone)
        self.thread = threading.Thread(target=self.session.serve, daemon=True)
        self.thread.start()

    def feed(self, data: bytes) -> None:
        """As paramiko does with a message of the channel."""
        self.channel.in_buffer.feed(data)

    def end(self) -> list[bytes]:
        """Close the channel; every answer, in order."""
        self.channel.in_buffer.close()
        self.thread.join(SECONDS)
        assert not self.thread.is_alive()
        return [content for content, _ in self.channel.answers]

    def mine(self) -> list[bool]:
        """Of each answer, whether the thread that read the request gave it."""
        return [thread == threading.get_ident() for _, thread in self.channel.answers]


def found(number: int) -> bytes:
    """The answer to a `stat`."""
    return replies.attributes(number, Attributes(size=7))


def no_handle(number: int) -> bytes:
    """The answer to a `close`."""
    return replies.status(number, Status.FAILURE, "no such handle")


def test_whoever_read_a_request_answers_it() -> None:
    line = Line()
    for number in range(3):
        line.feed(stat(number))
    assert line.mine() == [True, True, True], "and when `feed` returns, it is answered"
    assert line.channel.read == 3 * len(stat(0)), "paramiko widens the window by what is read"
    assert line.end() == [found(0), found(1), found(2)]


@pytest.mark.parametrize(
    ("what", "answers"),
    [
        ([close(1)], [no_handle(1)]),
        ([stat(1) + stat(2)], [found(1), found(2)]),
        ([stat(1)[:6], stat(1)[6:]], [found(1)]),
        ([stat(1) + stat(2)[:5], stat(2)[5:]], [found(1), found(2)]),
        (
            [request(Kind.EXTENDED, 1, b"?")],
            [replies.status(1, Status.OP_UNSUPPORTED, "not supported")],
        ),
    ],
    ids=["close", "two", "half", "one-and-a-half", "unknown"],
)
def test_what_may_wait_or_is_not_one_whole_request_goes_to_the_session(
    what: list[bytes], answers: list[bytes]
) -> None:
    line = Line()
    for data in what:
        line.feed(data)
    assert line.end() == answers
    assert not any(line.mine())


def test_nothing_is_answered_before_what_came_before_it() -> None:
    """The session is at work on a close: what comes next waits for it, though it is quick."""
    line = Line()
    line.channel.answering.clear()
    line.feed(close(1))
    line.feed(stat(2))
    line.feed(stat(3))
    assert line.channel.answers == []
    line.channel.answering.set()
    assert line.end() == [no_handle(1), found(2), found(3)]
    assert not any(line.mine())


@pytest.mark.parametrize("why", ["keys", "window", "others"])
def test_where_sending_might_wait_the_session_answers(why: str) -> None:
    """While keys are exchanged or the window is full, only this thread hears of their end."""
    line = Line()
    if why == "keys":
        line.channel.transport.clear_to_send.clear()
    elif why == "window":
        line.channel.out_window_size = 100
    else:
        line.alone = False
    line.feed(stat(1))
    assert line.end() == [found(1)]
    assert line.mine() == [False]


def test_a_session_that_is_being_ended_is_left_alone() -> None:
    line = Line()
    with line.session.working:
        line.feed(stat(1))
        assert line.channel.answers == []
    assert line.end() == [found(1)]
    line.feed(stat(2))
    assert len(line.channel.answers) == 1, "after its end nothing is opened or answered any more"


def test_a_client_that_leaves_meanwhile_breaks_nothing() -> None:
    line = Line()
    line.channel.gone = True
    line.feed(stat(1))
    assert line.end() == []


def test_what_came_before_the_session_is_answered_by_it() -> None:
    channel = Channel()
    channel.in_buffer.feed(stat(1))
    home: Any = SimpleNamespace(attributes=lambda _: Attributes(size=7))
    session = Session(channel, home, partner="a", alive=lambda: True, log=structlog.get_logger())
    stand_in: Any = channel
    Pipe.put_into(stand_in, session, alone=lambda: True)
    channel.in_buffer.feed(stat(2))
    assert channel.answers == []
    channel.in_buffer.close()
    session.serve()
    assert [content for content, _ in channel.answers] == [found(1), found(2)]


@settings(max_examples=60, deadline=None)
@given(
    kinds=st.lists(st.booleans(), min_size=1, max_size=30),
    cuts=st.lists(st.integers(1, 60), min_size=1, max_size=10),
    whole=st.booleans(),
)
def test_however_it_is_cut_every_request_is_answered_once_in_order(
    kinds: list[bool], cuts: list[int], whole: bool
) -> None:
    """Two threads answer in turns."""
    requests = [stat(n) if quick else close(n) for n, quick in enumerate(kinds)]
    line = Line()
    if whole:
        for each in requests:
            line.feed(each)
    else:
        stream, sizes = b"".join(requests), itertools.cycle(cuts)
        while stream:
            size = next(sizes)
            line.feed(stream[:size])
            stream = stream[size:]
    answers = [found(n) if quick else no_handle(n) for n, quick in enumerate(kinds)]
    assert line.end() == answers
    assert line.channel.read == sum(map(len, requests))


# ---- with real clients


@pytest.mark.ssh
@pytest.mark.timeout(120)
@pytest.mark.parametrize("pipelined", [False, True])
@ensureDeferred
async def test_more_than_the_window_in_requests_of_one_message_each(
    sftp_gateway: SftpGateway, pipelined: bool
) -> None:
    """12 MB of a window of 2 MB, each write small enough for one message; new keys meanwhile."""
    content = bytes(range(256)) * 47_000

    def upload(client: paramiko.SFTPClient) -> None:
        channel = client.get_channel()
        assert channel is not None
        with client.open("in/a.xml", "wb") as file:
            file.set_pipelined(pipelined)
            for start in range(0, len(content), 30_000):
                file.write(content[start : start + 30_000])
                if start % 3_000_000 == 0:
                    channel.get_transport().renegotiate_keys()
        assert client.stat("in/a.xml").st_size == len(content)

    await sftp_gateway.with_paramiko(upload)
    assert sftp_gateway.received == [("a.xml", content)]


@pytest.mark.ssh
@pytest.mark.timeout(120)
@ensureDeferred
async def test_sessions_of_one_connection_do_not_wait_for_each_other(
    sftp_gateway: SftpGateway,
) -> None:
    """One wants a name that the other is writing: that one goes on, and may still finish it."""

    def upload(client: paramiko.SFTPClient) -> None:
        channel = client.get_channel()
        assert channel is not None
        other = paramiko.SFTPClient.from_transport(channel.get_transport())
        assert other is not None
        first = client.open("in/a.xml", "wb")
        first.write(b"<a/>")
        opened: list[Any] = []
        waits = threading.Thread(target=lambda: opened.append(other.open("in/a.xml", "wb")))
        waits.start()
        first.write(b"<b/>")
        first.close()
        waits.join(SECONDS)
        opened[0].write(b"<c/>")
        opened[0].close()
        other.close()

    await sftp_gateway.with_paramiko(upload)
    assert [content for _, content in sftp_gateway.received] == [b"<a/><b/>", b"<c/>"]
