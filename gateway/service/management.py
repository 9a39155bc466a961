"""The listener for what watches the gateway: `/metrics`, `/livez`, `/readyz`. No login, no partner.

Separate from the partners' port, on loopback unless it is told otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet import error
from twisted.internet.defer import maybeDeferred
from twisted.web.resource import Resource
from twisted.web.server import Site

from gateway.config.settings import Management
from gateway.errors import ConfigurationError
from gateway.service.metrics import CONTENT_TYPE, GatewayMetrics

IDLE_SECONDS: Final = 60.0
_PLAIN: Final = "text/plain; charset=utf-8"
# Twisted's web server has no annotations.
_resource: Any = Resource
_site: Any = Site


class ManagementServer:
    """Listens where `settings` say.

    `unready` tells why the gateway takes nothing at this moment: "" when it does. `/livez` answers
    as long as the process does its work at all.
    """

    def __init__(
        self,
        reactor: Any,
        settings: Management,
        *,
        metrics: GatewayMetrics,
        unready: Callable[[], str],
        log: Any,
    ) -> None:
        self._reactor = reactor
        self._settings = settings
        self._log = log
        self._listener: Any = None
        root = _resource()
        root.putChild(b"metrics", _Page(lambda: (200, CONTENT_TYPE, metrics.text())))
        root.putChild(b"livez", _Page(lambda: (200, _PLAIN, b"alive\n")))
        root.putChild(b"readyz", _Page(lambda: _readiness(unready())))
        self._site = _site(root, timeout=IDLE_SECONDS)
        self._site.noisy = False
        self._site.log = lambda _request: None  # a line for every look would hide the others

    @property
    def port(self) -> int:
        """The port listened on; 0 before `start`."""
        return int(self._listener.getHost().port) if self._listener is not None else 0

    def start(self) -> None:
        """Listen. Raises `ConfigurationError` when there is no listening."""
        where, port = self._settings.listen, self._settings.port
        try:
            self._listener = self._reactor.listenTCP(port, self._site, interface=where)
        except error.CannotListenError as failure:
            why = getattr(failure.socketError, "strerror", None) or failure.socketError
            raise ConfigurationError(
                f"The management listener cannot listen on {where} port {port}: {why}.",
                remedy="Change management.listen or management.port, or stop what uses it.",
            ) from failure
        self._log.info("management_listening", listen=where, port=self.port)

    async def stop(self) -> None:
        """Listen no more."""
        listener, self._listener = self._listener, None
        if listener is not None:
            await maybeDeferred(listener.stopListening)


class _Page(Resource):
    """One answer, made when it is asked for: status, content type, body."""

    isLeaf = True  # noqa: N815  # Twisted's name

    def __init__(self, answer: Callable[[], tuple[int, str, bytes]]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Twisted's, without annotations
        self._answer = answer

    def render_GET(self, request: Any) -> bytes:  # noqa: N802  # Twisted's name; HEAD comes here too
        status, kind, body = self._answer()
        request.setResponseCode(status)
        request.setHeader("Content-Type", kind)
        request.setHeader("Cache-Control", "no-store")
        return body


def _readiness(why_not: str) -> tuple[int, str, bytes]:
    if why_not:
        return 503, _PLAIN, f"{why_not}\n".encode()
    return 200, _PLAIN, b"ready\n"
