"""The check of the order of durable operations notices each pair in the wrong order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

import pytest

from tests.torture.journal_image import Image, commits_of
from tests.torture.order import (
    REPLIES_TO_PUT,
    REPLIES_TO_PUT_AND_RENAME,
    OutOfOrder,
    check_attached,
    check_delivery,
    check_receipt,
)
from tests.torture.trace import parse

Trace = dict[str, str]
"""What a line stands for → the line without its number."""

CLIENT = "8<TCP:[127.0.0.1:22->127.0.0.1:9]>"

PREPARED: Trace = {
    "make state": 'mkdir("/s", 0700) = 0',
    "sync parent of state": "fsync(3</>) = 0",
    "make log": 'pwrite64(5</s/j-wal>, "made\\n", 5, 0) = 5',
    "sync log": "fdatasync(5</s/j-wal>) = 0",
    "sync name of log": "fsync(3</s>) = 0",
}

PUT: Trace = {
    **PREPARED,
    "write": 'pwrite64(9</s/in/k.part>, "<Invoice/>", 10, 0) = 10',
    "answer to write": f'sendto({CLIENT}, "a"..., 52, 0, NULL, 0) = 52',
    "sync file": "fsync(9</s/in/k.part>) = 0",
    "set aside": 'rename("/s/in/k.part", "/s/in/k.sent") = 0',
    "make folder": 'mkdir("/s/payloads/ab", 0750) = 0',
    "sync parent": "fsync(7</s/payloads>) = 0",
    "rename": 'rename("/s/in/k.sent", "/s/payloads/ab/abcd") = 0',
    "sync folder": "fsync(7</s/payloads/ab>) = 0",
    "write journal": 'pwrite64(5</s/j-wal>, "received I1\\n", 12, 5) = 12',
    "sync journal": "fdatasync(5</s/j-wal>) = 0",
    "answer": 'write(6<pipe:[77]>, "\\204answer granted I1", 18) = 18',
    "tell client": f'sendto({CLIENT}, "b"..., 68, 0, NULL, 0) = 68',
    "goodbye": f'sendto({CLIENT}, "c"..., 52, 0, NULL, 0) = 52',
}

PUT_AND_RENAME: Trace = {
    **{name: PUT[name] for name in (*PREPARED, "write", "answer to write")},
    "answer to close": f'sendto({CLIENT}, "d"..., 52, 0, NULL, 0) = 52',
    **{name: PUT[name] for name in list(PUT)[list(PUT).index("sync file") :]},
}

SENT: Trace = {
    **PREPARED,
    "write journal": 'pwrite64(5</s/j-wal>, "written M1\\n", 11, 5) = 11',
    "sync journal": "fdatasync(5</s/j-wal>) = 0",
    "make folder": 'mkdir("/s/out", 0750) = 0',
    "sync parent": "fsync(7</s>) = 0",
    "write": 'write(9</s/out/.tmp>, "<Report/>", 9) = 9',
    "sync file": "fsync(9</s/out/.tmp>) = 0",
    "rename": 'rename("/s/out/.tmp", "/s/out/r.xml") = 0',
    "sync folder": "fsync(7</s/out>) = 0",
    "write mark": 'pwrite64(5</s/j-wal>, "delivered M1\\n", 13, 16) = 13',
    "sync mark": "fdatasync(5</s/j-wal>) = 0",
}

ATTACHED: Trace = {
    **PREPARED,
    "write": 'write(9</s/scratch/i/unfinished>, "%PDF", 4) = 4',
    "name by sum": 'rename("/s/scratch/i/unfinished", "/s/scratch/i/abcd") = 0',
    "sync file": "fsync(9</s/scratch/i/abcd>) = 0",
    "make folder": 'mkdir("/s/payloads/ab", 0750) = 0',
    "sync parent": "fsync(7</s/payloads>) = 0",
    "rename": 'rename("/s/scratch/i/abcd", "/s/payloads/ab/abcd") = 0',
    "sync folder": "fsync(7</s/payloads/ab>) = 0",
    "write journal": 'pwrite64(5</s/j-wal>, "written M1\\n", 11, 5) = 11',
    "sync journal": "fdatasync(5</s/j-wal>) = 0",
}


def lines_of(trace: Trace) -> list[str]:
    """As strace writes them; one thread does everything, which is the strictest order."""
    return [f"20 1.{number:06d} {line}" for number, line in enumerate(trace.values())]


def swapped(trace: Trace, one: str, other: str) -> Trace:
    """The same with two of its operations in each other's place."""
    places = {one: other, other: one}
    return {places.get(name, name): trace[places.get(name, name)] for name in trace}


def facts(image: Image) -> set[str]:
    """The toy journal holds one fact per line."""
    return {line.strip("\0") for line in image["j-wal"].decode().splitlines()}


def receipt(trace: Trace, replies_before: int = REPLIES_TO_PUT) -> None:
    """Check the receipt this trace is about."""
    calls = parse(lines_of(trace))
    check_receipt(
        calls,
        commits_of(calls, "/s/j", facts),
        state="/s",
        payload="/s/payloads/ab/abcd",
        interchange_id="I1",
        replies_before=replies_before,
    )


def delivery(trace: Trace) -> None:
    """Check the delivery this trace is about."""
    calls = parse(lines_of(trace))
    check_delivery(
        calls, commits_of(calls, "/s/j", facts), state="/s", file="/s/out/r.xml", message_id="M1"
    )


