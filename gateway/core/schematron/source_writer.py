"""Writes Schematron (`source_model`) as XSLT, in the shape that the ISO skeleton gave the world.

Each pattern is a mode, each rule a template of it; of two templates that match, the one of the
earlier rule has the higher priority, so a node goes to the first rule that wants it. Whoever can
read a compiled pack (`skeleton`, `inventory`) can read this.

What the optimiser cannot read, or is not asked to, runs as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from gateway.core.schematron.source_model import (
    OWN,
    Assertion,
    Let,
    Pattern,
    Rule,
    Schema,
    Text,
    Value,
)
from gateway.core.schematron.source_names import Renaming, prefixes_in, renamed, renamings
from gateway.core.schematron.source_xml import PlacedWriter, Stylesheet

_USUAL: Final = {
    "xs": "http://www.w3.org/2001/XMLSchema",
    "xsd": "http://www.w3.org/2001/XMLSchema",
    "fn": "http://www.w3.org/2005/xpath-functions",
    "map": "http://www.w3.org/2005/xpath-functions/map",
    "array": "http://www.w3.org/2005/xpath-functions/array",
    "math": "http://www.w3.org/2005/xpath-functions/math",
}
_FIRST_PRIORITY: Final = 1_000_000
_BEYOND_ELEMENTS: Final = re.compile(r"\b(?:text|comment|node|processing-instruction)\s*\(")
_ATTRIBUTES: Final = re.compile(r"@|\battribute\s*(?:::|\()")

_WITNESS: Final = "witness"
_PATH: Final = (
    "if (not($node/..)) then '/' else concat(string-join(for $n in $node/ancestor-or-self::* "
    "return concat('/*:', local-name($n), '[namespace-uri()=''', namespace-uri($n), '''][', "
    "1 + count($n/preceding-sibling::*[node-name(.) = node-name($n)]), ']'), ''), "
    "if ($node instance of attribute()) then concat('/@*[local-name()=''', local-name($node), "
    "''' and namespace-uri()=''', namespace-uri($node), ''']') else '')"
)
_NAME: Final = "for $n in ({}) return if ($n instance of node()) then name($n) else string($n)"


def write(schema: Schema) -> Stylesheet:
    """The stylesheet of a schema."""
    writer = PlacedWriter()
    namespaces = _USUAL | schema.namespaces | OWN
    declared = {f"xmlns:{prefix}": uri for prefix, uri in namespaces.items()}
    writer.open("xsl:stylesheet", {"version": schema.version} | declared)
    writer.empty("xsl:output", {"method": "xml", "indent": "no"})
    for node in schema.xslt:
        writer.copy(node, namespaces)
    for let in schema.lets:
        _variable(writer, let, {}, "xsl:param")
    names = renamings(schema)
    for pattern, renaming in zip(schema.patterns, names, strict=True):
        for let in pattern.lets:
            _variable(writer, let, renaming)
    _path_function(writer)
    _report(writer, schema)
    writer.empty("xsl:template", {"match": "text()", "priority": "-1"})
    for number, (pattern, renaming) in enumerate(zip(schema.patterns, names, strict=True)):
        _pattern(writer, pattern, f"M{number}", renaming)
    _witness(writer, schema)
    writer.close("xsl:stylesheet")
    return writer.written()


def _variable(
    writer: PlacedWriter, let: Let, renaming: Renaming, tag: str = "xsl:variable"
) -> None:
    """A variable; one of the schema is a parameter, for who runs it to set."""
    attributes = {"name": renaming.get(let.name, let.name)}
    if let.type:
        attributes["as"] = let.type
    if let.content is None:
        value = renamed(let.value, renaming)
        writer.empty(tag, attributes | {"select": value}, let.place)
        return
    writer.open(tag, attributes, let.place)
    writer.literal(let.content, let.place)
    writer.close(tag)


def _path_function(writer: PlacedWriter) -> None:
    """The place of a node as a path, as `locations` reads it."""
    writer.open("xsl:function", {"name": "edi-gateway:path"})
    writer.empty("xsl:param", {"name": "node"})
    writer.empty("xsl:sequence", {"select": _PATH})
    writer.close("xsl:function")


def _report(writer: PlacedWriter, schema: Schema) -> None:
    writer.open("xsl:template", {"match": "/"})
    said = {"title": schema.title, "schemaVersion": schema.release}
    writer.open(
        "svrl:schematron-output",
        {key: _fixed(value) for key, value in said.items() if value},
    )
    for prefix, uri in schema.namespaces.items():
        attributes = {"prefix": _fixed(prefix), "uri": _fixed(uri)}
        writer.empty("svrl:ns-prefix-in-attribute-values", attributes)
    modes = [(f"M{number}", each.attributes) for number, each in enumerate(schema.patterns)]
    for mode, attributes in [*modes, (_WITNESS, {})]:
        writer.open(
            "svrl:active-pattern", {key: _fixed(value) for key, value in attributes.items()}
        )
        writer.empty("xsl:apply-templates", {})
        writer.close("svrl:active-pattern")
        writer.empty("xsl:apply-templates", {"select": "/", "mode": mode})
    writer.close("svrl:schematron-output")
    writer.close("xsl:template")


def _pattern(writer: PlacedWriter, pattern: Pattern, mode: str, renaming: Renaming) -> None:
    contexts = " ".join(rule.context for rule in pattern.rules)
    onward = _onward(contexts)
    for number, rule in enumerate(pattern.rules):
        priority = str(_FIRST_PRIORITY - number)
        _rule(writer, rule, {"mode": mode, "priority": priority}, onward, renaming)
    _otherwise(writer, mode, onward)


def _onward(contexts: str) -> str:
    """Which nodes below another one the pattern has to look at."""
    if _BEYOND_ELEMENTS.search(contexts):
        return "@*|node()"
    return "@*|*" if _ATTRIBUTES.search(contexts) else "*"


def _otherwise(writer: PlacedWriter, mode: str, onward: str) -> None:
    """What happens where no rule of the pattern matches."""
    writer.open("xsl:template", {"match": "@*|node()", "mode": mode, "priority": "-2"})
    writer.empty("xsl:apply-templates", {"select": onward, "mode": mode})
    writer.close("xsl:template")


def _rule(
    writer: PlacedWriter, rule: Rule, place: Mapping[str, str], onward: str, renaming: Renaming
) -> None:
    context = renamed(rule.context, renaming)
    writer.open("xsl:template", {"match": context, **place}, rule.place)
    fired = {"context": rule.context} | rule.attributes
    writer.empty("svrl:fired-rule", {key: _fixed(value) for key, value in fired.items()})
    for let in rule.lets:
        _variable(writer, let, renaming)
    for assertion in rule.assertions:
        _assertion(writer, assertion, renaming)
    writer.empty("xsl:apply-templates", {"select": onward, "mode": place["mode"]})
    writer.close("xsl:template")


def _assertion(writer: PlacedWriter, assertion: Assertion, renaming: Renaming) -> None:
    test = {"test": renamed(assertion.test, renaming)}
    place = assertion.place
    if assertion.positive:
        writer.open("xsl:if", test, place)
        _fired(writer, "svrl:successful-report", assertion, renaming)
        writer.close("xsl:if")
        return
    writer.open("xsl:choose", {})
    writer.empty("xsl:when", test, place)
    writer.open("xsl:otherwise", {})
    _fired(writer, "svrl:failed-assert", assertion, renaming)
    writer.close("xsl:otherwise")
    writer.close("xsl:choose")


def _fired(writer: PlacedWriter, element: str, assertion: Assertion, renaming: Renaming) -> None:
    said = {"test": assertion.test} | assertion.attributes
    writer.open(element, {key: _fixed(value) for key, value in said.items()})
    writer.open("xsl:attribute", {"name": "location"})
    node = "."
    if assertion.subject:
        node = f"(({renamed(assertion.subject, renaming)}), .)[1]"
    writer.empty("xsl:value-of", {"select": f"edi-gateway:path({node})"}, assertion.place)
    writer.close("xsl:attribute")
    writer.open("svrl:text", {})
    _text(writer, assertion.text, renaming)
    writer.close("svrl:text")
    for diagnostic in assertion.diagnostics:
        attributes = {"diagnostic": _fixed(diagnostic.name)}
        if diagnostic.language:
            attributes["xml:lang"] = _fixed(diagnostic.language)
        writer.open("svrl:diagnostic-reference", attributes)
        _text(writer, diagnostic.text, renaming)
        writer.close("svrl:diagnostic-reference")
    writer.close(element)


def _text(writer: PlacedWriter, text: Text, renaming: Renaming) -> None:
    for part in text:
        if isinstance(part, Value):
            select = renamed(part.xpath, renaming)
            select = _NAME.format(select) if part.name else select
            writer.empty("xsl:value-of", {"select": select}, part.place)
        else:
            writer.open("xsl:text", {})
            writer.text(part)
            writer.close("xsl:text")


def _witness(writer: PlacedWriter, schema: Schema) -> None:
    """A pattern of our own that fires on every document whose namespaces the contexts name.

    To find none of the elements a rule is about is an answer ("there is no allowance"), not a
    check that could not be made; a document of another world is.
    """
    prefixes = {
        prefix
        for pattern in schema.patterns
        for rule in pattern.rules
        for prefix in prefixes_in(rule.context)
    }
    quoted = [
        "'" + uri.replace("'", "''") + "'"
        for prefix, uri in schema.namespaces.items()
        if prefix in prefixes
    ]
    match = f"/*[descendant-or-self::*[namespace-uri() = ({', '.join(quoted)})]]"
    writer.open("xsl:template", {"match": match, "mode": _WITNESS, "priority": "1"})
    writer.empty("svrl:fired-rule", {"context": _fixed(match)})
    writer.empty("xsl:apply-templates", {"select": "*", "mode": _WITNESS})
    writer.close("xsl:template")
    _otherwise(writer, _WITNESS, "*")


def _fixed(value: str) -> str:
    """An attribute of an element of the report: no braces of it are XPath."""
    return value.replace("{", "{{").replace("}", "}}")
