"""paramiko's own SFTP server with nothing around it, for `bench.sftp_intake --floor`.

What arrives is written to a folder, and fsynced when it is closed, as OpenSSH's client asks
OpenSSH's server to do with `put -f`. There is no journal, no spool and no account: whatever the
gateway does more lies above this, on the same library, with the same algorithms and as many
processes.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import threading
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paramiko
import psutil
from paramiko.common import AUTH_SUCCESSFUL, OPEN_SUCCEEDED
from paramiko.sftp import SFTP_NO_SUCH_FILE, SFTP_OK

from gateway.service.sftp_server.ssh import CIPHERS, KEY_EXCHANGES, MACS

if TYPE_CHECKING:
    from typing_extensions import Buffer


class BareSftp:
    """The server on loopback; whoever comes may log in with the key in `key_file`.

    `processes` share the listening socket. Files go into `folder` under the last part of their
    name.
    """

    def __init__(self, folder: Path, key_file: str, processes: int) -> None:
        self._key_file = key_file
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = listener.getsockname()[1]
        key = paramiko.ECDSAKey.generate()
        context = multiprocessing.get_context("fork")
        self._processes: list[BaseProcess] = [
            context.Process(target=_serve, args=(listener, key, folder), daemon=True)
            for _ in range(processes)
        ]
        for process in self._processes:
            process.start()
        listener.close()

    def command(self) -> list[str]:
        """OpenSSH's client, reading its batch from standard input."""
        options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR")
        return [
            *("sftp", "-q", "-b", "-", "-F", "/dev/null", "-P", str(self.port)),
            *("-i", self._key_file, "-o", "IdentitiesOnly=yes"),
            *(word for option in options for word in ("-o", option)),
            "bare@127.0.0.1",
        ]

    def put(self, path: Path) -> str:
        """Its close fsyncs."""
        return f"put {path} {path.name}"

    def cpu_seconds(self) -> float:
        """What its processes have used so far."""
        used = (psutil.Process(process.pid).cpu_times() for process in self._processes)
        return float(sum(sum(times[:2]) for times in used))

    def stop(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.kill()
            process.join()


class _Open(paramiko.SFTPHandle):
    """A file being written."""

    def __init__(self, path: Path, flags: int) -> None:
        super().__init__(flags)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)

    def write(self, offset: int, data: Buffer) -> int:
        """As it comes."""
        os.pwrite(self._descriptor, data, offset)
        return SFTP_OK

    def close(self) -> None:
        """Durable, and done."""
        os.fsync(self._descriptor)
        os.close(self._descriptor)

    def stat(self) -> paramiko.SFTPAttributes:
        """As it stands."""
        return paramiko.SFTPAttributes.from_stat(os.fstat(self._descriptor))

    def chattr(self, attr: paramiko.SFTPAttributes) -> int:
        """Ignored, as the gateway does."""
        return SFTP_OK


class _Folder(paramiko.SFTPServerInterface):
    """One folder."""

    def __init__(self, server: paramiko.ServerInterface, folder: Path, *args: Any) -> None:
        super().__init__(server, *args)
        self._folder = folder

    def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> paramiko.SFTPHandle:
        """Write it anew."""
        return _Open(self._folder / path.rpartition("/")[2], flags)

    def stat(self, path: str) -> paramiko.SFTPAttributes | int:
        """What is there."""
        try:
            found = (self._folder / path.rpartition("/")[2]).stat()
        except FileNotFoundError:
            return SFTP_NO_SUCH_FILE
        return paramiko.SFTPAttributes.from_stat(found)

    lstat = stat


class _Anybody(paramiko.ServerInterface):
    """Lets in whoever has a key."""

    def get_allowed_auths(self, username: str) -> str:
        """By key."""
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        """Any."""
        return AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        """Any."""
        return OPEN_SUCCEEDED


def _serve(listener: socket.socket, key: paramiko.PKey, folder: Path) -> None:
    while True:
        accepted, _ = listener.accept()
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport = paramiko.Transport(accepted)
        options = transport.get_security_options()
        options.ciphers = tuple(each for each in options.ciphers if each in CIPHERS)
        options.digests = tuple(each for each in options.digests if each in MACS)
        options.kex = tuple(each for each in options.kex if each in KEY_EXCHANGES)
        transport.add_server_key(key)
        transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Folder, folder)
        transport.start_server(event=threading.Event(), server=_Anybody())
