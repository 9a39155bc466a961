"""How interchanges and the members of archives enter the journal: the steps before any verdict.

Plain functions on one transaction, like those of `settle`: a step and the events that tell of it
are there together or not at all.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import Connection

from gateway.core import uniqueness
from gateway.core.naming import interface_code
from gateway.core.outcome import unreadable
from gateway.core.uniqueness import FluxKey
from gateway.model.container import Member
from gateway.model.interchange import Interchange
from gateway.model.lifecycle import InterchangeState
from gateway.model.partner import Uniqueness
from gateway.model.verdict import Judgement
from gateway.service.journal import records
from gateway.service.journal.uniqueness_records import flux_holders
from gateway.service.settle import events_of, row_of


def receive(
    conn: Connection,
    interchange: Interchange,
    now: dt.datetime,
    *,
    claim_key: str | None = None,
    policy: Uniqueness | None = None,
) -> records.Receipt:
    """Claim and record what arrived; a resend finds what the first attempt made.

    A resend gets the answer that is there already once more, and nobody else hears of it.
    `claim_key`: what the transport knows a delivery by, however late it comes again; None: its
    name, which makes a resend for as long as `policy` says. By another way, or as a message of its
    own, the same file is a resend of what was accepted.
    """
    policy = policy or Uniqueness()
    window = now - dt.timedelta(hours=policy.resend_window_hours)
    receipt = records.receive(
        conn,
        interchange,
        interface_code=interface_code(interchange.envelope.name),
        claim_key=_claim_key(interchange) if claim_key is None else claim_key,
        now=now,
        anew_before=window if claim_key is None else None,
        elsewhere=lambda: _same_file(conn, interchange, policy, window),
    )
    if receipt.step is not None:
        records.add_outbox_many(conn, events_of(interchange, [receipt.step], None))
    else:
        records.answer_again(
            conn, receipt.interchange_id, interchange.envelope.transport.value, now
        )
    return receipt


def _claim_key(interchange: Interchange) -> str:
    """The file's name. What a partner sent as a test does not make its first real file a resend."""
    return uniqueness.within(interchange.environment, interchange.envelope.name)


def _same_file(
    conn: Connection, interchange: Interchange, policy: Uniqueness, since: dt.datetime
) -> str | None:
    """The accepted interchange that these bytes under this name made, no longer ago than that."""
    if policy.payload != "refuse":
        return None
    envelope = interchange.envelope
    sender = uniqueness.within(interchange.environment, envelope.partner)
    for holder in flux_holders(conn, FluxKey(sender, None, interchange.sha256)):
        recent = holder.received_at is not None and holder.received_at >= since
        if holder.file == envelope.name and recent:
            return holder.interchange
    return None


def enter_members(
    conn: Connection,
    interchange: Interchange,
    documents: Sequence[tuple[int, Member]],
    beside: Sequence[Member],
    *,
    last: bool,
    now: dt.datetime,
) -> None:
    """Enter a page of what an archive holds; after the `last` the interchange is opened.

    `documents` are numbered by their ordinals; those that are entered already are left as they
    are, so a page may be entered again after a crash. A member that cannot be used is entered
    with its judgement, which only waits to be settled; when the archive is judged again, it gets
    it anew.
    """
    row = row_of(conn, interchange)
    entered = row.documents_total
    steps: list[records.Transition] = []
    revision = 0
    if entered == 1:
        first = records.document(conn, interchange.id, 1)
        if first is not None and first.position is None:  # the archive itself, until it opened
            records.drop_placeholder(conn, interchange.id)
            entered, revision = 0, first.revision
    for ordinal, member in documents:
        if ordinal <= entered:
            if member.findings and records.forgotten(conn, interchange.id, ordinal):
                records.store_judgement(conn, interchange.id, ordinal, _unusable(member))
            continue
        steps.append(
            records.add_document(
                conn,
                interchange.id,
                ordinal,
                name=member.name,
                sha256=member.sha256,
                size=member.size,
                position=member.position,
                revision=revision if ordinal == 1 else 0,
                now=now,
            )
        )
        if member.findings:
            records.store_judgement(conn, interchange.id, ordinal, _unusable(member))
    records.add_attachments(conn, interchange.id, beside)
    if last and row.state == InterchangeState.RECEIVED:
        steps.append(
            records.move_interchange(
                conn, interchange.id, InterchangeState.OPENED, cause=None, now=now
            )
        )
    records.add_outbox_many(conn, events_of(interchange, steps, row.flow))


def _unusable(member: Member) -> Judgement:
    return unreadable(member.name, member.sha256, member.size, member.findings)
