"""Of the AS2 implementations we are tested against, one that is not there is a failure."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.interop import hub

ROOT = Path(__file__).parents[1]
SCRIPT = Path("scripts/install-interop-tools")
REAL = [
    *("cat", "cksum", "cp", "diff", "dirname", "mkdir", "rm", "sha256sum", "sort", "tail"),
    *("timeout", "tr"),
]
"""What a bare Debian has, and the script uses."""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The script and what it reads, on a machine of which the tests choose the commands."""
    for name in ("libas2", "openas2"):
        shutil.copytree(ROOT / "tests" / "interop" / name, tmp_path / "tests" / "interop" / name)
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / SCRIPT, tmp_path / SCRIPT)
    (tmp_path / "bin").mkdir()
    for name in REAL:
        found = shutil.which(name)
        assert found is not None
        (tmp_path / "bin" / name).symlink_to(found)
    command(tmp_path, "id", "echo 1000")
    command(tmp_path, "sleep", ":")
    for name in ("java", "keytool", "node", "openssl"):
        command(tmp_path, name, ":")
    monkeypatch.setattr(hub, "TOOLS", tmp_path / ".interop")
    return tmp_path


def command(checkout: Path, name: str, does: str) -> None:
    """Put a command of our own on that machine."""
    file = checkout / "bin" / name
    file.write_text(f"#!/bin/sh\n{does}\n")
    file.chmod(0o755)


def install(checkout: Path) -> str:
    """Run it: all it said. It ends well, so that what could be had is tested."""
    done = subprocess.run(
        ["/bin/sh", checkout / SCRIPT],
        env={"PATH": str(checkout / "bin")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_a_missing_command_fails_its_peer_only(checkout: Path) -> None:
    """Which is missing, why, and what to do; the other peer is there."""
    command(checkout, "npm", ":")
    said = install(checkout)
    assert "openas2 cannot be run here:\nNot on this machine: mvn.\n" in said
    assert "apt-get install --no-install-recommends maven" in said
    with pytest.raises(pytest.fail.Exception, match=r"openas2 cannot .*: mvn\.\nAs root: apt-get"):
        hub.insist_on("openas2")
    hub.insist_on("libas2")


def test_a_download_is_tried_three_times(checkout: Path) -> None:
    """A network that comes back is in time; one that does not is the reason of the failure."""
    command(checkout, "mvn", "echo the network is down; exit 1")
    command(checkout, "npm", 'echo x >>../tries; [ "$(cat ../tries | tr -d "\\n")" = xxx ]')
    said = install(checkout)
    assert "openas2 cannot be run here:\nthe network is down\nAgain in 5 seconds." in said
    with pytest.raises(pytest.fail.Exception, match="the network is down"):
        hub.insist_on("openas2")
    hub.insist_on("libas2")
    assert (checkout / ".interop" / "tries").read_text() == "x\nx\nx\n"


def test_other_jars_are_refused(checkout: Path) -> None:
    """What Maven brought must be, to the byte, what we tested with."""
    command(checkout, "npm", ":")
    command(checkout, "mvn", "mkdir -p lib; echo tampered >lib/openas2-server-2.10.1.jar")
    said = install(checkout)
    assert "These are not the jars of tests/interop/openas2/jars.sha256." in said
    with pytest.raises(pytest.fail.Exception, match="not the jars"):
        hub.insist_on("openas2")


def test_what_is_there_is_not_fetched_again(checkout: Path) -> None:
    """Until it is pinned anew, or what it runs on is gone."""
    command(checkout, "npm", "echo >>../fetched")
    install(checkout)
    assert "Fetching libas2" not in install(checkout)
    pin = checkout / "tests" / "interop" / "libas2" / "package.json"
    pin.write_text(pin.read_text() + "\n")
    assert "Fetching libas2" in install(checkout)
    (checkout / "bin" / "node").unlink()
    assert "libas2 cannot be run here:\nNot on this machine: node." in install(checkout)
    with pytest.raises(pytest.fail.Exception, match="nodejs"):
        hub.insist_on("libas2")


def test_never_installed_is_a_failure(checkout: Path) -> None:
    """Whoever starts the tests by themselves hears what to do."""
    with pytest.raises(pytest.fail.Exception, match=r"never installed.*\n`make interop` installs"):
        hub.insist_on("openas2")
