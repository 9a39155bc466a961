"""Which Python `make` makes its environment with: scripts/make-venv among made-up ones."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "scripts" / "make-venv"


class Machine:
    """A PATH of made-up programs, and what they were asked for."""

    def __init__(self, folder: Path) -> None:
        self.venv = folder / "venv"
        self._asked = folder / "asked"
        self._asked.touch()
        self._bin = folder / "bin"
        self._bin.mkdir()
        self._installed = folder / "installed"
        self.debians = folder / "debian-python3"
        (self._bin / "rm").symlink_to("/bin/rm")

    def program(self, name: str, *lines: str) -> Path:
        """One on the PATH."""
        return self._write(self._bin / name, *lines)

    def python(self, at: Path | str, *, new: bool = True, ensurepip: bool = True) -> Path:
        """One that answers what the script asks; without ensurepip until apt-get brought it."""
        path = self._bin / at
        has = "exit 0" if ensurepip else f"[ -e {self._installed} ]; exit $?"
        return self._write(
            path,
            'case "$*" in',
            f"*version_info*) exit {0 if new else 1};;",
            f"*ensurepip*) {has};;",
            "--version) echo Python 3.9.2;;",
            f'*venv*) echo "$0 $*" >> {self._asked};;',
            "esac",
        )

    def user(self, number: int, *, apt: bool | None) -> None:
        """Who runs it, and whether there is an apt-get, and packages for it."""
        self.program("id", f"echo {number}")
        if apt is not None:
            self.program("apt-get", f": > {self._installed}" if apt else "exit 100")

    def make(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the script."""
        return subprocess.run(
            ["/bin/sh", SCRIPT, self.venv],
            env={
                "PATH": os.fspath(self._bin),
                "DEBIANS_PYTHON": os.fspath(self.debians),
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )

    def used(self) -> list[str]:
        """The Pythons that were asked for an environment."""
        lines = self._asked.read_text().splitlines()
        assert all(line.endswith(f" -m venv {self.venv}") for line in lines)
        return [line.split(" ")[0] for line in lines]

    @staticmethod
    def _write(path: Path, *lines: str) -> Path:
        path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
        path.chmod(0o755)
        return path


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """With nothing on it but a shell, of an ordinary user."""
    made = Machine(tmp_path)
    made.user(1000, apt=None)
    return made


def test_debians_own_before_another(machine: Machine) -> None:
    """What runs in production, though another comes first on the PATH."""
    machine.python("python3")
    debians = machine.python(machine.debians)
    assert machine.make().returncode == 0
    assert machine.used() == [str(debians)]


def test_the_one_that_was_asked_for(machine: Machine, tmp_path: Path) -> None:
    """`make PYTHON=…` has the last word."""
    machine.python(machine.debians)
    mine = machine.python(tmp_path / "mine")
    assert machine.make(PYTHON=str(mine)).returncode == 0
    assert machine.used() == [str(mine)]


@pytest.mark.parametrize("there", [False, True])
def test_another_where_debians_is_none_or_too_old(machine: Machine, there: bool) -> None:
    """Debian 11 has 3.9."""
    other = machine.python("python3")
    if there:
        machine.python(machine.debians, new=False)
    assert machine.make().returncode == 0
    assert machine.used() == [str(other)]


def test_root_installs_what_debians_lacks(machine: Machine) -> None:
    """A fresh Debian 12 has no python3-venv."""
    machine.user(0, apt=True)
    machine.python("python3")
    debians = machine.python(machine.debians, ensurepip=False)
    made = machine.make()
    assert made.returncode == 0
    assert made.stderr.startswith("Installing Debian's python3-venv")
    assert machine.used() == [str(debians)]


@pytest.mark.parametrize(("user", "apt"), [(1000, True), (0, False), (0, None)])
def test_another_where_nothing_can_be_installed(
    machine: Machine, user: int, apt: bool | None
) -> None:
    """Neither an ordinary user nor a mirror that cannot be reached is in the way."""
    machine.user(user, apt=apt)
    other = machine.python("python3")
    machine.python(machine.debians, ensurepip=False)
    assert machine.make().returncode == 0
    assert machine.used() == [str(other)]


def test_what_to_do_when_there_is_none(machine: Machine) -> None:
    """No Python, one that is too old, one that makes no environments: each says what to install."""
    none = machine.make()
    assert none.returncode == 1
    assert "'python3' is not on this machine" in none.stderr
    assert "apt-get install python3 python3-venv" in none.stderr
    machine.python("python3", new=False)
    assert "this is Python 3.9.2." in machine.make().stderr
    machine.python("python3", ensurepip=False)
    assert "no ensurepip" in machine.make().stderr
    assert machine.used() == []


def test_an_environment_that_is_there_stays(machine: Machine) -> None:
    """Whatever it was made with."""
    (machine.venv / "bin").mkdir(parents=True)
    machine.python(machine.venv / "bin" / "python")
    machine.python(machine.debians)
    assert machine.make().returncode == 0
    assert machine.used() == []
