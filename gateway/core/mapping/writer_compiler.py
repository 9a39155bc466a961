"""From a mapping table and an official schema to the tree that writes a document.

The same walk through model and table as the reader's (`compiler`): where that grows branches that
look for a term, this one places the element that will hold it.
"""

from __future__ import annotations

import functools
from typing import Any

import msgspec

from gateway.core.mapping.entries import Group, Table, Term, TermType, WritingRules
from gateway.core.mapping.fields import ModelField, model_fields
from gateway.core.mapping.paths import Condition, Path, parse_path
from gateway.core.mapping.writer_context import Getter, Repeat, Step, Value
from gateway.core.mapping.writer_demands import demand, word_for_none
from gateway.core.mapping.writer_draft import Draft
from gateway.core.mapping.writer_nodes import Branch
from gateway.core.mapping.writer_places import Place, Workshop, WritingFault, constant
from gateway.core.mapping.writer_schema import OfficialSchema
from gateway.core.mapping.writer_values import (
    content_maker,
    getter,
    note_maker,
    scheme_maker,
    text_maker,
    told_if_equal,
    unless_equal,
)
from gateway.core.mapping.writer_ways import (
    Way,
    beyond_first,
    first,
    nowhere,
    selected,
    selected_list,
    unplaced,
)
from gateway.errors import ConfigurationError
from gateway.model.interchange import Syntax
from gateway.model.invoice import Invoice
from gateway.model.invoice_types import BusinessGroup


class Template(msgspec.Struct, frozen=True):
    """What writes one kind of document: its root, and how many lists there are to walk."""

    root: Branch
    slots: int


class Spot(msgspec.Struct, frozen=True):
    """Where the walk is: the draft, and how the values at hand are found and named."""

    draft: Draft
    slot: int = 0
    names: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()

    def get(self, name: str) -> Getter:
        """What finds a property of the group at hand."""
        return getter(self.slot, (*self.names, name))


def compiled(table: Table, key: str, rules: WritingRules, schema: OfficialSchema) -> Template:
    """The template of one kind of document (`ubl`, `ubl_credit_note` or `cii`).

    Raises ConfigurationError that lists every entry the schema has no place for.
    """
    compiler = _Compiler(table, key, rules)
    form = table.documents[key]
    root = Draft(compiler.shop, form.root, schema.root(form.root), None, None)
    compiler.group(Invoice, Spot(root))
    try:
        root.complete()
    except WritingFault as fault:
        compiler.faults.append(f"[writing.{form.syntax}]: {fault}.")
    if compiler.faults:
        raise ConfigurationError("\n".join(compiler.faults))
    used = {tag[1:].partition("}")[0] for tag in root.names()}
    for namespace in sorted(used, key=lambda one: compiler.shop.names.get(one, "")):
        prefix = compiler.shop.names.get(namespace)
        root.attributes[f"xmlns:{prefix}" if prefix else "xmlns"] = constant(namespace)
    node = root.finished(0)
    assert isinstance(node, Branch)
    return Template(node, len(compiler.shop.outer))


