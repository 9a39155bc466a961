"""What the package's scripts stop and start, in the order dpkg calls them.

The scripts are the package's own, on another /run and with a systemd that only keeps a list.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "packaging" / "deb"
SERVICE = "edi-gateway.service"
SFTP = "edi-gateway-sftp.socket"

# `states` has a folder for each unit that is there: its file `state` says how it stands.
_SYSTEMCTL = """#!/bin/sh
[ "$1" = show ] || exit 0
for unit; do :; done
cat "$STATES/$unit" 2>/dev/null || echo inactive
"""
# As Debian's: `start` leaves out what is not enabled, and nothing is here.
_INVOKE = """#!/bin/sh
[ "$1" != start ] || exit 0
echo "$1 $2" >>"$SAID"
[ "$1" != stop ] || echo inactive >"$STATES/$2"
[ "$1" != reload-or-restart ] || echo active >"$STATES/$2"
[ "$2" != "$FAILS" ] || exit 1
"""
_NOTHING = "#!/bin/sh\n"


class Dpkg:
    """Calls the scripts, on a machine with these units in these states."""

    def __init__(self, folder: Path) -> None:
        self._run = folder / "run"
        self._states = folder / "states"
        self._said = folder / "said"
        self._programs = folder / "bin"
        for each in (self._run / "systemd" / "system", self._states, self._programs):
            each.mkdir(parents=True)
        for name, text in {
            "systemctl": _SYSTEMCTL,
            "deb-systemd-invoke": _INVOKE,
            "systemd-sysusers": _NOTHING,
            "systemd-tmpfiles": _NOTHING,
        }.items():
            self.replace(name, text)

    def replace(self, program: str, text: str) -> None:
        """Another program of that name."""
        (self._programs / program).write_text(text)
        (self._programs / program).chmod(0o755)

    def stand(self, **states: str) -> None:
        """These units stand like this: by the words between `edi-gateway` and the dot."""
        for name, state in states.items():
            unit = SERVICE if name == "service" else f"edi-gateway-{name}.socket"
            (self._states / unit).write_text(f"{state}\n")

    def call(self, script: str, *words: str, fails: str = "") -> list[str]:
        """What it had systemd do. `fails`: the unit that cannot be stopped or started."""
        text = (SCRIPTS / script).read_text().replace("/run/", f"{self._run}/")
        self._said.write_text("")
        subprocess.run(
            ["/bin/sh", "-c", text, script, *words],
            env={
                "PATH": f"{self._programs}:{os.environ['PATH']}",
                "STATES": str(self._states),
                "SAID": str(self._said),
                "FAILS": fails,
            },
            check=True,
            capture_output=True,
            timeout=60,
        )
        return self._said.read_text().splitlines()

    def upgrade(self) -> list[str]:
        """The whole of one that goes well."""
        said = self.call("prerm", "upgrade", "2")
        said += self.call("postrm", "upgrade", "2")
        return said + self.call("postinst", "configure", "1")

    @property
    def noted(self) -> bool:
        """Whether anything is kept for later."""
        return (self._run / "edi-gateway.upgrade").exists()


@pytest.fixture
def dpkg(tmp_path: Path) -> Dpkg:
    """Nothing runs yet."""
    return Dpkg(tmp_path)


STOPPED = [f"stop {SFTP}", f"stop {SERVICE}"]
STARTED = [f"reload-or-restart {SFTP}", f"reload-or-restart {SERVICE}"]


def test_what_ran_runs_again_after_an_upgrade(dpkg: Dpkg) -> None:
    """The sockets first, both ways; a second upgrade finds it as it was."""
    dpkg.stand(sftp="active", service="active")
    assert dpkg.upgrade() == STOPPED + STARTED
    assert not dpkg.noted
    assert dpkg.upgrade() == STOPPED + STARTED


@pytest.mark.parametrize("state", ["inactive", "failed"])
def test_what_did_not_run_is_not_started(dpkg: Dpkg, state: str) -> None:
    """Nor stopped."""
    dpkg.stand(service=state)
    assert dpkg.upgrade() == []


def test_what_is_starting_is_stopped_before_its_files_change(dpkg: Dpkg) -> None:
    """It brings a large journal up to date, or systemd is about to try once more."""
    dpkg.stand(service="activating")
    assert dpkg.upgrade() == [f"stop {SERVICE}", f"reload-or-restart {SERVICE}"]


def test_what_somebody_is_stopping_is_waited_for_and_stays_stopped(dpkg: Dpkg) -> None:
    """Its workers go on until then."""
    dpkg.stand(service="deactivating")
    assert dpkg.upgrade() == [f"stop {SERVICE}"]


@pytest.mark.parametrize(
    ("begun", "given_up"),
    [
        ("upgrade", "abort-upgrade"),
        ("remove", "abort-remove"),
        ("deconfigure", "abort-deconfigure"),
    ],
)
def test_what_dpkg_gives_up_leaves_the_gateway_running(
    dpkg: Dpkg, begun: str, given_up: str
) -> None:
    """A disk that is full, say: the package is the one it was, and partners are served again."""
    dpkg.stand(sftp="active", service="active")
    assert dpkg.call("prerm", begun, "2") == STOPPED
    assert dpkg.call("postinst", given_up, "2") == STARTED
    assert not dpkg.noted


def test_an_upgrade_that_broke_off_is_made_good_by_the_next(dpkg: Dpkg) -> None:
    """The machine lost it between stopping and starting: the next try still knows what ran."""
    dpkg.stand(sftp="active", service="active")
    assert dpkg.call("prerm", "upgrade", "2") == STOPPED
    assert dpkg.upgrade() == STARTED
    assert not dpkg.noted


def test_a_start_that_fails_leaves_the_package_installed(dpkg: Dpkg) -> None:
    """And the others are started all the same."""
    dpkg.stand(sftp="active", service="active")
    dpkg.call("prerm", "upgrade", "2")
    assert dpkg.call("postinst", "configure", "1", fails=SFTP) == STARTED


def test_a_folder_that_systemd_finds_wrong_keeps_nobody_down(dpkg: Dpkg) -> None:
    """Systemd says what is wrong with it, and the package is installed."""
    dpkg.replace("systemd-tmpfiles", "#!/bin/sh\nexit 73\n")
    dpkg.stand(sftp="active", service="active")
    assert dpkg.upgrade() == STOPPED + STARTED


def test_what_was_removed_does_not_start_when_it_is_installed_again(dpkg: Dpkg) -> None:
    """To dpkg that is a configuration after the version that was there, too."""
    dpkg.stand(service="active")
    assert dpkg.call("prerm", "remove") == [f"stop {SERVICE}"]
    dpkg.call("postrm", "remove")
    assert not dpkg.noted
    assert dpkg.call("postinst", "configure", "1") == []
