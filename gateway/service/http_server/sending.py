"""Sends a large answer as fast as the client reads it, from a file or from memory."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, BinaryIO

from twisted.internet.defer import Deferred

from gateway.service.http_server.values import Answer

if TYPE_CHECKING:
    from gateway.service.http_server.request import HttpRequest

CHUNK_BYTES = 128 * 1024


class CutShort(Exception):
    """The client went away, or no longer read, before it had everything."""


async def stream(request: HttpRequest, answer: Answer) -> None:
    """Send the answer and finish the request.

    Raises `OSError` when the file cannot be opened: nothing was sent then. Raises `CutShort`.
    """
    in_thread = request.desk.in_thread
    if answer.file is None:
        await _send(request, answer, len(answer.body), None)
        return
    file: BinaryIO = await in_thread(answer.file.open, "rb")
    try:
        await _send(request, answer, os.fstat(file.fileno()).st_size, file)
    finally:
        with contextlib.suppress(OSError):
            file.close()


async def _send(request: HttpRequest, answer: Answer, length: int, file: BinaryIO | None) -> None:
    if request._disconnected:
        raise CutShort("the client is gone")
    request.start(answer, length)
    if request.method != b"HEAD":
        gate = _Gate(request)
        request.registerProducer(gate, True)
        try:
            at = 0
            while at < length:
                await gate.open()
                if file is None:
                    chunk = answer.body[at : at + CHUNK_BYTES]
                else:
                    chunk = await _read(request, file, min(CHUNK_BYTES, length - at))
                gate.check()
                request.channel.write(chunk)
                at += len(chunk)
        finally:
            gate.close()
            if not request._disconnected:
                request.unregisterProducer()
    request.finish()


async def _read(request: HttpRequest, file: BinaryIO, most: int) -> bytes:
    try:
        chunk: bytes = await request.desk.in_thread(file.read, most)
    except OSError as error:
        raise CutShort(f"the file cannot be read on: {error}") from error
    if not chunk:
        raise CutShort("the file is shorter than it was")
    return chunk


class _Gate:
    """A push producer: open while the transport takes more.

    A client that does not read for the idle timeout is given up.
    """

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self._waiting: Deferred[None] | None = None
        self._shut = False
        self._gone = False
        self._timer: Any = None

    async def open(self) -> None:
        """Return when there is room. Raises `CutShort`."""
        if self._shut:
            self._waiting = Deferred()
            await self._waiting
        self.check()

    def check(self) -> None:
        """Raises `CutShort` when nobody is there to read."""
        if self._gone or self._request._disconnected:
            raise CutShort("the client is gone")

    def close(self) -> None:
        """Nothing more will be sent."""
        self._stop_timer()

    def pauseProducing(self) -> None:  # noqa: N802  # Twisted's name
        """The transport is full."""
        self._shut = True
        if self._timer is None:
            desk = self._request.desk
            self._timer = desk.reactor.callLater(desk.settings.idle_timeout_seconds, self._given_up)

    def resumeProducing(self) -> None:  # noqa: N802  # Twisted's name
        """There is room again."""
        self._shut = False
        self._stop_timer()
        self._wake()

    def stopProducing(self) -> None:  # noqa: N802  # Twisted's name
        """The client is gone."""
        self._gone = True
        self.resumeProducing()

    def _given_up(self) -> None:
        self._timer = None
        if not self._request._disconnected:
            self._request.channel.abort()

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)