def attached(trace: Trace) -> None:
    """Check the attached file this trace is about."""
    calls = parse(lines_of(trace))
    check_attached(
        calls,
        commits_of(calls, "/s/j", facts),
        state="/s",
        payload="/s/payloads/ab/abcd",
        message_id="M1",
    )


def pairs(*chains: Sequence[str]) -> Iterable[tuple[str, str]]:
    """Every two operations whose order matters."""
    return sorted({pair for chain in chains for pair in combinations(chain, 2)})


RECEIPT_PAIRS = pairs(
    ("write", "sync file", "rename", "sync folder", "write journal", "sync journal", "answer"),
    ("write journal", "sync journal", "answer", "tell client"),
    ("sync file", "tell client"),
    ("rename", "tell client"),
    ("sync folder", "tell client"),
    ("make folder", "sync parent", "write journal"),
    ("make state", "sync parent of state", "write journal"),
    ("make log", "sync name of log", "write journal"),
)
DELIVERY_PAIRS = pairs(
    ("write journal", "sync journal", "write"),
    ("write", "sync file", "rename", "sync folder", "write mark", "sync mark"),
    ("make folder", "sync parent", "write mark"),
)
ATTACHED_PAIRS = pairs(
    ("write", "sync file", "rename", "sync folder", "write journal"),
    ("make folder", "sync parent", "write journal"),
)


def test_the_right_order_passes() -> None:
    """A put, a put with a rename, a delivery and an attached file as they should be."""
    attached(ATTACHED)
    receipt(PUT)
    receipt(PUT_AND_RENAME, REPLIES_TO_PUT_AND_RENAME)
    delivery(SENT)


@pytest.mark.parametrize(("one", "other"), RECEIPT_PAIRS)
def test_a_receipt_in_the_wrong_order_is_noticed(one: str, other: str) -> None:
    """Whichever two operations of a receipt change places."""
    with pytest.raises(OutOfOrder):
        receipt(swapped(PUT, one, other))


@pytest.mark.parametrize(("one", "other"), DELIVERY_PAIRS)
def test_a_delivery_in_the_wrong_order_is_noticed(one: str, other: str) -> None:
    """Whichever two operations of a delivery change places."""
    with pytest.raises(OutOfOrder):
        delivery(swapped(SENT, one, other))


@pytest.mark.parametrize(("one", "other"), ATTACHED_PAIRS)
def test_an_attached_file_in_the_wrong_order_is_noticed(one: str, other: str) -> None:
    """Whichever two operations on it change places."""
    with pytest.raises(OutOfOrder):
        attached(swapped(ATTACHED, one, other))


@pytest.mark.parametrize("missing", ["sync file", "sync folder", "sync parent"])
def test_a_missing_fsync_of_an_attached_file_is_noticed(missing: str) -> None:
    """A result must not name what a power cut can take away."""
    with pytest.raises(OutOfOrder):
        attached({name: line for name, line in ATTACHED.items() if name != missing})


@pytest.mark.parametrize("missing", ["sync file", "sync folder", "sync parent", "sync journal"])
def test_a_missing_fsync_of_a_receipt_is_noticed(missing: str) -> None:
    """A name without its fsync, at each place."""
    with pytest.raises(OutOfOrder):
        receipt({name: line for name, line in PUT.items() if name != missing})


@pytest.mark.parametrize("missing", ["sync file", "sync folder", "sync parent", "sync journal"])
def test_a_missing_fsync_of_a_delivery_is_noticed(missing: str) -> None:
    """The same for what leaves."""
    with pytest.raises(OutOfOrder):
        delivery({name: line for name, line in SENT.items() if name != missing})


def test_a_rename_answered_too_early_is_noticed() -> None:
    """The third packet after the last byte answers the rename, not the close."""
    with pytest.raises(OutOfOrder, match="the packet that tells the client"):
        receipt(swapped(PUT_AND_RENAME, "tell client", "answer"), REPLIES_TO_PUT_AND_RENAME)


def test_the_message_names_both_operations_and_their_lines() -> None:
    """Whoever reads it knows where to look in the trace."""
    with pytest.raises(OutOfOrder) as raised:
        receipt(swapped(PUT, "sync file", "rename"))
    assert str(raised.value) == (
        "receipt of abcd: the rename of the upload to its final name (line 8) must begin after"
        " an fsync of the upload is over (line 12)."
    )


def test_an_fsync_still_under_way_is_not_enough() -> None:
    """What begins while another thread's fsync lasts did not wait for it."""
    lines = lines_of(PUT)
    at = list(PUT).index("sync file")
    aside, final = (lines[list(PUT).index(name)] for name in ("set aside", "rename"))
    lines[at : at + 2] = [
        "20 1.5 fsync(9</s/in/k.part> <unfinished ...>",
        aside.replace("20", "21", 1),
        final.replace("20", "21", 1),
        "20 1.6 <... fsync resumed>) = 0",
    ]
    lines.remove(final)
    calls = parse(lines)
    with pytest.raises(OutOfOrder, match="the rename of the upload to its final name"):
        check_receipt(
            calls,
            commits_of(calls, "/s/j", facts),
            state="/s",
            payload="/s/payloads/ab/abcd",
            interchange_id="I1",
        )


def test_a_failed_fsync_is_none() -> None:
    """An fsync that reports an error has made nothing last."""
    broken = {**PUT, "sync folder": "fsync(7</s/payloads/ab>) = -1 EIO (Input/output error)"}
    with pytest.raises(OutOfOrder, match="an fsync of the folder of the upload is missing"):
        receipt(broken)