class _Compiler:
    def __init__(self, table: Table, key: str, rules: WritingRules) -> None:
        self.faults: list[str] = []
        self._table = table
        self._key = key
        self._form = table.documents[key]
        self._rules = rules
        made: dict[str, tuple[Condition, ...]] = {}
        for text in rules.made:
            step = table.path(text).steps[-1]
            made[step.tag] = made.get(step.tag, ()) + step.conditions
        self.shop = Workshop(
            names={uri: prefix for prefix, uri in table.prefixes.items()},
            made=made,
            otherwise={_ending(table.path(p)): text for p, text in rules.otherwise.items()},
            properties={key: term.property_name for key, term in table.terms.items()},
            demand=functools.partial(demand, table, self._form, rules),
            unlike=frozenset(key for key, term in table.terms.items() if term.unlike),
            outer=[0],
        )
        self._patterns = {
            parse_path(name, table.prefixes).steps[-1].tag: pattern
            for name, pattern in rules.patterns.items()
        }

    def group(self, struct: type[BusinessGroup], spot: Spot) -> None:
        """Place every term and group of a struct."""
        for field in model_fields(struct):
            entry = self._table.groups.get(field.term) or self._table.terms[field.term]
            try:
                if isinstance(entry, Group):
                    self._subgroup(field, entry, spot)
                else:
                    self._term(field, entry, struct, spot)
            except WritingFault as fault:
                self.faults.append(f"{field.term}, {self._key}: {fault}.")

    def _subgroup(self, field: ModelField, group: Group, spot: Spot) -> None:
        assert field.struct is not None
        texts = group.texts(self._key)
        if not texts:
            steps = (*spot.steps, (field.name, None))
            value = Value(nowhere(spot.get(field.name)), field.term, steps, spot.slot)
            spot.draft.unplaced.append(value)
            return
        names, steps = (*spot.names, field.name), (*spot.steps, (field.name, None))
        if texts == ["."]:
            self.group(field.struct, Spot(spot.draft, spot.slot, names, steps))
            return
        path = spot.draft.places(self._table.path(texts[0]).steps)
        if group.repeats:
            able = [position for position, place in enumerate(path) if place.child.many]
            if not able:
                raise WritingFault("the schema has room for one only, the table for several")
            slot = self._slot(spot.slot)
            get = _list(spot.get(field.name))
            repeat = Repeat(slot, get, Value(get, field.term, steps, spot.slot))
            draft = spot.draft.descend(path, repeat, able[-1])
            inner = Spot(draft, slot, (), (*spot.steps, (field.name, slot)))
        else:
            inner = Spot(spot.draft.descend(path), spot.slot, names, steps)
        self.group(field.struct, inner)
        if group.file:
            maker = content_maker(getter(inner.slot, inner.names), field.term, inner.steps)
            inner.draft.set_text(Value(maker, field.term, inner.steps, inner.slot))
            inner.draft.demanded = False

    def _term(self, field: ModelField, term: Term, struct: type[BusinessGroup], spot: Spot) -> None:
        if term.ubl_part is not None and self._form.syntax is Syntax.UBL:
            if term.ubl_part == "note-text":
                self._note(field, term, struct, spot)
            return
        get, steps = spot.get(field.name), (*spot.steps, (field.name, None))
        paths = [self._table.path(text) for text in term.texts(self._key)]
        if not paths:
            spot.draft.unplaced.append(Value(nowhere(get), field.term, steps, spot.slot))
            return
        ways = [self._way(term, path, position, paths) for position, path in enumerate(paths)]
        for position, path in enumerate(paths):
            if term.repeats:
                self._list(field, term, spot, path, selected_list(get, ways, position))
            else:
                several = len(ways) > 1 or ways[0].demanding
                one = selected(get, ways, position) if several else get
                end = spot.draft.descend(self._places(spot.draft, term, path))
                self._value(field, term, Spot(end, spot.slot, (), steps), path, one)
        lost = Value(unplaced(get, ways), field.term, steps, spot.slot)
        if any(way.demanding for way in ways) and spot.draft.type.children:
            spot.draft.unplaced.append(lost)

    def _list(self, field: ModelField, term: Term, spot: Spot, path: Path, items: Getter) -> None:
        """A term that repeats: each value makes the outermost element that can.

        Where the schema has room for one only, that is the first; the others are told.
        """
        located = self._places(spot.draft, term, path)
        able = [position for position, place in enumerate(located) if place.child.many]
        steps = (*spot.steps, (field.name, None))
        if not able:
            draft = spot.draft.descend(located)
            self._value(field, term, Spot(draft, spot.slot, (), steps), path, first(items))
            more = Value(beyond_first(items), field.term, steps, spot.slot)
            spot.draft.unplaced.append(more)
            return
        slot = self._slot(spot.slot)
        repeat = Repeat(slot, items, Value(items, field.term, steps, spot.slot))
        draft = spot.draft.descend(located, repeat, able[0])
        inner = Spot(draft, slot, (), (*spot.steps, (field.name, slot)))
        self._value(field, term, inner, path, getter(slot, ()))

    def _value(self, field: ModelField, term: Term, spot: Spot, path: Path, get: Getter) -> None:
        """Put the value where its path ends, with everything that goes with it."""
        schemes = {
            "scheme": term.scheme(self._form.syntax),
            "scheme_version": term.scheme_version(self._form.syntax),
        }
        nowhere_to = tuple(name for name, text in schemes.items() if text is None)
        make = text_maker(get, field.term, term, self._form, spot.steps, nowhere_to)
        if term.unlike is not None:
            compared = getter(0, (self._table.terms[term.unlike].property_name,))
            make = unless_equal(make, compared, field.term, spot.steps)
        value = self._of_term(make, field.term, spot)
        if (none := word_for_none(term, self._form)) is not None:
            value.make = told_if_equal(value, frozenset({none.upper()}), None)
        if path.attribute is not None:
            spot.draft.set_attribute(path.attribute, value)
            return
        spot.draft.set_text(value)
        attributes = spot.draft.type.attributes
        if term.currency is not None and attributes.get("currencyID"):
            currency = self._table.terms[term.currency].property_name
            spot.draft.set_attribute("currencyID", Value(getter(0, (currency,))))
        if term.type is TermType.DATE and self._form.dates == "102" and "format" in attributes:
            spot.draft.set_attribute("format", constant("102"))
        for name, text in schemes.items():
            if text is not None:
                scheme = self._of_term(scheme_maker(get, name), field.term, spot)
                self._beside(spot.draft, self._table.path(text), scheme)

    def _beside(self, draft: Draft, path: Path, value: Value) -> None:
        """Put a scheme where it stands, seen from the element of its identifier."""
        for _ in range(path.up):
            if draft.parent is None:
                raise WritingFault("the scheme would stand outside the document")
            draft = draft.parent
        draft = draft.descend(draft.places(path.steps))
        if path.attribute is None:
            draft.set_text(value)
        else:
            draft.set_attribute(path.attribute, value)

    def _note(self, field: ModelField, term: Term, struct: type[BusinessGroup], spot: Spot) -> None:
        """The two terms that UBL writes as one text."""
        subject = next(
            one
            for one in model_fields(struct)
            if one.term in self._table.terms
            and self._table.terms[one.term].ubl_part == "note-subject"
        )
        draft = spot.draft.descend(
            self._places(spot.draft, term, self._table.path(term.texts(self._key)[0]))
        )
        steps = [(*spot.steps, (one.name, None)) for one in (subject, field)]
        make = note_maker(
            spot.get(subject.name), spot.get(field.name), (subject.term, field.term), steps
        )
        draft.set_text(Value(make, field.term, spot.steps, spot.slot))

    def _of_term(self, make: Any, key: str, spot: Spot) -> Value:
        return Value(make, key, spot.steps, spot.slot, copied=key in self._rules.every)

    def _way(self, term: Term, path: Path, position: int, paths: list[Path]) -> Way:
        last = path.steps[-1].tag if path.steps else ""
        pattern = self._patterns.get(last) if position < len(paths) - 1 else None
        return Way(self._about_scheme(term, path), pattern)

    def _about_scheme(self, term: Term, path: Path) -> tuple[Condition, ...]:
        """The conditions of a path that look at the scheme which its values bring with them."""
        text = term.scheme(self._form.syntax)
        scheme = self._table.path(text) if text else None
        if scheme is None or scheme.up or scheme.steps or not path.steps:
            return ()
        return tuple(
            condition
            for condition in path.steps[-1].conditions
            if not condition.steps and condition.attribute == scheme.attribute
        )

    def _places(self, start: Draft, term: Term, path: Path) -> tuple[Place, ...]:
        return start.places(path.steps, self._about_scheme(term, path))

    def _slot(self, outer: int) -> int:
        self.shop.outer.append(outer)
        return len(self.shop.outer) - 1


def _list(get: Getter) -> Getter:
    return lambda writing: get(writing) or ()


def _ending(path: Path) -> tuple[str, ...]:
    return (*(step.tag for step in path.steps), *filter(None, [path.attribute]))
