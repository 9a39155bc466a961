"""Which files of a watched folder are complete: events and looks in, files that are ready out.

No clock, no disk: the watch brings both. A file is complete when

* it was renamed into the folder: at once;
* it was closed after writing, and looked the same for `quiet_seconds`;
* it was found by a look around (nobody saw it come: we were not running, events were lost) or put
  there by a hard link, as OpenSSH's plain rename does, and looked the same for `quiet_seconds`.

A file somebody was seen writing to, or creating, and not seen closing is not complete.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from gateway.service.folder_entries import Identity


@dataclass(slots=True)
class _File:
    """What is known of one place."""

    identity: Identity | None = None
    since: float | None = None
    """Since when it looks like this, as far as we saw."""
    due: float = 0.0
    """When to look at it again."""
    held: float = 0.0
    """Not to be taken before."""
    whole: bool = False
    created: bool = False
    writing: bool = False
    looked: bool = False
    """A look at it has begun, and nothing happened to it since."""
    busy: bool = False
    stirred: bool = False
    """Something happened to it while it was busy."""
    taken: Identity | None = None
    """It is ours, as it was then, but could not be removed."""


class Candidates:
    """The files of one folder. Times are seconds of the clock the watch reads."""

    def __init__(self, quiet_seconds: float) -> None:
        self._quiet = quiet_seconds
        self._files: dict[str, _File] = {}

    # ---- events

    def renamed(self, place: str) -> None:
        """It was renamed into the folder: whatever had that name is replaced by something whole."""
        old = self._files.get(place)
        busy = old is not None and old.busy
        self._files[place] = _File(whole=True, busy=busy, stirred=busy)

    def created(self, place: str) -> None:
        """There is a new name: by a hard link, or because writing begins."""
        file = self._stir(place)
        file.created = True

    def written(self, place: str) -> None:
        """Somebody is writing: wait for the close."""
        file = self._stir(place)
        file.writing, file.whole, file.due = True, False, math.inf

    def closed(self, place: str) -> None:
        """Whoever wrote it has closed it."""
        file = self._stir(place)
        file.writing = file.created = False
        file.since = None

    def gone(self, place: str) -> None:
        """It was removed or renamed away."""
        if place in self._files and not self._files[place].busy:
            del self._files[place]

    def noticed(self, place: str) -> None:
        """It may be there: look."""
        self._stir(place)

    def events_lost(self) -> None:
        """Closes may be among them: from now on only what a file looks like counts."""
        for place in self._files:
            file = self._stir(place)
            file.writing = file.created = False
            file.since = None

    def _stir(self, place: str) -> _File:
        file = self._files.setdefault(place, _File())
        file.due = file.held = 0.0
        file.looked = False
        file.stirred = file.busy
        return file

    # ---- looks

    def due(self, now: float) -> list[str]:
        """Places to look at now: a look begins."""
        return self._begin(p for p, file in self._files.items() if file.due <= now)

    def all(self) -> list[str]:
        """Every place known: a look around begins."""
        return self._begin(self._files)

    def _begin(self, places: Iterable[str]) -> list[str]:
        free = [place for place in places if not self._files[place].busy]
        for place in free:
            self._files[place].looked = True
        return free

    def next_due(self) -> float:
        """When there is something to look at; infinity for never."""
        return min((f.due for f in self._files.values() if not f.busy), default=math.inf)

    def identity(self, place: str) -> Identity | None:
        """What it looked like when it was last looked at."""
        file = self._files.get(place)
        return file.identity if file else None

    def seen(
        self, found: Mapping[str, Identity], looked_at: Collection[str], now: float
    ) -> dict[str, bool]:
        """Take note of a look: which places are ready, and busy from now on.

        `looked_at`: what `due` or `all` said when the look began. One that is not in `found` is
        gone, unless it came back since. True for a place: it was taken in before, and is only to
        be removed.
        """
        for place in looked_at:
            file = self._files.get(place)
            if place not in found and file is not None and file.looked:
                self.gone(place)
        ready = {}
        for place, identity in found.items():
            file = self._files.setdefault(place, _File())
            if not file.busy and self._is_ready(file, identity, now):
                file.busy = True
                ready[place] = file.taken is not None
        return ready

    def _is_ready(self, file: _File, identity: Identity, now: float) -> bool:
        """Whether it is complete; if not, when to look again."""
        if file.since is None or identity != file.identity:
            # A file that was whole and is another one now was written to behind our back.
            file.whole = file.whole and file.identity is None
            file.identity, file.since = identity, now
        if file.taken is not None and file.taken != identity:
            file.taken = None
        if file.writing or (file.created and identity.size == 0):
            file.due = math.inf
            return False
        file.due = max(file.held, 0.0 if file.whole else file.since + self._quiet)
        return now >= file.due

    # ---- what became of it

    def done(self, place: str) -> None:
        """It is ours and gone from the folder; another one may have come under its name."""
        if not self._released(place).stirred:
            del self._files[place]

    def changed(self, place: str) -> None:
        """It was written to, or replaced, while it was copied: from the beginning."""
        file = self._released(place)
        file.whole = file.whole and file.stirred
        file.since = None
        file.due = math.inf if file.writing else 0.0

    def later(self, place: str, at: float) -> None:
        """It is complete, but cannot be taken now: again then, if it is the same."""
        file = self._released(place)
        if not file.stirred:
            file.due = file.held = at

    def kept(self, place: str, identity: Identity, at: float) -> None:
        """It is ours but could not be removed: try that again then, and only that."""
        self.later(place, at)
        self._files[place].taken = identity

    def _released(self, place: str) -> _File:
        file = self._files.setdefault(place, _File())
        file.busy = False
        return file
