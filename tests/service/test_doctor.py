"""The doctor finds what is wrong, says it in words, and mends only what nobody can miss."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
import structlog
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from gateway.cli.main import main
from gateway.model.lifecycle import DocumentState, InterchangeState
from gateway.model.verdict import AttachedFile
from gateway.service.control import Control
from gateway.service.doctor import Mender, Trouble, mend_stopped
from gateway.service.doctor.mending import look, mend_journal
from gateway.service.journal import Journal, open_reader, records
from gateway.service.journal.columns import OutboxState
from gateway.service.journal.doctor_records import miscounted
from gateway.service.journal.lock import StateLock
from gateway.service.journal.tables import claims, documents, interchanges, outbox, payloads, purged
from gateway.service.settle import inside_or_beside
from gateway.service.spool_sweep import Sweeper
from gateway.spool import Spool
from tests.service.journalling import NOW, a_message, later
from tests.state_directory import StateDirectory, contents

OLD = 3 * 86_400.0


class Patient:
    """A state directory and what `edi-gateway doctor` says of it."""

    def __init__(self, state: StateDirectory, capsys: pytest.CaptureFixture[str]) -> None:
        self.state = state
        self._capsys = capsys

    def looked_at(self, *words: str) -> tuple[int, list[dict[str, Any]], list[str]]:
        """The exit code, the troubles, and what was mended."""
        code = main(["doctor", "--json", *words, "--state-dir", str(self.state.path)])
        said = json.loads(self._capsys.readouterr().out)
        return code, said["troubles"], said["done"]

    def only(self, check: str, *words: str) -> dict[str, Any]:
        """The one trouble there is."""
        code, troubles, _ = self.looked_at(*words)
        assert [each["check"] for each in troubles] == [check], troubles
        assert code == (0 if troubles[0]["harmless"] else 1)
        return troubles[0]

    def is_well(self, *words: str) -> list[str]:
        """Nothing is wrong; what was mended on the way."""
        code, troubles, done = self.looked_at(*words)
        assert (code, troubles) == (0, [])
        return done


@pytest.fixture
def patient(state: StateDirectory, capsys: pytest.CaptureFixture[str]) -> Patient:
    """Not ill yet."""
    return Patient(state, capsys)


def set_state(conn: sa.Connection, id_: str, state: InterchangeState) -> None:
    """Whatever its lifecycle allows."""
    conn.execute(sa.update(interchanges).where(interchanges.c.id == id_).values(state=state))


def add_document(conn: sa.Connection, id_: str, state: DocumentState) -> None:
    """One that stands so, and is counted."""
    records.add_document(conn, id_, 1, name="a.xml", sha256="ab" * 32, size=1, now=NOW)
    conn.execute(sa.update(documents).where(documents.c.interchange_id == id_).values(state=state))
    if state not in (DocumentState.EXTRACTED, DocumentState.QUARANTINED):
        records.document_done(conn, id_)


# ---- well, and read only


def test_a_state_that_is_well(patient: Patient, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is found, quickly or deeply, and nothing is changed by looking."""
    before = contents(patient.state.path)
    assert patient.is_well() == []
    assert patient.is_well("--deep") == []
    assert contents(patient.state.path) == before
    assert main(["doctor", "--state-dir", str(patient.state.path)]) == 0
    assert "is well" in capsys.readouterr().out


def test_without_a_journal_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    """An empty folder is no state directory: no "all is well"."""
    assert main(["doctor", "--state-dir", str(tmp_path)]) == 3


# ---- what only people can put right


def test_a_missing_payload(patient: Patient) -> None:
    """By name, with where to get it; `--mend` leaves the row, for the file may be found."""
    gone = patient.state.received[0].sha256
    patient.state.spool.path(gone).unlink()
    assert patient.only("payloads")["examples"] == [gone]
    assert patient.only("payloads", "--mend")["examples"] == [gone]


@pytest.mark.parametrize("harm", [lambda held: held[::-1], lambda held: held[:-1]])
def test_an_altered_payload(patient: Patient, harm: Callable[[bytes], bytes]) -> None:
    """A wrong size is seen at once, other bytes with `--deep`."""
    path = patient.state.spool.path(patient.state.received[0].sha256)
    held = path.read_bytes()
    path.write_bytes(harm(held))
    if len(harm(held)) == len(held):
        assert patient.is_well() == []
        assert patient.only("payloads", "--deep")["examples"] == [path.name]
    else:
        assert patient.only("payloads")["examples"] == [path.name]


