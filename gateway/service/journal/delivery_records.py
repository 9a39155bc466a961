"""What keeps messages from being sent, and what is being sent: holds, circuits, sendings.

A hold is an operator's; a circuit is open while a destination does not answer. A sending is noted
before it begins and struck out with its outcome, so that an attempt which a crash cuts short is
counted all the same.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from gateway.service.journal.due_records import FLOW
from gateway.service.journal.tables import (
    PENDING,
    As2State,
    as2_messages,
    circuits,
    holds,
    interventions,
    outbox,
    sendings,
)

INTERRUPTED = "The gateway ended while this was being sent."
_IDS_AT_ONCE = 500


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """What must not be sent, since when, who said so and why. "" means any."""

    partner: str
    flow: str
    destination: str
    reason: str
    placed_by: str
    placed_at: dt.datetime

    @property
    def subject(self) -> str:
        """What it is about, in words."""
        return subject_of(self.partner, self.flow, self.destination)


class Circuit(msgspec.Struct, frozen=True, kw_only=True):
    """A destination that does not answer; `partner` "" where it is not a partner's."""

    destination: str
    partner: str
    opened_at: dt.datetime
    failures: int
    next_probe_at: dt.datetime
    error: str


class Intervention(msgspec.Struct, frozen=True, kw_only=True):
    """Something an operator did about deliveries."""

    at: dt.datetime
    action: str
    by: str
    subject: str
    reason: str
    interchange_id: str | None = None


def subject_of(partner: str, flow: str, destination: str) -> str:
    """What a hold is about: `partner acme, flow b2g-invoice`; `everything` for all three ""."""
    named = (("partner", partner), ("flow", flow), ("destination", destination))
    return ", ".join(f"{word} {name}" for word, name in named if name) or "everything"


_HOLDS = sa.select(*(holds.c[name] for name in Hold.__struct_fields__)).order_by(holds.c.placed_at)
_THE_HOLD = sa.and_(
    holds.c.partner == sa.bindparam("b_partner"),
    holds.c.flow == sa.bindparam("b_flow"),
    holds.c.destination == sa.bindparam("b_destination"),
)
_CIRCUITS = sa.select(*(circuits.c[name] for name in Circuit.__struct_fields__)).order_by(
    circuits.c.destination, circuits.c.partner
)
_THE_CIRCUIT = sa.and_(
    circuits.c.destination == sa.bindparam("b_destination"),
    circuits.c.partner == sa.bindparam("b_partner"),
)
_THEIR_IDS = sa.select(outbox.c.id, sa.bindparam("b_now", type_=sendings.c.begun_at.type)).where(
    outbox.c.id.in_(sa.bindparam("b_ids", expanding=True))
)
# One statement for a batch: row by row it costs more than all the rest.
_BEGIN = {
    name: insert.insert(sendings)
    .from_select(["outbox_id", "begun_at"], _THEIR_IDS)
    .on_conflict_do_nothing()
    for name, insert in (("sqlite", sqlite), ("postgresql", postgresql))
}
_END = sa.delete(sendings).where(sendings.c.outbox_id.in_(sa.bindparam("b_ids", expanding=True)))
_COUNT_INTERRUPTED = (
    sa.update(outbox)
    .where(outbox.c.id.in_(sa.select(sendings.c.outbox_id)), PENDING)
    .values(attempts=outbox.c.attempts + 1, last_error=INTERRUPTED)
)
_AWAITS_RECEIPT = (
    sa.exists()
    .where(
        as2_messages.c.outbox_message_id == outbox.c.message_id,
        as2_messages.c.state == As2State.SENT,
    )
    .correlate(outbox)
)
_INTERVENTIONS_OF = (
    sa.select(*(interventions.c[name] for name in Intervention.__struct_fields__))
    .where(interventions.c.interchange_id == sa.bindparam("b_id"))
    .order_by(interventions.c.id)
)


