"""`user` and `audit` while no gateway runs; a password never leaves as such."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.service.console import passwords
from gateway.service.journal import open_reader
from gateway.service.journal.user_records import UserRow, all_users
from tests.state_directory import StateDirectory

PASSWORD = "nine grey rivers by night"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory nobody runs on."""
    made = StateDirectory(tmp_path / "state")
    made.close()
    return made.path


@pytest.fixture
def password(tmp_path: Path) -> Path:
    """A file with a password, ended as editors end lines."""
    file = tmp_path / "password"
    file.write_bytes(f"{PASSWORD}\r\nnot this line\n".encode())
    return file


def users(state: Path) -> list[UserRow]:
    """Who may log in."""
    with open_reader(state / "journal.sqlite").connect() as conn:
        return all_users(conn)


def run(state: Path, *words: str) -> int:
    """What a command ends with."""
    return main([*words, "--state-dir", str(state)])


def test_the_first_administrator(
    state: Path, password: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Made from a file; only a hash is kept, and the audit knows who made whom."""
    assert run(state, "user", "list") == 0
    assert "edi-gateway user add NAME --role administrator" in capsys.readouterr().out
    made = ("user", "add", "ada", "--role", "administrator", "--password-file", str(password))
    assert run(state, *made) == 0
    (row,) = users(state)
    assert (row.name, row.role, row.partner) == ("ada", "administrator", "")
    assert passwords.matches(row.password_hash, PASSWORD)
    journal = (state / "journal.sqlite").read_bytes()
    assert PASSWORD.encode() not in journal
    capsys.readouterr()
    assert run(state, "audit", "--json") == 0
    deed = json.loads(capsys.readouterr().out)
    assert (deed["action"], deed["via"], deed["outcome"]) == ("user.add", "direct", "done")
    assert deed["subject"] == "name ada, role administrator"
    assert "argon2" not in json.dumps(deed)
    assert run(state, "audit") == 0
    assert "user.add" in capsys.readouterr().out


def test_another_password_and_out(
    state: Path,
    password: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Changed from standard input; removed; then nobody of that name is there."""
    assert run(state, "user", "add", "ada", "--password-file", str(password)) == 0
    stdin = io.TextIOWrapper(io.BytesIO("dix fenêtres sans lumière\n".encode()))
    monkeypatch.setattr("sys.stdin", stdin)
    assert run(state, "user", "password", "ada", "--password-file", "-") == 0
    (row,) = users(state)
    assert passwords.matches(row.password_hash, "dix fenêtres sans lumière")
    assert row.role == "viewer"
    assert run(state, "user", "list", "--json") == 0
    shown = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (shown["name"], shown["role"], shown["partner"]) == ("ada", "viewer", None)
    assert "hash" not in " ".join(shown)
    assert run(state, "user", "remove", "ada") == 0
    assert users(state) == []
    assert run(state, "user", "remove", "ada") == 3
    assert 'There is no user "ada".' in capsys.readouterr().err


def test_what_is_refused(
    state: Path, password: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A weak password, a name twice, an administrator of a partner's own, a name that is none."""
    weak = tmp_path / "weak"
    weak.write_text("short\n")
    assert run(state, "user", "add", "ada", "--password-file", str(weak)) == 2
    assert "at least 12" in capsys.readouterr().err
    assert run(state, "user", "add", "ada", "--password-file", str(tmp_path / "none")) == 2
    file = ("--password-file", str(password))
    own = ("--role", "administrator", "--partner", "acme")
    assert run(state, "user", "add", "ada", *own, *file) == 3
    assert run(state, "user", "add", "ada", *file) == 0
    assert run(state, "user", "add", "ada", *file) == 3
    assert "already" in capsys.readouterr().err
    assert [row.name for row in users(state)] == ["ada"]


def test_a_password_is_never_an_argument(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """There is no option for it, and without a terminal nobody is asked."""
    with pytest.raises(SystemExit):
        run(state, "user", "add", "ada", "--password", PASSWORD)
    assert run(state, "user", "add", "ada") == 2
    assert "--password-file" in capsys.readouterr().err


def test_another_role_and_logged_out(
    state: Path, password: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last administrator stays one, as in the console; with no gateway nobody is logged in."""
    file = ("--password-file", str(password))
    assert run(state, "user", "add", "ada", "--role", "administrator", *file) == 0
    assert run(state, "user", "add", "bob", *file) == 0
    assert run(state, "user", "role", "ada", "viewer") == 3
    assert '"ada" is the last administrator.' in capsys.readouterr().err
    assert run(state, "user", "remove", "ada") == 3
    assert run(state, "user", "role", "bob", "administrator") == 0
    assert "bob is administrator now" in capsys.readouterr().out
    assert run(state, "user", "role", "ada", "operator") == 0
    assert [(row.name, row.role) for row in users(state)] == [
        ("ada", "operator"),
        ("bob", "administrator"),
    ]
    capsys.readouterr()
    assert run(state, "user", "logout", "ada", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"ok": True, "name": "ada", "sessions": 0}
    assert run(state, "user", "logout", "eve") == 3
    with pytest.raises(SystemExit):
        run(state, "user", "role", "ada", "king")
