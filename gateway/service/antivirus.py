"""Asks clamd whether a payload holds a virus (its INSTREAM command, over a socket or TCP).

    "zINSTREAM", NUL; (length as 4 bytes big-endian, so many bytes)…; length 0   ─▶
                ◀─   "stream: OK", "stream: <signature> FOUND" or "<what> ERROR"; NUL

Bytes are streamed rather than named by their path: clamd runs as a user of its own, perhaps on
another machine, and reads nothing of ours. It opens archives and PDFs by itself.

"Clean" is only what clamd looked at as a whole. It gives up on a file beyond its own limits
(MaxFileSize, MaxFiles, …); told so by `AlertExceedsMax yes` it says
`Heuristics.Limits.Exceeded…`, which is no virus but a check that was not made.
"""

# ruff: noqa: N802 (the names of protocol methods are Twisted's)

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

import msgspec
from twisted.internet import defer, endpoints, protocol
from twisted.internet.error import ConnectingCancelledError, ConnectionDone
from twisted.python.failure import Failure

from gateway.config.settings import Antivirus
from gateway.errors import AntivirusUnavailable, ConfigurationError

AT_ONCE: Final = 4
"""Payloads streamed at the same time; the others wait. clamd has ten threads unless told more."""

_CHUNK_BYTES: Final = 1 << 16
_PROBE_DEPTH: Final = 120
"""gzip in gzip: clamd itself allows no MaxRecursion above 100."""
_REPLY_BYTES: Final = 4096
"""A reply is one short line; whatever says more is not clamd."""
_LIMITS: Final = "Heuristics.Limits.Exceeded"


class Clean(msgspec.Struct, frozen=True):
    """Nothing was found in the whole payload."""


class Found(msgspec.Struct, frozen=True):
    """What was found, by the name the scanner gives it."""

    signature: str


class Scanner(Protocol):
    """Whatever looks for viruses."""

    async def scan(self, path: Path, size: int) -> Clean | Found:
        """Look at the file. Raises `AntivirusUnavailable` when that could not be done."""
        ...


class Clamd:
    """The clamd at `settings.address`: a connection for each payload, a few at a time."""

    def __init__(self, reactor: Any, settings: Antivirus, *, endpoint: Any = None) -> None:
        self._reactor = reactor
        self._settings = settings
        self._endpoint = endpoint or endpoint_of(reactor, settings.address)
        self._turns = defer.DeferredSemaphore(AT_ONCE)

    async def warn_if_silent(self, log: Any) -> None:
        """Log what an operator must mend when clamd calls clean what it gave up on.

        It cannot be asked for its settings, so it is given something beyond every MaxRecursion.
        """
        probe = b"<probe/>"
        for _ in range(_PROBE_DEPTH):
            probe = gzip.compress(probe)
        try:
            reply = await self._ask(io.BytesIO(probe))
        except AntivirusUnavailable as error:
            log.warning("antivirus_unavailable", error=error.what, remedy=error.remedy)
            return
        if reply == "stream: OK":
            log.warning(
                "antivirus_silent_about_limits",
                error="clamd calls clean what exceeds its limits (MaxFiles, MaxScanSize, …).",
                remedy="Set AlertExceedsMax yes in clamd.conf, and restart clamd.",
            )

    async def scan(self, path: Path, size: int) -> Clean | Found:
        """Look at the file of `size` bytes. Raises `AntivirusUnavailable`.

        The time limit counts from its turn: waiting for other payloads is not clamd's doing.
        """
        if size > self._settings.max_bytes:
            raise AntivirusUnavailable(
                f"The file has {size} bytes; clamd is given {self._settings.max_bytes} at most.",
                remedy="Raise antivirus.max_bytes, and StreamMaxLength, MaxFileSize and MaxScanSize"
                " in clamd.conf with it; then release the file from quarantine.",
            )
        await self._turns.acquire()
        try:
            return verdict_of(await self._ask_about(path))
        finally:
            self._turns.release()

    async def _ask_about(self, path: Path) -> str:
        try:
            file = path.open("rb")
        except OSError as error:
            raise AntivirusUnavailable(
                f"The file to be scanned could not be read: {error}.",
                remedy="Check the disk and the rights of paths.state.",
            ) from error
        with file:
            return await self._ask(file)

    async def _ask(self, file: BinaryIO) -> str:
        """What clamd replies, within the time limit."""
        asked = defer.Deferred.fromCoroutine(self._converse(file))
        asked.addTimeout(self._settings.timeout_seconds, self._reactor)
        try:
            return await asked
        except defer.TimeoutError:
            raise AntivirusUnavailable(
                f"clamd at {self._settings.address} did not answer within"
                f" {self._settings.timeout_seconds:g} s.",
                remedy="See whether it is overloaded; raise antivirus.timeout_seconds if large"
                " files need longer.",
            ) from None

    async def _converse(self, file: BinaryIO) -> str:
        conversation = Conversation(file)
        try:
            await self._endpoint.connect(protocol.Factory.forProtocol(lambda: conversation))
        except (defer.CancelledError, ConnectingCancelledError):
            raise defer.CancelledError from None
        except Exception as error:  # refused, no such socket, no such host, no rights
            why = str(error).rstrip(".")
            raise AntivirusUnavailable(
                f"clamd at {self._settings.address} cannot be reached: {why}.",
                remedy="See whether it runs (systemctl status clamav-daemon), and whether"
                " antivirus.address names its socket and our user may open it.",
            ) from error
        try:
            return await conversation.reply
        finally:
            conversation.drop()


