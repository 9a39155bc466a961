"""The page to read in a real browser: its width, its colours, its keyboard, its print."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pypdf
import pytest

from gateway.core.acknowledgement.forms import Form
from gateway.core.acknowledgement.page_words import STATES
from gateway.core.acknowledgement.report_facts import Outcome
from gateway.model.verdict import Language, Layer, Severity
from tests.chromium import Page, browser
from tests.report_pairs import DATA
from tests.reports import both, document, finding, written

pytestmark = pytest.mark.browser

SAMPLE = DATA / "batch.tar.gz.fr.html"
PAGES = sorted(DATA.glob("*.html"))
"""What the sender of each file of the demo can open, in both languages."""
WORDS_OF_STATES = {text.to(language) for text in STATES.values() for language in Language}
LONG = "W" * 400
HOSTILE = "<script>window.attacked = 1</script><img src=x onerror=window.attacked=2>\"'><b>"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Page]:
    with browser() as page:
        yield page


@pytest.fixture(scope="module")
def worst(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with all its sections, of words that do not break and names that attack."""
    bad = finding(
        f"R-{LONG}",
        layer=Layer.CONTAINER,
        location="/" + "/".join(["ram:SpecifiedTradeSettlementHeaderMonetarySummation[1]"] * 6),
        line=10**9,
        column=10**9,
        excerpt=f"<a>{HOSTILE}{LONG}</a>",
        terms=("BT-112", "EXT-FR-FE-BG-04", f"BT-{10**60}"),
        message=HOSTILE + LONG,
        explanation=both(f"{LONG} {HOSTILE} BT-{10**60} 4,583.61 is not 4,538.61."),
        remedy=both(LONG),
    )
    others = [finding(f"{HOSTILE}-{n}", terms=(f"BT-{n}",)) for n in range(1, 6)]
    quiet = [finding("W-1", severity=Severity.WARNING), finding("I-1", severity=Severity.INFO)]
    names: dict[str, Any] = {"name": HOSTILE + LONG, "seller_id": LONG, "buyer_id": LONG}
    text = written(
        Form.HTML,
        document(bad, *others, invoice_number=LONG, **names),
        document(*quiet, ordinal=2, invoice_number=LONG, **names),
        document(ordinal=3, outcome=Outcome.DISCARDED, remark=LONG, **names),
        document(ordinal=4, outcome=Outcome.UNDETERMINED, **names),
        language=Language.EN,
        file_name=HOSTILE + LONG,
        partner=LONG,
        flow=HOSTILE,
    )
    file = tmp_path_factory.mktemp("page") / "worst.html"
    file.write_bytes(text)
    return file


SIDEWAYS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
BEYOND = """[...document.querySelectorAll('main *, header *, footer *')]
    .filter(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display != 'inline')
    .map(e => e.tagName + '.' + e.className)"""
"""The page would not scroll for what is cut off, but a reader would miss it."""


@pytest.mark.parametrize("width", [320, 360, 800, 1280])
@pytest.mark.parametrize("which", ["sample", "worst"])
def test_nothing_has_to_be_scrolled_sideways(
    chromium: Page, worst: Path, which: str, width: int
) -> None:
    """On a telephone as on a desk, also with names that have no place to break."""
    chromium.open(SAMPLE if which == "sample" else worst, width=width)
    assert chromium.evaluate(SIDEWAYS) is False
    assert chromium.evaluate(BEYOND) == []


CONTRAST = """(() => {
  const channel = c => (c /= 255) <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4;
  const light = c => .2126 * channel(c[0]) + .7152 * channel(c[1]) + .0722 * channel(c[2]);
  const colour = text => text.match(/[\\d.]+/g).map(Number);
  const ground = e => {
    for (; e; e = e.parentElement) {
      const c = colour(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const found = {};
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim()) continue;
    const [a, b] = [light(colour(getComputedStyle(e).color)), light(ground(e))].sort();
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    const name = e.tagName + '.' + e.className;
    found[name] = Math.min(ratio, found[name] ?? 99);
  }
  return found;
})()"""


