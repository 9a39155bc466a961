"""Which templates never give text of the document, whatever they are applied to.

Where no template matches, XSLT gives all text below the nodes. In the report itself nobody reads
that; within an attribute or a variable it would be as good as reading it. A mode is silent if some
template of it matches every element, nothing but elements and attributes is ever sent there, and
its templates send nodes to silent modes only.
"""

from __future__ import annotations

import re
from typing import Final

from lxml import etree

_XSL: Final = "{http://www.w3.org/1999/XSL/Transform}"
_REPORT: Final = frozenset(
    {
        *(
            _XSL + name
            for name in ("choose", "for-each", "if", "otherwise", "stylesheet", "template", "when")
        ),
        "{http://purl.oclc.org/dsdl/svrl}schematron-output",
        "{http://purl.oclc.org/dsdl/svrl}active-pattern",
    }
)
"""What may surround an instruction that adds to the report, and to nothing within it."""

_TEXT: Final = re.compile(r"\b(?:text|node)\(\)")


class Modes:
    """The modes of a stylesheet."""

    def __init__(self, stylesheet: etree._Element) -> None:
        self._silent = {
            str(each.get("mode"))
            for each in stylesheet.iter(f"{_XSL}template")
            if "*" in re.split(r"\s*\|\s*", each.get("match") or "")
        }
        sent = list(stylesheet.iter(f"{_XSL}apply-templates"))
        self._silent -= {str(each.get("mode")) for each in sent if not _sends_no_text(each)}
        while talkative := {mode for each in sent for mode in self._made_talkative(each)}:
            self._silent -= talkative

    def give_text(self, sending: etree._Element) -> bool:
        """Whether what this xsl:apply-templates brings may become a text that is read."""
        if all(str(above.tag) in _REPORT for above in sending.iterancestors()):
            return False
        return str(sending.get("mode")) not in self._silent

    def _made_talkative(self, sending: etree._Element) -> set[str]:
        """Modes held silent whose template it stands in, though it sends nodes elsewhere."""
        if str(sending.get("mode")) in self._silent:
            return set()
        modes = (each.get("mode") for each in sending.iterancestors(f"{_XSL}template"))
        return {str(mode) for mode in modes} & self._silent


def _sends_no_text(sending: etree._Element) -> bool:
    """Whether it is plain to see that only elements and attributes are sent."""
    select = sending.get("select")
    if select is None or set("$(") & set(select):
        return False
    if "." not in select:
        return True
    around = (f"{_XSL}{name}" for name in ("template", "for-each", "for-each-group"))
    here = (
        each.get("match") or each.get("select") or "node()"
        for each in sending.iterancestors(*around)
    )
    return not any(_TEXT.search(nodes) for nodes in here)
