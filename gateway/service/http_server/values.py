"""What the HTTP server and its handlers tell each other."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec

from gateway.model.as2 import Headers


class RequestHead(msgspec.Struct, frozen=True, kw_only=True):
    """A request before its body.

    `path` is percent-decoded, without the query; `query` is as it came. `length` is None for a
    chunked body, 0 for none. `peer` is the other end of the connection, be it a partner or a
    proxy: headers that claim another are not believed. `client_certificate_sha256` is in
    lower-case hex.
    """

    method: str
    path: str
    query: str
    headers: Headers
    length: int | None
    peer: str
    secure: bool
    client_certificate_sha256: str | None

    def get(self, name: str) -> str | None:
        """The first header field of this name, in whatever case; None when there is none."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """A complete request: its body is a file of ours, fsynced, in the spool's `incoming`.

    Whoever wants to keep the file moves it away; otherwise it is removed after the answer. A GET
    or HEAD without a body has no file in `path`. `key` is what `Admitted` said. `content` is a
    small body whose handler stores it itself: then nothing of it is on disk.
    """

    head: RequestHead
    path: Path
    sha256: str
    size: int
    key: str | None = None
    content: bytes | None = None


class Answer(msgspec.Struct, frozen=True):
    """A response. With `file`, its content is the body; it is read while it is sent.

    Content-Length, Connection, Date and Server are the server's to write. `told`: whoever made this
    refusal logs it, as often as is good; the server does not.
    """

    status: int
    headers: Headers = ()
    body: bytes = b""
    file: Path | None = None
    told: bool = False


class Admitted(msgspec.Struct, frozen=True, kw_only=True):
    """The body may come, so many bytes of it.

    `key` says who sends: more than `max_connections` requests of one key at once are refused.
    None is not counted. With `small_in_memory`, a body of up to `limits.SMALL_BYTES` does not
    come as a file.
    """

    max_bytes: int
    key: str | None
    max_connections: int
    small_in_memory: bool = False


class Handler(Protocol):
    """What answers the requests of one route."""

    def admit(self, head: RequestHead) -> Answer | Admitted:
        """Whether the body may come: asked before a byte of it is read. Must be quick."""
        ...

    async def handle(self, received: Received) -> Answer:
        """The answer to a complete request. What this raises becomes status 500, and a log line.

        It runs to its end when the client has gone meanwhile; its answer is then dropped.
        """
        ...


def plain(status: int, text: str, *headers: tuple[str, str]) -> Answer:
    """An answer in words. `text` never repeats what the client sent."""
    kind = ("Content-Type", "text/plain; charset=utf-8")
    return Answer(status, (kind, *headers), f"{text}\n".encode())


def later(status: int, text: str, seconds: int) -> Answer:
    """A refusal that asks to try again after `seconds`."""
    return plain(status, text, ("Retry-After", str(seconds)))


def wrong_method(*allowed: str) -> Answer:
    """Status 405."""
    return plain(405, "This method is not allowed here.", ("Allow", ", ".join(allowed)))
