"""The systemd unit: what systemd's own tools say of it, and what it must not forget."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.confinement import Unit, calls_of

ROOT = Path(__file__).parents[1]
UNIT = ROOT / "systemd" / "edi-gateway.service"
MOST_EXPOSED = 2.0
"""Of 10, which is a service that nothing holds back."""


def analyze(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """What `systemd-analyze` says."""
    if shutil.which("systemd-analyze") is None:
        pytest.fail(
            "systemd-analyze is not installed: run `make test`, which installs Debian's package,"
            " or `apt-get install systemd` as root."
        )
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def exposure(unit: Path) -> float:
    """How exposed the service is, by systemd's own count: from 0 to 10."""
    done = analyze("security", "--offline=true", unit)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found, done
    return float(found[1])


def changed(tmp_path: Path, old: str, new: str) -> Path:
    """The unit with another text in it."""
    text = UNIT.read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / UNIT.name
    file.write_text(text.replace(old, new), encoding="utf-8")
    return file


def verified(unit: Path) -> str:
    """What `systemd-analyze verify` has to say."""
    done = analyze("verify", unit)
    return done.stdout + done.stderr + (f"exit code {done.returncode}" if done.returncode else "")


def here(tmp_path: Path, old: str = "[Unit]", new: str = "[Unit]") -> Path:
    """The unit, with the program where it is on this machine."""
    file = changed(tmp_path, old, new)
    program = Path(sys.executable).with_name("edi-gateway")
    assert program.exists()
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("/opt/edi-gateway/bin/edi-gateway", str(program)))
    return file


def test_the_service_is_hardly_exposed() -> None:
    """By the count of `systemd-analyze security`, as operators see it."""
    assert exposure(UNIT) <= MOST_EXPOSED


def test_the_guide_says_how_much() -> None:
    """docs/installation.md has the figure, for the systemd of Debian 12; others count otherwise."""
    text = (ROOT / "docs" / "installation.md").read_text(encoding="utf-8")
    found = re.search(r"counts ([\d.]+) of 10 \(by systemd (\d+)", text)
    assert found
    figure, version = float(found[1]), found[2]
    if f"systemd {version} " in analyze("--version").stdout:
        assert exposure(UNIT) == figure
    else:
        assert figure <= MOST_EXPOSED


def test_the_count_sees_what_is_taken_away(tmp_path: Path) -> None:
    """Without its system calls and capabilities held back, the service is exposed."""
    assert exposure(changed(tmp_path, "SystemCallFilter=", "# ")) > MOST_EXPOSED


def test_systemd_has_nothing_to_say_about_the_unit(tmp_path: Path) -> None:
    """No unknown directive, no value that is ignored."""
    assert verified(here(tmp_path)) == ""


def test_systemd_would_say_it(tmp_path: Path) -> None:
    """A directive that is misspelt is noticed, and so is a value that makes no sense."""
    assert "ProtectSytem" in verified(here(tmp_path, "ProtectSystem=", "ProtectSytem="))
    assert "OOM policy, ignoring: shrug" in verified(here(tmp_path, "=continue", "=shrug"))


def test_a_judge_that_is_ended_for_its_memory_does_not_end_the_service() -> None:
    """`worker_setup` has the system take a judge first; systemd must not stop the rest then."""
    assert Unit.read(UNIT).one("OOMPolicy") == "continue"


def test_sqlite_keeps_nothing_in_tmp() -> None:
    """What a statement may have to undo lies in the state directory, or a full /tmp stops us."""
    unit = Unit.read(UNIT)
    assert unit.one("Environment") == f"SQLITE_TMPDIR=/var/lib/{unit.one('StateDirectory')}"


def test_what_is_allowed_is_read_as_systemd_reads_it() -> None:
    """Sets in sets, lines one after the other, what every program needs."""
    allowed = Unit.read(UNIT).allowed_calls()
    assert {"execve", "read", "openat", "fsync", "sendto", "clone", "mmap"} <= allowed
    forbidden = {"ptrace", "mount", "bpf", "chown", "setuid", "reboot", "keyctl", "io_uring_setup"}
    assert not allowed & (forbidden | calls_of("@resources") | calls_of("@privileged"))
