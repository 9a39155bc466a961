"""`edi-gateway report`: the reports on files, without a daemon."""

from __future__ import annotations

import io
import json
import os
import sys
import threading
from pathlib import Path

import pytest
from lxml import etree, html

from gateway.cli.main import main
from gateway.resources import data_folder
from gateway.samples import sample_bytes
from gateway.samples.sendings import BATCH, batch
from tests.core.archives import tar_gz

FORMS = ("xml", "json", "html", "csv")
FLOW = ("--flow", "ctc-fr-invoice")


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The half-faulty batch, with its reports beside it."""
    folder = tmp_path_factory.mktemp("reported")
    (folder / BATCH).write_bytes(batch())
    assert main(["report", str(folder / BATCH), *FLOW, "--lang", "fr"]) == 1
    return folder


def test_every_form_stands_beside_the_file(reported: Path) -> None:
    """Valid, and of one mind about what became of the six documents."""
    names = {path.name for path in reported.iterdir()}
    assert names == {BATCH, *(f"{BATCH}.report.{form}" for form in FORMS)}
    schema = etree.XMLSchema(etree.parse(str(data_folder("schemas") / "interchange-report.xsd")))
    schema.assertValid(etree.parse(str(reported / f"{BATCH}.report.xml")))
    said = json.loads((reported / f"{BATCH}.report.json").read_bytes())
    assert said["state"]["code"] == "IN_INTEGRE_PARTIEL"
    assert (said["counts"]["accepted"], said["counts"]["rejected"]) == (3, 3)
    assert said["interchange"]["size"] == len(batch())
    page = html.parse(str(reported / f"{BATCH}.report.html"))
    assert page.getroot().get("lang") == "fr"
    assert len(page.xpath("//article[starts-with(@id, 'e')]")) == 3
    rows = (reported / f"{BATCH}.report.csv").read_text("utf-8-sig").splitlines()
    assert len(rows) == 1 + 6


def test_only_the_forms_asked_for_are_written_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Into the folder of choice, which is made if need be; standard output has the paths."""
    file = tmp_path / "a.xml"
    file.write_bytes(sample_bytes("ubl-invoice.xml"))
    into = tmp_path / "new" / "folder"
    command = ["report", str(file), "--html", "--csv", "--html", "--into", str(into), *FLOW]
    assert main(command) == 0
    expected = [str(into / "a.xml.report.html"), str(into / "a.xml.report.csv")]
    assert capsys.readouterr().out.splitlines() == expected
    assert {str(path) for path in into.iterdir()} == set(expected)


def test_what_lies_beside_the_documents_is_reported(tmp_path: Path) -> None:
    """Attachments and signatures, and not what an operating system left there."""
    file = tmp_path / "b.tar.gz"
    files = [("f.xml", sample_bytes("ubl-invoice.xml")), ("f.xml.p7s", b"0\x82\x01\x00")]
    file.write_bytes(tar_gz([*files, ("__MACOSX/f", b"x")]))
    assert main(["report", str(file), "--json", *FLOW]) == 0
    said = json.loads((tmp_path / "b.tar.gz.report.json").read_bytes())
    assert [(each["role"], each["name"]) for each in said["attachments"]] == [
        ("signature", "f.xml.p7s")
    ]


def test_standard_input_is_reported_on_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its own sum and size, although it can be read but once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(batch())))
    assert main(["report", "-", "--json", *FLOW]) == 1
    said = json.loads((tmp_path / "stdin.report.json").read_bytes())
    assert said["counts"]["documents"] == 6
    assert said["interchange"]["size"] == len(batch())


def test_a_pipe_is_reported_on(tmp_path: Path) -> None:
    """As `<(…)` of a shell gives it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(sample_bytes("ubl-invoice.xml"),))
    writer.start()
    code = main(["report", str(pipe), "--json", *FLOW])
    writer.join()
    assert code == 0
    said = json.loads((tmp_path / "pipe.report.json").read_bytes())
    assert said["interchange"]["size"] == len(sample_bytes("ubl-invoice.xml"))


def test_what_cannot_be_read_or_written_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The other files still get their reports; the exit code is 2."""
    good = tmp_path / "a.xml"
    good.write_bytes(sample_bytes("ubl-invoice.xml"))
    assert main(["report", str(tmp_path / "gone"), str(tmp_path), str(good), "--csv", *FLOW]) == 2
    told = capsys.readouterr()
    assert "gone: cannot be read: No such file" in told.err
    assert "Name the files in it" in told.err
    assert told.out.splitlines() == [str(tmp_path / "a.xml.report.csv")]
    assert main(["report", str(good), "--into", str(good), *FLOW]) == 2
    assert "Name a folder you may write to with --into." in capsys.readouterr().err


def test_a_flow_there_is_not_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is judged or written."""
    assert main(["report", "whatever.xml", "--flow", "nosuch"]) == 2
    assert "There is no flow 'nosuch'" in capsys.readouterr().err


def test_what_could_not_be_judged_is_reported_as_held_and_the_cause_is_said_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever writes rules needs the cause; the report is what a partner would get."""
    file = tmp_path / "a.xml"
    file.write_bytes(sample_bytes("cii-invoice.xml"))
    nothing = ("--rule-packs", str(tmp_path / "none"))
    command = ["report", str(file), "--json", *nothing, "--lang", "en", *FLOW]
    assert main(command) == 3
    told = capsys.readouterr().err
    assert told.startswith(f"{file}: a.xml: not judged: ")
    assert "en16931-cii" in told
    said = json.loads((tmp_path / "a.xml.report.json").read_bytes())
    assert said["state"]["code"] == "IN_EN_COURS_TRAITEMENT_CPP"
    assert said["documents"][0]["verdict"] == "undetermined"
    assert "en16931-cii" not in said["documents"][0]["text"]
