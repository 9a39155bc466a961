"""`purge`, `export` and `legal-hold` on a state directory whose gateway is stopped."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import json
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import async_yield_fixture

from gateway.cli import purge
from gateway.cli.main import main
from gateway.faults import FAULTS, Faults
from gateway.service.evidence_folder import MANIFEST
from gateway.service.journal import open_reader, records
from gateway.service.journal.doctor_records import miscounted, uncounted
from gateway.service.period import alone
from gateway.spool import Spool
from tests.service.house import ACCEPTED, REJECTED, FakeJudges, House
from tests.service.test_purging import acknowledged

DAYS = 500


class Stopped:
    """A stopped gateway's files: three interchanges of 500 days ago, one of today."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.config = folder / "gateway.toml"
        self.journal = self.state / "journal.sqlite"
        self.spool = Spool(self.state / "spool")
        self.old: list[str] = []
        self.young = ""

    def run(self, *words: str) -> int:
        """What the command ends with, in this process."""
        return main([*words, "--config", str(self.config)])

    def apart(self, *words: str, faults: Path) -> subprocess.CompletedProcess[str]:
        """The command in a process of its own, which a fault may end."""
        return subprocess.run(
            [sys.executable, "-m", "gateway", *words, "--config", str(self.config)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, FAULTS: str(faults)},
        )

    def ask(self, work: Any) -> Any:
        """What the journal holds."""
        with open_reader(self.journal).connect() as conn:
            return work(conn)

    def day(self) -> dt.date:
        """The day the old ones came (UTC)."""
        row = self.ask(lambda conn: records.interchange(conn, self.old[0]))
        day: dt.date = row.received_at.date()
        return day


@async_yield_fixture
async def stopped(tmp_path: Path) -> Any:
    """Two partners; the same bytes came from both, and what was said is beside the journal."""
    made = Stopped(tmp_path)
    made.state.mkdir()
    house = House(made.state)
    await house.open()
    intake = await house.intake(FakeJudges(ACCEPTED, REJECTED), inline_bytes=300)
    made.old = [
        await acknowledged(house, intake, "invoice 1.xml", b"<one/>"),
        await acknowledged(house, intake, "=2.xml", b"<same/>"),
        await acknowledged(house, intake, "3.xml", b"<same/>", "other"),
    ]
    made.young = await acknowledged(house, intake, "4.xml", b"<four/>")
    await intake.stop(1)
    await house.journal.close()
    with sqlite3.connect(made.journal) as raw:
        for column in ("received_at", "updated_at"):
            raw.execute(
                f"UPDATE interchanges SET {column} = strftime('%Y-%m-%d %H:%M:%f000', {column},"
                f" '-{DAYS} days') WHERE id <> ?",
                (made.young,),
            )
    raw.close()
    partners = tmp_path / "partners"
    partners.mkdir()
    for name in ("acme", "other"):
        (partners / f"{name}.toml").write_text(f'name = "{name}"\nenabled = false\n')
    made.config.write_text(
        '[paths]\nstate = "state"\npartners = "partners"\n[retention]\ndefault = "operational"\n'
    )
    yield made


