"""The HTTP server over real sockets: requests, limits, hostile bytes, disconnects, stopping."""

from __future__ import annotations

import hashlib
import socket
import time
from pathlib import Path

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import defer, reactor, task
from twisted.internet.threads import deferToThread

from gateway.config.settings import Http
from gateway.errors import AddressUnavailable
from gateway.service.http_server import Admitted, Answer, HttpServer, limits, plain
from tests.service.http_house import (
    HOST,
    Scripted,
    closing,
    exchange,
    http_house,
    replies,
    request,
    until,
)


def told(body: bytes) -> bytes:
    """What the scripted handler answers to a body."""
    return f"{len(body)} {hashlib.sha256(body).hexdigest()}".encode()


# ---- what works


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 3_000_000])
@ensureDeferred
async def test_a_body_of_any_size_arrives_whole(tmp_path: Path, size: int) -> None:
    """Held in memory or written as it comes: same bytes, same hash, and the file goes away."""
    body = bytes(range(256)) * (size // 256 + 1)
    body = body[:size]
    async with http_house(tmp_path) as house:
        [reply] = await house.ask(closing(body=body))
        assert (reply.status, reply.body) == (200, told(body))
        assert house.handler.bodies == [body]
        assert house.handler.received[0].key == "acme"
        await until(lambda: not house.left_over())


@ensureDeferred
async def test_the_head_is_given_as_it_came(tmp_path: Path) -> None:
    """Names in their case, values unfolded, order kept; the path decoded, the query not."""
    async with http_house(tmp_path, routes={}) as house:
        house.server._desk._prefixes = [("/y/", house.handler)]
        await house.ask(
            b"POST /y/a%20b%C3%A9?name=a%20b HTTP/1.1\r\nHost: h\r\nX-b: 1\r\n"
            b"x-A:  two\r\n three \r\nX-b: 2\r\nX-Latin: \xe9\r\n"
            b"Connection: close\r\nContent-Length: 0\r\n\r\n"
        )
        [head] = house.handler.heads
        assert (head.method, head.path, head.query) == ("POST", "/y/a bé", "name=a%20b")
        assert [pair for pair in head.headers if pair[0].lower().startswith("x-")] == [
            ("X-b", "1"),
            ("x-A", "two three"),
            ("X-b", "2"),
            ("X-Latin", "é"),
        ]
        assert (head.length, head.secure, head.peer) == (0, False, "127.0.0.1")
        assert head.client_certificate_sha256 is None
        assert head.get("x-B") == "1"


@ensureDeferred
async def test_absolute_targets_are_understood(tmp_path: Path) -> None:
    """As a client behind a proxy may write them."""
    async with http_house(tmp_path) as house:
        [reply] = await house.ask(closing(path=b"http://gateway:80/x?a=b"))
        assert reply.status == 200
        assert (house.handler.heads[0].path, house.handler.heads[0].query) == ("/x", "a=b")


@ensureDeferred
async def test_a_chunked_body_needs_no_length(tmp_path: Path) -> None:
    """Chunks, extensions and trailers are undone."""
    body = b"a" * 70_000
    async with http_house(tmp_path) as house:
        [reply] = await house.ask(
            b"POST /x HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: Chunked\r\nConnection: close\r\n"
            b"\r\n5;x=1\r\nhello\r\n" + b"%x\r\n" % len(body) + body,
            b"\r\n0\r\nTrailer: t\r\n\r\n",
        )
        assert reply.body == told(b"hello" + body)
        assert house.handler.heads[0].length is None


@ensureDeferred
async def test_requests_in_a_row_are_answered_in_order(tmp_path: Path) -> None:
    """Pipelined on one connection, with bodies and without, known and unknown, slowly answered."""
    async with http_house(tmp_path) as house:
        got = await house.ask(
            request(body=b"one") + request(b"GET", b"/nowhere") + request(body=b"3" * 100_000),
            request(b"GET") + b"\r\n" + closing(body=b"last"),
        )
        assert [reply.status for reply in got] == [200, 404, 200, 200, 200]
        assert got[0].body == told(b"one")
        assert got[2].body == told(b"3" * 100_000)
        assert got[4].body == told(b"last")
        assert "connection" not in got[0].headers
        assert got[4].headers["connection"] == "close"


@ensureDeferred
async def test_many_small_requests_at_once_do_not_nest(tmp_path: Path) -> None:
    """Thousands of pipelined requests that are answered at once must not fill the stack."""
    async with http_house(tmp_path) as house:
        got = await house.ask(request(b"GET", b"/nowhere") * 3000 + closing(b"GET", b"/nowhere"))
        assert len(got) == 3001


@ensureDeferred
async def test_bytes_one_by_one_make_the_same_request(tmp_path: Path) -> None:
    """However the network cuts it."""
    async with http_house(tmp_path) as house:
        sent = closing(body=b"slow")
        [reply] = await house.ask(*(sent[at : at + 1] for at in range(len(sent))))
        assert reply.body == told(b"slow")


@ensureDeferred
async def test_http_1_0_ends_with_its_answer(tmp_path: Path) -> None:
    """Old clients get their answer, and the end of the connection."""
    async with http_house(tmp_path) as house:
        [reply] = await house.ask(b"POST /x HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi")
        assert (reply.status, reply.headers["connection"]) == (200, "close")


@ensureDeferred
async def test_head_has_the_length_and_no_body(tmp_path: Path) -> None:
    """As for GET, without the bytes."""
    async with http_house(tmp_path) as house:
        data = await deferToThread(exchange, house.port, [closing(b"HEAD") + b""], finish=False)
        head, _, body = data.partition(b"\r\n\r\n")
        assert body == b""
        assert b"Content-Length: 66" in head
        assert house.handler.bodies == [None]


@ensureDeferred
async def test_answers_name_no_version(tmp_path: Path) -> None:
    """Server and Date are there; nothing tells which software in which version."""
    async with http_house(tmp_path) as house:
        [reply] = await house.ask(closing(b"GET", b"/%3Cscript%3E"))
        assert reply.headers["server"] == "edi-gateway"
        assert reply.headers["date"].endswith("GMT")
        assert b"script" not in reply.body


@ensureDeferred
async def test_a_header_of_an_answer_stays_one_line(tmp_path: Path) -> None:
    """A handler that passes on a line break does not make a header of it."""
    async with http_house(tmp_path) as house:
        house.handler.answer = lambda _: Answer(200, (("X-Name", "a\r\nEvil: 1"),))
        [reply] = await house.ask(closing())
        assert "evil" not in reply.headers


# ---- Expect


@ensureDeferred
async def test_continue_is_said_only_to_who_is_admitted(tmp_path: Path) -> None:
    """A client that asks first is not made to send what will be refused."""
    expecting = b"POST /x HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\nExpect: 100-continue\r\n"
    async with http_house(tmp_path) as house:
        first, second = await house.ask(expecting + b"Connection: close\r\n\r\n", 0.2, b"hi")
        assert (first.status, second.status) == (100, 200)
        house.handler.verdict = plain(401, "no")
        [reply] = await house.ask(expecting + b"\r\n")
        assert reply.status == 401
        [reply] = await house.ask(expecting.replace(b"100-continue", b"magic") + b"\r\n")
        assert reply.status == 417


# ---- what could be read in two ways


@pytest.mark.parametrize(
    "head",
    [
        b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3, 3\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: -3\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0x3\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length : 3\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: h\r\n Content-Length: 3\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n chunked\r\n\r\n",
        b"POST /x HTTP/1.1\r\n folded: 1\r\nHost: h\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\nContent-Length: 3\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked"
        b"\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\x0bchunked\r\n\r\n",
        b"POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 3\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: h\r\nX: a\nContent-Length: 3\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: h\r\nno colon here\r\nContent-Length: 3\r\n\r\n",
        b"POST /x HTTP/1.1\r\nHost: h\r\n: empty\r\nContent-Length: 3\r\n\r\n",
        b"POST  /x HTTP/1.1\r\nHost: h\r\n\r\n",
        b"POST /x HTTP/1.1 \r\nHost: h\r\n\r\n",
        b"POST /x HTTP/2.0\r\nHost: h\r\n\r\n",
        b"POST /x\r\n\r\n",
        b"P\x00ST /x HTTP/1.1\r\nHost: h\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
@ensureDeferred
async def test_what_could_be_read_in_two_ways_is_refused(tmp_path: Path, head: bytes) -> None:
    """400, the connection ends, and what follows is not taken for a request."""
    async with http_house(tmp_path) as house:
        got = await house.ask(head + b"abc" + request(b"GET", b"/x"))
        assert [reply.status for reply in got] == [400]
        assert house.handler.received == []


@pytest.mark.parametrize(
    "chunks",
    [
        b"zz\r\n",
        b"5\r\nhelloX\r\n",
        b"-1\r\n",
        b"0x5\r\nhello\r\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
        b"5;\x00\r\nhello\r\n",
        b"5" * 2000,
        b"5\nhello\n0\n\n" + b"x" * 2000,
    ],
)
@ensureDeferred
async def test_damaged_chunks_are_refused(tmp_path: Path, chunks: bytes) -> None:
    """400, and no handler ever sees the body."""
    async with http_house(tmp_path) as house:
        got = await house.ask(
            b"POST /x HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks
        )
        assert [reply.status for reply in got] == [400]
        assert house.handler.received == []


# ---- limits


@ensureDeferred
async def test_large_heads_are_refused(tmp_path: Path) -> None:
    """431 for too many bytes or fields, 414 for a target too long; none of it reaches a handler."""
    start = b"GET /x HTTP/1.1\r\n" + HOST
    async with http_house(tmp_path, max_header_bytes=2000) as house:
        for head, status in [
            (start + b"X: " + b"a" * 3000 + b"\r\n\r\n", 431),
            (start + b"X: " + b"a" * 3000, 431),
            (start + (b"X-Header: " + b"a" * 90 + b"\r\n") * 30 + b"\r\n", 431),
            (start + b"X: a\r\n" * 150 + b"\r\n", 431),
            (start + b"X: a\r\n" + b" b\r\n" * 1000, 431),
            (b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\n\r\n", 414),
            (b"A" * 10_000, 414),
        ]:
            got = await house.ask(head)
            assert [reply.status for reply in got] == [status], head[:60]
        assert house.handler.heads == []


@ensureDeferred
async def test_a_length_beyond_the_limit_is_refused_before_the_body(tmp_path: Path) -> None:
    """413 for what the handler allows, and for what the settings allow."""
    async with http_house(tmp_path, max_body_bytes=1000) as house:
        head = b"POST /x HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n"
        [reply] = await house.ask(head % 1001)
        assert (reply.status, reply.headers["connection"]) == (413, "close")
        house.handler.verdict = Admitted(max_bytes=10, key=None, max_connections=1)
        [reply] = await house.ask(head % 11)
        assert reply.status == 413
        [reply] = await house.ask(closing(body=b"x" * 10))
        assert reply.status == 200


@ensureDeferred
async def test_chunks_beyond_the_limit_are_refused_while_they_come(tmp_path: Path) -> None:
    """413 at once, though the client goes on sending: it still can read the answer."""
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    async with http_house(tmp_path, max_body_bytes=200_000) as house:
        got = await house.ask(
            b"POST /x HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n",
            *[chunk] * 100,
        )
        assert [reply.status for reply in got] == [413]
        assert house.handler.received == []
        await until(lambda: not house.left_over())


@ensureDeferred
async def test_a_silent_client_is_told_and_left(tmp_path: Path) -> None:
    """408 in the middle of a head or a body; between requests the connection just closes."""
    async with http_house(tmp_path, idle_timeout_seconds=1) as house:
        began = time.monotonic()
        talks = [
            house.ask(b"POST /x HTT"),
            house.ask(b"POST /x HTTP/1.1\r\nHost"),
            house.ask(b"POST /x HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nab"),
            house.ask(b""),
            house.ask(request(body=b"kept")),
        ]
        got = await defer.gatherResults([defer.Deferred.fromCoroutine(talk) for talk in talks])
        statuses = [[reply.status for reply in each] for each in got]
        assert statuses == [[408], [408], [408], [], [200]]
        assert time.monotonic() - began < 8
        await until(lambda: not house.left_over())


@ensureDeferred
async def test_dripping_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then keeps neither a head nor a body alive for longer than a while."""
    monkeypatch.setattr(limits, "MIN_BYTES_PER_SECOND", 100)
    async with http_house(tmp_path, idle_timeout_seconds=1) as house:
        talks = [
            house.ask(b"POST /x HTTP/1.1\r\n", *[b"X", 0.3] * 12),
            house.ask(
                b"POST /x HTTP/1.1\r\n" + HOST + b"Content-Length: 500\r\n\r\n", *[b"X", 0.3] * 12
            ),
            house.ask(
                b"POST /x HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n",
                *[b"1\r\nX\r\n", 0.3] * 12,
            ),
        ]
        got = await defer.gatherResults([defer.Deferred.fromCoroutine(talk) for talk in talks])
        assert [[reply.status for reply in each] for each in got] == [[408], [408], [408]]
        assert house.handler.received == []
        # Slow, but fast enough.
        body = [b"x" * 200, 0.3] * 6
        head = b"POST /x HTTP/1.1\r\n" + HOST + b"Connection: close\r\nContent-Length: 1200\r\n\r\n"
        [reply] = await house.ask(head, *body)
        assert reply.status == 200


@ensureDeferred
async def test_a_slow_handler_is_no_slow_client(tmp_path: Path) -> None:
    """While we work, the client may be silent for as long as it takes."""
    async with http_house(tmp_path, idle_timeout_seconds=1) as house:
        house.handler.gate = defer.Deferred()
        reactor.callLater(2.5, house.handler.gate.callback, None)
        [reply] = await house.ask(closing(body=b"x"))
        assert reply.status == 200


@ensureDeferred
async def test_too_many_connections_are_turned_away(tmp_path: Path) -> None:
    """503 with Retry-After, at once; as soon as one leaves there is room again."""
    async with http_house(tmp_path, max_connections=2) as house:
        held = [socket.create_connection(("127.0.0.1", house.port)) for _ in range(2)]
        await until(lambda: house.server.connections == 2)
        [reply] = await house.ask(closing(body=b"x"))
        assert (reply.status, reply.headers["connection"]) == (503, "close")
        assert int(reply.headers["retry-after"]) > 0
        assert house.server.connections == 2
        held.pop().close()
        await until(lambda: house.server.connections == 1)
        [reply] = await house.ask(closing(body=b"x"))
        assert reply.status == 200
        held.pop().close()


@ensureDeferred
async def test_one_partner_cannot_take_all_places(tmp_path: Path) -> None:
    """429 with Retry-After beyond its own number of requests; others are served meanwhile."""
    async with http_house(tmp_path) as house:
        house.handler.verdict = Admitted(max_bytes=100, key="acme", max_connections=2)
        house.handler.gate = defer.Deferred()
        held = [defer.Deferred.fromCoroutine(house.ask(closing(body=b"x"))) for _ in range(2)]
        await until(lambda: house.server.under_way("acme") == 2)
        [reply] = await house.ask(closing(body=b"x"))
        assert reply.status == 429
        assert int(reply.headers["retry-after"]) > 0
        house.handler.verdict = Admitted(max_bytes=100, key="other", max_connections=2)
        other = defer.Deferred.fromCoroutine(house.ask(closing(body=b"x")))
        await until(lambda: house.server.under_way("other") == 1)
        house.handler.gate.callback(None)
        for each in [*held, other]:
            [reply] = await each
            assert reply.status == 200
        assert house.server.under_way("acme") == 0


# ---- failures


@ensureDeferred
async def test_a_failing_handler_tells_nothing(tmp_path: Path) -> None:
    """500 without a word of what failed; the log has the traceback. The connection stays."""
    async with http_house(tmp_path) as house:
        house.handler.fails = RuntimeError("secret path")
        first, second = await house.ask(request(body=b"x") + closing(b"GET", b"/nowhere"))
        assert (first.status, second.status) == (500, 404)
        assert b"secret" not in first.body
        assert "RuntimeError: secret path" in house.events("http_failed")[0]["traceback"]
        house.handler.fails = ZeroDivisionError()
        [reply] = await house.ask(closing(body=b"x"))
        assert reply.status == 500
        await until(lambda: not house.left_over())


@pytest.mark.parametrize("size", [10, 300_000])
@ensureDeferred
async def test_a_full_disk_is_answered(tmp_path: Path, size: int) -> None:
    """503 with Retry-After, whether the body was small or on its way; nothing is handled."""

    async def full(function: object, *args: object) -> object:
        raise OSError(28, "No space left on device")

    async with http_house(tmp_path, in_thread=full) as house:
        got = await house.ask(closing(body=b"x" * size))
        assert [reply.status for reply in got] == [503]
        assert got[0].headers["retry-after"] == "60"
        assert house.handler.received == []
        assert "No space left" in house.events("http_not_stored")[0]["error"]


@ensureDeferred
async def test_a_client_that_leaves_in_its_body_leaves_nothing(tmp_path: Path) -> None:
    """The half-written file goes, and its place among the partner's requests is free again."""
    head = b"POST /x HTTP/1.1\r\n" + HOST + b"Content-Length: 9000000\r\n\r\n"
    async with http_house(tmp_path) as house:
        for sent in (b"x", b"x" * 500_000):
            with socket.create_connection(("127.0.0.1", house.port)) as client:
                await deferToThread(client.sendall, head + sent)
                await until(lambda: house.server.under_way("acme") == 1)
            await until(lambda: house.server.under_way("acme") == 0)
        await until(lambda: not house.left_over())
        assert house.handler.received == []


@ensureDeferred
async def test_work_goes_on_when_its_client_leaves(tmp_path: Path) -> None:
    """The handler ends as if somebody listened; the answer is dropped, the file removed."""
    async with http_house(tmp_path) as house:
        house.handler.gate = defer.Deferred()
        with socket.create_connection(("127.0.0.1", house.port)) as client:
            client.sendall(request(body=b"x"))
            await until(lambda: bool(house.handler.received))
        await until(lambda: house.server.connections == 0)
        assert house.server.under_way("acme") == 1
        house.handler.gate.callback(None)
        await until(lambda: house.server.under_way("acme") == 0)
        await until(lambda: not house.left_over())
        assert house.events("http_answer_dropped")


# ---- large answers


@pytest.mark.parametrize("from_file", [True, False])
@ensureDeferred
async def test_a_large_answer_is_streamed(tmp_path: Path, from_file: bool) -> None:
    """From a file or from memory, complete, and the connection goes on."""
    content = bytes(range(256)) * 20_000
    (tmp_path / "report").write_bytes(content)
    async with http_house(tmp_path) as house:
        house.handler.answer = lambda _: (
            Answer(200, file=tmp_path / "report") if from_file else Answer(200, (), content)
        )
        first, second, third = await house.ask(
            request(b"GET") + request(b"GET") + closing(b"GET", b"/nowhere")
        )
        assert first.body == second.body == content
        assert third.status == 404


@ensureDeferred
async def test_a_client_that_does_not_read_is_left(tmp_path: Path) -> None:
    """It holds neither memory nor a connection for longer than the idle timeout."""
    async with http_house(tmp_path, idle_timeout_seconds=1) as house:
        house.handler.answer = lambda _: Answer(200, (), b"x" * 50_000_000)
        with socket.create_connection(("127.0.0.1", house.port)) as client:
            client.sendall(request(b"GET"))
            await until(lambda: house.server.connections == 1)
            await until(lambda: house.server.connections == 0)
        assert house.events("http_answer_cut_short")


@ensureDeferred
async def test_a_missing_file_is_a_fault_of_ours(tmp_path: Path) -> None:
    """500, not half an answer."""
    async with http_house(tmp_path) as house:
        house.handler.answer = lambda _: Answer(200, file=tmp_path / "gone")
        [reply] = await house.ask(closing(b"GET"))
        assert reply.status == 500


# ---- start and stop


@ensureDeferred
async def test_stopping_lets_work_finish(tmp_path: Path) -> None:
    """Nobody new gets in, idle clients are let go, and an upload under way is answered."""
    async with http_house(tmp_path) as house:
        port = house.port
        house.handler.gate = defer.Deferred()
        with socket.create_connection(("127.0.0.1", port)) as idle:
            asked = defer.Deferred.fromCoroutine(house.ask(request(body=b"x")))
            await until(lambda: house.server.under_way("acme") == 1)
            stopping = defer.Deferred.fromCoroutine(house.server.stop(10.0))
            assert await deferToThread(idle.recv, 10) == b""
            with pytest.raises(ConnectionRefusedError):
                await deferToThread(socket.create_connection, ("127.0.0.1", port))
            assert not stopping.called
            house.handler.gate.callback(None)
            [reply] = await asked
            await stopping
            assert reply.status == 200


@ensureDeferred
async def test_stopping_does_not_wait_for_ever(tmp_path: Path) -> None:
    """After the grace what still runs is cut off: 503, nothing left behind."""
    async with http_house(tmp_path) as house:
        house.handler.gate = defer.Deferred()
        asked = defer.Deferred.fromCoroutine(house.ask(request(body=b"x")))
        await until(lambda: house.server.under_way("acme") == 1)
        with socket.create_connection(("127.0.0.1", house.port)) as upload:
            upload.sendall(b"POST /x HTTP/1.1\r\n" + HOST + b"Content-Length: 9\r\n\r\nab")
            await until(lambda: house.server.under_way("acme") == 2)
            began = time.monotonic()
            await house.server.stop(0.3)
            assert time.monotonic() - began < 4
        [reply] = await asked
        assert reply.status == 503
        assert house.server.connections == 0
        await until(lambda: not house.left_over())


@ensureDeferred
async def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    """The operator reads which setting to change."""
    async with http_house(tmp_path) as house:
        other = HttpServer(
            reactor,
            settings=Http(enabled=True, port=house.port),
            routes={"/x": Scripted()},
            incoming=tmp_path,
            in_thread=deferToThread,
            log=None,
        )
        with pytest.raises(AddressUnavailable, match=r"http\.port"):
            await other.start()


@ensureDeferred
async def test_the_closest_route_answers(tmp_path: Path) -> None:
    """An exact path before a prefix, a longer prefix before a shorter one."""
    a, b, c = Scripted(), Scripted(), Scripted()
    async with http_house(tmp_path, routes={"/v/": a, "/v/w": b, "/v/w/": c}) as house:
        for path in (b"/v/1", b"/v/w", b"/v/w/x"):
            await house.ask(closing(b"GET", path))
        assert [len(each.heads) for each in (a, b, c)] == [1, 1, 1]
        [reply] = await house.ask(closing(b"GET", b"/v"))
        assert reply.status == 404


@ensureDeferred
async def test_a_disk_slower_than_the_client_holds_it_back(tmp_path: Path) -> None:
    """What waits for the disk stays bounded, and the time we held the client is not its fault."""
    most = 0

    async def slow(function: object, *args: object) -> object:
        nonlocal most
        if args and isinstance(args[0], list):
            most = max(most, sum(map(len, args[0])))
            await task.deferLater(reactor, 0.4)
        return await deferToThread(function, *args)

    body = b"x" * 8_000_000
    async with http_house(tmp_path, in_thread=slow, idle_timeout_seconds=1) as house:
        [reply] = await house.ask(closing(body=body))
        assert reply.body == told(body)
    assert most < 2_000_000


def test_replies_reads_what_exchange_hears() -> None:
    """The test's own reader: two answers in a row."""
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabHTTP/1.1 404 X\r\n\r\n"
    assert [(reply.status, reply.body) for reply in replies(data)] == [(200, b"ab"), (404, b"")]
