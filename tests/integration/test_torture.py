"""Nothing is lost and nothing doubled, whoever is killed, whenever."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest

from tests.broker import Broker
from tests.torture.kills import BROKER, DISK_ERRORS, SFTP_PLACES, Kill, Torture
from tests.torture.run import run

pytestmark = [pytest.mark.broker, pytest.mark.ssh, pytest.mark.timeout(1800)]

KILLS = 9
"""At random moments; the others come where a promise is made."""
SEED = "EDI_GATEWAY_TORTURE_SEED"
"""Repeats the choices of an earlier run, which printed its seed."""


def test_kills_lose_nothing_and_double_nothing(tmp_path: Path, broker: Broker) -> None:
    """At random moments, around each promise, when disk or broker fail: every file ends once."""
    seed = int(os.environ.get(SEED) or secrets.randbelow(1_000_000))
    print(f"{SEED}={seed}")
    torture = Torture(
        kills=KILLS,
        seed=seed,
        places=SFTP_PLACES + DISK_ERRORS,
        others=(Kill.FULL, *BROKER),
        hangups=0.1,
    )
    outcome = run(tmp_path, broker, torture, print)
    assert not outcome.faults, f"{outcome}\n{outcome.faults}"
    expected = dict.fromkeys(Kill, KILLS // 3) | {
        Kill.POINT: len(SFTP_PLACES),
        Kill.ERROR: len(DISK_ERRORS),
        **dict.fromkeys((Kill.FULL, *BROKER), 1),
    }
    assert outcome.kills == expected, f"seed {seed}"
    assert outcome.hangups.get("acme"), f"seed {seed}: no client was killed in the middle of a file"
    assert outcome.sent >= sum(expected.values()), f"seed {seed}: too little load to prove much"
