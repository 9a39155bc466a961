"""From a mapping table to the tree that reads a document, one tree for each kind of document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from lxml import etree

from gateway.core.mapping.conversions import Locator, Reading, attributes_taken, conversion
from gateway.core.mapping.derived import completions, with_derived_paths
from gateway.core.mapping.file_rules import FileRules
from gateway.core.mapping.files import Files
from gateway.core.mapping.paths import Condition, Path
from gateway.core.mapping.reader import Branch, Builder, GroupReader, Leaf
from gateway.core.mapping.table import Group, Table, Term, model_fields
from gateway.core.mapping.unmapped import KnownNames, Unmapped
from gateway.core.mapping.walk import Place, walk
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
        self._names = KnownNames(table)
        root = Branch(())
        self._builder = self._compiled(Invoice, root)
        self._start = Place(((root, 0),), 1, self._names)
        self._compared = self._paths_compared_with()
        self._unlike = [term for term, entry in table.terms.items() if entry.unlike is not None]
        self._always = [
            (self._property_path(entry), term, entry)
            for term, entry in table.terms.items()
            if entry.always
        ]

    def read(
        self,
        root: etree._Element,
        locate: Locator | None,
        files: Files | None = None,
        file_rules: FileRules | None = None,
    ) -> MappingResult:
        """See `Mapping.to_canonical`."""
        unmapped = Unmapped(self._names)
        reading = Reading(self._compared_with(root), unmapped, locate, files, file_rules)
        frame: dict[str, Any] = {}
        walk(root, self._start, [frame], reading)
        name = etree.QName(root)
        invoice = Invoice(
            source=Source(
                syntax=self.form.syntax.value,
                root=name.localname,
                namespace=name.namespace or "",
                unmapped=tuple(unmapped.paths),
                unmapped_total=unmapped.total,
            ),
            **self._builder.values(frame, reading),
        )
        if reading.derived:
            invoice = with_derived_paths(invoice, reading.derived)
        told = {term for finding in reading.findings for term in finding.terms}
        for properties, term, entry in self._always:
            held: Any = invoice
            for property_name in properties:
                held = getattr(held, property_name, None)
            if held is None and term not in told:  # else a finding says why it is not there
                reading.report("MAP-MISSING", root, term, path=self._full_path(entry))
        return MappingResult(invoice, tuple(reading.findings))

    def given_twice(
        self, root: etree._Element, locate: Locator | None, where: Callable[[etree._Element], bool]
    ) -> tuple[Finding, ...]:
        """See `Mapping.given_twice`."""
        reading = Reading(self._compared_with(root), Unmapped(self._names), locate, twice=where)
        walk(root, self._start, [{}], reading)
        return tuple(one for one in reading.findings if one.rule in {"MAP-TWICE", "MAP-MORE"})

    def _compared_with(self, root: etree._Element) -> dict[str, str]:
        """The values that conditions and currencies ask for, in upper case, by term."""
        terms = {
            term: value.upper()
            for term, paths in self._compared.items()
            if (value := next(filter(None, (path.first_value(root) for path in paths)), None))
        }
        for term in self._unlike:
            if terms.get(term) == terms.get(self._table.terms[term].unlike or ""):
                terms.pop(term, None)
        return terms

    def _compiled(self, struct: type[BusinessGroup], at: Branch) -> Builder:
        """Grow the tree below `at` for the terms of `struct`; the builder for what it reads."""
        builder = Builder(struct)
        for field in model_fields(struct):
            group = self._table.groups.get(field.term)
            if group is None:
                self._add_term(field.term, self._table.terms[field.term], at)
            elif field.struct is not None and group.texts(self._key) == ["."]:
                builder.nested.append((field.name, self._group(group, field.struct, at)))
                continue
            elif field.struct is not None:
                self._add_group(field.term, group, field.struct, at)
            builder.fields[field.term] = (field.name, field.repeats)
        builder.completions = completions(self._table, builder.fields)
        return builder

    def _group(self, group: Group, struct: type[BusinessGroup], at: Branch) -> Builder:
        builder = self._compiled(struct, at)
        builder.nothing = {
            self._table.terms[key].property_name: value for key, value in group.nothing.items()
        }
        return builder

    def _add_group(self, key: str, group: Group, struct: type[BusinessGroup], at: Branch) -> None:
        for rank, text in enumerate(group.texts(self._key)):
            root = Branch(())
            builder = self._group(group, struct, root)
            reader = GroupReader(
                key, root, builder, repeats=group.repeats, rank=rank, file=group.file
            )
            branch = _descend(at, self._table.path(text))
            branch.groups.append(reader)
            if group.file:
                branch.takes(None)

    def _add_term(self, key: str, term: Term, at: Branch) -> None:
        schemes = (term.scheme(self.form.syntax), term.scheme_version(self.form.syntax))
        scheme, version = (self._table.path(text) if text else None for text in schemes)
        convert = conversion(key, term, self.form, (scheme, version))
        for rank, text in enumerate(term.texts(self._key)):
            path = self._table.path(text)
            leaf = Leaf(
                key,
                attribute=path.attribute,
                convert=convert,
                repeats=term.repeats,
                rank=rank,
                by_scheme=term.by_scheme,
            )
            branch = _descend(at, path)
            branch.leaves.append(leaf)
            branch.takes(path.attribute)
            for attribute in attributes_taken(term, self.form):
                branch.takes(attribute)
            for beside in filter(None, (scheme, version)):
                _account_for(beside, path, at)

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
        for condition in step.conditions:
            _account_for_equal(condition, at)
    return at


def _account_for_equal(condition: Condition, at: Branch) -> None:
    """What must equal something says no more than that; what must not may say anything."""
    if condition.operator != "=" or condition.negated:
        return
    for tag in condition.steps:
        at = at.child(tag, ())
    at.takes(condition.attribute)


def _account_for(beside: Path, path: Path, at: Branch) -> None:
    """A scheme, read from beside the value that `path` leads to from `at`."""
    steps = path.steps[: len(path.steps) - beside.up] + beside.steps
    _descend(at, Path(steps)).takes(beside.attribute)
