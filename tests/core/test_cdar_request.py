"""A request for a status: what it becomes, and how what is wrong with it is told."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.config.strict import convert
from gateway.core.cdar.composing import compose
from gateway.core.cdar.composing_invoices import DOCUMENT_TYPES
from gateway.core.cdar.names import file_name, status_id
from gateway.core.cdar.request import StatusRequest, parse_json, parse_toml
from gateway.core.cdar.request_faults import Wrong
from gateway.core.cdar.sending import assembled
from gateway.core.cdar.statuses import DEPOSITED, REJECTED, STATUSES
from gateway.core.cdar.values import Message
from gateway.core.naming import envelope_name
from gateway.errors import ConfigurationError
from tests.cdar_documents import AT, WE, invoice, objections, sending

REFUSED = """
status = 210
at = 2026-10-02T09:15:00
issuer = { role = "BY", siren = "000471102", name = "Acheteur SA" }

[[recipients]]
siren = "000123455"
address = "000123455"

[[invoices]]
number = "FA-2026-00187"
type = 380
issued = 2026-09-12
seller = "000123455"

[[invoices.details]]
reason = "CALCUL_ERR"
action = "NIN"
note = "Voir la ligne 3."
values = [{ type = "DVA", amount = 1200.10, percent = 20 }]
"""

RECEIVED = """
status = "212"
to = "portal"
issuer = { siren = "000123455" }

[[invoices]]
number = "FA-2026-00187"
issued = "2026-09-12"
received = "2026-09-12T10:00:00+02:00"
seller = "000123455"

