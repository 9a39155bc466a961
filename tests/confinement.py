"""Starts a program under what the unit allows: `python -m tests.confinement UNIT STATE -- CMD…`.

systemd itself wants to be the first process of a machine; seccomp and mounts do not. This loads the
same filters that systemd makes of the unit's lines (systemd.exec(5)), drops every capability, and
then becomes the program:

- `SystemCallFilter=`, its sets as `systemd-analyze syscall-filter` prints them; what is not
  allowed fails with EPERM;
- `MemoryDenyWriteExecute=`, `RestrictAddressFamilies=`, `RestrictNamespaces=`;
- `CapabilityBoundingSet=`, `NoNewPrivileges=`, `UMask=`, `LimitNOFILE=`, `LimitCORE=`;
- where it may mount (CAP_SYS_ADMIN), in mounts of its own: `ProtectSystem=strict`, by which nothing
  but the state directory can be written, `PrivateTmp=` (a folder beside the state directory, which
  TMPDIR names, for tests keep their own files in /tmp), and `ProtectProc=invisible`.

Other users, devices and what else stands in the unit are not imitated.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import re
import resource
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

import msgspec

_ALLOW: Final = 0x7FFF0000
_ERRNO: Final = 0x00050000
_PR_CAPBSET_DROP: Final = 24
_CAP_SETPCAP, _CAP_SYS_ADMIN = 8, 21
_PROT_WRITE, _PROT_EXEC, _SHM_EXEC = 2, 4, 0o100000
_NAMESPACES: Final = 0x00020000 | 0x02000000 | 0x7C000000  # mnt, cgroup, uts … net
_NEW_MOUNTS: Final = 0x00020000
_RECURSIVE, _PRIVATE, _BIND = 0x4000, 1 << 18, 0x1000
_MOUNT_SETATTR, _HERE, _AT_RECURSIVE, _READ_ONLY = 442, -100, 0x8000, 1
_BELOW, _EQUAL, _ABOVE, _MASKED = 2, 4, 6, 7


class _Argument(ctypes.Structure):
    _fields_ = (
        ("number", ctypes.c_uint),
        ("how", ctypes.c_int),
        ("a", ctypes.c_uint64),
        ("b", ctypes.c_uint64),
    )


class _Attributes(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("set", "clear", "spread", "users"))


class Unit(msgspec.Struct, frozen=True):
    """The `[Service]` lines of a unit, in their order."""

    lines: tuple[tuple[str, str], ...]

    @classmethod
    def read(cls, file: Path) -> Unit:
        """Of a unit file; nothing that goes over several lines is understood."""
        text = file.read_text(encoding="utf-8").split("[Service]")[1].split("\n[")[0]
        return cls(tuple(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE)))

    def all(self, name: str) -> list[str]:
        """Every value of a directive."""
        return [value for key, value in self.lines if key == name]

    def one(self, name: str) -> str:
        """Its only value."""
        values = self.all(name)
        assert len(values) == 1, f"{name} stands {len(values)} times in the unit"
        return values[0]

    def allowed_calls(self) -> frozenset[str]:
        """The system calls that SystemCallFilter= leaves."""
        allowed = set(calls_of("@default"))
        for line in self.all("SystemCallFilter"):
            words = line.removeprefix("~").split()
            named = {call for word in words for call in calls_of(word)}
            allowed = allowed - named if line.startswith("~") else allowed | named
        return frozenset(allowed)


@functools.cache
def calls_of(word: str) -> frozenset[str]:
    """The calls of a set of systemd's, such as `@network-io`; a call is itself."""
    if not word.startswith("@"):
        return frozenset({word})
    done = subprocess.run(
        ["systemd-analyze", "syscall-filter", "--no-pager", word],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    inner = [line.strip() for line in done.stdout.splitlines()[1:]]
    words = [line for line in inner if line and not line.startswith("#")]
    assert words, f"systemd-analyze knows no call of {word}"
    return frozenset().union(*map(calls_of, words))


class Filter:
    """One seccomp filter, made by libseccomp as systemd does, in force once it is loaded."""

    def __init__(self, otherwise: int) -> None:
        self._library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
        self._library.seccomp_init.restype = ctypes.c_void_p
        self._context = ctypes.c_void_p(self._library.seccomp_init(ctypes.c_uint32(otherwise)))
        assert self._context, "libseccomp makes no filter"

    def add(self, action: int, call: str, *arguments: _Argument) -> None:
        """What happens to a call, if its arguments are these; unknown calls are left out."""
        number = self._library.seccomp_syscall_resolve_name(call.encode())
        if number < 0:  # of another architecture, or of a kernel that libseccomp does not know
            return
        failed = self._library.seccomp_rule_add_array(
            self._context,
            ctypes.c_uint32(action),
            ctypes.c_int(number),
            ctypes.c_uint(len(arguments)),
            (_Argument * len(arguments))(*arguments),
        )
        assert not failed, f"libseccomp refuses a rule for {call}: {os.strerror(-failed)}"

    def load(self) -> None:
        """From now on, for this process and its children. Sets no_new_privs."""
        failed = self._library.seccomp_load(self._context)
        assert not failed, f"the kernel refuses the filter: {os.strerror(-failed)}"


def confine(unit: Unit, state: Path) -> None:
    """Bring this process under what the unit allows; `state` is its StateDirectory=."""
    if _held() >> _CAP_SYS_ADMIN & 1:
        _read_only_but_for(unit, state)
    os.umask(int(unit.one("UMask"), 8))
    files = int(unit.one("LimitNOFILE"))
    most = min(files, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (int(unit.one("LimitCORE")),) * 2)
    assert unit.one("CapabilityBoundingSet") == ""
    if _held() >> _CAP_SETPCAP & 1:
        last = int(Path("/proc/sys/kernel/cap_last_cap").read_text(encoding="ascii"))
        for capability in range(last + 1):
            failed = ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
            assert not failed, "a capability cannot be dropped"
    filters = [_arguments(unit), _calls(unit)]
    for each in filters:  # the calls last: it is the one that could forbid to load another
        each.load()


def _held() -> int:
    """The capabilities of this process, a bit each."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("CapEff:")[1].split()[0], 16)


def _read_only_but_for(unit: Unit, state: Path) -> None:
    """Mounts of its own, in which nothing but the state directory can be written."""
    assert (unit.one("ProtectSystem"), unit.one("ProtectProc")) == ("strict", "invisible")
    assert unit.one("PrivateTmp") == "yes"
    state.mkdir(mode=int(unit.one("StateDirectoryMode"), 8), exist_ok=True)
    scratch = state.with_name("private-tmp")
    scratch.mkdir(mode=0o700, exist_ok=True)
    os.environ["TMPDIR"] = str(scratch)
    libc = ctypes.CDLL(None, use_errno=True)
    here = str(state).encode()

    def attributes(path: bytes, flags: int, wanted: _Attributes) -> int:
        size = ctypes.sizeof(wanted)
        done = libc.syscall(_MOUNT_SETATTR, _HERE, path, flags, ctypes.byref(wanted), size)
        return int(done)

    steps = (
        lambda: libc.unshare(_NEW_MOUNTS),
        lambda: libc.mount(None, b"/", None, _RECURSIVE | _PRIVATE, None),
        lambda: libc.mount(here, here, None, _BIND, None),
        lambda: attributes(b"/", _AT_RECURSIVE, _Attributes(set=_READ_ONLY)),
        lambda: attributes(here, 0, _Attributes(clear=_READ_ONLY)),
        lambda: libc.mount(b"tmpfs", str(scratch).encode(), b"tmpfs", 0, None),
        lambda: libc.mount(b"proc", b"/proc", b"proc", 0, b"hidepid=invisible"),
    )
    for step in steps:
        assert step() == 0, f"mounts of our own: {os.strerror(ctypes.get_errno())}"


def _arguments(unit: Unit) -> Filter:
    """What is denied by arguments: writable code, other families, namespaces."""
    made = Filter(_ALLOW)
    denied = _ERRNO | errno.EPERM
    assert unit.one("MemoryDenyWriteExecute") == unit.one("RestrictNamespaces") == "yes"
    both = _PROT_EXEC | _PROT_WRITE
    made.add(denied, "mmap", _Argument(2, _MASKED, both, both))
    for call in ("mprotect", "pkey_mprotect"):
        made.add(denied, call, _Argument(2, _MASKED, _PROT_EXEC, _PROT_EXEC))
    made.add(denied, "shmat", _Argument(2, _MASKED, _SHM_EXEC, _SHM_EXEC))
    made.add(_ERRNO | errno.ENOSYS, "clone3")  # its flags lie in memory, where no filter looks
    made.add(denied, "setns")
    for bit in (1 << shift for shift in range(32) if _NAMESPACES >> shift & 1):
        for call in ("clone", "unshare"):
            made.add(denied, call, _Argument(0, _MASKED, bit, bit))
    families = {int(getattr(socket, name)) for name in unit.one("RestrictAddressFamilies").split()}
    foreign = _ERRNO | errno.EAFNOSUPPORT
    made.add(foreign, "socket", _Argument(0, _BELOW, min(families), 0))
    made.add(foreign, "socket", _Argument(0, _ABOVE, max(families), 0))
    for family in set(range(min(families), max(families))) - families:
        made.add(foreign, "socket", _Argument(0, _EQUAL, family, 0))
    return made


def _calls(unit: Unit) -> Filter:
    """What is not allowed at all."""
    assert unit.one("SystemCallErrorNumber") == "EPERM"
    made = Filter(_ERRNO | errno.EPERM)
    for call in sorted(unit.allowed_calls()):
        made.add(_ALLOW, call)
    return made


def main(arguments: list[str]) -> None:
    """Become the program that the arguments name, confined."""
    file, state, separator, *command = arguments
    assert separator == "--", "python -m tests.confinement UNIT STATE -- CMD…"
    confine(Unit.read(Path(file)), Path(state))
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
