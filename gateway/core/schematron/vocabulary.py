"""The XSLT that compiled Schematron is written in: a small part of the language.

What is not in this list could reach into how templates are chosen, in which order, with what in
hand (modes, named templates, imports, parameters, default namespaces): whoever rewrites a
stylesheet would have to think of it. So nothing else is allowed.

XSLT 3 brings no other meaning to what is in the list, and what it adds (modes that are declared,
text that is a template, parameters that are static) takes elements or attributes that are not. What
XPath 3 adds may stand in any expression: whoever rewrites one reads it first (`xpath`, `matching`),
and leaves alone what is written in a way that was not foreseen.
"""

from __future__ import annotations

from typing import Final

from lxml import etree

XSL: Final = "http://www.w3.org/1999/XSL/Transform"

_X: Final = f"{{{XSL}}}"
_INSTRUCTIONS: Final[dict[str, frozenset[str]]] = {
    name: frozenset(attributes.split())
    for name, attributes in {
        "stylesheet": "version",
        "output": "method omit-xml-declaration standalone indent encoding",
        "param": "name select as",
        "variable": "name select as",
        "function": "name as",
        "sequence": "select",
        "key": "name match use",
        "template": "match mode priority",
        "apply-templates": "select mode",
        "attribute": "name",
        "choose": "",
        "comment": "",
        "for-each": "select",
        "if": "test",
        "number": "level count",
        "otherwise": "",
        "text": "",
        "value-of": "select separator",
        "when": "test",
    }.items()
}
"""Every XSLT element the skeleton's output is made of, with the attributes it may carry."""

_VERSIONS: Final = ("2.0", "3.0")
_GLOBAL: Final = frozenset({"output", "param", "variable", "function", "key", "template"})


class Unfamiliar(Exception):
    """The stylesheet is not what the skeleton makes. The message says in what."""


def check_vocabulary(stylesheet: etree._Element) -> None:
    """Look at every element of a stylesheet (its root element). Raises Unfamiliar."""
    if stylesheet.tag != f"{_X}stylesheet" or stylesheet.get("version") not in _VERSIONS:
        raise Unfamiliar("it is no xsl:stylesheet of version 2.0 or 3.0")
    for node in stylesheet.iter():
        if isinstance(node, etree._Entity):
            raise Unfamiliar("it holds an entity")
        if isinstance(node.tag, str):
            _check_element(node, stylesheet)


def _check_element(element: etree._Element, stylesheet: etree._Element) -> None:
    name = etree.QName(element)
    attributes = {str(attribute) for attribute in element.attrib}
    if name.namespace != XSL:
        if any(attribute.startswith(_X) for attribute in attributes):
            raise Unfamiliar(f"{name.localname} carries an attribute of XSLT")
        return
    local = name.localname
    if local not in _INSTRUCTIONS:
        raise Unfamiliar(f"it uses xsl:{local}")
    if unknown := attributes - _INSTRUCTIONS[local]:
        raise Unfamiliar(f"xsl:{local} has the attribute {min(unknown)}")
    parent = element.getparent()
    if (parent is stylesheet) is not (local in _GLOBAL):
        at_home = local in ("variable", "stylesheet") or (
            local == "param" and parent is not None and parent.tag == f"{_X}function"
        )
        if not at_home:
            raise Unfamiliar(f"xsl:{local} stands where the skeleton does not put it")
    if local == "apply-templates" and not any(
        above.tag == f"{_X}template" for above in element.iterancestors()
    ):
        raise Unfamiliar("templates are applied outside of templates")
