"""TLS of the HTTP listener: 1.2 or newer, and certificates of clients where they are asked for."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from OpenSSL import SSL, crypto
from twisted.internet import ssl
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from zope.interface import implementer  # type: ignore[import-untyped]  # it has no annotations

from gateway.config.settings import HttpTls
from gateway.errors import ConfigurationError

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:ECDHE+AES:!SHA1:!aNULL:!DSS:!PSK"
"""Of TLS 1.2; those of 1.3 are all sound. Each session has a key of its own (forward secrecy):
whoever gets our private key later reads nothing of today. CBC only with SHA-2, for old clients."""


def context_factory(tls: HttpTls, section: str = "http") -> ssl.CertificateOptions:
    """What listens with TLS. Raises `ConfigurationError` when a file cannot be used."""
    key = _read(
        f"{section}.tls.key_file", tls.key_file, lambda pem: load_pem_private_key(pem, None)
    )
    first, *others = _certificates(f"{section}.tls.certificate_file", tls.certificate_file)
    roots = None
    if tls.client_ca_file:
        roots = _certificates("http.tls.client_ca_file", tls.client_ca_file)
    try:
        options = ssl.CertificateOptions(
            privateKey=crypto.PKey.from_cryptography_key(key),
            certificate=crypto.X509.from_cryptography(first),
            extraCertChain=[crypto.X509.from_cryptography(each) for each in others],
            raiseMinimumTo=ssl.TLSVersion.TLSv1_2,
            acceptableCiphers=ssl.AcceptableCiphers.fromOpenSSLCipherString(CIPHERS),
            acceptableProtocols=[b"http/1.1"],
            trustRoot=_trust(roots) if roots else None,
        )
        context = options.getContext()
        # A client that renegotiates without end makes the server compute, and nobody needs it.
        context.set_options(SSL.OP_NO_RENEGOTIATION)
        if roots:
            for root in roots:
                context.add_client_ca(crypto.X509.from_cryptography(root))
    except (SSL.Error, crypto.Error, TypeError, ValueError) as error:
        raise ConfigurationError(
            f"{section}.tls: certificate and key cannot be used together: {error}.",
            remedy="Name the PEM files of a certificate (with its chain) and of its own key.",
        ) from error
    return options


@implementer(IOpenSSLServerConnectionCreator)
class Secrets:
    """What listens with TLS, which may be replaced: each connection begins with the latest."""

    def __init__(self, options: ssl.CertificateOptions) -> None:
        self._options = options

    @property
    def until(self) -> dt.datetime:
        """When the certificate expires that the next connection is shown."""
        shown = self._options.certificate
        assert shown is not None  # `context_factory` gave it one
        return shown.to_cryptography().not_valid_after_utc

    def replace(self, options: ssl.CertificateOptions) -> None:
        """From now on it is this one."""
        self._options = options

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:  # noqa: N802  # Twisted's
        """The next connection."""
        made: SSL.Connection = self._options.serverConnectionForTLS(protocol)
        return made


def fingerprint(transport: Any) -> str | None:
    """The SHA-256 of the certificate the client showed; None when it showed none."""
    shown = transport.getPeerCertificate()
    if shown is None:
        return None
    return hashlib.sha256(shown.to_cryptography().public_bytes(Encoding.DER)).hexdigest()


def _trust(roots: list[x509.Certificate]) -> Any:
    return ssl.trustRootFromCertificates(
        [ssl.Certificate(crypto.X509.from_cryptography(root)) for root in roots]
    )


def _certificates(setting: str, file: str) -> list[x509.Certificate]:
    found: list[x509.Certificate] = _read(setting, file, x509.load_pem_x509_certificates)
    return found


def _read(setting: str, file: str, parse: Any) -> Any:
    try:
        return parse(Path(file).read_bytes())
    except (OSError, ValueError, TypeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it does not hold what it should"
        raise ConfigurationError(
            f"{setting} {file or '(empty)'} cannot be used: {why}.",
            remedy="Name a PEM file that the user the gateway runs as may read; a key is not"
            " encrypted.",
        ) from error
