"""`python -m bench.sftp_intake`, with few files."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.sftp_intake import (
    FLOOR,
    GATEWAY,
    OPENSSH,
    Plan,
    Taken,
    faults_of,
    figures,
    measure,
    show,
)
from tests.service.sshd import needs_sshd


def test_the_ratio_is_the_median_of_those_of_the_rounds() -> None:
    """A slow minute of the machine slows both of its round, and no other."""
    taken = {
        GATEWAY: [Taken(2.0, 1.0), Taken(30.0, 1.5), Taken(2.5, 1.0)],
        OPENSSH: [Taken(1.0, 0.1), Taken(10.0, 0.2), Taken(1.0, 0.1)],
    }
    found = figures("small", taken)
    assert found["ratio"] == 2.5
    assert found["median"] == {GATEWAY: 2.5, OPENSSH: 1.0}
    assert found["cpu_seconds"] == {GATEWAY: 1.0, OPENSSH: 0.1}
    assert "floor" not in found
    with_floor = figures("small", {**taken, FLOOR: [Taken(1.5, 0.3), Taken(18.0, 1), Taken(2, 1)]})
    assert (with_floor["ratio"], with_floor["floor"]) == (2.5, 1.8)


@pytest.mark.parametrize(("ratio", "number"), [(3.0, 0), (3.01, 1)])
def test_what_takes_too_long_is_a_fault(ratio: float, number: int) -> None:
    assert len(faults_of({"small": {"ratio": ratio, "allowed": 3.0}}, sent=5, received=5)) == number


def test_a_file_the_journal_does_not_have_is_a_fault() -> None:
    """Then what was measured was no durable intake."""
    (fault,) = faults_of({"large": {"ratio": 1.0, "allowed": 1.5}}, sent=5, received=4)
    assert fault == "5 files were sent, the journal has 4"


@needs_sshd
@pytest.mark.ssh
@pytest.mark.timeout(300)
def test_all_servers_get_the_same_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And the gateway has all of them. How long it took is not looked at here."""
    plan = Plan(n=8, kb=21, sessions=2, mb=2, rounds=2)
    measured = measure(tmp_path, plan, embedded=True, floor=True)
    assert [fault for fault in measured["faults"] if "journal" in fault] == []
    for kind in ("small", "large"):
        for name in (GATEWAY, FLOOR, OPENSSH):
            assert len(measured[kind]["seconds"][name]) == 2
            assert all(each > 0 for each in measured[kind]["seconds"][name])
            assert measured[kind]["cpu_seconds"][name] > 0
    show(measured)
    assert "8 × 21 kB, 2 sessions" in capsys.readouterr().out
