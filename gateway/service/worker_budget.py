"""What one job may cost: a base, so much more for each MB it is about, and a bound for all.

Time is that of the job itself: what a worker prepares for other jobs as well does not count. Memory
is what the process has resident, with all it needed before the job.
"""

from __future__ import annotations

from typing import Final

import msgspec

_MB: Final = 1e6


class Allowance(msgspec.Struct, frozen=True):
    """How much of one thing a job may take. `setting` is the base's; the others are named by it.

    `largest`: never more than this, however large the job is, unless the base is; None: no bound.
    """

    setting: str
    base: float
    per_mb: float = 0.0
    largest: float | None = None

    def amount(self, size: int) -> float:
        """What a job about `size` bytes may take."""
        amount = self.base + self.per_mb * size / _MB
        return amount if self.largest is None else max(self.base, min(amount, self.largest))

    def account(self, size: int) -> str:
        """How that amount comes about, in words."""
        if not self.per_mb:
            return self.setting
        if self._is_bounded(size):
            return "the most for any document, however large"
        return f"{self.base:g} + {self.per_mb:g} × {size / _MB:.1f} MB of document"

    def remedy(self, size: int) -> str:
        """What to do for a job that rightly needs more."""
        section, _, name = self.setting.rpartition(".")
        names = [f"large_{name}"] if self._is_bounded(size) else [name]
        if self.per_mb and not self._is_bounded(size):
            names.append(f"{name}_per_mb")
        settings = " or ".join(f"{section}.{each}" for each in names)
        return f"If the document is legitimate, raise {settings}."

    def _is_bounded(self, size: int) -> bool:
        return self.amount(size) < self.base + self.per_mb * size / _MB


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """The time (seconds) and the memory (MB) jobs may take.

    `large_bytes`: a job that does not run alone counts as this large at most, whatever it unpacks
    to. If it needs more, it gets it when it is tried again, alone.
    """

    time: Allowance
    memory: Allowance
    large_bytes: int | None = None

    def counted(self, size: int, *, alone: bool) -> int:
        """The size that a job's budget is reckoned by."""
        if alone or self.large_bytes is None:
            return size
        return min(size, self.large_bytes)
