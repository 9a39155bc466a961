"""What the journal is asked for every file must not cost more as the journal grows."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from gateway.service.journal import (
    as2_records,
    judgement_records,
    outbox_records,
    payload_records,
    search,
    steps,
)
from gateway.service.journal.engine import driver, writer_engine
from gateway.service.journal.schema import upgrade

HOT = [
    (steps._FIND_CLAIM, "transport=? AND partner=? AND key=? AND sha256=?"),
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
    (outbox_records._DUE_FOR, "destination=? AND id>?"),
    (outbox_records._NAMED, "message_id=?"),
    (outbox_records._OF, "interchange_id=?"),
    (outbox_records._PENDING_OF, "interchange_id=?"),
    (payload_records._RELEASE, "sha256=?"),
    (search._TRANSITIONS_OF, "interchange_id=?"),
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
