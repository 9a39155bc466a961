"""What once went wrong does not again."""

from __future__ import annotations

import functools
import runpy
import time
from pathlib import Path

import pytest

from tests.fuzz.child import targets_of
from tests.fuzz.target import Parser, Target

FOLDER = Path(__file__).parent / "crashes"
CASES = sorted(
    path
    for path in FOLDER.glob("*/*")
    if path.is_file() and path.suffix != ".pyc" and path.parent.name != "__pycache__"
)
LEAST = 5
"""Cases that were there when this was written: the test below cannot pass for want of files."""


@functools.cache
def target(name: str) -> tuple[Target, Parser]:
    found = targets_of("tests.fuzz.targets")[name]
    return found, found.parser()


def content(case: Path) -> bytes:
    """The input."""
    if case.suffix == ".py":
        made: bytes = runpy.run_path(str(case))["build"]()
        return made
    return case.read_bytes()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_an_input_that_once_went_wrong_has_an_outcome(case: Path) -> None:
    """Accepted or refused, in the time it may take."""
    found, parser = target(case.parent.name)
    data = content(case)
    found.attempt(parser, data)
    began = time.process_time()
    found.attempt(parser, data)
    assert time.process_time() - began < found.allowance(len(data))


def test_the_cases_are_there() -> None:
    """The folder was found."""
    assert len(CASES) >= LEAST
