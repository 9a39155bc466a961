"""What clamd is told and what its replies mean; with a stand-in that says what a test wants."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet import defer, endpoints, protocol, reactor, task
from twisted.internet.testing import StringTransport

from gateway.config.settings import Antivirus
from gateway.errors import AntivirusUnavailable, ConfigurationError
from gateway.service.antivirus import (
    AT_ONCE,
    Clamd,
    Clean,
    Conversation,
    Found,
    endpoint_of,
    verdict_of,
)


class StandIn(protocol.Protocol):
    """One connection to the stand-in: takes an INSTREAM apart."""

    def __init__(self, clamd: FakeClamd) -> None:
        self.clamd = clamd
        self.buffer = b""

    def connectionMade(self) -> None:  # noqa: N802
        """One more."""
        self.clamd.open.append(self)
        self.clamd.most_open = max(self.clamd.most_open, len(self.clamd.open))

    def connectionLost(self, reason: Any = protocol.connectionDone) -> None:  # noqa: N802
        """One less."""
        self.clamd.open.remove(self)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        """Whole once the piece of length 0 is there."""
        self.buffer += data
        pieces = self.buffer.removeprefix(b"zINSTREAM\0")
        whole = b""
        while len(pieces) >= 4:
            (length,) = struct.unpack(">I", pieces[:4])
            if len(pieces) < 4 + length:
                return
            if not length:
                self.clamd.payloads.append(whole)
                self.clamd.answer(self)
                return
            whole += pieces[4 : 4 + length]
            pieces = pieces[4 + length :]

    def say(self, reply: bytes) -> None:
        """Answer and hang up, as clamd does."""
        assert self.transport is not None
        self.transport.write(reply)
        self.transport.loseConnection()


class FakeClamd:
    """Listens on a socket of its own; `answer` decides what becomes of a whole payload."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "clamd.sock")
        self.folder = folder
        self.payloads: list[bytes] = []
        self.open: list[StandIn] = []
        self.most_open = 0
        self.answer: Callable[[StandIn], None] = lambda one: one.say(b"stream: OK\0")
        factory: Any = protocol.Factory()
        factory.buildProtocol = lambda _: StandIn(self)
        self.factory = factory
        self.port: Any = None

    async def listen(self) -> None:
        """Begin."""
        self.port = await endpoints.UNIXServerEndpoint(  # type: ignore[no-untyped-call]
            reactor, self.address
        ).listen(self.factory)

    def file(self, data: bytes, name: str = "payload") -> tuple[Path, int]:
        """A file with these bytes, and its size."""
        path = self.folder / name
        path.write_bytes(data)
        return path, len(data)

    def client(self, **settings: Any) -> Clamd:
        """The gateway's side."""
        return Clamd(reactor, Antivirus(address=self.address, **settings))


@async_yield_fixture
async def clamd(tmp_path: Path) -> AsyncIterator[FakeClamd]:
    """The stand-in, listening."""
    fake = FakeClamd(tmp_path)
    await fake.listen()
    yield fake
    await fake.port.stopListening()
    for one in fake.open:
        one.transport.abortConnection()  # type: ignore[union-attr]


@pytest.mark.parametrize("size", [0, 1, 65_536, 3_000_001])
@ensureDeferred
async def test_every_byte_is_streamed_and_ok_means_clean(clamd: FakeClamd, size: int) -> None:
    """Whatever its size, clamd sees the payload as it is."""
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    assert await clamd.client().scan(*clamd.file(data)) == Clean()
    assert clamd.payloads == [data]


@ensureDeferred
async def test_what_was_found_is_named(clamd: FakeClamd) -> None:
    """A virus is an answer, not a failure."""
    clamd.answer = lambda one: one.say(b"stream: Win.Test.EICAR_HDB-1 FOUND\0")
    assert await clamd.client().scan(*clamd.file(b"x")) == Found("Win.Test.EICAR_HDB-1")


@pytest.mark.parametrize(
    ("reply", "cause", "remedy"),
    [
        ("INSTREAM size limit exceeded. ERROR", "as large as", "StreamMaxLength"),
        ("INSTREAM size limit exceeded. ERROR", "as large as", "antivirus.max_bytes"),
        ("stream: Heuristics.Limits.Exceeded.MaxFiles FOUND", "whole file", "Raise MaxFiles"),
        ("stream: Heuristics.Limits.Exceeded FOUND", "whole file", "Raise the limit"),
        ("stream: Can't allocate memory ERROR", "Can't allocate memory", "log"),
        ("UNKNOWN COMMAND", "UNKNOWN COMMAND", "log"),
        ("", 'says ""', "log"),
        ("stream: OKAY", "OKAY", "log"),
    ],
)
def test_a_reply_that_is_no_verdict_is_never_clean(reply: str, cause: str, remedy: str) -> None:
    """It says what happened and what to do about it; limits of clamd's are no virus."""
    with pytest.raises(AntivirusUnavailable) as raised:
        verdict_of(reply)
    assert cause in raised.value.what
    assert remedy in raised.value.remedy


