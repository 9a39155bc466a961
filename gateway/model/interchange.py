"""What arrives: an envelope around bytes, named by an id that sorts by time."""

from __future__ import annotations

import datetime as dt
import uuid
from enum import StrEnum
from typing import Final

import msgspec


class Transport(StrEnum):
    """How a partner reached us, and how acknowledgements go back."""

    SFTP = "sftp"
    AS2 = "as2"
    HTTPS = "https"
    FOLDER = "folder"
    SFTP_REMOTE = "sftp-remote"
    WEB = "web"
    """Dropped in the console by somebody with a login of the partner's."""

    @property
    def known_with(self) -> Transport:
        """Among whose deliveries a file sent again is known.

        What was posted over HTTPS is the same delivery when somebody then drops it in the console.
        """
        return Transport.HTTPS if self is Transport.WEB else self


class Environment(StrEnum):
    """Whether business depends on it. What is of one never comes among what is of the other."""

    PRODUCTION = "production"
    TEST = "test"


class Syntax(StrEnum):
    """What a document is written in."""

    UBL = "ubl"
    CII = "cii"
    CDAR = "cdar"
    """Lifecycle messages (UN/CEFACT), which speak of invoices and are none."""


INVOICE_SYNTAXES: Final = (Syntax.UBL, Syntax.CII)
"""The two syntaxes EN 16931-3 binds to."""


class DocumentType(StrEnum):
    """UBL names it by the root element, CII by BT-3; a status is a lifecycle message."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit-note"
    STATUS = "status"


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """Who sent what, under which name, how. `name` is the partner's word: never a path."""

    partner: str
    name: str
    transport: Transport
    received_at: dt.datetime


class Interchange(msgspec.Struct, frozen=True, kw_only=True):
    """One file as received. `size` in bytes, `sha256` in lower-case hex.

    `rules_on`: the day whose rules judge it, if an operator chose one. `environment`: that of its
    partner when it was received, whatever the partner became since.
    """

    id: str
    envelope: Envelope
    sha256: str
    size: int
    rules_on: dt.date | None = None
    environment: Environment = Environment.PRODUCTION

    @property
    def judged_on(self) -> dt.date:
        """The day whose rules judge it: that of its receipt unless another was chosen."""
        return self.rules_on or self.envelope.received_at.date()


def new_interchange_id(unix_ms: int, randomness: bytes) -> str:
    """A UUID version 7 (RFC 9562 §5.7): sorts by time, needs no machine name.

    `randomness`: 10 bytes.
    """
    if len(randomness) != 10:
        raise ValueError("randomness must be 10 bytes")
    rand = int.from_bytes(randomness, "big")
    value = (unix_ms & (1 << 48) - 1) << 80
    value |= 0x7 << 76
    value |= (rand >> 68 & 0xFFF) << 64
    value |= 0b10 << 62
    value |= rand & (1 << 62) - 1
    return str(uuid.UUID(int=value))
