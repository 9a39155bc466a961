"""Every hostile or broken input is answered as the file beside it says, word for word."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.evil.cases import FOLDER, LANGUAGES, Case, all_cases, all_pairs, answers
from tests.evil.pairs import expected, told

pytestmark = pytest.mark.timeout(600)

CASES = all_cases()
MAX_COMMITTED = 30_000
"""Bytes of one file in the repository; larger cases are made by builders."""

Answers = dict[Case, dict[str, list[dict[str, Any]]]]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """What the gateway says of every case in both languages: one judge sees them all in turn."""
    patch = pytest.MonkeyPatch()
    with patch.context() as patched:
        patched.setenv("EDI_GATEWAY_RULE_PACKS", str(tmp_path_factory.mktemp("no-packs")))
        return answers(CASES, tmp_path_factory.mktemp("evil"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_case_is_answered_as_the_file_beside_it_says(case: Case, corpus: Answers) -> None:
    """Rules, places, messages, explanations and remedies, in English and in French."""
    assert told(corpus[case], case.file_name) == expected(case.pair)


def test_every_case_has_a_pair_and_every_pair_a_case() -> None:
    """Neither is left over, and no two cases share a pair."""
    pairs = [case.pair for case in CASES]
    assert [path for path, times in Counter(pairs).items() if times > 1] == []
    assert sorted(pairs) == all_pairs()


def test_no_pair_expects_an_undetermined_document() -> None:
    """Whatever a partner sends is accepted or rejected: nobody here needs to look at it."""
    for pair in all_pairs():
        for document in expected(pair):
            assert document["verdict"] in {"accepted", "rejected"}, pair
            severities = {f.get("severity", "error") for f in document.get("finding", ())}
            assert ("error" in severities) == (document["verdict"] == "rejected"), pair


def test_every_finding_of_ours_speaks_both_languages() -> None:
    """Explanation and remedy stand in each pair in English and French, and are not the same."""
    for pair in all_pairs():
        for document in expected(pair):
            for finding in document.get("finding", ()):
                for key in ("explanation", "remedy"):
                    texts = finding[key]
                    assert sorted(texts) == sorted(LANGUAGES), pair
                    assert texts["en"] != texts["fr"], pair


def test_nothing_of_this_machine_is_told(corpus: Answers, tmp_path: Path) -> None:
    """No answer holds a line of a file that an entity or link asked for, nor a path of ours."""
    for case, said in corpus.items():
        for one in (*said["en"], *said["fr"]):
            text = str({key: value for key, value in one.items() if key != "file"})
            assert "root:x:" not in text, case.name
            assert str(tmp_path.parent) not in text, case.name
            assert str(FOLDER.parent) not in text, case.name


LEAST = {
    "xml": 80,
    "encodings": 40,
    "archives": 100,
    "pdfs": 80,
    "names": 15,
    "documents": 10,
}


@pytest.mark.parametrize("group", LEAST)
def test_every_group_is_there(group: str) -> None:
    """The folders were found: the tests above cannot pass for want of files."""
    assert sum(case.group == group for case in CASES) >= LEAST[group]


def test_nothing_large_is_committed() -> None:
    """A case that is large is made by a builder."""
    files = [path for path in FOLDER.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert [path.name for path in files if path.stat().st_size > MAX_COMMITTED] == []
