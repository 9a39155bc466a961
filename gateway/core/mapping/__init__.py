"""From UBL and CII to the canonical invoice, by a table of business terms.

    mappings/en16931.toml ── table ──▶ Table ── compiler ──▶ reader tree ── walk ──▶ Invoice

The table (mappings/<name>.toml) says where each term of EN 16931 stands; the model
(gateway.model.invoice) says what the canonical invoice looks like. Nothing about a particular
term is written in code.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path as File

from lxml import etree

from gateway.core.mapping.compiler import DocumentReader, MappingResult
from gateway.core.mapping.conversions import Locator
from gateway.core.mapping.file_rules import FileRules
from gateway.core.mapping.files import Files
from gateway.core.mapping.table import Table, read_table
from gateway.errors import ConfigurationError
from gateway.model.interchange import Syntax
from gateway.model.verdict import Finding
from gateway.resources import data_folder

__all__ = ["FileRules", "Files", "Locator", "Mapping", "MappingResult"]


class Mapping:
    """A mapping table, compiled once for each kind of document; immutable, safe to share."""

    def __init__(self, name: str, table: Table) -> None:
        self.name = name
        self.table = table
        self._readers = {
            form.root: DocumentReader(table, key) for key, form in table.documents.items()
        }

    @classmethod
    def load(cls, name: str, folder: File | None = None) -> Mapping:
        """The mapping in mappings/<name>.toml.

        Raises ConfigurationError that lists every fault of the table, each with entry and remedy.
        """
        return cls(name, read_table((folder or data_folder("mappings")) / f"{name}.toml"))

    def to_canonical(
        self,
        root: etree._Element,
        syntax: Syntax,
        locate: Locator | None = None,
        *,
        files: Files | None = None,
        file_rules: FileRules | None = None,
    ) -> MappingResult:
        """The canonical invoice of a document whose root element is `root`.

        `locate` gives the place of an element in the document as received, for the findings;
        without it they carry what lxml knows, the line. `files` takes what is attached and
        `file_rules` says what is looked at in it; without them it is read and not kept.

        Reads nothing but the tree and never raises for what is in it. Raises ConfigurationError
        when the table has no such root element: the flow names the wrong mapping. Raises
        SpoolError or ScratchFull when `files` cannot write.
        """
        return self._reader(root, syntax).read(root, locate, files, file_rules)

    def given_twice(
        self,
        root: etree._Element,
        syntax: Syntax,
        locate: Locator | None,
        where: Callable[[etree._Element], bool],
    ) -> tuple[Finding, ...]:
        """Terms and groups that EN 16931-1 has once and the document gives again, as errors.

        `where` says of the element of each repetition whether it is meant; repeated values that
        are equal count, too. Most documents live with such a repetition (`MAP-REPEATED` tells of
        it): this is for one on which the official rules gave up. Raises as `to_canonical`.
        """
        return self._reader(root, syntax).given_twice(root, locate, where)

    def _reader(self, root: etree._Element, syntax: Syntax) -> DocumentReader:
        reader = self._readers.get(str(root.tag))
        if reader is None or reader.form.syntax != syntax:
            raise ConfigurationError(
                f"The mapping “{self.name}” cannot read {syntax} documents with the root "
                f"element {root.tag}.",
                remedy="Give the flow another mapping, or add the root to the table's [documents].",
            )
        return reader
