"""What came of a purge, for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from gateway.cli import options

_SHOWN = 5
_NAMED = 100


class Done(msgspec.Struct, kw_only=True):
    """What was purged, or would be; what was not, and why, the first hundred for each reason.

    `left`: files that nobody needs and that the sweep removes. `empty`: bytes of the journal's
    file that hold nothing; `gives_back`: whether these can be cut off while the gateway runs.
    """

    dry_run: bool
    purged: list[str] = []
    skipped: list[tuple[str, str]] = []
    damaged: list[tuple[str, str]] = []
    files: int = 0
    file_bytes: int = 0
    left: int = 0
    empty: int = 0
    reasons: dict[str, int] = {}
    gives_back: bool = True
    archive: Path | None = None

    def skip(self, id_: str, why: str) -> None:
        """It stays. There may be millions: of those with one reason a hundred are named."""
        self.reasons[why] = self.reasons.get(why, 0) + 1
        if self.reasons[why] <= _NAMED:
            self.skipped.append((id_, why))

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        shown: dict[str, Any] = msgspec.to_builtins(self, enc_hook=str)
        return shown

    def lines(self) -> Iterator[str]:
        """For people."""
        number = len(self.purged)
        what = options.some(number, "interchange")
        if self.dry_run:
            yield f"{what} would be purged, nothing was changed."
        else:
            files = options.some(self.files, "file")
            yield f"{what} purged: {files}, {self.file_bytes / 1e6:.1f} MB."
            if number and self.archive is not None:
                yield f"Archived in {self.archive}"
        if self.left:
            yield (
                f"{self.left} files that nobody needs any more were stored again a short while"
                " ago, or are being backed up: the daily sweep removes them."
            )
        if not self.gives_back and self.empty:
            yield (
                f"{self.empty / 1e6:.1f} MB of the journal's file are empty and used again. To give"
                " them back, purge once while the gateway is stopped."
            )
        damaged = Counter(why for _, why in self.damaged)
        for title, those, reasons in (
            ("Kept", self.skipped, Counter(self.reasons)),
            ("Not whole, and kept", self.damaged, damaged),
        ):
            for why, count in reasons.most_common():
                ids = [id_ for id_, each in those if each == why]
                more = f" and {count - _SHOWN} more" if count > _SHOWN else ""
                yield f"{title}, {count}: {options.printable(why)}"
                yield f"    {', '.join(ids[:_SHOWN])}{more}"
