"""What Schematron source says, once its abstractions are gone: patterns of rules of assertions.

Everything here stands in the order of the source, and for each expression where it stands.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from lxml import etree

from gateway.core.schematron.source_files import Node, Place


class Value(NamedTuple):
    """XPath inside a text. `name`: the name of the node is meant, not its value."""

    xpath: str
    place: Place
    name: bool = False


Text = tuple[str | Value, ...]


class Let(NamedTuple):
    """A variable. `content` holds its value when that is a tree and not an XPath."""

    name: str
    value: str
    type: str
    content: etree._Element | None
    place: Place


class Diagnostic(NamedTuple):
    """More to be said of an assertion. `language`: as xml:lang has it; "" where nothing is said."""

    name: str
    language: str
    text: Text


class Assertion(NamedTuple):
    """An `assert`, or with `positive` a `report`."""

    positive: bool
    test: str
    attributes: dict[str, str]
    subject: str
    text: Text
    diagnostics: tuple[Diagnostic, ...]
    place: Place


class Rule(NamedTuple):
    """A rule with what it extends. `attributes`: id, role and flag as written."""

    context: str
    attributes: dict[str, str]
    lets: tuple[Let, ...]
    assertions: tuple[Assertion, ...]
    place: Place


class Pattern(NamedTuple):
    """A pattern: the first of its rules that matches a node has it."""

    attributes: dict[str, str]
    lets: tuple[Let, ...]
    rules: tuple[Rule, ...]
    place: Place


class Schema(NamedTuple):
    """All that runs. `xslt`: functions and keys; `version`: of XSLT, by the query binding."""

    title: str
    release: str
    version: str
    namespaces: dict[str, str]
    xslt: tuple[Node, ...]
    lets: tuple[Let, ...]
    patterns: tuple[Pattern, ...]


OWN: Final = {
    "xsl": "http://www.w3.org/1999/XSL/Transform",
    "svrl": "http://purl.oclc.org/dsdl/svrl",
    "edi-gateway": "urn:edi-gateway:schematron",
}
"""Prefixes that always mean this in the stylesheet; a schema may not give them another meaning."""
