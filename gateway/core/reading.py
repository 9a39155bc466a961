"""Of which elements a stylesheet reads the text, worked out from its expressions.

An attachment may be kept away from the rules only if none of them looks into it. To ask whether an
element is there, for its attributes or for its place is not to look into it; to compare it, to take
its string or its length is, and so is to do that with an element around it, for the text of an
element is that of all within. The answer is a set of local names, or `ANY` where it is not known:
for an expression that is not understood, or text taken from nodes of no known name. A name that
begins with `*` stands for all names that end so.

Namespaces are left out of account: a name counts as read when it is in any of them.
"""

from __future__ import annotations

import re
from typing import Final

from lxml import etree

from gateway.core.reading_modes import Modes
from gateway.core.reading_xpath import (
    ALL,
    ANY,
    NONE,
    XSL,
    Expressions,
    Focus,
    Names,
    NotUnderstood,
    words,
)
from gateway.core.schematron.xpath import parse

__all__ = ["ANY", "names_read"]

_TESTS: Final = frozenset({"if", "when"})
_READS: Final = words(
    """
    attribute comment copy-of key map-entry message namespace processing-instruction sequence sort
    value-of
    """
)
_SELECTS: Final = frozenset({"apply-templates", "for-each", "for-each-group"})
_BINDS: Final = frozenset({"variable", "param", "with-param"})
_PLAIN: Final = words(
    """
    call-template choose copy decimal-format element fallback function map namespace-alias
    next-match number otherwise output preserve-space strip-space stylesheet template text
    transform
    """
)
_NAMED_BY_TEXT: Final = frozenset({"attribute", "element", "namespace", "processing-instruction"})
_TEMPLATED: Final = frozenset({"data-type", "namespace", "order", "separator", "terminate"})
"""Attributes of instructions that may hold expressions in braces."""

_REFUSED: Final = words(
    """
    collation composite expand-text extension-element-prefixes group-adjacent group-ending-with
    group-starting-with on-empty streamable use-when value
    """
)
"""Attributes of instructions that nothing is said about here."""

_BRACED: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
_MAX_ROUNDS: Final = 6


def names_read(stylesheet: str) -> Names:
    """Local names of all elements whose text the stylesheet reads, or whose text a part of is."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    reader = _Reader(etree.fromstring(stylesheet, parser))
    try:
        return reader.everything()
    except NotUnderstood:
        return ALL
    finally:
        parse.cache_clear()


class _Reader(Expressions):
    """Goes through the stylesheet until nothing new is learnt of its variables.

    Names stand for nodes whose text is within that of an element of one of them.
    """

    def __init__(self, root: etree._Element) -> None:
        super().__init__(list(root.iterchildren(f"{XSL}function")))
        self._root = root
        self._modes = Modes(root)

    def everything(self) -> Names:
        """The names read. Raises NotUnderstood."""
        if self.ambiguous:
            raise NotUnderstood
        for key in self._root.iterchildren(f"{XSL}key"):
            self._instruction(key, Focus(ALL, ALL))
        for _ in range(_MAX_ROUNDS):
            before = dict(self.variables), dict(self.keys), dict(self.results)
            self._content(self._root, Focus(ALL, ALL))
            if before == (self.variables, self.keys, self.results):
                return frozenset(self.read)
        raise NotUnderstood

    # ---- instructions

    def _content(self, parent: etree._Element, focus: Focus) -> None:
        for child in parent.iterchildren("*"):
            self._instruction(child, focus)

    def _instruction(self, element: etree._Element, focus: Focus) -> None:
        tag = str(element.tag)
        if not tag.startswith(XSL):
            for attribute, value in element.attrib.items():
                if str(attribute).removeprefix(XSL) in _REFUSED:
                    raise NotUnderstood
                self._braced(str(value), focus)
            self._content(element, focus)
            return
        name = tag.removeprefix(XSL)
        if name not in _TESTS | _READS | _SELECTS | _BINDS | _PLAIN:
            raise NotUnderstood
        for attribute, value in element.attrib.items():
            if attribute in _TEMPLATED or (attribute == "name" and name in _NAMED_BY_TEXT):
                self._braced(str(value), focus)
        select = element.get("select")
        names = self.names(select, focus) if select is not None else NONE
        if _REFUSED & set(map(str, element.keys())):
            raise NotUnderstood
        if name == "map-entry":
            self.read |= self.names(element.get("key") or "", focus)
        if name == "sort":
            names = self._sorted_by(element, focus)
        if name == "sequence" and (function := _function_of(element)) is not None:
            key = str(function.get("name"))
            self.results[key] = names | self.results.get(key, NONE)
        elif name in _TESTS:
            self.names(f"boolean({element.get('test')})", focus)
        elif name in _READS:
            self.read |= names
        elif name in _BINDS:
            self.bind(str(element.get("name")), names)
        if name in ("template", "key"):
            focus = self._matched(element, name)
        elif name == "function":
            focus = Focus(ALL, ALL)
        elif name in ("for-each", "for-each-group"):
            focus = Focus(names, names, focus.variables)
            self.read |= self.names(element.get("group-by") or "()", focus)
        elif name in ("copy", "next-match") or (
            name == "apply-templates"
            and (select is None or names)
            and self._modes.give_text(element)
        ):
            self.read |= ALL
        self._content(element, focus)

    def _matched(self, element: etree._Element, name: str) -> Focus:
        match = element.get("match")
        if match is None:
            return Focus(ALL, ALL)
        names = self.names(match, Focus(ALL, ALL))
        focus = Focus(names, names)
        if name == "key":
            self.keys[str(element.get("name"))] = names | self.keys.get(
                str(element.get("name")), NONE
            )
            self.read |= self.names(element.get("use") or ".", focus)
        return focus

    def _sorted_by(self, element: etree._Element, focus: Focus) -> Names:
        parent = element.getparent()
        if parent is None or parent.tag == f"{XSL}apply-templates":
            raise NotUnderstood
        return self.names(element.get("select") or ".", focus)

    def _braced(self, text: str, focus: Focus) -> None:
        if set("{}") & set(_BRACED.sub("", text)):
            raise NotUnderstood  # braces within braces, in a literal
        for found in _BRACED.finditer(text):
            if found[1] is not None:
                self.read |= self.names(found[1], focus)


def _function_of(sequence: etree._Element) -> etree._Element | None:
    """The function whose answer the sequence is (a part of), if it is."""
    for above in sequence.iterancestors():
        name = str(above.tag)
        if name == f"{XSL}function":
            return above
        if name.removeprefix(XSL) not in ("choose", "when", "otherwise", "if", "for-each"):
            return None
    return None
