"""An SFTP session with a partner's server, as seen from here.

Every method blocks, for a bounded time: the channel has a time limit, and whoever holds the
connection may cut it.

Requests are pipelined: so many are under way at once, and never more, so that neither distance
nor a large file costs what it should not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from paramiko.ssh_exception import SSHException

from gateway.service.sftp_client import words
from gateway.service.sftp_client.errors import RemoteAway, RemoteChanged, RemoteRefused
from gateway.service.sftp_server.protocol import (
    Attributes,
    Kind,
    OpenFlag,
    ProtocolError,
    Status,
)

BLOCK_BYTES = 32_768
"""What every server must be able to read or write at once."""
BLOCKS_AT_ONCE = 32
READDIRS_AT_ONCE = 4
_RECV_BYTES = 1 << 17


class Channel(Protocol):
    """What a session needs of paramiko's channel."""

    def recv(self, nbytes: int) -> bytes:
        """Some bytes; none at the end."""
        ...

    def sendall(self, s: bytes) -> Any:
        """Send all of them."""
        ...


@contextmanager
def away_if_broken(what: str, remedy: str = "") -> Iterator[None]:
    """Turn whatever the network and paramiko raise into `RemoteAway`."""
    try:
        yield
    except TimeoutError as error:
        raise RemoteAway(f"{what}: no answer in time.", remedy=remedy) from error
    except (OSError, EOFError, SSHException, ProtocolError) as error:
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise RemoteAway(f"{what}: {said.rstrip('.')}.", remedy=remedy) from error


def _refused(what: str, ended: words.Ended) -> RemoteRefused:
    with suppress(ValueError):
        name = Status(ended.code).name.replace("_", " ").lower()
        said = f"{ended.words} ({name})" if ended.words.lower() != name else name
        return RemoteRefused(f"{what}: the server says {said!r}.", code=ended.code)
    return RemoteRefused(f"{what}: the server says {ended.words!r}.", code=ended.code)


