"""Listening: on a socket that was handed over (`activation`), or on one of our own."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from twisted.internet import error
from twisted.protocols.tls import TLSMemoryBIOFactory

from gateway.errors import AddressUnavailable, ConfigurationError, GatewayError


def listen(
    reactor: Any,
    factory: Any,
    given: socket.socket | None,
    *,
    interface: str,
    port: int,
    backlog: int = 50,
    secrets: Any = None,
) -> Any:
    """Listen on the socket that was handed over, or on one of our own; with `secrets`, by TLS.

    Raises Twisted's `CannotListenError`.
    """
    if given is None:
        where = {"backlog": backlog, "interface": interface}
        if secrets is None:
            return reactor.listenTCP(port, factory, **where)
        return reactor.listenSSL(port, factory, secrets, **where)
    if secrets is not None:
        factory = TLSMemoryBIOFactory(secrets, False, factory)
    try:
        # A descriptor of its own: ours stays, and so does what waits in its queue.
        return reactor.adoptStreamPort(given.fileno(), given.family, factory)
    except OSError as failure:
        cannot: Any = error.CannotListenError  # Twisted's, without annotations
        raise cannot(interface, port, failure) from failure


def cannot_listen(section: str, interface: str, port: int, failure: OSError) -> GatewayError:
    """What to raise when a server of ours, with its settings in `section`, cannot listen.

    `AddressUnavailable` for what may pass by itself, `ConfigurationError` for what will not.
    """
    server = {"sftp": "SFTP", "http": "HTTP"}.get(section, section)
    # In the system's words: Python's own repeat the address. Below 0 are those of getaddrinfo.
    number = failure.errno or 0
    why = os.strerror(number) if number > 0 else str(failure)
    what = f"The {server} server cannot listen on {interface} port {port}: {why}."
    if failure.errno == errno.EADDRINUSE:
        return AddressUnavailable(
            what,
            remedy=f"Stop what uses it (`ss -tlnp 'sport = :{port}'`), or change {section}.port."
            " Linux lends ports from 32768 on to outgoing connections: choose one below.",
        )
    if failure.errno == errno.EADDRNOTAVAIL:
        return AddressUnavailable(
            what,
            remedy="Wait until the network is up, or name an address of this machine in"
            f" {section}.listen.",
        )
    return ConfigurationError(
        what,
        remedy=f"Change {section}.listen or {section}.port (below 1024 it takes a right of its"
        " own).",
    )
