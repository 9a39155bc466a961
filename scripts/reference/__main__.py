"""Writes the generated pages of the reference."""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.reference.pages import pages

FOLDER = Path(__file__).parents[2] / "docs" / "reference"


def main() -> int:
    """Every page, and its name on standard output."""
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(FOLDER / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
