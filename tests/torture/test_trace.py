"""Reading what strace wrote."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.torture import journal_image
from tests.torture.trace import NEVER, NotATrace, parse


def test_a_call_on_one_line() -> None:
    """Name, thread, what the descriptor stands for, data with its escapes, result."""
    (call,) = parse(
        [r'12 1.5 pwrite64(9</s/a (deleted)>, "\0\17\1772\n\"\\x) = 7\303", 9, 4096) = 9']
    )
    assert (call.name, call.thread, call.target, call.result) == ("pwrite64", 12, "/s/a", 9)
    assert call.strings == (b'\0\x0f\x7f2\n"\\x) = 7\xc3',)
    assert call.last_number == 4096


def test_a_call_that_was_interrupted_lasts_from_its_first_line_to_its_last() -> None:
    """Both halves make one call; the calls come in the order in which they began."""
    first, second = parse(
        [
            "12 1.0 fsync(9</s/a> <unfinished ...>",
            '13 1.1 rename("/s/a", "/s/b") = 0',
            "12 1.2 <... fsync resumed>) = 0",
        ]
    )
    assert (first.name, first.begin, first.end, first.worked) == ("fsync", 1, 3, True)
    assert (second.begin, second.end, second.paths) == (2, 2, ("/s/a", "/s/b"))


def test_a_call_that_never_returned_is_never_over() -> None:
    """A thread killed inside a call leaves it unfinished: nothing may rely on it."""
    unfinished, answered = parse(
        ["12 1.0 fsync(9</s/a> <unfinished ...>", "13 1.1 fsync(8</s/b>) = ?"]
    )
    assert (unfinished.end, unfinished.worked) == (NEVER, False)
    assert (answered.end, answered.worked) == (NEVER, False)


def test_a_failed_call_did_not_work() -> None:
    """An error is no success, whatever stands behind its number."""
    (call,) = parse(['12 1.0 mkdir("/s", 0777) = -1 EEXIST (File exists)'])
    assert (call.result, call.worked) == (-1, False)


def test_connections_keep_both_their_ends() -> None:
    """The arrow inside does not end what the descriptor stands for."""
    (call,) = parse(['12 1.0 sendto(8<TCP:[127.0.0.1:22->127.0.0.1:9]>, "\\0"..., 9, 0) = 9'])
    assert call.target == "TCP:[127.0.0.1:22->127.0.0.1:9]"


def test_data_cut_short_is_never_taken_for_the_whole() -> None:
    """Whoever asks for everything that was written hears that it is not there."""
    (call,) = parse(['12 1.0 write(8</s/a>, "abc"..., 9) = 9'])
    assert call.start_of_data == b"abc"
    with pytest.raises(NotATrace, match="cut short"):
        assert call.strings


def test_signals_and_ends_of_threads_are_no_calls() -> None:
    """The tracer tells of both on lines of their own."""
    assert (
        parse(["12 1.0 --- SIGCHLD {si_signo=SIGCHLD} ---", "12 1.1 +++ exited with 0 +++"]) == []
    )


def test_what_is_not_a_trace_is_refused() -> None:
    """A line that was not understood could hide the call that mattered."""
    with pytest.raises(NotATrace, match="line 1"):
        parse(["strace: Process 12 attached"])


def test_the_journal_is_read_as_a_power_cut_would_leave_it(tmp_path: Path) -> None:
    """Facts appear with the fsync after the writes that hold them, not with the writes."""
    database = tmp_path / "journal.sqlite"
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("CREATE TABLE interchanges (id TEXT)")
    connection.execute("CREATE TABLE outbox (message_id TEXT, state TEXT)")
    connection.execute("INSERT INTO interchanges VALUES ('I1')")
    connection.execute("INSERT INTO outbox VALUES ('M1', 'pending'), ('M2', 'delivered')")
    connection.close()
    content = database.read_bytes()
    assert journal_image.facts_of({"journal.sqlite": content, "journal.sqlite-wal": b""}) == {
        journal_image.received("I1"),
        journal_image.written("M1"),
        journal_image.written("M2"),
        journal_image.delivered("M2"),
    }
    calls = parse(
        [
            '12 1.0 pwrite64(9</s/j-wal>, "ab", 2, 0) = 2',
            '12 1.1 pwrite64(9</s/j-wal>, "c", 1, 3) = 1',
            "12 1.2 fdatasync(9</s/j-wal>) = 0",
            "12 1.3 fdatasync(9</s/j-wal>) = 0",
            "12 1.4 ftruncate(9</s/j-wal>, 1) = 0",
            '12 1.5 pwrite64(9</s/j-wal>, "z", 1, 1) = 1',
            "12 1.6 fsync(9</s/j-wal>) = 0",
            '12 1.7 pwrite64(9</s/j-wal>, "never synced", 12, 2) = 12',
        ]
    )
    commits = journal_image.commits_of(calls, "/s/j", lambda image: {image["j-wal"].decode()})
    assert [(c.first_write.begin, c.last_write.begin, c.sync.begin) for c in commits] == [
        (1, 2, 3),
        (6, 6, 7),
    ]
    assert [set(commit.news) for commit in commits] == [{"ab\0c"}, {"az"}]
