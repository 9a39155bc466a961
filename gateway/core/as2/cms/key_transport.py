"""How RSA carries the content key (RFC 5652 §6.2.1): PKCS#1 v1.5 (RFC 3370) or OAEP (RFC 3560)."""

from __future__ import annotations

import secrets
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import (
    MGF1,
    OAEP,
    AsymmetricPadding,
    PKCS1v15,
)

from gateway.core.as2.cms import algorithms
from gateway.core.as2.cms.algorithms import HASHES, Algorithm, algorithm, digest_named, shown
from gateway.core.as2.cms.der import (
    NULL,
    OCTET_STRING,
    SEQUENCE,
    Element,
    Fields,
    context,
    integer,
    tlv,
)
from gateway.core.as2.cms.errors import NotAllowed, NotCms
from gateway.core.as2.cms.identifiers import Identifier, read_identifier, write_identifier
from gateway.core.as2.cms.keys import Identity, rsa_key
from gateway.model.as2 import Digest, KeyTransport

_OAEP_DIGEST: Final = Digest.SHA256
"""What OAEP is written with. All four digests are read: SHA-1 is not weak here (RFC 8017 §B.1)."""


class Recipient(NamedTuple):
    """A KeyTransRecipientInfo: for whom, how, and the encrypted key."""

    identifier: Identifier
    algorithm: Algorithm
    encrypted_key: bytes

    @property
    def transport(self) -> KeyTransport:
        """Which of the two. Raises NotAllowed for any other."""
        if self.algorithm.oid == algorithms.RSA:
            return KeyTransport.PKCS1
        if self.algorithm.oid == algorithms.OAEP:
            return KeyTransport.OAEP
        raise NotAllowed(f"The key encryption {shown(self.algorithm.oid)} is not supported.")

    def key(self, identity: Identity, size: int) -> bytes:
        """The content key of `size` bytes; a random one when ours does not open it.

        With a random key, decryption fails later, in the same way and after the same time as with
        a good key and damaged content: whoever sends variations of a key that he recorded learns
        nothing about it from our answers (RFC 3218 §2.3.2). Raises NotAllowed, NotCms.
        """
        padding = self._padding()
        random = secrets.token_bytes(size)
        try:
            key = identity.private_key.decrypt(self.encrypted_key, padding)
        except ValueError:
            return random
        return key if len(key) == size else random

    def _padding(self) -> AsymmetricPadding:
        if self.transport is KeyTransport.PKCS1:
            return PKCS1v15()
        return _oaep(self.algorithm.parameters)


def read_recipient(encoded: bytes) -> Recipient | None:
    """One RecipientInfo; None for a kind that is not for RSA. Raises NotCms."""
    if encoded[0] != SEQUENCE:
        return None
    fields = Fields(encoded, "A recipient")
    fields.take(0x02)
    identifier = read_identifier(fields)
    how = algorithm(fields.take(SEQUENCE))
    encrypted_key = fields.take(OCTET_STRING).content
    fields.end()
    return Recipient(identifier, how, encrypted_key)


def write_recipient(certificate: x509.Certificate, key: bytes, transport: KeyTransport) -> bytes:
    """A KeyTransRecipientInfo for the owner of the certificate.

    Raises ValueError when the certificate has no RSA key, or one too short for the transport.
    """
    public = rsa_key(certificate)
    if public is None:
        raise ValueError("The recipient's certificate has no RSA key, so that it cannot be used.")
    if transport is KeyTransport.PKCS1:
        how = algorithms.identifier(algorithms.RSA, tlv(NULL))
        encrypted = public.encrypt(key, PKCS1v15())
    else:
        how = _OAEP_IDENTIFIER
        encrypted = public.encrypt(key, _oaep_padding(_OAEP_DIGEST, _OAEP_DIGEST))
    return tlv(
        SEQUENCE, integer(0), write_identifier(certificate), how, tlv(OCTET_STRING, encrypted)
    )


def _oaep(parameters: Element | None) -> AsymmetricPadding:
    """RSAES-OAEP-params (RFC 8017 §A.2.1), each field with its default."""
    digest = mask = Digest.SHA1
    label = b""
    if parameters is not None:
        fields = Fields(parameters, "The parameters of OAEP")
        if (found := fields.explicit(0)) is not None:
            digest = digest_named(algorithm(found))
        if (found := fields.explicit(1)) is not None:
            mask = mgf1_digest(found)
        if (found := fields.explicit(2)) is not None:
            label = _label(algorithm(found))
        fields.end()
    return _oaep_padding(digest, mask, label)


def _label(source: Algorithm) -> bytes:
    if source.oid != algorithms.P_SPECIFIED:
        raise NotAllowed(f"The OAEP label source {shown(source.oid)} is not supported.")
    if source.parameters is None or source.parameters.tag != OCTET_STRING:
        raise NotCms("The label of OAEP is missing.")
    return source.parameters.content


def mgf1_digest(element: Element) -> Digest:
    """The digest of MGF1 (RFC 8017 §B.2.1). Raises NotAllowed for another mask generation."""
    mask = algorithm(element)
    if mask.oid != algorithms.MGF1:
        raise NotAllowed(f"The mask generation {shown(mask.oid)} is not supported.")
    if mask.parameters is None:
        raise NotCms("MGF1 names no digest.")
    return digest_named(algorithm(mask.parameters))


def _oaep_padding(digest: Digest, mask: Digest, label: bytes = b"") -> AsymmetricPadding:
    return OAEP(MGF1(HASHES[mask]), HASHES[digest], label or None)


def mgf1(digest: Digest) -> bytes:
    """The AlgorithmIdentifier of MGF1 with a digest."""
    inner = algorithms.identifier(algorithms.DIGEST_IDS[digest], tlv(NULL))
    return algorithms.identifier(algorithms.MGF1, inner)


_OAEP_IDENTIFIER: Final = algorithms.identifier(
    algorithms.OAEP,
    tlv(
        SEQUENCE,
        tlv(
            context(0),
            algorithms.identifier(algorithms.DIGEST_IDS[_OAEP_DIGEST], tlv(NULL)),
        ),
        tlv(context(1), mgf1(_OAEP_DIGEST)),
    ),
)
