"""How `make docs` builds the site: Sphinx reads the Markdown as it stands, for GitHub as well.

Nothing of the site comes from another host: no font, no script, no image. The search is an index
that the browser loads from the site itself, also when it is opened as files. Whatever does not
resolve (a link, a heading behind `#`, a page in no list) is a warning, and `make docs` ends at the
first of these with an error.
"""

from __future__ import annotations

import configparser
from pathlib import Path
from typing import Any

_SETUP = configparser.ConfigParser()
_SETUP.read(Path(__file__).parents[1] / "setup.cfg", encoding="utf-8")

project = "edi-gateway"
author = "edi-gateway"
version = release = _SETUP["metadata"]["version"]
html_title = f"{project} {version}"
html_last_updated_fmt = None  # the same sources give the same site
html_show_copyright = False
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
html_theme = "furo"
language = "en"
smartquotes = False  # commands are copied from these pages

myst_heading_anchors = 4
myst_links_external_new_tab = False
nitpicky = True


def setup(app: Any) -> None:
    """Pages called `…-fr` say that they are French, for those who have them read out."""
    app.connect("build-finished", _say_french)


def _say_french(app: Any, error: Exception | None) -> None:
    if error is None and app.builder.format == "html":
        for page in Path(app.outdir).rglob("*-fr.html"):
            text = page.read_text(encoding="utf-8")
            page.write_text(text.replace(' lang="en"', ' lang="fr"', 1), encoding="utf-8")
