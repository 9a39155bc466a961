"""Finding documents: by everything people know of them, the newest first, page by page."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.model.interchange import Transport
from gateway.model.verdict import Undetermined
from gateway.service.journal import records, search_find
from gateway.service.journal.engine import driver
from gateway.service.journal.search_conditions import Criteria
from gateway.service.journal.search_find import search
from gateway.service.journal.search_waiting import waiting_like
from gateway.service.journal.tables import as2_messages, outbox
from tests.service.journalling import NOW, SHA256, a_judgement, a_message
from tests.service.searching import FIRST, SearchedJournal, refused


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal with nothing in it: making one takes longer than anything here."""
    path = tmp_path_factory.mktemp("empty") / "journal.sqlite"
    SearchedJournal(path).engine.dispose()
    return path


@pytest.fixture
def journal(empty: Path, tmp_path: Path) -> Iterator[SearchedJournal]:
    made = SearchedJournal(Path(shutil.copy(empty, tmp_path)))
    yield made
    made.engine.dispose()


@pytest.fixture(scope="module")
def full(empty: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchedJournal]:
    """Forty documents of half a year, some received at one moment. For reading."""
    made = SearchedJournal(Path(shutil.copy(empty, tmp_path_factory.mktemp("full"))))
    for number in range(40):
        made.judged(
            at=FIRST + dt.timedelta(days=number * 4 if number % 5 else 3),
            partner="acme" if number % 3 else "other",
            invoice_number=f"FAC-{number:03}" if number > 9 else f"OLD-{number:03}",
            seller_name="Vieux" if number % 2 else "Neuf",
            verdict=refused("BR-1") if number % 4 == 0 else a_judgement().verdict,
        )
    yield made
    made.engine.dispose()


def found(journal: SearchedJournal, **criteria: Any) -> list[str]:
    """The interchanges of what fits."""
    with journal.reading() as conn:
        return [hit.interchange for hit in search(conn, Criteria(**criteria)).hits]


def every_page(journal: SearchedJournal, limit: int, **criteria: Any) -> list[list[str]]:
    """Page by page, to the last one."""
    pages, after = [], None
    with journal.reading() as conn:
        while True:
            page = search(conn, Criteria(**criteria), limit=limit, after=after)
            pages.append([hit.interchange for hit in page.hits])
            after = page.next
            if after is None:
                return pages


THE_ONE: dict[str, Any] = {
    "name": "Été_2026.xml",
    "invoice_number": "FA-2026-0042",
    "seller_id": "552 100 554",
    "seller_name": "Société Générale d’Électricité",
    "buyer_id": "FR40303265045",
    "buyer_name": "Ville d'Orléans",
    "amount": "1234.5",
    "currency": "EUR",
    "issue_date": "2026-01-02",
}


@pytest.mark.parametrize(
    "criteria",
    [
        {"text": "fa-2026-0042"},
        {"text": "FA-2026"},
        {"text": "552100554"},
        {"text": "552 100"},
        {"text": "societe generale"},
        {"text": "fr40 3032 65045"},
        {"text": "VILLE D"},
        {"text": "ete_2026"},
        {"text": "1 234,50"},
        {"text": "2/1/2026"},
        {"number": "fa-2026-0042"},
        {"seller": "SOCIÉTÉ"},
        {"seller": "552100554"},
        {"buyer": "ville d'orl"},
        {"buyer": "FR40"},
        {"file": "Été"},
        {"amount_from": 123450, "amount_to": 123450},
        {"amount_from": 123449},
        {"issued_since": dt.date(2026, 1, 2), "issued_until": dt.date(2026, 1, 2)},
        {"issued_until": dt.date(2026, 1, 3)},
        {"number": "fa-2026-0042", "exact": True},
        {"seller": "societe", "buyer": "ville", "amount_to": 200000},
    ],
)
def test_found_by_what_people_know_of_it(
    journal: SearchedJournal, criteria: dict[str, Any]
) -> None:
    """Its number, its parties, its file, its amount and its date; nothing else comes with it."""
    journal.judged(amount="77", issue_date="2026-03-01")
    one = journal.judged(**THE_ONE)
    journal.judged(amount="1.00", issue_date="2026-03-01")
    assert found(journal, **criteria) == [one]


