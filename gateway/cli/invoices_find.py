"""`edi-gateway invoices find`: who holds an invoice number, since when, and what was told of it."""

from __future__ import annotations

import argparse
import datetime as dt
import json
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from gateway.cli import options
from gateway.cli.invoices_named import add_seller_and_number, seller_and_number, year
from gateway.cli.show_statuses import as_json, print_lifecycle
from gateway.service.journal import open_reader, status_records
from gateway.service.journal.delivery_records import Intervention
from gateway.service.journal.known_invoices import (
    Accepted,
    accepted_without,
    forgotten,
    holders_of,
)
from gateway.service.journal.status_records import StatusRow
from gateway.service.journal.uniqueness_records import Held

WORDS: Final = "who holds an invoice number: a document, or an import; and what was told of it"


class Found(msgspec.Struct, frozen=True):
    """What is known of a number. `holders`: each with its lifecycle."""

    holders: list[tuple[Held, list[StatusRow]]]
    others: list[Accepted]
    forgotten: list[Intervention]


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the action."""
    add_seller_and_number(parser)
    parser.add_argument(
        "year", metavar="YEAR", type=year, nargs="?", help="its year of issue (default: any)"
    )
    options.add_language(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options.add_configuration(parser)


def run(args: argparse.Namespace) -> int:
    """0 when somebody holds it; 1 when nobody does."""
    seller, number = seller_and_number(args)
    with open_reader(options.journal_path(args)).connect() as conn:
        found = _find(conn, seller, number, args.year)
    if args.json:
        print(json.dumps({"seller": seller, "number": number, **_as_json(found)}))
    else:
        _print(found, seller, number, args)
    return 0 if found.holders else 1


def _find(conn: Connection, seller: str, number: str, when: int | None) -> Found:
    holders = holders_of(conn, seller, number, when)
    return Found(
        [(held, _told_of(conn, held)) for held in holders],
        accepted_without(conn, seller, number, when),
        forgotten(conn, seller, number, when),
    )


def _told_of(conn: Connection, held: Held) -> list[StatusRow]:
    holder = held.holder
    if holder.interchange is None:
        return status_records.statuses_of_imported(conn, held.key)
    return status_records.statuses_of_invoice(conn, holder.interchange, holder.ordinal)


def _as_json(found: Found) -> dict[str, Any]:
    return {
        "holders": [_holder_as_json(held, told) for held, told in found.holders],
        "accepted_without_holding": msgspec.to_builtins(found.others),
        "forgotten": msgspec.to_builtins(found.forgotten),
    }


def _holder_as_json(held: Held, told: list[StatusRow]) -> dict[str, Any]:
    holder = held.holder
    of_document = {
        "interchange": holder.interchange,
        "ordinal": holder.ordinal,
        "document": holder.document,
        "partner": holder.partner,
        "file": holder.file,
        "received_at": holder.received_at,
    }
    out: dict[str, Any] = msgspec.to_builtins(
        {
            "year": held.key.year,
            "since": held.since,
            "imported": held.imported,
            "source": held.source,
            **(dict.fromkeys(of_document) if held.imported else of_document),
        }
    )
    out["statuses"] = [as_json(row) for row in told]
    return out


def _print(found: Found, seller: str, number: str, args: argparse.Namespace) -> None:
    named = f"Invoice {options.printable(number)} of {seller.partition(':')[2]}"
    for held, told in found.holders:
        print(f"{named} of {held.key.year}: {_holder(held)}")
        print_lifecycle(told, args.lang)
    if not found.holders:
        print(f"{named}: nobody holds it{f' in {args.year}' if args.year else ''}.")
    for other in found.others:
        where = f"document {other.ordinal} of interchange {other.interchange}"
        print(
            f"Accepted without holding it: {where} ({options.shorten(other.document, 60)}),"
            f" dated {other.issued or 'unknown'}, sent by {other.partner}"
            f" on {_time(other.received_at)}"
        )
    for each in found.forgotten:
        why = options.printable(each.reason)
        print(f"An import of it was forgotten on {_time(each.at)} by {each.by}: {why}")


def _holder(held: Held) -> str:
    holder = held.holder
    if held.imported:
        source = f"from {held.source}" if held.source else "from a table whose name was not kept"
        return f"imported on {_time(held.since)} {source}"
    file = options.shorten(holder.file, 60)
    document = options.shorten(holder.document, 60)
    inside = "" if file == document else f" in {file}"
    when = _time(holder.received_at) if holder.received_at else "—"
    return (
        f"document {holder.ordinal} of interchange {holder.interchange} ({document}{inside}),"
        f" sent by {holder.partner} on {when}"
    )


def _time(time: dt.datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"
