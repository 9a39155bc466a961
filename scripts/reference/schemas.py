"""JSON Schema as tables: what a property is called, what it may be, what it means."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from scripts.reference.markdown import prose, table

Node = dict[str, Any]


class Contract(NamedTuple):
    """A contract in YAML, and what its references mean."""

    document: Node

    def resolved(self, node: Node) -> Node:
        """The node itself, or what its `$ref` names, where that is inside."""
        while str(node.get("$ref", "")).startswith("#/"):
            found: Any = self.document
            for step in node["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            node = found
        return node


def type_words(node: Node) -> str:
    """What a value may be, in a few words."""
    if "$ref" in node:
        name = str(node["$ref"]).rsplit("/", 1)[-1]
        return f"`{name}`"
    if "const" in node:
        return f"`{_literal(node['const'])}`"
    if "enum" in node:
        return ", ".join(f"`{_literal(value)}`" for value in node["enum"])
    for key, word in (("oneOf", " or "), ("anyOf", " or "), ("allOf", " and ")):
        if key in node:
            said = [type_words(each) for each in node[key]]
            return word.join(dict.fromkeys(words for words in said if words))
    kinds = node.get("type", "")
    words = " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
    words = words.replace("null", "`null`")
    if "array" in words and "items" in node:
        words = words.replace("array", f"list of {type_words(node['items']) or 'object'}")
    if "format" in node:
        words += f" ({node['format']})"
    low, high = node.get("minimum"), node.get("maximum")
    if low is not None and high is not None:
        words += f", {low} to {high}"
    elif low is not None:
        words += f", {low} or more"
    return words


def _literal(value: object) -> str:
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)


def properties(node: Node, contract: Contract, path: str = "") -> Iterator[tuple[str, str, str]]:
    """Every property of an object by its path, `[]` behind lists: name, type, meaning."""
    node = contract.resolved(node)
    for part in node.get("allOf", []) or node.get("oneOf", []):
        if "$ref" not in part:
            yield from properties(part, contract, path)
    required = node.get("required", ())
    for name, inner in node.get("properties", {}).items():
        meaning = prose(str(inner.get("description", "")))
        if name not in required:
            meaning = f"May be left out. {meaning}".strip()
        yield f"`{path}{name}`", type_words(inner), meaning
        if "properties" in inner:
            yield from properties(inner, contract, f"{path}{name}.")
        items = inner.get("items", {})
        if "properties" in items:
            yield from properties(items, contract, f"{path}{name}[].")


def schema_section(name: str, contract: Contract) -> str:
    """One named schema under a heading of its own."""
    schema = contract.document["components"]["schemas"][name]
    lines = [f"### `{name}`\n"]
    if "description" in schema:
        lines.append(f"{str(schema['description']).rstrip()}\n")
    rows = list(dict.fromkeys(properties(schema, contract)))
    if rows:
        lines.append(table(("property", "type", "meaning"), rows))
    else:
        lines.append(f"{type_words(schema)}\n")
    return "\n".join(lines)
