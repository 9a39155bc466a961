"""Which files of a watched folder are complete: events and looks in a row, no clock, no disk."""

from __future__ import annotations

import math

import pytest

from gateway.service.folder_entries import Identity
from gateway.service.folder_quiet import Candidates

QUIET = 5.0


def at(size: int, mtime: int = 1, inode: int = 7) -> Identity:
    """What a file looks like."""
    return Identity(inode, size, mtime)


class Watched:
    """Candidates, and what the folder holds."""

    def __init__(self, quiet: float = QUIET) -> None:
        self.candidates = Candidates(quiet)
        self.files: dict[str, Identity] = {}

    def look(self, now: float) -> dict[str, bool]:
        """Look at what is due."""
        due = self.candidates.due(now)
        found = {place: self.files[place] for place in due if place in self.files}
        return self.candidates.seen(found, due, now)

    def look_around(self, now: float) -> dict[str, bool]:
        """Look at everything."""
        return self.candidates.seen(self.files, self.candidates.all(), now)


def test_a_renamed_file_is_ready_at_once() -> None:
    """A rename is the sign of a program that knows how to do it."""
    watched = Watched()
    watched.files["a"] = at(10)
    watched.candidates.renamed("a")
    assert watched.look(0) == {"a": False}
    assert watched.look(1) == {}


def test_a_closed_file_is_ready_after_the_quiet_time() -> None:
    """Not before, and counted from the close."""
    watched = Watched()
    watched.candidates.created("a")
    watched.files["a"] = at(0)
    assert watched.look(0) == {}
    watched.candidates.written("a")
    watched.files["a"] = at(10)
    assert watched.candidates.next_due() == math.inf
    watched.candidates.closed("a")
    assert watched.look(10) == {}
    assert watched.candidates.next_due() == 15
    assert watched.look(14.9) == {}
    assert watched.look(15) == {"a": False}


def test_writing_again_starts_again() -> None:
    """A program that closes and appends is waited for."""
    watched = Watched()
    watched.files["a"] = at(10)
    watched.candidates.closed("a")
    watched.look(0)
    watched.candidates.written("a")
    assert watched.look_around(100) == {}
    watched.files["a"] = at(20)
    watched.candidates.closed("a")
    assert watched.look(101) == {}
    assert watched.look(106) == {"a": False}


def test_a_change_nobody_reported_starts_again() -> None:
    """Size and time count, whatever the events say."""
    watched = Watched()
    watched.files["a"] = at(10)
    watched.candidates.closed("a")
    watched.look(0)
    watched.files["a"] = at(10, mtime=2)
    assert watched.look(5) == {}
    assert watched.look(10) == {"a": False}


def test_what_a_look_around_finds_must_keep_quiet_too() -> None:
    """It may be half written: nobody saw it come."""
    watched = Watched()
    watched.files["a"] = at(10)
    assert watched.look_around(100) == {}
    assert watched.look(104) == {}
    assert watched.look(105) == {"a": False}


def test_a_hard_link_is_ready_after_the_quiet_time() -> None:
    """OpenSSH's plain rename makes one: there is no close."""
    watched = Watched()
    watched.files["a"] = at(10)
    watched.candidates.created("a")
    assert watched.look(0) == {}
    assert watched.look(5) == {"a": False}


def test_a_file_just_created_and_still_empty_is_waited_for() -> None:
    """Its writer may be slow to begin; an empty file that is closed is taken."""
    watched = Watched()
    watched.files["a"] = at(0)
    watched.candidates.created("a")
    assert watched.look(0) == {}
    assert watched.look_around(1000) == {}
    watched.candidates.closed("a")
    watched.look(1001)
    assert watched.look(1006) == {"a": False}


@pytest.mark.parametrize("lost", [False, True])
def test_after_events_were_lost_only_the_looks_count(lost: bool) -> None:
    """The close may be among them: the file would wait for ever."""
    watched = Watched()
    watched.files["a"] = at(10)
    watched.candidates.written("a")
    watched.look_around(0)
    if lost:
        watched.candidates.events_lost()
    watched.look_around(10)
    assert watched.look_around(15) == ({"a": False} if lost else {})


def test_what_is_gone_is_forgotten() -> None:
    """Its owner took it back."""
    watched = Watched()
    watched.files["a"] = at(10)
    watched.candidates.closed("a")
    watched.look(0)
    del watched.files["a"]
    assert watched.look(5) == {}
    assert watched.candidates.all() == []


@pytest.mark.parametrize("came", ["created", "renamed", "closed"])
def test_what_comes_while_a_look_is_under_way_is_not_taken_for_gone(came: str) -> None:
    """The look began before it, and did not see it."""
    watched = Watched()
    watched.files["a"] = at(10)
    watched.candidates.closed("a")
    looked_at = watched.candidates.all()
    getattr(watched.candidates, came)("a")
    assert watched.candidates.seen({}, looked_at, 0) == {}
    assert watched.candidates.due(0) == ["a"]


def test_another_file_under_the_name_of_one_being_taken_is_not_missed() -> None:
    """It came while we were busy with the first."""
    watched = Watched()
    watched.files["a"] = at(10)
    watched.candidates.renamed("a")
    assert watched.look(0) == {"a": False}
    watched.candidates.renamed("a")
    watched.files["a"] = at(20, inode=8)
    assert watched.look_around(1) == {}
    watched.candidates.done("a")
    assert watched.look(1) == {"a": False}


def test_what_is_ours_and_could_not_be_removed_is_not_taken_again() -> None:
    """Removing is tried again; another file under that name is another file."""
    watched = Watched()
    watched.files["a"] = at(10)
    watched.candidates.renamed("a")
    watched.look(0)
    watched.candidates.kept("a", at(10), 60)
    assert watched.look_around(30) == {}
    assert watched.look(60) == {"a": True}
    watched.candidates.kept("a", at(10), 120)
    watched.files["a"] = at(20, mtime=2)
    assert watched.look_around(120) == {}
    assert watched.look(125) == {"a": False}


def test_what_cannot_be_taken_now_is_tried_at_the_time_said() -> None:
    """Not by any look around before."""
    watched = Watched()
    watched.files["a"] = at(10)
    watched.candidates.renamed("a")
    watched.look(0)
    watched.candidates.later("a", 60)
    assert watched.look_around(59) == {}
    assert watched.look(60) == {"a": False}


def test_what_changed_while_it_was_copied_starts_again() -> None:
    """Even one that was renamed into the folder."""
    watched = Watched()
    watched.files["a"] = at(10)
    watched.candidates.renamed("a")
    watched.look(0)
    watched.candidates.changed("a")
    assert watched.look(1) == {}
    assert watched.look(6) == {"a": False}
