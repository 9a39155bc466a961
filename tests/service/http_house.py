"""An HTTP server on loopback with a handler that does what a test wants, and raw clients."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog
from twisted.internet import defer, reactor, task
from twisted.internet.threads import deferToThread

from gateway.config.settings import Http
from gateway.service.http_server import Admitted, Answer, HttpServer, Received, RequestHead

HOST = b"Host: gateway\r\n"


class Scripted:
    """Admits everything, keeps what it received, and answers what `answer` says."""

    def __init__(self) -> None:
        self.verdict: Answer | Admitted = Admitted(
            max_bytes=1_000_000_000, key="acme", max_connections=8
        )
        self.heads: list[RequestHead] = []
        self.received: list[Received] = []
        self.bodies: list[bytes | None] = []
        self.gate: defer.Deferred[None] | None = None
        self.fails: Exception | None = None
        self.answer: Callable[[Received], Answer] = lambda received: Answer(
            200, (("Content-Type", "text/plain"),), f"{received.size} {received.sha256}".encode()
        )
        self.keep_bodies = True

    def admit(self, head: RequestHead) -> Answer | Admitted:
        """Note the head."""
        self.heads.append(head)
        if isinstance(self.fails, ZeroDivisionError):
            raise self.fails
        return self.verdict

    async def handle(self, received: Received) -> Answer:
        """Note the request, wait for the gate, answer."""
        self.received.append(received)
        if self.keep_bodies:
            exists = received.path.exists()
            self.bodies.append(received.path.read_bytes() if exists else None)
        if self.gate is not None:
            await self.gate
        if self.fails is not None:
            raise self.fails
        return self.answer(received)


class HttpHouse:
    """The server, its handler at /x, and its log."""

    def __init__(
        self,
        folder: Path,
        *,
        in_thread: Callable[..., Awaitable[Any]] = deferToThread,
        routes: dict[str, Any] | None = None,
        incoming: Path | None = None,
        **settings: Any,
    ) -> None:
        self.incoming = incoming or folder / "incoming"
        self.incoming.mkdir(exist_ok=True)
        self.handler = Scripted()
        self.said = structlog.testing.CapturingLogger()
        self.server = HttpServer(
            reactor,
            settings=Http(enabled=True, port=0, **settings),
            routes={"/x": self.handler} if routes is None else routes,
            incoming=self.incoming,
            in_thread=in_thread,
            log=structlog.wrap_logger(self.said, processors=[]),
        )

    @property
    def port(self) -> int:
        """The port."""
        return self.server.port

    def left_over(self) -> list[str]:
        """Files that nobody took away."""
        return sorted(path.name for path in self.incoming.iterdir())

    def events(self, name: str) -> list[dict[str, Any]]:
        """What was logged under this name."""
        return [call.kwargs for call in self.said.calls if call.kwargs.get("event") == name]

    async def ask(self, *pieces: bytes | float, **options: Any) -> list[Reply]:
        """Send pieces (numbers are pauses) on one connection; every answer until it closes."""
        data = await deferToThread(exchange, self.port, pieces, **options)
        return list(replies(data))


class Reply:
    """One response, taken apart."""

    def __init__(self, head: bytes, body: bytes) -> None:
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split(" ")[1])
        self.headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
        }
        self.body = body

    def __repr__(self) -> str:
        return f"<{self.status} {self.headers} {self.body[:80]!r}>"


def replies(data: bytes, *, bodiless: Sequence[int] = (100, 204, 304)) -> Iterator[Reply]:
    """The responses in a stream of bytes."""
    while data:
        head, found, data = data.partition(b"\r\n\r\n")
        assert found, head
        length = re.search(rb"(?i)content-length: (\d+)", head)
        reply = Reply(head, b"")
        if reply.status not in bodiless and length:
            size = int(length[1])
            assert len(data) >= size, (head, data)
            reply.body, data = data[:size], data[size:]
        yield reply


def exchange(
    port: int, pieces: Sequence[bytes | float], *, timeout: float = 20.0, finish: bool = False
) -> bytes:
    """Everything a server says to these bytes, until it closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as client:
        heard = b""
        try:
            for piece in pieces:
                if isinstance(piece, bytes):
                    client.sendall(piece)
                else:
                    time.sleep(piece)
            if finish:
                client.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it hung up while we were speaking: what did it say?
        while chunk := client.recv(65536):
            heard += chunk
        return heard


def request(
    method: bytes = b"POST", path: bytes = b"/x", body: bytes = b"", *fields: bytes
) -> bytes:
    """A well-formed request with a length."""
    head = b"%s %s HTTP/1.1\r\n%sContent-Length: %d\r\n" % (method, path, HOST, len(body))
    return head + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body


def closing(method: bytes = b"POST", path: bytes = b"/x", body: bytes = b"") -> bytes:
    """The same, after which the connection ends."""
    return request(method, path, body, b"Connection: close")


@asynccontextmanager
async def http_house(folder: Path, **options: Any) -> Any:
    """A house whose server runs; afterwards nothing of it is left."""
    house = HttpHouse(folder, **options)
    await house.server.start()
    try:
        yield house
    finally:
        if house.handler.gate is not None and not house.handler.gate.called:
            house.handler.gate.callback(None)
        await house.server.stop(0.0)


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait until something holds; AssertionError when it never does."""
    for _ in range(int(seconds / 0.01)):
        if condition():
            return
        await task.deferLater(reactor, 0.01)
    raise AssertionError("it never happened")
