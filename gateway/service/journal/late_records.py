"""Which interchanges an event called late: it is told once, whoever is restarted meanwhile."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa

from gateway.service.journal.tables import late_alerts


def alerts_on(conn: sa.Connection) -> dict[str, dt.datetime]:
    """Every interchange that was called late, and whose end was not told, with the moment."""
    query = sa.select(late_alerts.c.interchange_id, late_alerts.c.began_at)
    return {row.interchange_id: row.began_at for row in conn.execute(query)}


def begin_alert(conn: sa.Connection, interchange_id: str, now: dt.datetime) -> None:
    """It is called late."""
    conn.execute(sa.insert(late_alerts), {"interchange_id": interchange_id, "began_at": now})


def end_alert(conn: sa.Connection, interchange_id: str) -> None:
    """It is not late any more."""
    conn.execute(sa.delete(late_alerts).where(late_alerts.c.interchange_id == interchange_id))