@pytest.mark.parametrize(
    "criteria",
    [
        {"text": "2026-0042"},
        {"text": "generale"},
        {"number": "FA-2026", "exact": True},
        {"text": "FA"},
        {"seller": "ville"},
        {"number": "fa-2026-0042", "buyer": "societe"},
        {"amount_from": 123451, "amount_to": 999999},
        {"message_id": "FA-2026-0042"},
        {"file": "%"},
        {"text": "FA_2026"},
    ],
)
def test_not_found_by_anything_else(journal: SearchedJournal, criteria: dict[str, Any]) -> None:
    """The middle of a word, too short a beginning, the other party's name, a pattern."""
    journal.judged(**THE_ONE)
    assert found(journal, **criteria) == []


def test_what_was_written_is_what_is_shown(journal: SearchedJournal) -> None:
    """Not what it is compared by."""
    journal.judged(**THE_ONE, transport=Transport.HTTPS, pdf=True)
    with journal.reading() as conn:
        (hit,) = search(conn, Criteria(text="fa-2026")).hits
    assert (hit.file, hit.number, hit.seller_name) == (
        "Été_2026.xml",
        "FA-2026-0042",
        "Société Générale d’Électricité",
    )
    assert (hit.amount, hit.currency, hit.channel, hit.format) == (
        "1234.5",
        "EUR",
        "https",
        "factur-x",
    )


def test_a_rejected_one_is_found_by_what_could_be_read(journal: SearchedJournal) -> None:
    """And by the rule it was rejected for."""
    one = journal.judged(verdict=refused("BR-CO-15", "BR-16"), buyer_name=None, amount="abc")
    journal.judged(verdict=refused("BR-CO-1"))
    assert found(journal, rule="BR-CO-15") == found(journal, rule="BR-16") == [one]
    assert found(journal, number="F-1", verdict="rejected", exact=True) == [one]
    assert found(journal, number="F-1", verdict="accepted", exact=True) == []


def test_a_message_id_leads_to_its_file(journal: SearchedJournal) -> None:
    """That of an AS2 message, with or without brackets, and that of a message of ours."""
    one = journal.judged(invoice_number=None)
    other = journal.judged(partner="other")
    outgoing = a_message(_interchange(journal, other))
    with journal.engine.begin() as conn:
        conn.execute(sa.insert(as2_messages), _as2(one, "<A.1@acme.example>"))
        values = {
            column.name: None for column in outbox.c if column.nullable and column.name != "id"
        }
        values |= {
            "message_id": outgoing.publication.message_id,
            "interchange_id": other,
            "ordinal": 1,
            "kind": "document",
            "destination": "broker",
            "partner": "other",
            "exchange": "edi.documents",
            "routing_key": "k",
            "content_type": "c",
            "type": "t",
            "headers": {},
            "mandatory": True,
            "created_at": NOW,
            "state": "delivered",
            "attempts": 1,
            "next_attempt_at": NOW,
            "body": b"",
        }
        conn.execute(sa.insert(outbox), values)
    for text in ("<A.1@acme.example>", "A.1@acme.example"):
        assert found(journal, message_id=text) == found(journal, text=text) == [one]
    assert found(journal, message_id=outgoing.publication.message_id) == [other]
    assert found(journal, message_id="A.1@acme.example", partner="other") == []
    assert found(journal, text=one) == [one]


def test_a_partner_sees_its_own_only(journal: SearchedJournal) -> None:
    """Whatever it asks for."""
    mine = journal.judged(partner="mine", **THE_ONE)
    journal.judged(partner="other", **THE_ONE)
    for criteria in (
        {},
        {"text": "FA-2026"},
        {"seller": "societe"},
        {"amount_from": 0},
        {"since": FIRST.date()},
    ):
        assert found(journal, partner="mine", **criteria) == [mine]
    assert found(journal, partner="nobody", text="FA-2026") == []


