"""Rules, assertions, variables and texts of Schematron source, with what they extend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from lxml import etree

from gateway.core.schematron.source_files import Node, Place, SourceFiles
from gateway.core.schematron.source_model import OWN, Assertion, Diagnostic, Let, Rule, Text, Value

XSL: Final = OWN["xsl"]

_LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"
_INLINE: Final = frozenset({"emph", "span", "dir", ""})


class RuleReader:
    """Reads the rules of one schema; `diagnostics` and `abstract` are its elements by id."""

    def __init__(
        self, files: SourceFiles, diagnostics: Mapping[str, Node], abstract: Mapping[str, Node]
    ) -> None:
        self._files = files
        self._diagnostics = diagnostics
        self._abstract = abstract

    def rule(self, node: Node) -> Rule:
        """A rule that is not abstract, with all that it extends in its place."""
        lets: list[Let] = []
        assertions: list[Assertion] = []
        self._fill(node, lets, assertions, copied(node, "role", "flag"), (node.element,))
        names = [let.name for let in lets]
        for let in lets:
            if names.count(let.name) > 1:
                what = f"The variable {let.name} stands twice in this rule, or in what it extends."
                self._files.object(let.place, what, "Rename one of the two.")
        return Rule(
            context=required(self._files, node, "context"),
            attributes=copied(node, "id", "role", "flag"),
            lets=tuple(lets),
            assertions=tuple(assertions),
            place=_of(node, "the context of this rule"),
        )

    def lets(self, children: Iterable[Node]) -> tuple[Let, ...]:
        """The variables among the children of a schema, pattern or phase."""
        found: dict[str, Let] = {}
        for node in children:
            if node.kind != "let":
                continue
            let = self._let(node)
            if found.setdefault(let.name, let) is not let:
                what = f"The variable {let.name} stands twice."
                self._files.object(node.place, what, "Rename one of the two.")
        return tuple(found.values())

    def _fill(
        self,
        node: Node,
        lets: list[Let],
        assertions: list[Assertion],
        inherited: Mapping[str, str],
        trail: tuple[etree._Element, ...],
    ) -> None:
        for child in self._files.children(node):
            match child.kind:
                case "let":
                    lets.append(self._let(child))
                case "assert" | "report":
                    assertions.append(self._assertion(child, inherited))
                case "extends":
                    extended = self._extended(child)
                    if extended is None:
                        continue
                    if extended.element in trail:
                        what = "The rule extends itself."
                        self._files.object(child.place, what, "Take this <extends> out.")
                        continue
                    own = {**inherited, **copied(extended, "role", "flag")}
                    self._fill(extended, lets, assertions, own, (*trail, extended.element))
                case "p" | "title":
                    continue
                case _:
                    unknown(self._files, child)

    def _extended(self, node: Node) -> Node | None:
        if node.get("href"):
            return self._files.referred(node)
        name = required(self._files, node, "rule")
        abstract = self._abstract.get(name)
        self._files.count_copy(node)
        if abstract is not None:
            return abstract.with_params(node.params)
        if name:
            known = ", ".join(self._abstract) or "none"
            what = f"There is no abstract rule {name!r}."
            self._files.object(node.place, what, f"Abstract rules are: {known}.")
        return None

    def _let(self, node: Node) -> Let:
        name, value = required(self._files, node, "name"), node.get("value")
        if not value and not len(node.element) and not (node.element.text or "").strip():
            what = f"The variable {name} has no value."
            self._files.object(node.place, what, 'Write value="…", an XPath.')
        content = None if value else node.element
        return Let(name, value, node.get("as"), content, _of(node, f"the variable {name}"))

    def _assertion(self, node: Node, inherited: Mapping[str, str]) -> Assertion:
        attributes = copied(node, "id", "role", "flag")
        if not attributes.keys() & {"role", "flag"}:
            attributes |= inherited
        diagnostics = []
        for name in node.get("diagnostics").split():
            diagnostic = self._diagnostics.get(name)
            if diagnostic is None:
                what = f"There is no diagnostic {name!r}."
                self._files.object(node.place, what, "Write it, or mend the name.")
            else:
                text = self._text(diagnostic.with_params(node.params))
                diagnostics.append(Diagnostic(name, _language(diagnostic), text))
        return Assertion(
            positive=node.kind == "report",
            test=required(self._files, node, "test"),
            attributes=attributes,
            subject=node.get("subject"),
            text=self._text(node),
            diagnostics=tuple(diagnostics),
            place=_of(node, f"{node.kind} {node.get('id')}".rstrip()),
        )

    def _text(self, node: Node) -> Text:
        parts: list[str | Value] = [node.element.text or ""]
        for child in self._files.children(node):
            if child.kind == "value-of":
                select = required(self._files, child, "select")
                parts.append(Value(select, _of(child, "this value-of")))
            elif child.kind == "name":
                path = child.get("path") or "."
                parts.append(Value(path, _of(child, "this name"), name=True))
            elif etree.QName(child.element).namespace == XSL:
                what = "XSLT stands in a text."
                self._files.object(child.place, what, "Use <value-of> for values.")
            elif child.kind in _INLINE:
                parts += self._text(child)
            else:
                unknown(self._files, child)
            parts.append(child.element.tail or "")
        return tuple(part for part in parts if part)


def required(files: SourceFiles, node: Node, attribute: str) -> str:
    """The attribute, whose absence is a fault."""
    value = node.get(attribute)
    if not value:
        what = f"This <{node.kind}> has no {attribute}."
        files.object(node.place, what, f'Write {attribute}="…".')
    return value


def unknown(files: SourceFiles, node: Node) -> None:
    """Object to an element that is not understood where it stands.

    Elements of other namespaces are notes of somebody's, but for XSLT: that was meant to run.
    """
    name = etree.QName(node.element)
    if not node.kind and name.namespace != XSL:
        return
    what = f"<{node.kind or f'xsl:{name.localname}'}> has no place here, and would go unchecked."
    files.object(node.place, what, "Take it out, or see where ISO Schematron has it.")


def copied(node: Node, *names: str) -> dict[str, str]:
    """The attributes of these names that are there."""
    return {name: value for name in names if (value := node.get(name))}


def _language(diagnostic: Node) -> str:
    """Its own xml:lang, or that of the `diagnostics` around it.

    What stands further up is about the whole schema: its diagnostics continue its texts.
    """
    around = diagnostic.element.getparent()
    elements = [diagnostic.element, *([] if around is None else [around])]
    said = (
        str(element.get(_LANG) or "").strip()
        for element in elements
        if etree.QName(element).localname.startswith("diagnostic")
    )
    return next(filter(None, said), "")


def _of(node: Node, what: str) -> Place:
    return node.place._replace(what=what)
