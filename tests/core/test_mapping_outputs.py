"""Whatever comes out of the mapping satisfies the published schema, and says all there is."""

from __future__ import annotations

from collections.abc import Iterator

import jsonschema
import msgspec
import pytest

from bench.invoices import cii_invoice, ubl_invoice
from gateway.core.mapping.schema import canonical_schema
from gateway.model.invoice import canonical_json
from gateway.samples import SAMPLES, sample_bytes
from tests import b2g_documents, facturx_documents
from tests.core.mapping_documents import DATA, has_no_place, mapping, read

FACTURX_SOURCES = ("sample", "generated")


def documents() -> Iterator[tuple[str, bytes]]:
    """Good documents of every kind the gateway takes in, each with a name."""
    for file in sorted(DATA.glob("*.xml")):
        yield file.name, file.read_bytes()
    for sample in SAMPLES:
        if sample.file.endswith(".xml") and sample.expected_verdict == "accepted":
            yield sample.file, sample_bytes(sample.file)
    for kind in b2g_documents.DOCUMENTS:
        yield f"B2G {kind}", b2g_documents.document(kind).data
    for profile in facturx_documents.PROFILES:
        for source in FACTURX_SOURCES:
            yield f"Factur-X {profile} {source}", facturx_documents.document(profile, source)
    yield "bench ubl", ubl_invoice("B-1")
    yield "bench credit note", ubl_invoice("B-2", credit_note=True)
    yield "bench cii", cii_invoice("B-3")


DOCUMENTS = dict(documents())
EVERY = pytest.mark.parametrize("name", DOCUMENTS)


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(canonical_schema(mapping().table))


@EVERY
def test_the_invoice_satisfies_the_published_schema(
    name: str, validator: jsonschema.Draft202012Validator
) -> None:
    """What consumers validate against accepts what they get."""
    invoice = msgspec.json.decode(canonical_json(read(DOCUMENTS[name]).invoice))
    validator.validate(invoice)
    assert invoice["invoice_number"]


@EVERY
def test_what_is_unmapped_has_been_looked_at(name: str) -> None:
    """Everything else in these documents has its term."""
    source = read(DOCUMENTS[name]).invoice.source
    assert source.unmapped_total == len(source.unmapped)
    assert [path for path in source.unmapped if not has_no_place(path)] == []


def test_the_schema_refuses_what_is_no_canonical_invoice(
    validator: jsonschema.Draft202012Validator,
) -> None:
    """A schema that takes anything would prove nothing."""
    invoice = msgspec.json.decode(canonical_json(read(DOCUMENTS["full.ubl.xml"]).invoice))
    assert validator.is_valid(invoice)
    for spoil in (
        lambda one: one.pop("invoice_number"),
        lambda one: one["source"].pop("unmapped"),
        lambda one: one["document_totals"].update(paid_amount=12.5),
        lambda one: one.update(invoice_issue_date="16/03/2026"),
        lambda one: one["invoice_lines"][0].update(notes=["no group"]),
    ):
        spoilt = msgspec.json.decode(msgspec.json.encode(invoice))
        spoil(spoilt)
        assert not validator.is_valid(spoilt)
