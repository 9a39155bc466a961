"""`edi-gateway interchanges` and `show`: what the journal knows, for people and for scripts."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import msgspec
import pytest

from gateway.cli.main import main
from gateway.model.as2 import Cipher, Digest, Mdn, Security, SignatureScheme
from gateway.model.lifecycle import DocumentState, InterchangeState
from gateway.model.verdict import Rejected
from gateway.service.journal import records, schema
from gateway.service.journal.engine import writer_engine
from gateway.service.journal.tables import As2State
from tests.service.journalling import FINDING, NOW, SHA256, a_judgement, an_interchange


@pytest.fixture
def journal(tmp_path: Path) -> tuple[str, str, str]:
    """A state directory with two interchanges: two documents judged, and nothing judged yet."""
    engine = writer_engine(tmp_path / "journal.sqlite")
    ids = []
    with engine.begin() as conn:
        schema.upgrade(conn, tmp_path / "journal.sqlite")
        for number in (1, 2):
            receipt = records.receive(
                conn,
                an_interchange(number),
                interface_code=None,
                claim_key=f"claim-{number}",
                now=NOW,
            )
            ids.append(receipt.interchange_id)
        judged = ids[0]
        opened = InterchangeState.OPENED
        records.move_interchange(conn, judged, opened, cause=None, now=NOW)
        judgements = (a_judgement(), a_judgement(verdict=Rejected((FINDING,))))
        for ordinal, judgement in enumerate(judgements, start=1):
            records.add_document(
                conn, judged, ordinal, name="doc.xml", sha256=SHA256, size=9, now=NOW
            )
            records.store_judgement(conn, judged, ordinal, judgement)
            new = DocumentState.ACCEPTED if ordinal == 1 else DocumentState.REJECTED
            records.move_document(conn, judged, ordinal, new, cause=None, now=NOW)
        records.move_document(conn, judged, 2, DocumentState.PUBLISHED, cause=None, now=NOW)
    engine.dispose()
    return str(tmp_path), judged, ids[1]


def test_the_list_tells_the_verdict_of_each(
    journal: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A list of states alone would not say what was rejected; nothing judged has no verdict."""
    state, judged, waiting = journal
    assert main(["interchanges", "--state-dir", state]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()[2:]}
    assert "1 accepted, 1 rejected" in lines[judged]
    assert "accepted" not in lines[waiting]
    assert main(["interchanges", "--state-dir", state, "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    verdicts = {row["id"]: row["verdicts"] for row in rows}
    assert verdicts == {judged: {"accepted": 1, "rejected": 1}, waiting: {}}


def test_an_empty_list_says_so(
    journal: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A heading over nothing leaves people wondering; scripts get no line at all."""
    words = ["interchanges", "--state-dir", journal[0], "--partner", "nobody"]
    assert main(words) == 0
    assert "No interchange fits" in capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("limit", ["0", "-1", "many"])
def test_a_limit_is_a_number_above_0(journal: tuple[str, str, str], limit: str) -> None:
    """SQLite takes a negative limit for none: refused before it is asked."""
    with pytest.raises(SystemExit) as ended:
        main(["interchanges", "--state-dir", journal[0], f"--limit={limit}"])
    assert ended.value.code == 2


def test_show_tells_the_verdict_beside_the_state(
    journal: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A published document was accepted or rejected: its state alone no longer says which."""
    state, judged, _ = journal
    assert main(["show", judged, "--state-dir", state, "--lang", "fr"]) == 0
    shown = capsys.readouterr().out
    assert "Document 1: F-1: accepted\n" in shown
    assert "Document 2: F-1: rejected, published\n" in shown
    assert "Refaire" in shown
    assert "cause" not in shown


def test_an_id_nobody_has_is_a_usage_error(
    journal: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The message says how to find what was meant."""
    assert main(["show", "zzzz", "--state-dir", journal[0]]) == 2
    assert "edi-gateway interchanges --search zzzz" in capsys.readouterr().err


def test_show_has_the_as2_evidence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What came with its receipt and what went without: people see the gist, scripts all of it."""
    engine = writer_engine(tmp_path / "journal.sqlite")
    mdn = Mdn(headers=(("Content-Type", "multipart/report"),), body=b"\x00receipt\xff")
    with engine.begin() as conn:
        schema.upgrade(conn, tmp_path / "journal.sqlite")
        id_ = records.receive(
            conn, an_interchange(), interface_code=None, claim_key="c", now=NOW
        ).interchange_id
        came = records.As2Row(
            direction="in",
            partner="acme",
            message_id="<1@acme\x1b>",
            content_sha256=SHA256,
            interchange_id=id_,
            at=NOW,
            state=As2State.RECEIVED,
            as2_from="ACME",
            as2_to="HUB",
            headers=(("AS2-From", "ACME"),),
            raw_sha256="cd" * 32,
            raw_size=10,
            mic="bWlj, sha-256",
            security=Security(
                encrypted=Cipher.AES256_CBC,
                decrypted_with="11" * 32,
                signed=Digest.SHA256,
                signature=SignatureScheme.PKCS1,
                signer="22" * 32,
            ),
            mdn_mode="sync",
            mdn=mdn,
            mdn_at=NOW,
            certificate=b"\x30\x82",
        )
        records.add_as2_message(conn, came)
        went = msgspec.structs.replace(
            came,
            direction="out",
            message_id="<2@hub>",
            state=As2State.REFUSED,
            as2_from="HUB",
            as2_to="ACME",
            security=Security(compressed=True),
            mdn=None,
            mdn_at=None,
            certificate=None,
            error="The partner did not take it.",
        )
        records.add_as2_message(conn, went)
    engine.dispose()
    words = ["show", id_, "--state-dir", str(tmp_path)]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said
    _, first, second = (
        [" ".join(line.split()) for line in block.splitlines()] for block in said.split("AS2\n")
    )
    assert "names ACME → HUB" in first
    assert f"encrypted aes256-cbc, certificate {'11' * 32}" in first
    assert f"signed sha-256, pkcs1, certificate {'22' * 32}" in first
    assert "MIC bWlj, sha-256" in first
    assert "receipt 2026-03-01T12:00:00+00:00 (sync)" in first
    assert {"state refused", "signed no", "compressed yes", "receipt none (sync)"} <= set(second)
    assert "error The partner did not take it." in second
    assert main([*words, "--json"]) == 0
    one, other = json.loads(capsys.readouterr().out)["as2"]
    assert one["raw"] == str(tmp_path / "spool" / "payloads" / "cd" / ("cd" * 32))
    assert one["mdn"]["headers"] == [["Content-Type", "multipart/report"]]
    assert base64.b64decode(one["mdn"]["body"]) == mdn.body
    assert base64.b64decode(one["certificate"]) == b"\x30\x82"
    assert (other["direction"], other["mdn"]) == ("out", None)
