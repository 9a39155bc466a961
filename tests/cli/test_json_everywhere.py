"""Every command can tell what it found, or did, as JSON; long ones say on a terminal how far."""

from __future__ import annotations

import argparse
import importlib
import io
import json
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.main import COMMANDS, main
from gateway.core.directory import folder_in
from gateway.samples import SAMPLES, sample_bytes
from gateway.spool import Spool
from tests.config.as2_folder import As2Folder
from tests.config.certificates import certificate, pem

WITHOUT = {"run", "demo"}
"""A daemon, whose log is JSON, and a show."""
GOOD = next(each for each in SAMPLES if each.expected_verdict == "accepted")
TABLE = (
    "siret,active,public,service_code_required,engagement_required,either_required,service_codes\n"
    + "".join(f"{number:014d},yes,no,0,0,0,\n" for number in range(2500))
)


def leaves(parser: argparse.ArgumentParser, name: str) -> Iterator[tuple[str, set[str]]]:
    """Each command, or action of one, with its options."""
    options = {word for action in parser._actions for word in action.option_strings}
    below = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    if not below or not below[0].required:
        yield name, options
    for each in below:
        for word, action in each.choices.items():
            yield from leaves(action, f"{name} {word}")


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - WITHOUT))
def test_every_command_has_it(command: str) -> None:
    """Each of its actions too."""
    parser = argparse.ArgumentParser()
    importlib.import_module(f"gateway.cli.{command.replace('-', '_')}").configure(parser)
    found = dict(leaves(parser, command))
    assert found
    assert [name for name, options in found.items() if "--json" not in options] == []


class Command:
    """Runs `edi-gateway …` in a sound configuration."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = As2Folder(root), capsys

    def __call__(self, *words: str | Path, code: int = 0) -> str:
        """What is on standard output."""
        assert main([*map(str, words)]) == code
        return self._capsys.readouterr().out

    def json(self, *words: str | Path, code: int = 0) -> dict[str, Any]:
        """The one object there, with this configuration."""
        said = self(*words, "--json", "--config", self.folder.file, code=code)
        (line,) = said.splitlines()
        found: dict[str, Any] = json.loads(line)
        return found


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(tmp_path, capsys)


def test_a_partner_that_is_added(command: Command) -> None:
    """Its file, whether it can send, and what comes next."""
    said = command.json("partner", "add", "zeta", "--flow", "ctc-fr-invoice")
    file = command.folder.root / "partners" / "zeta.toml"
    assert (said["partner"], said["file"], said["enabled"]) == ("zeta", str(file), False)
    assert file.exists()
    assert said["certificates"] == []
    assert any("edi-gateway reload" in step for step in said["next"])


def test_certificates_that_come_and_go(command: Command, tmp_path: Path) -> None:
    """Which file was written, what is there then, what was removed; ours with what to write."""
    command.folder.put("acme.pem", pem(certificate("acme", days=(-300, -1))))
    mail = tmp_path / "mail.pem"
    mail.write_bytes(pem(certificate("acme", days=(-3, 100))))
    said = command.json("cert", "import", mail, "--partner", "acme")
    assert said["owner"] == "acme"
    assert (tmp_path / "certificates" / said["file"]).exists()
    assert len(said["certificates"]) == 2
    assert command.json("cert", "import", mail, "--partner", "acme")["file"] is None

    words = ("cert", "rotate", "--partner", "acme")
    said = command.json(*words)
    assert (said["superseded"], said["no_longer_named"], said["removed"]) == (["acme.pem"], [], [])
    assert "--yes" in said["said"]
    said = command.json(*words, "--yes")
    removed = tmp_path / "certificates" / "acme.pem"
    assert (said["no_longer_named"], said["removed"]) == (["acme.pem"], [str(removed)])
    assert not removed.exists()
    assert command.json(*words)["superseded"] == []

    said = command.json("cert", "rotate", "--ours", "--new", "--from", "2031-01-31")
    assert (said["owner"], said["valid_from"]) == (None, "2031-01-31T00:00:00+00:00")
    assert said["identities"] == ["ours.pem", Path(said["file"]).name]
    assert Path(said["file"]).stat().st_mode & 0o777 == 0o600
    assert b"PRIVATE KEY" not in Path(said["public"]).read_bytes()
    assert said["encrypted"] is False


def test_where_a_payload_is(command: Command, tmp_path: Path) -> None:
    """Compared with its name, and told instead of written."""
    spool = Spool(tmp_path / "state" / "spool")
    spool.prepare()
    stored = spool.store([b"<a/>"])
    said = command.json("payload", stored.sha256)
    assert (said["sha256"], said["size"]) == (stored.sha256, 4)
    assert Path(said["file"]).read_bytes() == b"<a/>"


@pytest.mark.parametrize("to", ["json", "cii"])
def test_an_invoice_that_is_mapped(command: Command, tmp_path: Path, to: str) -> None:
    """The invoice, or the document, and every finding in the same object."""
    file = tmp_path / GOOD.file
    file.write_bytes(sample_bytes(GOOD.file))
    plain = command("map", file, "--to", to)
    said = json.loads(command("map", file, "--to", to, "--json"))
    assert (said["file"], said["to"]) == (str(file), to)
    if to == "json":
        assert said["document"] is None
        assert said["invoice"] == json.loads(plain)
    else:
        assert said["invoice"] is None
        assert said["document"] == plain
    assert all(each["severity"] != "error" for each in said["findings"])
    file.write_text("<no-invoice/>")
    said = json.loads(command("map", file, "--to", to, "--json", code=1))
    assert (said["invoice"], said["document"]) == (None, None)
    assert said["findings"][0]["severity"] == "error"


def test_a_request_to_begin_with(command: Command, tmp_path: Path) -> None:
    """`status-message` takes its own example in JSON as it does in TOML: the same message."""
    ids = []
    for name, more in (("request.toml", ()), ("request.json", ("--json",))):
        file = tmp_path / name
        file.write_text(command("status-message", "--example", "210", *more))
        said = json.loads(command("status-message", file, "--json"))
        assert said["outcome"] == "built"
        ids.append(said["id"])
    assert ids[0] == ids[1]


class Terminal(io.StringIO):
    """Somebody looks at it."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def test_a_long_import_says_how_far_it_is(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal, beside what is printed at the end; and the line is gone then."""
    table = tmp_path / "table.csv"
    table.write_text(TABLE)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    command("directory", "import", table, "--state-dir", tmp_path / "state")
    assert "\rrows read: 1,000\r" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r")
    assert len(list(folder_in(tmp_path / "state").iterdir())) == 1
    listed = command("directory", "list", "--state-dir", tmp_path / "state").splitlines()
    assert listed[0].split() == ["imported", "(UTC)", "sha256", "snapshot"]
    assert "in force" in listed[2]


@pytest.mark.parametrize("to_a_file", [True, False])
def test_a_long_judgement_says_how_far_it_is(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to_a_file: bool
) -> None:
    """`report` always; `validate` where its verdicts go to a file, for else they tell it."""
    archive = tmp_path / "batch.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("a.xml", "b.xml"):
            member = tarfile.TarInfo(name)
            member.size = len(b"<no-invoice/>")
            tar.addfile(member, io.BytesIO(b"<no-invoice/>"))
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: not to_a_file)
    command("validate", archive, "--json", code=1)
    assert ("documents judged: 1" in terminal.getvalue()) is to_a_file
    terminal.truncate(0)
    command("report", archive, "--into", tmp_path / "reports", code=1)
    assert "batch.tar.gz, documents judged: 1" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r")
