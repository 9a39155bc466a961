"""`make audit`: what is known against our dependencies fails it, and so does not knowing."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SPEC = importlib.util.spec_from_file_location("audit", ROOT / "scripts" / "audit.py")
assert SPEC is not None
assert SPEC.loader is not None
audit = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(audit)

KNOWN = {
    "name": "urllib3",
    "version": "1.24",
    "vulns": [{"id": "PYSEC-2019-133", "fix_versions": ["1.24.2"], "aliases": []}],
}
CLEAN = {"name": "good-one", "version": "1.0", "vulns": []}
BAD = {
    "name": "bad-one",
    "version": "2.0",
    "vulns": [
        {
            "id": "PYSEC-2026-7",
            "fix_versions": ["2.1"],
            "aliases": ["CVE-2026-0007"],
            "description": "Reads beyond the end.\nAnd more.",
        }
    ],
}
SKIPPED = {"name": "bad-one", "skip_reason": "Dependency not found"}
ACCEPTED = """
[[accepted]]
id = "{id}"
package = "bad-one"
reason = "We never call it."
until = {until}
"""


class Run:
    """The audit, with a pip-audit that answers what it is told to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = folder / "requirements.lock"
        self.lock.write_text("# ours\ngood_one==1.0\nbad-one==2.0\n")
        self.accepted = folder / "accepted.toml"
        self.accepted.write_text("")

    def __call__(self, *, known: dict[str, list[Any]], ours: list[Any]) -> int:
        """`known`: by database, the answer about the version everybody knows of."""
        answers = {"known": known, "ours": ours}
        tool = self.folder / "pip-audit"
        tool.write_text(
            f"#!{sys.executable}\nimport json, sys\n"
            f"answers = json.loads({json.dumps(answers)!r})\n"
            "option = lambda name: sys.argv[sys.argv.index(name) + 1]\n"
            "service = option('--vulnerability-service')\n"
            "if service not in answers['known']:\n"
            "    sys.exit('ConnectionError: Failed to resolve')\n"
            "probe = option('--requirement').endswith('known.txt')\n"
            "found = answers['known'][service] if probe else answers['ours']\n"
            "print(json.dumps({'dependencies': found, 'fixes': []}))\n"
            "sys.exit(any(each.get('vulns') for each in found))\n"
        )
        tool.chmod(0o700)
        words = ("--lock", self.lock, "--accepted", self.accepted, "--pip-audit", tool)
        return int(audit.main([*map(str, words)]))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """An audit of two packages."""
    return Run(tmp_path)


def test_nothing_known_is_a_success(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Only when the database was seen to know something."""
    clean = {**CLEAN, "name": "bad-one"}
    assert run(known={"pypi": [KNOWN]}, ours=[CLEAN, clean]) == 0
    assert "0 known vulnerabilities" in capsys.readouterr().out


def test_what_is_known_fails_it_and_is_told(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Which package, what, and the version that mends it."""
    assert run(known={"pypi": [KNOWN]}, ours=[CLEAN, BAD]) == 1
    told = capsys.readouterr().out
    assert "bad-one 2.0: PYSEC-2026-7 (CVE-2026-0007). Mended in 2.1." in told
    assert "Reads beyond the end." in told
    assert "1 known vulnerabilities, 1 of them not accepted" in told


@pytest.mark.parametrize("name", ["PYSEC-2026-7", "CVE-2026-0007"])
def test_what_is_accepted_is_told_and_does_not_fail(
    run: Run, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """With its reason, by its own name or another."""
    run.accepted.write_text(ACCEPTED.format(id=name, until="2999-01-01"))
    assert run(known={"pypi": [KNOWN]}, ours=[CLEAN, BAD]) == 0
    assert "We never call it." in capsys.readouterr().out


def test_an_acceptance_ends(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """From the day after, the vulnerability fails the audit again."""
    run.accepted.write_text(ACCEPTED.format(id="PYSEC-2026-7", until="2026-01-01"))
    assert run(known={"pypi": [KNOWN]}, ours=[CLEAN, BAD]) == 1
    assert "decide again" in capsys.readouterr().out


def test_an_acceptance_of_another_package_counts_for_nothing(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """And one that nothing needs is to be taken out."""
    text = ACCEPTED.format(id="PYSEC-2026-7", until="2999-01-01")
    run.accepted.write_text(text.replace("bad-one", "good-one"))
    assert run(known={"pypi": [KNOWN]}, ours=[CLEAN, BAD]) == 1
    assert "take it out" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text",
    [
        '[[accepted]]\nid = "X"\npackage = "bad-one"\nuntil = 2999-01-01\n',
        '[[accepted]]\nid = "X"\npackage = "bad-one"\nreason = " "\nuntil = 2999-01-01\n',
        ACCEPTED.format(id="X", until='"for ever"'),
        "accepted = nonsense",
    ],
)
def test_nothing_is_accepted_without_reason_and_day(
    run: Run, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    """The file must say why, and until when."""
    run.accepted.write_text(text)
    assert run(known={"pypi": [KNOWN]}, ours=[CLEAN, BAD]) == 2
    assert "until, a day" in capsys.readouterr().err


@pytest.mark.parametrize(
    "known",
    [
        {},
        {"pypi": [{"name": "urllib3", "skip_reason": "not found"}]},
        {"pypi": [{**KNOWN, "vulns": []}], "osv": [{**KNOWN, "vulns": []}]},
    ],
)
def test_no_answer_is_no_success(
    run: Run, capsys: pytest.CaptureFixture[str], known: dict[str, list[Any]]
) -> None:
    """No network, or a mirror without advisories: pip-audit by itself would find nothing."""
    assert run(known=known, ours=[CLEAN, {**CLEAN, "name": "bad-one"}]) == 2
    assert "no database of advisories answers" in capsys.readouterr().err


def test_the_second_database_is_asked_when_the_first_is_silent(run: Run) -> None:
    """Where pypi.org cannot be reached, osv.dev may."""
    assert run(known={"osv": [KNOWN]}, ours=[CLEAN, BAD]) == 1


@pytest.mark.parametrize("ours", [[CLEAN, SKIPPED], [CLEAN]])
def test_a_package_that_was_not_looked_up_is_not_passed_over(
    run: Run, capsys: pytest.CaptureFixture[str], ours: list[Any]
) -> None:
    """Whether pip-audit says so or not."""
    assert run(known={"pypi": [KNOWN]}, ours=ours) == 2
    assert "bad-one" in capsys.readouterr().err


def test_what_we_accept_is_in_order() -> None:
    """The file of this project can be read; each entry has a reason and a day."""
    for each in audit.read_accepted(ROOT / "audit-accepted.toml"):
        assert each.reason
