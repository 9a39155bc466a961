"""Whom a receiver of alerts must be vouched for by, and why there is no talking to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.ssl import Certificate, trustRootFromCertificates

from gateway.errors import DeliveryFailed

# Twisted's TLS has no annotations.
_trust: Any = trustRootFromCertificates
_load: Any = Certificate.loadPEM

SECONDS: Final = 30.0
"""How long one attempt to tell somebody may take."""


def authorities(ca_file: str) -> Any:
    """The authorities in a PEM file, as Twisted takes them; None for the system's.

    Raises `DeliveryFailed` when the file cannot be used.
    """
    if not ca_file:
        return None
    try:
        found = x509.load_pem_x509_certificates(Path(ca_file).read_bytes())
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it holds no certificate"
        raise DeliveryFailed(f"{ca_file} cannot be used: {why}.") from error
    return _trust([_load(each.public_bytes(Encoding.PEM)) for each in found])


def why_unreachable(error: BaseException) -> str:
    """The end of a sentence; it repeats nothing of what was sent."""
    if isinstance(error, VerificationError):
        return "its certificate is for another host name"
    if isinstance(error, SSL.Error):
        said = " ".join(str(part) for each in error.args for part in each)
        if "certificate verify failed" in said:
            return "its certificate has expired, or is of an authority that is not trusted"
        return "there is no TLS with it"
    words = (type(error).__doc__ or "").strip()
    return words.splitlines()[0].rstrip(".") if words else type(error).__name__