@pytest.mark.parametrize("most", [2, 7, 30_000])
@pytest.mark.parametrize("limit", [1, 3, 100])
@pytest.mark.parametrize(
    "criteria",
    [
        {},
        {"text": "FAC"},
        {"number": "FAC", "partner": "acme"},
        {"number": "FAC", "seller": "vieux"},
        {"verdict": "rejected"},
        {"verdict": "rejected", "partner": "acme", "number": "FAC"},
        {"verdict": "accepted", "seller": "vieux"},
        {"text": "OLD"},
        {"since": dt.date(2026, 2, 3), "until": dt.date(2026, 4, 20), "text": "fac"},
    ],
)
def test_pages_hold_everything_once_newest_first(
    full: SearchedJournal,
    monkeypatch: pytest.MonkeyPatch,
    criteria: dict[str, Any],
    limit: int,
    most: int,
) -> None:
    """However little a page may look through: what one does not reach, a later one has."""
    for bound in ("SORTED", "WALKED", "LOOKED_THROUGH"):
        monkeypatch.setattr(search_find, bound, most)
    pages = every_page(full, limit, **criteria)
    got = [each for page in pages for each in page]
    assert len(set(got)) == len(got)
    assert all(len(page) <= limit for page in pages)
    assert set(got) == set(expected(full, criteria))
    times = [received(full, each) for each in got]
    assert times == sorted(times, reverse=True)


