"""The journal's threads: what is answered is on disk, what fails fails alone, one daemon only."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
import sqlalchemy as sa
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, DeferredList, gatherResults

from gateway.errors import JournalError
from gateway.service.journal import Journal, engine, open_reader, records
from gateway.service.journal.batch import MAX_BATCH
from gateway.service.journal.engine import driver
from tests.service.journalling import NOW, an_interchange


def start(work: Any) -> Deferred[Any]:
    """Begin to await, without waiting."""
    return Deferred.fromCoroutine(work)


def receive(number: int, name: str = "") -> Callable[[sa.Connection], records.Receipt]:
    """The work of entering the interchange with this number."""
    interchange = an_interchange(number)

    def work(conn: sa.Connection) -> records.Receipt:
        return records.receive(
            conn,
            interchange,
            interface_code=None,
            claim_key=name or interchange.envelope.name,
            now=NOW,
        )

    return work


def ids(conn: sa.Connection) -> list[str]:
    """Every interchange in the journal, in order."""
    return [row.id for row in reversed(records.list_interchanges(conn, limit=10_000))]


def broken(conn: sa.Connection) -> None:
    """Writes something, then fails."""
    conn.exec_driver_sql("INSERT INTO payloads VALUES ('half', 1, 1, '2026-01-01 00:00:00')")
    raise KeyError("a fault of ours")


def half_written(conn: sa.Connection) -> int:
    """How many rows `broken` left."""
    return int(conn.exec_driver_sql("SELECT count(*) FROM payloads WHERE sha256 = 'half'").scalar())


class Gate:
    """Holds the writer thread in a task, so that what is asked meanwhile shares a batch."""

    def __init__(self, journal: Journal) -> None:
        self._held, self._go_on = threading.Event(), threading.Event()
        self._waiting = start(journal.write("wait", self._wait))
        # The writer is in a batch of its own now: what is asked from here on makes the next.
        assert self._held.wait(30)

    def _wait(self, conn: sa.Connection) -> None:
        self._held.set()
        assert self._go_on.wait(30)

    async def open(self) -> None:
        """Let the writer go on."""
        self._go_on.set()
        await self._waiting


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest_twisted.async_yield_fixture
async def journal(path: Path) -> AsyncIterator[Journal]:
    made = Journal(reactor, path)
    await made.open()
    yield made
    await made.close()


class TestWriting:
    """Group commit: each caller hears of its own work, once it is on disk."""

    @ensureDeferred
    async def test_answer(self, journal: Journal, path: Path) -> None:
        """A write answers what its function returned, and others can see it by then."""
        receipt = await journal.write("receive", receive(1))
        assert (receipt.interchange_id, receipt.new) == (an_interchange(1).id, True)
        reader = open_reader(path)
        with reader.connect() as conn:
            assert ids(conn) == [receipt.interchange_id]

    @ensureDeferred
    async def test_group_commit(self, journal: Journal) -> None:
        """What is asked while the writer is busy is committed together, in the order asked."""
        gate = Gate(journal)
        writes = [start(journal.write("receive", receive(n))) for n in range(1, MAX_BATCH + 51)]
        assert journal.pending == MAX_BATCH + 51
        before = journal.commits
        await gate.open()
        receipts = await gatherResults(writes)
        assert journal.commits - before == 3, "the gate's, a full batch, and the rest"
        assert [receipt.interchange_id for receipt in receipts] == await journal.read("list", ids)
        assert journal.pending == 0

    @ensureDeferred
    async def test_receipts_share_a_commit_without_a_temporary_file(self, journal: Journal) -> None:
        """What a savepoint would bring back is in memory for them; for all else it may be large."""

        def fill(conn: sa.Connection) -> None:
            for number in range(60):
                row = (f"{number:02000x}", 1, 1, "2026-01-01 00:00:00")
                conn.exec_driver_sql("INSERT INTO payloads VALUES (?, ?, ?, ?)", row)

        def change(conn: sa.Connection) -> bool:
            conn.exec_driver_sql("UPDATE payloads SET size = size + 1")
            links = list(Path("/proc/self/fd").iterdir())
            return any("etilqs_" in str(link.readlink()) for link in links if link.is_symlink())

        await journal.write("fill", fill)
        for urgent in (True, False):
            gate = Gate(journal)
            both = [
                start(journal.write("receive", receive(1 + urgent), urgent=True)),
                start(journal.write("change", change, urgent=urgent)),
            ]
            await gate.open()
            _, in_a_file = await gatherResults(both)
            assert in_a_file is not urgent

    @ensureDeferred
    async def test_own_thread(self, journal: Journal) -> None:
        """All writes run in one thread, all reads in another, neither of them the reactor's."""
        names = [
            await ask("name", lambda conn: threading.current_thread().name)
            for ask in (journal.write, journal.read) * 2
        ]
        assert names == ["journal-writer", "journal-reader"] * 2

    @ensureDeferred
    async def test_durable_settings(self, journal: Journal) -> None:
        """WAL, synchronous FULL, foreign keys on."""

        def ask(conn: sa.Connection) -> list[Any]:
            pragmas = ("journal_mode", "synchronous", "foreign_keys")
            return [conn.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas]

        assert await journal.write("ask", ask) == ["wal", 2, 1]

    @ensureDeferred
    async def test_failure_alone(self, journal: Journal) -> None:
        """A function that fails in a batch by itself leaves nothing, and its error is its own."""
        with pytest.raises(KeyError, match="a fault of ours"):
            await journal.write("break", broken)
        assert await journal.read("count", half_written) == 0
        assert (await journal.write("receive", receive(1))).new

    @ensureDeferred
    async def test_failure_among_others(self, journal: Journal) -> None:
        """A function that fails in a batch leaves nothing; its neighbours are committed."""
        gate = Gate(journal)
        before = start(journal.write("receive", receive(1)))
        failing = start(journal.write("break", broken))
        after = start(journal.write("receive", receive(2)))
        await gate.open()
        assert (await before).new
        with pytest.raises(KeyError):
            await failing
        assert (await after).new
        assert await journal.read("count", half_written) == 0
        assert len(await journal.read("list", ids)) == 2

    @ensureDeferred
    async def test_sees_its_neighbours(self, journal: Journal) -> None:
        """Two deliveries of the same file in one batch make one interchange."""
        gate = Gate(journal)
        first = start(journal.write("receive", receive(1, "same")))
        second = start(journal.write("receive", receive(2, "same")))
        await gate.open()
        assert (await first).new
        assert await second == records.Receipt(an_interchange(1).id, new=False)

    @ensureDeferred
    async def test_database_error(self, journal: Journal) -> None:
        """An error of the database arrives as `JournalError`, without the values of the row."""

        def orphan(conn: sa.Connection) -> None:
            records.add_document(conn, "nobody", 1, name="secret.xml", sha256="ab", size=1, now=NOW)

        with pytest.raises(JournalError, match="could not judge: FOREIGN KEY") as caught:
            await journal.write("judge", orphan)
        assert "secret" not in f"{caught.value} {caught.value.__cause__}"

    @ensureDeferred
    async def test_cancelled(self, journal: Journal) -> None:
        """A caller that stops waiting harms nobody; its work, once asked, is done."""
        gate = Gate(journal)
        impatient = start(journal.write("receive", receive(1)))
        patient = start(journal.write("receive", receive(2)))
        impatient.cancel()
        with pytest.raises(CancelledError):
            await impatient
        await gate.open()
        assert (await patient).new
        assert len(await journal.read("list", ids)) == 2
        assert journal.pending == 0


