"""The frames daemon and worker processes exchange over a pipe.

One frame is a 4-byte big-endian length, then that many bytes: one byte of kind, then the payload.

    daemon ─▶ worker   B boot (msgpack WorkerBoot), once;
                       then J job (msgpack JudgeJob), one at a time
    worker ─▶ daemon   R ready, or E boot failure (utf-8); then per job
                       D done (msgpack Judgement) or F failed (utf-8: a failure of our own);
                       at any time P, it prepares what later jobs need as well, until it says
                       W, it is at work; in a job perhaps with the size of what it works on

Nothing here knows what a payload holds. A length beyond the cap means that the stream is not (or
no longer) made of frames, for instance because something printed into it: the only safe answer
is to end the worker, so every violation is a `FrameError`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO, Final

BOOT: Final = b"B"
JOB: Final = b"J"
READY: Final = b"R"
BOOT_FAILED: Final = b"E"
DONE: Final = b"D"
FAILED: Final = b"F"
PREPARING: Final = b"P"
WORKING: Final = b"W"

KINDS: Final = frozenset({BOOT, JOB, READY, BOOT_FAILED, DONE, FAILED, PREPARING, WORKING})

MAX_FRAME_BYTES: Final = 256 * 1024 * 1024
"""Kind and payload of the largest frame. A judgement of the largest document stays far below."""

_SMALL_BYTES: Final = 1 << 16
_LENGTH: Final = struct.Struct(">I")


class FrameError(ValueError):
    """The bytes are not a frame.

    The length is 0 or beyond the cap, the kind is unknown, or the stream ended inside a frame.
    """


def encode(kind: bytes, payload: bytes = b"") -> bytes:
    """One frame as bytes. Raises FrameError for an unknown kind or a payload beyond the cap."""
    return header(kind, len(payload)) + payload


def header(kind: bytes, payload_size: int) -> bytes:
    """The 5 bytes that go before a payload of `payload_size` bytes: saves copying a large one."""
    if kind not in KINDS:
        raise FrameError(f"{kind!r} is not a frame kind")
    if payload_size + 1 > MAX_FRAME_BYTES:
        raise FrameError(f"a frame of {payload_size} bytes is larger than {MAX_FRAME_BYTES}")
    return _LENGTH.pack(payload_size + 1) + kind


def write_frame(stream: IO[bytes], kind: bytes, payload: bytes = b"") -> None:
    """Write one frame and flush; blocks until the pipe took it all."""
    head = header(kind, len(payload))
    # A small frame is one write: two cost twice as much, and wake the reader twice.
    for piece in (head + payload,) if len(payload) < _SMALL_BYTES else (head, payload):
        rest = memoryview(piece)
        while rest:
            # A raw (unbuffered) stream may take less than it was given.
            rest = rest[stream.write(rest) :]
    stream.flush()


def read_frame(
    stream: IO[bytes], *, max_bytes: int = MAX_FRAME_BYTES
) -> tuple[bytes, bytes] | None:
    """The next (kind, payload), or None at a clean end of the stream; blocks until it is there.

    Raises FrameError when the stream ends inside a frame or does not hold frames.
    """
    head = _read_exactly(stream, _LENGTH.size)
    if head is None:
        return None
    size = _checked_length(head, max_bytes)
    kind = _read_exactly(stream, 1)
    if kind is None:
        raise FrameError("the stream ended inside a frame")
    _check_kind(kind)
    if size == 1:
        return kind, b""
    payload = _read_exactly(stream, size - 1)
    if payload is None:
        raise FrameError("the stream ended inside a frame")
    return kind, payload


class FrameDecoder:
    """Bytes in as they come, frames out as they complete; each byte is copied at most twice.

    After a FrameError the decoder must not be used again: the stream has lost its rhythm.
    """

    def __init__(self, max_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._wanted: int | None = None

    def feed(self, chunk: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield every (kind, payload) that `chunk` completes. Raises FrameError."""
        self._buffer += chunk
        while True:
            if self._wanted is None:
                if len(self._buffer) < _LENGTH.size:
                    return
                self._wanted = _checked_length(bytes(self._buffer[: _LENGTH.size]), self._max_bytes)
            if len(self._buffer) > _LENGTH.size:
                # Checked before the rest arrives: garbage is noticed at its first bytes.
                _check_kind(bytes(self._buffer[4:5]))
            end = _LENGTH.size + self._wanted
            if len(self._buffer) < end:
                return
            with memoryview(self._buffer) as view:
                frame = bytes(view[4:5]), bytes(view[5:end])
            del self._buffer[:end]
            self._wanted = None
            yield frame

    @property
    def pending(self) -> int:
        """How many bytes of an incomplete frame are held."""
        return len(self._buffer)


def _checked_length(head: bytes, max_bytes: int) -> int:
    size: int = _LENGTH.unpack(head)[0]
    if not 1 <= size <= max_bytes:
        raise FrameError(f"a frame of {size} bytes is not between 1 and {max_bytes}")
    return size


def _check_kind(kind: bytes) -> None:
    if kind not in KINDS:
        raise FrameError(f"{kind!r} is not a frame kind")


def _read_exactly(stream: IO[bytes], count: int) -> bytes | None:
    """`count` bytes, or None when the stream ended before the first of them."""
    pieces: list[bytes] = []
    missing = count
    while missing:
        piece = stream.read(min(missing, 1 << 20))
        if not piece:
            if pieces:
                raise FrameError("the stream ended inside a frame")
            return None
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)
