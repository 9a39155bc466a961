"""A worker process for the tests of the pool: it does what its boot frame and its jobs tell it.

Run as a script. The boot payload and each job are JSON objects with a key `do`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))

from gateway import frames, worker_setup

_hoard: list[bytearray] = []
_out = sys.stdout.buffer


def _boot(told: dict[str, str]) -> None:
    match told.get("do"):
        case "fail":
            frames.write_frame(_out, frames.BOOT_FAILED, told["words"].encode())
            sys.exit(1)
        case "fail-once":
            # The first process to boot takes the token away and fails.
            with contextlib.suppress(FileNotFoundError):
                Path(told["token"]).unlink()
                frames.write_frame(_out, frames.BOOT_FAILED, b"not yet")
                sys.exit(1)
        case "fail-while" if Path(told["token"]).exists():
            frames.write_frame(_out, frames.BOOT_FAILED, b"not while this is there")
            sys.exit(1)
        case "die":
            print("I cannot live like this", file=sys.stderr, flush=True)
            os._exit(7)
        case "hang":
            time.sleep(600)
    print("booted", os.getpid(), file=sys.stderr, flush=True)
    frames.write_frame(_out, frames.READY)
    if told.get("do") == "prepare":
        _prepare(float(told["seconds"]))


def _prepare(seconds: float, mb: int = 0) -> None:
    frames.write_frame(_out, frames.PREPARING)
    _hoard.append(bytearray(os.urandom(1 << 20)) * mb)
    time.sleep(seconds)
    frames.write_frame(_out, frames.WORKING)


def _job(payload: bytes) -> None:
    if not payload.startswith(b"{"):
        frames.write_frame(_out, frames.DONE, payload)
        return
    told = json.loads(payload)
    match told["do"]:
        case "pid":
            frames.write_frame(_out, frames.DONE, str(os.getpid()).encode())
        case "wait-for":
            Path(told["started"]).touch()
            while not Path(told["file"]).exists():
                time.sleep(0.005)
            frames.write_frame(_out, frames.DONE, b"waited")
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "exit":
            sys.exit(told["code"])
        case "answer-and-exit":
            frames.write_frame(_out, frames.DONE, b"last words")
            os._exit(0)
        case "hang":
            print("about to hang", file=sys.stderr, flush=True)
            time.sleep(600)
        case "sleep":
            time.sleep(told["seconds"])
            frames.write_frame(_out, frames.DONE, b"slept")
        case "prepare":
            if told.get("crash"):
                frames.write_frame(_out, frames.PREPARING)
                os.kill(os.getpid(), signal.SIGSEGV)
            _prepare(told["seconds"], told.get("mb", 0))
            time.sleep(told.get("then", 0))
            frames.write_frame(_out, frames.DONE, b"prepared")
        case "prepare-later":
            frames.write_frame(_out, frames.DONE, b"later")
            _prepare(told["seconds"])
        case "opened":
            frames.write_frame(_out, frames.WORKING, str(told["size"]).encode())
            time.sleep(told["seconds"])
            frames.write_frame(_out, frames.DONE, b"opened")
        case "garbage":
            _out.write(b"Traceback: this is not a frame\n" * 10)
            _out.flush()
            time.sleep(600)
        case "twice":
            frames.write_frame(_out, frames.DONE, b"once")
            frames.write_frame(_out, frames.DONE, b"twice")
        case "close-stdout":
            os.close(1)
            time.sleep(600)
        case "fail":
            frames.write_frame(_out, frames.FAILED, told["words"].encode())
        case "memory":
            hoard = bytearray(os.urandom(1 << 20)) * told["mb"]
            time.sleep(600)
            print(len(hoard))
        case "keep":
            # As a parser does that never gives back what it took.
            _hoard.append(bytearray(os.urandom(1 << 20)) * told["mb"])
            frames.write_frame(_out, frames.DONE, str(os.getpid()).encode())
        case "spin":
            Path(told["started"]).touch()
            sum(range(1 << 62))
        case "say":
            sys.stderr.write(told["text"])
            sys.stderr.flush()
            frames.write_frame(_out, frames.DONE, b"said")


def main() -> None:
    """Read frames until standard input closes."""
    worker_setup.become_expendable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while (frame := frames.read_frame(sys.stdin.buffer)) is not None:
        kind, payload = frame
        if kind == frames.BOOT:
            _boot(json.loads(payload))
        else:
            _job(payload)


if __name__ == "__main__":
    main()
