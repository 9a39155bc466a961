"""`edi-gateway invoices find`, `forget` and `backfill`: what they print, and what they ask."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.cli.main import main
from gateway.core.uniqueness import InvoiceKey
from gateway.model.standing import Direction
from gateway.service.journal import (
    delivery_records,
    records,
    schema,
    status_records,
    uniqueness_records,
)
from gateway.service.journal.delivery_records import Intervention
from gateway.service.journal.engine import writer_engine
from gateway.service.journal.known_invoices import FORGOTTEN, subject_of
from gateway.service.journal.status_records import StatusRow
from tests.service.journalling import NOW, SHA256, an_interchange

SIREN = "732829320"
SELLER = f"siren:{SIREN}"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[sa.Engine]:
    """A journal in which nothing is known yet."""
    path = tmp_path / "journal.sqlite"
    made = writer_engine(path)
    with made.begin() as conn:
        schema.upgrade(conn, path)
    yield made
    made.dispose()


def accepted(conn: sa.Connection, number: int, invoice: str, *, holds: bool) -> str:
    """A file of acme with one accepted invoice."""
    interchange = an_interchange(number)
    records.receive(
        conn,
        interchange,
        interface_code=None,
        claim_key=interchange.envelope.name,
        now=NOW,
    )
    records.add_document(conn, interchange.id, 1, name="inside.xml", sha256=SHA256, size=1, now=NOW)
    conn.exec_driver_sql(
        "UPDATE documents SET verdict = 'accepted', syntax = 'ubl', invoice_number = ?,"
        " seller_id = ?, issue_date = '2026-03-01' WHERE interchange_id = ?",
        (invoice, SIREN, interchange.id),
    )
    if holds:
        key = InvoiceKey(SELLER, invoice, 2026)
        assert uniqueness_records.take_invoice(conn, key, interchange.id, 1, NOW) is None
    return interchange.id


def imported(conn: sa.Connection, invoice: str, year: int, source: str | None) -> None:
    """A number of the system before."""
    key = InvoiceKey(SELLER, invoice, year)
    assert uniqueness_records.import_invoices(conn, [key], NOW, source=source) == 1


def found(tmp_path: Path, *words: str) -> int:
    """Exit code of `find`."""
    return main(["invoices", "find", *words, "--state-dir", str(tmp_path), "--lang", "en"])


class TestFind:
    """Who holds a number."""

    def test_an_import(
        self, journal: sa.Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """When, from which table, and what was told of it since."""
        with journal.begin() as conn:
            imported(conn, "FA-1", 2025, "x.csv")
            imported(conn, "FA-1", 2026, None)
            status_records.add_status(conn, a_status())
        assert found(tmp_path, "732 829 320 00074", "FA-1") == 0
        assert capsys.readouterr().out.splitlines() == [
            f"Invoice FA-1 of {SIREN} of 2025: imported on 2026-03-01 12:00 UTC from x.csv",
            "  lifecycle",
            "    2026-03-01 12:00:00  205 approved    from acme  message CDV-1"
            "  the invoice was imported: another system accepted it",
            f"Invoice FA-1 of {SIREN} of 2026: imported on 2026-03-01 12:00 UTC from a table whose"
            " name was not kept",
        ]

    def test_a_document(
        self, journal: sa.Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Which one of which file, from whom, when; and who was accepted without holding it."""
        with journal.begin() as conn:
            first = accepted(conn, 1, "FA-1", holds=True)
            second = accepted(conn, 2, "FA-1", holds=False)
        assert found(tmp_path, SIREN, "FA-1", "2026") == 0
        assert capsys.readouterr().out.splitlines() == [
            f"Invoice FA-1 of {SIREN} of 2026: document 1 of interchange {first} (inside.xml in"
            " FA-1.xml), sent by acme on 2026-03-01 12:00 UTC",
            f"Accepted without holding it: document 1 of interchange {second} (inside.xml), dated"
            " 2026-03-01, sent by acme on 2026-03-01 12:00 UTC",
        ]

    def test_nobody(
        self, journal: sa.Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Exit code 1; that it was forgotten is told with the reason."""
        with journal.begin() as conn:
            imported(conn, "FA-1", 2025, "x.csv")
            delivery_records.add_intervention(conn, forgotten("FA-2"))
            delivery_records.add_intervention(conn, forgotten("FA-22"))
        assert found(tmp_path, SIREN, "FA-1", "2026") == 1
        assert capsys.readouterr().out == f"Invoice FA-1 of {SIREN}: nobody holds it in 2026.\n"
        for year in ((), ("2025",)):
            assert found(tmp_path, SIREN, "FA-2", *year) == 1
            said = capsys.readouterr().out
            assert said.count("forgotten on 2026-03-01 12:00 UTC by anna: of FA-2") == 1
            assert "FA-22" not in said

    def test_as_json(
        self, journal: sa.Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Every key is always there."""
        with journal.begin() as conn:
            id_ = accepted(conn, 1, "FA-1", holds=True)
            imported(conn, "FA-1", 2025, "x.csv")
            status_records.add_status(conn, a_status())
        assert found(tmp_path, SIREN, "FA-1", "--json") == 0
        said = json.loads(capsys.readouterr().out)
        assert (said["seller"], said["number"]) == (SELLER, "FA-1")
        assert (said["accepted_without_holding"], said["forgotten"]) == ([], [])
        by_import, by_document = said["holders"]
        assert by_import.keys() == by_document.keys()
        assert (by_import["imported"], by_import["source"], by_import["year"]) == (
            True,
            "x.csv",
            2025,
        )
        assert by_import["interchange"] is None
        assert [each["standing"] for each in by_import["statuses"]] == ["imported-invoice"]
        assert (by_document["interchange"], by_document["ordinal"]) == (id_, 1)
        assert by_document["partner"] == "acme"

    @pytest.mark.parametrize(
        ("words", "complaint"),
        [
            (["12345", "FA-1"], "'12345' is no SIREN, SIRET or VAT identifier"),
            ([SIREN, " "], "The invoice number ' ' is none"),
        ],
    )
    def test_what_names_no_invoice(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], complaint: str
    ) -> None:
        """Said before any journal is opened."""
        assert found(tmp_path, *words) == 2
        assert complaint in capsys.readouterr().err

    def test_what_is_no_year(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Two digits could be any century."""
        with pytest.raises(SystemExit):
            found(tmp_path, SIREN, "FA-1", "26")
        assert "'26' is no year: write 2026" in capsys.readouterr().err


def a_status() -> StatusRow:
    """One that was told of the imported invoice of 2025."""
    return StatusRow(
        direction=Direction.RECEIVED.value,
        partner="acme",
        key="k",
        message_id="CDV-1",
        interchange_id=None,
        ordinal=1,
        number="FA-1",
        issued="2025-11-30",
        seller=SELLER,
        invoice_interchange_id=None,
        invoice_ordinal=None,
        status="205",
        reasons=[],
        said_at=NOW,
        issuer={},
        standing="imported-invoice",
        order="normal",
        rights={},
        recorded_at=NOW,
    )


def forgotten(number: str) -> Intervention:
    """That an import was given back."""
    return Intervention(
        at=NOW,
        action=FORGOTTEN,
        by="anna",
        subject=subject_of(InvoiceKey(SELLER, number, 2025)),
        reason=f"of {number}",
    )


class Daemon:
    """Answers on a control socket what a test lines up, and keeps what it was asked."""

    def __init__(self, state: Path) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answers: list[dict[str, Any]] = []
        daemon = self

        class Talk(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                daemon.asked.append(json.loads(self.rfile.readline()))
                self.wfile.write(json.dumps(daemon.answers.pop(0)).encode() + b"\n")

        self.server = socketserver.UnixStreamServer(str(state / "control.sock"), Talk)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """One on `tmp_path`."""
    running = Daemon(tmp_path)
    threading.Thread(target=running.server.serve_forever, args=(0.01,), daemon=True).start()
    yield running
    running.server.shutdown()
    running.server.server_close()


class TestForget:
    """A number that was imported wrongly."""

    ANSWER = {
        "ok": True,
        "imported_at": "2026-03-01T12:00:00+00:00",
        "source": "x.csv",
        "statuses": 2,
    }

    def forget(self, tmp_path: Path, *options: str) -> int:
        """Exit code of the command."""
        words = ["invoices", "forget", "FR44732829320", "FA-1", "2025", "--reason", "wrong year"]
        return main([*words, *options, "--state-dir", str(tmp_path)])

    def test_forgotten(
        self, daemon: Daemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The daemon is asked, with who says so and why; the answer says what it was."""
        daemon.answers = [self.ANSWER]
        assert self.forget(tmp_path) == 0
        assert capsys.readouterr().out.splitlines() == [
            f"Invoice FA-1 of {SIREN} of 2025 is forgotten: it may come again. It was imported on"
            " 2026-03-01 from x.csv.",
            "2 statuses that were told of it wait for the invoice.",
        ]
        (asked,) = daemon.asked
        assert asked.pop("by")
        assert asked.pop("who")
        assert asked == {
            "command": "invoices.forget",
            "invoice": [SELLER, "FA-1", 2025],
            "reason": "wrong year",
            "dry_run": False,
        }

    def test_a_dry_run(
        self, daemon: Daemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """It is the daemon that changes nothing."""
        daemon.answers = [{**self.ANSWER, "source": None, "statuses": 0}] * 2
        assert self.forget(tmp_path, "--dry-run") == 0
        assert capsys.readouterr().out == (
            f"Invoice FA-1 of {SIREN} of 2025 would be forgotten. It was imported on 2026-03-01.\n"
        )
        assert self.forget(tmp_path, "--dry-run", "--json") == 0
        said = json.loads(capsys.readouterr().out)
        assert (said["dry_run"], said["number"], said["statuses"]) == (True, "FA-1", 0)
        assert [asked["dry_run"] for asked in daemon.asked] == [True, True]

    def test_refused(
        self, daemon: Daemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The daemon's words, and an exit code of its own."""
        daemon.answers = [{"ok": False, "error": "It is document 3.", "remedy": "Look at it."}]
        assert self.forget(tmp_path) == 3
        assert "It is document 3." in capsys.readouterr().err

    def test_without_a_gateway(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Only the daemon writes the journal."""
        assert self.forget(tmp_path) == 2
        assert "No gateway answers" in capsys.readouterr().err


def page(after: int | None, documents: int, **more: Any) -> dict[str, Any]:
    """What the daemon says of a page."""
    return {
        "ok": True,
        "next": None if after is None else ["id", after],
        "received_at": None if after is None else "2026-03-07T08:00:00Z",
        "documents": documents,
        "added": 0,
        "repeats": [],
        "off": 0,
        "without_seller": 0,
        "listed": 0,
        "unreadable": [],
        **more,
    }


REPEAT = {
    "document": "b/1",
    "name": "b.xml",
    "partner": "acme",
    "seller": SELLER,
    "number": "FA-1",
    "year": 2026,
    "holder": "a/1",
}


class TestBackfill:
    """Numbers of what an earlier version accepted."""

    @pytest.fixture
    def backfill(self, daemon: Daemon, tmp_path: Path) -> Callable[..., int]:
        """The command, and a daemon with two pages and the end."""
        daemon.answers = [
            page(200, 11_000, added=9000, repeats=[REPEAT], off=3),
            page(7, 20, added=19, repeats=[{**REPEAT, "holder": None}], without_seller=1, listed=4),
            page(None, 0),
        ]
        return lambda *options: main(
            ["invoices", "backfill", *options, "--state-dir", str(tmp_path)]
        )

    def test_page_by_page(
        self,
        daemon: Daemon,
        backfill: Callable[..., int],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Each begins where the one before ended; progress on standard error, the sum at last."""
        assert backfill() == 0
        assert [asked["after"] for asked in daemon.asked] == [None, ["id", 200], ["id", 7]]
        said = capsys.readouterr()
        assert said.err == "11,000 documents looked at, up to 2026-03-07 …\n"
        named = f"  b/1 (b.xml, acme): invoice FA-1 of {SIREN} of 2026, as"
        assert said.out.splitlines() == [
            "11,020 documents looked at: 9,019 invoices hold their numbers now.",
            "2 have a number that another holds; nothing was changed about them:",
            f"{named} document a/1",
            f"{named} an imported number",
            "4 are purged: their numbers come from the journal's own columns.",
            "1 name no seller that can be compared.",
            '3 are of partners with uniqueness.invoice = "off".',
        ]

    def test_as_json(
        self,
        daemon: Daemon,
        backfill: Callable[..., int],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """One object for all pages."""
        assert backfill("--json", "--dry-run") == 0
        assert all(asked["dry_run"] for asked in daemon.asked)
        said = json.loads(capsys.readouterr().out)
        assert (said["documents"], said["added"], said["off"]) == (11_020, 9019, 3)
        assert len(said["repeats"]) == 2

    def test_what_cannot_be_read_is_named(
        self,
        daemon: Daemon,
        backfill: Callable[..., int],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Exit code 1: these would be accepted again, until somebody imports their numbers."""
        lost = [f"c/{number}" for number in range(60)]
        daemon.answers = [page(1, 60, unreadable=lost), page(None, 0)]
        assert backfill("--dry-run") == 1
        said = capsys.readouterr().out.splitlines()
        assert said[0] == "60 documents looked at: 0 invoices would hold their numbers."
        assert said[1].startswith("60 could not be read, and hold no number")
        assert said[2:4] == ["  c/0", "  c/1"]
        assert said[-1] == "  … and 10 more (--json has them all)"