def holds_in_force(conn: sa.Connection) -> list[Hold]:
    """Every hold, the oldest first."""
    return [Hold(**row._mapping) for row in conn.execute(_HOLDS)]


def place_hold(conn: sa.Connection, hold: Hold) -> bool:
    """Hold; False when that is held already, for the reason given then."""
    key = {"b_partner": hold.partner, "b_flow": hold.flow, "b_destination": hold.destination}
    if conn.execute(sa.select(holds.c.reason).where(_THE_HOLD), key).first() is not None:
        return False
    conn.execute(sa.insert(holds), msgspec.structs.asdict(hold))
    return True


def lift_hold(conn: sa.Connection, hold: Hold, now: dt.datetime) -> int:
    """Let go of what was held, and have it due now; how many messages were to wait longer."""
    key = {"b_partner": hold.partner, "b_flow": hold.flow, "b_destination": hold.destination}
    conn.execute(sa.delete(holds).where(_THE_HOLD), key)
    return release(conn, now, partner=hold.partner, flow=hold.flow, destination=hold.destination)


def release(
    conn: sa.Connection,
    now: dt.datetime,
    *,
    partner: str = "",
    flow: str = "",
    destination: str = "",
) -> int:
    """Have the messages that wait for another attempt due now; how many these are. "": any.

    Those that wait for a receipt go on waiting: their partner has them.
    """
    meant = [outbox.c.next_attempt_at > now, sa.not_(_AWAITS_RECEIPT)]
    if partner:
        meant.append(outbox.c.partner == partner)
    if destination:
        meant.append(outbox.c.destination == destination)
    if flow:
        meant.append(flow == FLOW)
    update = sa.update(outbox).where(PENDING, *meant).values(next_attempt_at=now)
    return conn.execute(update).rowcount


def add_intervention(conn: sa.Connection, done: Intervention) -> None:
    """Keep who did what and why."""
    conn.execute(sa.insert(interventions), msgspec.structs.asdict(done))


def interventions_of(conn: sa.Connection, interchange_id: str) -> list[Intervention]:
    """What operators did about the deliveries of an interchange."""
    rows = conn.execute(_INTERVENTIONS_OF, {"b_id": interchange_id})
    return [Intervention(**row._mapping) for row in rows]


def begin_sending(conn: sa.Connection, ids: Sequence[int], now: dt.datetime) -> None:
    """These messages are about to be sent. One that is under way already stays so."""
    for start in range(0, len(ids), _IDS_AT_ONCE):
        batch = list(ids[start : start + _IDS_AT_ONCE])
        conn.execute(_BEGIN[conn.dialect.name], {"b_ids": batch, "b_now": now})


def end_sending(conn: sa.Connection, ids: Sequence[int]) -> None:
    """What came of these is written with this, or nothing was sent."""
    for start in range(0, len(ids), _IDS_AT_ONCE):
        conn.execute(_END, {"b_ids": list(ids[start : start + _IDS_AT_ONCE])})


def count_interrupted(conn: sa.Connection) -> int:
    """Count the attempts whose outcome nobody wrote, before others begin; how many these are."""
    number = conn.execute(_COUNT_INTERRUPTED).rowcount
    conn.execute(sa.delete(sendings))
    return number


def open_circuits(conn: sa.Connection) -> list[Circuit]:
    """The destinations that do not answer."""
    return [Circuit(**row._mapping) for row in conn.execute(_CIRCUITS)]


def keep_circuit(conn: sa.Connection, circuit: Circuit) -> None:
    """The destination does not answer, or still does not."""
    forget_circuit(conn, circuit.destination, circuit.partner)
    conn.execute(sa.insert(circuits), msgspec.structs.asdict(circuit))


def forget_circuit(conn: sa.Connection, destination: str, partner: str) -> None:
    """The destination answers again."""
    key = {"b_destination": destination, "b_partner": partner}
    conn.execute(sa.delete(circuits).where(_THE_CIRCUIT), key)
