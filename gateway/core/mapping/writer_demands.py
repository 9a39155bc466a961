"""What is written where a schema demands a term that the invoice does not have.

a word for none      UBL's NA: nobody takes it for a value, and reading does not
what follows         from other terms, by the table's [derived]
a stand-in           of [writing]: told, because it may be taken for a value
nothing              the document is not valid then: told
"""

from __future__ import annotations

from gateway.core.mapping.derived import addends
from gateway.core.mapping.entries import DocumentForm, Table, Term, WritingRules
from gateway.core.mapping.writer_context import Demand, Value
from gateway.core.mapping.writer_places import constant
from gateway.core.mapping.writer_values import total
from gateway.model.interchange import Syntax


def word_for_none(term: Term | None, form: DocumentForm) -> str | None:
    """What stands where a term is not given, and is not read as its value."""
    return term.ubl_none if term is not None and form.syntax is Syntax.UBL else None


def demand(table: Table, form: DocumentForm, rules: WritingRules, value: Value) -> Demand:
    """What the schema's demand for a term, or for a list, comes to."""
    key = value.term or ""
    if (none := word_for_none(table.terms.get(key), form)) is not None:
        return Demand(value, constant(none).make, told=False)
    derived = table.derived.get(key)
    text = rules.stand_ins.get(key) if derived is None else derived.value
    if text is None:
        return Demand(value)
    keys = addends(table, text)
    if not keys:
        return Demand(value, constant(text).make)
    return Demand(value, total([table.property_path(one) for one in keys], value.steps))
