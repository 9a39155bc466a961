"""Tries rule packs in a process of their own, which is ended when it takes too long.

Rules are programs: one that counts to the end of the world would otherwise hang the command, for
Saxon can be stopped in no other way. `python -m gateway.cli.rules_trial SECONDS` is that process:
it reads an attempt from standard input, and writes the answer to standard output.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec

import gateway
from gateway.core.schematron.trial import Attempt, TrialAnswer, tried

SECONDS = 60
"""How long a pack may take by default. The slowest official one takes some three seconds."""


def tried_apart(attempt: Attempt, seconds: float) -> TrialAnswer:
    """As `tried`, in another process; a pack that takes longer than `seconds` is told so."""
    command = [sys.executable, "-m", __name__, str(seconds)]
    name = attempt.entry.name
    try:
        # The command is our own interpreter and our own module, found where this one is, and not
        # in the folder somebody works in; what the pack is goes by a pipe.
        done = subprocess.run(  # noqa: S603
            command,
            cwd=Path(gateway.__file__).resolve().parent.parent,
            input=msgspec.msgpack.encode(attempt),
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return TrialAnswer(
            what=f"{name} did not come to an end on our samples within {seconds:g} s.",
            remedy="Look for a rule that goes on for ever, or past every node for every node; if "
            "the machine is only busy, allow more with --trial-seconds.",
        )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").split()
        return TrialAnswer(
            what=f"The trial of {name} broke off with exit code {done.returncode}: "
            f"{' '.join(said[-60:]) or 'it said nothing'}.",
            remedy="Look for a rule that takes all memory, or calls itself without end.",
        )
    return msgspec.msgpack.decode(done.stdout, type=TrialAnswer)


def main() -> int:
    """Entry point of the process."""
    signal.alarm(int(float(sys.argv[1])) + 5)  # should nobody be left who would end it
    answers = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints is no answer
    attempt = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Attempt)
    with os.fdopen(answers, "wb") as out:
        out.write(msgspec.msgpack.encode(tried(attempt)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
