"""Making a detached SignedData (RFC 5652 §5), in DER."""

from __future__ import annotations

from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, AsymmetricPadding, PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.core.as2.cms import algorithms
from gateway.core.as2.cms.algorithms import DIGEST_IDS, HASHES
from gateway.core.as2.cms.der import (
    NULL,
    OCTET_STRING,
    SEQUENCE,
    SET,
    context,
    elements,
    integer,
    set_of,
    time,
    tlv,
)
from gateway.core.as2.cms.identifiers import write_identifier
from gateway.core.as2.cms.key_transport import mgf1
from gateway.core.as2.cms.keys import Identity
from gateway.model.as2 import Digest, SignatureScheme


def sign(
    digest: Digest, value: bytes, identity: Identity, *, scheme: SignatureScheme, now: datetime
) -> bytes:
    """Sign a content by its digest `value`.

    The signed attributes are content type, signing time and message digest; our certificate goes
    along. PSS uses the same digest for MGF1, and a salt as long as it (RFC 4056 §3). `now` has a
    time zone. Raises ValueError when it has none, or when `value` is not as long as the digest.
    """
    hashing = HASHES[digest]
    if len(value) != hashing.digest_size:
        raise ValueError(f"{len(value)} bytes are no {digest} digest")
    attributes = set_of(
        (
            _attribute(algorithms.CONTENT_TYPE, algorithms.DATA),
            _attribute(algorithms.SIGNING_TIME, time(now)),
            _attribute(algorithms.MESSAGE_DIGEST, tlv(OCTET_STRING, value)),
        )
    )
    signature = identity.private_key.sign(attributes, _padding(digest, scheme), hashing)
    digest_algorithm = algorithms.identifier(DIGEST_IDS[digest])
    signer = tlv(
        SEQUENCE,
        integer(1),
        write_identifier(identity.certificate),
        digest_algorithm,
        tlv(context(0), next(elements(attributes)).content),
        _signature_algorithm(digest, scheme),
        tlv(OCTET_STRING, signature),
    )
    signed = tlv(
        SEQUENCE,
        integer(1),
        tlv(SET, digest_algorithm),
        tlv(SEQUENCE, algorithms.DATA),
        tlv(context(0), identity.certificate.public_bytes(Encoding.DER)),
        tlv(SET, signer),
    )
    return tlv(SEQUENCE, algorithms.SIGNED_DATA, tlv(context(0), signed))


def _attribute(oid: bytes, value: bytes) -> bytes:
    return tlv(SEQUENCE, oid, tlv(SET, value))


def _padding(digest: Digest, scheme: SignatureScheme) -> AsymmetricPadding:
    if scheme is SignatureScheme.PKCS1:
        return PKCS1v15()
    return PSS(MGF1(HASHES[digest]), HASHES[digest].digest_size)


def _signature_algorithm(digest: Digest, scheme: SignatureScheme) -> bytes:
    """The AlgorithmIdentifier; PSS leaves out what is the default, as DER wants it."""
    if scheme is SignatureScheme.PKCS1:
        return algorithms.identifier(algorithms.RSA, tlv(NULL))
    fields = []
    if digest is not Digest.SHA1:
        named = algorithms.identifier(DIGEST_IDS[digest], tlv(NULL))
        salt = integer(HASHES[digest].digest_size)
        fields = [tlv(context(0), named), tlv(context(1), mgf1(digest)), tlv(context(2), salt)]
    return algorithms.identifier(algorithms.PSS, tlv(SEQUENCE, *fields))
