"""`python -m tests.page_screenshots FOLDER`: every page of tests/data/reports as a reader sees it.

For people: whoever changed the page looks at these before and after. Each in the width of a
telephone and of a desk, by day and by night; and with colours that the system chose, without
colour, and on paper.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.chromium import browser
from tests.report_pairs import DATA


def main(folder: Path) -> int:
    """Write the pictures, and a PDF of each page."""
    folder.mkdir(parents=True, exist_ok=True)
    with browser() as page:
        for file in sorted(DATA.glob("*.html")):
            for width in (360, 1280):
                for dark in (False, True):
                    page.open(file, width=width, dark=dark)
                    light = "dark" if dark else "light"
                    page.screenshot(folder / f"{file.stem}.{width}.{light}.png")
            page.screenshot(folder / f"{file.stem}.1280.grey.png", grey=True)
            page.open(file, width=1280, forced=True)
            page.screenshot(folder / f"{file.stem}.1280.forced.png")
            page.open(file, width=1280, media="print")
            (folder / f"{file.stem}.pdf").write_bytes(page.printed())
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.page_screenshots FOLDER")
    sys.exit(main(Path(sys.argv[1])))
