"""What waits for an instant, once the computer's clock was set back: statements on one transaction.

An instant that was near may be an hour away then. So everything that waits is tried at once; what
fails again waits again, by the clock as it is now.
"""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa

from gateway.service.journal.delivery_records import release
from gateway.service.journal.member_records import OPEN_DOCUMENT
from gateway.service.journal.tables import documents, statuses_owed, transitions

_NEWEST = sa.select(transitions.c.at).order_by(transitions.c.id.desc()).limit(1)


def newest_step(conn: sa.Connection) -> dt.datetime | None:
    """When the last step was written; None in a new journal."""
    found: dt.datetime | None = conn.execute(_NEWEST).scalar()
    return found


def try_all_now(conn: sa.Connection, now: dt.datetime) -> int:
    """Have messages, documents and statuses that wait for a later instant due; how many.

    But for messages that wait for a receipt: their partner has them.
    """
    others = (
        sa.update(statuses_owed).where(statuses_owed.c.next_attempt_at > now),
        sa.update(documents).where(
            documents.c.state.in_(OPEN_DOCUMENT), documents.c.next_attempt_at > now
        ),
    )
    return release(conn, now) + sum(
        conn.execute(update.values(next_attempt_at=now)).rowcount for update in others
    )
