"""The files of this machine, on which a package may be installed and leave nothing behind.

An overlay over `/` in memory, entered by chroot: Debian's real dpkg and Python, and whatever they
write is gone with it. Where nothing may be mounted, as in some containers, the machine itself
stands in, unless it knows the gateway already; then purge leaves only what the test takes away.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

KEPT = ("/opt/edi-gateway", "/etc/edi-gateway", "/var/lib/edi-gateway")
SIZE = "size=2g"
SETTINGS = "/etc/edi-gateway/gateway.toml"
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
"""An administrator's, with nothing of whoever runs the test."""


class Machine:
    """`root` is where its files are."""

    def __init__(self, folder: Path) -> None:
        self._layers = folder / "layers"
        self.root = folder / "machine"
        self._layers.mkdir()
        self.root.mkdir()
        self._mounts: list[Path] = []
        if not self._mounted():
            self.close()
            if found := [place for place in KEPT if Path(place).exists()]:
                pytest.fail(f"Nothing can be mounted here, and this machine has {found}.")
            self.root = Path("/")

    def _mounted(self) -> bool:
        if not self._mount("-t", "tmpfs", "-o", SIZE, "tmpfs", self._layers):
            return False
        upper, work = self._layers / "upper", self._layers / "work"
        upper.mkdir()
        work.mkdir()
        where = f"lowerdir=/,upperdir={upper},workdir={work}"
        return (
            self._mount("-t", "overlay", "-o", where, "overlay", self.root)
            and self._mount("--bind", "/dev", self.root / "dev")
            and self._mount("-t", "proc", "proc", self.root / "proc")
        )

    def _mount(self, *words: str | Path) -> bool:
        done = subprocess.run(
            ["mount", *map(str, words)], capture_output=True, timeout=60, check=False
        )
        if done.returncode == 0:
            self._mounts.append(Path(words[-1]))
        return done.returncode == 0

    def command(self, *words: str | Path, user: str = "") -> list[str]:
        """The words that run something there, as this user."""
        where = [] if self.root == Path("/") else ["chroot", str(self.root)]
        drop = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
        return [*where, *drop, *map(str, words)]

    def run(self, *words: str | Path, user: str = "") -> subprocess.CompletedProcess[str]:
        """Run something there."""
        return subprocess.run(
            self.command(*words, user=user),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            cwd="/",
            stdin=subprocess.DEVNULL,
            env=ENVIRONMENT,
        )

    def done(self, *words: str | Path, user: str = "") -> str:
        """Run something that has to go well; what it said."""
        ended = self.run(*words, user=user)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr

    def path(self, place: str) -> Path:
        """A file there, as seen from here."""
        return self.root / place.lstrip("/")

    def bring(self, file: Path) -> str:
        """Copy a file there; where it is."""
        target = self.path(f"/root/{file.name}")
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(file, target)
        return f"/root/{file.name}"

    def close(self) -> None:
        """Take it all away."""
        while self._mounts:
            subprocess.run(["umount", "-l", str(self._mounts.pop())], timeout=60, check=False)
