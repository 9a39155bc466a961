"""Where the official rules stopped: the values they met where they take one for granted.

XPath 2.0 and later raise XPTY0004 when a function that takes one item is given two. Saxon says
which: `A sequence of more than one item { ("one", "two") } is not allowed as the first argument of
fn:normalize-space()`, long values with their middle left out, quotes in them doubled, two items at
most. That is all that tells a document which says something twice from a fault in the rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from lxml import etree

_SEVERAL = re.compile(r"more than one item \{ \(([^{}]{1,400})\) \}")
_VALUE = re.compile(r'"((?:[^"]|"")*)"')
_LEFT_OUT = " ... "


def meant_by(messages: Iterable[str]) -> Callable[[etree._Element], bool] | None:
    """Whether an element holds one of the values that these errors name; None: they name none.

    The element's own text counts, and that of elements in it; white space as XPath normalises it.
    """
    quoted = {
        value.replace('""', '"')
        for message in messages
        for values in _SEVERAL.findall(message)
        for value in _VALUE.findall(values)
    }
    if not quoted:
        return None

    def holds(element: etree._Element) -> bool:
        texts = (" ".join(str(text).split()) for text in element.itertext())
        return any(_is(text, value) for text in texts if text for value in quoted)

    return holds


def _is(text: str, quoted: str) -> bool:
    if text == quoted:
        return True
    begins, cut, ends = quoted.partition(_LEFT_OUT)
    return bool(cut) and text.startswith(begins) and text.endswith(ends)
