"""Tables of replays of many interchanges: tried first, then committed once."""

from __future__ import annotations

from enum import StrEnum

import sqlalchemy as sa

from gateway.service.journal.columns import UtcTime, Word, metadata


class ItemState(StrEnum):
    """Where one interchange of a replay stands.

    `waiting` to be tried; `tried`: what would change is known; `failed`: it could not be tried;
    `committed`: its verdicts are taken back, it is judged again; `refused`: that could not be done.
    """

    WAITING = "waiting"
    TRIED = "tried"
    FAILED = "failed"
    COMMITTED = "committed"
    REFUSED = "refused"


replays = sa.Table(
    "replays",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("made_by", sa.Text, nullable=False),
    sa.Column("made_at", UtcTime, nullable=False),
    # What was chosen, in words; and the day whose rules judge, None: that of each receipt.
    sa.Column("chosen", sa.Text, nullable=False),
    sa.Column("rules_on", sa.Date),
)

replay_items = sa.Table(
    "replay_items",
    metadata,
    sa.Column("replay_id", sa.Text, sa.ForeignKey("replays.id"), primary_key=True),
    sa.Column("interchange_id", sa.Text, sa.ForeignKey("interchanges.id"), primary_key=True),
    sa.Column("state", Word(ItemState), nullable=False),
    sa.Column("documents", sa.Integer, nullable=False, server_default="0"),
    sa.Column("changed", sa.Integer, nullable=False, server_default="0"),
    # How often which verdict would become which, under which packs.
    sa.Column("changes", sa.JSON, nullable=False),
    sa.Column("said", sa.Text),
    sa.Index("ix_replay_items_state", "replay_id", "state", "interchange_id"),
    sqlite_with_rowid=False,
)
