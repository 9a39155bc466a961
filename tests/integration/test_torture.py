"""Nothing is lost and nothing doubled, whoever is killed, whenever."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest

from tests.broker import Broker
from tests.torture.kills import Kill
from tests.torture.run import Torture, run

pytestmark = [pytest.mark.broker, pytest.mark.ssh, pytest.mark.timeout(900)]

KILLS = 25
SEED = "EDI_GATEWAY_TORTURE_SEED"
"""Repeats the choices of an earlier run, which printed its seed."""


def test_kills_at_random_moments_lose_nothing_and_double_nothing(
    tmp_path: Path, broker: Broker
) -> None:
    """Whole gateway, judges and SFTP processes: every file ends once, with all its messages."""
    seed = int(os.environ.get(SEED) or secrets.randbelow(1_000_000))
    print(f"{SEED}={seed}")
    outcome = run(tmp_path, broker, Torture(kills=KILLS, seed=seed), print)
    assert not outcome.faults, f"{outcome}\n{outcome.faults}"
    assert sum(outcome.kills.values()) == KILLS, f"seed {seed}"
    assert all(outcome.kills[kind.value] >= 5 for kind in Kill), f"seed {seed}"
    assert outcome.sent >= KILLS, f"seed {seed}: too little load to prove anything"
