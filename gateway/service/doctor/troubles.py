"""What the doctor finds, in words: what is wrong, what that means, what to do."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

EXAMPLES = 5
MOST = 1_000
"""So many rows at most are looked up of one kind of trouble: its cause is the same."""
MEND = "edi-gateway doctor --mend puts that right."


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of trouble. `examples`: the first of what it concerns, as names or ids.

    `mendable`: whether `--mend` takes care of it. `harmless`: it needs nobody.
    """

    check: str
    what: str
    remedy: str
    number: int = 1
    examples: tuple[str, ...] = ()
    mendable: bool = False
    harmless: bool = False

    def __str__(self) -> str:
        lines = [self.what, *(f"    {each}" for each in self.examples)]
        if self.number > len(self.examples) > 0:
            more = self.number - len(self.examples)
            lines.append(f"    and {more:,} more" if self.number < MOST else "    and more")
        return "\n".join([*lines, f"    → {self.remedy}"])


def gathered(
    check: str,
    found: Iterable[str],
    *,
    one: str,
    many: str,
    remedy: str,
    mendable: bool = False,
    harmless: bool = False,
) -> list[Trouble]:
    """All of one kind as one trouble, if there are any; `many` speaks of `{number}` of them."""
    names = list(found)
    if not names:
        return []
    return [
        Trouble(
            check=check,
            what=one if len(names) == 1 else many.format(number=f"{len(names):,}"),
            remedy=remedy,
            number=len(names),
            examples=tuple(names[:EXAMPLES]),
            mendable=mendable,
            harmless=harmless,
        )
    ]
