"""Requests for statuses that were taken, by the id of the message that brought them."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from gateway.service.journal.tables import interchanges, status_requests


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was taken, in the order of the table's columns.

    `key`: the id of its message; `sha256`: of its body; `interchange_id`: of the first thing it
    speaks of; `answer`: what whoever asked was told.
    """

    key: str
    sha256: str
    interchange_id: str
    answer: dict[str, Any]
    taken_at: dt.datetime


_COLUMNS: Final = Taken.__struct_fields__
_TAKEN: Final = sa.select(*(status_requests.c[name] for name in _COLUMNS)).where(
    status_requests.c.key == sa.bindparam("b_key")
)
_ADD: Final = sa.insert(status_requests).inline()
_NAMED: Final = (
    sa.select(interchanges.c.id).where(interchanges.c.name == sa.bindparam("b_name")).limit(2)
)


def taken(conn: sa.Connection, key: str) -> Taken | None:
    """The request that a message with this id brought, if one did."""
    row = conn.execute(_TAKEN, {"b_key": key}).first()
    return None if row is None else Taken(**dict(zip(_COLUMNS, row, strict=True)))


def take(conn: sa.Connection, request: Taken) -> None:
    """Remember a request. Raises IntegrityError when one with its key is there (`taken`)."""
    conn.execute(_ADD, msgspec.structs.asdict(request))


def interchanges_called(conn: sa.Connection, name: str) -> list[str]:
    """Interchanges whose file has this name; two at most."""
    return [str(id_) for id_ in conn.execute(_NAMED, {"b_name": name}).scalars()]
