"""Everything about one interchange as files: AS2 evidence, attached files, what came beside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import ensureDeferred

from gateway.model.as2 import Mdn, Security
from gateway.model.container import Member, Role
from gateway.model.verdict import AttachedFile
from gateway.service.evidence import Reader, write_evidence
from gateway.service.evidence_folder import EvidenceIncomplete, is_whole
from gateway.service.journal import open_reader, purge_records, records
from gateway.service.journal.tables import As2State
from tests.service.house import ACCEPTED, FakeJudges, House
from tests.service.test_purging import acknowledged, purging, soundly_counted, wanted

RECEIPT = Mdn(headers=(("Content-Type", "multipart/report"), ("AS2-To", "them")), body=b"--x\r\n")


async def with_as2(house: House, folder: Path) -> str:
    """An interchange that came by AS2, with a file attached and another beside it."""
    intake = await house.intake(FakeJudges(ACCEPTED))
    id_ = await acknowledged(house, intake, "a.xml", b"<a/>")
    raw = house.spool.store([b"encrypted"])
    logo = house.spool.store([b"a logo"])

    def write(conn: Any) -> None:
        row = records.As2Row(
            direction="in",
            partner="acme",
            message_id="<1@acme>",
            content_sha256="ab" * 32,
            interchange_id=id_,
            at=house.now(),
            state=As2State.RECEIVED,
            as2_from="them",
            as2_to="us",
            headers=(("Message-ID", "<1@acme>"),),
            raw_sha256=raw.sha256,
            raw_size=raw.size,
            mic="abc, sha-256",
            security=Security(),
            mdn_mode="sync",
            mdn=RECEIPT,
            mdn_at=house.now(),
            certificate=b"DER",
        )
        records.add_as2_message(conn, row)
        attached = AttachedFile(logo.sha256, logo.size)
        records.keep_files(conn, id_, 1, [attached], house.now())
        records.add_attachments(
            conn,
            id_,
            [Member(position=2, name="a.pdf", role=Role.ATTACHMENT, size=3, sha256="cd" * 32)],
        )

    await house.journal.write("t", write)
    return id_


async def written(house: House, id_: str, target: Path) -> list[str]:
    """The names of what is written of it."""
    row = await house.row(id_)
    engine = open_reader(house.folder / "journal.sqlite")
    with engine.connect() as conn:
        write_evidence(Reader(conn), house.spool, row, target)
    assert is_whole(target)
    return sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file())


@ensureDeferred
async def test_as2_messages_with_receipts_and_what_came_along(house: House, tmp_path: Path) -> None:
    """Body, receipt and certificate as they travelled; after a purge what is known of them."""
    id_ = await with_as2(house, tmp_path)
    target = tmp_path / "evidence" / id_
    names = await written(house, id_, target)
    assert {"as2/01-in.body", "as2/01-in.mdn", "as2/01-in.cer", "as2.jsonl"} <= set(names)
    assert (target / "as2/01-in.body").read_bytes() == b"encrypted"
    assert (target / "as2/01-in.mdn").read_bytes() == (
        b"Content-Type: multipart/report\r\nAS2-To: them\r\n\r\n--x\r\n"
    )
    assert (target / "as2/01-in.cer").read_bytes() == b"DER"
    message = json.loads((target / "as2.jsonl").read_text())
    assert (message["message_id"], message["mic"]) == ("<1@acme>", "abc, sha-256")
    (file,) = (json.loads(line) for line in (target / "files.jsonl").open())
    assert (target / file["file"]).read_bytes() == b"a logo"
    assert json.loads((target / "attachments.jsonl").read_text())["name"] == "a.pdf"

    answer = await purging(house).purge(await wanted(house, id_))
    assert answer["files"] == 3
    assert await soundly_counted(house)
    (row,) = await house.journal.read("t", lambda conn: records.as2_messages_of(conn, id_))
    assert (row.mdn, row.certificate, row.mic) == (None, None, "abc, sha-256")
    again = tmp_path / "again" / id_
    names = await written(house, id_, again)
    assert "as2.jsonl" in names
    assert not any(name.startswith(("as2/", "files/", "original/", "results/")) for name in names)
    assert json.loads((again / "interchange.json").read_text())["purged"]["purged_by"] == "alice"


@ensureDeferred
async def test_a_folder_is_there_whole_or_not_at_all(house: House, tmp_path: Path) -> None:
    """A payload that is not in the spool: nothing is left behind, and it is named."""
    id_ = await with_as2(house, tmp_path)
    row = await house.row(id_)
    house.spool.path(row.sha256).unlink()
    target = tmp_path / "evidence" / id_
    with pytest.raises(EvidenceIncomplete, match=row.sha256):
        await written(house, id_, target)
    assert list(target.parent.iterdir()) == []


@ensureDeferred
async def test_an_as2_message_that_waits_for_its_receipt_keeps_its_interchange(
    house: House, tmp_path: Path
) -> None:
    """A report that was posted, and of which nobody said that it arrived."""
    id_ = await with_as2(house, tmp_path)

    def sent(conn: Any) -> str | None:
        conn.exec_driver_sql("UPDATE as2_messages SET direction = 'out', state = 'sent'")
        row = records.interchange(conn, id_)
        assert row is not None
        return purge_records.still_open(conn, row)

    why = await house.journal.write("t", sent)
    assert why == "an AS2 message of it waits for its receipt"
