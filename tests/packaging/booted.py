"""A machine like this one that Debian's systemd has started: process 1, units, control groups.

Its files are an overlay in memory over those it begins with, its processes, mounts, network and
control groups are its own: nothing it does is seen here, and all of it is gone when its process 1
is killed. Devices are made anew: systemd changes who may open those it is given.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from tests.packaging.machine import ENVIRONMENT

ROOT = Path(__file__).parents[2]
SYSTEMD = Path("/lib/systemd/systemd")
SIZE = "3g"
BOOT_SECONDS = 60.0
_START = r"""
set -e
mount --make-rprivate /
mount -t tmpfs -o size=$2 tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/machine"
mount -t overlay -o "lowerdir=$4,upperdir=$1/upper,workdir=$1/work" overlay "$1/machine"
cd "$1/machine"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for device in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
    name=${device%%:*} numbers=${device#*:}
    mknod -m 666 "dev/$name" c "${numbers%:*}" "${numbers#*:}"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mkdir -p .before
pivot_root . .before
umount -l .before
rmdir .before
mount --make-rshared /
rm -f usr/sbin/policy-rc.d
exec env -i container=test PATH="$PATH" "$3" --unit=basic.target >/run/boot.log 2>&1
"""


class CannotBoot(Exception):
    """No machine can be started here; says why."""


class Booted:
    """`close` it in the end. `files`: what it begins with, if not with this machine's."""

    def __init__(self, folder: Path, *, files: Path = Path("/")) -> None:
        self._group = _own_control_group()
        self._folder = folder / "booted"
        self._folder.mkdir()
        namespaces = ("--mount", "--pid", "--cgroup", "--uts", "--ipc", "--net")
        inside = ["sh", "-c", _START, "sh", str(self._folder), SIZE, str(SYSTEMD), str(files)]
        # The control group first: the new namespace takes its root from there.
        into = f'echo $$ >"{self._group}/cgroup.procs" && exec "$@"'
        self._said = (folder / "boot.log").open("w+b")
        self._unshare = subprocess.Popen(
            ["sh", "-c", into, "sh", "unshare", *namespaces, "--fork", "--kill-child", *inside],
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=self._said,
            env=ENVIRONMENT,
        )
        self._first = 0
        try:
            self._wait()
        except BaseException:
            self.close()
            raise

    def _wait(self) -> None:
        deadline = time.monotonic() + BOOT_SECONDS
        children = Path(f"/proc/{self._unshare.pid}/task/{self._unshare.pid}/children")
        while True:
            if self._unshare.poll() is not None:
                self._said.seek(0)
                raise CannotBoot(self._said.read().decode(errors="replace")[-500:] or "no word")
            # What began and does not get on is no machine that forbids it.
            assert time.monotonic() < deadline, f"not up after {BOOT_SECONDS} s"
            if not self._first:
                self._first = int((children.read_text().split() or ["0"])[0])
            elif self.path("/run/systemd/system").exists():
                state = self.run("systemctl", "is-system-running").stdout.strip()
                if state in {"running", "degraded"}:  # degraded: what else is installed here
                    return
            time.sleep(0.1)

    def path(self, place: str) -> Path:
        """A file there, as seen from here."""
        return Path(f"/proc/{self._first}/root") / place.lstrip("/")

    def bring(self, file: Path, place: str = "/root") -> str:
        """Copy a file there; where it is."""
        self.path(place).mkdir(exist_ok=True)
        shutil.copyfile(file, self.path(f"{place}/{file.name}"))
        return f"{place}/{file.name}"

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run something there."""
        return self._entered("-m", "-p", "-C", "-u", "-i", "-n", "--", *words, env=ENVIRONMENT)

    def beside(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run something of ours, with our files, on its network."""
        return self._entered("-n", "--", *words, given=given)

    def _entered(
        self, *words: str, given: str = "", env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["nsenter", "-t", str(self._first), *words],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            input=given,
            cwd=ROOT,
            env=env,
        )

    def done(self, *words: str) -> str:
        """Run something that has to go well; what it said."""
        ended = self.run(*words)
        assert ended.returncode == 0, f"{words}: {ended.stdout}{ended.stderr}"
        return ended.stdout

    def log(self, unit: str) -> str:
        """What a unit wrote so far."""
        return self.done("journalctl", "-u", unit, "-o", "cat", "--no-pager", "--all")

    def close(self) -> None:
        """End all of it, at once."""
        if self._first:
            os.kill(self._first, signal.SIGKILL)
        self._unshare.kill()
        self._unshare.wait(60)
        self._said.close()
        for folder, _, _ in os.walk(self._group, topdown=False):
            _removed(Path(folder))


def _own_control_group() -> Path:
    """A group for the machine, below ours. Raises `CannotBoot`."""
    if not SYSTEMD.exists():
        raise CannotBoot(f"{SYSTEMD} is not installed")
    found = re.search(r"(?m)^\S+ (\S+) cgroup2 ", Path("/proc/mounts").read_text())
    if found is None:
        raise CannotBoot("there are no control groups of version 2")
    within = re.search(r"(?m)^0::(.*)$", Path("/proc/self/cgroup").read_text())
    group = Path(found[1] + (within[1] if within else "")) / f"edi-{secrets.token_hex(4)}"
    try:
        group.mkdir()
    except OSError as error:
        raise CannotBoot(f"no control group can be made: {error}") from None
    return group


def _removed(group: Path, seconds: float = 10.0) -> None:
    """Remove a group, which takes until its last process is gone."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            group.rmdir()
        except OSError:
            time.sleep(0.1)
        else:
            return
