"""What a support engineer asks first: versions, machine, disk, and the processes that run.

Read from the operating system (proc(5)); what it does not tell is left out. No names of partners,
no settings, nothing secret.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import platform
import resource
import socket
import sqlite3
import ssl
import struct
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from lxml import etree

from gateway.cli.main import version

_LIBRARIES: Final = (
    *("twisted", "paramiko", "cryptography", "lxml", "xmlschema", "saxonche", "pika", "msgspec"),
    *("sqlalchemy", "structlog", "prometheus-client", "pyOpenSSL", "argon2-cffi"),
)
_MB: Final = 1 << 20
_CREDENTIALS: Final = struct.Struct("3i")
"""Process, user and group id of who listens on a Unix socket (unix(7), SO_PEERCRED)."""


def facts(state: Path) -> dict[str, Any]:
    """How everything stands, for JSON. Sizes are in MB (2**20 bytes), times in UTC."""
    return {
        "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "versions": _versions(),
        "machine": _machine(),
        "user": _user(),
        "state": _state(state),
        "processes": _processes(state),
    }


def _versions() -> dict[str, Any]:
    libraries = {}
    for name in _LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            libraries[name] = metadata.version(name)
    return {
        "edi-gateway": version(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "sqlite": sqlite3.sqlite_version,
        "openssl": ssl.OPENSSL_VERSION,
        "libxml2": ".".join(map(str, etree.LIBXML_VERSION)),
        "libraries": libraries,
        "installed_in": sys.prefix,
    }


def _machine() -> dict[str, Any]:
    memory = _fields(Path("/proc/meminfo"))
    found: dict[str, Any] = {
        "processors": os.cpu_count(),
        "load": [round(each, 2) for each in os.getloadavg()],
        "time_zone": time.tzname[0],
    }
    for name, key in (("memory_mb", "MemTotal"), ("memory_available_mb", "MemAvailable")):
        with contextlib.suppress(KeyError, ValueError):
            found[name] = int(memory[key].split()[0]) >> 10
    with contextlib.suppress(OSError, ValueError):
        found["up_seconds"] = round(float(Path("/proc/uptime").read_text().split()[0]))
    return found


def _user() -> dict[str, Any]:
    files, processes = (
        resource.getrlimit(each)[0] for each in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC)
    )
    return {"uid": os.geteuid(), "groups": os.getgroups(), "files": files, "processes": processes}


def _state(state: Path) -> dict[str, Any]:
    there = os.statvfs(next(each for each in (state, *state.parents) if each.exists()))
    found: dict[str, Any] = {
        "folder": str(state),
        "file_system": _file_system(state),
        "size_mb": there.f_blocks * there.f_frsize // _MB,
        "free_mb": there.f_bavail * there.f_frsize // _MB,
        "free_inodes": there.f_favail,
    }
    for name in ("journal.sqlite", "journal.sqlite-wal"):
        with contextlib.suppress(OSError):
            found[f"{name}_mb"] = round((state / name).stat().st_size / _MB, 1)
    return found


def _file_system(folder: Path) -> str:
    """Of the mount with the longest path above the folder: its type, as `ext4`."""
    best, kind = "", ""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mounts").read_text().splitlines():
            _, mounted, name, *_ = line.split()
            at = mounted.encode().decode("unicode_escape")
            if folder.is_relative_to(at) and len(at) >= len(best):
                best, kind = at, name
    return kind


def _processes(state: Path) -> list[dict[str, Any]]:
    """The running daemon's, itself first; none when nobody listens on its control socket."""
    pid = _listening(state / "control.sock")
    if pid is None:
        return []
    return [found for each in (pid, *_children(pid)) if (found := _process(each))]


def _listening(path: Path) -> int | None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(str(path))
            said = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        except OSError:
            return None
    pid, _, _ = _CREDENTIALS.unpack(said)
    return int(pid) or None


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return sorted(found)


def _process(pid: int) -> dict[str, Any] | None:
    folder = Path(f"/proc/{pid}")
    try:
        words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
        status = _fields(folder / "status")
        # The 22nd field, in ticks since the machine started; the name before it may hold anything.
        began = int((folder / "stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None
    found: dict[str, Any] = {
        "pid": pid,
        "runs": " ".join(word for word in words[1:] if word)[:200],
        "memory_mb": _kb(status, "VmRSS"),
        "peak_memory_mb": _kb(status, "VmHWM"),
        "threads": int(status.get("Threads", "0")),
    }
    with contextlib.suppress(OSError, ValueError):
        up = float(Path("/proc/uptime").read_text().split()[0])
        found["seconds"] = round(up - began / os.sysconf("SC_CLK_TCK"))
    with contextlib.suppress(OSError):
        found["files"] = len(os.listdir(folder / "fd"))
    return found


def _kb(fields: dict[str, str], name: str) -> int:
    return int(fields.get(name, "0 kB").split()[0]) >> 10


def _fields(path: Path) -> dict[str, str]:
    """`Name: value` lines."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