class Session:
    """One SFTP session. `answered` is called at every answer: the server is alive.

    Raises `RemoteAway` when the connection is lost; the session is of no more use then.
    `RemoteRefused` is the server's answer to one request.
    """

    def __init__(self, channel: Channel, answered: Callable[[], None] = lambda: None) -> None:
        self._channel = channel
        self._answered = answered
        self._buffer = bytearray()
        self._number = 0
        self._early: dict[int, words.Answer] = {}
        self._waiting: set[int] = set()
        self._dropped: set[int] = set()
        with away_if_broken("The SFTP session could not be opened"):
            channel.sendall(words.init())
            self._extensions = words.version(self._packet()).extensions

    # ---- folders and names

    def listing(self, folder: bytes) -> Generator[words.Entry, None, None]:
        """The entries of a folder, as they come; stop whenever you have enough."""
        handle = self._opened(
            "The folder could not be opened", self._ask(words.about, Kind.OPENDIR, folder)
        )
        asked: deque[int] = deque()
        more = True
        try:
            while True:
                while more and len(asked) < READDIRS_AT_ONCE:
                    asked.append(self._ask(words.about, Kind.READDIR, handle))
                if not asked:
                    return
                match self._answer(asked.popleft()):
                    case words.Names(_, entries):
                        yield from entries
                    case words.Ended(_, Status.EOF, _):
                        more = False
                    case words.Ended() as ended:
                        raise _refused("The folder could not be listed", ended)
                    case other:
                        raise _confused(other)
        finally:
            self._let_go(handle, asked)

    def look(self, path: bytes) -> Attributes:
        """The attributes of what is at `path` itself: a link is not followed."""
        return self._looked(self._ask(words.about, Kind.LSTAT, path))

    def remove(self, path: bytes) -> None:
        """Remove a file."""
        self._done("It could not be removed", self._ask(words.about, Kind.REMOVE, path))

    def rename(self, old: bytes, new: bytes) -> None:
        """Give a file another name; most servers refuse one that is taken."""
        self._done("It could not be renamed", self._ask(words.about, Kind.RENAME, old, new))

    @property
    def replaces(self) -> bool:
        """Whether the server has `replace`."""
        return words.POSIX_RENAME in self._extensions

    def replace(self, old: bytes, new: bytes) -> None:
        """Give a file another name in one step, in place of a file that has it."""
        self._done(
            "It could not be renamed",
            self._ask(words.extended, words.POSIX_RENAME, old, new),
        )

    # ---- content

    def read(self, path: bytes, size: int, mtime: int | None) -> Generator[bytes, None, None]:
        """The content of a file that has this size and time.

        Raises `RemoteChanged` when it turns out not to have them, on the way or at the end.
        """
        handle = self._opened(
            "It could not be opened", self._ask(words.open_file, path, OpenFlag.READ)
        )
        asked: deque[tuple[int, int, int]] = deque()
        at = 0
        try:
            while True:
                while at < size and len(asked) < BLOCKS_AT_ONCE:
                    length = min(BLOCK_BYTES, size - at)
                    asked.append((self._ask_block(handle, at, length), at, length))
                    at += length
                if not asked:
                    break
                number, start, length = asked.popleft()
                while True:  # a server may give less than it was asked for
                    content = self._content(number, length)
                    yield content
                    start, length = start + len(content), length - len(content)
                    if not length:
                        break
                    number = self._ask_block(handle, start, length)
            found = self._looked(self._ask(words.about, Kind.FSTAT, handle))
            if found.size not in {None, size} or found.mtime not in {None, mtime}:
                raise RemoteChanged("It was written to while it was read.")
        finally:
            self._let_go(handle, [number for number, _, _ in asked])

    def _ask_block(self, handle: bytes, offset: int, length: int) -> int:
        return self._ask(words.read, handle, offset, length)

    def _content(self, number: int, length: int) -> bytes:
        match self._answer(number):
            case words.Content(_, content) if 0 < len(content) <= length:
                return content
            case words.Ended(_, Status.EOF, _):
                raise RemoteChanged("It is shorter than it was.")
            case words.Ended() as ended:
                raise _refused("It could not be read", ended)
            case other:
                raise _confused(other)

    def write(self, path: bytes, blocks: Iterable[bytes]) -> int:
        """Write a file from the start; its size, once the server has confirmed every byte.

        `blocks` of at most BLOCK_BYTES.
        """
        flags = OpenFlag.WRITE | OpenFlag.CREATE | OpenFlag.TRUNCATE
        handle = self._opened("It could not be created", self._ask(words.open_file, path, flags))
        what = "It could not be written"
        asked: deque[int] = deque()
        size = 0
        try:
            for block in blocks:
                asked.append(self._ask(words.write, handle, size, block))
                size += len(block)
                if len(asked) >= BLOCKS_AT_ONCE:
                    self._done(what, asked.popleft())
            while asked:
                self._done(what, asked.popleft())
            if words.FSYNC in self._extensions:
                self._done(what, self._ask(words.extended, words.FSYNC, handle))
        except BaseException:
            self._let_go(handle, asked)
            raise
        self._done(what, self._ask(words.about, Kind.CLOSE, handle))
        return size

    # ---- questions and answers

    def _ask(self, request: Callable[..., bytes], *fields: Any) -> int:
        self._number = (self._number + 1) & 0xFFFFFFFF
        self._waiting.add(self._number)
        with away_if_broken("The connection broke"):
            self._channel.sendall(request(self._number, *fields))
        return self._number

    def _let_go(self, handle: bytes, asked: Iterable[int]) -> None:
        """Close what is only read, without waiting for what the server says to it."""
        self._drop(asked)
        with suppress(RemoteAway):
            self._drop([self._ask(words.about, Kind.CLOSE, handle)])

    def _drop(self, numbers: Iterable[int]) -> None:
        """Nobody wants these answers any more; they may still come."""
        for number in numbers:
            if self._early.pop(number, None) is None:
                self._dropped.add(number)

    def _answer(self, number: int) -> words.Answer:
        with away_if_broken("The connection broke"):
            while (found := self._early.pop(number, None)) is None:
                came = words.answer(self._packet())
                if came.number not in self._waiting:
                    raise ProtocolError("an answer nobody asked for")
                self._waiting.discard(came.number)
                if came.number in self._dropped:
                    self._dropped.discard(came.number)
                else:
                    self._early[came.number] = came
        return found

    def _packet(self) -> bytes:
        self._fill(4)
        length = words.packet_length(bytes(self._buffer[:4]))
        self._fill(4 + length)
        packet = bytes(self._buffer[4 : 4 + length])
        del self._buffer[: 4 + length]
        self._answered()
        return packet

    def _fill(self, count: int) -> None:
        while len(self._buffer) < count:
            chunk = self._channel.recv(_RECV_BYTES)
            if not chunk:
                raise EOFError("the server ended the session")
            self._buffer += chunk

    def _opened(self, what: str, number: int) -> bytes:
        match self._answer(number):
            case words.Opened(_, handle):
                return handle
            case words.Ended() as ended:
                raise _refused(what, ended)
            case other:
                raise _confused(other)

    def _looked(self, number: int) -> Attributes:
        match self._answer(number):
            case words.Looked(_, attributes):
                return attributes
            case words.Ended() as ended:
                raise _refused("It could not be looked at", ended)
            case other:
                raise _confused(other)

    def _done(self, what: str, number: int) -> None:
        match self._answer(number):
            case words.Ended(_, Status.OK, _):
                return
            case words.Ended() as ended:
                raise _refused(what, ended)
            case other:
                raise _confused(other)


def _confused(answer: words.Answer) -> RemoteAway:
    return RemoteAway(f"The server answered a request with {type(answer).__name__.lower()}.")
