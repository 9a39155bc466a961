"""What every worker process does, whatever its work: boot, then one answer for one job.

    daemon ─▶ boot frame ─▶ ready, or why not        (gateway.frames)
    daemon ─▶ job ─▶ done with an answer, or failed with words ─▶ the next job …

While no job waits it prepares for those to come, step by step, if its work has such steps; and it
says when it prepares, for that must not count as a job's time. It ends when its standard input
closes, that is, with the daemon. Standard library, frames and errors only: what a worker works with
is its own business.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

from gateway import frames
from gateway.errors import GatewayError
from gateway.worker_setup import become_expendable

Answer = Callable[[bytes], bytes]
"""A job's payload in, its answer out; an exception is a failure of this job alone."""
Build = Callable[[bytes], Answer]
"""The boot frame's payload in; raises when nothing can be worked on at all."""


class Work(NamedTuple):
    """What answers the jobs. `idle`: each step of it is taken while no job waits."""

    answer: Answer
    idle: Iterator[object] = iter(())


class Teller:
    """Tells the daemon what the worker does, beside its answers."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink

    @contextmanager
    def preparing(self) -> Iterator[None]:
        """What is done meanwhile serves later jobs as well: a job's time stands still."""
        frames.write_frame(self._sink, frames.PREPARING)
        try:
            yield
        finally:
            frames.write_frame(self._sink, frames.WORKING)

    def opened(self, size: int) -> None:
        """The job at hand is about so many bytes: what was packed into fewer."""
        frames.write_frame(self._sink, frames.WORKING, str(size).encode())


TellingBuild = Callable[[bytes, Teller], Work]
"""As `Build`, of work that tells what it does."""


def serve(source: BinaryIO, sink: BinaryIO, build: TellingBuild) -> int:
    """Boot, then answer jobs until `source` ends. The exit code: 0, or 1 when boot failed.

    Raises FrameError when `source` does not speak in frames.
    """
    first = frames.read_frame(source)
    if first is None:
        return 0
    try:
        work = build(_boot_payload(*first), Teller(sink))
    except Exception as error:  # the daemon must hear why, whatever it is
        frames.write_frame(sink, frames.BOOT_FAILED, words(error).encode())
        return 1
    frames.write_frame(sink, frames.READY)
    while (frame := _next_frame(source, work.idle)) is not None:
        kind, payload = frame
        if kind != frames.JOB:
            raise frames.FrameError(f"expected a job frame, not {kind!r}")
        try:
            done = work.answer(payload)
        except Exception as error:  # one job must not end the worker
            frames.write_frame(sink, frames.FAILED, words(error).encode())
        else:
            frames.write_frame(sink, frames.DONE, done)
    return 0


def _next_frame(source: BinaryIO, idle: Iterator[object]) -> tuple[bytes, bytes] | None:
    """The next frame; until it begins, steps of `idle`."""
    nothing = object()
    while not _is_readable(source) and next(idle, nothing) is not nothing:
        pass
    return frames.read_frame(source)


def _is_readable(source: BinaryIO) -> bool:
    """Whether reading would not wait. What is no pipe never makes anybody wait."""
    try:
        return bool(select.select([source], [], [], 0)[0])
    except (OSError, ValueError):
        return True


def _boot_payload(kind: bytes, payload: bytes) -> bytes:
    if kind != frames.BOOT:
        raise frames.FrameError(f"the first frame is {kind!r}, not a boot frame")
    return payload


def main(build: Build) -> int:
    """A worker process from its first line to its last."""
    return main_telling(lambda boot, _teller: Work(build(boot)))


def main_telling(build: TellingBuild) -> int:
    """As `main`, of work that tells what it does."""
    become_expendable()
    # Ctrl-C reaches the whole terminal, and some supervisors send SIGTERM to the whole group;
    # whether a worker ends is the daemon's to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # Frames get standard output for themselves: a stray print, from here or from a library in C,
    # must not end up between them.
    with os.fdopen(os.dup(1), "wb", buffering=0) as sink:
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        try:
            return serve(sys.stdin.buffer, sink, build)
        except BrokenPipeError:
            return 0  # the daemon is gone: nobody is left to answer


def words(error: Exception) -> str:
    """What the daemon's log shows: our own errors speak for themselves."""
    if isinstance(error, GatewayError):
        return str(error)
    return "".join(traceback.format_exception(error)).strip()
