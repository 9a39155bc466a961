"""What is written into the journal, and what it answers; on a database with every table."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from gateway.errors import JournalError
from gateway.model.lifecycle import (
    UNFINISHED_INTERCHANGE,
    DocumentState,
    IllegalTransition,
    InterchangeState,
)
from gateway.model.publication import message_id
from gateway.model.verdict import Accepted, Rejected, Undetermined
from gateway.service.journal import due_records, records, tables
from gateway.service.journal.engine import enforce_foreign_keys, writer_engine
from gateway.service.journal.rows import DocumentRow, InterchangeRow, OutboxRow
from tests.service.journalling import (
    FINDING,
    NOW,
    SHA256,
    a_judgement,
    a_message,
    an_interchange,
    due,
    later,
)

I = InterchangeState  # noqa: E741 - as in the lifecycle
D = DocumentState


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sa.Connection]:
    engine = writer_engine(tmp_path / "journal.sqlite")
    tables.metadata.create_all(engine)
    with engine.connect() as conn:
        enforce_foreign_keys(conn)
        with conn.begin():
            yield conn
    engine.dispose()


def received(conn: sa.Connection, number: int = 1, *, partner: str = "acme", name: str = "") -> str:
    """A received interchange: its id."""
    interchange = an_interchange(number, partner=partner, name=name)
    receipt = records.receive(
        conn, interchange, interface_code=None, claim_key=interchange.envelope.name, now=NOW
    )
    return receipt.interchange_id


def judged(conn: sa.Connection, number: int = 1, *, partner: str = "acme", name: str = "") -> str:
    """An interchange with one judged document: its id."""
    id_ = received(conn, number, partner=partner, name=name)
    records.move_interchange(conn, id_, I.OPENED, cause=None, now=NOW)
    records.add_document(conn, id_, 1, name=f"doc-{number}.xml", sha256=SHA256, size=9, now=NOW)
    records.store_judgement(conn, id_, 1, a_judgement(number))
    records.move_document(conn, id_, 1, D.ACCEPTED, cause=None, now=NOW)
    return id_


def the_interchange(conn: sa.Connection, id_: str) -> InterchangeRow:
    row = records.interchange(conn, id_)
    assert row is not None
    return row


def the_document(conn: sa.Connection, id_: str) -> DocumentRow:
    row = records.document(conn, id_, 1)
    assert row is not None
    return row


def plans_of(conn: sa.Connection, asking: Callable[[], object]) -> list[str]:
    """How SQLite answers each statement that `asking` runs; a sort would be a line of its own."""
    plans: list[str] = []

    def explain(
        conn: sa.Connection, _c: object, statement: str, given: tuple[object, ...], *_: object
    ) -> None:
        if not statement.startswith("EXPLAIN"):
            plan = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)
            plans.extend(row.detail for row in plan)

    sa.event.listen(conn, "before_cursor_execute", explain)
    asking()
    sa.event.remove(conn, "before_cursor_execute", explain)
    return plans


class TestReceive:
    """A delivery makes one interchange, however often it is sent."""

    def test_new(self, conn: sa.Connection) -> None:
        """Everything known about a delivery is in its row, and comes back as the same value."""
        interchange = an_interchange()
        receipt = records.receive(
            conn, interchange, interface_code="FSO1100A", claim_key="FA-1.xml", now=NOW
        )
        (step,) = records.transitions_of(conn, interchange.id)
        assert receipt == records.Receipt(interchange.id, new=True, step=step)
        row = the_interchange(conn, interchange.id)
        assert row.interchange() == interchange
        assert (row.interface_code, row.state, row.updated_at) == ("FSO1100A", I.RECEIVED, NOW)
        assert (row.documents_total, row.documents_open, row.report_revision) == (0, 0, 0)
        assert (row.flow, row.cause) == (None, None)
        (step,) = records.transitions_of(conn, interchange.id)
        assert step == records.Transition(interchange.id, 0, None, I.RECEIVED, NOW, None, step.id)

    def test_resend(self, conn: sa.Connection) -> None:
        """The same bytes under the same name again: the interchange that is there answers."""
        first = received(conn)
        again = an_interchange(2, name="FA-1.xml")
        receipt = records.receive(
            conn, again, interface_code=None, claim_key="FA-1.xml", now=later(9)
        )
        assert receipt == records.Receipt(first, new=False)
        assert records.interchange(conn, again.id) is None
        assert records.payload_references(conn, SHA256) == 1

    @pytest.mark.parametrize(
        ("partner", "key", "sha256"),
        [
            ("other", "FA-1.xml", SHA256),
            ("acme", "FA-2.xml", SHA256),
            ("acme", "FA-1.xml", "0" * 64),
        ],
        ids=["another partner", "another name", "other bytes"],
    )
    def test_not_a_resend(self, partner: str, key: str, sha256: str, conn: sa.Connection) -> None:
        """Anything that differs makes a new interchange: whether it may is judged later."""
        received(conn)
        other = msgspec.structs.replace(an_interchange(2, partner=partner), sha256=sha256)
        assert records.receive(conn, other, interface_code=None, claim_key=key, now=NOW).new

    def test_naive_time(self, conn: sa.Connection) -> None:
        """A time without a zone is refused before it can mean two things."""
        with pytest.raises(ValueError, match="no time zone"):
            records.receive(
                conn,
                an_interchange(),
                interface_code=None,
                claim_key="k",
                now=NOW.replace(tzinfo=None),
            )

    def test_other_zone(self, conn: sa.Connection) -> None:
        """A time of another zone comes back as the same moment, in UTC."""
        paris = NOW.astimezone(dt.timezone(dt.timedelta(hours=1)))
        id_ = received(conn)
        records.move_interchange(conn, id_, I.OPENED, cause=None, now=paris)
        updated = the_interchange(conn, id_).updated_at
        assert (updated, updated.tzinfo) == (NOW, dt.UTC)


class TestSteps:
    """The lifecycle is enforced on every step, and every step is kept."""

    def test_journey(self, conn: sa.Connection) -> None:
        """A whole life leaves one row per step, in order, with time and cause."""
        id_ = judged(conn)
        records.move_interchange(conn, id_, I.JUDGED, cause=None, now=later(1))
        records.move_interchange(conn, id_, I.SETTLED, cause=None, now=later(2))
        records.move_document(conn, id_, 1, D.PUBLISHED, cause=None, now=later(3))
        records.move_interchange(conn, id_, I.ACKNOWLEDGED, cause="sftp", now=later(4))
        steps = records.transitions_of(conn, id_)
        assert [(step.ordinal, step.old, step.new) for step in steps] == [
            (0, None, I.RECEIVED),
            (0, I.RECEIVED, I.OPENED),
            (1, None, D.EXTRACTED),
            (1, D.EXTRACTED, D.ACCEPTED),
            (0, I.OPENED, I.JUDGED),
            (0, I.JUDGED, I.SETTLED),
            (1, D.ACCEPTED, D.PUBLISHED),
            (0, I.SETTLED, I.ACKNOWLEDGED),
        ]
        assert [step.id for step in steps] == sorted({step.id for step in steps})
        assert (steps[-1].at, steps[-1].cause) == (later(4), "sftp")
        assert the_interchange(conn, id_).state is I.ACKNOWLEDGED
        assert the_interchange(conn, id_).updated_at == later(4)
        assert the_document(conn, id_).state is D.PUBLISHED

    def test_answer_is_the_row(self, conn: sa.Connection) -> None:
        """What a step returns is what the audit trail will say, its number included."""
        id_ = received(conn)
        step = records.move_interchange(conn, id_, I.REFUSED, cause="empty", now=later(1))
        assert step == records.transitions_of(conn, id_)[-1]
        assert step.id > 0

    def test_illegal(self, conn: sa.Connection) -> None:
        """A step that the table does not have changes nothing and leaves no row."""
        id_ = judged(conn)
        before = records.transitions_of(conn, id_)
        with pytest.raises(IllegalTransition):
            records.move_interchange(conn, id_, I.ACKNOWLEDGED, cause=None, now=NOW)
        with pytest.raises(IllegalTransition):
            records.move_document(conn, id_, 1, D.UNDETERMINED, cause=None, now=NOW)
        assert records.transitions_of(conn, id_) == before
        assert the_interchange(conn, id_).state is I.OPENED

    def test_unknown(self, conn: sa.Connection) -> None:
        """Steps of what is not in the journal are errors that name it."""
        with pytest.raises(JournalError, match="no interchange nobody"):
            records.move_interchange(conn, "nobody", I.OPENED, cause=None, now=NOW)
        with pytest.raises(JournalError, match="no document 7 of interchange"):
            records.move_document(conn, received(conn), 7, D.ACCEPTED, cause=None, now=NOW)

    def test_competing_writers(self, conn: sa.Connection) -> None:
        """A step whose old state another writer changed meanwhile does not overwrite it."""
        id_ = received(conn)

        def meanwhile(conn: sa.Connection, _c: object, statement: str, *_: object) -> None:
            if statement.startswith("UPDATE interchanges SET state=?"):
                conn.exec_driver_sql("UPDATE interchanges SET state = 'quarantined'")

        sa.event.listen(conn, "before_cursor_execute", meanwhile)
        with pytest.raises(JournalError, match="another step was taken meanwhile"):
            records.move_interchange(conn, id_, I.OPENED, cause=None, now=NOW)
        assert the_interchange(conn, id_).state is I.QUARANTINED

    def test_cause(self, conn: sa.Connection) -> None:
        """The row shows why it is in its state; delivery of the answer keeps that reason."""
        id_ = judged(conn)
        records.move_interchange(conn, id_, I.QUARANTINED, cause="looks odd", now=NOW)
        assert the_interchange(conn, id_).cause == "looks odd"
        records.move_interchange(conn, id_, I.OPENED, cause=None, now=NOW)
        assert the_interchange(conn, id_).cause is None
        records.move_interchange(conn, id_, I.REFUSED, cause="a duplicate", now=NOW)
        records.move_interchange(conn, id_, I.ACKNOWLEDGED, cause=None, now=NOW)
        assert the_interchange(conn, id_).cause == "a duplicate"

    def test_cause_of_a_document(self, conn: sa.Connection) -> None:
        """Once it was judged after all, the failure before is history, not its cause."""
        id_ = received(conn)
        records.add_document(conn, id_, 1, name="d", sha256=SHA256, size=1, now=NOW)
        records.move_document(conn, id_, 1, D.UNDETERMINED, cause="judge died", now=NOW)
        assert the_document(conn, id_).cause == "judge died"
        records.move_document(conn, id_, 1, D.EXTRACTED, cause=None, now=NOW)
        records.move_document(conn, id_, 1, D.REJECTED, cause="BR-CO-15", now=NOW)
        records.move_document(conn, id_, 1, D.PUBLISHED, cause=None, now=NOW)
        assert the_document(conn, id_).cause == "BR-CO-15"


class TestDocuments:
    """Documents, their judgements, and the counter that closes an interchange."""

    def test_counter(self, conn: sa.Connection) -> None:
        """Documents count in and out; the last one answers 0, and below that is an error."""
        id_ = received(conn)
        for ordinal in (1, 2):
            records.add_document(conn, id_, ordinal, name="d", sha256=SHA256, size=1, now=NOW)
        row = the_interchange(conn, id_)
        assert (row.documents_total, row.documents_open) == (2, 2)
        assert records.document_done(conn, id_) == 1
        assert records.document_done(conn, id_) == 0
        with pytest.raises(JournalError, match="no open document"):
            records.document_done(conn, id_)
        row = the_interchange(conn, id_)
        assert (row.documents_total, row.documents_open) == (2, 0)

    def test_orphan(self, conn: sa.Connection) -> None:
        """There is no document without its interchange."""
        with pytest.raises(sa.exc.IntegrityError, match="FOREIGN KEY"):
            records.add_document(conn, "nobody", 1, name="d", sha256=SHA256, size=1, now=NOW)

    def test_judgement(self, conn: sa.Connection) -> None:
        """A judgement comes back as it was, but for the invoice, which travels in the outbox."""
        id_ = judged(conn)
        row = the_document(conn, id_)
        assert records.load_judgement(row) == a_judgement(verdict=Accepted(b"", (FINDING,)))
        assert row.judgement is not None
        assert b"invoice_number" in row.judgement
        assert b'{"invoice_number"' not in row.judgement
        assert (row.verdict, row.syntax, row.document_type) == ("accepted", "ubl", "invoice")
        assert (row.invoice_number, row.seller_id, row.buyer_id) == ("F-1", "S-1", "B-1")
        assert (row.profile, row.issue_date) == ("urn:cen.eu:en16931:2017", "2026-03-01")

    @pytest.mark.parametrize(
        "verdict", [Rejected((FINDING,)), Undetermined("no pack", "import it", (), True)]
    )
    def test_other_verdicts(self, verdict: Rejected | Undetermined, conn: sa.Connection) -> None:
        """Rejections and doubts are kept whole."""
        id_ = received(conn)
        records.add_document(conn, id_, 1, name="d", sha256=SHA256, size=1, now=NOW)
        records.store_judgement(conn, id_, 1, a_judgement(verdict=verdict))
        assert records.load_judgement(the_document(conn, id_)).verdict == verdict

    def test_not_judged(self, conn: sa.Connection) -> None:
        """Asking for a judgement that was never made is an error."""
        id_ = received(conn)
        records.add_document(conn, id_, 1, name="d", sha256=SHA256, size=1, now=NOW)
        with pytest.raises(JournalError, match="not been judged"):
            records.load_judgement(the_document(conn, id_))
        with pytest.raises(JournalError, match="no document 2"):
            records.store_judgement(conn, id_, 2, a_judgement())

    def test_flow(self, conn: sa.Connection) -> None:
        """An interchange shows the flow of its first routed document, and keeps it."""
        id_ = received(conn)
        flows = {1: None, 2: "ctc-fr-invoice", 3: "en16931-invoice"}
        for ordinal, flow in flows.items():
            records.add_document(conn, id_, ordinal, name="d", sha256=SHA256, size=1, now=NOW)
            judgement = msgspec.structs.replace(a_judgement(), flow=flow)
            records.store_judgement(conn, id_, ordinal, judgement)
        assert the_interchange(conn, id_).flow == "ctc-fr-invoice"
        assert [row.flow for row in records.documents_of(conn, id_)] == list(flows.values())

    def test_retry(self, conn: sa.Connection) -> None:
        """How often, why and until when: a restart finds the back-off where it stood."""
        id_ = received(conn)
        records.add_document(conn, id_, 1, name="d", sha256=SHA256, size=1, now=NOW)
        records.set_retry(conn, id_, 1, attempts=2, next_attempt_at=later(5), cause="judge died")
        row = the_document(conn, id_)
        assert (row.attempts, row.next_attempt_at, row.cause) == (2, later(5), "judge died")
        with pytest.raises(JournalError, match="no document 9"):
            records.set_retry(conn, id_, 9, attempts=1, next_attempt_at=None, cause=None)

    def test_revisions(self, conn: sa.Connection) -> None:
        """Results and reports are numbered from 1, each by itself."""
        id_ = judged(conn)
        assert [records.next_revision(conn, id_, 1) for _ in range(3)] == [1, 2, 3]
        assert [records.next_revision(conn, id_, 0) for _ in range(2)] == [1, 2]
        assert the_document(conn, id_).revision == 3
        assert the_interchange(conn, id_).report_revision == 2
        with pytest.raises(JournalError):
            records.next_revision(conn, id_, 2)


class TestOutbox:
    """Messages wait until they are delivered."""

    def test_whole_message(self, conn: sa.Connection) -> None:
        """A message comes out as it went in: the same at every attempt."""
        received(conn)
        message = a_message(an_interchange(), body=bytes(range(256)), destination="sftp")
        assert records.add_outbox_many(conn, [message]) == 1
        (row,) = due(conn, NOW, 10)
        assert row.publication() == message.publication
        assert (row.kind, row.destination, row.partner) == ("result", "sftp", "acme")
        assert (row.filename, row.ordinal, row.attempts) == ("report.xml", 1, 0)

    def test_once_by_message_id(self, conn: sa.Connection) -> None:
        """A step that runs twice writes its message once; the first one stands."""
        received(conn)
        message = a_message(an_interchange())
        publication = msgspec.structs.replace(message.publication, body=b"changed")
        words = {
            "interchange_id": message.interchange_id,
            "ordinal": 1,
            "kind": "result",
            "destination": "broker",
            "partner": "acme",
        }
        assert records.add_outbox(conn, message.publication, **words) is True
        assert records.add_outbox(conn, publication, **words) is False
        assert [row.body for row in due(conn, NOW, 10)] == [b"{}"]

    def test_many(self, conn: sa.Connection) -> None:
        """Of many, those already there are left out and the others are counted."""
        received(conn)
        messages = [a_message(an_interchange(), revision=n) for n in range(4)]
        assert records.add_outbox_many(conn, []) == 0
        assert records.add_outbox_many(conn, messages[:2]) == 2
        assert records.add_outbox_many(conn, messages) == 2
        of = records.outbox_of(conn, an_interchange().id)
        assert [row.message_id for row in of] == [m.publication.message_id for m in messages]

    def test_other_conflicts_are_errors(self, conn: sa.Connection) -> None:
        """Only a known message id is passed over: anything else wrong is an error."""
        with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
            records.add_outbox_many(conn, [a_message(an_interchange())])

    def test_due(self, conn: sa.Connection) -> None:
        """Oldest first, only what is due, above a number, for one destination, so many."""
        received(conn)
        rows = [
            a_message(an_interchange(), revision=1),
            a_message(an_interchange(), revision=2, destination="sftp"),
            a_message(an_interchange(), revision=3, at=later(60)),
            a_message(an_interchange(), revision=4),
        ]
        records.add_outbox_many(conn, rows)
        one, two, three, four = (m.publication.message_id for m in rows)

        def found(at: dt.datetime, limit: int, to: str = "broker", after_id: int = 0) -> list[str]:
            rows = records.due_outbox(
                conn, at, limit, destination=to, partner="acme", after_id=after_id
            )
            return [row.message_id for row in rows]

        assert found(NOW, 10) == [one, four]
        assert found(NOW, 10, to="sftp") == [two]
        assert found(later(60), 10) == [one, three, four]
        assert found(NOW, 1) == [one]
        assert found(NOW, 10, after_id=due(conn, NOW, 1)[0].id) == [four]

    def test_due_of_a_partner(self, conn: sa.Connection) -> None:
        """What is due is asked partner by partner; who waits is known by name, due or not."""
        received(conn)
        received(conn, 2, partner="bravo")
        received(conn, 3, partner="")
        acme, bravo = an_interchange(1), an_interchange(2, partner="bravo")
        assert records.partners_waiting(conn, "broker") == []
        messages = [
            a_message(bravo, revision=1),
            a_message(bravo, revision=2, at=later(60)),
            a_message(acme, revision=1),
            a_message(an_interchange(3, partner=""), destination="sftp"),
        ]
        records.add_outbox_many(conn, messages)
        assert records.partners_waiting(conn, "broker") == ["acme", "bravo"]
        assert records.partners_waiting(conn, "sftp") == [""]
        (row,) = records.due_outbox(conn, NOW, 10, destination="broker", partner="bravo")
        assert row.message_id == messages[0].publication.message_id
        records.mark_delivered(conn, [row.id], NOW)
        assert records.partners_waiting(conn, "broker") == ["acme", "bravo"]
        (row,) = records.due_outbox(conn, later(60), 10, destination="broker", partner="bravo")
        records.mark_delivered(conn, [row.id], later(60))
        assert records.partners_waiting(conn, "broker") == ["acme"]

    def test_delivered(self, conn: sa.Connection) -> None:
        """A delivered message is never due again, and says when it first arrived."""
        received(conn)
        messages = [a_message(an_interchange(), revision=n) for n in range(1200)]
        records.add_outbox_many(conn, messages)
        ids = [row.id for row in due(conn, NOW, 2000)]
        records.mark_delivered(conn, ids[1:], later(1))
        records.mark_delivered(conn, ids[1:2], later(2), attempted=False)
        records.mark_delivered(conn, [], later(2))
        assert [row.id for row in due(conn, NOW, 10)] == ids[:1]
        rows = records.outbox_of(conn, an_interchange().id)
        assert {row.state.value for row in rows[1:]} == {"delivered"}
        assert {(row.delivered_at, row.attempts) for row in rows[1:]} == {(later(1), 1)}
        assert records.pending_of(conn, an_interchange().id, "result") == 1

    def test_failed(self, conn: sa.Connection) -> None:
        """A failed attempt waits for its time, with its reason; success clears the reason."""
        received(conn)
        records.add_outbox_many(conn, [a_message(an_interchange())])
        (row,) = due(conn, NOW, 10)
        records.mark_failed(conn, row.id, error="no route", next_attempt_at=later(30))
        assert due(conn, later(29), 10) == []
        (row,) = due(conn, later(30), 10)
        assert (row.attempts, row.last_error, row.next_attempt_at) == (1, "no route", later(30))
        records.mark_delivered(conn, [row.id], later(31))
        (row,) = records.outbox_of(conn, row.interchange_id)
        assert (row.attempts, row.last_error) == (2, None)

    def test_failed_after_delivered(self, conn: sa.Connection) -> None:
        """A late failure report does not bring a delivered message back."""
        received(conn)
        records.add_outbox_many(conn, [a_message(an_interchange())])
        (row,) = due(conn, NOW, 10)
        records.mark_delivered(conn, [row.id], NOW)
        records.mark_failed(conn, row.id, error="late", next_attempt_at=NOW)
        assert due(conn, later(1), 10) == []
        assert records.outbox_of(conn, row.interchange_id)[0].last_error is None

    def test_back_again(self, conn: sa.Connection) -> None:
        """When a destination comes back, what waits for it, and only that, is due at once."""
        received(conn)
        names = ["broker", "sftp", "broker"]
        records.add_outbox_many(
            conn,
            [a_message(an_interchange(), revision=n, destination=d) for n, d in enumerate(names)],
        )
        for row in due(conn, NOW, 10):
            records.mark_failed(conn, row.id, error="away", next_attempt_at=later(300))
        assert records.release_backoff(conn, "broker", later(5)) == 2
        found = due(conn, later(5), 10)
        assert [row.destination for row in found] == ["broker", "broker"]

    def test_a_look_has_an_end(self, conn: sa.Connection) -> None:
        """It goes through so many, whether they may be sent or not, and says how far it came."""
        received(conn)
        far = due_records.LOOKED_THROUGH
        messages = [a_message(an_interchange(), revision=n, at=later(60)) for n in range(far)]
        records.add_outbox_many(conn, messages)
        of_whom = {"destination": "broker", "partner": "acme"}
        ids = [row.id for row in due(conn, later(60), far + 1)]

        def look(at: dt.datetime, most: int, after_id: int = 0) -> tuple[list[int], int | None]:
            end = records.end_of_look(conn, after_id=after_id, **of_whom)
            rows = records.due_outbox(conn, at, most, after_id=after_id, end_id=end, **of_whom)
            return [row.id for row in rows], end

        assert look(NOW, 10) == ([], ids[-1])
        assert look(NOW, 10, after_id=ids[0]) == ([], None)
        records.add_outbox_many(conn, [a_message(an_interchange(), revision=far)])
        assert look(NOW, 10) == ([], ids[-1])
        (last,) = records.due_outbox(conn, NOW, 10, after_id=ids[-1], **of_whom)
        assert last.message_id == message_id(an_interchange().id, 1, "result", far)
        assert look(NOW, 10, after_id=ids[-1]) == ([last.id], None)
        assert look(later(60), 3) == (ids[:3], ids[-1])

    @pytest.mark.parametrize("end_id", [None, 9])
    def test_index(self, conn: sa.Connection, end_id: int | None) -> None:
        """What is due is found in the index of what waits, not among all that was delivered."""
        of_whom = {"destination": "broker", "partner": "acme"}
        plans = plans_of(conn, lambda: records.due_outbox(conn, NOW, 10, end_id=end_id, **of_whom))
        found_by = "INDEX ix_outbox_pending_partner (destination=? AND partner=? AND id>?"
        assert plans
        assert found_by + (" AND id<?)" if end_id else ")") in plans[0]
        assert not any("B-TREE" in plan for plan in plans)  # a sort
        assert any("ix_outbox_unsettled" in plan for plan in plans)
        (far,) = plans_of(conn, lambda: records.end_of_look(conn, after_id=0, **of_whom))
        assert found_by + ")" in far
        received(conn)
        records.add_outbox_many(conn, [a_message(an_interchange())])
        first, next_ = plans_of(conn, lambda: records.partners_waiting(conn, "broker"))
        assert "INDEX ix_outbox_pending_partner (destination=?)" in first
        assert "INDEX ix_outbox_pending_partner (destination=? AND partner>?)" in next_


class TestQuestions:
    """What operators and the start-up ask."""

    def test_unknown(self, conn: sa.Connection) -> None:
        """Nothing there is an empty answer, not an error."""
        assert records.interchange(conn, "nobody") is None
        assert records.document(conn, "nobody", 1) is None
        assert records.documents_of(conn, "nobody") == []
        assert records.transitions_of(conn, "nobody") == []
        assert records.outbox_of(conn, "nobody") == []
        assert records.list_interchanges(conn, search="nobody") == []

    def test_unfinished(self, conn: sa.Connection) -> None:
        """Work is resumed partner by partner, and of each the oldest first."""
        ids = [received(conn, number) for number in range(1, 6)]
        records.move_interchange(conn, ids[1], I.REFUSED, cause="empty", now=NOW)
        records.move_interchange(conn, ids[2], I.QUARANTINED, cause="odd", now=NOW)
        records.move_interchange(conn, ids[3], I.OPENED, cause=None, now=NOW)
        done = received(conn, 6, partner="done")
        records.move_interchange(conn, done, I.REFUSED, cause="empty", now=NOW)
        other = received(conn, 7, partner="other")
        assert records.partners_with_work(conn) == ["acme", "other"]
        assert records.unfinished_of(conn, "acme", limit=2) == [ids[0], ids[3]]
        assert records.unfinished_of(conn, "acme", after=ids[3], limit=2) == [ids[4]]
        assert records.unfinished_of(conn, "acme", after=ids[4]) == []
        assert records.unfinished_of(conn, "done") == []
        assert records.unfinished_of(conn, "other") == [other]

    def test_unfinished_states(self, conn: sa.Connection) -> None:
        """The words in the index are those of the lifecycle."""
        states = sa.union_all(*(sa.select(sa.literal(word.value).label("state")) for word in I))
        found = conn.execute(sa.select(states.subquery()).where(tables.UNFINISHED))
        assert {row.state for row in found} == UNFINISHED_INTERCHANGE

    def test_unfinished_by_index(self, conn: sa.Connection) -> None:
        """Both questions look only at what is unfinished, and sort nothing."""
        received(conn)
        plans = plans_of(
            conn,
            lambda: (records.partners_with_work(conn), records.unfinished_of(conn, "acme")),
        )
        assert len(plans) == 3, "the next partner, twice, and its interchanges"
        assert all("INDEX ix_interchanges_unfinished" in plan for plan in plans)
        assert all("SEARCH" in plan for plan in plans)

    def test_list(self, conn: sa.Connection) -> None:
        """The newest first, by partner, state and time of arrival, together too."""
        one, two = received(conn, 1), received(conn, 2, partner="other")
        three = judged(conn, 3)

        def listed(**conditions: object) -> list[str]:
            found = records.list_interchanges(conn, **conditions)  # type: ignore[arg-type]
            return [row.id for row in found]

        assert listed() == [three, two, one]
        assert listed(limit=2) == [three, two]
        assert listed(partner="acme") == [three, one]
        assert listed(state="received") == [two, one]
        assert listed(since=later(2)) == [three, two]
        assert listed(partner="acme", state=I.OPENED, since=later(1)) == [three]
        assert listed(partner="acme", search="other") == []
        with pytest.raises(ValueError, match="lost"):
            listed(state="lost")

    @pytest.mark.parametrize(
        ("text", "numbers"),
        [
            ("F-2", [2]),
            ("S-3", [3]),
            ("B-1", [1]),
            ("FLUX_2", [2]),
            ("flux_", [3, 2, 1]),
            ("doc-3", [3]),
            (" F-2 ", [2]),
            ("%", []),
            ("FLUX.2", []),
            ("", [3, 2, 1]),
        ],
    )
    def test_search(self, text: str, numbers: list[int], conn: sa.Connection) -> None:
        """By invoice number, seller, buyer, file name; anywhere in it when nothing else fits."""
        ids = {number: judged(conn, number, name=f"FLUX_{number}") for number in (1, 2, 3)}
        found = records.list_interchanges(conn, search=text)
        assert [row.id for row in found] == [ids[number] for number in numbers]

    def test_search_by_id(self, conn: sa.Connection) -> None:
        """By the beginning of the id, in either case."""
        id_ = judged(conn)
        for beginning in (id_, id_[:18], id_[:18].upper()):
            assert [row.id for row in records.list_interchanges(conn, search=beginning)] == [id_]

    def test_counts(self, conn: sa.Connection) -> None:
        """How much stands where, and how long the oldest message has been waiting."""
        assert records.counts(conn) == records.Counts({}, {}, {})
        judged(conn, 1)
        received(conn, 2)
        records.add_outbox_many(
            conn,
            [
                a_message(an_interchange(1), revision=1, at=later(1)),
                a_message(an_interchange(1), revision=2, at=later(2)),
                a_message(an_interchange(2), revision=1, at=later(3)),
                a_message(an_interchange(2), revision=2, at=later(4), destination="sftp"),
            ],
        )
        oldest = due(conn, later(9), 1)[0]
        records.mark_delivered(conn, [oldest.id], later(9))
        assert records.counts(conn) == records.Counts(
            interchanges={I.OPENED: 1, I.RECEIVED: 1},
            documents={D.ACCEPTED: 1},
            outbox={"broker": records.Waiting(2, later(2)), "sftp": records.Waiting(1, later(4))},
        )


def test_payload_references(conn: sa.Connection) -> None:
    """Each interchange holds its payload; the last to let go answers 0, and the row is gone."""
    received(conn, 1)
    received(conn, 2)
    assert records.payload_references(conn, SHA256) == 2
    assert records.release_payload(conn, SHA256) == 1
    assert records.release_payload(conn, SHA256) == 0
    assert conn.execute(sa.select(tables.payloads)).all() == []
    assert records.release_payload(conn, SHA256) == 0


def test_structs_match_tables() -> None:
    """A row's struct has the columns of its table, all of them."""
    for struct, table in (
        (InterchangeRow, tables.interchanges),
        (DocumentRow, tables.documents),
        (OutboxRow, tables.outbox),
    ):
        assert set(struct.__struct_fields__) == set(table.c.keys())
