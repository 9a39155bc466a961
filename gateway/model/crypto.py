"""What the daemon asks of a crypto worker: open a message, pack one, read a receipt.

Private keys travel once, in the boot frame on the worker's standard input: never on a command
line, in an environment, or to a judge.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from gateway.model.as2 import (
    As2Access,
    As2Limits,
    Headers,
    Mdn,
    MdnRead,
    Opened,
    Packed,
    Refused,
)

SCRATCH_PREFIX = "crypto-"
"""The folder a worker makes in `CryptoBoot.scratch` is called so, and by its process id."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One of our identities: certificate and PKCS#8 private key, both DER. Never shown."""

    certificate: bytes
    private_key: bytes

    def __repr__(self) -> str:
        return "Key(…)"


class Counterpart(msgspec.Struct, frozen=True, kw_only=True):
    """A partner: what is agreed, and its certificates in DER."""

    access: As2Access
    certificates: tuple[bytes, ...]


class CryptoBoot(msgspec.Struct, frozen=True, kw_only=True):
    """First frame a crypto worker receives. `keys`: the newest first; partners by name.

    `spool` is the folder of the spool, `scratch` one on the same file system where each worker
    makes a folder of its own.
    """

    keys: tuple[Key, ...]
    partners: dict[str, Counterpart]
    spool: str
    scratch: str
    limits: As2Limits = As2Limits()


class OpenJob(msgspec.Struct, frozen=True, kw_only=True, tag="open"):
    """Take a message out of its wrappings, store it and its payload, make the receipt.

    The request's body as received is `body`, or, if that is None, the fsynced file at `path` on
    the spool's file system; `sha256` is of its bytes. `mdn_id` is the receipt's Message-ID.
    """

    partner: str
    headers: Headers
    body: bytes | None
    path: str
    sha256: str
    now: dt.datetime
    mdn_id: str


class OpenAnswer(msgspec.Struct, frozen=True, kw_only=True, tag="opened"):
    """`mdn` None: none was asked for.

    What was opened is in the spool, payload and body, and durable. Of what was refused nothing is.
    """

    outcome: Opened | Refused
    mdn: Mdn | None
    certificate: bytes | None = None
    """The signer's certificate in DER, for evidence."""


class PackJob(msgspec.Struct, frozen=True, kw_only=True, tag="pack"):
    """Make a message for a partner out of the file at `path`. `mdn_url`: where to, if async."""

    partner: str
    path: str
    into: str
    filename: str
    content_type: str
    message_id: str
    our_id: str
    mdn_url: str | None
    now: dt.datetime
    known_to_partner: str | None = None
    """Of our certificates, the one the partner last encrypted for: it surely has that one."""


class PackAnswer(msgspec.Struct, frozen=True, kw_only=True, tag="packed"):
    """The message, and the certificates it was made with (SHA-256)."""

    packed: Packed
    signed_with: str | None
    encrypted_for: str | None


class ReadJob(msgspec.Struct, frozen=True, kw_only=True, tag="read"):
    """Read a receipt and verify its signature. Receipts are small: `body` is in memory."""

    partner: str
    headers: Headers
    body: bytes
    now: dt.datetime


class ReadAnswer(msgspec.Struct, frozen=True, kw_only=True, tag="read"):
    """What the receipt says, or why it is none we can trust."""

    read: MdnRead | None
    fault: str | None = None
    certificate: bytes | None = None


class RefuseJob(msgspec.Struct, frozen=True, kw_only=True, tag="refuse"):
    """Make the receipt that says no to a message, for a reason that crypto does not know."""

    partner: str
    headers: Headers
    outcome: Refused
    now: dt.datetime
    mdn_id: str


CryptoJob = OpenJob | PackJob | ReadJob | RefuseJob
CryptoAnswer = OpenAnswer | PackAnswer | ReadAnswer
