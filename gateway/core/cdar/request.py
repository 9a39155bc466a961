"""What somebody asks for who wants a status message built: a back office, by file or by queue.

The structs are the request as TOML or JSON has it. Every scalar but true and false is a text
here: `texts` makes `status = 210`, a date without quotes and an amount of one and the same form,
so that nothing is lost to floating point and both formats take the same values.
"""

from __future__ import annotations

import datetime as dt
import json
import tomllib
from decimal import Decimal
from typing import Any, Literal

import msgspec


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the request."""


class PartyAsked(_Table, frozen=True, kw_only=True):
    """Somebody: by SIREN, or by `id` of a `scheme`."""

    role: str = ""
    siren: str = ""
    id: str = ""
    scheme: str = ""
    name: str = ""
    address: str = ""
    address_scheme: str = "0225"


class ValueAsked(_Table, frozen=True, kw_only=True):
    """A value that goes with a detail (MDG-43)."""

    type: str
    amount: str = ""
    currency: str = "EUR"
    percent: str = ""
    date: str = ""
    name: str = ""
    location: str = ""
    value: str = ""


class DetailAsked(_Table, frozen=True, kw_only=True):
    """A reason, an action, values (MDG-37)."""

    reason: str = ""
    text: str = ""
    action: str = ""
    action_text: str = ""
    note: str = ""
    values: tuple[ValueAsked, ...] = ()


class AttachmentAsked(_Table, frozen=True, kw_only=True):
    """A file that goes with the status; `content` in base64 (MDT-96)."""

    filename: str
    content: str
    mime_code: str = "application/pdf"


class InvoiceAsked(_Table, frozen=True, kw_only=True):
    """One invoice; for 500 and 501 a flux, whose `number` is the name of the file."""

    number: str
    issued: str = ""
    seller: str = ""
    seller_scheme: str = "0002"
    type: str = ""
    received: str = ""
    details: tuple[DetailAsked, ...] = ()
    attachments: tuple[AttachmentAsked, ...] = ()


class StatusRequest(_Table, frozen=True, kw_only=True):
    """The whole request. `id` and `at` are made by whoever builds the message if not given."""

    status: str
    to: Literal["partner", "portal"] = "partner"
    id: str = ""
    at: str = ""
    language: Literal["fr", "en"] = "fr"
    issuer: PartyAsked | None = None
    recipients: tuple[PartyAsked, ...] = ()
    invoices: tuple[InvoiceAsked, ...]


def parse_json(data: bytes) -> Any:
    """JSON with every number as text. Raises ValueError that says where it is not JSON."""
    return texts(json.loads(data.decode("utf-8-sig"), parse_float=str, parse_int=str))


def parse_toml(data: bytes) -> dict[str, Any]:
    """TOML with every number, date and time as text. Raises ValueError that says where not."""
    table = texts(tomllib.loads(data.decode("utf-8-sig"), parse_float=str))
    assert isinstance(table, dict)
    return table


def texts(value: Any) -> Any:
    """The value with numbers, dates and times as texts; keys whose value is null are gone."""
    match value:
        case dict():
            return {key: texts(each) for key, each in value.items() if each is not None}
        case list():
            return [texts(each) for each in value]
        case bool() | str():
            return value
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case int() | float() | Decimal():
            return str(value)
        case _:
            return value