[[invoices.details]]
values = [
  { type = "MEN", amount = "1200.00", percent = "20" },
  { type = "MEN", amount = "105.50", percent = "5.5", date = "2026-10-01" },
]
"""


def request(text: str, change: tuple[str, str] | None = None) -> StatusRequest:
    """The request in a TOML text, with one place changed."""
    if change is not None:
        assert change[0] in text
        text = text.replace(change[0], change[1], 1)
    found, faults = convert(parse_toml(text.encode()), StatusRequest, file=Path("request.toml"))
    assert faults == ()
    assert found is not None
    return found


def message(text: str) -> Message:
    """The message it becomes."""
    found = compose(request(text), WE, AT)
    assert isinstance(found, Message), found
    return found


def wrong(text: str, change: tuple[str, str] | None = None, **we: Any) -> list[Wrong]:
    """What is wrong with it."""
    found = compose(request(text, change), msgspec.structs.replace(WE, **we), AT)
    assert isinstance(found, list)
    return found


def test_a_refusal_becomes_a_valid_message() -> None:
    """Numbers and dates with and without quotes; what is left out is filled in."""
    found = message(REFUSED)
    assert objections(found) == ()
    (document,) = found.documents
    assert (document.status, document.status_code, document.type_code) == ("210", "50", "380")
    assert document.issued == dt.date(2026, 9, 12)
    (detail,) = document.details
    assert detail.reason_text == "Erreur de calcul"
    assert detail.notes == ("Voir la ligne 3.",)
    assert detail.characteristics[0].amount is not None
    assert detail.characteristics[0].amount.value == Decimal("1200.10")
    assert found.issued == dt.datetime.fromisoformat("2026-10-02T09:15:00")
    assert [each.role for each in found.recipients] == ["SE"]


def test_a_payment_received_is_told_to_the_portal() -> None:
    """With each rate; times with a zone become those of ours; now is when nobody says."""
    found = message(RECEIVED)
    assert objections(found) == ()
    (document,) = found.documents
    assert document.received == dt.datetime.fromisoformat("2026-09-12T10:00:00")
    assert found.issued == dt.datetime.fromisoformat("2026-10-02T09:15:00")
    assert [value.percent for value in document.details[0].characteristics] == [
        Decimal(20),
        Decimal("5.5"),
    ]


def test_json_says_the_same_as_toml() -> None:
    """Also with null for what is not there; amounts never pass through floating point."""
    table = parse_toml(REFUSED.encode())
    as_json = json.dumps({**table, "id": None, "status": 210}).replace('"1200.10"', "1200.10")
    assert parse_json(as_json.encode()) == table
    assert parse_json(b'\xef\xbb\xbf{"a": 0.1000000000000000000001}') == {
        "a": "0.1000000000000000000001"
    }


def test_the_same_request_at_the_same_time_has_the_same_id() -> None:
    """And another one has another."""
    first = message(REFUSED)
    assert message(REFUSED) == first
    other = compose(request(REFUSED, ("00187", "00188")), WE, AT)
    later = compose(request(REFUSED, ("09:15:00", "09:15:01")), WE, AT)
    assert isinstance(other, Message)
    assert isinstance(later, Message)
    assert len({first.id, other.id, later.id}) == 3
    named = compose(request(REFUSED, ("status = 210", 'status = 210\nid = "CDV-1"')), WE, AT)
    assert isinstance(named, Message)
    assert named.id == "CDV-1"


@pytest.mark.parametrize(
    ("change", "key", "what"),
    [
        (("210", "299"), "status", 'There is no status "299"'),
        (("2026-10-02T09:15:00", '"yesterday"'), "at", '"yesterday" is no date and time'),
        (("BY", "WK"), "issuer.role", '"WK" gives no status of an invoice'),
        (('siren = "000471102", ', ""), "issuer.siren", "not identified (MDT-38)"),
        (("000471102", "47110"), "issuer.siren", '"47110" is no SIREN'),
        (('siren = "000471102"', 'id = "X"'), "issuer.scheme", "Of which list"),
        (
            ('siren = "000471102"', 'siren = "000471102", id = "X", scheme = "0009"'),
            "issuer.id",
            "siren is given as well",
        ),
        (('address = "000123455"', ""), "recipients[0].address", "MDT-73"),
        (('address = "000123455"', 'role = "XX"'), "recipients[0].role", "no role"),
        (("FA-2026-00187", " "), "invoices[0].number", "must say something"),
        (("issued = 2026-09-12", ""), "invoices[0].issued", "MDG-35"),
        (("issued = 2026-09-12", 'issued = "12/09/2026"'), "invoices[0].issued", "is no day"),
        (('seller = "000123455"', ""), "invoices[0].seller", "MDT-129"),
        (("type = 380", "type = 325"), "invoices[0].type", 'no type "325"'),
        (("CALCUL_ERR", "REJ_SEMAN"), "invoices[0].details[0].reason", "is no reason for 210"),
        (("NIN", "NON"), "invoices[0].details[0].action", 'no action "NON"'),
        (('reason = "CALCUL_ERR"', ""), "invoices[0].details", "nothing without a reason"),
        (("DVA", "DVD"), "invoices[0].details[0].values[0].type", "MDT-207"),
        (("1200.10", '"1 200,10"'), "invoices[0].details[0].values[0].amount", "no amount"),
        (("1200.10", "inf"), "invoices[0].details[0].values[0].amount", "no amount"),
        (
            ("issued = 2026", 'attachments = [{ filename = "a", content = "é" }]\nissued = 2026'),
            "invoices[0].attachments[0].content",
            "not base64",
        ),
    ],
)
def test_a_fault_is_told_with_the_path_of_its_key(
    change: tuple[str, str], key: str, what: str
) -> None:
    """What is wrong, where, and the way out."""
    (found,) = wrong(REFUSED, change)
    assert found.key == key
    assert what in found.what
    assert found.remedy


@pytest.mark.parametrize(
    ("change", "key", "what"),
    [
        (('received = "2026-09-12T10:00:00+02:00"', ""), "invoices[0].received", "MDT-95"),
        (("1200.00", ""), "invoices[0].details[0].values[0].amount", "how much"),
        ('"20"', "invoices[0].details[0].values[0].percent", "which rate"),
        (('issuer = { siren = "000123455" }', ""), "issuer", "by whom?"),
    ],
)
def test_what_the_portal_and_a_payment_need(
    change: tuple[str, str] | str, key: str, what: str
) -> None:
    """Fields that other statuses and recipients do without."""
    pair = (change, '""') if isinstance(change, str) else change
    (found,) = wrong(RECEIVED, pair)
    assert found.key == key
    assert what in found.what


def test_a_message_to_the_portal_goes_to_nobody_else() -> None:
    """So recipients are too many then, and the day of receipt is wanted."""
    found = wrong(REFUSED, ("status = 210", 'status = 210\nto = "portal"'))
    assert [each.key for each in found] == ["recipients", "invoices[0].received"]


def test_a_payment_without_any_amount_is_none() -> None:
    """212 without a value of type MEN."""
    text = RECEIVED.partition("[[invoices.details]]")[0]
    (found,) = wrong(text)
    assert found.key == "invoices[0].details"
    assert "MEN" in found.remedy


def test_everything_wrong_is_told_at_once() -> None:
    """Not one at a time."""
    text = REFUSED.replace("CALCUL_ERR", "X").replace("FA-2026-00187", "").replace("380", "999")
    keys = [each.key for each in wrong(text)]
    assert keys == ["invoices[0].number", "invoices[0].type", "invoices[0].details[0].reason"]


def test_only_platforms_give_statuses_of_transmission() -> None:
    """And nobody gives them in a platform's place."""
    text = REFUSED.replace("210", "200").replace("CALCUL_ERR", "NON_TRANSMISE")
    (found,) = wrong(text)
    assert found.key == "issuer"
    without = text.replace("issuer =", "# issuer =")
    assert isinstance(compose(request(without), WE, AT), Message)
    (found,) = wrong(without, role="SR")
    assert found.key == "status"
    assert "legal.role" in found.what


