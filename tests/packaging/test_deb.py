"""`make deb`: the package, installed, upgraded, removed and purged by Debian's own dpkg."""

from __future__ import annotations

import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packaging.machine import ENVIRONMENT, SETTINGS, Machine

STATE = "/var/lib/edi-gateway"
USER = "edi-gateway"

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A place to install it."""
    made = Machine(tmp_path)
    try:
        yield made
    finally:
        if made.root == Path("/"):
            made.run("dpkg", "--purge", "edi-gateway")
            shutil.rmtree(STATE, ignore_errors=True)
        made.close()


def served(machine: Machine) -> None:
    """Run the gateway as the unit does until it is ready, and stop it in order."""
    process = subprocess.Popen(
        machine.command("/usr/bin/edi-gateway", "run", "--config", SETTINGS, user=USER),
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        env=ENVIRONMENT,
    )
    deadline = threading.Timer(120, process.kill)
    deadline.start()
    try:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if '"event": "ready"' in line:
                process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, "".join(said)
    finally:
        deadline.cancel()
        process.kill()


def owner(path: Path) -> tuple[int, int, int]:
    """Mode, user and group."""
    status = path.stat()
    return status.st_mode & 0o7777, status.st_uid, status.st_gid


def ids_of(machine: Machine) -> tuple[int, int]:
    """User and group of the gateway there."""
    user, group = machine.done("id", "-u", USER), machine.done("id", "-g", USER)
    return int(user), int(group)


def test_a_package_lives_its_whole_life(machine: Machine, package: Path, newer: Path) -> None:
    """Installed, run, upgraded, removed, purged: what is the administrator's stays to the end."""
    first, second = machine.bring(package), machine.bring(newer)

    said = machine.done("dpkg", "-i", first)
    assert "systemctl enable --now edi-gateway" in said
    assert machine.done("edi-gateway", "--version").startswith("edi-gateway ")
    user, group = ids_of(machine)
    assert owner(machine.path(STATE)) == (0o700, user, group)
    assert owner(machine.path("/etc/edi-gateway/partners")) == (0o750, 0, group)
    assert owner(machine.path(SETTINGS)) == (0o644, 0, 0)
    listed = machine.done("edi-gateway", "rules", user=USER)
    assert "en16931-cii" in listed
    assert "not imported" not in listed

    changed = machine.path(SETTINGS).read_text().replace("\nport = 2222\n", "\nport = 0\n")
    machine.path(SETTINGS).write_text(changed)
    checked = machine.run("edi-gateway", "check", user=USER)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    served(machine)
    assert machine.path(f"{STATE}/journal.sqlite").exists()

    # As unattended upgrades do: asked about a file both changed, keep the administrator's.
    machine.done("dpkg", "--force-confdef", "-i", second)
    assert machine.path(SETTINGS).read_text() == changed
    assert "says more here" in machine.path(f"{SETTINGS}.dpkg-dist").read_text()
    served(machine)

    machine.path("/etc/edi-gateway/partners/acme.toml").write_text("# a partner\n")
    machine.path("/opt/edi-gateway/share/imported").write_text("rule packs of the administrator\n")
    machine.done("dpkg", "-r", "edi-gateway")
    assert not machine.path("/usr/bin/edi-gateway").is_symlink()
    assert not machine.path("/lib/systemd/system/edi-gateway.service").exists()
    assert machine.path(SETTINGS).read_text() == changed
    assert machine.path("/etc/edi-gateway/partners/acme.toml").exists()
    assert machine.path(f"{STATE}/journal.sqlite").exists()

    postrm = machine.path("/root/postrm")
    postrm.write_bytes(machine.path("/var/lib/dpkg/info/edi-gateway.postrm").read_bytes())
    said = machine.done("dpkg", "-P", "edi-gateway")
    assert f"stay in {STATE}" in said
    assert not machine.path("/etc/edi-gateway").exists()
    assert not machine.path("/opt/edi-gateway").exists()
    assert machine.path(f"{STATE}/journal.sqlite").exists()
    assert ids_of(machine) == (user, group)
    assert "edi-gateway" not in machine.done("dpkg-query", "-W", "-f", "${Package}\n")

    shutil.rmtree(machine.path(STATE))
    machine.path(STATE).mkdir()
    assert machine.done("sh", "/root/postrm", "purge") == ""
    assert not machine.path(STATE).exists()
    postrm.unlink()


def test_it_carries_all_it_needs_and_nothing_of_where_it_was_built(package: Path) -> None:
    """Its own libraries, units, users and folders; settings that upgrades keep; a manual page."""
    listed = subprocess.run(
        ["dpkg-deb", "-c", package], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    files = {line.split(" ./", 1)[1] for line in listed.splitlines()[1:]}
    owners = {line.split()[1] for line in listed.splitlines()}
    assert owners == {"root/root"}
    assert {
        "etc/edi-gateway/gateway.toml",
        "lib/systemd/system/edi-gateway.service",
        "lib/systemd/system/edi-gateway-sftp.socket",
        "usr/bin/edi-gateway -> /opt/edi-gateway/bin/edi-gateway",
        "opt/edi-gateway/bin/python3 -> /usr/bin/python3",
        "usr/lib/sysusers.d/edi-gateway.conf",
        "usr/lib/tmpfiles.d/edi-gateway.conf",
        "usr/share/man/man1/edi-gateway.1.gz",
    } <= files
    assert not [name for name in files if "/pip/" in name or "direct_url.json" in name]
    kept = subprocess.run(
        ["dpkg-deb", "-I", package, "conffiles"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    assert kept.split() == [SETTINGS]


def test_lintian_has_nothing_to_say_of_it(package: Path) -> None:
    """But for what packaging/deb/lintian-overrides gives a reason for."""
    if shutil.which("lintian") is None:
        pytest.skip("lintian is not installed: apt-get install lintian")
    done = subprocess.run(
        ["lintian", "--fail-on", "error,warning", "--tag-display-limit", "0", str(package)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout
