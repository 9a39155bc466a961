"""The systemd unit: what systemd's own tools say of it, and what it must not forget."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.config.settings import Settings
from gateway.service.activation import NAMES
from tests.confinement import Unit, calls_of

ROOT = Path(__file__).parents[1]
UNIT = ROOT / "systemd" / "edi-gateway.service"
SOCKETS = [ROOT / "systemd" / f"edi-gateway-{name}.socket" for name in NAMES]
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


def sockets_here(tmp_path: Path, old: str = "[Unit]", new: str = "[Unit]") -> list[Path]:
    """The socket units, beside the service they start."""
    here(tmp_path)
    files = []
    for socket in SOCKETS:
        text = socket.read_text(encoding="utf-8")
        assert old in text
        files.append(tmp_path / socket.name)
        files[-1].write_text(text.replace(old, new), encoding="utf-8")
    return files


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


def test_systemd_has_nothing_to_say_about_the_sockets(tmp_path: Path) -> None:
    """Of any of them, beside the service it starts."""
    assert [verified(socket) for socket in sockets_here(tmp_path)] == [""] * len(NAMES)
    told = [verified(socket) for socket in sockets_here(tmp_path, "Backlog=", "Backlogg=")]
    assert all("Backlogg" in each for each in told)


@pytest.mark.parametrize("name", NAMES)
def test_a_socket_is_named_as_the_gateway_knows_it_and_listens_where_the_settings_do(
    name: str,
) -> None:
    """Switching it on changes no address; nobody but its part takes it."""
    text = (ROOT / "systemd" / f"edi-gateway-{name}.socket").read_text(encoding="utf-8")
    said = dict(re.findall(r"^(\w+)=(.*)$", text, re.M))
    settings = getattr(Settings(), name)
    assert said["FileDescriptorName"] == name
    assert said["Service"] == UNIT.name
    assert said["ListenStream"] == f"{settings.listen}:{settings.port}"


def test_no_socket_unit_is_without_its_part() -> None:
    """Each is for a part that the gateway knows."""
    assert sorted(ROOT.glob("systemd/*.socket")) == sorted(SOCKETS)


def test_systemd_makes_the_folders(tmp_path: Path) -> None:
    """`systemd-tmpfiles` takes every line, and the state is for the gateway's user alone."""
    if os.geteuid() != 0:
        pytest.skip("systemd-tmpfiles gives folders to users as root only")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "passwd").write_text("edi-gateway:x:998:998::/:/usr/sbin/nologin\n")
    (tmp_path / "etc" / "group").write_text("edi-gateway:x:998:\n")
    done = subprocess.run(
        [
            *("systemd-tmpfiles", "--create", f"--root={tmp_path}"),
            str(ROOT / "systemd" / "edi-gateway.tmpfiles"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    state = (tmp_path / "var/lib/edi-gateway").stat()
    partners = (tmp_path / "etc/edi-gateway/partners").stat()
    assert (state.st_mode & 0o7777, state.st_uid, state.st_gid) == (0o700, 998, 998)
    assert (partners.st_mode & 0o7777, partners.st_uid, partners.st_gid) == (0o750, 0, 998)


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
