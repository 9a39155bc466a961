"""Snapshots of the directory of recipients: found by bisection, proven, the newest in force."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway import frames, worker
from gateway.core.directory import (
    MAX_SIRETS,
    NAMESPACE,
    Directories,
    Directory,
    OneDirectory,
    Recipient,
    sirets_in,
)
from gateway.core.pipeline import Judge
from gateway.core.schematron.catalogue import Catalogue
from gateway.errors import RulePackError
from gateway.model.flow import Chain, Flow
from gateway.model.interchange import Syntax
from gateway.model.job import DocumentLimits, JudgeAnswer, JudgeJob, WorkerBoot
from gateway.model.verdict import Judgement, Language, Layer
from tests.b2g_documents import (
    AGENT_SIRET,
    BUYER_SIRET,
    DOCUMENTS,
    SELLER_SIRET,
    document,
    twice,
)
from tests.directories import WHEN, snapshot


def numbered(number: int) -> Recipient:
    """A recipient whose line is as long as its number says."""
    codes = tuple(f"CODE-{each}" for each in range(number % 7))
    return Recipient(f"{number:014}", True, number % 2 == 0, False, True, False, codes)


@given(st.sets(st.integers(0, 500)))
def test_every_siret_is_found_and_no_other(
    tmp_path_factory: pytest.TempPathFactory, listed: set[int]
) -> None:
    """Whatever is listed, in lines of every length."""
    folder = tmp_path_factory.mktemp("directory")
    directory = Directory(snapshot(folder, *map(numbered, listed)))

    for number in (*range(0, 501, 9), *listed):
        expected = numbered(number) if number in listed else None
        assert directory.find(f"{number:014}") == expected


@pytest.mark.parametrize(
    "siret", ["", "0", "0000000000000\n", "000000000000001", "0000000000000x", "\t"]
)
def test_what_is_no_siret_is_not_listed(siret: str, tmp_path: Path) -> None:
    """The document says what is looked up, and may say anything."""
    assert Directory(snapshot(tmp_path, numbered(1))).find(siret) is None


def test_the_extract_says_what_the_rules_ask_and_no_more(tmp_path: Path) -> None:
    """XML with the recipients asked for, codes escaped."""
    odd = Recipient("00000000000099", False, True, True, False, True, ("<C>", "A&B"))
    directory = Directory(snapshot(tmp_path, numbered(1), numbered(3), odd))

    root = etree.fromstring(
        directory.extract(["00000000000099", "00000000000098", "00000000000001"])
    )

    assert root.tag == f"{{{NAMESPACE}}}directory"
    assert root.attrib == {"sha256": directory.sha256, "imported": "2026-09-01T06:00:00Z"}
    assert [element.get("siret") for element in root] == ["00000000000099", "00000000000001"]
    assert dict(root[0].attrib) == {
        "siret": "00000000000099",
        "active": "false",
        "public": "true",
        "service-code-required": "true",
        "engagement-required": "false",
        "either-required": "true",
    }
    assert [code.text for code in root[0]] == ["<C>", "A&B"]


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_only_the_parties_that_rules_ask_about_are_looked_up(kind: str) -> None:
    """Seller, agent and buyer; not the payee; each once."""
    assert set(sirets_in(document(kind))) == {SELLER_SIRET, AGENT_SIRET, BUYER_SIRET}


def test_a_document_cannot_make_us_look_up_without_end() -> None:
    """A hostile one names as many as it likes."""
    parsed = document("cii-invoice", [twice("BT-29")])
    (first, *_) = parsed.root.iter("{*}SellerTradeParty")
    for number in range(5 * MAX_SIRETS):
        extra = etree.SubElement(first, first[0].tag, schemeID="0009")
        extra.text = f"{number:014}"
        first.insert(0, extra)
    assert len(sirets_in(parsed)) == MAX_SIRETS


def test_the_newest_snapshot_is_in_force_from_its_import_on(tmp_path: Path) -> None:
    """No folder, a first import, a second one: asked anew for every document."""
    folder = tmp_path / "directory"
    directories = Directories(folder)
    assert directories.current() is None

    first = snapshot(folder, numbered(1))
    current = directories.current()
    assert current is not None
    assert (current.path, current.imported) == (first, WHEN)
    assert directories.current() is current

    second = snapshot(folder, numbered(2), imported=WHEN + dt.timedelta(seconds=1))
    current = directories.current()
    assert current is not None
    assert current.path == second
    (folder / ".tmp-half").write_bytes(b"half a snapshot")
    assert directories.paths() == [second, first]


def test_an_altered_snapshot_is_never_used(tmp_path: Path) -> None:
    """Not it, and not the one before, which would answer wrongly."""
    snapshot(tmp_path, numbered(1))
    newest = snapshot(tmp_path, numbered(2), imported=WHEN + dt.timedelta(days=1))
    newest.write_bytes(newest.read_bytes().replace(b"\t11", b"\t01"))

    with pytest.raises(RulePackError, match="sha256 differs"):
        Directories(tmp_path).current()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_read_is_no_missing_directory(tmp_path: Path) -> None:
    """Else every rule would say that none was imported."""
    tmp_path.chmod(0)
    try:
        with pytest.raises(RulePackError, match="cannot be read"):
            Directories(tmp_path).current()
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("name", ["directory.tsv", f"20260901T060000Z-{'0' * 63}.tsv"])
def test_a_file_of_another_name_is_no_snapshot(name: str, tmp_path: Path) -> None:
    """Its name says what it must hold."""
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(RulePackError, match="no snapshot"):
        OneDirectory(tmp_path / name)


def test_an_empty_directory_lists_nobody(tmp_path: Path) -> None:
    """A table with a first line only."""
    assert Directory(snapshot(tmp_path)).find("00000000000001") is None


# ── Judging with one ─────────────────────────────────────────────────────────────────────────

FLOW = Flow(
    name="b2g",
    chain=(
        Chain(syntax=Syntax.UBL, schema="ubl-2.1", rules=("b2g-ubl", "b2g-noted-ubl")),
        Chain(syntax=Syntax.CII, schema="cii-d22b", rules=("b2g-cii",)),
    ),
)


def judged(judge: Judge, data: bytes, *layers: Layer) -> Judgement:
    """The judgement on a document by the B2G rules."""
    job = JudgeJob(
        path="",
        name="invoice.xml",
        sha256="0" * 64,
        size=len(data),
        partner=None,
        partner_flows=None,
        on=dt.date(2026, 11, 1),
        layers=layers or None,
    )
    return judge.judge(job, data)


def a_judge(folder: Path) -> Judge:
    """A judge with the snapshots of a folder."""
    return Judge([FLOW], Catalogue.load(), DocumentLimits(), directory=Directories(folder))


def test_a_judgement_says_which_snapshot_it_asked(tmp_path: Path) -> None:
    """After the packs, once; the next document asks the next snapshot; without one, none."""
    judge, data = a_judge(tmp_path), DOCUMENTS["ubl-invoice"]
    assert [each.pack for each in judged(judge, data).rules] == ["b2g-ubl", "b2g-noted-ubl"]

    first = Directory(snapshot(tmp_path, numbered(1)))
    asked = judged(judge, data)
    assert [each.pack for each in asked.rules] == ["b2g-ubl", "b2g-noted-ubl", "directory"]
    assert asked.rules[-1] == first.reference
    assert asked.rules[-1].version == "2026-09-01T06:00:00+00:00"

    buyer = Recipient(BUYER_SIRET, True, True, True, False, False, ("OTHER",))
    second = Directory(snapshot(tmp_path, buyer, imported=WHEN + dt.timedelta(days=1)))
    later = judged(judge, data)
    assert later.rules[-1].sha256 == second.sha256
    assert "BR-FR-CPRO-11_KNOWN" in {each.rule for each in later.findings}

    again = Judge([FLOW], Catalogue.load(), DocumentLimits(), directory=OneDirectory(first.path))
    assert judged(again, data).findings == asked.findings
    assert judged(again, data).rules == asked.rules


def test_a_judgement_without_rules_asks_nobody(tmp_path: Path) -> None:
    """Only what was asked is recorded."""
    snapshot(tmp_path, numbered(1))
    assert judged(a_judge(tmp_path), DOCUMENTS["cii-invoice"], Layer.XSD).rules == ()


def test_a_directory_that_cannot_be_used_leaves_documents_undetermined(tmp_path: Path) -> None:
    """A check that could not be made is no check that was passed."""
    path = snapshot(tmp_path, numbered(1))
    path.write_bytes(b"")

    judgement = judged(a_judge(tmp_path), DOCUMENTS["cii-invoice"])

    assert judgement.to_json("f", Language.EN)["verdict"] == "undetermined"
    assert "sha256 differs" in judgement.to_json("f", Language.EN)["cause"]


def test_a_judging_process_asks_the_folder_it_was_booted_with(tmp_path: Path) -> None:
    """The one `directory import` fills; without one, none."""
    invoice = tmp_path / "invoice.xml"
    invoice.write_bytes(DOCUMENTS["ubl-invoice"])
    first = Directory(snapshot(tmp_path / "directory", numbered(1)))
    job = JudgeJob(
        path=str(invoice),
        name=invoice.name,
        sha256=hashlib.sha256(invoice.read_bytes()).hexdigest(),
        size=invoice.stat().st_size,
        partner=None,
        partner_flows=("b2g",),
        on=dt.date(2026, 11, 1),
    )
    boot = WorkerBoot(flows=(FLOW,), rule_packs="", scratch=str(tmp_path / "scratch"))
    for folder, expected in ((str(tmp_path / "directory"), [first.reference]), ("", [])):
        booted = msgspec.structs.replace(boot, directory=folder)
        said = (
            (frames.BOOT, msgspec.msgpack.encode(booted)),
            (frames.JOB, msgspec.msgpack.encode(job)),
        )
        source = io.BytesIO(b"".join(frames.encode(*frame) for frame in said))
        sink = io.BytesIO()
        worker.serve(source, sink)
        *_, (_kind, payload) = frames.FrameDecoder().feed(sink.getvalue())
        judged = msgspec.msgpack.decode(payload, type=JudgeAnswer).judgement
        assert judged is not None
        assert [each for each in judged.rules if each.pack == "directory"] == expected
