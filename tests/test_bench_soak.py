"""`python -m bench.soak`: what it calls growth, and that it sees a short one through."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.soak import account, measure, show
from bench.soak_meters import Judged, Sample, judge, replaced, slope
from tests.broker import require_rabbitmq

RATE = 10.0
ONE, OTHER = "<1@x>", "<2@x>"


def samples(name: str, value: Callable[[float], float], pids: dict[str, int]) -> list[Sample]:
    """Half an hour, a sample every 30 seconds, ten documents a second; the figure is of time."""
    times = [30.0 * number for number in range(61)]
    return [Sample(at, int(RATE * at), {name: value(at)}, pids) for at in times]


def judged(name: str, value: Callable[[float], float]) -> Judged:
    """The figure's judgement."""
    (found,) = judge(samples(name, value, {}), RATE)
    return found


def test_the_slope_is_that_of_the_line_through_the_samples() -> None:
    """By time, and by documents."""
    seen = samples("spool", lambda at: 5 + 2 * at, {})
    assert slope(seen, "spool", lambda each: each.at) == pytest.approx(2.0)
    found = judged("spool", lambda at: 5 + 2 * at)
    assert found.per_hour == pytest.approx(7200)
    assert found.per_10_000 == pytest.approx(2000)
    assert slope(seen[:1], "spool", lambda each: each.at) == 0.0


def test_a_leak_adds_up_and_noise_does_not() -> None:
    """Two kilobytes a document are 36 MB in half an hour: too much; a wave of 30 MB is none."""
    leak = judged("reactor 1: RSS", lambda at: 100 + 0.002 * RATE * at)
    assert not leak.good
    assert leak.allowed == "in all +20: +36.0"
    noise = judged("worker 2: RSS", lambda at: 100 + 30 * (at % 60 == 30))
    assert noise.good
    assert noise.highest == 130


@pytest.mark.parametrize(
    ("name", "harmless", "too_much"),
    [
        ("sftp 1: descriptors", 8, 12),
        ("sftp 1: threads", 4, 6),
        ("outbox", 290, 310),
        ("not yet acknowledged", 290, 310),
        ("latency, median", 4, 6),
        ("latency, 95 of 100", 14, 16),
    ],
)
def test_what_may_rise_a_little(name: str, harmless: float, too_much: float) -> None:
    """From the first sample to the last, along the line."""
    assert judged(name, lambda at: 3 + harmless * at / 1800).good
    assert not judged(name, lambda at: 3 + too_much * at / 1800).good


@pytest.mark.parametrize("name", ["journal", "spool", "spool, files"])
def test_what_grows_by_documents_grows_evenly(name: str) -> None:
    """However much it is; but a document may not cost more and more."""
    assert judged(name, lambda at: 50 * at).good
    assert not judged(name, lambda at: 50 * at + 0.01 * at**2).good


def test_the_log_of_the_journal_has_a_bound_and_moves_below_it() -> None:
    """It is written back in steps."""
    name = "journal's log (WAL)"
    assert judged(name, lambda at: 60 * at / 1800).good
    assert not judged(name, lambda at: 150 * (at == 900)).good


def test_few_samples_are_no_proof() -> None:
    with pytest.raises(ValueError, match="3 samples"):
        judge(samples("spool", float, {})[:3], RATE)


def test_a_process_that_died_is_named() -> None:
    """Another one in its place, or none."""
    before = samples("spool", float, {"reactor 1": 1, "worker 1": 2})
    assert replaced(before) == []
    assert replaced([*before, before[-1]._replace(pids={"reactor 1": 1, "worker 1": 3})]) == [
        "worker 1"
    ]
    assert replaced([*before, before[-1]._replace(pids={"reactor 1": 1})]) == ["worker 1"]


def test_the_account_balances_or_says_what_is_missing() -> None:
    """Each file: one result, one report for the back office, one for its partner."""
    both = {ONE, OTHER}
    good = {"edi.documents": both, "edi.acknowledgements": both}
    assert account(2, good, {"a", "b"}, None) == []
    assert account(2, {**good, "edi.documents": {ONE}}, {"a", "b"}, None) == [
        "2 files were sent, 1 came by way of edi.documents"
    ]
    assert account(2, good, {"a", "b", "c"}, None) == [
        "2 files were sent, 3 came by way of reports"
    ]
    assert account(2, good, {"a", "b"}, OSError("gone")) == ["the consumer ended: gone"]


@pytest.mark.ssh
@pytest.mark.timeout(300)
def test_a_short_soak_through_the_whole_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Everything is sampled, nothing is lost, nobody dies. How fast it goes is not looked at."""
    require_rabbitmq()
    plan = argparse.Namespace(
        minutes=0.2, share=0.7, rate=3.0, burst=20, every=2.0, sessions=2, judges=1
    )
    measured = measure(tmp_path, plan)

    assert measured["maximum"] > 0
    assert measured["offered"] == 36
    assert measured["sent"] >= 34  # a batch is a whole number of files
    figures = {figure["name"]: figure for figure in measured["figures"]}
    roles = ("reactor 1", "worker 1", "sftp 1", "sftp 2")
    assert {name for name in figures if ": " in name} == {
        f"{role}: {what}" for role in roles for what in ("RSS", "descriptors", "threads")
    }
    assert all(figure["first"] > 0 for name, figure in figures.items() if ": " in name)
    assert figures["spool, files"]["last"] > figures["spool, files"]["first"] > 0
    assert figures["latency, 95 of 100"]["highest"] > 0
    lost = [fault for fault in measured["faults"] if "were sent" in fault or "process" in fault]
    assert lost == []

    show(measured)
    assert "offered 3.0 a second for 0.2 minutes" in capsys.readouterr().out
    assert json.loads(json.dumps(measured)) == measured
