"""Judges that stand still while something else is measured, and are not taken for hung ones."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import psutil

from bench.meters import processes
from tests.gateway_process import GatewayProcess

_SECONDS = 3600


def let_judges_stand(gateway: GatewayProcess) -> None:
    """To be called before the start: whatever a stopped judge has, it may have for an hour.

    Of its document some was done (`time_limit_seconds`), or nothing yet (`boot_limit_seconds`).
    """
    patient = f"[judges]\ntime_limit_seconds = {_SECONDS}\nboot_limit_seconds = {_SECONDS}\n"
    gateway.config.write_text(gateway.config.read_text().replace("[judges]\n", patient))


@contextlib.contextmanager
def judges_stopped(gateway: GatewayProcess) -> Iterator[None]:
    """The judges stand still meanwhile. Ends the program when one was replaced all the same."""
    judges = [process for process, role in processes(gateway).items() if role == "worker"]
    try:
        for judge in judges:
            judge.suspend()
        yield
        if not all(judge.is_running() for judge in judges):
            sys.exit(f"a judge was replaced, so one worked meanwhile: {gateway.log_tail()}")
    finally:
        for judge in judges:
            with contextlib.suppress(psutil.NoSuchProcess):
                judge.resume()
