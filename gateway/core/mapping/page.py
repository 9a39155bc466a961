"""The page of business terms for people, made from the mapping table.

    python -m gateway.core.mapping.page > docs/canonical-invoice.md

One table for each group, in the order of the canonical invoice: what a term is called, what it
is, where it stands in the JSON, in UBL, in a UBL credit note where that differs, and in CII.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from gateway.core.mapping.entries import Group, Table, Term
from gateway.core.mapping.fields import ModelField, model_fields
from gateway.core.mapping.schema import SCHEMA_ID
from gateway.core.mapping.table import read_table
from gateway.core.mapping.unmapped import MAX_ALIKE, MAX_PATHS
from gateway.model.invoice import Invoice
from gateway.model.invoice_types import BusinessGroup
from gateway.resources import data_folder

_HEAD = """\
# The canonical invoice

Whatever syntax an invoice comes in, those who read `edi.documents` get this one form of it in JSON.
This page is made from the mapping table, [`mappings/en16931.toml`](../mappings/en16931.toml), by
`python -m gateway.core.mapping.page > docs/canonical-invoice.md`; change the table, not the page.
`edi-gateway map FILE` shows the canonical invoice of a file. Its JSON Schema (draft 2020-12) is
[`schemas/canonical-invoice.schema.json`](../schemas/canonical-invoice.schema.json),
`{schema}`; the number at its end changes when a consumer has to change.

- **Terms** are those of EN 16931-1 (BT, BG) and of EXTENDED-CTC-FR, its French extension
  (EXT-FR-FE). Where no public document numbers one, it is called after its group.
- **Amounts, quantities and percentages** are decimal strings, as they stand in the document, in the
  currency of the invoice (BT-5) unless the term says otherwise. **Dates** are ISO 8601. What is
  absent or empty is left out, never `null`.
- **An identifier that has a scheme** is an object: `value`, `scheme`, and `scheme_version` where
  there is one. The ids of these parts stand below the term's own.
- **Amounts keep the sign** they have in the document. That a credit note is owed the other way
  round is what its type says (BT-3), in all three syntaxes.
- **A list** is in the order of the document; of a party's identifiers those without a scheme come
  first, as CII has `ram:ID` before `ram:GlobalID`.
- **Cardinality** is that of EN 16931-1, or of EXTENDED-CTC-FR for its own terms; in brackets where
  EXTENDED-CTC-FR allows more. `[]` in a JSON path marks a list.
- **Paths** begin at the root element or at the element of the group, as in the table. Several
  paths are read in this order. `.` is the element of the group itself.

"""

_SOURCE = """\
## `source`: what depends on the document

The same invoice in UBL and in CII gives the same JSON but for this.

| JSON | what |
|---|---|
| `source.syntax` | `ubl` or `cii` |
| `source.root`, `source.namespace` | the root element, and its namespace |
| `source.unmapped` | paths to what the document holds and no term is made for: elements with \
text, attributes with a value. At most {paths}, and of those that differ in their positions alone \
{alike}; `[]` when everything has its place |
| `source.unmapped_total` | how many there are in all |
| `source.derived` | paths in this JSON to the values that the document does not state, but which \
follow from others (below). At most {paths} |
| `source.derived_total` | how many there are in all |

### What follows from other terms

What one syntax has to state and another leaves to be understood is in the JSON always:

| term | value | where there is | why |
|---|---|---|---|
{derived}

### What says nothing beside the terms

Not listed under `source.unmapped`:

| where | values | why |
|---|---|---|
{implied}

### What has no place

Listed under `source.unmapped` like everything no path reads; these have been looked at:

| where | why |
|---|---|
{no_place}
"""


def page(table: Table) -> str:
    """The committed file's content."""
    lines = [*_section(table, None, Invoice)]
    implied = (
        f"| {_paths(one.paths)} | {_paths(one.values or []) or 'any'} | {one.why} |"
        for one in table.implied.values()
    )
    no_place = (f"| {_paths(one.paths)} | {one.why} |" for one in table.no_place.values())
    derived = (
        f"| `{key}` | `{one.value}` | `{one.beside}` | {one.why} |"
        for key, one in table.derived.items()
    )
    source = _SOURCE.format(
        paths=MAX_PATHS,
        derived="\n".join(derived),
        alike=MAX_ALIKE,
        implied="\n".join(implied),
        no_place="\n".join(no_place),
    )
    return _HEAD.format(schema=SCHEMA_ID) + "\n".join(lines) + "\n" + source


