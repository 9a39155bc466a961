"""From the canonical invoice to UBL and CII, by the table that reads them.

    mappings/en16931.toml ─┐
                           ├─ writer_compiler ──▶ tree of nodes ── written along ──▶ bytes
    official XSD ──────────┘

The table says where a term stands, the schema in which order. What cannot be written in a syntax
is a finding; nothing is left out in silence.
"""

from __future__ import annotations

import msgspec

from gateway.core.mapping.entries import Table
from gateway.core.mapping.writer_compiler import Template, compiled
from gateway.core.mapping.writer_contents import Contents
from gateway.core.mapping.writer_context import Writing
from gateway.core.mapping.writer_schema import OfficialSchema
from gateway.core.xsd import SchemaCatalogue
from gateway.errors import ConfigurationError
from gateway.model.interchange import Syntax
from gateway.model.invoice import Invoice
from gateway.model.verdict import Finding

_CREDIT_NOTE = "ubl_credit_note"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'


class Written(msgspec.Struct, frozen=True):
    """A document, and what of the invoice is not in it, or not as it was.

    Locations are paths in the canonical invoice: `invoice_lines[0].price_details`.
    """

    document: bytes
    findings: tuple[Finding, ...]


class InvoiceWriter:
    """Writes invoices by one mapping table; each kind of document is compiled at its first use."""

    def __init__(self, table: Table, catalogue: SchemaCatalogue) -> None:
        self._table = table
        self._catalogue = catalogue
        self._templates: dict[str, Template] = {}

    def write(self, invoice: Invoice, syntax: Syntax, contents: Contents | None = None) -> Written:
        """The invoice in that syntax; in UBL its type (BT-3) makes it a credit note.

        Amounts keep their sign: EN 16931-3-2 and -3-3 have those of a credit note positive, as
        the canonical invoice does; that they are credited is what the type says.

        `contents`: what the attached documents hold (`writer_contents.contents`).
        Raises ConfigurationError when the table cannot be written in that syntax, RulePackError
        when its schema is missing or altered.
        """
        template = self._template(self._form(invoice, syntax))
        writing = Writing(invoice, template.slots, syntax.value.upper(), contents)
        out = [_DECLARATION]
        template.root.write(writing, out, True)
        out.append("\n")
        return Written("".join(out).encode(), tuple(writing.findings))

    def _form(self, invoice: Invoice, syntax: Syntax) -> str:
        rules = self._table.writing.get(syntax)
        code = invoice.invoice_type_code
        if syntax is Syntax.UBL and rules is not None and code in rules.credit_note_codes:
            return _CREDIT_NOTE
        return syntax.value

    def _template(self, key: str) -> Template:
        template = self._templates.get(key)
        if template is None:
            form = self._table.documents.get(key)
            rules = None if form is None else self._table.writing.get(form.syntax)
            if form is None or rules is None:
                raise ConfigurationError(
                    f"The mapping cannot write {key} documents.",
                    remedy="Add [writing] for their syntax, and their root to [documents].",
                )
            schema = OfficialSchema(self._catalogue.schema_path(rules.schema, form.root))
            template = compiled(self._table, key, rules, schema)
            self._templates[key] = template
        return template