class TestFailingCommit:
    """When nothing can be promised, nobody is promised anything; and the journal goes on."""

    @ensureDeferred
    async def test_all_fail(self, journal: Journal) -> None:
        """A commit that fails fails everybody in the batch, and keeps nothing."""

        def spoil(conn: sa.Connection) -> None:
            # SQLite looks at deferred keys when it commits: there is no earlier moment to fail.
            conn.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
            conn.exec_driver_sql(
                "INSERT INTO documents (interchange_id, ordinal, name, sha256, size, state) "
                "VALUES ('nobody', 1, '', '', 1, 'extracted')"
            )

        gate = Gate(journal)
        innocent = start(journal.write("receive", receive(1)))
        spoiling = start(journal.write("spoil", spoil))
        await gate.open()
        for name, write in (("receive", innocent), ("spoil", spoiling)):
            with pytest.raises(JournalError, match=f"could not {name}: FOREIGN KEY"):
                await write
        assert await journal.read("list", ids) == []
        assert (await journal.write("receive", receive(1))).new

    @ensureDeferred
    async def test_full_disk(self, journal: Journal) -> None:
        """A full disk fails the whole batch, also those whose turn was before; then it works."""

        def limit(pages: int) -> Callable[[sa.Connection], Any]:
            return lambda conn: conn.exec_driver_sql(f"PRAGMA max_page_count={pages}").scalar()

        def fill(conn: sa.Connection) -> None:
            conn.exec_driver_sql(
                "INSERT INTO payloads VALUES (hex(zeroblob(9000000)), 1, 1, '2026-01-01')"
            )

        await journal.write("limit", limit(500))
        gate = Gate(journal)
        writes = [start(journal.write("work", work)) for work in (receive(1), fill, receive(2))]
        await gate.open()
        outcomes = await DeferredList(writes, consumeErrors=True)
        errors = [outcome.value for good, outcome in outcomes if not good]
        assert {type(error) for error in errors} == {JournalError}
        assert "full" in str(errors[0])
        assert "Free space" in errors[0].remedy
        # SQLite may undo one statement or give up the transaction; either way: answered = kept.
        assert not outcomes[1][0]
        kept = [
            an_interchange(n).id for n, (good, _) in ((1, outcomes[0]), (2, outcomes[2])) if good
        ]
        assert await journal.read("list", ids) == kept
        await journal.write("limit", limit(1_000_000))
        await journal.write("fill", fill)
        assert (await journal.write("receive", receive(3))).new

    @ensureDeferred
    async def test_somebody_holds_the_lock(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A stranger in the file (a `sqlite3` shell) makes writes fail, not hang."""
        monkeypatch.setattr(engine, "_BUSY_SECONDS", 0.05)
        journal = Journal(reactor, path)
        await journal.open()
        stranger = sqlite3.connect(path, isolation_level=None)
        stranger.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match="could not receive: database is locked"):
            await journal.write("receive", receive(1))
        stranger.close()
        assert (await journal.write("receive", receive(1))).new
        await journal.close()

    @ensureDeferred
    async def test_transaction_lost(self, journal: Journal) -> None:
        """A function that ends the shared transaction fails the batch: nothing was promised."""
        gate = Gate(journal)
        innocent = start(journal.write("receive", receive(1)))
        rude = start(journal.write("be rude", lambda conn: driver(conn).rollback()))
        after = start(journal.write("receive", receive(2)))
        await gate.open()
        for write in (innocent, rude, after):
            with pytest.raises(JournalError, match="`be rude` ended the transaction"):
                await write
        assert await journal.read("list", ids) == []
        assert (await journal.write("receive", receive(3))).new

    @ensureDeferred
    async def test_connection_lost(self, journal: Journal) -> None:
        """When not even the rollback works, another connection is taken."""
        with pytest.raises((JournalError, sqlite3.ProgrammingError)):
            await journal.write("break", lambda conn: driver(conn).close())
        assert (await journal.write("receive", receive(1))).new

        def foreign_keys(conn: sa.Connection) -> Any:
            return conn.exec_driver_sql("PRAGMA foreign_keys").scalar()

        assert await journal.write("ask", foreign_keys) == 1


class TestReading:
    """Reads see what is committed, in a thread of their own."""

    @ensureDeferred
    async def test_while_writing(self, journal: Journal) -> None:
        """A read is answered while a write holds the writer, and does not see it yet."""
        await journal.write("receive", receive(1))
        held, go_on = threading.Event(), threading.Event()

        def slow(conn: sa.Connection) -> None:
            receive(2)(conn)
            held.set()
            assert go_on.wait(30)

        write = start(journal.write("receive", slow))
        assert held.wait(30)
        assert await journal.read("list", ids) == [an_interchange(1).id]
        go_on.set()
        await write
        assert len(await journal.read("list", ids)) == 2

    @ensureDeferred
    async def test_one_view(self, journal: Journal) -> None:
        """All questions of one read see the same moment."""
        await journal.write("receive", receive(1))
        asked, go_on = threading.Event(), threading.Event()

        def twice(conn: sa.Connection) -> tuple[list[str], list[str]]:
            first = ids(conn)
            asked.set()
            assert go_on.wait(30)
            return first, ids(conn)

        read = start(journal.read("list twice", twice))
        assert asked.wait(30)
        await journal.write("receive", receive(2))
        go_on.set()
        first, second = await read
        assert first == second
        assert len(await journal.read("list", ids)) == 2

    @ensureDeferred
    async def test_cannot_write(self, journal: Journal) -> None:
        """A read that writes is a mistake, and fails; the next one works."""
        with pytest.raises(JournalError, match="readonly"):
            await journal.read("receive", receive(1))
        assert await journal.read("list", ids) == []

    @ensureDeferred
    async def test_own_errors(self, journal: Journal) -> None:
        """What a reading function raises reaches its caller as it is."""
        with pytest.raises(ZeroDivisionError):
            await journal.read("divide", lambda conn: 1 // 0)


class TestOpening:
    """What a daemon finds when it starts."""

    @ensureDeferred
    async def test_new(self, journal: Journal, path: Path) -> None:
        """A journal that is not there is made, with its tables."""
        assert path.exists()
        assert await journal.read("count", records.counts) == records.Counts({}, {}, {})

    @ensureDeferred
    async def test_again(self, path: Path) -> None:
        """What was written is there after the next start; no log is left beside it."""
        for number in (1, 2):
            journal = Journal(reactor, path)
            await journal.open()
            await journal.write("receive", receive(number))
            await journal.close()
            assert not path.with_name("journal.sqlite-wal").exists()
        await journal.open()
        assert len(await journal.read("list", ids)) == 2
        await journal.close()

    @ensureDeferred
    async def test_close_drains(self, path: Path) -> None:
        """Closing answers everything that was asked before."""
        journal = Journal(reactor, path)
        await journal.open()
        gate = Gate(journal)
        writes = [start(journal.write("receive", receive(n))) for n in range(1, 4)]
        read = start(journal.read("list", ids))
        closing = start(journal.close())
        await gate.open()
        await closing
        assert all(receipt.new for receipt in await gatherResults(writes))
        await read
        with pytest.raises(JournalError, match="journal is closed; it cannot receive"):
            await journal.write("receive", receive(9))
        with pytest.raises(JournalError, match="closed"):
            await journal.read("list", ids)
        await journal.close()

    @ensureDeferred
    async def test_second_daemon(self, journal: Journal, path: Path) -> None:
        """A second daemon on one state directory is refused; the first is not disturbed."""
        second = Journal(reactor, path)
        with pytest.raises(JournalError, match=f"process {os.getpid()}.*already uses") as caught:
            await second.open()
        assert "paths.state of its own" in caught.value.remedy
        assert (await journal.write("receive", receive(1))).new
        await journal.close()
        await second.open()
        assert len(await second.read("list", ids)) == 1
        await second.close()

    @ensureDeferred
    async def test_no_directory(self, tmp_path: Path) -> None:
        """A state directory that is not there is told as such."""
        with pytest.raises(JournalError, match=r"state directory cannot be used.*paths\.state"):
            await Journal(reactor, tmp_path / "nowhere" / "journal.sqlite").open()

    @ensureDeferred
    async def test_no_database(self, path: Path) -> None:
        """Some other file in the journal's place is refused, not overwritten."""
        path.write_bytes(b"something else entirely, but certainly not a database\n" * 100)
        before = path.read_bytes()
        journal = Journal(reactor, path)
        with pytest.raises(JournalError, match="is damaged: file is not a database"):
            await journal.open()
        assert path.read_bytes() == before
        path.unlink()
        await journal.open()
        await journal.close()

    @ensureDeferred
    async def test_damaged(self, path: Path) -> None:
        """Bytes overwritten in the middle are found at the start, with what to do about it."""
        journal = Journal(reactor, path)
        await journal.open()
        for number in range(1, 60):
            await journal.write("receive", receive(number))
        await journal.close()
        content = bytearray(path.read_bytes())
        for page in range(4096, len(content), 4096):
            content[page + 1 : page + 9] = b"\xff" * 8
        path.write_bytes(content)
        with pytest.raises(JournalError, match="is damaged") as caught:
            await journal.open()
        assert "backup" in caught.value.remedy

    @ensureDeferred
    async def test_newer(self, journal: Journal, path: Path) -> None:
        """A journal of a newer gateway is refused, and the lock is free again."""

        def pretend(conn: sa.Connection) -> None:
            conn.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

        await journal.write("pretend", pretend)
        await journal.close()
        for _ in range(2):
            with pytest.raises(JournalError, match="newer gateway"):
                await Journal(reactor, path).open()


CHILD = textwrap.dedent(
    """
    import itertools, os, resource, sys
    from pathlib import Path
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred
    from gateway.errors import JournalError
    from gateway.service.journal import Journal
    from tests.service.test_journal import receive

    path, limit = Path(sys.argv[1]), int(sys.argv[2])
    journal = Journal(reactor, path)
    numbers = itertools.count(1)

    async def write_on():
        while True:
            number = next(numbers)
            try:
                receipt = await journal.write("receive", receive(number))
            except JournalError as error:
                print("failed", error, flush=True)
                resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
                continue
            os.write(1, receipt.interchange_id.encode() + b"\\n")

    def give_up(failure):
        failure.printTraceback()
        os._exit(1)

    async def main():
        await journal.open()
        if limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, -1))
        for _ in range(4):
            Deferred.fromCoroutine(write_on()).addErrback(give_up)

    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(main()))
    reactor.run()
    """
)


def killed_after(path: Path, lines: int, *, limit: int = 0) -> list[str]:
    """Run a writing child, kill it with SIGKILL after so many lines; all that it printed."""
    top = Path(__file__).parents[2]
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path), str(limit)],
        cwd=top,
        env={**os.environ, "PYTHONPATH": str(top)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    printed = [child.stdout.readline().strip() for _ in range(lines)]
    child.send_signal(signal.SIGKILL)
    rest, _ = child.communicate(timeout=60)
    assert child.returncode == -signal.SIGKILL, printed[-3:]
    whole = rest.splitlines() if rest.endswith("\n") else rest.splitlines()[:-1]
    return printed + whole


class TestKilled:
    """A process that is killed keeps every promise it made."""

    @ensureDeferred
    async def test_every_answer_is_kept(self, path: Path) -> None:
        """Each id that the killed process had acknowledged is in the journal, at every kill."""
        acknowledged: set[str] = set()
        for round_ in range(1, 4):
            # The claims make a new process find what the one before it wrote.
            acknowledged |= set(killed_after(path, 40 * round_))
        journal = Journal(reactor, path)
        await journal.open()
        found = set(await journal.read("list", ids))
        steps = await journal.read(
            "count", lambda c: c.exec_driver_sql("SELECT count(*) FROM transitions").scalar()
        )
        await journal.close()
        assert len(acknowledged) >= 120
        assert acknowledged <= found
        assert steps == len(found), "an interchange and its step are there together or not at all"

    @ensureDeferred
    async def test_disk_that_fills_up(self, path: Path) -> None:
        """When the log cannot grow, writes fail and are not kept; with space, they work again."""
        printed = killed_after(path, 300, limit=300_000)
        failed = [line for line in printed if line.startswith("failed")]
        acknowledged = [line for line in printed if not line.startswith("failed")]
        assert failed, "the limit was never reached"
        assert printed.index(failed[-1]) < len(printed) - 1, "it never worked again"
        journal = Journal(reactor, path)
        await journal.open()
        found = set(await journal.read("list", ids))
        await journal.close()
        assert set(acknowledged) <= found
        # Four writers: what was under way when the process was killed may be there unannounced.
        assert len(found) <= len(set(acknowledged)) + 4