def test_a_search_that_would_take_too_long_says_how_far_it_came(
    journal: SearchedJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its page may be empty; the next one goes on from there."""
    for bound in ("SORTED", "WALKED", "LOOKED_THROUGH"):
        monkeypatch.setattr(search_find, bound, 5)
    journal.judged(flow="rare")
    for _ in range(20):
        journal.judged()
    with journal.reading() as conn:
        page = search(conn, Criteria(flow="rare"))
        assert page.hits == ()
        assert page.looked_back_to is not None
        assert page.looked_back_to > FIRST
    assert [len(page) for page in every_page(journal, 50, flow="rare")] == [0, 0, 0, 1]


def test_judged_again_it_is_found_by_what_is_read_now(journal: SearchedJournal) -> None:
    """Once, and no longer by what was read then."""
    one = journal.judged(invoice_number="OLD-1", verdict=Undetermined("no pack"))
    assert found(journal, number="OLD-1") == [one]
    journal.again(one, invoice_number="NEW-1", verdict=refused("BR-1"))
    assert found(journal, number="OLD-1") == []
    assert found(journal, number="NEW-1") == found(journal) == [one]


def test_what_waits_to_be_judged(journal: SearchedJournal) -> None:
    """By name, Message-ID, partner and day; not by what nobody can know yet."""
    journal.judged(name="Été-1.xml")
    waits = journal.received(name="Été-2.xml", partner="other")
    with journal.engine.begin() as conn:
        conn.execute(sa.insert(as2_messages), _as2(waits, "<W@other>"))
    for criteria in (
        {},
        {"text": "ete-"},
        {"file": "ÉTÉ-2.xml", "exact": True},
        {"message_id": "W@other"},
        {"text": "<W@other>"},
        {"text": waits[:13]},
        {"partner": "other", "since": FIRST.date(), "until": FIRST.date()},
    ):
        with journal.reading() as conn:
            rows = waiting_like(conn, Criteria(**criteria))
        assert [row.id for row in rows] == [waits], criteria
    for criteria in (
        {"text": "ete-1"},
        {"partner": "acme"},
        {"number": "F-1"},
        {"file": "et"},
        {"verdict": "rejected"},
        {"since": FIRST.date() + dt.timedelta(days=1)},
        {"message_id": "X@other"},
    ):
        with journal.reading() as conn:
            assert waiting_like(conn, Criteria(**criteria)) == [], criteria


def test_no_place_in_a_list(journal: SearchedJournal) -> None:
    """What a person types as one is refused, not taken for the beginning."""
    for typed in ("yesterday", f"{'9' * 30}.1"):
        with journal.reading() as conn, pytest.raises(ValueError, match="invalid literal"):
            search(conn, Criteria(), after=typed)


def test_until_the_last_day_there_is(journal: SearchedJournal) -> None:
    """People write 9999-12-31 where they mean no end."""
    one = journal.judged()
    assert found(journal, until=dt.date.max, issued_until=dt.date.max) == [one]


@pytest.mark.parametrize("limit", [7, 50])
def test_what_may_be_an_id_or_a_number_is_found_once(
    journal: SearchedJournal, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """Month by month: what fits by its id belongs to one of them, in its place."""
    monkeypatch.setattr(search_find, "SORTED", 30)
    old = journal.judged(at=FIRST)
    newer = [
        journal.judged(
            at=FIRST + dt.timedelta(days=31 * (number // 4 + 1)),
            invoice_number=f"{old[:8]}-{number}",
        )
        for number in range(40)
    ]
    pages = every_page(journal, limit, text=old[:8])
    assert [each for page in pages for each in page] == [*reversed(newer), old]


@pytest.mark.parametrize(
    ("criteria", "index"),
    [
        ({"number": "FAC"}, "ix_searchable_number (month=? AND number>? AND number<?)"),
        ({"number": "F", "exact": True}, "ix_searchable_number (month=? AND number=?)"),
        ({"amount_from": 1}, "ix_searchable_amount (month=? AND amount>? AND amount<?)"),
        ({"file": "abc"}, "ix_searchable_name (month=? AND name>? AND name<?)"),
        ({"number": "FAC", "partner": "acme"}, "ix_searchable_number (month=? AND number>?"),
        ({"partner": "acme"}, "ix_searchable_partner (partner=?"),
        ({"verdict": "accepted"}, "ix_searchable_received"),
        ({"rule": "BR-1"}, "ix_searchable_rejected (received>? AND received<?)"),
        (
            {"number": "FAC", "since": dt.date(2026, 1, 1)},
            "ix_searchable_number (month=? AND number>? AND number<?)",
        ),
    ],
)
def test_an_index_leads_to_what_is_looked_for(
    journal: SearchedJournal, criteria: dict[str, Any], index: str
) -> None:
    """And nothing is scanned but an index by time, whose first rows are the answer."""
    journal.judged()
    plans = []

    def plan(conn: Any, cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if "searchable" in statement and "JOIN" not in statement:
            rows = driver(conn).execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.extend(row[3] for row in rows)

    sa.event.listen(journal.engine, "before_cursor_execute", plan)
    found(journal, **criteria)
    assert any(index in step for step in plans), plans
    scans = [step for step in plans if step.startswith("SCAN searchable")]
    assert all("ix_searchable_received" in step for step in scans), scans


def expected(journal: SearchedJournal, criteria: dict[str, Any]) -> list[str]:
    """What fits, by the simplest of queries."""
    conditions = {
        "text": lambda value: f"number LIKE '{value.lower()}%'",
        "number": lambda value: f"number LIKE '{value.lower()}%'",
        "seller": lambda value: f"seller_name LIKE '{value}%'",
        "partner": lambda value: f"partner = '{value}'",
        "verdict": lambda value: f"verdict = '{value}'",
        "since": lambda value: f"date(received / 1000000, 'unixepoch') >= '{value}'",
        "until": lambda value: f"date(received / 1000000, 'unixepoch') <= '{value}'",
    }
    where = " AND ".join(conditions[name](value) for name, value in criteria.items()) or "1"
    with journal.reading() as conn:
        rows = conn.exec_driver_sql(f"SELECT interchange_id FROM searchable WHERE {where}")
        return list(rows.scalars())


def received(journal: SearchedJournal, id_: str) -> int:
    """When it was received."""
    with journal.reading() as conn:
        query = "SELECT received FROM searchable WHERE interchange_id = ?"
        return int(conn.exec_driver_sql(query, (id_,)).scalar_one())


def _interchange(journal: SearchedJournal, id_: str) -> Any:
    with journal.reading() as conn:
        row = records.interchange(conn, id_)
        assert row is not None
        return row.interchange()


def _as2(id_: str, message_id: str) -> dict[str, Any]:
    return {
        "direction": "in",
        "partner": "acme",
        "message_id": message_id,
        "content_sha256": SHA256,
        "interchange_id": id_,
        "at": NOW,
        "state": "received",
        "as2_from": "acme",
        "as2_to": "us",
        "headers": {},
        "raw_sha256": SHA256,
        "raw_size": 1,
        "security": {},
        "mdn_mode": "sync",
    }
