"""What makes an invoice or a file the same one again, and what is said of it."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import msgspec
import pytest

from gateway.core.uniqueness import (
    FluxKey,
    Holder,
    InvoiceKey,
    flux_finding,
    flux_key,
    invoice_finding,
    invoice_key,
    seller_key,
    with_finding,
)
from gateway.model.invoice import Invoice
from gateway.model.partner import Uniqueness
from gateway.model.verdict import Accepted, AttachedFile, Language, Rejected, Severity
from tests.service.journalling import a_judgement

PLATFORM_NAME = "FSO1100A_ABC123_ABC1231100000000000000001.xml"
RECEIVED = dt.datetime(2026, 3, 1, 12, 5, tzinfo=dt.UTC)
KEY = InvoiceKey("siren:732829320", "FA-1", 2026)


def invoice(**changed: Any) -> bytes:
    """A canonical invoice, with only what a key is made of."""
    whole = {
        "invoice_number": "FA-1",
        "invoice_issue_date": "2026-03-01",
        "seller": {"legal_registration_identifier": {"value": "732829320", "scheme": "0002"}},
    }
    return json.dumps({k: v for k, v in (whole | changed).items() if v is not None}).encode()


def identifier(value: str, scheme: str) -> dict[str, str]:
    return {"value": value, "scheme": scheme}


SELLERS = [
    ({"legal_registration_identifier": identifier("732 829 320", "0002")}, "siren:732829320"),
    ({"legal_registration_identifier": identifier("73282932000074", "0009")}, "siren:732829320"),
    ({"identifiers": [identifier("73282932000074", "0009")]}, "siren:732829320"),
    (
        {"identifiers": [identifier("40483304800022", "0009"), identifier("732829320", "0002")]},
        "siren:732829320",
    ),
    ({"vat_identifier": "FR44732829320"}, "siren:732829320"),
    ({"vat_identifier": "fr 44 732 829 320"}, "siren:732829320"),
    ({"vat_identifier": "DE 123.456-789"}, "vat:DE123456789"),
    (
        {
            "legal_registration_identifier": identifier("HRB 123456", "0204"),
            "vat_identifier": "DE123456789",
        },
        "vat:DE123456789",
    ),
    ({"legal_registration_identifier": identifier("73282932", "0002")}, None),
    ({"legal_registration_identifier": {"value": "732829320"}}, None),
    ({"identifiers": [identifier("732829320", "0088")]}, None),
    ({"vat_identifier": "732829320"}, None),
    ({"name": "ACME SA"}, None),
]


@pytest.mark.parametrize(("seller", "expected"), SELLERS)
def test_a_seller_is_known_by_siren_else_by_vat_identifier(
    seller: dict[str, Any], expected: str | None
) -> None:
    """The SIREN wherever it stands, else the VAT identifier; without either there is no key."""
    key = invoice_key(invoice(seller=seller))
    assert (key.seller if key else None) == expected


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, KEY),
        ({"invoice_number": "  FA-1 "}, KEY),
        ({"invoice_number": "fa-1"}, InvoiceKey(KEY.seller, "fa-1", 2026)),
        ({"invoice_number": "FA-01"}, InvoiceKey(KEY.seller, "FA-01", 2026)),
        ({"invoice_issue_date": "2026-12-31"}, KEY),
        ({"invoice_issue_date": "2027-01-01"}, InvoiceKey(KEY.seller, "FA-1", 2027)),
        ({"invoice_issue_date": "2026-03-01+01:00"}, KEY),
        ({"invoice_number": " "}, None),
        ({"invoice_number": None}, None),
        ({"invoice_issue_date": None}, None),
        ({"seller": None}, None),
    ],
)
def test_number_and_year_as_written(changed: dict[str, Any], expected: InvoiceKey | None) -> None:
    """White space around a number does not count, all else does; of the date only the year."""
    assert invoice_key(invoice(**changed)) == expected


@pytest.mark.parametrize(("seller", "expected"), SELLERS)
def test_the_key_is_read_under_the_names_of_the_canonical_invoice(
    seller: dict[str, Any], expected: str | None
) -> None:
    """A term renamed in the model would silently end the comparison."""
    source = {"syntax": "ubl", "root": "Invoice", "namespace": "urn:x"}
    whole = msgspec.json.decode(invoice(seller=seller, source=source), type=Invoice)
    written = msgspec.json.encode(whole)
    key = invoice_key(written)
    assert (key.seller if key else None) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("732829320", "siren:732829320"),
        ("732 829 320 00074", "siren:732829320"),
        ("FR44732829320", "siren:732829320"),
        ("BE0123456789", "vat:BE0123456789"),
        ("ACME", None),
        ("", None),
        ("12345678", None),
    ],
)
def test_sellers_of_another_system(text: str, expected: str | None) -> None:
    """Named by any of the three, one seller has one key."""
    assert seller_key(text) == expected


@pytest.mark.parametrize(
    ("policy", "name", "expected"),
    [
        (Uniqueness(), "a.xml", FluxKey("acme", "a.xml", "ab")),
        (Uniqueness(envelope="platform"), "a.xml", FluxKey("acme", None, "ab")),
        (Uniqueness(envelope="platform"), PLATFORM_NAME, FluxKey("acme", PLATFORM_NAME, "ab")),
        (Uniqueness(envelope="accept"), PLATFORM_NAME, FluxKey("acme", None, "ab")),
        (Uniqueness(payload="accept"), "a.xml", FluxKey("acme", "a.xml", None)),
        (Uniqueness(envelope="accept", payload="accept"), "a.xml", None),
        (Uniqueness(envelope="platform", payload="accept"), "a.xml", None),
    ],
)
def test_what_a_partner_may_not_send_again(
    policy: Uniqueness, name: str, expected: FluxKey | None
) -> None:
    """What the policy lets be repeated is in no key."""
    assert flux_key("acme", name, "ab", policy) == expected


SAME = Holder(interchange="1", partner="acme", file="a.xml", sha256="ab", received_at=RECEIVED)


@pytest.mark.parametrize(
    ("name", "sha256", "key", "rule"),
    [
        ("a.xml", "cd", FluxKey("acme", "a.xml", "cd"), "ENVELOPE-REUSED"),
        ("b.xml", "ab", FluxKey("acme", "b.xml", "ab"), "PAYLOAD-REPEATED"),
        ("a.xml", "ab", FluxKey("acme", "a.xml", "ab"), "PAYLOAD-REPEATED"),
        ("a.xml", "ab", FluxKey("acme", "a.xml", None), None),
        ("a.xml", "cd", FluxKey("acme", None, "cd"), None),
    ],
)
def test_a_file_is_refused_for_its_name_or_its_bytes(
    name: str, sha256: str, key: FluxKey, rule: str | None
) -> None:
    """The same bytes under the same name are no other file that took the name."""
    found = flux_finding([SAME], key, sha256, name)
    assert (found.rule if found else None) == rule
    if found is not None:
        assert found.explanation is not None
        assert "2026-03-01 12:05 UTC" in found.explanation.to(Language.EN)
        assert "a.xml" in found.explanation.to(Language.FR)


def test_only_its_sender_is_told_when_and_in_which_file_an_invoice_came() -> None:
    """Another partner's file names, times and documents are nobody else's business."""
    holder = Holder(
        interchange="1",
        partner="acme",
        ordinal=3,
        file="batch.tar.gz",
        received_at=RECEIVED,
        document="FA-1.xml",
    )
    own = invoice_finding(KEY, holder, partner="acme", severity=Severity.ERROR)
    for language in Language:
        assert own.explanation is not None
        for told in ("FA-1", "732829320", "2026-03-01 12:05 UTC", "batch.tar.gz", "FA-1.xml"):
            assert told in own.explanation.to(language)
    for other in (holder, Holder()):
        found = invoice_finding(KEY, other, partner="other", severity=Severity.WARNING)
        assert (found.rule, found.severity) == ("DOUBLON", Severity.WARNING)
        said = json.dumps([found.to_json(language) for language in Language])
        assert "732829320" in said
        for secret in ("batch", "12:05", "FA-1.xml", "acme"):
            assert secret not in said


def test_a_document_that_repeats_another_keeps_what_was_found_and_no_files() -> None:
    """An error rejects it, and nothing attached to it is kept; a warning leaves it accepted."""
    said = msgspec.structs.replace(a_judgement(), files=(AttachedFile("ab" * 32, 3),))
    for severity, kind, files in ((Severity.ERROR, Rejected, 0), (Severity.WARNING, Accepted, 1)):
        found = invoice_finding(KEY, Holder(), partner="acme", severity=severity)
        changed = with_finding(said, found)
        assert isinstance(changed.verdict, kind)
        assert changed.findings == (found, *said.findings)
        assert len(changed.files) == files
