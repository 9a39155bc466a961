"""`edi-gateway invoices import`: a table, checked line by line and handed to the daemon."""

from __future__ import annotations

import io
import json
import socketserver
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.cli.invoices_import import BadRow, check_table, pages, read_table
from gateway.cli.main import main
from gateway.core.uniqueness import InvoiceKey
from gateway.errors import ConfigurationError
from gateway.service.control import MAX_LINE
from gateway.service.invoice_import import AT_ONCE

GOOD = "seller,number,issue_date\n732829320,FA-1,2025-03-31\nDE123456789,R 7,2024-01-02\n"
KEYS = [InvoiceKey("siren:732829320", "FA-1", 2025), InvoiceKey("vat:DE123456789", "R 7", 2024)]


class Daemon:
    """Answers on a control socket, and keeps what it was asked."""

    def __init__(self, state: Path) -> None:
        self.asked: list[dict[str, Any]] = []
        self.seen: set[tuple[Any, ...]] = set()
        daemon = self

        class Talk(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                line = self.rfile.readline()
                assert len(line) <= MAX_LINE
                self.wfile.write(json.dumps(daemon.answer(json.loads(line))).encode() + b"\n")

        self.server = socketserver.UnixStreamServer(str(state / "control.sock"), Talk)

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """As the real one does; a test of the service shows that."""
        self.asked.append(asked)
        rows = {tuple(row) for row in asked["invoices"]}
        added = len(rows - self.seen)
        if not asked["dry_run"]:
            self.seen |= rows
        return {"ok": True, "added": added, "known": len(asked["invoices"]) - added}


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """One on `tmp_path`."""
    running = Daemon(tmp_path)
    threading.Thread(target=running.server.serve_forever, args=(0.01,), daemon=True).start()
    yield running
    running.server.shutdown()
    running.server.server_close()


def imported(tmp_path: Path, table: str, *options: str) -> int:
    """Exit code of the command on this table."""
    (tmp_path / "table.csv").write_text(table, encoding="utf-8")
    words = ["invoices", "import", str(tmp_path / "table.csv"), *options]
    return main([*words, "--state-dir", str(tmp_path)])


def test_taken_over_once(
    daemon: Daemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Again the same adds nothing; sellers, numbers and years arrive as keys."""
    assert imported(tmp_path, GOOD) == 0
    assert capsys.readouterr().out == "2 invoices taken over; 0 were known.\n"
    assert imported(tmp_path, GOOD, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"added": 0, "known": 2, "linked": 0, "bad_rows": 0, "dry_run": False}
    (first, second) = daemon.asked
    assert first == second
    assert first["command"] == "invoices.import"
    assert [InvoiceKey(*row) for row in first["invoices"]] == KEYS


def test_a_dry_run_changes_nothing(
    daemon: Daemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The daemon is asked to only look."""
    assert imported(tmp_path, GOOD, "--dry-run") == 0
    assert capsys.readouterr().out == "2 invoices would be taken over; 0 were known.\n"
    assert daemon.seen == set()


def test_with_bad_rows_nothing_is_taken_over(
    daemon: Daemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is named with its line; the others only when that is asked for."""
    table = GOOD + "12345,FA-2,2025-01-01\n\n732829320,,2025\n732829320,FA-4,31/02/2025\nx\n"
    assert imported(tmp_path, table) == 1
    told = capsys.readouterr()
    lines = [line.partition("table.csv, ")[2] for line in told.err.splitlines()]
    assert [line.partition(":")[0] for line in lines] == ["line 4", "line 6", "line 7", "line 8"]
    assert "'12345' is no SIREN, SIRET or VAT identifier" in lines[0]
    assert "the invoice number is empty" in lines[1]
    assert "there is no day 2025-02-31" in lines[2]
    assert "it has 1 columns, the first line 3" in lines[3]
    assert told.out.startswith("Nothing was taken over: 4 of the rows")
    assert daemon.asked == []
    assert imported(tmp_path, table, "--without-bad-rows") == 0
    assert daemon.seen == {(key.seller, key.number, key.year) for key in KEYS}


def test_from_standard_input(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read twice as well."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(GOOD.encode())))
    assert main(["invoices", "import", "-", "--state-dir", str(tmp_path)]) == 0
    assert len(daemon.seen) == 2


def test_without_a_gateway(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only the daemon writes the journal."""
    assert imported(tmp_path, GOOD) == 2
    assert "No gateway answers" in capsys.readouterr().err


def test_no_such_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file is named."""
    assert main(["invoices", "import", "/nowhere.csv", "--state-dir", str(tmp_path)]) == 2
    assert "/nowhere.csv: No such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("row", "year"),
    [
        ("732829320;FA-1;31/12/2024", 2024),
        ("732829320;FA-1;31.12.2024", 2024),
        ("732829320;FA-1;20241231", 2024),
        ("732 829 320 00074;FA-1;2024", 2024),
        ("FR44732829320;FA-1;2024-12-31", 2024),
    ],
)
def test_what_spreadsheets_write(row: str, year: int) -> None:
    """Semicolons, French dates, a mark at the beginning, titles in capitals."""
    table = io.StringIO(f"\ufeffSeller;Number;Issue date\n{row}\n", newline="")
    assert list(read_table(table)) == [InvoiceKey("siren:732829320", "FA-1", year)]


@pytest.mark.parametrize(
    "row",
    ["732829320,FA-1,1.2.3", "732829320,FA-1,0024", "732829320,FA-1,", "732829320,F\x07,2024"],
)
def test_rows_that_cannot_be_used(row: str) -> None:
    """A guess would refuse an invoice that nobody sent, or let one through."""
    (bad,) = read_table(io.StringIO(f"seller,number,year\n{row}\n", newline=""))
    assert isinstance(bad, BadRow)
    assert bad.line == 2


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        ("number,year", "lacks the column seller"),
        ("seller,year", "lacks the column number"),
        ("seller,number", "lacks the column issue_date or year"),
        ("seller,number,number,year", "has the column number twice"),
        ("", "lacks the column seller"),
    ],
)
def test_a_table_of_something_else(header: str, complaint: str) -> None:
    """Its columns are named."""
    with pytest.raises(ConfigurationError, match=complaint):
        check_table(io.StringIO(f"{header}\n1,2,3\n", newline=""))


def test_no_page_is_larger_than_a_command_may_be() -> None:
    """By number of rows, or by their length."""
    short = "".join(f"732829320,{n},2024\n" for n in range(1201))
    long = "".join(f"732829320,{n:0199d}é,2024\n" for n in range(1200))
    for rows, number in ((short, 1201), (long, 1200)):
        table = io.StringIO("seller,number,year\n" + rows, newline="")
        found = list(pages(table))
        assert sum(map(len, found)) == number
        for page in found:
            assert len(page) <= AT_ONCE
            line = msgspec.json.encode([(key.seller, key.number, key.year) for key in page])
            assert len(line) < MAX_LINE - 200
