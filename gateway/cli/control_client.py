"""How a command asks the running daemon: one line to its control socket, one line back."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import msgspec

from gateway.cli.operator import operator
from gateway.errors import ConfigurationError, Fault, GatewayError

SECONDS = 120.0
"""How long an answer may take: moving 20,000 documents takes the journal a while."""

_MAX_ANSWER = 1 << 20


def ask(
    state: Path,
    command: str,
    *,
    tells: str = "edi-gateway quarantine list",
    seconds: float = SECONDS,
    **arguments: Any,
) -> dict[str, Any]:
    """What the daemon on this state directory answers, within `seconds`.

    `tells`: where else to see what it did.

    Raises `ConfigurationError` when no daemon answers there, `GatewayError` with the daemon's own
    words when it does not do what it was asked, and `ConfigurationError` with its faults when
    these are of the configuration.
    """
    path = state / "control.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(seconds)
        try:
            connection.connect(str(path))
        except PermissionError:
            raise ConfigurationError(
                f"The gateway's control socket {path} is not open to you.",
                remedy="Run this as the user the gateway runs as, or as root.",
            ) from None
        except OSError as error:
            raise ConfigurationError(
                f"No gateway answers at {path}: {error.strerror or error}.",
                remedy="Start it, or name the state directory of the one that runs"
                " (--state-dir, --config).",
            ) from None
        line = msgspec.json.encode({"command": command, "who": operator(), **arguments}) + b"\n"
        try:
            connection.sendall(line)
            said = _line(connection)
            answer = msgspec.json.decode(said, type=dict[str, Any])
        except (OSError, msgspec.DecodeError) as error:
            raise GatewayError(
                f"The gateway did not answer {command}: {error}.",
                remedy=f"Whether it was done, tells: {tells}",
            ) from None
    if answer.get("ok"):
        return answer
    what, remedy = str(answer.get("error", answer)), str(answer.get("remedy", ""))
    if "faults" in answer:
        faults = msgspec.convert(answer["faults"], tuple[Fault, ...])
        raise ConfigurationError(what, remedy=remedy, faults=faults)
    raise GatewayError(what, remedy=remedy)


def _line(connection: socket.socket) -> bytes:
    received = bytearray()
    while not received.endswith(b"\n"):
        chunk = connection.recv(65_536)
        if not chunk or len(received) > _MAX_ANSWER:
            raise OSError("it hung up in the middle of the line")
        received += chunk
    return bytes(received)
