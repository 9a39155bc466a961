"""What must be kept whatever its age: the holds of a partner or of one interchange."""

from __future__ import annotations

import datetime as dt

import msgspec
import sqlalchemy as sa

from gateway.service.journal.tables import legal_holds


class LegalHold(msgspec.Struct, frozen=True, kw_only=True):
    """All of a partner, or one interchange; the other is ""."""

    partner: str
    interchange_id: str
    reason: str
    placed_by: str
    placed_at: dt.datetime

    @property
    def subject(self) -> str:
        """What it is about, in words."""
        return legal_subject(self.partner, self.interchange_id)


def legal_subject(partner: str, interchange_id: str) -> str:
    """`partner acme`, or `interchange 0197…`."""
    return f"interchange {interchange_id}" if interchange_id else f"partner {partner}"


_COLUMNS = tuple(legal_holds.c[name] for name in LegalHold.__struct_fields__)
_ALL = sa.select(*_COLUMNS).order_by(legal_holds.c.placed_at)
_ONE = sa.and_(
    legal_holds.c.partner == sa.bindparam("b_partner"),
    legal_holds.c.interchange_id == sa.bindparam("b_id"),
)
_EITHER = sa.select(*_COLUMNS).where(
    sa.or_(
        sa.and_(
            legal_holds.c.partner == sa.bindparam("b_partner"), legal_holds.c.interchange_id == ""
        ),
        sa.and_(legal_holds.c.partner == "", legal_holds.c.interchange_id == sa.bindparam("b_id")),
    )
)


def legal_holds_in_force(conn: sa.Connection) -> list[LegalHold]:
    """Every hold, the oldest first."""
    return [LegalHold(**row._mapping) for row in conn.execute(_ALL)]


def legal_hold_on(conn: sa.Connection, interchange_id: str, partner: str) -> LegalHold | None:
    """What keeps this interchange, if anything does."""
    row = conn.execute(_EITHER, {"b_id": interchange_id, "b_partner": partner}).first()
    return None if row is None else LegalHold(**row._mapping)


def place_legal_hold(conn: sa.Connection, hold: LegalHold) -> bool:
    """Hold; False when it is held already, for the reason given then."""
    key = {"b_partner": hold.partner, "b_id": hold.interchange_id}
    if conn.execute(sa.select(legal_holds.c.reason).where(_ONE), key).first() is not None:
        return False
    conn.execute(sa.insert(legal_holds), msgspec.structs.asdict(hold))
    return True


def lift_legal_hold(conn: sa.Connection, partner: str, interchange_id: str) -> bool:
    """Let go; False when nothing was held so."""
    key = {"b_partner": partner, "b_id": interchange_id}
    return conn.execute(sa.delete(legal_holds).where(_ONE), key).rowcount > 0
