"""`edi-gateway validate` on archives: every member judged, each bad one named, nothing left."""

from __future__ import annotations

import errno
import io
import json
import os
import sys
import tempfile
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from gateway.cli import validate_input
from gateway.cli.main import main
from gateway.config import load_flows
from gateway.samples import sample_bytes
from tests.core.archives import DER, PDF, PNG, XML, tar_gz, zipped

FLOW = ("--flow", "en16931-invoice")
GOOD = sample_bytes("ubl-invoice.xml")
FAULTY = sample_bytes("ubl-invoice-faulty.xml")


@pytest.fixture(autouse=True)
def no_imported_packs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this machine has imported makes no difference."""
    monkeypatch.setenv("EDI_GATEWAY_RULE_PACKS", str(tmp_path / "none"))


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files of which nothing may be left."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def put(folder: Path, name: str, data: bytes) -> str:
    """Put a file on disk and give its path."""
    path = folder / name
    path.write_bytes(data)
    return str(path)


@pytest.mark.parametrize("make", [tar_gz, zipped])
def test_every_member_gets_a_verdict(
    tmp_path: Path, temporary: Path, capsys: pytest.CaptureFixture[str], make: Any
) -> None:
    """One object per document; what lies beside is said on standard error; nothing is left."""
    archive = make(
        [
            ("good.xml", GOOD),
            ("sub/faulty.xml", FAULTY),
            ("../evil.xml", GOOD),
            ("good.pdf", PDF),
            ("good.xml.p7s", DER),
            ("plan.png", PNG),
            (".DS_Store", b"?"),
        ]
    )
    path = put(tmp_path, "batch", archive)
    assert main(["validate", path, *FLOW, "--json", "--lang", "en"]) == 1
    printed = capsys.readouterr()
    said = [json.loads(line) for line in printed.out.splitlines()]
    assert [(one["file"], one["document"], one["verdict"]) for one in said] == [
        (path, "good.xml", "accepted"),
        (path, "sub/faulty.xml", "rejected"),
        (path, "../evil.xml", "rejected"),
    ]
    rules = [[finding["rule"] for finding in one["findings"]] for one in said]
    assert rules == [[], ["BR-CO-15"], ["CONTAINER-MEMBER-PATH"]]
    assert said[2]["findings"][0]["layer"] == "container"
    assert printed.err.splitlines() == [
        f"{path}: good.pdf (attachment, not judged, goes with good.xml)",
        f"{path}: good.xml.p7s (signature, not verified, goes with good.xml)",
        f"{path}: plan.png (attachment, not judged)",
    ]
    assert list(temporary.iterdir()) == []


def test_the_words_name_archive_and_member(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --json people read which file of which archive is meant, in their language."""
    path = put(tmp_path, "lot.tar.gz", tar_gz([("a.xml", GOOD), ("a.pdf", PDF), ("b.txt", b"?")]))
    assert main(["validate", path, *FLOW, "--lang", "fr"]) == 1
    text = capsys.readouterr().out
    assert f"ACCEPTÉ  {path}: a.xml" in text
    assert f"REJETÉ  {path}: b.txt" in text
    assert "CONTAINER-MEMBER-TYPE (erreur)" in text
    assert "a.pdf (pièce jointe, non jugée, accompagne a.xml)" in text


def test_a_refused_archive_gets_one_verdict(
    tmp_path: Path, temporary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cut off: not one of its documents is judged."""
    path = put(tmp_path, "batch.tar.gz", tar_gz([("a.xml", GOOD), ("b.xml", GOOD)])[:-9])
    assert main(["validate", path, *FLOW, "--json"]) == 1
    (said,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (said["document"], said["verdict"]) == ("batch.tar.gz", "rejected")
    assert [finding["rule"] for finding in said["findings"]] == ["CONTAINER-TRUNCATED"]
    assert len(said["sha256"]) == 64
    assert list(temporary.iterdir()) == []


def test_the_archive_has_the_envelope_name_not_its_members(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flow that asks for envelope names asks the archive; members may be called anything."""
    flow = msgspec.structs.replace(load_flows()["en16931-invoice"], envelope_names=True)
    monkeypatch.setattr("gateway.cli.judging.load_flows", lambda *_, **__: {flow.name: flow})
    archive = tar_gz([("any name.xml", GOOD)])
    named = put(tmp_path, "FSO1100A_ABC123_ABC1231100000000000000001.tar.gz", archive)
    assert main(["validate", named, *FLOW, "--json"]) == 0
    assert main(["validate", put(tmp_path, "b.tar.gz", archive), *FLOW, "--json"]) == 1
    _, said = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert [finding["rule"] for finding in said["findings"]] == ["ENVELOPE-NAME"]


def test_svrl_of_members_stays_in_its_folder(tmp_path: Path) -> None:
    """Named after archive, position and name, for two members may be called the same."""
    archive = tar_gz([("x/a.xml", GOOD), ("y/a.xml", GOOD), ("../a.xml", GOOD)])
    path = put(tmp_path, "batch.tar.gz", archive)
    folder = tmp_path / "svrl"
    assert main(["validate", path, *FLOW, "--json", "--svrl", str(folder)]) == 1
    assert sorted(file.name for file in folder.iterdir()) == [
        "batch.tar.gz.1.a.xml.en16931-ubl.svrl.xml",
        "batch.tar.gz.2.a.xml.en16931-ubl.svrl.xml",
    ]


def test_archives_come_through_pipes(
    tmp_path: Path,
    temporary: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On standard input and by the name of a pipe: neither can be read twice."""
    archive = zipped([("a.xml", GOOD)])
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(archive)))
    assert main(["validate", "-", *FLOW, "--json"]) == 0
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(archive,), daemon=True)
    writer.start()
    assert main(["validate", str(pipe), *FLOW, "--json"]) == 0
    writer.join(10)
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["file"], one["document"]) for one in said] == [
        ("-", "a.xml"),
        (str(pipe), "a.xml"),
    ]
    assert list(temporary.iterdir()) == []


def test_a_full_disk_is_no_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2, and where to make room."""

    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(validate_input, "unpack", full)
    path = put(tmp_path, "batch.tar.gz", tar_gz([("a.xml", XML)]))
    assert main(["validate", path, *FLOW, "--json"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "TMPDIR" in printed.err