class Conversation(protocol.Protocol):
    """One payload streamed to clamd; `reply` fires with what it answers.

    A pull producer: the transport asks for the next piece when the last one has left, so one
    piece is in memory whatever the file's size. Pieces are read in the reactor: they are small,
    and the file was written a moment ago, so they come from the page cache.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._received = b""
        self._sent = 0
        self.reply: defer.Deferred[str] = defer.Deferred()

    def connectionMade(self) -> None:
        """Begin."""
        self._transport.write(b"zINSTREAM\0")
        self._transport.registerProducer(self, False)

    @property
    def _transport(self) -> Any:
        return self.transport

    def resumeProducing(self) -> None:
        """The last piece has left: send the next one."""
        try:
            piece = self._file.read(_CHUNK_BYTES)
        except OSError as error:
            self._fail(f"The file could not be read: {error}.", "Check the disk of paths.state.")
            return
        self._transport.write(len(piece).to_bytes(4, "big") + piece)
        self._sent += len(piece)
        if not piece:  # the length 0 just written says: that was all
            self._transport.unregisterProducer()

    def stopProducing(self) -> None:
        """The connection is gone: `connectionLost` says so."""

    def dataReceived(self, data: bytes) -> None:
        """A piece of the reply; it may come before all was sent."""
        self._received += data
        line, end, _ = self._received.partition(b"\0")
        if end and not self.reply.called:
            self.reply.callback(line.decode("utf-8", "replace").strip())
        elif len(self._received) > _REPLY_BYTES:
            self._fail("What answers is not clamd.", "See what antivirus.address names.")

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        """Without a reply it was not scanned, even if all was sent."""
        ended = "" if isinstance(reason.value, ConnectionDone) else f" ({reason.value})"
        self._fail(
            f"clamd ended the connection without an answer after {self._sent} bytes{ended}.",
            "See its log. If it happens with large files only, raise StreamMaxLength in"
            " clamd.conf to at least antivirus.max_bytes.",
        )

    def drop(self) -> None:
        """Be done with it, whatever is still under way."""
        if self.transport is not None:
            self._transport.abortConnection()

    def _fail(self, what: str, remedy: str) -> None:
        if not self.reply.called:
            self.reply.errback(AntivirusUnavailable(what, remedy=remedy))


def verdict_of(reply: str) -> Clean | Found:
    """What clamd's reply says. Raises `AntivirusUnavailable` for all that is no verdict."""
    said = reply.removeprefix("stream: ")
    if said == "OK":
        return Clean()
    if said.endswith(" FOUND"):
        signature = said.removesuffix(" FOUND")
        if not signature.startswith(_LIMITS):
            return Found(signature)
        limit = signature.removeprefix(_LIMITS).lstrip(".")
        raise AntivirusUnavailable(
            f"clamd did not look at the whole file: it exceeds its limit {limit or '(unnamed)'}.",
            remedy=f"Raise {limit or 'the limit'} in clamd.conf, restart clamd, and release the"
            " file from quarantine.",
        )
    if "size limit exceeded" in said:
        raise AntivirusUnavailable(
            "clamd takes no file as large as this one.",
            remedy="Raise StreamMaxLength in clamd.conf to at least antivirus.max_bytes (or lower"
            " the latter), restart clamd, and release the file from quarantine.",
        )
    raise AntivirusUnavailable(
        f'clamd could not scan the file; it says "{said[:200]}".',
        remedy="See its log (journalctl -u clamav-daemon).",
    )


def endpoint_of(reactor: Any, address: str) -> Any:
    """Where clamd listens: the path of its socket, or host:port. Raises `ConfigurationError`."""
    if address.startswith("/"):
        unix: Any = endpoints.UNIXClientEndpoint  # Twisted has not typed it yet
        return unix(reactor, address)
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ConfigurationError(
            f'antivirus.address "{address}" is neither the path of a socket nor host:port.',
            remedy="Write /run/clamav/clamd.ctl, or 127.0.0.1:3310.",
        )
    return endpoints.HostnameEndpoint(reactor, host.strip("[]"), int(port))
