"""The journal's tables, in SQLAlchemy Core, portable between SQLite and PostgreSQL.

    interchanges ─┬─< documents       what arrived, and what was found inside it
                  ├─< attachments     what lay beside the documents of an archive
                  ├─< files           what was attached inside accepted invoices, in the spool
                  ├─< transitions     every step either of them took: the audit trail
                  ├─< outbox          what must leave; written with the step that caused it
                  ├─< claims          which delivery made it: an honest resend finds it again
                  ├─< as2_messages    AS2 messages both ways with their receipts: the evidence
                  ├── flux_keys       the name and bytes it holds: nobody else may send them again
                  ├─< invoice_keys    the invoices it holds; imported ones have no interchange
                  ├─< invoice_statuses  what lifecycle messages told of invoices, and of which
                  ├─< statuses_given  the last status we told of each document, to whom
                  ├── statuses_owed   it was reported on, and its statuses are still to be told
                  └─< interventions   what operators did to deliveries, of one interchange or many
    outbox        ─── sendings        messages being sent: what a crash must not leave uncounted
    holds                             what must not be sent for now, and who said so
    circuits                          destinations that do not answer
    payloads                          how many interchanges need each file of the spool

A change here needs a migration in migrations/versions; a test compares the two.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from gateway.model.container import Role
from gateway.model.lifecycle import DocumentState, InterchangeState


class UtcTime(sa.types.TypeDecorator[dt.datetime]):
    """A point in time: aware in, aware (UTC) out. SQLite keeps it as text that sorts by time."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: sa.Dialect) -> Any:
        """Refuse naive times: nobody could say what they mean."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; the journal stores UTC")
        utc = value if value.tzinfo is dt.UTC else value.astimezone(dt.UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> dt.datetime | None:
        """Give the time zone back where the database does not keep one."""
        if value is None:
            return None
        if value.tzinfo is None:
            return value.replace(tzinfo=dt.UTC)  # type: ignore[no-any-return]
        return value.astimezone(dt.UTC)  # type: ignore[no-any-return]


class Word(sa.types.TypeDecorator[StrEnum]):
    """A member of a `StrEnum`, kept as its value."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str | None:
        """Only words of the enumeration go in."""
        return None if value is None else self.words(value).value

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Any:
        """The member, so that `match` and `is` work on it."""
        return None if value is None else self.words(value)


class OutboxState(StrEnum):
    """Where a message of the outbox stands. A failed attempt leaves it pending, due later.

    `dead`: its destination said no to this very message too often; an operator sends it again.
    """

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


class As2State(StrEnum):
    """Where an AS2 message stands. One that came in is `received`, and that is that.

    One that goes out is `packed`, then `sent` while it waits for an asynchronous receipt, then
    `receipted` when a valid receipt is there, or `refused` when the receipt says so.
    """

    RECEIVED = "received"
    PACKED = "packed"
    SENT = "sent"
    RECEIPTED = "receipted"
    REFUSED = "refused"


metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows by itself only when the key is an INTEGER, never a BIGINT.
_Number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

UNFINISHED = sa.text("state IN ('judged', 'opened', 'received')")

