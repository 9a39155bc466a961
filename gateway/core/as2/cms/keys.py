"""Our keys and the partners' certificates, as files give them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    load_pem_private_key,
    pkcs7,
    pkcs12,
)

from gateway.model.as2 import CertificateInfo

_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----(?:(?!-----BEGIN ).)*?-----END \1-----", re.DOTALL)
_PEM_CERTIFICATES: Final = (b"CERTIFICATE", b"X509 CERTIFICATE")
_PEM_PKCS7: Final = (b"PKCS7", b"CMS")


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate of ours and the RSA key that belongs to it. Never shows the key."""

    certificate: x509.Certificate
    private_key: rsa.RSAPrivateKey = field(repr=False, compare=False)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate in lower-case hex."""
        return fingerprint(self.certificate)


@lru_cache(maxsize=1024)
def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate's DER form in lower-case hex."""
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def rsa_key(certificate: x509.Certificate) -> rsa.RSAPublicKey | None:
    """The certificate's key, if it is an RSA key."""
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, rsa.RSAPublicKey) else None


def describe(certificate: x509.Certificate) -> CertificateInfo:
    """What people need to know of a certificate.

    Names as in RFC 4514; `serial` in upper-case hex as OpenSSL prints it; `key` such as "RSA 2048".
    """
    return CertificateInfo(
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        serial=f"{certificate.serial_number:X}",
        sha256=fingerprint(certificate),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        key=_key_words(certificate),
    )


def _key_words(certificate: x509.Certificate) -> str:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return "unknown"
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.curve.name}"
    return type(key).__name__.removesuffix("PublicKey")


def load_identities(data: bytes, password: bytes | None) -> list[Identity]:
    """Our certificates with their keys, from PEM (both in one file) or PKCS#12.

    A key goes with every certificate of the file that has its public half, so that renewed
    certificates may stand beside the old ones; certificates without a key are left out. `password`
    opens an encrypted key or file, and is ignored where nothing is encrypted.

    Raises ValueError, in words for whoever put the file there.
    """
    if _PEM.search(data):
        certificates = load_certificates(data)
        keys = [
            _pem_key(block.group(), password)
            for block in _PEM.finditer(data)
            if block.group(1).endswith(b"PRIVATE KEY")
        ]
    else:
        certificates, keys = _from_pkcs12(data, password)
    if not keys:
        raise ValueError("There is no private key in the file.")
    identities = [
        Identity(certificate, key)
        for key in keys
        for certificate in certificates
        if rsa_key(certificate) == key.public_key()
    ]
    if not identities:
        raise ValueError("No certificate in the file belongs to the private key.")
    return identities


def _pem_key(block: bytes, password: bytes | None) -> rsa.RSAPrivateKey:
    encrypted = b"ENCRYPTED" in block
    if encrypted and not password:
        raise ValueError("The private key is encrypted and no password is given.")
    try:
        key = load_pem_private_key(block, password if encrypted else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if encrypted:
            raise ValueError("The private key does not open with the password.") from error
        raise ValueError("The private key cannot be read.") from error
    return _rsa_only(key)


def _from_pkcs12(
    data: bytes, password: bytes | None
) -> tuple[list[x509.Certificate], list[rsa.RSAPrivateKey]]:
    try:
        store = pkcs12.load_pkcs12(data, password)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(
            "The file is neither PEM nor a PKCS#12 file that opens with the password."
        ) from error
    own = [store.cert, *store.additional_certs]
    certificates = [entry.certificate for entry in own if entry is not None]
    return certificates, [] if store.key is None else [_rsa_only(store.key)]


def _rsa_only(key: object) -> rsa.RSAPrivateKey:
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("The private key is not an RSA key; AS2 needs one.")  # noqa: TRY004 - a bad file
    return key


def load_certificates(data: bytes) -> list[x509.Certificate]:
    """Certificates from a PEM bundle, a DER file or PKCS#7 (.p7b, PEM or DER), in their order.

    Raises ValueError, in words for whoever put the file there; never returns an empty list.
    """
    blocks = list(_PEM.finditer(data))
    found: list[x509.Certificate] = []
    try:
        for block in blocks:
            if block.group(1) in _PEM_CERTIFICATES:
                found.append(x509.load_pem_x509_certificate(block.group()))
            elif block.group(1) in _PEM_PKCS7:
                found += pkcs7.load_pem_pkcs7_certificates(block.group())
        if not blocks:
            found = _from_der(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("The file holds no certificate that can be read.") from error
    if not found:
        raise ValueError("There is no certificate in the file.")
    return found


def _from_der(data: bytes) -> list[x509.Certificate]:
    try:
        return [x509.load_der_x509_certificate(data)]
    except ValueError:
        return pkcs7.load_der_pkcs7_certificates(data)