DEAD_ENDS: dict[str, Callable[[sa.Connection, str], None]] = {
    "between judged and settled": lambda conn, id_: set_state(conn, id_, InterchangeState.JUDGED),
    "no report waits to be sent": lambda conn, id_: set_state(conn, id_, InterchangeState.SETTLED),
    "documents that were not judged": lambda conn, id_: (
        add_document(conn, id_, DocumentState.EXTRACTED),
        set_state(conn, id_, InterchangeState.ACKNOWLEDGED),
    )[1],
    "whose result nothing will send": lambda conn, id_: add_document(
        conn, id_, DocumentState.ACCEPTED
    ),
    "none of its documents is": lambda conn, id_: set_state(
        conn, id_, InterchangeState.QUARANTINED
    ),
}


@pytest.mark.parametrize("words", DEAD_ENDS)
def test_an_interchange_that_nothing_moves_any_more(patient: Patient, words: str) -> None:
    """It is named, and no command mends it by itself."""
    id_ = patient.state.received[1].id
    patient.state.write(lambda conn: DEAD_ENDS[words](conn, id_))
    for option in ((), ("--mend",)):
        found = patient.only("states", *option)
        assert words in found["what"]
        assert found["examples"] == [id_]
        assert found["mendable"] is False


def test_what_waits_to_be_sent_is_no_dead_end(patient: Patient) -> None:
    """A result not delivered yet, a document in quarantine, a report that is dead."""
    first, second, third = patient.state.received

    def stand(conn: sa.Connection) -> None:
        add_document(conn, first.id, DocumentState.ACCEPTED)
        records.add_outbox_many(conn, [a_message(first, kind="document")])
        add_document(conn, second.id, DocumentState.QUARANTINED)
        set_state(conn, second.id, InterchangeState.QUARANTINED)
        records.add_outbox_many(conn, [a_message(third, kind="report", destination="sftp")])
        set_state(conn, third.id, InterchangeState.REFUSED)
        of_third = outbox.c.interchange_id == third.id
        conn.execute(sa.update(outbox).where(of_third).values(state=OutboxState.DEAD))

    patient.state.write(stand)
    assert patient.is_well() == []


def test_a_message_with_nothing_to_send(patient: Patient) -> None:
    """Pending, no body, no payload instead; what was emptied after its delivery is no trouble."""
    one, other, _ = patient.state.received

    def write(conn: sa.Connection) -> None:
        records.add_outbox_many(conn, [a_message(one, body=b""), a_message(other, body=b"")])
        of_other = outbox.c.interchange_id == other.id
        conn.execute(sa.update(outbox).where(of_other).values(state=OutboxState.DELIVERED))

    patient.state.write(write)
    found = patient.only("outbox")
    assert found["examples"] == [a_message(one).publication.message_id]


def test_a_damaged_journal(patient: Patient) -> None:
    """SQLite's own words, and that a backup is the way out; nothing else is asked of it."""
    held = bytearray(patient.state.journal.read_bytes())
    middle = len(held) // 2 // 4096 * 4096
    held[middle : middle + 4096] = os.urandom(4096)
    patient.state.journal.write_bytes(bytes(held))
    found = patient.only("journal", "--deep")
    assert "restore the last backup" in found["remedy"]
    assert found["examples"]


# ---- what is mended


@pytest.mark.parametrize(("refs", "said"), [(0, "too early"), (7, "would never")])
def test_counts_of_needs_are_set_right(patient: Patient, refs: int, said: str) -> None:
    """Too low or too high: counted anew."""
    sha256 = patient.state.received[0].sha256
    the_row = payloads.c.sha256 == sha256
    patient.state.write(
        lambda conn: conn.execute(sa.update(payloads).where(the_row).values(refs=refs))
    )
    found = patient.only("references")
    assert said in found["what"]
    assert found["examples"] == [f"{sha256}: counted {refs}, needed 1"]
    assert patient.is_well("--mend") == ["Counted anew what needs 1 payload."]
    assert patient.state.write(lambda conn: records.payload_references(conn, sha256)) == 1


def test_everything_that_needs_a_payload_is_counted(patient: Patient) -> None:
    """Attached files, bodies beside the outbox: as many needs as the gateway wrote down."""
    one = patient.state.received[0]
    stored = patient.state.spool.store([b"large body, and an attached file too"])

    def write(conn: sa.Connection) -> None:
        publication = inside_or_beside(conn, a_message(one).publication, stored, NOW)
        message = msgspec.structs.replace(a_message(one), publication=publication)
        records.add_outbox_many(conn, [message])
        records.keep_files(conn, one.id, 1, [AttachedFile(stored.sha256, stored.size)], NOW)

    patient.state.write(write)
    assert patient.state.write(lambda conn: records.payload_references(conn, stored.sha256)) == 2
    assert patient.is_well("--deep") == []


