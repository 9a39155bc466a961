"""The command itself: what it says of itself, and where the demo sends people next."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli import demo
from gateway.cli.main import COMMANDS, main


def test_help_is_written_for_who_runs_it(capsys: pytest.CaptureFixture[str]) -> None:
    """What the program is for, every command, and the exit codes."""
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "Receives electronic invoices" in text
    assert all(words in text for words in COMMANDS.values())
    assert "Exit codes: 0 done or accepted; 1 rejected" in text


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` names the program, for bug reports."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("edi-gateway ")


def test_the_demo_proposes_commands_that_work_where_it_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make demo` runs out of .venv, which is not on the PATH: then the whole path is shown."""
    monkeypatch.setattr(shutil, "which", lambda _: None)
    words = demo.what_next(tmp_path, "sftp …", kept=True)
    line = next(line for line in words.splitlines() if "what is going on" in line)
    command = line.split("what is going on")[1].split(" status ")[0].strip()
    said = subprocess.run([*command.split(), "--version"], capture_output=True, check=True)
    assert said.stdout.startswith(b"edi-gateway ")
    assert Path(sys.executable).parent.name in command

    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/edi-gateway")
    assert " edi-gateway status " in demo.what_next(tmp_path, "sftp …", kept=True)


@pytest.mark.parametrize(("kept", "word"), [(True, "stays"), (False, "is removed")])
def test_the_demo_says_what_becomes_of_its_folder(tmp_path: Path, kept: bool, word: str) -> None:
    """A directory of the user's own stays; a temporary one goes."""
    assert f"{tmp_path} {word}" in demo.what_next(tmp_path, "sftp …", kept=kept)
