"""HTML out of pieces: what is not markup of ours never becomes markup."""

from __future__ import annotations

import html
import html.parser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.acknowledgement.markup import Html, element, joined, style
from gateway.core.acknowledgement.report_facts import clean

HOSTILE = st.text(
    st.one_of(st.characters(codec=None, exclude_categories=()), st.sampled_from("<>&\"'/=`\x00;#"))
)


class Reader(html.parser.HTMLParser):
    """What a parser of HTML sees."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        """Text."""
        self.text += data


@given(HOSTILE, HOSTILE)
def test_texts_and_values_stay_texts_and_values(text: str, value: str) -> None:
    """One element with one attribute, whatever stands in them."""
    read = Reader(element("b", text, title=value))
    ((tag, attributes),) = read.tags
    assert (tag, [name for name, _ in attributes]) == ("b", ["title"])
    assert len(read.text) == len(text)
    shown = {here for here, there in zip(read.text, clean(text), strict=True) if here != there}
    assert shown <= {"\ufffd"}


def test_what_turns_the_direction_of_writing_is_shown_as_such() -> None:
    """`facture_fdp.exe` must not show as `facture_exe.pdf`."""
    assert element("b", "a\u202eb\u2066c\u200fd") == "<b>a\ufffdb\ufffdc\ufffdd</b>"


def test_pieces_are_put_together_as_they_are() -> None:
    """Markup stays markup, None says nothing, attributes without a value are left out."""
    inner = element("i", "x & y")
    assert inner == "<i>x &amp; y</i>"
    assert element("b", inner, None, "<", class_="k", lang=None, aria_label="n") == (
        '<b class="k" aria-label="n"><i>x &amp; y</i>&lt;</b>'
    )
    assert joined([None, "a", inner]) == "a<i>x &amp; y</i>"
    assert element("br") == "<br>"
    assert isinstance(inner, Html)


def test_joining_markup_with_text_gives_text_that_is_escaped_again() -> None:
    """Only this module makes markup: `+` and f-strings give a text, which is escaped."""
    assert element("b", element("i", "x") + "<") == "<b>&lt;i&gt;x&lt;/i&gt;&lt;</b>"


def test_a_style_sheet_cannot_end_its_element() -> None:
    """It is the one piece that is not escaped."""
    assert style("a { color: red }") == "<style>a { color: red }</style>\n"
    with pytest.raises(ValueError, match="'<'"):
        style("</style><script>")
