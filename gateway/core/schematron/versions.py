"""The versions of a rule pack: in which order they follow each other, and which applies on a day.

A version applies from its first day on, until its last one or until a version with a later first
day takes its place. What was received before that day is still judged by the version before.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Final

from gateway.core.schematron.catalogue_entries import PackEntry

MARK: Final = "@"
"""Stands between the name of a pack and what tells one of its versions from the others."""
FIRST: Final = "first"
"""Stands for the first day of a version that has none."""

Versions = tuple[PackEntry, ...]
"""Those of one pack, the oldest first; never empty."""


def in_order(versions: Iterable[PackEntry]) -> Versions:
    """The oldest first. Of two that begin on the same day, only the one given later counts."""
    begins = {version.valid_from or dt.date.min: version for version in versions}
    return tuple(begins[day] for day in sorted(begins))


def applying(versions: Versions, day: dt.date) -> PackEntry | None:
    """The version of that day: of those that are valid, the one that began last."""
    return next((each for each in reversed(versions) if each.valid_on(day)), None)


def keyed(versions: Versions) -> dict[str, PackEntry]:
    """Each version by what it is called: NAME@DAY, its first day; the only one of a pack, NAME.

    NAME alone is the newest.
    """
    newest = versions[-1]
    if len(versions) == 1:
        return {newest.name: newest}
    return {newest.name: newest} | {_key(each): each for each in versions}


def key_of(version: PackEntry, versions: Versions) -> str:
    """What `keyed` calls one of these versions."""
    return version.name if len(versions) == 1 else _key(version)


def named(versions: Versions, word: str) -> PackEntry | None:
    """The version that people mean by `word`: a day on which it applies, or how it is called.

    It is called by its version, or by the beginning of its sum. None: no version, or several.
    """
    try:
        return applying(versions, dt.date.fromisoformat(word))
    except ValueError:
        pass
    if word == FIRST and versions[0].valid_from is None:
        return versions[0]
    called = [each for each in versions if each.version == word]
    called = called or [each for each in versions if len(word) > 5 and each.sha256.startswith(word)]
    return called[0] if len(called) == 1 else None


def of_sum(versions: Versions, sha256: str) -> PackEntry | None:
    """The version whose files have this SHA-256: the very one a judgement names."""
    return next((each for each in versions if each.sha256 == sha256), None)


def last_day(version: PackEntry, versions: Versions) -> dt.date | None:
    """The last day on which it applies; None: it is not known yet.

    That is the day before the next version begins, unless it ends sooner.
    """
    after = versions[versions.index(version) + 1 :]
    ends = [each.valid_from - dt.timedelta(days=1) for each in after if each.valid_from][:1]
    if version.valid_until is not None:
        ends.append(version.valid_until)
    return min(ends, default=None)


def validity(versions: Iterable[PackEntry]) -> str:
    """Which version is valid when, for people."""
    return "; ".join(
        f"version {each.version} from {each.valid_from or '…'} until {each.valid_until or '…'}"
        for each in versions
    )


def _key(version: PackEntry) -> str:
    day = version.valid_from
    return f"{version.name}{MARK}{day.isoformat() if day else FIRST}"
