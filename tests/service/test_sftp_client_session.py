"""The client's half of SFTP, against servers that answer oddly: byte for byte, no sockets."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest

from gateway.service.sftp_client import session as session_module
from gateway.service.sftp_client import words
from gateway.service.sftp_client.errors import RemoteAway, RemoteChanged, RemoteRefused
from gateway.service.sftp_client.session import BLOCK_BYTES, BLOCKS_AT_ONCE, Session
from gateway.service.sftp_server import decoder, replies
from gateway.service.sftp_server.protocol import (
    Attributes,
    Init,
    Kind,
    OnHandle,
    OnPath,
    Open,
    Read,
    Request,
    Status,
    Write,
)

Answering = Callable[[Request], bytes | list[bytes]]


class Server:
    """A channel to a server whose answers a test decides; what it was asked is kept."""

    def __init__(self, answering: Answering) -> None:
        self.asked: list[Request] = []
        self._answering = answering
        self._decoder = decoder.Decoder()
        self._out = bytearray()

    def sendall(self, s: bytes) -> None:
        """The client speaks."""
        for request in self._decoder.feed(s):
            self.asked.append(request)
            if isinstance(request, Init):
                self._out += replies.version()
            else:
                said = self._answering(request)
                self._out += said if isinstance(said, bytes) else b"".join(said)

    def recv(self, nbytes: int) -> bytes:
        """The client listens; in small pieces, as networks have it."""
        piece = bytes(self._out[: min(nbytes, 1000)])
        del self._out[: len(piece)]
        return piece

    def kinds(self) -> list[str]:
        """What it was asked for, by type."""
        return [type(each).__name__ for each in self.asked]


def talk(answering: Answering) -> tuple[Session, Server]:
    """A session with such a server."""
    server = Server(answering)
    return Session(server), server


def serving(body: bytes, *, most: int = BLOCK_BYTES, mtime: int = 5) -> Answering:
    """A server with one file, which gives at most `most` bytes at once."""

    def answer(request: Request) -> bytes:
        match request:
            case Open(number):
                return replies.handle(number, b"h")
            case Read(number, _, offset, length):
                piece = body[offset : offset + min(length, most)]
                if not piece:
                    return replies.status(number, Status.EOF)
                return replies.data(number, piece)
            case OnHandle(number, Kind.FSTAT):
                return replies.attributes(number, Attributes(len(body), mtime=mtime))
            case OnHandle(number, Kind.CLOSE):
                return replies.status(number, Status.OK)
        raise AssertionError(request)

    return answer


@pytest.mark.parametrize("most", [BLOCK_BYTES, BLOCK_BYTES - 1, 700])
def test_a_server_may_give_less_than_it_was_asked_for(most: int) -> None:
    """The rest is asked for; nothing is missing and nothing comes twice."""
    body = bytes(range(256)) * 1000
    session, _ = talk(serving(body, most=most))
    assert b"".join(session.read(b"/a", len(body), 5)) == body


def test_reads_under_way_are_bounded() -> None:
    """However large the file is, so many blocks are asked for ahead, and no more."""
    body = bytes(BLOCK_BYTES * BLOCKS_AT_ONCE * 3)
    session, server = talk(serving(body))
    reading = session.read(b"/a", len(body), 5)
    next(reading)
    assert server.kinds().count("Read") == BLOCKS_AT_ONCE
    reading.close()


def test_an_abandoned_read_leaves_the_session_of_use() -> None:
    """Answers nobody wants any more are told from those that somebody does."""
    body = bytes(BLOCK_BYTES * 50)
    session, server = talk(serving(body))
    for _ in range(3):
        reading = session.read(b"/a", len(body), 5)
        next(reading)
        reading.close()
    assert b"".join(session.read(b"/a", len(body), 5)) == body
    assert sum(isinstance(each, OnHandle) and each.kind == Kind.CLOSE for each in server.asked) == 4


@pytest.mark.parametrize("announced", [999, 1001, 40_000])
def test_a_file_of_another_size_is_a_changed_one(announced: int) -> None:
    """Shorter or longer than its listing said."""
    session, _ = talk(serving(b"x" * 1000))
    with pytest.raises(RemoteChanged):
        list(session.read(b"/a", announced, 5))


def test_a_file_written_to_meanwhile_is_a_changed_one() -> None:
    """Same size, another time."""
    session, _ = talk(serving(b"x" * 1000, mtime=6))
    with pytest.raises(RemoteChanged):
        list(session.read(b"/a", 1000, 5))


def test_answers_may_come_in_any_order() -> None:
    """Blocks are put where they belong."""
    body = bytes(range(256)) * 1024
    inner = serving(body)
    held: list[bytes] = []

    def backwards(request: Request) -> list[bytes]:
        if not isinstance(request, Read):
            return [inner(request)]  # type: ignore[list-item]
        held.append(inner(request))  # type: ignore[arg-type]
        if len(held) < len(body) // BLOCK_BYTES:
            return []
        return held[::-1]

    session, _ = talk(backwards)
    assert b"".join(session.read(b"/a", len(body), 5)) == body


def listing(*pages: list[tuple[bytes, bytes, Attributes]]) -> Answering:
    """A server with one folder."""
    left = list(pages)

    def answer(request: Request) -> bytes:
        match request:
            case OnPath(number, Kind.OPENDIR):
                return replies.handle(number, b"d")
            case OnHandle(number, Kind.READDIR):
                return (
                    replies.names(number, left.pop(0))
                    if left
                    else replies.status(number, Status.EOF)
                )
            case OnHandle(number, Kind.CLOSE):
                return replies.status(number, Status.OK)
            case OnPath(number, Kind.LSTAT):
                return replies.status(number, Status.NO_SUCH_FILE)
        raise AssertionError(request)

    return answer


def entry(name: bytes) -> tuple[bytes, bytes, Attributes]:
    """A file of one byte."""
    return name, b"-rw-r--r-- " + name, Attributes(1, permissions=0o100644, mtime=1)


def test_a_folder_may_hold_names_that_are_no_text() -> None:
    """Its other names are listed all the same."""
    session, _ = talk(listing([entry(b"a"), entry(b"caf\xe9")], [entry(b"b")]))
    assert [each.name for each in session.listing(b"/")] == [b"a", b"caf\xe9", b"b"]


def test_a_listing_can_be_left_early() -> None:
    """The folder is closed, and the next question gets its own answer."""
    session, server = talk(listing(*([entry(b"%d" % i)] for i in range(100))))
    entries = session.listing(b"/")
    next(entries)
    entries.close()
    with pytest.raises(RemoteRefused) as caught:
        session.look(b"/a")
    assert caught.value.gone
    assert server.kinds().count("OnHandle") <= session_module.READDIRS_AT_ONCE + 2


def test_a_write_fails_if_any_block_does() -> None:
    """The last block, or the close: where a full disk is told on some servers."""
    for failing in ("write", "close"):

        def answer(request: Request, failing: str = failing) -> bytes:
            match request:
                case Open(number):
                    return replies.handle(number, b"h")
                case Write(number, _, offset, _):
                    bad = failing == "write" and offset >= 90_000
                    return replies.status(number, Status.FAILURE if bad else Status.OK, "full")
                case OnHandle(number, Kind.CLOSE):
                    bad = failing == "close"
                    return replies.status(number, Status.FAILURE if bad else Status.OK, "full")
            return replies.status(request.id, Status.OK)  # type: ignore[union-attr]

        session, _ = talk(answer)
        with pytest.raises(RemoteRefused, match="full"):
            session.write(b"/a", [b"x" * 30_000] * 4)


HOSTILE: dict[str, Any] = {
    "a packet of 4 GB": b"\xff\xff\xff\xff",
    "an empty packet": b"\0\0\0\0",
    "a type nobody knows": struct.pack(">IBI", 5, 99, 1),
    "fields beyond the packet": struct.pack(">IBII", 9, Kind.DATA, 1, 1000),
    "an answer nobody asked for": replies.status(4711, Status.OK),
    "names without end": struct.pack(">IBII", 9, Kind.NAME, 1, 0xFFFFFFFF),
    "the end": b"",
}


@pytest.mark.parametrize("said", HOSTILE)
def test_nonsense_ends_the_connection(said: str) -> None:
    """It is `RemoteAway`, whatever it is: no memory is taken, and no answer believed."""
    session, _ = talk(lambda request: HOSTILE[said])
    with pytest.raises(RemoteAway):
        session.look(b"/a")


def test_a_server_of_another_protocol_is_away() -> None:
    """What a login shell prints into the channel, say."""

    class Shell:
        def sendall(self, s: bytes) -> None:
            pass

        def recv(self, nbytes: int) -> bytes:
            return b"Welcome to Debian!\r\n"

    with pytest.raises(RemoteAway):
        Session(Shell())


def test_extended_attributes_are_skipped() -> None:
    """Some servers send more than was asked for (§5)."""
    extended = struct.pack(">I", 1) + struct.pack(">I", 1) + b"k" + struct.pack(">I", 1) + b"v"
    packet = (
        bytes((Kind.ATTRS,)) + struct.pack(">II", 1, 0x80000001) + struct.pack(">Q", 7) + extended
    )
    assert words.answer(packet) == words.Looked(1, Attributes(7))
