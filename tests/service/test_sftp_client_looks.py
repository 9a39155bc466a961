"""Which files of a listing are ready; when to try again. Values in, values out."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from gateway.service.sftp_client import looks as looks_module
from gateway.service.sftp_client.clearing import _another, inside
from gateway.service.sftp_client.errors import HostKeyRefused, LoginRefused, RemoteAway
from gateway.service.sftp_client.health import LAST_PAUSE_SECONDS, Health
from gateway.service.sftp_client.looks import Looks
from gateway.service.sftp_client.words import Entry
from gateway.service.sftp_server.protocol import Attributes

REGULAR, FOLDER, LINK = 0o100644, 0o040755, 0o120777


def file(name: str | bytes, size: int = 1, mtime: int = 1, mode: int | None = REGULAR) -> Entry:
    """One line of a listing."""
    raw = name.encode() if isinstance(name, str) else name
    return Entry(raw, Attributes(size, permissions=mode, mtime=mtime))


def looking(stable: float = 10.0, marker: str = "", most: int = 1000) -> Looks:
    """Looks at a folder nobody has seen before."""
    return Looks(stable_seconds=stable, marker_suffix=marker, max_bytes=most)


def ready(looks: Looks, now: float, *listing: Entry) -> list[str]:
    """The names that are ready."""
    return [each.text for each in looks.look(listing, now).ready]


def test_two_looks_far_enough_apart_make_a_file_ready() -> None:
    """Not one look, not two that follow too closely; it stays ready until it is gone."""
    looks = looking()
    assert ready(looks, 0, file("a")) == []
    assert ready(looks, 9, file("a")) == []
    assert ready(looks, 10, file("a")) == ["a"]
    assert ready(looks, 11, file("a")) == ["a"]
    assert ready(looks, 12) == []
    assert ready(looks, 30, file("a")) == []


@pytest.mark.parametrize("changed", [file("a", size=2), file("a", mtime=2)])
def test_a_change_starts_the_wait_anew(changed: Entry) -> None:
    """Of the size, or of the time alone."""
    looks = looking()
    assert ready(looks, 0, file("a")) == []
    assert ready(looks, 10, changed) == []
    assert ready(looks, 19, changed) == []
    assert ready(looks, 20, changed) == ["a"]


def test_with_nothing_to_wait_for_one_look_is_enough() -> None:
    """`stable_seconds = 0`: the partner renames into the folder."""
    assert ready(looking(stable=0.0), 0, file("a")) == ["a"]


def test_the_oldest_come_first() -> None:
    """By their time there, then by name."""
    listing = (file("c", mtime=5), file("b", mtime=1), file("a", mtime=5))
    assert ready(looking(stable=0.0), 0, *listing) == ["b", "a", "c"]


def test_what_is_no_file_or_no_final_name_is_no_news() -> None:
    """Folders, links and temporary names are what one expects to find."""
    listing = [
        file("folder", mode=FOLDER),
        file("link", mode=LINK),
        file(".", mode=None),
        file("..", mode=None),
        *map(file, (".hidden", "a.part", "a.FILEPART", "a.tmp")),
    ]
    found = looking(stable=0.0).look(listing, 0)
    assert (found.ready, found.passed_over, found.waiting) == ([], [], 0)


@pytest.mark.parametrize("name", [b"../a", b"/etc/passwd", b"a\0b", b"a\nb", b"\xff", b"x" * 256])
def test_a_name_that_is_none_is_told_once(name: bytes) -> None:
    """A server may say anything: what holds a slash would be another folder's file."""
    looks = looking(stable=0.0)
    first = looks.look([file(name)], 0)
    assert first.ready == []
    assert len(first.passed_over) == 1
    assert looks.look([file(name)], 1).passed_over == []


def test_a_large_file_is_told_again_when_it_changes() -> None:
    """Perhaps the partner has sent a smaller one meanwhile, which is still too large."""
    looks = looking()
    assert len(looks.look([file("a", size=5000)], 0).passed_over) == 1
    assert len(looks.look([file("a", size=5000)], 1).passed_over) == 0
    assert len(looks.look([file("a", size=4000)], 2).passed_over) == 1


def test_markers_are_what_counts_where_there_are_any() -> None:
    """Whatever its place in the listing; whether its file is there shows later."""
    found = looking(marker=".ok").look(map(file, ("b.ok", "a", ".ok", "c", "a.ok")), 0)
    assert found.marked == [b"b", b"a"]
    assert found.ready == []


def test_a_hundred_thousand_files_do_not_have_to_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many are watched; as they go, others take their place, until all have come."""
    monkeypatch.setattr(looks_module, "MAX_WATCHED", 100)
    there = {b"%05d" % number for number in range(1000)}
    looks = looking(stable=1.0)
    now, read = 0.0, 0

    def lines() -> Iterator[Entry]:
        nonlocal read
        for name in sorted(there):
            read += 1
            yield file(name)

    while there:
        now += 1.0
        assert now < 100
        found = looks.look(lines(), now)
        assert len(found.ready) <= 100
        assert found.more == (len(there) > 100)
        for each in found.ready:
            there.remove(each.name)
            looks.forget(each.name)
    assert now == 20.0
    assert read < 20 * 150  # a listing is left as soon as it can say nothing new


def test_a_folder_is_joined_to_a_name_once() -> None:
    """With or without a slash at its end."""
    assert inside("out", b"a") == inside("out/", b"a") == b"out/a"
    assert inside("/", b"a") == b"/a"


@pytest.mark.parametrize("name", [b"a.xml", b"a", b"a.b.c", b"x" * 251 + b".xml"])
def test_another_name_ends_as_the_old_one(name: bytes) -> None:
    """And is not longer than names may be."""
    other = _another(name)
    assert other != name
    assert len(other) <= 255
    assert other.rpartition(b".")[2] == name.rpartition(b".")[2] or b"." not in name


def health() -> Health:
    """Of a server nobody has met."""
    return Health(random.Random(1))


def test_pauses_double_up_to_a_quarter_of_an_hour() -> None:
    """Five seconds at first; a little less each time, so that not all come at once."""
    each = health()
    pauses = []
    for _ in range(12):
        each.failed(RemoteAway("x"))
        pauses.append(each.pause())
    wanted = [min(5.0 * 2**n, LAST_PAUSE_SECONDS) for n in range(12)]
    assert all(w * 0.8 <= p <= w for p, w in zip(pauses, wanted, strict=True))
    assert wanted[-1] == 900.0


def test_trouble_is_news_at_its_beginning_its_change_and_its_end() -> None:
    """And at no other time."""
    each = health()
    assert not each.well()
    assert each.failed(RemoteAway("x"))
    assert not each.failed(RemoteAway("y"))
    assert each.failed(HostKeyRefused("z"))
    assert each.well()
    assert not each.well()
    assert each.failed(LoginRefused("x"))
    assert each.pause() >= 48.0
