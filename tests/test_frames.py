from __future__ import annotations

import io
import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import frames

KINDS = st.sampled_from(sorted(frames.KINDS))
FRAMES = st.lists(st.tuples(KINDS, st.binary(max_size=300)), max_size=8)


class _Stingy(io.RawIOBase):
    """A raw stream that takes at most three bytes per call, as a pipe may."""

    def __init__(self) -> None:
        self.taken = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)[:3]  # type: ignore[call-overload]
        self.taken += piece
        return len(piece)


@given(FRAMES, st.integers(min_value=1, max_value=40))
def test_decoder_finds_every_frame_however_the_bytes_are_cut(
    sent: list[tuple[bytes, bytes]], step: int
) -> None:
    """Frames come out once, in order, whole, for any cutting of the stream."""
    stream = b"".join(frames.encode(kind, payload) for kind, payload in sent)
    decoder = frames.FrameDecoder()
    got = []
    for start in range(0, len(stream), step):
        got += list(decoder.feed(stream[start : start + step]))
    assert got == sent
    assert decoder.pending == 0


@given(FRAMES)
def test_blocking_reader_and_writer_agree(sent: list[tuple[bytes, bytes]]) -> None:
    """What write_frame wrote, read_frame gives back, then None at the end."""
    stream = io.BytesIO()
    for kind, payload in sent:
        frames.write_frame(stream, kind, payload)
    stream.seek(0)
    got = [frames.read_frame(stream) for _ in sent]
    assert got == sent
    assert frames.read_frame(stream) is None


def test_writer_survives_partial_writes() -> None:
    """A raw stream that takes a few bytes at a time still gets the whole frame."""
    stream = _Stingy()
    frames.write_frame(stream, frames.DONE, b"0123456789" * 10)  # type: ignore[arg-type]
    assert bytes(stream.taken) == frames.encode(frames.DONE, b"0123456789" * 10)


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(b"\0\0\0\0", id="length 0"),
        pytest.param(b"\0\0\0\x05Dabcde", id="unknown kind next"),
        pytest.param(b"hello, I was printed by accident", id="text"),
        pytest.param(b"\0\0\0\x02?x", id="unknown kind"),
        pytest.param(b"\0\0\x10\x00D", id="longer than the cap"),
    ],
)
def test_decoder_refuses_what_is_not_a_frame(stream: bytes) -> None:
    """A stream that lost its rhythm is an error, not a wait for bytes that never come."""
    with pytest.raises(frames.FrameError):
        list(frames.FrameDecoder(max_bytes=1000).feed(stream + b"\xff" * 8))


@pytest.mark.parametrize("cut", [1, 3, 4, 5, 8])
def test_reader_names_a_stream_cut_inside_a_frame(cut: int) -> None:
    """An end inside a frame is an error: a truncated frame is never taken for the end."""
    with pytest.raises(frames.FrameError, match="ended inside"):
        frames.read_frame(io.BytesIO(frames.encode(frames.JOB, b"payload")[:cut]))


def test_reader_refuses_a_frame_beyond_the_cap() -> None:
    """The cap holds before anything is allocated."""
    with pytest.raises(frames.FrameError, match="not between"):
        frames.read_frame(io.BytesIO(b"\xff\xff\xff\xff"), max_bytes=1000)


def test_encode_refuses_unknown_kinds_and_excess() -> None:
    """What the other side would refuse is not sent."""
    with pytest.raises(frames.FrameError):
        frames.encode(b"Z", b"")
    with pytest.raises(frames.FrameError):
        frames.header(frames.JOB, frames.MAX_FRAME_BYTES)


def test_twenty_megabytes_pass_a_pipe_and_the_decoder() -> None:
    """A large frame through a real pipe, both ends at work, and a decoder fed in chunks."""
    payload = os.urandom(1 << 20) * 20
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as source:

        def write() -> None:
            with os.fdopen(writing, "wb", buffering=0) as sink:
                frames.write_frame(sink, frames.JOB, payload)  # type: ignore[arg-type]

        thread = threading.Thread(target=write)
        thread.start()
        assert frames.read_frame(source) == (frames.JOB, payload)
        thread.join()
    decoder = frames.FrameDecoder()
    stream = frames.encode(frames.DONE, payload)
    got = [
        frame
        for at in range(0, len(stream), 65536)
        for frame in decoder.feed(stream[at : at + 65536])
    ]
    assert got == [(frames.DONE, payload)]
