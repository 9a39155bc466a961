"""The listener for who watches the gateway: `/metrics`, `/livez`, `/readyz`; and for the console.

Separate from the partners' port, on loopback unless it is told otherwise. The console has a login
of its own; the three others have none.
"""

from __future__ import annotations

import datetime as dt
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from gateway.config.settings import Http, HttpTls, Management
from gateway.service.http_server import (
    Admitted,
    Answer,
    Handler,
    HttpServer,
    Received,
    RequestHead,
    wrong_method,
)
from gateway.service.intake import InThread
from gateway.service.metrics import CONTENT_TYPE, GatewayMetrics

IDLE_SECONDS: Final = 60
CONNECTIONS: Final = 256
_PLAIN: Final = "text/plain; charset=utf-8"


class ManagementServer:
    """Listens where `settings` say, or on the socket `given`.

    `unready` tells why the gateway takes nothing at this moment: "" when it does. `/livez` answers
    as long as the process does its work at all. `console`: its routes, none where it is switched
    off; what is sent to it, up to `max_body_bytes`, is written into `incoming` by `in_thread`.
    """

    def __init__(
        self,
        reactor: Any,
        settings: Management,
        *,
        metrics: GatewayMetrics,
        unready: Callable[[], str],
        log: Any,
        incoming: Path,
        in_thread: InThread,
        console: Mapping[str, Handler] | None = None,
        max_body_bytes: int = 1,
        given: socket.socket | None = None,
    ) -> None:
        tls = settings.tls
        self._server = HttpServer(
            reactor,
            settings=Http(
                enabled=True,
                listen=settings.listen,
                port=settings.port,
                max_body_bytes=max_body_bytes,
                max_connections=CONNECTIONS,
                idle_timeout_seconds=IDLE_SECONDS,
                tls=HttpTls(
                    enabled=tls.enabled,
                    certificate_file=tls.certificate_file,
                    key_file=tls.key_file,
                ),
            ),
            routes={
                "/metrics": _Page(lambda: (200, CONTENT_TYPE, metrics.text())),
                "/livez": _Page(lambda: (200, _PLAIN, b"alive\n")),
                "/readyz": _Page(lambda: _readiness(unready())),
                **(console or {}),
            },
            incoming=incoming,
            in_thread=in_thread,
            log=log,
            given=given,
            section="management",
        )

    @property
    def port(self) -> int:
        """The port listened on; 0 before `start`."""
        return self._server.port

    @property
    def certificate_until(self) -> dt.datetime | None:
        """When the certificate in use expires; None without TLS."""
        return self._server.certificate_until

    async def start(self) -> None:
        """Listen. Raises `ConfigurationError` when there is no listening."""
        await self._server.start()

    def prepare(self) -> Callable[[], None]:
        """Get ready for what is in the files of TLS now, as `HttpServer.prepare`."""
        return self._server.prepare()

    async def stop(self, grace: float = 0.0) -> None:
        """Listen no more; what is under way may finish for `grace` seconds."""
        await self._server.stop(grace)


class _Page:
    """One answer, made when it is asked for: status, content type, body."""

    def __init__(self, answer: Callable[[], tuple[int, str, bytes]]) -> None:
        self._answer = answer

    def admit(self, head: RequestHead) -> Answer | Admitted:
        """Anybody may read it."""
        if head.method not in ("GET", "HEAD"):
            return wrong_method("GET", "HEAD")
        return Admitted(max_bytes=0, key=None, max_connections=0)

    async def handle(self, received: Received) -> Answer:
        """As it is now."""
        status, kind, body = self._answer()
        # Whoever asks every few seconds would fill the log with a gateway that is not ready yet.
        return Answer(
            status, (("Content-Type", kind), ("Cache-Control", "no-store")), body, told=True
        )


def _readiness(why_not: str) -> tuple[int, str, bytes]:
    if why_not:
        return 503, _PLAIN, f"{why_not}\n".encode()
    return 200, _PLAIN, b"ready\n"
