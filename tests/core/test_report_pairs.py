"""Samples and what their sender is told, word for word, as pairs of files."""

from __future__ import annotations

import pytest

from tests.reports import DATA, FORMS, answers, cases, pair


@pytest.mark.parametrize("name", sorted(cases()))
def test_reports_are_what_lies_beside_the_samples(name: str) -> None:
    """HTML, CSV and JSON, in both languages. `python -m tests.reports` writes them for review."""
    told = list(answers(name, cases()[name]))
    assert len(told) == 2 * len(FORMS)
    for language, form, said in told:
        expected = pair(name, language, form)
        assert said.decode() == expected.read_bytes().decode(), expected


def test_no_pair_lies_there_that_nobody_compares() -> None:
    """A renamed case leaves nothing behind."""
    written = {path.name for path in DATA.iterdir()}
    known = {
        f"{name}.{language}.{form}"
        for name in cases()
        for language in ("fr", "en")
        for form in FORMS
    }
    assert written == known
