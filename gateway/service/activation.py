"""Sockets that systemd opened for us (sd_listen_fds(3)): socket activation, by name.

systemd listens from boot on, and keeps listening while the gateway is started again: whoever
calls meanwhile waits instead of being refused. It also listens where the gateway's user may not,
below port 1024. Each socket is named after the part that takes it (`FileDescriptorName=`).

Without Twisted, on purpose: `twisted.internet.endpoints` takes all of this out of the environment
for itself when it is imported.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, MutableMapping
from typing import Final

from gateway.errors import ConfigurationError

NAMES: Final = ("sftp", "http", "management")
FIRST: Final = 3
"""SD_LISTEN_FDS_START."""
_REMEDY: Final = (
    "Take the socket units as they come with the gateway, and change nothing but ListenStream=."
)


def handed_over(environment: MutableMapping[str, str] = os.environ) -> dict[str, socket.socket]:
    """The listening sockets meant for this process, by name; taken once, and not by our children.

    Raises `ConfigurationError` for a socket that is of no use to the gateway.
    """
    pid = environment.pop("LISTEN_PID", "")
    count = environment.pop("LISTEN_FDS", "")
    names = environment.pop("LISTEN_FDNAMES", "").split(":")
    if pid != str(os.getpid()) or not count.isdigit():
        return {}
    found: dict[str, socket.socket] = {}
    for index in range(int(count)):
        descriptor = FIRST + index
        os.set_inheritable(descriptor, False)
        name = names[index] if index < len(names) else ""
        if name not in NAMES:
            raise ConfigurationError(
                f"systemd handed over a socket named {name!r}; the gateway knows"
                f" {', '.join(NAMES)}.",
                remedy=_REMEDY,
            )
        if name in found:
            raise ConfigurationError(
                f"systemd handed over two sockets named {name!r}; the gateway takes one.",
                remedy="One ListenStream= for each socket unit; [::]:PORT listens for IPv4 too.",
            )
        found[name] = _listening(descriptor, name)
    return found


def refuse_unwanted(given: Mapping[str, socket.socket], enabled: Mapping[str, bool]) -> None:
    """Raise `ConfigurationError` for a socket whose part is switched off.

    systemd would go on taking connections nobody ever answers.
    """
    for name in given:
        if not enabled[name]:
            raise ConfigurationError(
                f"systemd listens for {name}, but {name}.enabled is false.",
                remedy=f"Set {name}.enabled = true, or:"
                f" systemctl disable --now edi-gateway-{name}.socket",
            )


def _listening(descriptor: int, name: str) -> socket.socket:
    try:
        found = socket.socket(fileno=descriptor)
        stream = found.type == socket.SOCK_STREAM
        listens = stream and found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as failure:
        raise ConfigurationError(
            f"What systemd handed over as {name!r} is no socket: {failure.strerror}.",
            remedy=_REMEDY,
        ) from failure
    if not listens or found.family not in {socket.AF_INET, socket.AF_INET6}:
        found.detach()
        raise ConfigurationError(
            f"The socket {name!r} that systemd handed over does not listen for TCP.",
            remedy="ListenStream= with a port, and Accept=no.",
        )
    found.setblocking(False)
    return found
