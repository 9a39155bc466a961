"""From the elements of Schematron source to what they mean (`source_model`).

Resolves includes, abstract patterns and rules, and the phase, and notes whatever is not as ISO
Schematron has it: an element that is not understood is never passed over, because what it says
would then go unchecked.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from lxml import etree

from gateway.core.schematron.source_files import Node, SourceFiles
from gateway.core.schematron.source_model import OWN, Pattern, Schema
from gateway.core.schematron.source_rules import XSL, RuleReader, copied, required, unknown

_BINDINGS: Final = {"xslt2": "2.0", "xpath2": "2.0", "xslt3": "3.0", "xpath3": "3.0"}
_TOP: Final = frozenset(
    {"title", "p", "properties", "diagnostics", "ns", "let", "phase", "pattern", ""}
)
_XSLT: Final = ("key", "function", "variable", "decimal-format")


def read_schema(path: Path, phase: str | None) -> tuple[Schema, SourceFiles]:
    """The schema in `path` and its files; `phase` None: the default phase, else all patterns.

    Raises SourceError with every fault of the Schematron. XPath is not looked at.
    """
    files = SourceFiles(path)
    schema = _SchemaReader(files).schema(phase)
    files.raise_faults()
    return schema, files


class _SchemaReader:
    def __init__(self, files: SourceFiles) -> None:
        self._files = files
        self._root = files.root()
        self._top = list(files.children(self._root))
        every = [node for node in self._top if node.kind == "pattern"]
        abstract = [node for node in every if _is_abstract(node)]
        self._concrete = [node for node in every if not _is_abstract(node)]
        self._abstract = self._by_id(abstract)
        diagnostics = self._inside("diagnostics", self._top)
        rules = [
            node for pattern in every for node in files.children(pattern) if node.kind == "rule"
        ]
        self._rules = RuleReader(
            files,
            self._by_id(node for node in diagnostics if node.kind == "diagnostic"),
            self._by_id(node for node in rules if _is_abstract(node)),
        )

    def schema(self, phase: str | None) -> Schema:
        """The whole of it, as far as the faults let it be read."""
        for node in self._top:
            if node.kind not in _TOP:
                unknown(self._files, node)
        patterns, of_phase = self._active(phase)
        read = tuple(map(self._pattern, patterns))
        if not any(rule.assertions for pattern in read for rule in pattern.rules):
            self._files.object(
                self._root.place,
                "No pattern that runs holds an assertion: nothing would be checked.",
                "Write a pattern with a rule and an assert, or name another phase.",
            )
        titles = ("".join(map(str, node.element.itertext())) for node in self._top_of("title"))
        return Schema(
            title=" ".join(next(titles, "").split()),
            release=self._root.get("schemaVersion"),
            version=self._version(),
            namespaces=self._namespaces(),
            xslt=self._xslt(),
            lets=self._rules.lets([*self._top, *of_phase]),
            patterns=read,
        )

    def _top_of(self, kind: str) -> list[Node]:
        return [node for node in self._top if node.kind == kind]

    def _inside(self, kind: str, nodes: Iterable[Node]) -> list[Node]:
        return [
            child for node in nodes if node.kind == kind for child in self._files.children(node)
        ]

    def _by_id(self, nodes: Iterable[Node]) -> dict[str, Node]:
        found: dict[str, Node] = {}
        for node in nodes:
            name = required(self._files, node, "id")
            if found.setdefault(name, node) is not node:
                what = f"There is another <{node.kind}> with the id {name}."
                self._files.object(node.place, what, "Rename one of the two.")
        return found

    def _version(self) -> str:
        binding = self._root.get("queryBinding").lower()
        if binding not in _BINDINGS:
            self._files.object(
                self._root.place,
                f"The query binding is {binding or 'xslt'!r}; here, XPath 2 and 3 are run, which "
                "compare differently.",
                'Look its comparisons through, then write queryBinding="xslt2" (or "xslt3").',
            )
        return _BINDINGS.get(binding, "2.0")

    def _namespaces(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for node in self._top_of("ns"):
            prefix = required(self._files, node, "prefix")
            uri = required(self._files, node, "uri")
            if found.setdefault(prefix, uri) != OWN.get(prefix, uri) or found[prefix] != uri:
                what = f"The prefix {prefix} has another meaning already."
                self._files.object(node.place, what, "Rename one of them.")
        return found

    def _xslt(self) -> tuple[Node, ...]:
        found = []
        for node in self._top:
            name = etree.QName(node.element)
            if name.namespace != XSL:
                continue
            if name.localname in _XSLT:
                found.append(node)
            else:
                known = ", ".join(f"xsl:{known}" for known in _XSLT)
                what = f"xsl:{name.localname} is not taken over into what runs."
                self._files.object(node.place, what, f"A schema may hold {known}.")
        return tuple(found)

    def _active(self, phase: str | None) -> tuple[list[Node], list[Node]]:
        """The patterns that run in this phase, in the order of the source; and its children."""
        name = self._root.get("defaultPhase") if phase in (None, "#DEFAULT") else phase
        if not name or name == "#ALL":
            return self._concrete, []
        phases = self._by_id(self._top_of("phase"))
        if name not in phases:
            known = ", ".join(["#ALL", *phases])
            what = f"There is no phase {name!r}."
            self._files.object(self._root.place, what, f"Phases are: {known}.")
            return self._concrete, []
        children = list(self._files.children(phases[name]))
        known_patterns = {node.get("id") for node in self._concrete}
        active = set()
        for child in children:
            if child.kind == "active":
                active.add(required(self._files, child, "pattern"))
                if child.get("pattern") not in known_patterns:
                    what = f"There is no pattern {child.get('pattern')!r} to make active."
                    self._files.object(child.place, what, "Mend the name.")
            elif child.kind not in {"let", "p"}:
                unknown(self._files, child)
        return [node for node in self._concrete if node.get("id") in active], children

    def _pattern(self, node: Node) -> Pattern:
        body = self._instantiated(node) if node.get("is-a") else node
        if node.get("documents") or body.get("documents"):
            what = "The pattern wants to read other documents."
            remedy = "Take documents out: rules see the document that is judged, nothing else."
            self._files.object(node.place, what, remedy)
        children = list(self._files.children(body))
        for child in children:
            if child.kind not in {"rule", "let", "title", "p", "param"}:
                unknown(self._files, child)
        rules = [child for child in children if child.kind == "rule" and not _is_abstract(child)]
        return Pattern(
            attributes=copied(node, "id", "role"),
            lets=self._rules.lets(children),
            rules=tuple(map(self._rules.rule, rules)),
            place=node.place,
        )

    def _instantiated(self, node: Node) -> Node:
        """The abstract pattern, with the parameters of this instance (else its own) filled in."""
        name = node.get("is-a")
        abstract = self._abstract.get(name)
        if abstract is None:
            known = ", ".join(self._abstract) or "none"
            what = f"There is no abstract pattern {name!r}."
            self._files.object(node.place, what, f"Abstract patterns are: {known}.")
            return node
        params: dict[str, str] = {}
        for child in [*self._files.children(abstract), *self._files.children(node)]:
            if child.kind == "param":
                params[required(self._files, child, "name")] = child.get("value")
        return abstract.with_params(params)


def _is_abstract(node: Node) -> bool:
    return node.get("abstract").lower() in {"true", "1"}