@pytest.mark.parametrize("dark", [False, True])
def test_every_word_stands_out_from_its_ground(chromium: Page, worst: Path, dark: bool) -> None:
    """WCAG 2.2 AA asks for 4.5 to 1 (§1.4.3), by day and by night."""
    chromium.open(worst, width=1280, dark=dark)
    found = chromium.evaluate(CONTRAST)
    assert len(found) > 20
    assert {name: ratio for name, ratio in found.items() if ratio < 4.5} == {}
    ground = chromium.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) < 200) is dark


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_every_page_of_the_demo_can_be_read(chromium: Page, file: Path) -> None:
    """On a telephone, a tablet, a desk; by day and by night; nothing beside it is asked for."""
    for width in (360, 768, 1280):
        for dark in (False, True):
            chromium.open(file, width=width, dark=dark)
            assert chromium.evaluate(SIDEWAYS) is False, width
            assert chromium.evaluate(BEYOND) == [], width
            ratios = chromium.evaluate(CONTRAST)
            assert len(ratios) > 8
            assert {name: ratio for name, ratio in ratios.items() if ratio < 4.5} == {}
            assert chromium.evaluate(SMALLEST) >= 12
    asked = [e for e in chromium.events if e["method"] == "Network.requestWillBeSent"]
    assert [e["params"]["request"]["url"] for e in asked] == [file.as_uri()]


SMALLEST = """Math.min(...[...document.querySelectorAll('body *')]
    .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
    .map(e => parseFloat(getComputedStyle(e).fontSize)))"""
"""The smallest letters, in CSS pixels."""


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_every_page_says_without_colour_what_it_says_with_it(chromium: Page, file: Path) -> None:
    """Colours that the system chose, as who needs contrast has them: words and underlines stay."""
    chromium.open(file, width=1280, forced=True)
    assert chromium.evaluate("matchMedia('(forced-colors: active)').matches") is True
    chosen = "getComputedStyle(document.querySelector('.state')).color"
    plain = "getComputedStyle(document.querySelector('h1')).color"
    assert chromium.evaluate(chosen) == chromium.evaluate(plain)
    ratios = chromium.evaluate(CONTRAST)
    assert {name: ratio for name, ratio in ratios.items() if ratio < 4.5} == {}
    said = chromium.evaluate("document.querySelector('.state strong').innerText")
    assert said in WORDS_OF_STATES
    assert chromium.evaluate(
        """[...document.querySelectorAll('mark, main a')]
           .every(e => getComputedStyle(e).textDecorationLine === 'underline')"""
    )
    counts = chromium.evaluate(
        "[...document.querySelectorAll('.counts div')].map(e => e.innerText.split('\\n').length)"
    )
    assert set(counts) == {2}


def test_what_colour_says_is_said_without_it(chromium: Page) -> None:
    """The state is a word, and what is marked is underlined and bold."""
    chromium.open(SAMPLE, width=1280)
    assert chromium.evaluate("document.querySelector('.state strong').innerText") == (
        "Intégré en partie"
    )
    style = "(s => [s.textDecorationLine, Number(s.fontWeight) >= 600])"
    assert chromium.evaluate(f"{style}(getComputedStyle(document.querySelector('mark')))") == [
        "underline",
        True,
    ]
    links = "[...document.querySelectorAll('a')].map(a => getComputedStyle(a).textDecorationLine)"
    assert set(chromium.evaluate(links)) == {"underline"}


def test_whatever_partners_write_does_nothing(chromium: Page, worst: Path) -> None:
    """No script runs, nothing is fetched, nothing is complained of."""
    chromium.open(worst, width=800)
    chromium.evaluate("new Promise(done => setTimeout(done, 200))")
    assert chromium.evaluate("window.attacked ?? null") is None
    assert chromium.evaluate("document.querySelectorAll('script, img, main b').length") == 0
    asked = [e for e in chromium.events if e["method"] == "Network.requestWillBeSent"]
    assert [e["params"]["request"]["url"] for e in asked] == [worst.as_uri()]
    complaints = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
    assert [e for e in chromium.events if e["method"] in complaints] == []


