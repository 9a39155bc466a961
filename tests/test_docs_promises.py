"""docs/guarantees.md and docs/threat-model.md name tests and modules: they are there.

A promise without a proof, or whose proof is gone, would be worth no more than a wish.
"""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "gateway"
GUARANTEES = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
THREATS = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
PAGES = {"guarantees": GUARANTEES, "threat-model": THREATS}
TEST = re.compile(r"`(tests/[\w/.]+\.py)::([\w:]+)`")
NOT_PROMISED = "## Not promised, not shown"
OPEN = "## Open"


@functools.cache
def proofs_in(file: Path) -> frozenset[str]:
    """Every test of a file, as pytest names it: `test_x`, `TestY::test_x`."""
    found = set()

    def look(node: ast.AST, prefix: str) -> None:
        for each in ast.iter_child_nodes(node):
            if isinstance(each, ast.ClassDef):
                look(each, f"{prefix}{each.name}::")
            elif isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                found.add(prefix + each.name)

    look(ast.parse(file.read_text(encoding="utf-8")), "")
    return frozenset(name for name in found if name.rpartition("::")[2].startswith("test_"))


def missing_tests(text: str) -> list[str]:
    """Tests that a page names and that are not there."""
    return [
        f"{file}::{name}"
        for file, name in TEST.findall(text)
        if not (ROOT / file).is_file() or name not in proofs_in(ROOT / file)
    ]


def missing_modules(text: str) -> list[str]:
    """Modules or folders of the package that a page names and that are not there."""
    named = set(re.findall(r"`((?:cli|config|core|daemon|gateway|model|service)/[\w/]+)`", text))
    return [
        name
        for name in sorted(named)
        if not (PACKAGE / f"{name.removeprefix('gateway/')}.py").is_file()
        and not (PACKAGE / name.removeprefix("gateway/")).is_dir()
    ]


def promises(text: str) -> dict[str, str]:
    """Title → text of each promise, up to what is not promised."""
    held = text.split(NOT_PROMISED, maxsplit=1)[0]
    return dict(re.findall(r"^### ([^\n]+)\n(.*?)(?=^##|\Z)", held, re.MULTILINE | re.DOTALL))


def threats(text: str) -> list[list[str]]:
    """The rows of every table of threats, as cells."""
    held = text.split(OPEN, maxsplit=1)[0]
    rows = [line.strip("|").split(" | ") for line in held.splitlines() if TEST.search(line)]
    return [[cell.strip() for cell in row] for row in rows]


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_is_named_is_there(page: str) -> None:
    """File and function, so that nobody renames a proof away."""
    assert len(TEST.findall(PAGES[page])) > 30
    assert missing_tests(PAGES[page]) == []


@pytest.mark.parametrize("page", PAGES)
def test_every_module_that_is_named_is_there(page: str) -> None:
    """The mechanism can be read where the page says."""
    assert missing_modules(PAGES[page]) == []


@pytest.mark.parametrize("page", PAGES)
def test_every_measurement_that_is_named_is_there(page: str) -> None:
    """`python -m bench.…`, for what takes too long for `make test`."""
    named = set(re.findall(r"python -m (?:bench|tests)\.\w+", PAGES[page]))
    files = {ROOT / f"{name.split()[-1].replace('.', '/')}.py" for name in named}
    assert [file for file in sorted(files) if not file.is_file()] == []


def test_every_case_that_is_named_is_there() -> None:
    """`xml/billion-laughs` is a file of tests/evil."""
    named = re.findall(r"`((?:archives|names|pdfs|xml)/[\w-]+)`", THREATS)
    assert named
    assert [name for name in named if not any((ROOT / "tests" / "evil").glob(f"{name}.*"))] == []


def test_every_promise_has_a_mechanism_and_a_proof() -> None:
    """What nobody shows is not promised."""
    found = promises(GUARANTEES)
    assert len(found) > 15
    for title, text in found.items():
        assert TEST.search(text), f"no test shows: {title}"
        assert "*By* `" in text, f"by what: {title}"


def test_every_threat_has_a_mechanism_and_a_proof() -> None:
    """Threat, what stands against it, and the test; what has no test is under Open."""
    found = threats(THREATS)
    assert len(found) > 25
    for row in found:
        assert len(row) == 3, row
        assert all(row), row
        assert TEST.search(row[2]), row
    assert OPEN in THREATS


def test_these_tests_can_fail() -> None:
    """A name that is not there, in a file that is or is not, is found."""
    here = "tests/test_docs_promises.py"
    assert missing_tests(f"`{here}::test_these_tests_can_fail`") == []
    assert missing_tests(f"`{here}::test_gone`, `tests/gone.py::test_x`, `{here}::PAGES`") == [
        f"{here}::test_gone",
        "tests/gone.py::test_x",
        f"{here}::PAGES",
    ]
    assert missing_modules("`service/intake`, `core/as2`, `service/gone`") == ["service/gone"]
    assert promises(f"### One\ntext\n## Rest\n{NOT_PROMISED}\n### Not\n") == {"One": "text\n"}