def checked(folder: Path) -> set[str]:
    """Whether `sha256sum -c` is content with an export; the files it names."""
    done = subprocess.run(
        ["sha256sum", "-c", "--quiet", MANIFEST],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    named = {line.split("  ", 1)[1] for line in (folder / MANIFEST).read_text().splitlines()}
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert named == there - {MANIFEST}
    return named


def sound(stopped: Stopped) -> bool:
    """Every payload is counted as often as it is needed, and every one that is counted is there."""

    def look(conn: Any) -> bool:
        counted = conn.exec_driver_sql("SELECT sha256 FROM payloads").scalars().all()
        whole = all(stopped.spool.verify(sha256) for sha256 in counted)
        return whole and not miscounted(conn, 10) and not uncounted(conn, 10)

    found: bool = stopped.ask(look)
    return found


def payload_files(stopped: Stopped) -> list[Path]:
    return [path for path in (stopped.state / "spool/payloads").rglob("*") if path.is_file()]


def test_archived_then_freed(stopped: Stopped, capsys: pytest.CaptureFixture[str]) -> None:
    """What goes is in the archive, byte for byte; what is young, and what it needs, stays."""
    before = {path.name: path.read_bytes() for path in payload_files(stopped)}
    archive = stopped.folder / "archive"
    words = ("purge", "--older-than", "13m", "--archive", str(archive))
    assert stopped.run(*words, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["purged"] == stopped.old
    assert said["skipped"] == []
    left = {path.name for path in payload_files(stopped)}
    assert sum(len(body) for name, body in before.items() if name not in left) == said["file_bytes"]
    assert len(before) - len(left) == said["files"] > 3
    assert hashlib.sha256(b"<four/>").hexdigest() in left
    assert sound(stopped)
    (run,) = archive.iterdir()
    names = checked(run)
    assert {name.rpartition("/")[2] for name in names} >= {"invoice_1.xml", "_2.xml", "3.xml"}
    assert set(before) - left <= {
        hashlib.sha256((run / name).read_bytes()).hexdigest() for name in names
    }
    folder = run / "interchanges" / f"{stopped.day()}" / stopped.old[0]
    assert (folder / "original/invoice_1.xml").read_bytes() == b"<one/>"
    gone = stopped.ask(lambda conn: records.purged_of(conn, stopped.old[0]))
    assert gone.archive == str(folder)
    steps = [json.loads(line) for line in (folder / "transitions.jsonl").open()]
    assert steps[-1]["new_state"] == "acknowledged"
    messages = [json.loads(line) for line in (folder / "messages.jsonl").open()]
    assert {each["kind"] for each in messages} == {"event", "document", "report"}
    for each in messages:
        assert (folder / each["file"]).stat().st_size > 0 if "file" in each else each["event"]
    # The report went to the broker and to the partner: the same bytes are there once.
    assert len({each["file"] for each in messages if each["kind"] == "report"}) == 1
    assert stopped.run(*words) == 0
    assert "0 interchanges purged" in capsys.readouterr().out
    assert list(archive.iterdir()) == [run]
    assert stopped.run("show", stopped.old[0]) == 0
    shown = capsys.readouterr().out
    assert f"archived in {folder}" in shown
    assert re.search(r"payloads +purged ", shown)
    assert "acknowledged" in shown
    assert stopped.run("show", stopped.old[0], "--json") == 0
    assert json.loads(capsys.readouterr().out)["purged"]["archive"] == str(folder)


def test_a_dry_run_changes_nothing_and_says_what_stays(
    stopped: Stopped, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a legal hold keeps is named, with who placed it and why."""
    hold = ("legal-hold", "add", "--partner", "other", "--reason", "audit of 2027")
    assert stopped.run(*hold) == 0
    assert stopped.run("legal-hold", "list") == 0
    listed = capsys.readouterr().out
    assert "partner other" in listed
    assert f"uid {os.getuid()}" in listed
    before = payload_files(stopped)
    assert stopped.run("purge", "--older-than", "1y", "--dry-run") == 0
    said = capsys.readouterr().out
    assert said.startswith("2 interchanges would be purged, nothing was changed.")
    assert "a legal hold on partner other keeps it" in said
    assert "audit of 2027" in said
    assert stopped.old[2] in said
    assert payload_files(stopped) == before
    assert stopped.run("purge", "--older-than", "1y", "--no-archive") == 0
    assert "2 interchanges purged" in capsys.readouterr().out
    assert hashlib.sha256(b"<same/>").hexdigest() in {path.name for path in payload_files(stopped)}
    assert sound(stopped)
    remove = ("legal-hold", "remove", "--partner", "other", "--reason", "closed")
    assert stopped.run(*remove) == 0
    assert stopped.run(*remove) == 3
    assert stopped.run("purge", "--older-than", "1y", "--no-archive", "--partner", "other") == 0
    assert "1 interchange purged" in capsys.readouterr().out


def test_nothing_goes_by_default(stopped: Stopped, capsys: pytest.CaptureFixture[str]) -> None:
    """Invoices are kept for eleven years from receipt, whatever the operator asks for."""
    stopped.config.write_text('[paths]\nstate = "state"\npartners = "partners"\n')
    assert stopped.run("purge", "--older-than", "1d", "--no-archive") == 0
    said = capsys.readouterr().out
    assert said.startswith("0 interchanges purged")
    assert 'its retention class "commercial" keeps it yet' in said


def test_where_to_archive_is_asked(stopped: Stopped, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is removed because an option was forgotten."""
    assert stopped.run("purge", "--older-than", "1y") == 2
    assert "--archive DIR, or --no-archive" in capsys.readouterr().err
    words = ["purge", "--older-than", "1y", "--no-archive", "--state-dir", str(stopped.state)]
    assert main(words) == 2
    assert "Which settings belong to" in capsys.readouterr().err


def test_what_is_not_whole_is_kept_and_told(
    stopped: Stopped, capsys: pytest.CaptureFixture[str]
) -> None:
    """A payload that was damaged on the disk: its interchange is not purged, others are."""
    path = stopped.spool.path(hashlib.sha256(b"<one/>").hexdigest())
    path.write_bytes(b"<two/>")
    archive = stopped.folder / "archive"
    assert stopped.run("purge", "--older-than", "1y", "--archive", str(archive)) == 1
    said = capsys.readouterr().out
    assert "2 interchanges purged" in said
    assert "Not whole, and kept, 1: Payload" in said
    assert path.exists()
    (run,) = archive.iterdir()
    assert not any(stopped.old[0] in name for name in checked(run))


def test_an_archive_that_cannot_be_written_stops_the_purge(
    stopped: Stopped, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is removed that is not in the archive."""
    (tmp_path / "file").write_text("no folder")
    before = payload_files(stopped)
    assert stopped.run("purge", "--older-than", "1y", "--archive", str(tmp_path / "file")) == 3
    assert "could not be written" in capsys.readouterr().err
    assert payload_files(stopped) == before


POINTS = (
    *("folder.made", "evidence.name", "evidence.synced"),
    *("journal.commit", "spool.aside", "index.write", "index.name", "index.folder"),
)


def test_killed_at_every_point_it_goes_on(stopped: Stopped, tmp_path: Path) -> None:
    """One kill after another, before and after each: nothing is lost, all ends as it should."""
    before = {path.name for path in payload_files(stopped)}
    archive = stopped.folder / "archive"
    words = ("purge", "--older-than", "1y", "--archive", str(archive))
    faults = Faults(tmp_path / "faults")
    for point in POINTS:
        for when in ("before", "after"):
            faults.arm(point, when, "kill")
            done = stopped.apart(*words, faults=tmp_path / "faults")
            assert done.returncode == -9, (point, when, done)
            assert faults.happened(point, when)
            assert sound(stopped)
    done = stopped.apart(*words, "--json", faults=tmp_path / "faults")
    assert done.returncode == 0, done.stderr
    for id_ in stopped.old:
        gone = stopped.ask(lambda conn, id_=id_: records.purged_of(conn, id_))
        assert gone.freed_at is not None
        folder = Path(gone.archive)
        assert len(list((folder / "original").iterdir())) == 1
    runs = sorted(archive.iterdir())
    names = [name for run in runs for name in checked(run)]
    assert len(names) > 10
    files = [path for run in runs for path in run.rglob("*") if path.is_file()]
    kept = {hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    # What is in the spool no more is in an archive; a kill may have left files of nobody.
    assert before - {path.name for path in payload_files(stopped)} <= kept


def test_what_a_power_cut_tore_is_archived_again(stopped: Stopped, tmp_path: Path) -> None:
    """Folders are synced together: one that was not, and is not whole, counts for nothing."""
    archive = stopped.folder / "archive"
    words = ("purge", "--older-than", "1y", "--archive", str(archive))
    faults = Faults(tmp_path / "faults")
    faults.arm("evidence.synced", "before", "kill")
    assert stopped.apart(*words, faults=tmp_path / "faults").returncode == -9
    (run,) = archive.iterdir()
    (one,) = run.glob(f"interchanges/*/{stopped.old[0]}/original/*")
    one.write_bytes(b"")
    (two,) = run.glob(f"interchanges/*/{stopped.old[1]}/interchange.json")
    two.unlink()
    assert stopped.run(*words) == 0
    assert list(archive.iterdir()) == [run]
    names = checked(run)
    assert one.read_bytes() == b"<one/>"
    assert len([name for name in names if "/original/" in name]) == 3


def test_a_second_purge_at_once_is_refused(
    stopped: Stopped, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two that archive and free the same would be in each other's way."""
    with alone(stopped.state, "purging"):
        assert stopped.run("purge", "--older-than", "1y", "--no-archive") == 3
    assert "Somebody else is purging" in capsys.readouterr().err
    assert stopped.ask(lambda conn: records.purged_of(conn, stopped.old[0])) is None


def test_export_of_a_closed_period(stopped: Stopped, capsys: pytest.CaptureFixture[str]) -> None:
    """Every interchange of those days with its evidence, a table, a page, and their sums."""
    day = f"{stopped.day()}"
    folder = stopped.folder / "export"
    span = ("--from", f"{stopped.day() - dt.timedelta(days=1)}", "--to", f"{day}")
    # The days are those of the gateway's time zone: one more, for a test near midnight.
    span = (*span[:3], f"{stopped.day() + dt.timedelta(days=1)}")
    assert stopped.run("export", *span, str(folder)) == 0
    said = capsys.readouterr().out
    assert said.startswith("3 interchanges, 3 documents, ")
    names = checked(folder)
    rows = list(csv.DictReader((folder / "index.csv").open()))
    assert [row["interchange"] for row in rows] == stopped.old
    assert [row["verdict"] for row in rows] == ["accepted", "rejected", "rejected"]
    assert rows[1]["findings"]
    assert rows[1]["file"] == "'=2.xml"  # a spreadsheet would work it out
    page = (folder / "index.html").read_text()
    assert all(id_ in page for id_ in stopped.old)
    summary = json.loads((folder / "export.json").read_text())
    assert (summary["closed"], summary["open"], summary["interchanges"]) == (True, [], 3)
    document = json.loads((folder / rows[1]["folder"] / "documents.jsonl").read_text())
    assert document["judgement"]["verdict"]["findings"][0]["rule"] == rows[1]["findings"].split()[0]
    # A second run into the same folder writes nothing anew but the index.
    times = {name: (folder / name).stat().st_mtime_ns for name in names}
    assert stopped.run("export", *span, str(folder)) == 0
    assert {name for name, time in times.items() if (folder / name).stat().st_mtime_ns != time} == {
        "index.csv",
        "index.html",
        "export.json",
    }
    capsys.readouterr()
    assert stopped.run("export", *span, "--partner", "other", str(folder)) == 3
    assert "is another export" in capsys.readouterr().err
    with alone(folder, "exporting into"):
        assert stopped.run("export", *span, str(folder)) == 3
        assert "Somebody else is exporting into" in capsys.readouterr().err
    assert checked(folder) == names
    assert stopped.run("export", *span, "--partner", "other", str(stopped.folder / "two")) == 0
    assert len(list(csv.DictReader((stopped.folder / "two" / "index.csv").open()))) == 1
    # After a purge the folder keeps what is nowhere else; a new one says what is missing.
    capsys.readouterr()
    assert stopped.run("purge", "--older-than", "1y", "--no-archive") == 0
    assert stopped.run("export", *span, str(folder)) == 0
    assert checked(folder) == names
    assert stopped.run("export", *span, str(stopped.folder / "three")) == 0
    assert "3 purged before" in capsys.readouterr().out
    assert not any("original/" in name for name in checked(stopped.folder / "three"))


def test_a_period_that_is_not_closed_is_told(
    stopped: Stopped, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of an interchange that is not at its end all that there is, and why; exit code 1."""
    with sqlite3.connect(stopped.journal) as raw:
        raw.execute("UPDATE interchanges SET state = 'settled' WHERE id = ?", (stopped.old[0],))
    raw.close()
    day = stopped.day()
    span = ("--from", f"{day - dt.timedelta(days=1)}", "--to", f"{day + dt.timedelta(days=1)}")
    assert stopped.run("export", *span, "--json", str(stopped.folder / "export")) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["closed"] is False
    assert said["open"] == [[stopped.old[0], "it is settled, not acknowledged"]]
    today = ("--from", f"{day}", "--to", f"{dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)}")
    assert stopped.run("export", *today, str(stopped.folder / "now")) == 1
    assert "The period is not over" in capsys.readouterr().out


def test_an_export_does_not_go_into_a_folder_of_something_else(
    stopped: Stopped, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing of somebody else's is summed up as evidence, or written over."""
    (stopped.folder / "mine").mkdir()
    (stopped.folder / "mine" / "letter.txt").write_text("x")
    span = ("--from", "2026-01-01", "--to", "2026-01-31")
    assert stopped.run("export", *span, str(stopped.folder / "mine")) == 3
    assert "holds something else: letter.txt" in capsys.readouterr().err
    assert stopped.run("export", "--from", "2026-02-01", "--to", "2026-01-31", "x") == 2


def test_a_journal_of_an_earlier_version_is_written_anew(
    stopped: Stopped, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its file could not be shortened; while the gateway is stopped it is, and from then on can."""
    raw = sqlite3.connect(stopped.journal, isolation_level=None)
    raw.execute("UPDATE outbox SET body = zeroblob(400000) WHERE kind = 'event'")
    raw.execute("PRAGMA journal_mode = DELETE")
    raw.execute("PRAGMA auto_vacuum = NONE")
    raw.execute("VACUUM")
    assert raw.execute("PRAGMA auto_vacuum").fetchone() == (0,)
    raw.close()
    size = stopped.journal.stat().st_size
    assert stopped.run("purge", "--older-than", "1y", "--no-archive") == 0
    assert stopped.journal.stat().st_size < size * 0.4
    raw = sqlite3.connect(stopped.journal)
    assert raw.execute("PRAGMA auto_vacuum").fetchone() == (2,)
    raw.close()
    assert "empty and used again" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "ago"),
    [("90d", 90), ("2w", 14), ("0d", 0)],
)
def test_how_long_ago(text: str, ago: int) -> None:
    """Days and weeks from now."""
    found = dt.datetime.now(dt.UTC) - purge.moment(text)
    assert abs(found - dt.timedelta(days=ago)) < dt.timedelta(minutes=1)


def test_months_and_years_end_on_a_day_that_exists() -> None:
    """Eighteen months ago is a year and six months ago; a day is its beginning in UTC."""
    now = dt.datetime.now(dt.UTC)
    assert purge.moment("12m").date() == purge.moment("1y").date()
    assert purge.moment("10y").year == now.year - 10
    assert purge.moment("2026-01-31") == dt.datetime(2026, 1, 31, tzinfo=dt.UTC)
