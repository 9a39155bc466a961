"""What the line writes into the journal, and asks it: plain functions on a connection.

Each runs inside a transaction that its caller owns (`Journal.write`, `Journal.read`), so several
of them make one step: a verdict, its publications and its transition are there together or not
at all. This module gathers them; they live by subject in the modules beside it.
"""

from gateway.service.journal.as2_records import (
    As2Row,
    add_as2_message,
    as2_last_received,
    as2_message_for,
    as2_messages_named,
    as2_messages_of,
    as2_receipted,
    as2_sent,
    as2_vouched,
)
from gateway.service.journal.due_records import due_outbox, end_of_look, partners_waiting
from gateway.service.journal.judgement_records import (
    load_judgement,
    next_revision,
    set_retry,
    store_judgement,
)
from gateway.service.journal.member_records import (
    add_attachments,
    attachments_page,
    document_states,
    documents_page,
    due_documents,
    next_attempt_of,
)
from gateway.service.journal.outbox_records import (
    BROKER,
    Outgoing,
    add_outbox,
    add_outbox_many,
    answer_again,
    has_report_named,
    mark_delivered,
    mark_failed,
    of_one,
    outbox_named,
    outbox_of,
    pending_of,
    release_backoff,
)
from gateway.service.journal.payload_records import (
    add_payload_reference,
    keep_files,
    kept_files,
    named_payloads,
    payload_references,
    release_payload,
)
from gateway.service.journal.purge_records import Purged, purged_of
from gateway.service.journal.replay_records import forgotten, take_back
from gateway.service.journal.resend_records import once_more
from gateway.service.journal.rows import (
    AttachmentRow,
    Counts,
    DocumentRow,
    InterchangeRow,
    OutboxRow,
    Receipt,
    Transition,
    Waiting,
)
from gateway.service.journal.search import (
    counts,
    document,
    documents_of,
    interchange,
    list_interchanges,
    transitions_of,
    verdicts_of,
)
from gateway.service.journal.status_records import (
    StatusRow,
    count_waiting,
    statuses_about,
    statuses_told_in,
)
from gateway.service.journal.steps import (
    add_document,
    document_done,
    drop_placeholder,
    move_document,
    move_interchange,
    receive,
)
from gateway.service.journal.waiting import partners_with_work, unfinished_of

__all__ = [
    "BROKER",
    "As2Row",
    "AttachmentRow",
    "Counts",
    "DocumentRow",
    "InterchangeRow",
    "OutboxRow",
    "Outgoing",
    "Purged",
    "Receipt",
    "StatusRow",
    "Transition",
    "Waiting",
    "add_as2_message",
    "add_attachments",
    "add_document",
    "add_outbox",
    "add_outbox_many",
    "add_payload_reference",
    "answer_again",
    "as2_last_received",
    "as2_message_for",
    "as2_messages_named",
    "as2_messages_of",
    "as2_receipted",
    "as2_sent",
    "as2_vouched",
    "attachments_page",
    "count_waiting",
    "counts",
    "document",
    "document_done",
    "document_states",
    "documents_of",
    "documents_page",
    "drop_placeholder",
    "due_documents",
    "due_outbox",
    "end_of_look",
    "forgotten",
    "has_report_named",
    "interchange",
    "keep_files",
    "kept_files",
    "list_interchanges",
    "load_judgement",
    "mark_delivered",
    "mark_failed",
    "move_document",
    "move_interchange",
    "named_payloads",
    "next_attempt_of",
    "next_revision",
    "of_one",
    "once_more",
    "outbox_named",
    "outbox_of",
    "partners_waiting",
    "partners_with_work",
    "payload_references",
    "pending_of",
    "purged_of",
    "receive",
    "release_backoff",
    "release_payload",
    "set_retry",
    "statuses_about",
    "statuses_told_in",
    "store_judgement",
    "take_back",
    "transitions_of",
    "unfinished_of",
    "verdicts_of",
]
