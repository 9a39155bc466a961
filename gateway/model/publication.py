"""What leaves: one message for one exchange, with an id that is the same at every attempt."""

from __future__ import annotations

import datetime as dt
import uuid
from enum import StrEnum

import msgspec

from gateway.model.interchange import Environment

NAMESPACE = uuid.UUID("6f0f1c3e-3b0e-5b0f-9c52-0d8b3b8f6a11")
"""Namespace of every message id (RFC 9562 §5.5)."""


_PAYLOAD = "urn:edi-gateway:payload:"


class Exchange(StrEnum):
    """Durable topic exchanges that consumers bind to; those of tests are others."""

    DOCUMENTS = "edi.documents"
    ACKNOWLEDGEMENTS = "edi.acknowledgements"
    EVENTS = "edi.events"
    TEST_DOCUMENTS = "edi.test.documents"
    TEST_ACKNOWLEDGEMENTS = "edi.test.acknowledgements"
    TEST_EVENTS = "edi.test.events"

    @property
    def environment(self) -> Environment:
        """Whose messages it has."""
        test = self.value.startswith("edi.test.")
        return Environment.TEST if test else Environment.PRODUCTION

    def of(self, environment: Environment) -> Exchange:
        """The one of the same kind for this environment."""
        kind = self.value.rpartition(".")[2]
        return Exchange(f"edi.test.{kind}" if environment is Environment.TEST else f"edi.{kind}")


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """One message. `headers` are AMQP headers with string or integer values.

    `type` names the kind of body for consumers; `correlation_id` is the interchange id;
    `mandatory` messages must reach a queue (AMQP 0-9-1, basic.publish).
    """

    message_id: str
    exchange: Exchange
    routing_key: str
    content_type: str
    type: str
    correlation_id: str
    timestamp: dt.datetime
    headers: dict[str, str | int]
    body: bytes
    mandatory: bool = True


def payload_uri(sha256: str) -> str:
    """What messages call a file of the spool by. It names bytes, not a place: see asyncapi.yaml."""
    return _PAYLOAD + sha256


def message_id(interchange: str, ordinal: int, kind: str, revision: int) -> str:
    """UUIDv5 of what a message is about: stable over retries, new for a new revision.

    `ordinal` is the document's (1-based), 0 for the interchange itself.
    """
    return str(uuid.uuid5(NAMESPACE, f"{interchange}/{ordinal}/{kind}/{revision}"))
