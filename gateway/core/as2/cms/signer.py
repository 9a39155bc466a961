"""SignerInfo (RFC 5652 §5.3): one signature, and the check of it against one certificate."""

from __future__ import annotations

from typing import Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, AsymmetricPadding, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import Hash

from gateway.core.as2.cms import algorithms
from gateway.core.as2.cms.algorithms import (
    HASHES,
    SIGNATURES,
    Algorithm,
    algorithm,
    digest_named,
    shown,
)
from gateway.core.as2.cms.der import (
    INTEGER,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    SET,
    Element,
    Fields,
    context,
    elements,
    set_of,
    small_int,
    tlv,
)
from gateway.core.as2.cms.errors import AuthenticationFailed, IntegrityFailed, NotAllowed, NotCms
from gateway.core.as2.cms.identifiers import Identifier, read_identifier
from gateway.core.as2.cms.key_transport import mgf1_digest
from gateway.core.as2.cms.keys import rsa_key
from gateway.model.as2 import Digest, SignatureScheme

_MAX_SALT: Final = 1024
_DEFAULT_SALT: Final = 20


class Signer(NamedTuple):
    """A SignerInfo. `attributes`: those that are signed, if there are any."""

    identifier: Identifier
    digest: Algorithm
    attributes: Element | None
    algorithm: Algorithm
    signature: bytes


def read_signer(element: Element) -> Signer:
    """Read a SignerInfo; unsigned attributes are ignored. Raises NotCms."""
    fields = Fields(element, "A signer")
    fields.take(INTEGER)
    identifier = read_identifier(fields)
    digest = algorithm(fields.take(SEQUENCE))
    attributes = fields.optional(context(0))
    signed_with = algorithm(fields.take(SEQUENCE))
    signature = fields.take(OCTET_STRING).content
    fields.optional(context(1))
    fields.end()
    return Signer(identifier, digest, attributes, signed_with, signature)


class Scheme(NamedTuple):
    """How a signer signs. `mask`: the digest of MGF1 under PSS, else that of the signature."""

    digest: Digest
    scheme: SignatureScheme
    mask: Digest
    padding: AsymmetricPadding


def read_scheme(signer: Signer) -> Scheme:
    """The algorithms of a signer, which must agree. Raises NotAllowed, NotCms.

    PKCS#1 v1.5 goes by two names: rsaEncryption, and the one that names the digest once more
    (RFC 3370 §3.2, RFC 5754 §3.2).
    """
    digest = digest_named(signer.digest)
    if signer.algorithm.oid not in SIGNATURES:
        raise NotAllowed(f"The signature algorithm {shown(signer.algorithm.oid)} is not supported.")
    scheme, named = SIGNATURES[signer.algorithm.oid]
    mask = digest
    padding: AsymmetricPadding = PKCS1v15()
    if scheme is SignatureScheme.PSS:
        named, mask, salt = _pss_parameters(signer.algorithm.parameters)
        padding = PSS(MGF1(HASHES[mask]), salt)
    if named not in {None, digest}:
        raise NotCms(f"The signature names two digests, {digest} and {named}.")
    return Scheme(digest, scheme, mask, padding)


def _pss_parameters(parameters: Element | None) -> tuple[Digest, Digest, int]:
    """RSASSA-PSS-params (RFC 4055 §3.1): digest, digest of MGF1, bytes of salt."""
    digest = mask = Digest.SHA1
    salt = _DEFAULT_SALT
    if parameters is not None:
        fields = Fields(parameters, "The parameters of PSS")
        if (found := fields.explicit(0)) is not None:
            digest = digest_named(algorithm(found))
        if (found := fields.explicit(1)) is not None:
            mask = mgf1_digest(found)
        if (found := fields.explicit(2)) is not None:
            salt = small_int(found)
        if (found := fields.explicit(3)) is not None and small_int(found) != 1:
            raise NotCms("The trailer field of PSS is unknown.")
        fields.end()
    if salt > _MAX_SALT:
        raise NotCms("The salt of PSS is longer than any key.")
    return digest, mask, salt


def check_signer(signer: Signer, how: Scheme, value: bytes, certificate: x509.Certificate) -> None:
    """Check one signature with the key of one certificate.

    `value`: the digest of the content as it came. Raises IntegrityFailed, AuthenticationFailed
    (the certificate's key is not RSA), NotCms.
    """
    key = rsa_key(certificate)
    if key is None:
        raise AuthenticationFailed("The signer's certificate has no RSA key.")
    for signed in _signed_values(signer, how.digest, value):
        try:
            key.verify(signer.signature, signed, how.padding, Prehashed(HASHES[how.digest]))
        except (InvalidSignature, ValueError):
            continue
        return
    raise IntegrityFailed("The signature does not match.")


def _signed_values(signer: Signer, digest: Digest, value: bytes) -> list[bytes]:
    """The digests that may be under the signature (RFC 5652 §5.4).

    Signed attributes are signed in DER. Some signers forget to sort them and sign what they send;
    those are tried as they came, too, as OpenSSL does: what is read of them is the same.
    """
    if signer.attributes is None:
        return [value]
    attributes = list(elements(signer.attributes.content))
    values = _attribute_values(attributes)
    if values.get(algorithms.CONTENT_TYPE) != algorithms.DATA:
        raise IntegrityFailed("The signature is not one of data: its content type is missing.")
    if values.get(algorithms.MESSAGE_DIGEST) != tlv(OCTET_STRING, value):
        raise IntegrityFailed("The content is not what was signed: its digest is another.")
    as_der = set_of(_sorted(attribute) for attribute in attributes)
    as_sent = tlv(SET, signer.attributes.content)
    return [_hashed(digest, encoded) for encoded in dict.fromkeys((as_der, as_sent))]


_SINGLE: Final = frozenset({algorithms.CONTENT_TYPE, algorithms.MESSAGE_DIGEST})
"""Attributes of which there must be one, with one value (RFC 5652 §11.1, §11.2)."""


def _attribute_values(attributes: list[Element]) -> dict[bytes, bytes]:
    """The values, encoded, of the attributes that matter here. Raises NotCms."""
    found: dict[bytes, bytes] = {}
    for attribute in attributes:
        fields = Fields(attribute, "A signed attribute")
        oid = fields.take(OBJECT_IDENTIFIER).encoded
        values = fields.take(SET)
        fields.end()
        if oid not in _SINGLE:
            continue
        single = list(elements(values.content))
        if oid in found or len(single) != 1:
            raise NotCms("A signed attribute that must be there once has several values.")
        found[oid] = single[0].encoded
    return found


def _sorted(attribute: Element) -> bytes:
    oid, values = elements(attribute.content)
    return tlv(SEQUENCE, oid.encoded, set_of(value.encoded for value in elements(values.content)))


def _hashed(digest: Digest, data: bytes) -> bytes:
    hashing = Hash(HASHES[digest])
    hashing.update(data)
    return hashing.finalize()
