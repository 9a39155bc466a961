"""The lifecycle of invoices, as `edi-gateway show` prints it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import msgspec
from tabulate import tabulate

from gateway.cli.options import printable
from gateway.core.cdar.order import Order
from gateway.core.cdar.statuses import STATUSES
from gateway.model.standing import Direction, Standing
from gateway.model.verdict import Language
from gateway.service.journal.status_records import StatusRow

_STANDINGS = {
    Standing.RECORDED: "",
    Standing.IMPORTED: "the invoice was imported: another system accepted it",
    Standing.UNKNOWN: "no such invoice is here: linked when it comes",
    Standing.NOT_BELIEVED: "not believed: the partner has no part in the invoice",
    Standing.FLUX: "about a file",
}
_ORDERS = {
    Order.NORMAL: "",
    Order.LATE: "late: given before one that was known",
    Order.UNEXPECTED: "out of order: does not follow the one before it",
}


def of_invoice(rows: Iterable[StatusRow], ordinal: int) -> list[StatusRow]:
    """The lifecycle of one document, by the time each status was given."""
    mine = [row for row in rows if row.invoice_ordinal == ordinal]
    return sorted(mine, key=lambda row: (row.said_at or row.recorded_at, row.id))


def print_lifecycle(rows: list[StatusRow], language: Language) -> None:
    """What was said of an invoice; nothing when nothing was."""
    if rows:
        print("  lifecycle")
        print(_table([_line(row, language) for row in rows]))


def print_told(rows: list[StatusRow], language: Language) -> None:
    """What a lifecycle message told first; nothing for any other document."""
    if rows:
        print("  tells")
        print(_table([(printable(row.number), *_line(row, language)) for row in rows]))


def as_json(row: StatusRow) -> dict[str, Any]:
    """One status."""
    out: dict[str, Any] = msgspec.to_builtins(row)
    for hidden in ("id", "key", "rights"):
        del out[hidden]
    return out


def _line(row: StatusRow, language: Language) -> tuple[str, ...]:
    known = STATUSES.get(row.status)
    name = "" if known is None else known.name if language is Language.FR else known.name_en
    by = "to" if row.direction == Direction.SENT else "from"
    return (
        _time(row.said_at),
        f"{printable(row.status)} {name}".strip(),
        printable(" ".join(row.reasons)),
        f"{by} {row.partner}",
        f"message {printable(row.message_id)}",
        ", ".join(_remarks(row)),
    )


def _remarks(row: StatusRow) -> list[str]:
    remarks = [_STANDINGS.get(Standing(row.standing), "")]
    if row.order is not None:
        remarks.append(_ORDERS[Order(row.order)])
    if row.linked_at is not None:
        remarks.append(f"came before its invoice, linked {_time(row.linked_at)}")
    if row.repeats:
        times = "once" if row.repeats == 1 else f"{row.repeats} times"
        remarks.append(f"told again {times}, last {_time(row.repeated_at)}")
    return [each for each in remarks if each]


def _time(time: dt.datetime | None) -> str:
    return "" if time is None else time.strftime("%Y-%m-%d %H:%M:%S")


def _table(lines: list[tuple[str, ...]]) -> str:
    text = tabulate(lines, tablefmt="plain", disable_numparse=True)
    return "\n".join("    " + line.rstrip() for line in text.splitlines())
