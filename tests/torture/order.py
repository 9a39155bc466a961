"""What must come before what on the way to a disk, checked on a trace of system calls.

    receipt   last byte → fsync file → rename → fsync folder → journal written → journal fsynced
              → the daemon's answer → the packet that tells the client
    delivery  journal fsynced (message written) → file written → fsync → rename → fsync folder
              → journal written (message delivered)
    attached  last byte → fsync file → rename → fsync folder → journal written (result naming it)

and every folder made on the way is fsynced in its parent before the journal relies on it. "Before"
is strict: the one call was over when the other began. A journal that *relies* on a file must not
even begin to be written earlier, because the kernel may write it back at any moment; a promise
that relies on the journal must wait for its fsync.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence

import msgspec

from tests.torture import journal_image
from tests.torture.journal_image import Commit
from tests.torture.trace import Call

_WRITES = frozenset({"write", "pwrite64", "writev", "pwritev", "pwritev2"})
_SYNCS = frozenset({"fsync", "fdatasync"})
_RENAMES = frozenset({"rename", "renameat", "renameat2"})
_FOLDERS = frozenset({"mkdir", "mkdirat"})
_SENDS = frozenset({"sendto", "sendmsg", "write", "writev"})

REPLIES_TO_PUT = 1
"""Packets to the client after the last byte of a `put`, before the one that answers the close:
the answer to the last write. Anything more on the wire makes the check stricter, never weaker:
the packet it then takes for the answer is an earlier one."""
REPLIES_TO_PUT_AND_RENAME = 2
"""The same for the answer to a rename: the last write and the close come before."""


class OutOfOrder(AssertionError):
    """Two operations in the wrong order, or one that is missing."""


class Step(msgspec.Struct, frozen=True):
    """One operation of a promise; any of `calls` will do."""

    what: str
    calls: tuple[Call, ...]


def must_be_in_order(promise: str, steps: Iterable[Step]) -> list[Call]:
    """For each step the first call that begins after the previous step was over.

    Raises `OutOfOrder`, which names the two steps, when there is none.
    """
    chosen: list[Call] = []
    before: Step | None = None
    for step in steps:
        if not step.calls:
            raise OutOfOrder(f"{promise}: {step.what} is missing from the trace.")
        fitting = [call for call in step.calls if not chosen or call.begin > chosen[-1].end]
        if not fitting:
            assert before is not None
            raise OutOfOrder(
                f"{promise}: {step.what} (line {step.calls[-1].begin}) must begin after"
                f" {before.what} is over (line {chosen[-1].end})."
            )
        chosen.append(min(fitting, key=lambda call: call.end))
        before = step
    return chosen


def check_receipt(
    calls: Sequence[Call],
    commits: Sequence[Commit],
    *,
    state: str,
    payload: str,
    interchange_id: str,
    replies_before: int = REPLIES_TO_PUT,
) -> None:
    """That the client of the upload in `payload` was told "received" when it could not be lost.

    Raises `OutOfOrder`. The packet that tells the client is found by counting what went out on
    the connection of the thread that wrote the upload's last byte; that it is also the first one
    after the daemon's answer shows that the counting was right.
    """
    promise = f"receipt of {posixpath.basename(payload)[:12]}"
    commit = commit_of(commits, journal_image.received(interchange_id))
    written = _writes(calls, payload)
    must_be_in_order(
        promise,
        [
            *_file_steps("the upload", calls, payload, written),
            Step("the journal's first write about it", (commit.first_write,)),
        ],
    )
    _check_folders(promise, calls, state, payload, commit)
    _check_journal_name(promise, calls, commit)
    answers = tuple(
        call
        for call in calls
        if call.name in _WRITES
        and call.target.startswith("pipe:")
        and b"answer" in call.start_of_data
        and interchange_id.encode() in call.start_of_data
    )[:1]
    sends = _sends_after(calls, written[-1])
    reply = sends[replies_before : replies_before + 1]
    *_, answer, told = must_be_in_order(
        promise,
        [
            Step("the journal's last write of that commit", (commit.last_write,)),
            Step("the fsync of the journal", (commit.sync,)),
            Step("the daemon's answer to the SFTP process", answers),
            Step("the packet that tells the client", tuple(reply)),
        ],
    )
    first_after = next(call for call in sends if call.begin > answer.end)
    if first_after != told:
        raise OutOfOrder(
            f"{promise}: by counting, line {told.begin} tells the client, but line"
            f" {first_after.begin} is the first packet after the daemon's answer."
        )


def check_delivery(
    calls: Sequence[Call], commits: Sequence[Commit], *, state: str, file: str, message_id: str
) -> None:
    """That `file` left after its message was durable, and was durable before the row said so.

    Raises `OutOfOrder`.
    """
    promise = f"delivery of {posixpath.basename(file)}"
    row = commit_of(commits, journal_image.written(message_id))
    mark = commit_of(commits, journal_image.delivered(message_id))
    written = _writes(calls, file)
    must_be_in_order(
        promise,
        [
            Step("the fsync of the journal that holds the message", (row.sync,)),
            Step("the file's first byte", tuple(written[:1])),
        ],
    )
    must_be_in_order(
        promise,
        [
            *_file_steps("the file", calls, file, written),
            Step("the journal's first write that marks it delivered", (mark.first_write,)),
        ],
    )
    _check_folders(promise, calls, state, file, mark)


def check_attached(
    calls: Sequence[Call], commits: Sequence[Commit], *, state: str, payload: str, message_id: str
) -> None:
    """That the file in `payload` was durable before the journal held the result that names it.

    Raises `OutOfOrder`.
    """
    promise = f"attached file {posixpath.basename(payload)[:12]}"
    commit = commit_of(commits, journal_image.written(message_id))
    must_be_in_order(
        promise,
        [
            *_file_steps("the file", calls, payload, _writes(calls, payload)),
            Step("the journal's first write of the result", (commit.first_write,)),
        ],
    )
    _check_folders(promise, calls, state, payload, commit)


def commit_of(commits: Sequence[Commit], fact: str) -> Commit:
    """The commit that first held the fact. Raises `OutOfOrder` when none ever did."""
    for commit in commits:
        if fact in commit.news:
            return commit
    raise OutOfOrder(f"No fsync of the journal ever made this last: {fact}.")


def _file_steps(
    what: str, calls: Sequence[Call], path: str, written: Sequence[Call]
) -> Iterable[Step]:
    names = _names(calls, path)
    yield Step(f"the last byte of {what}", tuple(written[-1:]))
    yield Step(f"an fsync of {what}", _syncs(calls, names))
    yield Step(f"the rename of {what} to its final name", tuple(_renames_to(calls, path)[-1:]))
    yield Step(f"an fsync of the folder of {what}", _syncs(calls, {posixpath.dirname(path)}))


def _check_folders(
    promise: str, calls: Sequence[Call], state: str, path: str, commit: Commit
) -> None:
    """Every folder on the way to `path` that was made, from the state directory on down."""
    for call in calls:
        if call.name not in _FOLDERS or not call.worked:
            continue
        folder = call.paths[0]
        if not path.startswith(f"{folder}/") or not f"{folder}/".startswith(f"{state}/"):
            continue
        must_be_in_order(
            promise,
            [
                Step(f"the making of {folder}", (call,)),
                Step(f"an fsync of {folder}'s parent", _syncs(calls, {posixpath.dirname(folder)})),
                Step("the journal's first write that relies on it", (commit.first_write,)),
            ],
        )


def _check_journal_name(promise: str, calls: Sequence[Call], commit: Commit) -> None:
    """A journal whose log has no durable name holds nothing."""
    wal = commit.sync.target
    created = next(call for call in calls if call.name in _WRITES and call.target == wal)
    must_be_in_order(
        promise,
        [
            Step("the making of the journal's log", (created,)),
            Step("an fsync of the journal's folder", _syncs(calls, {posixpath.dirname(wal)})),
            Step("the journal's first write about it", (commit.first_write,)),
        ],
    )


def _names(calls: Sequence[Call], path: str) -> set[str]:
    """Every name the file had before the one it ended with."""
    names = {path}
    current = path
    while renames := _renames_to(calls, current):
        current = renames[-1].paths[0]
        if current in names:
            break
        names.add(current)
    return names


def _renames_to(calls: Sequence[Call], path: str) -> list[Call]:
    return [c for c in calls if c.name in _RENAMES and c.worked and c.paths[1] == path]


def _writes(calls: Sequence[Call], path: str) -> list[Call]:
    names = _names(calls, path)
    found = [c for c in calls if c.name in _WRITES and c.worked and c.target in names]
    if not found:
        raise OutOfOrder(f"Nothing was ever written to {path}.")
    return found


def _syncs(calls: Sequence[Call], names: set[str]) -> tuple[Call, ...]:
    return tuple(c for c in calls if c.name in _SYNCS and c.worked and c.target in names)


def _sends_after(calls: Sequence[Call], write: Call) -> list[Call]:
    """What went to a client over the connection that `write`'s thread served."""
    sends = [
        c for c in calls if c.name in _SENDS and c.target.startswith("TCP") and c.begin > write.end
    ]
    own = next((c.target for c in sends if c.thread == write.thread), None)
    return [c for c in sends if c.target == own]
