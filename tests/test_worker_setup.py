"""A worker goes first when memory runs out, and goes with its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway import worker_setup

TOP = Path(__file__).parents[1]
BUSY = "from gateway.worker_setup import *; become_expendable(); {rest}"
linux = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")


def python(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=TOP
    )


@linux
def test_worker_is_the_first_to_go_when_memory_runs_out() -> None:
    """Its score is the highest there is."""
    with python(BUSY.format(rest="print(open('/proc/self/oom_score_adj').read())")) as child:
        assert child.communicate(timeout=30)[0].split() == [str(worker_setup.OOM_SCORE)]


@linux
def test_worker_goes_with_its_parent() -> None:
    """However the parent ends, and although the worker does nothing but count, in C."""
    busy = BUSY.format(rest="print(os.getpid(), flush=True); sum(range(1 << 62))")
    parent = python(
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}], stdin=-3)"
    )
    assert parent.stdout is not None
    pid = 0
    try:
        pid = int(parent.stdout.readline())
        assert _running(pid)
        parent.kill()
        parent.wait()
        deadline = time.monotonic() + 10
        while _running(pid):
            assert time.monotonic() < deadline, "the worker outlived its parent"
            time.sleep(0.02)
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
        if pid and _running(pid):
            os.kill(pid, signal.SIGKILL)


@linux
def test_parent_that_ends_in_between_is_noticed() -> None:
    """The kernel signals later deaths only: an earlier one is seen by the changed parent."""
    code = "import os; os.getppid = iter([1, 2]).__next__; " + BUSY.format(rest="print('alive')")
    with python(code) as child:
        assert child.communicate(timeout=30)[0] == ""
        assert child.returncode == 0


def test_elsewhere_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """On another system there is neither file nor call."""
    monkeypatch.setattr(worker_setup.sys, "platform", "darwin")
    monkeypatch.setattr(worker_setup.os, "getppid", lambda: pytest.fail("asked"))
    worker_setup.become_expendable()


def _running(pid: int) -> bool:
    """Whether the process exists and is no zombie, which only waits to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
