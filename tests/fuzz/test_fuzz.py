"""A short run of `python -m bench.fuzz`: each parser with some of its damaged inputs.

The same ones every time, so that a failure is the change's; other seeds are for the long run.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from bench.fuzz import TABLE, shallow, shares
from tests.fuzz.child import targets_of
from tests.fuzz.target import Target
from tests.fuzz.watching import Account, fuzz

SEED = 1
INPUTS = 3000
LEAST = 80
"""Of a target: fewer would say little about whether they get anywhere."""

TARGETS = targets_of(TABLE)

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def running() -> Iterator[dict[str, Future[Account]]]:
    """All targets, two processes at a time."""
    counts = shares(list(TARGETS.values()), INPUTS)
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as threads:
        patch.delenv("EDI_GATEWAY_CORPUS", raising=False)  # or the inputs would be others
        yield {
            name: threads.submit(fuzz, TABLE, name, seed=SEED, count=max(LEAST, count))
            for name, count in zip(TARGETS, counts, strict=True)
        }


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
def test_damaged_inputs_are_accepted_or_refused(
    target: Target, running: dict[str, Future[Account]]
) -> None:
    """No crash, no hang, no undeclared exception; and enough of them get past the first check."""
    account = running[target.name].result()
    assert not account.failures, "\n\n".join(
        f"input {one.number}: {what}\n{one.said}\n{one.data[:500]!r}"
        for what, one in account.failures.items()
    )
    assert account.inputs == account.accepted + account.refused >= LEAST
    assert shallow([target], [account]) == []


def test_every_target_has_words_and_seeds() -> None:
    """What it promises stands in its docstring; names are not taken twice."""
    assert len(TARGETS) >= 30
    for name, target in TARGETS.items():
        assert target.name == name
        assert target.seeds(), name
        assert target.seconds <= 30, name
