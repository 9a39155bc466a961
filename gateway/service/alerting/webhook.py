"""An alert as JSON, posted to the operator's URL. 2xx: it was taken; no redirect is followed.

The URL and the token may be the receiver's secret: errors name its host alone.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Final

import msgspec
from twisted.internet import defer
from twisted.internet.protocol import Protocol
from twisted.web.client import (
    Agent,
    BrowserLikePolicyForHTTPS,
    FileBodyProducer,
    RequestTransmissionFailed,
    ResponseNeverReceived,
)
from twisted.web.http_headers import Headers

from gateway.config.alert_settings import Webhook
from gateway.config.files import read_secret
from gateway.errors import DeliveryFailed, DeliveryRefused
from gateway.service.alerting.messages import AlertMessage
from gateway.service.alerting.trust import SECONDS, authorities, why_unreachable

CONNECT_SECONDS: Final = 20.0
_REFUSES_THIS: Final = frozenset({400, 411, 413, 415, 422})
"""Statuses that speak of the message sent (RFC 9110 §15.5), not of who may send or when."""
_REMEDY: Final = "Check alerts.webhook; it is tried again by itself."

# Twisted's web client has no annotations.
_web_agent: Any = Agent
_policy: Any = BrowserLikePolicyForHTTPS
_producer: Any = FileBodyProducer


class WebhookSender:
    """Posts each message, by a connection of its own: they are few. Files are read each time."""

    name = "webhook"

    def __init__(self, reactor: Any, settings: Webhook) -> None:
        self._reactor = reactor
        self._settings = settings
        self.where = settings.host

    async def send(self, message: AlertMessage) -> None:
        """Return once it was taken; raises `DeliveryFailed`, or `DeliveryRefused`."""
        headers = Headers({"User-Agent": ["edi-gateway"], "Content-Type": ["application/json"]})
        if self._settings.token_file:
            token = read_secret(Path(self._settings.token_file), "the webhook's token")
            if token.fault:
                raise DeliveryFailed(token.fault.what, remedy=token.fault.remedy)
            headers.setRawHeaders("Authorization", [f"Bearer {token.value}"])
        agent = _web_agent(
            self._reactor,
            _policy(trustRoot=authorities(self._settings.ca_file)),
            connectTimeout=CONNECT_SECONDS,
        )
        body = io.BytesIO(msgspec.json.encode(message))
        going: defer.Deferred[int] = defer.Deferred.fromCoroutine(
            self._exchange(agent, headers, body)
        )
        going.addTimeout(SECONDS, self._reactor)
        try:
            status = await going
        except defer.TimeoutError as error:
            raise DeliveryFailed(
                f"{self.where} did not answer within {SECONDS:g} s.", remedy=_REMEDY
            ) from error
        except defer.CancelledError:
            raise
        except Exception as error:
            raise DeliveryFailed(
                f"{self.where} could not be reached: {_why(error)}.", remedy=_REMEDY
            ) from None  # what caused it may repeat the URL
        if not 200 <= status < 300:
            failed = DeliveryRefused if status in _REFUSES_THIS else DeliveryFailed
            raise failed(f"{self.where} answered {status}.", remedy=_REMEDY)

    async def _exchange(self, agent: Any, headers: Headers, body: io.BytesIO) -> int:
        url = self._settings.url.encode("ascii")
        answer = await agent.request(b"POST", url, headers, _producer(body))
        answer.deliverBody(_Unread())
        return int(answer.code)


class _Unread(Protocol):
    """Nobody reads the answer's body, however long: the status has said it all."""

    def connectionMade(self) -> None:  # noqa: N802  # Twisted's name
        transport: Any = self.transport
        transport.loseConnection()


def _why(error: BaseException) -> str:
    """In words that repeat no part of the request."""
    if isinstance(error, RequestTransmissionFailed | ResponseNeverReceived) and error.reasons:
        return "; ".join(_why(reason.value) for reason in error.reasons)
    if isinstance(error, defer.CancelledError):
        return f"it did not answer within {SECONDS:g} s"
    return why_unreachable(error)
