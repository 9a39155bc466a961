"""Entering what documents are found by, and counted as, in the transaction of their verdict."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from gateway.model.interchange import Interchange
from gateway.model.verdict import (
    Judgement,
    Layer,
    Rejected,
    Severity,
    Undetermined,
    Verdict,
    verdict_name,
)
from gateway.service.journal.search_tables import searchable
from gateway.service.journal.search_words import (
    compact,
    hundredths,
    microseconds,
    moment,
    month_of,
    plain,
)
from gateway.service.journal.statistics_records import Counted, apply_change, change_of

PDF: Final = "factur-x"
"""The format of an invoice that came inside a PDF."""

_DOCUMENT: Final = ("interchange_id", "ordinal")
_ENTER: Final = {
    "sqlite": sqlite.insert(searchable).inline().on_conflict_do_nothing(index_elements=_DOCUMENT),
    "postgresql": postgresql.insert(searchable)
    .inline()
    .on_conflict_do_nothing(index_elements=_DOCUMENT),
}
_THE_ENTRY: Final = sa.and_(
    searchable.c.interchange_id == sa.bindparam("b_id"),
    searchable.c.ordinal == sa.bindparam("b_ordinal"),
)
_ENTRY: Final = sa.select(searchable).where(_THE_ENTRY)
_CHANGE: Final = (
    sa.update(searchable)
    .where(_THE_ENTRY)
    .values(
        {
            column.name: sa.bindparam(f"b_{column.name}", type_=column.type)
            for column in searchable.c
            if column.name not in ("id", *_DOCUMENT)
        }
    )
)


def enter(
    conn: sa.Connection, interchange: Interchange, ordinal: int, judgement: Judgement
) -> None:
    """Have the document found by what was read in it, and counted as what was said of it.

    Judged before, it is found by what is read now, and stops counting as what it was.
    """
    entry = entry_of(interchange, ordinal, judgement)
    if enter_new(conn, entry):
        return
    key = {"b_id": interchange.id, "b_ordinal": ordinal}
    before = conn.execute(_ENTRY, key).one()
    conn.execute(_CHANGE, {f"b_{name}": value for name, value in entry.items()} | key)
    change = change_of(filter(None, [counted(entry)]), filter(None, [counted(before._mapping)]))
    apply_change(conn, change)


def enter_new(conn: sa.Connection, entry: dict[str, Any]) -> bool:
    """Enter a document that is not there, and count it; False when it is there."""
    if not conn.execute(_ENTER[conn.dialect.name], entry).rowcount:
        return False
    said = counted(entry)
    if said is not None:
        apply_change(conn, change_of([said]))
    return True


def entry_of(interchange: Interchange, ordinal: int, judgement: Judgement) -> dict[str, Any]:
    """The row of `searchable` for a judgement."""
    envelope = interchange.envelope
    received_at = envelope.received_at
    file = plain(envelope.name) or ""
    name = plain(judgement.document)
    return {
        "interchange_id": interchange.id,
        "ordinal": ordinal,
        "partner": envelope.partner,
        "received": microseconds(received_at),
        "month": month_of(received_at),
        "file": file,
        "name": name if name != file else None,
        "number": compact(judgement.invoice_number),
        "seller_id": compact(judgement.seller_id),
        "seller_name": plain(judgement.seller_name),
        "buyer_id": compact(judgement.buyer_id),
        "buyer_name": plain(judgement.buyer_name),
        "issued": judgement.issue_date,
        "amount": hundredths(judgement.amount),
        "environment": interchange.environment.value,
        "channel": envelope.transport.value,
        "flow": judgement.flow,
        "format": PDF if judgement.pdf else judgement.syntax,
        "profile": _profile(judgement),
        "verdict": _standing(judgement.verdict),
        "rules": _rules(judgement.verdict),
    }


def counted(entry: Any) -> Counted | None:
    """As what the document of a row counts; None while no verdict stands."""
    if entry["verdict"] is None:
        return None
    return Counted(
        at=moment(entry["received"]).date(),
        environment=entry["environment"],
        partner=entry["partner"],
        channel=entry["channel"],
        flow=entry["flow"] or "",
        format=entry["format"] or "",
        profile=entry["profile"] or "",
        verdict=entry["verdict"],
        rules=tuple((entry["rules"] or "").split()),
    )


def _profile(judgement: Judgement) -> str | None:
    """The profile, where some flow knows it: anybody may write anything there."""
    unknown = any(each.layer is Layer.ROUTING for each in judgement.findings)
    if judgement.flow is None or (unknown and isinstance(judgement.verdict, Rejected)):
        return None
    return judgement.profile


def _standing(verdict: Verdict) -> str | None:
    return None if isinstance(verdict, Undetermined) else verdict_name(verdict)


def _rules(verdict: Verdict) -> str | None:
    if not isinstance(verdict, Rejected):
        return None
    codes = {
        "-".join(each.rule.split())
        for each in verdict.findings
        if each.severity is Severity.ERROR and each.rule.strip()
    }
    return f" {' '.join(sorted(codes))} " if codes else None
