"""The attached documents of a document received, to be written into another.

The canonical invoice holds their names only (BT-125); whoever writes a document from one that was
read takes their bytes from there.
"""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from gateway.core.mapping.entries import Table
from gateway.core.mapping.paths import Path, text_of

Contents = dict[str, list[str]]
"""Group whose element holds a file (BT-125) → what the files hold, in Base64, in order."""


def contents(root: etree._Element, table: Table) -> Contents:
    """What the files in a document hold."""
    key = next((key for key, form in table.documents.items() if form.root == root.tag), None)
    if key is None:
        return {}
    return {
        group: [text_of(element) for element in _elements(root, table, group, key)]
        for group, entry in table.groups.items()
        if entry.file
    }


def _elements(root: etree._Element, table: Table, group: str, key: str) -> Iterator[etree._Element]:
    """The elements of a group, but those of which the canonical invoice knows nothing."""
    attributes = {
        attribute
        for term in table.terms.values()
        if term.group == group
        for text in term.texts(key)
        if (attribute := table.path(text).attribute) is not None
    }
    for element in _of_group(root, table, group, key):
        if any(str(element.get(name, "")).strip() for name in attributes):
            yield element


def _of_group(
    root: etree._Element, table: Table, group: str | None, key: str
) -> Iterator[etree._Element]:
    if group is None:
        yield root
        return
    entry = table.groups[group]
    for element in _of_group(root, table, entry.group, key):
        for text in entry.texts(key):
            yield from _along(element, table.path(text))


def _along(element: etree._Element, path: Path, position: int = 0) -> Iterator[etree._Element]:
    """The elements at the end of a path whose conditions compare with no other term."""
    if position == len(path.steps):
        yield element
        return
    step = path.steps[position]
    for child in element.iterchildren(step.tag):
        if all(condition.test()(child, {}) for condition in step.conditions):
            yield from _along(child, path, position + 1)
