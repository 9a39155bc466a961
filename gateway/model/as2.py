"""What is agreed with a partner about AS2, and what is known of one message (RFC 4130).

Names of algorithms are those of the field: `sha-256` as in micalg (RFC 5751 §3.4.3.2),
`aes256-cbc` and `aes256-gcm` as OpenSSL calls the ciphers of RFC 3565 and RFC 5084.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Annotated, Literal

import msgspec


class Digest(StrEnum):
    """Hash functions of signatures and MICs. SHA-1 only where a partner file allows it."""

    SHA1 = "sha-1"
    SHA256 = "sha-256"
    SHA384 = "sha-384"
    SHA512 = "sha-512"


class Cipher(StrEnum):
    """Content encryption. 3DES only where a partner file allows it."""

    AES128_CBC = "aes128-cbc"
    AES192_CBC = "aes192-cbc"
    AES256_CBC = "aes256-cbc"
    AES128_GCM = "aes128-gcm"
    AES192_GCM = "aes192-gcm"
    AES256_GCM = "aes256-gcm"
    TRIPLE_DES = "3des"


class SignatureScheme(StrEnum):
    """How RSA signs: PKCS#1 v1.5 (RFC 3370) or PSS (RFC 4056). Both are understood."""

    PKCS1 = "pkcs1"
    PSS = "pss"


class KeyTransport(StrEnum):
    """How RSA carries the content key: PKCS#1 v1.5 (RFC 3370) or OAEP (RFC 3560)."""

    PKCS1 = "pkcs1"
    OAEP = "oaep"


class Compression(StrEnum):
    """Whether ZLIB compression (RFC 3274, RFC 5402) is applied, and on which side of signing."""

    NONE = "none"
    BEFORE_SIGNING = "before-signing"
    AFTER_SIGNING = "after-signing"


class MdnMode(StrEnum):
    """Which receipt (RFC 3798, RFC 4130 §7) a message asks for."""

    NONE = "none"
    SYNC = "sync"
    ASYNC = "async"


STRONG_DIGESTS = (Digest.SHA256, Digest.SHA384, Digest.SHA512)
STRONG_CIPHERS = tuple(cipher for cipher in Cipher if cipher is not Cipher.TRIPLE_DES)

Headers = tuple[tuple[str, str], ...]
"""Header fields in order, names as they came; values unfolded, without white space around them."""


class As2Receive(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a message of the partner must be. What is weaker gets insufficient-message-security.

    `duplicates`: a Message-ID that comes again with *other* bytes is refused, or taken as a new
    message. The same bytes again always get the same MDN and are taken in once.
    """

    require_signature: bool = True
    require_encryption: bool = True
    digests: tuple[Digest, ...] = STRONG_DIGESTS
    ciphers: tuple[Cipher, ...] = STRONG_CIPHERS
    duplicates: Literal["refuse", "accept"] = "refuse"
    mdn_urls: tuple[str, ...] = ()
    """Asynchronous MDNs go only to a URL that begins with one of these."""


class As2Send(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How messages to the partner are made. `sign` and `encrypt` None: not at all."""

    sign: Digest | None = Digest.SHA256
    signature: SignatureScheme = SignatureScheme.PKCS1
    encrypt: Cipher | None = Cipher.AES256_CBC
    key_transport: KeyTransport = KeyTransport.PKCS1
    compress: Compression = Compression.NONE
    base64: bool = False
    """Bodies in base64 instead of binary, for partners behind equipment that wants text."""
    mdn: MdnMode = MdnMode.SYNC
    mdn_signed: bool = True
    mdn_timeout_seconds: Annotated[float, msgspec.Meta(gt=0, le=604800)] = 3600.0
    """How long an asynchronous MDN may take before the message is sent again."""
    subject: str = "EDI acknowledgement"


class As2Access(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The AS2 side of a partner.

    `id` is its AS2 name (AS2-From in what it sends); `our_id` ours towards it, "" for `as2.id` of
    the settings. `certificates` are files of the folder `paths.certificates`, PEM or DER; several
    with overlapping validity may stand there, and each that is valid is tried. `url` is where
    acknowledgements go; without one they wait for the partner's other channels.
    """

    id: str
    our_id: str = ""
    certificates: tuple[str, ...] = ()
    url: str = ""
    tls_ca_file: str = ""
    max_connections: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 16
    receive: As2Receive = As2Receive()
    send: As2Send = As2Send()


class Failure(StrEnum):
    """Why a message could not be processed: the words of RFC 4130 §7.5.3."""

    DECRYPTION = "decryption-failed"
    AUTHENTICATION = "authentication-failed"
    INTEGRITY = "integrity-check-failed"
    DECOMPRESSION = "decompression-failed"
    SECURITY = "insufficient-message-security"
    UNEXPECTED = "unexpected-processing-error"
    UNSUPPORTED_FORMAT = "unsupported format"
    UNSUPPORTED_MIC = "unsupported MIC-algorithms"


class Mic(msgspec.Struct, frozen=True):
    """A message integrity check (RFC 4130 §7.3.1): the digest in base64, and its algorithm."""

    value: str
    digest: Digest

    def __str__(self) -> str:
        return f"{self.value}, {self.digest}"


class As2Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds for one message. Bytes of what comes out, not of what came in."""

    max_bytes: int = 1_000_000_000
    max_ratio: int = 200
    """Decompression: bytes out for one in, beyond the first 10 MB."""
    max_layers: int = 6
    max_header_bytes: int = 64_000


class Security(msgspec.Struct, frozen=True, kw_only=True):
    """What protected one message. Fingerprints are SHA-256 of the certificate in lower-case hex."""

    encrypted: Cipher | None = None
    decrypted_with: str | None = None
    compressed: bool = False
    signed: Digest | None = None
    signature: SignatureScheme | None = None
    signer: str | None = None


class Opened(msgspec.Struct, frozen=True, kw_only=True, tag="opened"):
    """A message taken out of its wrappings. `path`: the payload; `filename` is the sender's word.

    `mic` None when no receipt with a MIC was asked for and nothing was signed.
    """

    path: str
    sha256: str
    size: int
    filename: str | None
    content_type: str
    security: Security
    mic: Mic | None


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    """A message that cannot be taken. `why` is for the operator, in English, without secrets."""

    failure: Failure
    why: str
    security: Security = Security()
    mic: Mic | None = None


class Mdn(msgspec.Struct, frozen=True, kw_only=True):
    """A receipt ready to travel, as an HTTP response or as a request of its own."""

    headers: Headers
    body: bytes


class MdnRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which receipt a message asks for (RFC 4130 §7.3). `digests` in the sender's order."""

    mode: MdnMode = MdnMode.NONE
    url: str | None = None
    signed: bool = False
    digests: tuple[Digest, ...] = ()


class MdnRead(msgspec.Struct, frozen=True, kw_only=True):
    """What a receipt we got says, once its signature (if any) was verified.

    `processed`: the message was taken without error. `disposition` is the field as it stands.
    """

    original_message_id: str
    processed: bool
    disposition: str
    mic: Mic | None
    signer: str | None
    text: str


class Packed(msgspec.Struct, frozen=True, kw_only=True):
    """A message ready to be sent: its headers, its body at `path`, and the MIC to expect back."""

    headers: Headers
    path: str
    size: int
    mic: Mic


class CertificateInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What people need to know of a certificate. `sha256` in lower-case hex of its DER form."""

    subject: str
    issuer: str
    serial: str
    sha256: str
    not_before: dt.datetime
    not_after: dt.datetime
    key: str