@ensureDeferred
async def test_a_payload_above_max_bytes_is_not_streamed(clamd: FakeClamd) -> None:
    """It is said to be unchecked, rather than checked in part."""
    with pytest.raises(AntivirusUnavailable, match="clamd is given 3 at most") as raised:
        await clamd.client(max_bytes=3).scan(*clamd.file(b"four"))
    assert "StreamMaxLength" in raised.value.remedy
    assert clamd.payloads == []


@ensureDeferred
async def test_nobody_listening_is_said_with_the_address(tmp_path: Path) -> None:
    """An operator reads where clamd was looked for."""
    address = str(tmp_path / "nowhere.sock")
    (tmp_path / "x").write_bytes(b"")
    with pytest.raises(AntivirusUnavailable, match=r"nowhere\.sock cannot be reached: .*2: No"):
        await Clamd(reactor, Antivirus(address=address)).scan(tmp_path / "x", 0)


@ensureDeferred
async def test_a_payload_that_is_gone_is_not_clean(clamd: FakeClamd) -> None:
    """Nothing to stream is not an empty file."""
    with pytest.raises(AntivirusUnavailable, match="could not be read"):
        await clamd.client().scan(clamd.folder / "gone", 5)


@ensureDeferred
async def test_clamd_hanging_up_without_a_word_is_not_clean(clamd: FakeClamd) -> None:
    """All was sent, nothing was said."""
    clamd.answer = lambda one: one.say(b"")
    with pytest.raises(AntivirusUnavailable, match="without an answer after 3 bytes"):
        await clamd.client().scan(*clamd.file(b"abc"))


@ensureDeferred
async def test_a_clamd_that_says_nothing_is_waited_for_so_long_only(clamd: FakeClamd) -> None:
    """The connection is dropped then, and the next payload gets its turn."""
    clamd.answer = lambda one: None
    client = clamd.client(timeout_seconds=0.05)
    for _ in range(AT_ONCE + 1):
        with pytest.raises(AntivirusUnavailable, match=r"within 0\.05 s"):
            await client.scan(*clamd.file(b"abc"))
    clamd.answer = lambda one: one.say(b"stream: OK\0")
    assert await client.scan(*clamd.file(b"abc")) == Clean()


@ensureDeferred
async def test_a_few_payloads_at_a_time(clamd: FakeClamd) -> None:
    """Twenty at once open no more connections than clamd has threads for; all are answered."""
    waiting: list[StandIn] = []
    clamd.answer = waiting.append
    client = clamd.client()
    all_of_them = [
        defer.Deferred.fromCoroutine(client.scan(*clamd.file(b"%d" % n, f"p{n}")))
        for n in range(20)
    ]
    answered = 0
    while answered < 20:
        await task.deferLater(reactor, 0.005)
        answered += len(waiting)
        while waiting:
            waiting.pop().say(b"stream: OK\0")
    assert await defer.gatherResults(all_of_them) == [Clean()] * 20
    assert clamd.most_open <= AT_ONCE


@ensureDeferred
async def test_a_scan_that_is_given_up_leaves_no_connection(clamd: FakeClamd) -> None:
    """At shutdown journeys are cancelled; clamd is not kept busy for nobody."""
    clamd.answer = lambda one: None
    scan = defer.Deferred.fromCoroutine(clamd.client().scan(*clamd.file(b"abc")))
    while not clamd.payloads:
        await task.deferLater(reactor, 0.005)
    scan.cancel()
    with pytest.raises(defer.CancelledError):
        await scan
    for _ in range(200):
        if not clamd.open:
            break
        await task.deferLater(reactor, 0.005)
    assert clamd.open == []


def test_one_piece_at_a_time_is_in_memory(tmp_path: Path) -> None:
    """A piece is read when the transport asks for it, and none after the last."""
    path = tmp_path / "large"
    path.write_bytes(b"x" * 200_000)
    with path.open("rb") as file:
        conversation = Conversation(file)
        transport = StringTransport()
        conversation.makeConnection(transport)
        assert transport.value() == b"zINSTREAM\0"
        sizes = []
        while transport.producer is not None:
            transport.clear()
            conversation.resumeProducing()
            sizes.append(len(transport.value()) - 4)
        assert sizes == [65_536, 65_536, 65_536, 3_392, 0]
        assert not conversation.reply.called


def test_an_endless_reply_is_not_collected(tmp_path: Path) -> None:
    """Whatever answers so is not clamd."""
    path = tmp_path / "f"
    path.write_bytes(b"")
    with path.open("rb") as file:
        conversation = Conversation(file)
        conversation.makeConnection(StringTransport())
        conversation.dataReceived(b"HTTP/1.1 400 " * 1000)
        failed: list[Any] = []
        conversation.reply.addErrback(failed.append)
        assert "not clamd" in str(failed[0].value)


@pytest.mark.parametrize("address", ["clamd", "run/clamd.ctl", ":3310", "host:", "host:99999"])
def test_an_address_that_is_none_is_a_configuration_error(address: str) -> None:
    """It is said what one looks like."""
    with pytest.raises(ConfigurationError, match=r"neither.*host:port"):
        endpoint_of(reactor, address)


@pytest.mark.parametrize("address", ["/run/clamav/clamd.ctl", "127.0.0.1:3310", "[::1]:3310"])
def test_a_socket_and_a_port_are_addresses(address: str) -> None:
    """Both ways clamd listens."""
    assert endpoint_of(reactor, address) is not None
