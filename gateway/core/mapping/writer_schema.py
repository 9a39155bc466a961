"""What an official XSD says about elements: their order, how often they may stand, what they need.

Only what a writer asks for is read: sequences, occurrences and attributes, by name. Whether a
document is valid remains libxml2's business (`core.xsd`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from lxml import etree

from gateway.errors import RulePackError

_XSD: Final = "{http://www.w3.org/2001/XMLSchema}"
_GROUPS: Final = (f"{_XSD}sequence", f"{_XSD}choice", f"{_XSD}all")
_EXTENDED: Final = (f"{_XSD}extension", f"{_XSD}restriction")


class ElementType:
    """The type of an element. What has no children holds text."""

    __slots__ = ("_schema", "attributes", "children")

    def __init__(self, schema: OfficialSchema | None = None) -> None:
        self._schema = schema
        self.children: dict[str, Child] = {}
        """By name in Clark notation, in the order in which they must stand."""
        self.attributes: dict[str, bool] = {}
        """Name → whether it must be there."""


class Child:
    """An element at its place in another."""

    __slots__ = ("_node", "_schema", "_type", "many", "position", "required")

    def __init__(
        self, schema: OfficialSchema, node: Any, position: int, *, required: bool, many: bool
    ) -> None:
        self._schema = schema
        self._node = node
        self._type: ElementType | None = None
        self.position = position
        self.required = required
        self.many = many

    @property
    def type(self) -> ElementType:
        """Its own type; looked up when asked for, since types may contain themselves."""
        if self._type is None:
            self._type = self._schema.type_of(self._node)
        return self._type


class OfficialSchema:
    """One XSD with everything it imports."""

    def __init__(self, file: Path) -> None:
        self._elements: dict[str, Any] = {}
        self._types: dict[str, Any] = {}
        self._known: dict[Any, ElementType] = {}
        try:
            self._load(file.resolve(), set())
        except (OSError, etree.LxmlError) as error:
            raise RulePackError(
                f"The schema {file} cannot be used: {error}.",
                remedy="Reinstall the package it comes from; edi-gateway check says which.",
            ) from error

    def root(self, tag: str) -> ElementType:
        """The type of a root element. Raises KeyError when the schema has none of that name."""
        return self.type_of(self._elements[tag])

    def type_of(self, declared: Any) -> ElementType:
        """The type of a declared element."""
        if reference := declared.get("ref"):
            declared = self._elements[_clark(declared, reference)]
        name = declared.get("type")
        definition = (
            declared.find(f"{_XSD}complexType")
            if name is None
            else self._types.get(_clark(declared, name))
        )
        if definition is None:  # a simple type
            return ElementType()
        if definition not in self._known:
            self._known[definition] = made = ElementType(self)
            self._read(definition, made)
        return self._known[definition]

    def _load(self, file: Path, seen: set[Path]) -> None:
        seen.add(file)
        parser = etree.XMLParser(no_network=True, resolve_entities=False, remove_comments=True)
        root = etree.parse(str(file), parser).getroot()
        target = root.get("targetNamespace", "")
        for node in root:
            name = f"{{{target}}}{node.get('name')}"
            if node.tag == f"{_XSD}element":
                self._elements[name] = node
            elif node.tag == f"{_XSD}complexType":
                self._types[name] = node
            elif location := node.get("schemaLocation"):
                other = (file.parent / location).resolve()
                if other not in seen:
                    self._load(other, seen)

    def _read(self, definition: Any, made: ElementType) -> None:
        """Children and attributes of a complex type, those of its base first."""
        for content in definition.iterchildren(f"{_XSD}complexContent", f"{_XSD}simpleContent"):
            for extended in content.iterchildren(*_EXTENDED):
                base = self._types.get(_clark(extended, extended.get("base")))
                if base is not None:
                    self._read(base, made)
                self._read(extended, made)
        for node in definition:
            if node.tag in _GROUPS:
                for declared, required, many in _declared(node, True, False):
                    made.children.setdefault(
                        _name(declared),
                        Child(self, declared, len(made.children), required=required, many=many),
                    )
            elif node.tag == f"{_XSD}attribute" and node.get("name"):
                made.attributes[node.get("name")] = node.get("use") == "required"


def _declared(group: Any, required: bool, many: bool) -> Iterator[tuple[Any, bool, bool]]:
    """The elements of a sequence or choice, with whether each must stand, and may repeat."""
    required = required and group.get("minOccurs") != "0" and not group.tag.endswith("choice")
    many = many or group.get("maxOccurs", "1") not in ("0", "1")
    for node in group:
        if node.tag == f"{_XSD}element":
            yield (
                node,
                required and node.get("minOccurs") != "0",
                many or node.get("maxOccurs", "1") not in ("0", "1"),
            )
        elif node.tag in _GROUPS:
            yield from _declared(node, required, many)


def _name(declared: Any) -> str:
    """The name of a declared element in Clark notation; all our schemas are qualified."""
    if reference := declared.get("ref"):
        return _clark(declared, reference)
    target = declared.getroottree().getroot().get("targetNamespace", "")
    return f"{{{target}}}{declared.get('name')}"


def _clark(node: Any, name: str) -> str:
    """A prefixed name in Clark notation, by the namespaces at `node`."""
    prefix, colon, local = name.rpartition(":")
    return f"{{{node.nsmap.get(prefix if colon else None, '')}}}{local}"