interchanges = sa.Table(
    "interchanges",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("partner", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("transport", sa.Text, nullable=False),
    sa.Column("interface_code", sa.Text),
    sa.Column("received_at", UtcTime, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("state", Word(InterchangeState), nullable=False),
    sa.Column("flow", sa.Text),
    sa.Column("cause", sa.Text),
    sa.Column("documents_total", sa.Integer, nullable=False, server_default="0"),
    sa.Column("documents_open", sa.Integer, nullable=False, server_default="0"),
    sa.Column("report_revision", sa.Integer, nullable=False, server_default="0"),
    sa.Column("updated_at", UtcTime, nullable=False),
    sa.Column("rules_on", sa.Date),
    # Ids sort by time, so an index that ends with the id also gives "the newest first".
    sa.Index("ix_interchanges_state", "state", "id"),
    sa.Index("ix_interchanges_partner", "partner", "id"),
    sa.Index("ix_interchanges_name", "name"),
    # Partial: it holds what waits, partner by partner, not the millions already answered.
    sa.Index(
        "ix_interchanges_unfinished",
        "partner",
        "id",
        sqlite_where=UNFINISHED,
        postgresql_where=UNFINISHED,
    ),
)

documents = sa.Table(
    "documents",
    metadata,
    sa.Column("interchange_id", sa.Text, sa.ForeignKey("interchanges.id"), primary_key=True),
    sa.Column("ordinal", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("state", Word(DocumentState), nullable=False),
    sa.Column("flow", sa.Text),
    sa.Column("syntax", sa.Text),
    sa.Column("document_type", sa.Text),
    sa.Column("profile", sa.Text),
    sa.Column("invoice_number", sa.Text),
    sa.Column("issue_date", sa.Text),
    sa.Column("seller_id", sa.Text),
    sa.Column("buyer_id", sa.Text),
    sa.Column("verdict", sa.Text),
    sa.Column("cause", sa.Text),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("next_attempt_at", UtcTime),
    sa.Column("revision", sa.Integer, nullable=False, server_default="0"),
    sa.Column("judgement", sa.LargeBinary),
    sa.Column("position", sa.Integer),
    sa.Column("lethal", sa.Integer, nullable=False, server_default="0"),
    sa.Index("ix_documents_state", "state"),
    sa.Index("ix_documents_invoice_number", "invoice_number"),
    sa.Index("ix_documents_seller_id", "seller_id"),
    sa.Index("ix_documents_buyer_id", "buyer_id"),
)

attachments = sa.Table(
    "attachments",
    metadata,
    sa.Column("interchange_id", sa.Text, sa.ForeignKey("interchanges.id"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("role", Word(Role), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("beside", sa.Text),
)

files = sa.Table(
    "files",
    metadata,
    sa.Column("interchange_id", sa.Text, sa.ForeignKey("interchanges.id"), primary_key=True),
    sa.Column("ordinal", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
)

transitions = sa.Table(
    "transitions",
    metadata,
    sa.Column("id", _Number, primary_key=True),
    sa.Column("interchange_id", sa.Text, sa.ForeignKey("interchanges.id"), nullable=False),
    sa.Column("ordinal", sa.Integer, nullable=False),
    sa.Column("old_state", sa.Text),
    sa.Column("new_state", sa.Text, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("cause", sa.Text),
    sa.Index("ix_transitions_interchange_id", "interchange_id"),
    # A number is never used twice, even after a purge: events are named by it.
    sqlite_autoincrement=True,
)

PENDING = sa.text("state = 'pending'")
DEAD = sa.text("state = 'dead'")
TO_PARTNERS = sa.text("destination <> 'broker'")
UNSETTLED = sa.text("kind = 'document' AND state <> 'delivered'")
"""Results that their destination has not confirmed: acknowledgements wait for them."""

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", _Number, primary_key=True),
    sa.Column("message_id", sa.Text, nullable=False, unique=True),
    sa.Column("interchange_id", sa.Text, sa.ForeignKey("interchanges.id"), nullable=False),
    sa.Column("ordinal", sa.Integer, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("destination", sa.Text, nullable=False),
    sa.Column("partner", sa.Text, nullable=False),
    sa.Column("filename", sa.Text),
    sa.Column("exchange", sa.Text, nullable=False),
    sa.Column("routing_key", sa.Text, nullable=False),
    sa.Column("content_type", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("headers", sa.JSON, nullable=False),
    sa.Column("mandatory", sa.Boolean, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("state", Word(OutboxState), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("next_attempt_at", UtcTime, nullable=False),
    sa.Column("delivered_at", UtcTime),
    sa.Column("last_error", sa.Text),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("payload", sa.Text),
    sa.Column("refusals", sa.Integer, nullable=False, server_default="0"),
    sa.Column("fetched_at", UtcTime),
    sa.Column("expired_at", UtcTime),
    sa.Index("ix_outbox_interchange_id", "interchange_id"),
    # Partial: they hold what waits, not the millions already delivered.
    sa.Index("ix_outbox_pending", "id", sqlite_where=PENDING, postgresql_where=PENDING),
    sa.Index(
        "ix_outbox_pending_destination",
        "destination",
        "id",
        "next_attempt_at",
        sqlite_where=PENDING,
        postgresql_where=PENDING,
    ),
    # With the kind, which is the same in all of it: by two columns SQLite prefers it to the first.
    sa.Index(
        "ix_outbox_unsettled",
        "interchange_id",
        "kind",
        sqlite_where=UNSETTLED,
        postgresql_where=UNSETTLED,
    ),
    sa.Index("ix_outbox_dead", "destination", "id", sqlite_where=DEAD, postgresql_where=DEAD),
    sa.Index(
        "ix_outbox_filename",
        "partner",
        "filename",
        sqlite_where=TO_PARTNERS,
        postgresql_where=TO_PARTNERS,
    ),
    sqlite_autoincrement=True,
)

sendings = sa.Table(
    "sendings",
    metadata,
    sa.Column(
        "outbox_id", _Number, sa.ForeignKey("outbox.id"), primary_key=True, autoincrement=False
    ),
    sa.Column("begun_at", UtcTime, nullable=False),
)

holds = sa.Table(
    "holds",
    metadata,
    # "" stands for any: NULLs never meet in a key.
    sa.Column("partner", sa.Text, primary_key=True),
    sa.Column("flow", sa.Text, primary_key=True),
    sa.Column("destination", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("placed_by", sa.Text, nullable=False),
    sa.Column("placed_at", UtcTime, nullable=False),
)

circuits = sa.Table(
    "circuits",
    metadata,
    sa.Column("destination", sa.Text, primary_key=True),
    sa.Column("partner", sa.Text, primary_key=True),
    sa.Column("opened_at", UtcTime, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("next_probe_at", UtcTime, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
)

interventions = sa.Table(
    "interventions",
    metadata,
    sa.Column("id", _Number, primary_key=True),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("interchange_id", sa.Text, sa.ForeignKey("interchanges.id")),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Index("ix_interventions_interchange_id", "interchange_id"),
    sqlite_autoincrement=True,
)

claims = sa.Table(
    "claims",
    metadata,
    sa.Column("transport", sa.Text, primary_key=True),
    sa.Column("partner", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("interchange_id", sa.Text, sa.ForeignKey("interchanges.id"), nullable=False),
    sa.Column("claimed_at", UtcTime, nullable=False),
    sa.Index("ix_claims_interchange_id", "interchange_id"),
)

as2_messages = sa.Table(
    "as2_messages",
    metadata,
    sa.Column("id", _Number, primary_key=True),
    sa.Column("direction", sa.Text, nullable=False),
    sa.Column("partner", sa.Text, nullable=False),
    sa.Column("message_id", sa.Text, nullable=False),
    sa.Column("content_sha256", sa.Text, nullable=False),
    sa.Column("interchange_id", sa.Text, sa.ForeignKey("interchanges.id"), nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("state", Word(As2State), nullable=False),
    sa.Column("as2_from", sa.Text, nullable=False),
    sa.Column("as2_to", sa.Text, nullable=False),
    sa.Column("headers", sa.JSON, nullable=False),
    sa.Column("raw_sha256", sa.Text, nullable=False),
    sa.Column("raw_size", sa.BigInteger, nullable=False),
    sa.Column("mic", sa.Text),
    sa.Column("security", sa.JSON, nullable=False),
    sa.Column("certificate", sa.LargeBinary),
    sa.Column("outbox_message_id", sa.Text),
    sa.Column("mdn_mode", sa.Text, nullable=False),
    sa.Column("mdn_url", sa.Text),
    sa.Column("mdn_headers", sa.JSON),
    sa.Column("mdn_body", sa.LargeBinary),
    sa.Column("mdn_at", UtcTime),
    sa.Column("error", sa.Text),
    sa.Index("ix_as2_messages_interchange_id", "interchange_id"),
    # A Message-ID used again for other content is another message, where the partner may do so.
    sa.Index(
        "uq_as2_messages_message_id",
        "partner",
        "direction",
        "message_id",
        "content_sha256",
        unique=True,
    ),
    sa.Index("ix_as2_messages_outbox_message_id", "outbox_message_id"),
    sa.Index("ix_as2_messages_partner", "partner", "direction", "id"),
    sqlite_autoincrement=True,
)

payloads = sa.Table(
    "payloads",
    metadata,
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("refs", sa.Integer, nullable=False),
    sa.Column("stored_at", UtcTime, nullable=False),
)

flux_keys = sa.Table(
    "flux_keys",
    metadata,
    # A name or sum that its sender may repeat is absent: NULLs never meet in a unique index.
    sa.Column("interchange_id", sa.Text, sa.ForeignKey("interchanges.id"), primary_key=True),
    sa.Column("partner", sa.Text, nullable=False),
    sa.Column("name", sa.Text),
    sa.Column("sha256", sa.Text),
    sa.Column("taken_at", UtcTime, nullable=False),
    sa.Index("uq_flux_keys_name", "partner", "name", unique=True),
    sa.Index("uq_flux_keys_sha256", "partner", "sha256", unique=True),
)

invoice_keys = sa.Table(
    "invoice_keys",
    metadata,
    sa.Column("seller", sa.Text, primary_key=True),
    sa.Column("year", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", sa.Text, primary_key=True),
    sa.Column("interchange_id", sa.Text, sa.ForeignKey("interchanges.id")),
    sa.Column("ordinal", sa.Integer, nullable=False),
    sa.Column("taken_at", UtcTime, nullable=False),
    sa.Index("ix_invoice_keys_document", "interchange_id", "ordinal"),
    # The key is all there is to look up by, so the rows may as well lie in its order.
    sqlite_with_rowid=False,
)

UNKNOWN = sa.text("standing = 'unknown-invoice'")
"""Statuses of invoices that are not here: these wait for them."""

invoice_statuses = sa.Table(
    "invoice_statuses",
    metadata,
    sa.Column("id", _Number, primary_key=True),
    sa.Column("direction", sa.Text, nullable=False),
    sa.Column("partner", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("message_id", sa.Text, nullable=False),
    # The message as it came; of a status we gave, there is none.
    sa.Column("interchange_id", sa.Text, sa.ForeignKey("interchanges.id")),
    sa.Column("ordinal", sa.Integer, nullable=False),
    sa.Column("number", sa.Text, nullable=False),
    sa.Column("issued", sa.Text),
    sa.Column("seller", sa.Text),
    sa.Column("invoice_interchange_id", sa.Text, sa.ForeignKey("interchanges.id")),
    sa.Column("invoice_ordinal", sa.Integer),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("reasons", sa.JSON, nullable=False),
    sa.Column("said_at", UtcTime),
    sa.Column("issuer", sa.JSON, nullable=False),
    sa.Column("standing", sa.Text, nullable=False),
    sa.Column("order", sa.Text),
    sa.Column("rights", sa.JSON, nullable=False),
    sa.Column("recorded_at", UtcTime, nullable=False),
    sa.Column("linked_at", UtcTime),
    sa.Column("repeats", sa.Integer, nullable=False, server_default="0"),
    sa.Column("repeated_at", UtcTime),
    sa.Index("uq_invoice_statuses_key", "partner", "direction", "key", unique=True),
    sa.Index("ix_invoice_statuses_interchange_id", "interchange_id", "ordinal"),
    sa.Index("ix_invoice_statuses_invoice", "invoice_interchange_id", "invoice_ordinal"),
    sa.Index(
        "ix_invoice_statuses_unknown",
        "number",
        sqlite_where=UNKNOWN,
        postgresql_where=UNKNOWN,
    ),
    sqlite_autoincrement=True,
)

statuses_given = sa.Table(
    "statuses_given",
    metadata,
    # The last status told of a document, 0 for the whole file; `times` counts the messages.
    sa.Column("interchange_id", sa.Text, sa.ForeignKey("interchanges.id"), primary_key=True),
    sa.Column("ordinal", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("recipient", sa.Text, primary_key=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("times", sa.Integer, nullable=False),
    sa.Column("given_at", UtcTime, nullable=False),
    sqlite_with_rowid=False,
)

statuses_owed = sa.Table(
    "statuses_owed",
    metadata,
    # Written with a report, gone when every status it means is in the outbox.
    sa.Column("interchange_id", sa.Text, sa.ForeignKey("interchanges.id"), primary_key=True),
    sa.Column("since", UtcTime, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_attempt_at", UtcTime, nullable=False),
    sa.Column("cause", sa.Text),
    sa.Index("ix_statuses_owed_next_attempt_at", "next_attempt_at"),
)
