"""Payloads of nobody go once they are old; what is somebody's, or is about to be, stays."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from twisted.internet.defer import Deferred

from gateway.errors import JournalError, SpoolError
from gateway.service import spool_sweep
from gateway.service.journal import records
from gateway.service.spool_sweep import EVERY_SECONDS, Sweeper, Swept
from gateway.spool import Spool
from tests.service.as2.memory_network import MemoryNetwork, PromptJournal, at_once
from tests.service.journalling import NOW

KEEP = dt.timedelta(hours=24)


class Yard:
    """A spool, a journal, and a sweeper for which it is `now`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.network = MemoryNetwork()
        self.journal = PromptJournal(self.network, folder / "journal.sqlite")
        self.spool = Spool(folder / "spool")
        self.spool.prepare()
        self.said = structlog.testing.CapturingLogger()
        self.network.wait(Deferred.fromCoroutine(self.journal.open()))
        self.now = dt.datetime.now(dt.UTC)
        self.sweeper = self.made()

    def made(self, **settings: Any) -> Sweeper:
        """A sweeper."""
        return Sweeper(
            self.network,
            journal=self.journal,
            spool=self.spool,
            in_thread=at_once,
            log=structlog.wrap_logger(self.said, processors=[]),
            now=lambda: self.now,
            **settings,
        )

    def stored(self, data: bytes) -> str:
        """A payload that no row names."""
        return self.spool.store([data]).sha256

    def named(self, sha256: str) -> None:
        """From now on a row names it."""
        self.network.run(
            self.journal.write(
                "test",
                lambda conn: records.add_payload_reference(conn, sha256, size=1, now=NOW),
            )
        )

    def upload(self, data: bytes) -> Path:
        """A complete file of a receiver's."""
        path = self.spool.incoming / "upload"
        path.write_bytes(data)
        return path

    def all_that_is_there_is_old(self) -> None:
        """What is adopted from now on is younger by the clock of the file system."""
        marker = self.folder / "marker"
        marker.touch()
        first = marker.stat().st_ctime_ns
        while marker.stat().st_ctime_ns == first:  # the clock of inodes ticks some 100 times a s
            marker.touch()
        self.boundary = (first + 5_000) / 1e9  # a float, and a datetime, are exact to 1 µs
        self.now = dt.datetime.fromtimestamp(self.boundary, dt.UTC) + KEEP

    def sweep(self) -> Swept:
        """One sweep."""
        return self.network.run(self.sweeper.sweep())

    def there(self, sha256: str) -> bool:
        """Whether the payload is, unharmed."""
        try:
            self.spool.verify(sha256)
        except SpoolError:
            return False
        return True


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    """A new one; afterwards nothing lies in the spool's folder of half-written files."""
    made = Yard(tmp_path)
    yield made
    assert list(made.spool.incoming.iterdir()) == []
    made.network.wait(Deferred.fromCoroutine(made.journal.close()))


def sum_of(data: bytes) -> str:
    """Its name in the spool."""
    return hashlib.sha256(data).hexdigest()


def test_only_what_is_old_and_nobodys_goes(yard: Yard) -> None:
    """An orphan goes, also an empty one; what a row names stays; so does what is young."""
    orphan, empty, needed = yard.stored(b"orphan"), yard.stored(b""), yard.stored(b"needed")
    yard.named(needed)
    yard.all_that_is_there_is_old()
    young = yard.stored(b"young")
    assert yard.sweep() == Swept(2, 6)
    assert [yard.there(each) for each in (orphan, empty, needed, young)] == [
        False,
        False,
        True,
        True,
    ]
    assert yard.sweep() == Swept()


