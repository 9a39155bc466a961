"""People who may log in to the console: plain functions on a connection."""

from __future__ import annotations

import datetime as dt

import msgspec
import sqlalchemy as sa

from gateway.service.journal.tables import audit, users

MOST = 1000
"""People listed at once."""
LOGIN = "login"
"""What the audit calls a login."""


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


def set_role(conn: sa.Connection, name: str, role: str) -> bool:
    """Another role from now on; False when there is nobody of this name."""
    changed = conn.execute(sa.update(users).where(users.c.name == name).values(role=role))
    return bool(changed.rowcount)


def others_of_role(conn: sa.Connection, role: str, name: str) -> int:
    """How many have this role beside the one of this name."""
    query = sa.select(sa.func.count()).where(users.c.role == role, users.c.name != name)
    return int(conn.execute(query).scalar_one())


def last_logins(conn: sa.Connection, name: str = "") -> dict[str, dt.datetime]:
    """When each user, or this one, logged in last, as the audit has it; without who never did."""
    deeds = audit.alias()
    last = (
        sa.select(deeds.c.id)
        .where(deeds.c.by == users.c.name, deeds.c.action == LOGIN, deeds.c.via == "console")
        .order_by(deeds.c.id.desc())
        .limit(1)
        .correlate(users)
        .scalar_subquery()
    )
    query = sa.select(users.c.name, audit.c.at).select_from(users.join(audit, audit.c.id == last))
    if name:
        query = query.where(users.c.name == name)
    return {row.name: row.at for row in conn.execute(query)}


def remove_user(conn: sa.Connection, name: str) -> bool:
    """May not log in any more; False when nobody of this name could."""
    return bool(conn.execute(sa.delete(users).where(users.c.name == name)).rowcount)