def _section(table: Table, key: str | None, struct: type[BusinessGroup]) -> Iterator[str]:
    """A group: its terms, then the groups within."""
    fields = model_fields(struct)
    if key is None:
        yield "## The invoice itself"
    else:
        group = table.groups[key]
        yield f"## {key} {group.name}"
        yield ""
        yield f"`{_json_path(table, key)}`, {_cardinality(group)}. {_places(group)}"
    yield ""
    terms = [field for field in fields if field.term in table.terms]
    if terms:
        yield "| id | name | type | card. | JSON | UBL | credit note | CII |"
        yield "|---|---|---|---|---|---|---|---|"
        yield from (_row(table, field) for field in terms)
        yield ""
    for field in fields:
        if field.term in table.groups and field.struct is not None:
            yield from _section(table, field.term, field.struct)


def _row(table: Table, field: ModelField) -> str:
    key = field.term
    term = table.terms[key]
    ids = "<br>".join((key, *table.scheme_ids(key)))
    credit_note = term.texts("ubl_credit_note")
    differs = credit_note if credit_note != term.texts("ubl") else []
    cells = (
        ids,
        term.name,
        term.type.value,
        _cardinality(term),
        f"`{_json_path(table, key)}`",
        _whole_place(term, "ubl", (term.ubl_scheme, term.ubl_scheme_version)),
        _paths(differs),
        _whole_place(term, "cii", (term.cii_scheme, term.cii_scheme_version)),
    )
    return f"| {' | '.join(cells)} |"


def _cardinality(entry: Group | Term) -> str:
    more = entry.extended_cardinality
    return f"{entry.cardinality} ({more})" if more else entry.cardinality


def _json_path(table: Table, key: str) -> str:
    entry = table.terms.get(key) or table.groups[key]
    own = entry.property_name + ("[]" if entry.repeats else "")
    return own if entry.group is None else f"{_json_path(table, entry.group)}.{own}"


def _places(group: Group) -> str:
    credit_note = group.texts("ubl_credit_note")
    places = [f"UBL {_paths(group.texts('ubl'))}"]
    if credit_note != group.texts("ubl"):
        places.append(f"credit note {_paths(credit_note)}")
    told = "; ".join((*places, f"CII {_paths(group.texts('cii'))}."))
    file = (
        "The file itself does not enter the JSON: `size` and `sha256` say which it is, and `uri`"
        " names it in the gateway's spool ([asyncapi.yaml](asyncapi.yaml) says how to fetch it)."
        " `edi-gateway map` stores nothing, so what it prints has no `uri`."
    )
    if group.nothing:
        alone = ", ".join(f"{key} `{value}`" for key, value in group.nothing.items())
        return f"{told} {alone} alone says nothing and is not read."
    return f"{told} {file}" if group.file else told


def _whole_place(term: Term, form: str, schemes: tuple[str | None, str | None]) -> str:
    if not term.texts(form):
        return term.without
    told = [_paths(term.texts(form))]
    if any(schemes):
        told.append(f"scheme {', '.join(f'`{path}`' for path in schemes if path)}")
    if form == "ubl" and term.ubl_part is not None:
        told.append(f"of `#AAI#text` the {'AAI' if term.ubl_part == 'note-subject' else 'text'}")
    if form == "ubl" and term.ubl_none is not None:
        told.append(f"`{term.ubl_none}` where there is none")
    if form == "cii" and term.cii_codes:
        codes = (f"`{theirs}` for `{ours}`" for theirs, ours in term.cii_codes.items())
        told.append(f"written {', '.join(codes)}")
    return "<br>".join(told)


def _paths(texts: list[str]) -> str:
    return "<br>".join(f"`{text}`" for text in texts)


if __name__ == "__main__":
    sys.stdout.write(page(read_table(data_folder("mappings") / "en16931.toml")))