def test_the_policy_would_stop_what_escaping_let_through(chromium: Page) -> None:
    """A second lock: handlers, scripts, styles and pictures that somehow got in do nothing."""
    chromium.open(SAMPLE, width=800)
    chromium.evaluate(
        """document.body.insertAdjacentHTML('beforeend',
           '<p id=p onclick="window.attacked=1" style="color: red">x</p><img src="x.png">');
           document.getElementById('p').click();
           const s = document.createElement('script'); s.textContent = 'window.attacked=2';
           document.body.append(s);"""
    )
    assert chromium.evaluate("window.attacked ?? null") is None
    colour = chromium.evaluate("getComputedStyle(document.getElementById('p')).color")
    assert colour != "rgb(255, 0, 0)"
    refused = [e for e in chromium.events if e["method"] == "Log.entryAdded"]
    assert len(refused) >= 3
    assert all("Content Security Policy" in e["params"]["entry"]["text"] for e in refused)


def test_headings_lead_through_the_page_in_order(chromium: Page, worst: Path) -> None:
    """One first heading, no level left out, and the page's language and title are told."""
    chromium.open(worst, width=800)
    levels = chromium.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => Number(h.tagName[1]))"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert chromium.evaluate("document.documentElement.lang") == "en"
    assert chromium.evaluate("document.title").startswith("Being processed – ")
    assert chromium.evaluate("document.compatMode") == "CSS1Compat"
    heads = chromium.evaluate("[...document.querySelectorAll('th')].map(th => th.scope)")
    assert set(heads) == {"col", "row"}


def test_it_can_be_used_without_a_mouse(chromium: Page) -> None:
    """Tab reaches every link, each visibly; the first leads past the head of the page."""
    chromium.open(SAMPLE, width=800)
    count = chromium.evaluate("document.querySelectorAll('a[href]').length")
    seen = []
    for _ in range(count):
        chromium.press("Tab", 9)
        seen.append(
            chromium.evaluate(
                """(a => { const box = a.getBoundingClientRect();
                   return [a.getAttribute('href'), getComputedStyle(a).outlineStyle,
                           box.left >= 0 && box.width > 0]; })(document.activeElement)"""
            )
        )
    assert [link[0] for link in seen] == chromium.evaluate(
        "[...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href'))"
    )
    assert seen[0][0] == "#errors"
    assert {(link[1], link[2]) for link in seen} == {("solid", True)}


@pytest.mark.parametrize("dark", [False, True])
def test_it_prints_dark_on_white_and_whole(chromium: Page, dark: bool) -> None:
    """On A4, also from a screen that is dark; links keep their numbers on paper."""
    chromium.open(SAMPLE, width=1280, dark=dark, media="print")
    ground = chromium.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert ground == "rgb(255, 255, 255)"
    ratios = chromium.evaluate(CONTRAST)
    assert min(ratios.values()) >= 4.5
    printed = pypdf.PdfReader(io.BytesIO(chromium.printed()))
    assert 1 <= len(printed.pages) <= 4
    text = " ".join(page.extract_text() for page in printed.pages)
    for said in (
        "Intégré en partie",
        "BR-CO-15",
        "4583.61",
        "FA-2026-10187",
        "2. Code de type de facture",
    ):
        assert said.replace("4583.61", "4 583,61") in text.replace("\N{NO-BREAK SPACE}", " "), said


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_every_page_of_the_demo_prints(chromium: Page, file: Path) -> None:
    """Black on white, in few sheets, with its title, its state and every document by number."""
    chromium.open(file, width=1280, dark=True, media="print")
    assert min(chromium.evaluate(CONTRAST).values()) >= 4.5
    assert chromium.evaluate(SIDEWAYS) is False
    state = chromium.evaluate("document.querySelector('.state strong').innerText")
    numbers = chromium.evaluate("[...document.querySelectorAll('.number')].map(e => e.innerText)")
    printed = pypdf.PdfReader(io.BytesIO(chromium.printed()))
    assert 1 <= len(printed.pages) <= 4
    text = " ".join(page.extract_text() for page in printed.pages).replace(
        "\N{NO-BREAK SPACE}", " "
    )
    for word in (state, *numbers):
        assert word in text, word
