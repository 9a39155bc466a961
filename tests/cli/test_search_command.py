"""`edi-gateway search` and `statistics`: what the journal knows, for people and for scripts."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.model.interchange import Transport
from tests.service.searching import FIRST, SearchedJournal, refused


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory with five documents of two months."""
    folder = tmp_path_factory.mktemp("state")
    journal = SearchedJournal(folder / "journal.sqlite")
    for number in range(3):
        journal.judged(
            invoice_number=f"FA-{number}",
            seller_name="Société Générale",
            amount=f"{number + 1}000.50",
            currency="EUR",
            issue_date=f"2026-01-0{number + 1}",
        )
    journal.judged(partner="other", verdict=refused("BR-1", "BR-2"), transport=Transport.AS2)
    journal.judged(at=FIRST + dt.timedelta(days=31), verdict=refused("BR-1"), profile="=1+1")
    journal.engine.dispose()
    return folder


def said(capsys: pytest.CaptureFixture[str], state: Path, *words: str) -> str:
    """What a command prints that ends well."""
    assert main([*words, "--state-dir", str(state)]) == 0
    return capsys.readouterr().out


def numbers(capsys: pytest.CaptureFixture[str], state: Path, *words: str) -> list[str]:
    """The invoices a search finds, in its order."""
    *hits, last = said(capsys, state, "search", "--json", *words).splitlines()
    assert "next" in json.loads(last)
    return [json.loads(line)["number"] for line in hits]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("fa-1",), ["FA-1"]),
        (("societe",), ["FA-2", "FA-1", "FA-0"]),
        (("2 000,50",), ["FA-1"]),
        (("--amount", "1500..2500"), ["FA-1"]),
        (("--amount", "2000.50.."), ["FA-2", "FA-1"]),
        (("--issued", "2026-01-02"), ["FA-1"]),
        (("--issued", "..2/1/2026"), ["FA-1", "FA-0"]),
        (("--seller", "Société", "--number", "FA-0"), ["FA-0"]),
        (("--partner", "other"), ["F-4"]),
        (("--channel", "as2"), ["F-4"]),
        (("--channel", "web"), []),
        (("--rule", "BR-1"), ["F-5", "F-4"]),
        (("--received", "2026-02-01..", "--verdict", "rejected"), ["F-5"]),
        (("FA-", "--exact"), []),
    ],
)
def test_a_search(
    capsys: pytest.CaptureFixture[str], state: Path, words: tuple[str, ...], found: list[str]
) -> None:
    """By what people know, the newest first."""
    assert numbers(capsys, state, *words) == found


def test_pages(capsys: pytest.CaptureFixture[str], state: Path) -> None:
    """A page says how to get the next one; the last does not."""
    first = said(capsys, state, "search", "societe", "--limit", "2")
    assert "FA-2" in first
    assert "1000.50 EUR" not in first
    place = first.splitlines()[-1].removeprefix("More: the same with --after ")
    second = said(capsys, state, "search", "societe", "--limit", "2", "--after", place)
    assert "1000.50 EUR" in second
    assert "More" not in second


def test_nothing_fits(capsys: pytest.CaptureFixture[str], state: Path) -> None:
    """Said, with where else to look."""
    assert "No document with a verdict fits" in said(capsys, state, "search", "nowhere")


@pytest.mark.parametrize(
    "words",
    [
        ("--amount", "much"),
        ("--issued", "2026-02-30"),
        ("--received", "today..tomorrow"),
        ("--after", "there"),
    ],
)
def test_a_wrong_call(
    capsys: pytest.CaptureFixture[str], state: Path, words: tuple[str, ...]
) -> None:
    """Exit code 2, with what to write instead."""
    assert main(["search", *words, "--state-dir", str(state)]) == 2
    assert "Write" in capsys.readouterr().err


def test_statistics_for_people(capsys: pytest.CaptureFixture[str], state: Path) -> None:
    """Month by month, with the rate in per cent."""
    lines = said(capsys, state, "statistics").splitlines()
    assert lines[0].split() == ["month", "documents", "accepted", "rejected", "rejection", "rate"]
    assert [line.split() for line in lines[2:]] == [
        ["2026-01", "4", "3", "1", "25.0%"],
        ["2026-02", "1", "0", "1", "100.0%"],
    ]


def test_statistics_for_scripts(capsys: pytest.CaptureFixture[str], state: Path) -> None:
    """A line for each row, by what was asked."""
    words = ("statistics", "--json", "--by", "channel,format", "--until", "2026-01-31")
    assert [json.loads(line) for line in said(capsys, state, *words).splitlines()] == [
        {
            "channel": "as2",
            "format": "ubl",
            "documents": 1,
            "accepted": 0,
            "rejected": 1,
            "rejection_rate": 1.0,
        },
        {
            "channel": "sftp",
            "format": "ubl",
            "documents": 3,
            "accepted": 3,
            "rejected": 0,
            "rejection_rate": 0.0,
        },
    ]


def test_causes_for_spreadsheets(capsys: pytest.CaptureFixture[str], state: Path) -> None:
    """The rule that most were rejected for comes first; what partners wrote is no formula."""
    table = said(capsys, state, "statistics", "--csv", "--by", "cause,profile", "--limit", "9")
    rows = list(csv.reader(io.StringIO(table)))
    assert rows[0] == ["profile", "rule", "documents"]
    assert rows[1:] == [
        ["'=1+1", "BR-1", "1"],
        ["urn:cen.eu:en16931:2017", "BR-1", "1"],
        ["urn:cen.eu:en16931:2017", "BR-2", "1"],
    ]


def test_nothing_counted(capsys: pytest.CaptureFixture[str], state: Path) -> None:
    """A heading over nothing leaves people wondering."""
    assert "Nothing was counted" in said(capsys, state, "statistics", "--partner", "nobody")


def test_by_what_there_is_not(capsys: pytest.CaptureFixture[str], state: Path) -> None:
    """Exit code 2, with what there is."""
    assert main(["statistics", "--by", "week", "--state-dir", str(state)]) == 2
    assert "month, day, environment, partner" in capsys.readouterr().err
