"""What the journal is asked for every file must not cost more as the journal grows."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from gateway.service.journal import (
    as2_records,
    claim_records,
    judgement_records,
    outbox_records,
    payload_records,
    request_records,
    search,
    search_records,
    status_records,
    steps,
    uniqueness_records,
)
from gateway.service.journal.engine import driver, writer_engine
from gateway.service.journal.schema import upgrade

HOT = [
    (claim_records._FIND.statement, "transport=? AND partner=? AND key=? AND sha256=?"),
    (steps._INTERCHANGE_STATE, "id=?"),
    (steps._DOCUMENT_STATE, "interchange_id=? AND ordinal=?"),
    (steps._SET_INTERCHANGE_STATE, "id=?"),
    (steps._SET_DOCUMENT_STATE, "interchange_id=? AND ordinal=?"),
    (steps._COUNT_DOCUMENT_OUT, "id=?"),
    (as2_records._OF_MESSAGE, "partner=? AND direction=? AND message_id=?"),
    (as2_records._OF_OUTBOX, "outbox_message_id=?"),
    (as2_records._SENT, "partner=? AND direction=? AND message_id=?"),
    (as2_records._RECEIPTED, "partner=? AND direction=? AND message_id=?"),
    (judgement_records._SET_JUDGEMENT, "interchange_id=? AND ordinal=?"),
    (judgement_records._NEXT_REPORT, "id=?"),
    (outbox_records._NAMED, "message_id=?"),
    (outbox_records._OF, "interchange_id=?"),
    (outbox_records._PENDING_OF, "interchange_id=?"),
    (payload_records._RELEASE, "sha256=?"),
    (request_records._TAKEN, "key=?"),
    (request_records._NAMED, "name=?"),
    (search._TRANSITIONS_OF, "interchange_id=?"),
    (search_records._ENTRY, "interchange_id=? AND ordinal=?"),
    (search_records._CHANGE, "interchange_id=? AND ordinal=?"),
    (outbox_records._REPORTS, "interchange_id=?"),
    (claim_records._MOVE, "transport=? AND partner=? AND key=? AND sha256=?"),
    (status_records._NAMED, "partner=? AND direction=? AND key=?"),
    (status_records._OF_INVOICE, "invoice_interchange_id=? AND invoice_ordinal=?"),
    (status_records._TOLD_BY, "interchange_id=? AND ordinal=?"),
    (status_records._DROP, "interchange_id=? AND ordinal=?"),
    (uniqueness_records._HOLDS_FLUX, "interchange_id=?"),
    (uniqueness_records._INVOICES_OF, "interchange_id=? AND ordinal=?"),
    (uniqueness_records._DROP_INVOICE, "seller=? AND year=? AND number=?"),
]
"""A statement, and the columns its row must be found by: all that are known."""


@pytest.fixture(scope="module")
def conn(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An empty journal."""
    path = tmp_path_factory.mktemp("plans") / "journal.sqlite"
    engine = writer_engine(path)
    with engine.connect() as connection:
        with connection.begin():
            upgrade(connection, path)
        yield connection
    engine.dispose()


@pytest.mark.parametrize(("statement", "columns"), HOT)
def test_a_row_is_found_by_all_that_is_known(
    conn: sa.Connection, statement: Any, columns: str
) -> None:
    """An index leads to it; nothing is scanned, and nothing sorted."""
    compiled = statement.compile(dialect=conn.dialect)
    values = [None] * len(compiled.positiontup)
    rows = driver(conn).execute(f"EXPLAIN QUERY PLAN {compiled}", values)
    plan = [row[3] for row in rows]
    assert len(plan) == 1, plan
    assert plan[0].startswith("SEARCH"), plan
    assert plan[0].endswith(f"({columns})"), plan


@pytest.mark.parametrize(
    ("statement", "first"),
    [
        (uniqueness_records._FLUX_BY_NAME.statement, "uq_flux_keys_name (partner=? AND name=?)"),
        (
            uniqueness_records._FLUX_BY_SHA256.statement,
            "uq_flux_keys_sha256 (partner=? AND sha256=?)",
        ),
        (uniqueness_records._INVOICE_HOLDER, "(seller=? AND year=? AND number=?)"),
        (status_records._WAITING, "ix_invoice_statuses_unknown (number=?)"),
    ],
)
def test_who_holds_a_key_is_found_by_it(conn: sa.Connection, statement: Any, first: str) -> None:
    """The key leads to its holder, and that to the interchange: nothing is scanned or sorted."""
    compiled = statement.compile(dialect=conn.dialect)
    rows = driver(conn).execute(
        f"EXPLAIN QUERY PLAN {compiled}", [None] * len(compiled.positiontup)
    )
    plan = [row[3] for row in rows]
    assert all(step.startswith(("SEARCH", "CORRELATED SCALAR SUBQUERY")) for step in plan), plan
    assert plan[0].endswith(first), plan
