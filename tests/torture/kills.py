"""What goes wrong, in what order, and how those who are killed are found."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, get_args

import msgspec
import psutil

from gateway.faults import When

FIND_SECONDS = 30.0


class Kill(StrEnum):
    """What `kill -9` hits."""

    GATEWAY = "gateway"
    """The daemon and all its processes at once."""
    JUDGE = "judge"
    SFTP = "sftp"
    POINT = "at a fault point"
    """Whichever process comes by one first ends itself there."""
    ERROR = "disk error"
    """Whichever process comes by a fault point first is told that its disk failed."""
    FULL = "full disk"
    """For some seconds nothing can be written, by anybody."""
    STOPPED = "broker stopped"
    """In good order, for some seconds; so with what follows: the gateway is left alone."""
    KILLED = "broker killed"
    CUT = "connection cut"
    """To the broker, in the middle of a message."""
    UNCONFIRMED = "confirms lost"
    """The broker has the messages; the connection ends before the gateway hears of it."""
    HELD = "connection held"
    """Nothing reaches the broker for some seconds; then all of it does."""
    MEMORY = "memory alarm"
    """The broker takes nothing any more: it blocks the connection."""
    DELETED = "queue deleted"
    """Under the gateway, whose next message for it is returned."""


BROKER: Final = (
    *(Kill.STOPPED, Kill.KILLED, Kill.CUT, Kill.UNCONFIRMED, Kill.HELD, Kill.MEMORY, Kill.DELETED),
)
"""Whatever goes wrong between the gateway and RabbitMQ, or with RabbitMQ."""

_MODULE = {Kill.JUDGE: "gateway.worker", Kill.SFTP: "gateway.service.sftp_server"}


class Place(msgspec.Struct, frozen=True):
    """Before or after what is done at a fault point, and what happens to whoever comes by."""

    point: str
    when: When
    action: str = "kill"

    def __str__(self) -> str:
        return f"{self.action} {self.when} {self.point}"


class Torture(msgspec.Struct, frozen=True, kw_only=True):
    """How to torture."""

    kills: int
    """At random moments."""
    seed: int
    senders: int = 4
    judges: int = 2
    archives: bool = True
    places: tuple[Place, ...] = ()
    """And one where each of these is passed."""
    others: tuple[Kill, ...] = ()
    """And each of these: a full disk, and what goes wrong with the broker (`kills.BROKER`)."""
    hangups: float = 0.0
    """The share of deliveries whose sender vanishes in the middle, or before the answer."""
    routes: bool = False
    """Partners come by HTTP, AS2, a folder and a server of theirs too, one sender each."""


def errors(*points: str) -> tuple[Place, ...]:
    """Instead of each of these, an error: the disk is full, or broken."""
    return tuple(Place(point, "before", error) for point in points for error in ("enospc", "eio"))


def around(*points: str) -> tuple[Place, ...]:
    """Before and after each of these."""
    return tuple(Place(point, when) for point in points for when in get_args(When))


SFTP_PLACES: Final = around(
    *("sftp.upload", "sftp.note", "sftp.answer", "sftp.reply"),
    *("spool.name", "spool.folder", "spool.again", "journal.commit"),
    *("out.write", "out.name", "out.folder", "amqp.publish", "amqp.confirm"),
)
"""All that a file passes which comes by SFTP, is judged, published, and answered in `out/`."""
OTHER_PLACES: Final = around(
    *("http.body", "http.reply"),
    *("as2.body", "as2.payload", "as2.post", "as2.posted"),
    *("folder.copy", "folder.take", "folder.remove"),
    *("folder.write", "folder.name", "folder.folder"),
    *("remote.download", "remote.remove", "remote.name"),
)
"""What more there is on the other routes."""


DISK: Final = (
    *("sftp.upload", "sftp.note"),
    *("spool.name", "spool.folder", "spool.again", "journal.commit"),
    *("out.write", "out.name", "out.folder"),
)
"""What fails when the disk does, of all that a file passes which comes by SFTP."""
DISK_ERRORS: Final = errors(*DISK)


def plan(
    kills: int, places: Sequence[Place], others: Sequence[Kill], dice: random.Random
) -> list[Kill | Place]:
    """What to do, in a random order.

    So many kills at random moments, each kind about as often; one visit to each of the places; and
    each of the others.
    """
    kinds: list[Kill | Place] = [
        (Kill.JUDGE, Kill.GATEWAY, Kill.SFTP)[number % 3] for number in range(kills)
    ]
    targets = [*kinds, *places, *others]
    dice.shuffle(targets)
    return targets


def kill_one(kind: Kill, daemon: int, dice: random.Random) -> int:
    """Kill one of the daemon's processes of this kind: its id.

    Waits for one when all of them are being started again just now. Raises `AssertionError`.
    """
    deadline = time.monotonic() + FIND_SECONDS
    while time.monotonic() < deadline:
        victims = children(daemon, kind)
        if victims:
            victim = dice.choice(victims)
            os.kill(victim, signal.SIGKILL)
            return victim
        time.sleep(0.05)
    raise AssertionError(f"the gateway has no {kind} process any more")


def children(daemon: int, kind: Kill) -> list[int]:
    """The daemon's processes of this kind, in a fixed order."""
    found = []
    try:
        for child in psutil.Process(daemon).children():
            try:
                words = child.cmdline()
            except psutil.Error:
                continue
            if words[1:3] == ["-m", _MODULE[kind]] and child.status() != psutil.STATUS_ZOMBIE:
                found.append(child.pid)
    except psutil.NoSuchProcess:
        return []
    return sorted(found)


def in_sessions(sessions: set[int]) -> list[str]:
    """The processes, zombies aside, whose session one of these daemons led: as words."""
    left = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) in sessions and process.status() != psutil.STATUS_ZOMBIE:
                left.append(f"{process.pid} {' '.join(process.cmdline())[:120]}")
        except (psutil.Error, OSError):
            continue
    return left
