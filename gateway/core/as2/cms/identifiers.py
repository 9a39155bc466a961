"""Which certificate a recipient or signer is: issuer and serial number, or key identifier.

RFC 5652 §6.2.1 and §5.3: both are told in the same two ways.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from asn1crypto import x509 as asn1_x509
from cryptography import x509

from gateway.core.as2.cms.der import INTEGER, SEQUENCE, Fields, context, tlv
from gateway.core.as2.cms.errors import NotCms

_KEY_IDENTIFIER = 0x80
_MAX_SERIAL = 64
"""Octets. RFC 5280 §4.1.2.2 allows 20."""


class Identifier(NamedTuple):
    """Either `key`, or `issuer` (encoded) and `serial` (the INTEGER's content)."""

    issuer: bytes = b""
    serial: bytes = b""
    key: bytes | None = None

    def __str__(self) -> str:
        if self.key is not None:
            return f"key identifier {self.key[:_MAX_SERIAL].hex()}"
        return f"serial number {int.from_bytes(self.serial, 'big', signed=True):X}"

    def is_of(self, certificate: x509.Certificate) -> bool:
        """Whether this is the certificate that is meant."""
        if self.key is not None:
            return self.key == _key_identifier(certificate)
        own = identifier_of(certificate)
        return self.serial == own.serial and _same_name(self.issuer, own.issuer)


def read_identifier(fields: Fields) -> Identifier:
    """The identifier that comes next in a RecipientInfo or SignerInfo. Raises NotCms."""
    found = fields.take(SEQUENCE, _KEY_IDENTIFIER)
    if found.tag == _KEY_IDENTIFIER:
        return Identifier(key=found.content)
    both = Fields(found, "An issuer and serial number")
    issuer, serial = both.take(SEQUENCE), both.take(INTEGER)
    both.end()
    if len(serial.content) > _MAX_SERIAL:
        raise NotCms("A serial number is beyond all bounds.")
    return Identifier(issuer.encoded, serial.content)


def write_identifier(certificate: x509.Certificate) -> bytes:
    """IssuerAndSerialNumber of a certificate (RFC 5652 §10.2.4)."""
    own = identifier_of(certificate)
    return tlv(SEQUENCE, own.issuer, tlv(INTEGER, own.serial))


@lru_cache(maxsize=1024)
def identifier_of(certificate: x509.Certificate) -> Identifier:
    """Issuer and serial number just as they are encoded in the certificate."""
    fields = Fields(certificate.tbs_certificate_bytes, "A certificate")
    fields.optional(context(0))
    serial = fields.take(INTEGER)
    fields.take(SEQUENCE)
    return Identifier(fields.take(SEQUENCE).encoded, serial.content)


def _key_identifier(certificate: x509.Certificate) -> bytes:
    """That of the certificate's extension, else the one RFC 5280 §4.2.1.2 (1) computes."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest
    return extension.value.digest


def _same_name(one: bytes, other: bytes) -> bool:
    """RFC 5280 §7.1: spelled alike, whatever the string types; some senders encode them anew."""
    if one == other:
        return True
    try:
        return bool(asn1_x509.Name.load(one) == asn1_x509.Name.load(other))
    except Exception:
        # A hostile name can make the parser fail in any way; it is then not the same.
        return False
