"""`edi-gateway doctor --report`: all that is asked for, from whatever still works; no secret."""

from __future__ import annotations

import json
import os
import socket
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import doctor_facts, doctor_report
from gateway.cli.main import main
from gateway.config.credentials import hash_password
from gateway.config.settings import Settings

SECRETS = ("hunter2-broker", "hunter2-partner", "hunter2-hook", "hunter2-token")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with secrets wherever there may be some, and no journal yet."""
    for name, secret in (("broker", SECRETS[0]), ("token", SECRETS[3])):
        file = tmp_path / name
        file.write_text(secret)
        file.chmod(0o600)
    partners = tmp_path / "partners"
    partners.mkdir()
    (partners / "acme.toml").write_text(
        'name = "acme"\nlanguage = "fr"\nflows = ["en16931-invoice"]\n[sftp]\n'
        f'password_hash = "{hash_password(SECRETS[1])}"\n'
    )
    settings = tmp_path / "gateway.toml"
    settings.write_text(
        '[paths]\nstate = "state"\npartners = "partners"\n'
        f'[rabbitmq]\nhost = "127.0.0.1"\npassword_file = "{tmp_path}/broker"\n'
        f'[alerts.webhook]\nurl = "https://hooks.example.org/{SECRETS[2]}"\n'
        f'token_file = "{tmp_path}/token"\n'
    )
    return settings


def contents(report: Path) -> dict[str, bytes]:
    """Every file of a report, by its name; all lie in one folder."""
    found = {}
    with tarfile.open(report) as archive:
        for entry in archive:
            file = archive.extractfile(entry)
            assert file is not None
            folder, _, name = entry.name.partition("/")
            assert folder == doctor_report.FOLDER
            found[name] = file.read()
    return found


def test_a_report_where_there_is_no_journal(
    config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What cannot be asked says why; the rest is there. Nobody else may read it."""
    parts = {k: v for k, v in doctor_report.OF_CONFIGURATION.items() if k != "check.jsonl"}
    monkeypatch.setattr(doctor_report, "OF_CONFIGURATION", parts)
    report = tmp_path / "report.tar.gz"
    words = ["doctor", "--report", str(report), "--config", str(config)]
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["report"] == str(report)
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    found = contents(report)
    assert set(found) == {
        *("facts.json", "settings.json", "commands.json"),
        *doctor_report.OF_STATE,
        *parts,
    }
    (partner,) = map(json.loads, found["partners.jsonl"].splitlines())
    assert partner["name"] == "acme"
    commands = {each["file"]: each for each in json.loads(found["commands.json"])}
    assert commands["status.json"]["exit_code"] == 3
    assert "There is no journal" in commands["status.json"]["complaints"]
    assert commands["rules.jsonl"] == commands["rules.jsonl"] | {"exit_code": 0, "in_time": True}
    whole = b"".join(found.values())
    for secret in (*SECRETS, "$2b$"):
        assert secret.encode() not in whole, secret
    assert json.loads(found["settings.json"])["alerts"]["webhook"]["url"] == "hooks.example.org"

    assert main(words) == 2  # it is there already: a report is never written over
    assert "not there yet" in capsys.readouterr().err


def test_a_part_that_takes_too_long_keeps_nothing_else_back(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named, and the report goes on."""
    monkeypatch.setattr(doctor_report, "OF_STATE", {"status.json": ("status", "--json")})
    monkeypatch.setattr(doctor_report, "OF_CONFIGURATION", {})
    monkeypatch.setattr(doctor_report, "SECONDS", 0.01)
    parts = doctor_report.write(
        tmp_path / "r.tar.gz",
        tmp_path,
        Settings(),
        config=(),
        of_state=("--state-dir", str(tmp_path)),
        said=lambda *_: None,
    )
    assert [(part.file, part.code) for part in parts] == [("status.json", None)]
    (told,) = json.loads(contents(tmp_path / "r.tar.gz")["commands.json"])
    assert told["in_time"] is False


def test_settings_that_cannot_be_read_need_the_state_directory(
    config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Then everything else is told all the same."""
    monkeypatch.setattr(doctor_report, "OF_STATE", {})
    monkeypatch.setattr(doctor_report, "OF_CONFIGURATION", {})
    config.write_text("[nonsense]\n")
    report = tmp_path / "report.tar.gz"
    words = ["doctor", "--report", str(report), "--config", str(config)]
    assert main(words) == 2
    assert "--state-dir" in capsys.readouterr().err
    assert not report.exists()
    assert main([*words, "--state-dir", str(tmp_path)]) == 0
    assert set(contents(report)) == {"facts.json", "commands.json"}


def test_facts_tell_of_machine_versions_and_processes(tmp_path: Path) -> None:
    """Who listens on the control socket is the daemon; here that is this test."""
    before: dict[str, Any] = doctor_facts.facts(tmp_path)
    assert before["processes"] == []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "control.sock"))
        listener.listen(1)
        found = doctor_facts.facts(tmp_path)
    json.dumps(found)
    first = found["processes"][0]
    assert first["pid"] == os.getpid()
    assert first["memory_mb"] > 10
    assert first["threads"] >= 1
    assert first["files"] > 2
    assert 0 <= first["seconds"] < found["machine"]["up_seconds"] + 1
    assert found["versions"]["libraries"].keys() >= {"twisted", "paramiko", "saxonche", "pika"}
    assert found["machine"]["memory_available_mb"] <= found["machine"]["memory_mb"]
    assert found["state"]["folder"] == str(tmp_path)
    assert found["state"]["file_system"]
    assert found["state"]["free_mb"] <= found["state"]["size_mb"]


def test_what_a_part_says_is_bounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A thousand partners are no reason for a report that cannot be mailed."""
    monkeypatch.setattr(doctor_report, "MOST_BYTES", 10)
    monkeypatch.setattr(doctor_report, "OF_STATE", {})
    monkeypatch.setattr(doctor_report, "OF_CONFIGURATION", {"rules.jsonl": ("rules", "--json")})
    (part,) = doctor_report.write(
        tmp_path / "r.tar.gz", tmp_path, None, config=(), of_state=(), said=lambda *_: None
    )
    assert len(part.content) == 10
    assert contents(tmp_path / "r.tar.gz")["rules.jsonl"] == part.content