def test_a_payload_that_is_needed_and_not_counted(patient: Patient) -> None:
    """Nothing protects it; it is counted again when the spool has it, whole."""
    here, gone, ill = patient.state.received
    patient.state.write(lambda conn: conn.execute(sa.delete(payloads)))
    patient.state.spool.path(gone.sha256).unlink()
    patient.state.spool.path(ill.sha256).write_bytes(b"something else")
    assert patient.only("references")["number"] == 3
    left = patient.only("references", "--mend")["examples"]
    assert left == sorted([gone.sha256, ill.sha256])
    assert patient.state.write(lambda conn: records.payload_references(conn, here.sha256)) == 1


def test_what_was_purged_needs_nothing_and_what_is_being_purged_is_left_alone(
    patient: Patient,
) -> None:
    """Rows outlive their payloads; a purge under way may have given some of them back already."""
    done, going, _ = patient.state.received

    def purge(conn: sa.Connection) -> None:
        row = {"purged_at": NOW, "purged_by": "root", "stage": "messages"}
        conn.execute(sa.insert(purged).values(**row, interchange_id=done.id, freed_at=NOW))
        conn.execute(sa.insert(purged).values(**row, interchange_id=going.id))
        for each in (done, going):
            records.release_payload(conn, each.sha256)

    patient.state.write(purge)
    patient.state.spool.path(done.sha256).unlink()
    patient.state.spool.path(going.sha256).unlink()
    assert patient.is_well() == []
    the_row = {"sha256": going.sha256, "size": 1, "refs": 2, "stored_at": NOW}
    patient.state.write(lambda conn: conn.execute(sa.insert(payloads).values(**the_row)))
    engine = open_reader(patient.state.journal)
    with engine.connect() as conn:
        assert [(each.least, each.most) for each in miscounted(conn, 9)] == [(0, 1)]
    engine.dispose()
    mend_stopped(patient.state.path, orphan_hours=24)
    assert patient.state.write(lambda conn: records.payload_references(conn, going.sha256)) == 2


def test_what_changed_since_it_was_looked_at_is_left_alone(patient: Patient) -> None:
    """A new need of the payload, another document: their counts are right without us."""
    one = patient.state.received[0]

    def harm(conn: sa.Connection) -> None:
        conn.execute(sa.update(payloads).values(refs=5))
        conn.execute(sa.update(interchanges).values(documents_open=2))

    def go_on(conn: sa.Connection) -> None:
        records.add_payload_reference(conn, one.sha256, size=one.size, now=later(60))
        records.release_payload(conn, one.sha256)
        records.document_done(conn, one.id)

    patient.state.write(harm)
    wrong = look(patient.state.journal, patient.state.spool)
    patient.state.write(go_on)
    done = patient.state.write(lambda conn: mend_journal(conn, wrong, NOW))
    assert done == [
        "Counted anew what needs 2 payloads.",
        "Counted anew the documents of 2 interchanges.",
    ]
    assert patient.state.write(lambda conn: records.payload_references(conn, one.sha256)) == 5


def test_documents_are_counted_anew(patient: Patient) -> None:
    """The number of them, and of those that are open."""
    id_ = patient.state.received[0].id

    def write(conn: sa.Connection) -> None:
        add_document(conn, id_, DocumentState.EXTRACTED)
        wrong = {"documents_total": 4, "documents_open": 3}
        conn.execute(sa.update(interchanges).where(interchanges.c.id == id_).values(**wrong))

    patient.state.write(write)
    assert patient.only("documents")["examples"] == [id_]
    assert patient.is_well("--mend") == ["Counted anew the documents of 1 interchange."]


def test_claims_of_no_interchange_go(patient: Patient) -> None:
    """The file, sent again, is then taken in as new."""
    row = {"transport": "sftp", "partner": "acme", "key": "a.xml", "sha256": "ab" * 32}
    patient.state.write(
        lambda conn: conn.execute(
            sa.insert(claims).values(**row, interchange_id="nobody", claimed_at=NOW)
        ),
        keys=False,
    )
    assert patient.only("claims")["examples"] == ["acme: a.xml"]
    assert patient.is_well("--mend") == ["Removed 1 claim of no interchange."]


