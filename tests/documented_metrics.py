"""What docs/metrics.md says there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parent.parent / "docs" / "metrics.md"
_ROW = re.compile(r"^\| `(\w+)` \| (\w+) \|([^|]*)\| (.*) \|$", re.MULTILINE)


class Documented(NamedTuple):
    """A metric by the name its series have (of a histogram: without `_bucket`)."""

    name: str
    type: str
    labels: tuple[str, ...]


def documented() -> list[Documented]:
    """Every row of the tables."""
    return [
        Documented(name, type_, tuple(re.findall(r"`(\w+)`", labels)))
        for name, type_, labels, _ in _ROW.findall(PAGE.read_text())
    ]
