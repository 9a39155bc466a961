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
                  ├─< status_requests statuses a back office asked for, by the id of its message
                  └─< interventions   what operators did to deliveries, of one interchange or many
    outbox        ─── sendings        messages being sent: what a crash must not leave uncounted
    holds                             what must not be sent for now, and who said so
    circuits                          destinations that do not answer
    late_alerts                       interchanges that an event called late
    legal_holds                       what must not be purged, and who said so
    interchanges  ─── purged          payloads are gone: when, by whom, to which archive
    alerts        ─< alert_messages   what needs or needed somebody, and what is to be told of it
    users                             who may log in to the console
    audit                             what people did, there and by commands
    interchanges  ─< searchable       what people find its documents by, and as what they count
    replays       ─< replay_items     many interchanges to be judged again: tried, then committed
    totals, rejection_causes          running totals of verdicts, by month and by day
    payloads                          how many interchanges need each file of the spool

A change here needs a migration in migrations/versions; a test compares the two.
"""

from __future__ import annotations

from gateway.service.journal.access_tables import audit, users
from gateway.service.journal.alert_tables import ON, UNSENT, alert_messages, alerts
from gateway.service.journal.columns import As2State, OutboxState, UtcTime, Word, metadata
from gateway.service.journal.delivery_tables import (
    DEAD,
    PENDING,
    TO_PARTNERS,
    UNSETTLED,
    circuits,
    holds,
    interventions,
    late_alerts,
    outbox,
    sendings,
)
from gateway.service.journal.intake_tables import (
    UNFINISHED,
    as2_messages,
    attachments,
    claims,
    documents,
    files,
    flux_keys,
    interchanges,
    invoice_keys,
    payloads,
    transitions,
)
from gateway.service.journal.replay_tables import ItemState, replay_items, replays
from gateway.service.journal.retention_tables import UNFREED, legal_holds, purged
from gateway.service.journal.search_tables import searchable
from gateway.service.journal.statistics_tables import rejection_causes, totals
from gateway.service.journal.status_tables import (
    OF_IMPORTED,
    UNKNOWN,
    invoice_statuses,
    status_requests,
    statuses_given,
    statuses_owed,
)

__all__ = [
    "DEAD",
    "OF_IMPORTED",
    "ON",
    "PENDING",
    "TO_PARTNERS",
    "UNFINISHED",
    "UNFREED",
    "UNKNOWN",
    "UNSENT",
    "UNSETTLED",
    "As2State",
    "ItemState",
    "OutboxState",
    "UtcTime",
    "Word",
    "alert_messages",
    "alerts",
    "as2_messages",
    "attachments",
    "audit",
    "circuits",
    "claims",
    "documents",
    "files",
    "flux_keys",
    "holds",
    "interchanges",
    "interventions",
    "invoice_keys",
    "invoice_statuses",
    "late_alerts",
    "legal_holds",
    "metadata",
    "outbox",
    "payloads",
    "purged",
    "rejection_causes",
    "replay_items",
    "replays",
    "searchable",
    "sendings",
    "status_requests",
    "statuses_given",
    "statuses_owed",
    "totals",
    "transitions",
    "users",
]
