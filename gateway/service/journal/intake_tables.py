"""Tables of what arrived and what it holds: interchanges, documents, AS2 messages, unique keys."""

from __future__ import annotations

import sqlalchemy as sa

from gateway.model.container import Role
from gateway.model.interchange import Environment
from gateway.model.lifecycle import DocumentState, InterchangeState
from gateway.service.journal.columns import As2State, Number, UtcTime, Word, metadata

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
    sa.Column("environment", Word(Environment), nullable=False, server_default="production"),
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
    sa.Column("id", Number, primary_key=True),
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
    sa.Column("id", Number, primary_key=True),
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
    sa.Index("ix_as2_messages_message_id", "message_id"),
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
    # Of an imported one: the table it stood in.
    sa.Column("source", sa.Text),
    sa.Index("ix_invoice_keys_document", "interchange_id", "ordinal"),
    # The key is all there is to look up by, so the rows may as well lie in its order.
    sqlite_with_rowid=False,
)