def test_the_portal_must_be_told_who_we_are() -> None:
    """legal.id is empty until somebody writes it."""
    (found,) = wrong(RECEIVED, id="")
    assert found.key == "to"
    assert "legal.id" in found.what


def test_a_request_of_nothing_to_nobody() -> None:
    """No invoice, no recipient."""
    found = compose(StatusRequest(status="203", invoices=()), WE, AT)
    assert isinstance(found, list)
    assert [each.key for each in found] == ["recipients", "invoices"]


@pytest.mark.parametrize("type_code", sorted(DOCUMENT_TYPES))
def test_types_are_those_of_the_official_list(type_code: str) -> None:
    """BR-FR-04."""
    found = compose(request(REFUSED, ("380", type_code)), WE, AT)
    assert isinstance(found, Message)
    assert objections(found) == ()


def test_ids_are_stable_and_apart() -> None:
    """One for each document, status, revision and recipient; the same whenever it is asked for."""

    def made(ordinal: int, code: str, revision: int, portal: bool) -> str:
        return status_id("01J", ordinal, STATUSES[code], revision, to_portal=portal)

    ids = {
        made(ordinal, code, revision, portal)
        for ordinal in (0, 1)
        for code in ("200", "213")
        for revision in (1, 2)
        for portal in (False, True)
    }
    assert len(ids) == 16
    assert made(1, "213", 1, portal=False) == "c35a0280-610b-5c31-805f-71ec3190b836"


def test_a_file_for_the_portal_is_named_as_it_wants() -> None:
    """FFE0614A, our code, and 19 characters that follow from the message's id."""
    found = assembled(REJECTED, [invoice(REJECTED)], sending(REJECTED, portal=True))
    name = file_name(found, WE)
    parts = envelope_name(name)
    assert parts is not None
    assert (parts.interface, parts.application) == ("FFE0614A", "AAA123")
    assert parts.sequence.startswith("0614")
    assert file_name(found, WE) == name
    assert file_name(msgspec.structs.replace(found, id="other"), WE) != name
    with pytest.raises(ConfigurationError, match=r"legal\.application"):
        file_name(found, msgspec.structs.replace(WE, application=""))


def test_a_file_for_a_partner_is_named_after_what_it_says() -> None:
    """Nothing of a hostile number gets into a path."""
    found = assembled(REJECTED, [invoice(REJECTED, "../../etc/FA 1")], sending(REJECTED))
    assert file_name(found, WE).startswith("CDV_213_etc-FA-1_")
    several = assembled(DEPOSITED, [invoice(DEPOSITED)] * 12, sending(DEPOSITED))
    assert file_name(several, WE).startswith("CDV_200_12-documents_")
    strange = assembled(DEPOSITED, [invoice(DEPOSITED, "é" * 300)], sending(DEPOSITED))
    assert file_name(strange, WE).startswith("CDV_200_")
    assert len(file_name(strange, WE)) < 80
