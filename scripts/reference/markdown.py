"""The little Markdown that generated pages consist of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_MEANS_SOMETHING = re.compile(r"([\\`*_\[\]<>|{}])")


def plain(text: str) -> str:
    """Text that says what it says, whatever is in it, on one line."""
    return _MEANS_SOMETHING.sub(r"\\\1", " ".join(text.split()))


def prose(text: str) -> str:
    """Markdown of ours as one line, as in a cell of a table; a URL stays text."""
    return " ".join(text.split()).replace("|", "\\|")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; nothing where there are no rows."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(head)} |", "|" + "---|" * len(head), *lines]) + "\n"
