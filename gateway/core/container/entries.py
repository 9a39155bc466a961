"""What the readers of tar and ZIP give, and how they say that something is wrong.

A reader yields one `Entry` per file of an archive. What is wrong with one file is a `Flaw` of its
entry, and the others go on; what is wrong with the archive ends the reading with `ArchiveRefused`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import msgspec

from gateway.core.explain import own_finding
from gateway.model.container import ContainerLimits
from gateway.model.verdict import Finding

RATIO_FROM: Final = 100_000_000
"""Bytes that may come out of any archive before anybody asks how well they were packed."""

_ENTRIES_PER_MEMBER: Final = 5
_ENTRIES_SPARE: Final = 1000
"""A file may bring a folder with it, and tar may say either's long name in an entry of its own."""


class Flaw(NamedTuple):
    """Why one file of an archive cannot be used: a code of schemas/findings.toml and its values."""

    rule: str
    variant: str | None = None
    values: dict[str, Any] = {}

    def of(self, name: str) -> Finding:
        """The finding, which names the file."""
        return own_finding(self.rule, variant=self.variant, name=name, **self.values)


class Entry(msgspec.Struct, frozen=True):
    """One file as its archive announces it: neither name nor size has been checked.

    `content` gives the unpacked bytes in order, in chunks, once, and at most `size` of them;
    while it does, it may raise `EntryDamaged` or `ArchiveRefused`. What is not read of it is
    skipped. It must not be called when there is a flaw.
    """

    name: str
    size: int
    content: Callable[[], Iterator[bytes]]
    flaw: Flaw | None = None


class EntryDamaged(Exception):
    """The bytes of one file are not what its archive says; the other files may be good."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(flaw.rule)
        self.flaw = flaw


class ArchiveRefused(Exception):
    """The archive as a whole cannot be used: why, in words for whoever sent it."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


class Budget:
    """What is left of the limits while an archive is read. Every method raises ArchiveRefused.

    `name` and `size` are those of the archive, as received.
    """

    def __init__(self, name: str, size: int, limits: ContainerLimits) -> None:
        self.name = name
        self._size = size
        self._limits = limits
        self._entries = 0
        self._members = 0
        self._unpacked = 0
        if size > limits.max_bytes:
            raise self.refusal("CONTAINER-SIZE", size=size, limit=limits.max_bytes)

    def refusal(self, rule: str, *, variant: str | None = None, **values: Any) -> ArchiveRefused:
        """The exception that ends the reading, for a code about the archive."""
        return ArchiveRefused(own_finding(rule, variant=variant, name=self.name, **values))

    def count_entries(self, more: int = 1) -> None:
        """Count what stands in the archive and may be no file: folders, long names."""
        self._entries += more
        most = self._limits.max_members * _ENTRIES_PER_MEMBER + _ENTRIES_SPARE
        if self._entries > most:
            raise self.refusal("CONTAINER-MEMBERS", variant="entries", limit=most, what="entries")

    def count_member(self) -> None:
        """Count one file."""
        self._members += 1
        if self._members > self._limits.max_members:
            limit = self._limits.max_members
            raise self.refusal("CONTAINER-MEMBERS", limit=limit, what="files")

    def spend(self, unpacked: int) -> None:
        """Count bytes that came out of the archive."""
        self._unpacked += unpacked
        self.check_total(self._unpacked)

    def foresee(self, more: int) -> None:
        """Refuse bytes that are announced as the next, before anybody unpacks them.

        They say nothing about the ratio: what announces them may have been cut off behind.
        """
        if self._unpacked + more > self._limits.max_unpacked_bytes:
            raise self._too_much()

    def check_total(self, unpacked: int) -> None:
        """Refuse what the whole archive unpacks to."""
        limits = self._limits
        if unpacked > limits.max_unpacked_bytes:
            raise self._too_much()
        if unpacked > RATIO_FROM and unpacked > limits.max_ratio * self._size:
            raise self.refusal("CONTAINER-RATIO", limit=limits.max_ratio, size=self._size)

    def _too_much(self) -> ArchiveRefused:
        return self.refusal("CONTAINER-UNPACKED-SIZE", limit=self._limits.max_unpacked_bytes)