def test_more_than_one_batch(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every orphan goes, however many lie in one folder of the spool."""
    monkeypatch.setattr(spool_sweep, "BATCH", 2)
    monkeypatch.setattr(spool_sweep, "PREFIXES", ("ab",))
    candidates = (b"%d" % number for number in range(100_000))
    alike = [data for data in candidates if sum_of(data).startswith("ab")][:7]
    sums = [yard.stored(data) for data in alike]
    yard.named(sums[3])
    yard.all_that_is_there_is_old()
    assert yard.sweep().files == 6
    assert [each for each in sums if yard.there(each)] == [sums[3]]


def test_an_old_orphan_that_somebody_just_adopted_stays(yard: Yard) -> None:
    """The same bytes come again: until their row is committed only their youth saves them."""
    orphan = yard.stored(b"the same bytes")
    yard.all_that_is_there_is_old()
    yard.spool.adopt(yard.upload(b"the same bytes"), orphan, 14)
    assert yard.sweep() == Swept()
    assert yard.there(orphan)
    yard.named(orphan)
    yard.all_that_is_there_is_old()
    assert yard.sweep() == Swept()
    assert yard.there(orphan)


def test_a_file_with_the_date_of_its_sender_is_as_young_as_its_adoption(yard: Yard) -> None:
    """SFTP clients set the time of what they upload: it may be years ago."""
    yard.all_that_is_there_is_old()
    path = yard.upload(b"from 1999")
    os.utime(path, (920_000_000, 920_000_000))
    yard.spool.adopt(path, sum_of(b"from 1999"), 9)
    assert yard.sweep() == Swept()
    assert yard.there(sum_of(b"from 1999"))


def during(name: str, meanwhile: Callable[[], object], patch: pytest.MonkeyPatch) -> None:
    """Something happens once, just before the spool calls a function of `os`."""
    real = getattr(os, name)
    waiting = [meanwhile]

    def call(*args: Any, **kwargs: Any) -> Any:
        if waiting:
            waiting.pop()()
        return real(*args, **kwargs)

    patch.setattr(os, name, call)


def test_adopted_between_a_look_at_its_age_and_its_removal(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweeper has seen that it is old, another process adopts it: it is put back, whole."""
    orphan = yard.stored(b"bytes")
    yard.all_that_is_there_is_old()
    path = yard.upload(b"bytes")
    during("rename", lambda: yard.spool.adopt(path, orphan, 5), monkeypatch)
    assert yard.sweep() == Swept()
    assert yard.there(orphan)


def test_removed_between_a_look_for_it_and_its_adoption(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever adopts saw the bytes there, then they are swept: its own copy takes their place."""
    orphan = yard.stored(b"bytes")
    yard.all_that_is_there_is_old()
    swept: list[Swept] = []
    during("utime", lambda: swept.append(yard.sweep()), monkeypatch)
    yard.spool.adopt(yard.upload(b"bytes"), orphan, 5)
    assert swept == [Swept(1, 5)]
    assert yard.there(orphan)


def test_committed_while_the_sweeper_looks(yard: Yard) -> None:
    """A row that comes after the list of what is old, and before the question whose it is."""
    orphan = yard.stored(b"bytes")
    yard.all_that_is_there_is_old()
    old = yard.spool.older_than(orphan[:2], yard.boundary)
    assert old == [orphan]
    yard.named(orphan)
    assert yard.sweep() == Swept()
    assert yard.there(orphan)


def test_it_sweeps_at_the_start_and_every_day(yard: Yard) -> None:
    """What failed once is said, and done the next day; after the end nothing is swept."""
    first = yard.stored(b"first")
    yard.all_that_is_there_is_old()
    yard.sweeper.start()
    assert not yard.there(first)
    assert [call.kwargs["event"] for call in yard.said.calls] == ["spool_swept"]

    second = yard.stored(b"second")
    yard.all_that_is_there_is_old()
    read = yard.journal.read

    async def broken(*_: Any) -> Any:
        raise JournalError("The disk is gone.", remedy="Bring it back.")

    yard.journal.read = broken  # type: ignore[method-assign]
    yard.network.pass_time(EVERY_SECONDS)
    assert yard.there(second)
    assert yard.said.calls[-1].kwargs == {
        "event": "spool_not_swept",
        "error": "The disk is gone.",
        "remedy": "Bring it back.",
    }
    yard.journal.read = read  # type: ignore[method-assign]
    yard.network.pass_time(EVERY_SECONDS)
    assert not yard.there(second)

    yard.network.run(yard.sweeper.stop())
    third = yard.stored(b"third")
    yard.all_that_is_there_is_old()
    yard.network.pass_time(2 * EVERY_SECONDS)
    assert yard.there(third)
    assert yard.network.getDelayedCalls() == []


def test_no_hours_no_sweep(yard: Yard) -> None:
    """Switched off, as after a journal was restored that does not know the newest payloads."""
    orphan = yard.stored(b"bytes")
    yard.all_that_is_there_is_old()
    yard.sweeper = yard.made(keep_hours=0)
    yard.sweeper.start()
    yard.network.pass_time(EVERY_SECONDS)
    assert yard.there(orphan)
    yard.network.run(yard.sweeper.stop())