def test_orphans_are_told_and_go_unless_they_are_to_be_kept(
    patient: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notice, for the sweep takes them; with orphan_hours 0 they stay."""
    stored = patient.state.spool.store([b"of nobody"])
    assert patient.is_well() == []  # it is young: its row may be about to be written
    the_future(monkeypatch)
    found = patient.only("orphans")
    assert (found["harmless"], found["examples"]) == (True, [stored.sha256])
    assert mend_stopped(patient.state.path, orphan_hours=0) == []
    assert stored.path.exists()
    assert patient.is_well("--mend") == ["Removed 1 payload of nobody, 0.0 MB."]
    assert not stored.path.exists()


def test_what_a_backup_holds_is_not_swept(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest is mended; the payload goes another time, and that is said."""
    stored = patient.state.spool.store([b"of nobody"])
    the_future(monkeypatch)
    with patient.state.spool.hold_all():
        (said,) = mend_stopped(patient.state.path, orphan_hours=24)
    assert said.startswith("Payloads of nobody stay: ")
    assert stored.path.exists()


def the_future(patch: pytest.MonkeyPatch) -> None:
    """Whatever lies in the spool is old: its change time cannot be set back."""
    real_list, real_discard = Spool.older_than, Spool.discard_older
    patch.setattr(Spool, "older_than", lambda self, p, before: real_list(self, p, before + OLD))
    patch.setattr(
        Spool, "discard_older", lambda self, s, before: real_discard(self, s, before + OLD)
    )


def test_what_is_open_to_others_is_closed(patient: Patient) -> None:
    """The folder of everything, and private keys."""
    patient.state.path.chmod(0o755)
    key = patient.state.path / "keys" / "ssh_host_ed25519_key"
    key.chmod(0o644)
    _, troubles, _ = patient.looked_at()
    assert [each["check"] for each in troubles] == ["permissions", "permissions"]
    assert len(patient.is_well("--mend")) == 2
    assert stat.S_IMODE(patient.state.path.stat().st_mode) == 0o700
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_half_written_files_go(patient: Patient) -> None:
    """Of a gateway that is stopped."""
    left = patient.state.spool.incoming / "upload.part"
    left.write_bytes(b"half")
    other = patient.state.path / "keys" / ".tmp-0123"
    other.write_bytes(b"half")
    assert patient.only("leftovers")["number"] == 2
    assert patient.is_well("--mend") == ["Removed 2 half-written files."]
    assert not left.exists()
    assert not other.exists()


def test_a_full_disk(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """New files are refused: that needs somebody."""
    monkeypatch.setattr(Spool, "free_mb", lambda _: 12)
    assert "12 MB are free" in patient.only("disk")["what"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_of_another_user(patient: Patient) -> None:
    """A command given as root left them: the gateway cannot write there."""
    os.chown(patient.state.path / "keys" / "ssh_host_ed25519_key", 65534, 65534)
    assert "chown" in patient.only("permissions")["remedy"]


# ---- somebody works there


def test_a_starting_gateway_is_not_disturbed(patient: Patient) -> None:
    """It holds the lock and does not answer yet: nothing is mended."""
    lock = StateLock(patient.state.path / "journal.lock")
    lock.acquire()
    assert main(["doctor", "--mend", "--state-dir", str(patient.state.path)]) == 2
    lock.release()


@async_yield_fixture
async def running(state: StateDirectory) -> AsyncIterator[Journal]:
    """A gateway's journal and control socket on the state directory."""
    log = structlog.wrap_logger(structlog.testing.CapturingLogger(), processors=[])
    state.close()
    journal = Journal(reactor, state.journal)
    await journal.open()

    async def in_thread(function: Callable[..., Any], *args: Any) -> Any:
        return await deferToThread(function, *args)

    parts = {"journal": journal, "spool": state.spool, "in_thread": in_thread, "log": log}
    sweeper = Sweeper(reactor, **parts)
    spool = parts.pop("spool")
    journal_ = parts.pop("journal")
    mender = Mender(journal_, path=state.journal, spool=spool, sweeper=sweeper, **parts)
    control = Control(reactor, state.path / "control.sock", mender.handlers(), log=log)
    await control.start()
    yield journal
    await control.stop()
    await journal.close()


@ensureDeferred
async def test_a_running_gateway_mends_itself(
    state: StateDirectory,
    running: Journal,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It alone writes: counts, claims and orphans by way of its socket."""
    stored = state.spool.store([b"of nobody"])
    the_future(monkeypatch)
    await running.write(
        "test", lambda conn: conn.execute(sa.update(payloads).values(refs=5)).rowcount
    )
    words = ["doctor", "--mend", "--json", "--state-dir", str(state.path)]
    assert await deferToThread(main, words) == 0
    assert json.loads(capsys.readouterr().out)["done"] == [
        "Counted anew what needs 3 payloads.",
        "Removed 1 payload of nobody, 0.0 MB.",
    ]
    assert not stored.path.exists()


def test_many_of_a_kind_are_one_trouble() -> None:
    """The first few by name, the others by number."""
    said = str(
        Trouble(check="payloads", what="Gone:", remedy="Look.", number=7, examples=("a", "b"))
    )
    assert said == "Gone:\n    a\n    b\n    and 5 more\n    → Look."
