"""Keys, certificates and the openssl command for tests of CMS. Each key is made once per run."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import subprocess
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from gateway.core.as2 import cms
from gateway.model.as2 import Cipher, Digest, KeyTransport, SignatureScheme

NOW = dt.datetime(2026, 10, 1, 12, 0, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
ALL_DIGESTS = tuple(Digest)
ALL_CIPHERS = tuple(Cipher)


@cache
def rsa_key(name: str) -> rsa.RSAPrivateKey:
    """The key of that name."""
    del name
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(
    name: str,
    *,
    key: rsa.RSAPrivateKey | None = None,
    begin: dt.datetime = NOW - 365 * DAY,
    end: dt.datetime = NOW + 3650 * DAY,
    serial: int | None = None,
    with_key_identifier: bool = True,
) -> x509.Certificate:
    """A self-signed certificate."""
    key = key or rsa_key(name)
    subject = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "FR"),
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Société d'essai"),
            x509.NameAttribute(x509.NameOID.COMMON_NAME, name),
        ]
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    if with_key_identifier:
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = builder.add_extension(identifier, critical=False)
    return builder.sign(key, hashes.SHA256())


@cache
def identity(name: str) -> cms.Identity:
    """The certificate and key of that name."""
    return cms.Identity(certificate(name), rsa_key(name))


def pem(one: x509.Certificate | rsa.RSAPrivateKey) -> bytes:
    """In letters."""
    if isinstance(one, x509.Certificate):
        return one.public_bytes(Encoding.PEM)
    return one.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


class OpenSSL:
    """The openssl command in a folder, with files `<name>.crt` and `<name>.key`."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.folder = folder
        for name in names:
            (folder / f"{name}.crt").write_bytes(pem(identity(name).certificate))
            (folder / f"{name}.key").write_bytes(pem(identity(name).private_key))

    def __call__(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """What it prints; fails when it fails."""
        done = subprocess.run(
            ["openssl", *arguments],
            input=stdin,
            capture_output=True,
            cwd=self.folder,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, (arguments, done.stderr.decode())
        return done.stdout


def hashed(content: bytes) -> Callable[[Digest], bytes]:
    """The digests of a content, as `verify` wants them."""
    return lambda digest: hashlib.new(digest.replace("-", ""), content).digest()


class Decrypted(NamedTuple):
    """What `decrypt` gave and wrote."""

    cipher: Cipher
    transport: KeyTransport
    fingerprint: str
    content: bytes


def decrypt(message: bytes, *identities: cms.Identity, **changed: Any) -> Decrypted:
    """Decrypt in memory."""
    sink = io.BytesIO()
    arguments: dict[str, Any] = {"allowed": ALL_CIPHERS, "on": NOW, **changed}
    found = cms.decrypt(io.BytesIO(message), sink, identities, **arguments)
    return Decrypted(*found, sink.getvalue())


def encrypt(
    content: bytes,
    *recipients: x509.Certificate,
    cipher: Cipher = Cipher.AES256_CBC,
    transport: KeyTransport = KeyTransport.PKCS1,
) -> bytes:
    """Encrypt in memory."""
    sink = io.BytesIO()
    cms.encrypt(io.BytesIO(content), sink, recipients, cipher=cipher, transport=transport)
    return sink.getvalue()


def compress(content: bytes) -> bytes:
    """Compress in memory."""
    sink = io.BytesIO()
    cms.compress(io.BytesIO(content), sink)
    return sink.getvalue()


def decompress(message: bytes, *, max_bytes: int = 100_000_000, max_ratio: int = 200) -> bytes:
    """Decompress in memory."""
    sink = io.BytesIO()
    cms.decompress(io.BytesIO(message), sink, max_bytes=max_bytes, max_ratio=max_ratio)
    return sink.getvalue()


def sign(
    content: bytes,
    signer: cms.Identity,
    digest: Digest = Digest.SHA256,
    scheme: SignatureScheme = SignatureScheme.PKCS1,
) -> bytes:
    """Sign a content in memory."""
    return cms.sign(digest, hashed(content)(digest), signer, scheme=scheme, now=NOW)


def verify(
    signature: bytes, content: bytes, *certificates: x509.Certificate, **changed: Any
) -> tuple[Digest, SignatureScheme, str]:
    """Verify a detached signature."""
    arguments: dict[str, Any] = {"allowed": ALL_DIGESTS, "on": NOW, **changed}
    return cms.verify(signature, hashed(content), certificates, **arguments)


class VerifiedOpaque(NamedTuple):
    """What `verify_opaque` gave and wrote."""

    digest: Digest
    scheme: SignatureScheme
    fingerprint: str
    content: bytes


def verify_opaque(
    message: bytes, certificates: Sequence[x509.Certificate], **changed: Any
) -> VerifiedOpaque:
    """Verify a signature that holds its content."""
    sink = io.BytesIO()
    arguments: dict[str, Any] = {"allowed": ALL_DIGESTS, "on": NOW, **changed}
    found = cms.verify_opaque(io.BytesIO(message), sink, certificates, **arguments)
    return VerifiedOpaque(*found, sink.getvalue())
