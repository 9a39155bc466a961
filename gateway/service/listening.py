"""Listening: on a socket that was handed over (`activation`), or on one of our own."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import error
from twisted.protocols.tls import TLSMemoryBIOFactory


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
