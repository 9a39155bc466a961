"""`make docs`: the site is built without a warning, and a browser needs nothing but its files."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.chromium import browser

ROOT = Path(__file__).parents[2]
PYTHON = Path(sys.prefix) / "docs" / "bin" / "python"
"""Sphinx has an environment of its own; `make test` makes it too."""


def build(sources: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Sphinx with the options of `make docs`."""
    assert PYTHON.exists(), f"{PYTHON} is not there: make docs"
    (command,) = re.findall(
        r"^\t@\$\(VENV\)/docs/bin/python (-m sphinx .*)$", (ROOT / "Makefile").read_text(), re.M
    )
    words = command.split()
    assert words[-2:] == ["docs", "build/docs"]
    options = [word.replace("build/docs-cache", f"{site}-cache") for word in words[:-2]]
    return subprocess.run(
        [PYTHON, *options, sources, site], capture_output=True, text=True, timeout=240, check=False
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built once for these tests."""
    folder = tmp_path_factory.mktemp("site") / "html"
    built = build(ROOT / "docs", folder)
    assert built.returncode == 0, built.stderr
    assert built.stderr == ""
    return folder


def test_every_page_of_the_documents_is_there(site: Path) -> None:
    """Each Markdown file of docs/ is a page, and can be reached from every other."""
    sources = {file.relative_to(ROOT / "docs") for file in (ROOT / "docs").rglob("*.md")}
    menu = (site / "index.html").read_text(encoding="utf-8").split("</aside>")[0]
    for source in sources:
        assert (site / source.with_suffix(".html")).is_file()
        if source.name != "index.md":
            assert f'href="{source.with_suffix(".html")}"' in menu, source


def test_nothing_comes_from_another_host(site: Path) -> None:
    """No script, style, font, image or frame with an address of its own; links are for readers."""
    pages = list(site.rglob("*.html"))
    assert len(pages) > 15
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert re.findall(r'\bsrc="(?:https?:)?//[^"]*"', text) == [], page
        assert re.findall(r'<link\b[^>]*href="(?:https?:)?//[^"]*"', text) == [], page
    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert re.findall(r"url\(\s*['\"]?(?:https?:)?//[^)]*", text) == [], style
        assert "@import" not in text, style


def test_a_page_says_its_language(site: Path) -> None:
    """French pages are French for a screen reader, all others English."""
    for page in site.rglob("*.html"):
        (language,) = re.findall(r"<html[^>]* lang=\"(\w+)\"", page.read_text(encoding="utf-8"))
        assert language == ("fr" if page.stem.endswith("-fr") else "en"), page


def test_the_same_sources_give_the_same_site(site: Path) -> None:
    """Neither the day nor the folder stands in a page."""
    text = (site / "tutorial.html").read_text(encoding="utf-8")
    assert str(ROOT) not in text
    assert "Last updated" not in text


@pytest.mark.browser
def test_the_search_works_without_a_network(site: Path) -> None:
    """Opened as files, in a browser that reaches no host, the search finds the page."""
    with browser() as page:
        page.open(site / "search.html", width=1000)
        page.evaluate("location.search = '?q=quarantine'")
        end = time.monotonic() + 60
        found: list[str] = []
        while not any("guides/operator.html" in link for link in found):
            assert time.monotonic() < end, found
            time.sleep(0.3)
            found = page.evaluate(
                "[...document.querySelectorAll('#search-results li a')].map(a => a.href)"
            )
        asked = [
            event["params"]["request"]["url"]
            for event in page.events
            if event["method"] == "Network.requestWillBeSent"
        ]
        assert asked
        assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True])
def test_pages_fit_a_telephone(site: Path, dark: bool) -> None:
    """At 360 pixels no page is wider than the window; wide tables scroll in their own box."""
    with browser() as page:
        for name in ("index.html", "tutorial.html", "guides/partner-fr.html", "commands.html"):
            page.open(site / name, width=360, dark=dark)
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, name


def test_what_does_not_resolve_ends_the_build(tmp_path: Path) -> None:
    """A page that is not there, a heading that is not there, a page in no list."""
    conf = (ROOT / "docs" / "conf.py").read_text(encoding="utf-8")
    version = '_SETUP["metadata"]["version"]'
    assert version in conf
    for number, (text, complaint) in enumerate(
        [
            ("# One\n\n[x](gone.md)\n", "gone.md"),
            ("# One\n\n[x](index.md#gone)\n", "gone"),
            ("# One\n\n[x](../gone.toml)\n", "gone.toml"),
        ]
    ):
        sources = tmp_path / str(number)
        sources.mkdir()
        (sources / "conf.py").write_text(conf.replace(version, '"1"'), encoding="utf-8")
        (sources / "index.md").write_text(text, encoding="utf-8")
        built = build(sources, tmp_path / f"{number}-site")
        assert built.returncode != 0
        assert complaint in built.stderr


def test_the_lock_has_what_the_extra_asks_for() -> None:
    """requirements.docs.lock pins everything of the extra `docs`, and the gateway needs none."""
    config = (ROOT / "setup.cfg").read_text()
    asked = re.search(r"^docs =\n((?: {4}\S.*\n)+)", config, re.M)
    assert asked
    names = {re.split(r"[><=]", line.strip())[0].lower() for line in asked[1].splitlines()}
    assert names == {"sphinx", "myst-parser", "furo"}
    lock = (ROOT / "requirements.docs.lock").read_text().splitlines()[1:]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lock)
    pinned = {line.split("==")[0].lower() for line in lock}
    assert names <= pinned
    own = (ROOT / "requirements.lock").read_text().lower()
    assert [name for name in names if f"\n{name}==" in own] == []
