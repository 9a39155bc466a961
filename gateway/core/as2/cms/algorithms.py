"""Every algorithm that is understood, by its object identifier. What is not here is refused.

Sources: RFC 3370 (RSA, SHA-1, 3DES), RFC 5754 (SHA-2), RFC 4056 (PSS), RFC 3560 (OAEP), RFC 3565
(AES-CBC), RFC 5084 (AES-GCM), RFC 3274 (ZLIB). Identifiers are kept in their encoded form, which
is how they are compared.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from asn1crypto import core
from cryptography.hazmat.primitives import hashes

from gateway.core.as2.cms.der import (
    NULL,
    OBJECT_IDENTIFIER,
    SEQUENCE,
    Element,
    Fields,
    tlv,
)
from gateway.core.as2.cms.errors import NotAllowed
from gateway.model.as2 import Cipher, Digest, SignatureScheme


def _oid(dotted: str) -> bytes:
    encoded: bytes = core.ObjectIdentifier(dotted).dump()
    return encoded


DATA: Final = _oid("1.2.840.113549.1.7.1")
SIGNED_DATA: Final = _oid("1.2.840.113549.1.7.2")
ENVELOPED_DATA: Final = _oid("1.2.840.113549.1.7.3")
COMPRESSED_DATA: Final = _oid("1.2.840.113549.1.9.16.1.9")
AUTH_ENVELOPED_DATA: Final = _oid("1.2.840.113549.1.9.16.1.23")

CONTENT_TYPE: Final = _oid("1.2.840.113549.1.9.3")
MESSAGE_DIGEST: Final = _oid("1.2.840.113549.1.9.4")
SIGNING_TIME: Final = _oid("1.2.840.113549.1.9.5")

ZLIB: Final = _oid("1.2.840.113549.1.9.16.3.8")

RSA: Final = _oid("1.2.840.113549.1.1.1")
"""rsaEncryption: PKCS#1 v1.5, of keys and (with the digest named elsewhere) of signatures."""
OAEP: Final = _oid("1.2.840.113549.1.1.7")
MGF1: Final = _oid("1.2.840.113549.1.1.8")
P_SPECIFIED: Final = _oid("1.2.840.113549.1.1.9")
PSS: Final = _oid("1.2.840.113549.1.1.10")

DIGESTS: Final = {
    _oid("1.3.14.3.2.26"): Digest.SHA1,
    _oid("2.16.840.1.101.3.4.2.1"): Digest.SHA256,
    _oid("2.16.840.1.101.3.4.2.2"): Digest.SHA384,
    _oid("2.16.840.1.101.3.4.2.3"): Digest.SHA512,
}
DIGEST_IDS: Final = {digest: oid for oid, digest in DIGESTS.items()}

HASHES: Final[dict[Digest, hashes.HashAlgorithm]] = {
    Digest.SHA1: hashes.SHA1(),  # noqa: S303  only where a partner file allows it
    Digest.SHA256: hashes.SHA256(),
    Digest.SHA384: hashes.SHA384(),
    Digest.SHA512: hashes.SHA512(),
}

SIGNATURES: Final[dict[bytes, tuple[SignatureScheme, Digest | None]]] = {
    RSA: (SignatureScheme.PKCS1, None),
    _oid("1.2.840.113549.1.1.5"): (SignatureScheme.PKCS1, Digest.SHA1),
    _oid("1.3.14.3.2.29"): (SignatureScheme.PKCS1, Digest.SHA1),
    _oid("1.2.840.113549.1.1.11"): (SignatureScheme.PKCS1, Digest.SHA256),
    _oid("1.2.840.113549.1.1.12"): (SignatureScheme.PKCS1, Digest.SHA384),
    _oid("1.2.840.113549.1.1.13"): (SignatureScheme.PKCS1, Digest.SHA512),
    PSS: (SignatureScheme.PSS, None),
}
"""Signature algorithms, and the digest that some of them name once more."""


class CipherKind(NamedTuple):
    """`key` in bytes; `block` of the initialization vector in bytes; `gcm`: authenticated."""

    oid: bytes
    key: int
    block: int
    gcm: bool


CIPHERS: Final = {
    Cipher.AES128_CBC: CipherKind(_oid("2.16.840.1.101.3.4.1.2"), 16, 16, gcm=False),
    Cipher.AES192_CBC: CipherKind(_oid("2.16.840.1.101.3.4.1.22"), 24, 16, gcm=False),
    Cipher.AES256_CBC: CipherKind(_oid("2.16.840.1.101.3.4.1.42"), 32, 16, gcm=False),
    Cipher.AES128_GCM: CipherKind(_oid("2.16.840.1.101.3.4.1.6"), 16, 16, gcm=True),
    Cipher.AES192_GCM: CipherKind(_oid("2.16.840.1.101.3.4.1.26"), 24, 16, gcm=True),
    Cipher.AES256_GCM: CipherKind(_oid("2.16.840.1.101.3.4.1.46"), 32, 16, gcm=True),
    Cipher.TRIPLE_DES: CipherKind(_oid("1.2.840.113549.3.7"), 24, 8, gcm=False),
}
CIPHER_OF: Final = {kind.oid: cipher for cipher, kind in CIPHERS.items()}

_REFUSED: Final = {
    _oid("1.2.840.113549.2.5"): "MD5",
    _oid("2.16.840.1.101.3.4.2.4"): "SHA-224",
    _oid("1.2.840.113549.1.1.4"): "RSA with MD5",
    _oid("1.2.840.113549.1.1.14"): "RSA with SHA-224",
    _oid("1.2.840.10045.4.3.2"): "ECDSA with SHA-256",
    _oid("1.2.840.10045.4.3.3"): "ECDSA with SHA-384",
    _oid("1.2.840.10045.4.3.4"): "ECDSA with SHA-512",
    _oid("1.3.101.112"): "Ed25519",
    _oid("1.3.14.3.2.7"): "DES",
    _oid("1.2.840.113549.3.2"): "RC2",
    _oid("1.2.840.113549.3.4"): "RC4",
}
"""What partners may try, so that the operator reads its name."""

_MAX_SHOWN: Final = 30


class Algorithm(NamedTuple):
    """An AlgorithmIdentifier (RFC 5280 §4.1.1.2); `oid` encoded."""

    oid: bytes
    parameters: Element | None


def algorithm(element: Element | bytes) -> Algorithm:
    """Read an AlgorithmIdentifier; NULL parameters are none. Raises NotCms."""
    fields = Fields(element, "An algorithm")
    oid = fields.take(OBJECT_IDENTIFIER).encoded
    parameters = fields.any()
    fields.end()
    return Algorithm(oid, None if parameters is None or parameters.tag == NULL else parameters)


def identifier(oid: bytes, *parameters: bytes) -> bytes:
    """Write an AlgorithmIdentifier; no parameters are absent, not NULL (RFC 5754 §2)."""
    return tlv(SEQUENCE, oid, *parameters)


def shown(oid: bytes) -> str:
    """An object identifier for people: its name here if it has one, else its numbers."""
    if oid in _REFUSED:
        return _REFUSED[oid]
    try:
        dotted: str = core.ObjectIdentifier.load(oid[:_MAX_SHOWN]).dotted
    except (ValueError, TypeError, IndexError):
        return "a malformed identifier"
    return dotted


def digest_named(found: Algorithm) -> Digest:
    """The digest an AlgorithmIdentifier names. Raises NotAllowed when it is unknown here."""
    digest = DIGESTS.get(found.oid)
    if digest is None:
        raise NotAllowed(f"The digest algorithm {shown(found.oid)} is not supported.")
    return digest
