"""What must never happen to a parser is noticed when it happens, with the input that does it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.fuzz import _failures, shallow, shares
from tests.fuzz.child import inputs, targets_of
from tests.fuzz.mutation import MAX_BYTES, mutant, numbered
from tests.fuzz.planted import BAD
from tests.fuzz.seeds import archives
from tests.fuzz.target import Kind, Outcome
from tests.fuzz.watching import Account, fuzz

PLANTED = "tests.fuzz.planted"
COUNT = 120


def run(name: str, *, count: int = COUNT, patience: float = 60.0) -> Account:
    return fuzz(PLANTED, name, seed=5, count=count, patience=patience)


def bad_numbers(name: str, count: int = COUNT) -> list[int]:
    """The inputs that make the planted target do what it does."""
    target = targets_of(PLANTED)[name]
    made = inputs(target, 5, range(count))
    return [number for number, data in made if BAD in data and data not in target.seeds()]


def test_a_good_target_has_nothing_but_outcomes() -> None:
    """Every input is counted once."""
    account = run("good")
    assert (account.inputs, account.failed, account.failures) == (COUNT, 0, {})
    assert account.accepted > 0
    assert account.refused > 0
    assert account.accepted + account.refused == COUNT


def test_an_undeclared_exception_is_a_failure() -> None:
    """Each is counted, the first is kept, no larger than it must be; a declared one is none."""
    account = run("raises")
    assert account.failed == len(bad_numbers("raises")) > 10
    ((what, failure),) = account.failures.items()
    assert what.startswith("KeyError at planted.py:")
    assert failure.data == BAD
    assert "_raises" in failure.said
    declared = run("refuses")
    assert (declared.failed, declared.inputs) == (0, COUNT)
    assert declared.refused >= len(bad_numbers("refuses"))


@pytest.mark.parametrize(("name", "code"), [("exits", 99), ("aborts", -6)])
def test_a_process_that_dies_is_noticed_and_the_others_run(name: str, code: int) -> None:
    """As SaxonC ends it, or a fault in C; the input that did it is kept."""
    bad = bad_numbers(name)
    count = bad[1] + 3
    account = run(name, count=count)
    assert (account.inputs, account.failed) == (count, len(bad_numbers(name, count)))
    assert account.failed >= 2
    (failure,) = account.failures.values()
    assert (failure.what, failure.number) == (f"crash: exit code {code}", bad[0])
    assert BAD in failure.data


@pytest.mark.parametrize("name", ["hangs", "burns"])
def test_a_hang_is_noticed_with_the_place_it_hangs_at(name: str) -> None:
    """It waits for ever, or computes for ever: the process is ended."""
    first = bad_numbers(name)[0]
    account = run(name, count=first + 2, patience=1.0)
    (failure,) = account.failures.values()
    assert (failure.what, failure.number) == ("hang", first)
    assert f"_{name}" in failure.said
    assert BAD in failure.data


def test_time_and_memory_beyond_what_is_allowed_are_failures() -> None:
    """CPU seconds are measured, not those of the clock."""
    slow = run("spins", count=6)
    assert slow.failed == len(bad_numbers("spins", 6)) > 0
    assert all(what.startswith("slow: ") for what in slow.failures)
    large = run("hoards", count=6)
    assert large.failed > 0
    assert all(what.startswith("memory: ") for what in large.failures)


def test_a_target_that_never_gets_past_its_first_check_is_named() -> None:
    """By how many of its inputs came to either end."""
    target = targets_of(PLANTED)["shallow"]
    (word,) = shallow([target], [run("shallow")])
    assert word.startswith("shallow: only ")
    assert word.endswith(" inputs were accepted, not 99 %")


def test_a_failure_is_kept_as_a_file_and_told_with_its_seed(tmp_path: Path) -> None:
    """So that it can be run again."""
    account = run("raises")
    (said,) = _failures([account], tmp_path)
    (file,) = tmp_path.iterdir()
    assert file.read_bytes() == BAD
    assert str(file) in said
    assert "raises, seed 5, input " in said


@pytest.mark.parametrize("kind", Kind)
def test_inputs_are_known_by_seed_and_number(kind: Kind) -> None:
    """The same again from the same numbers, others from others; never beyond the largest."""
    sound = {
        Kind.ASN1: [b"\x30\x82\x00\x0c\x04\x04abcd\x30\x04\x02\x02xy" * 2],
        Kind.XML: [b"<a><b c='d'>e</b><f/></a>"],
        Kind.ARCHIVE: archives()[:2],
    }.get(kind, [b"a: b\r\nc: d\r\n" * 5])

    def made(seed: int) -> list[bytes]:
        return [mutant(sound, kind, numbered("x", seed, number)) for number in range(120)]

    assert made(1) == made(1)
    assert made(1) != made(2)
    assert len(set(made(1))) > 80
    assert max(map(len, made(1))) <= MAX_BYTES


def test_inputs_are_shared_out() -> None:
    """By the weight of each target, and none goes without."""
    one = targets_of(PLANTED)["good"]
    targets = [replace(one, name=str(n), share=n) for n in (1, 3, 6)]
    assert shares(targets, 100) == [10, 30, 60]
    assert shares(targets, 1) == [1, 1, 1]
    assert Outcome.ACCEPTED == "accepted"
