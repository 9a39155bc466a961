"""People who may log in to the console: plain functions on a connection."""

from __future__ import annotations

import datetime as dt

import msgspec
import sqlalchemy as sa

from gateway.service.journal.tables import users

MOST = 1000
"""People listed at once."""


class UserRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `users`. `partner`: the only one it sees; "" for all."""

    name: str
    role: str
    partner: str
    password_hash: str
    created_at: dt.datetime
    changed_at: dt.datetime


_ALL = sa.select(*(users.c[name] for name in UserRow.__struct_fields__))
_ONE = _ALL.where(users.c.name == sa.bindparam("b_name"))


def user_named(conn: sa.Connection, name: str) -> UserRow | None:
    """The one of this name, or None."""
    row = conn.execute(_ONE, {"b_name": name}).first()
    return None if row is None else UserRow(**row._mapping)


def all_users(conn: sa.Connection) -> list[UserRow]:
    """Everybody, by name."""
    rows = conn.execute(_ALL.order_by(users.c.name).limit(MOST))
    return [UserRow(**row._mapping) for row in rows]


def add_user(conn: sa.Connection, row: UserRow) -> None:
    """Somebody new."""
    conn.execute(sa.insert(users), msgspec.structs.asdict(row))


def set_password(conn: sa.Connection, name: str, password_hash: str, now: dt.datetime) -> bool:
    """Another password from now on; False when there is nobody of this name."""
    changed = conn.execute(
        sa.update(users)
        .where(users.c.name == name)
        .values(password_hash=password_hash, changed_at=now)
    )
    return bool(changed.rowcount)


def remove_user(conn: sa.Connection, name: str) -> bool:
    """May not log in any more; False when nobody of this name could."""
    return bool(conn.execute(sa.delete(users).where(users.c.name == name)).rowcount)
