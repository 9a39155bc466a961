"""From a mapping table to the tree that reads a document, one tree for each kind of document."""

from __future__ import annotations

from typing import Any

import msgspec
from lxml import etree

from gateway.core.mapping.conversions import Locator, Reading, conversion
from gateway.core.mapping.paths import Path
from gateway.core.mapping.reader import Branch, Builder, GroupReader, Leaf, walk
from gateway.core.mapping.table import Group, Table, Term, model_fields
from gateway.model.invoice import Invoice, Source
from gateway.model.invoice_types import BusinessGroup
from gateway.model.verdict import Finding


class MappingResult(msgspec.Struct, frozen=True):
    """The canonical invoice, and what could not be put into it.

    A finding of severity error means that `invoice` lacks something the document says, or that
    every profile asks for: it must not be published. Locations are friendly XPaths.
    """

    invoice: Invoice
    findings: tuple[Finding, ...]


class DocumentReader:
    """The reader tree of one kind of document (`ubl`, `ubl_credit_note` or `cii`)."""

    def __init__(self, table: Table, key: str) -> None:
        self.form = table.documents[key]
        self._table = table
        self._key = key
        self._root = Branch(())
        self._builder = self._compiled(Invoice, self._root)
        self._compared = self._paths_compared_with()
        self._always = [
            (self._property_path(entry), term, entry)
            for term, entry in table.terms.items()
            if entry.always
        ]

    def read(self, root: etree._Element, locate: Locator | None) -> MappingResult:
        """See `Mapping.to_canonical`."""
        terms = {
            term: value.upper()
            for term, paths in self._compared.items()
            if (value := next(filter(None, (path.first_value(root) for path in paths)), None))
        }
        reading = Reading(terms, locate)
        frame: dict[str, Any] = {}
        walk(root, self._root, frame, reading)
        name = etree.QName(root)
        invoice = Invoice(
            source=Source(
                syntax=self.form.syntax.value,
                root=name.localname,
                namespace=name.namespace or "",
            ),
            **self._builder.values(frame),
        )
        told = {term for finding in reading.findings for term in finding.terms}
        for properties, term, entry in self._always:
            held: Any = invoice
            for property_name in properties:
                held = getattr(held, property_name, None)
            if held is None and term not in told:  # else a finding says why it is not there
                reading.report("MAP-MISSING", root, term, path=self._full_path(entry))
        return MappingResult(invoice, tuple(reading.findings))

    def _compiled(self, struct: type[BusinessGroup], at: Branch) -> Builder:
        """Grow the tree below `at` for the terms of `struct`; the builder for what it reads."""
        builder = Builder(struct)
        for field in model_fields(struct):
            group = self._table.groups.get(field.term)
            if group is None:
                self._add_term(field.term, self._table.terms[field.term], at)
            elif field.struct is not None and group.texts(self._key) == ["."]:
                builder.nested.append((field.name, self._compiled(field.struct, at)))
                continue
            elif field.struct is not None:
                self._add_group(field.term, group, field.struct, at)
            builder.fields.append((field.name, field.term, field.repeats))
        return builder

    def _add_group(self, key: str, group: Group, struct: type[BusinessGroup], at: Branch) -> None:
        for rank, text in enumerate(group.texts(self._key)):
            root = Branch(())
            builder = self._compiled(struct, root)
            reader = GroupReader(key, root, builder, repeats=group.repeats, rank=rank)
            _descend(at, self._table.path(text)).groups.append(reader)

    def _add_term(self, key: str, term: Term, at: Branch) -> None:
        schemes = (term.scheme(self.form.syntax), term.scheme_version(self.form.syntax))
        scheme, version = (self._table.path(text) if text else None for text in schemes)
        convert = conversion(key, term, self.form, (scheme, version))
        for rank, text in enumerate(term.texts(self._key)):
            path = self._table.path(text)
            leaf = Leaf(
                key, attribute=path.attribute, convert=convert, repeats=term.repeats, rank=rank
            )
            _descend(at, path).leaves.append(leaf)

    def _paths_compared_with(self) -> dict[str, list[Path]]:
        """The terms whose value conditions and currencies ask for: read before the walk."""
        asked = {term.currency for term in self._table.terms.values() if term.currency}
        entries: list[Group | Term] = [*self._table.groups.values(), *self._table.terms.values()]
        for entry in entries:
            for text in entry.texts(self._key):
                for step in self._table.path(text).steps:
                    asked.update(one.term for one in step.conditions if one.term)
        return {
            term: [self._table.path(text) for text in self._table.terms[term].texts(self._key)]
            for term in sorted(asked)
        }

    def _property_path(self, entry: Group | Term) -> tuple[str, ...]:
        """The properties that lead from the invoice to an entry's value."""
        if entry.group is None:
            return (entry.property_name,)
        return (*self._property_path(self._table.groups[entry.group]), entry.property_name)

    def _full_path(self, entry: Group | Term) -> str:
        """Where a term is expected, as the table writes it."""
        own = entry.texts(self._key)[0]
        if entry.group is None:
            return own
        above = self._full_path(self._table.groups[entry.group])
        return own if above == "." else f"{above}/{own}"


def _descend(at: Branch, path: Path) -> Branch:
    for step in path.steps:
        at = at.child(step.tag, step.conditions)
    return at
