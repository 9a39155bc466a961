"""Sockets that systemd opened: whose they are, what they are, what is of no use."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence

import pytest

from gateway.errors import ConfigurationError
from gateway.service.activation import handed_over, refuse_unwanted

PROGRAM = """
import os, sys
from gateway.errors import ConfigurationError
from gateway.service.activation import FIRST, handed_over
for index, each in enumerate(sys.argv[1:]):
    os.dup2(int(each), FIRST + index)
os.environ["LISTEN_PID"] = os.environ.get("LISTEN_PID") or str(os.getpid())
try:
    given = handed_over()
except ConfigurationError as error:
    sys.exit(str(error))
told = {name: (each.getsockname()[1], each.get_inheritable(), each.getblocking())
        for name, each in given.items()}
assert "twisted" not in sys.modules  # it would have taken them
print(told, sorted(name for name in os.environ if name.startswith("LISTEN_")))
"""


def handed(
    sockets: Sequence[socket.socket], names: str, pid: str = ""
) -> subprocess.CompletedProcess[str]:
    """What a process that got these sockets, as systemd hands them over, has to say of them."""
    kept = [fcntl.fcntl(each.fileno(), fcntl.F_DUPFD, 50) for each in sockets]
    try:
        return subprocess.run(
            [sys.executable, "-c", PROGRAM, *map(str, kept)],
            env={
                **os.environ,
                "LISTEN_FDS": str(len(sockets)),
                "LISTEN_FDNAMES": names,
                "LISTEN_PID": pid,
            },
            pass_fds=kept,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        for descriptor in kept:
            os.close(descriptor)


@pytest.fixture
def listening() -> Iterator[list[socket.socket]]:
    """Three sockets that listen on loopback."""
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in ("sftp", "b", "c")
        ]


def test_each_is_known_by_its_name(listening: list[socket.socket]) -> None:
    """In whatever order; not for our children, to whom the environment says nothing of them."""
    done = handed(listening, "http:sftp:management")
    ports = [each.getsockname()[1] for each in listening]
    wanted = {
        name: (port, False, False)
        for name, port in zip(("http", "sftp", "management"), ports, strict=True)
    }
    assert done.stdout == f"{wanted} []\n", done.stderr


def test_what_is_meant_for_another_process_is_not_touched(listening: list[socket.socket]) -> None:
    """A variable that a parent left in the environment speaks of nothing here."""
    assert handed(listening, "http:sftp:management", pid="1").stdout == "{} []\n"


def test_without_systemd_there_are_none() -> None:
    """Nor when what it says is no number."""
    assert handed_over({}) == {}
    assert handed_over({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "many"}) == {}


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("sftp:ftp:http", "'ftp'"),
        ("sftp:sftp:http", "two sockets named 'sftp'"),
        ("sftp", "a socket named ''"),
    ],
)
def test_a_name_nobody_takes_is_refused(
    listening: list[socket.socket], names: str, said: str
) -> None:
    """Else partners would wait for ever on a port that looks open."""
    done = handed(listening, names)
    assert done.returncode == 1
    assert said in done.stderr


def test_what_does_not_listen_for_tcp_is_refused() -> None:
    """Accept=yes hands over a connection, ListenDatagram= another kind."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        assert "does not listen for TCP" in handed([datagrams], "http").stderr
    left, right = socket.socketpair()
    with left, right:
        assert "does not listen for TCP" in handed([left], "http").stderr


def test_a_socket_whose_part_is_off_is_refused(listening: list[socket.socket]) -> None:
    """The error names both ways out."""
    with pytest.raises(ConfigurationError) as refused:
        refuse_unwanted({"http": listening[0]}, {"http": False, "sftp": True})
    assert "http.enabled" in str(refused.value)
    assert "edi-gateway-http.socket" in str(refused.value)
    refuse_unwanted({"http": listening[0]}, {"http": True, "sftp": False})
