"""Keys and certificates for tests; a key is made once for a whole run."""

from __future__ import annotations

import datetime as dt
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)


def today() -> dt.datetime:
    """The day as it is now: a run of all tests may go on past midnight."""
    return dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)


@cache
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """The key of that name."""
    return rsa.generate_private_key(65537, bits)


def certificate(
    name: str,
    *,
    days: tuple[int, int] = (-10, 300),
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | None = None,
    issuer: str | None = None,
) -> x509.Certificate:
    """A certificate valid from so many days after today to so many; self-signed or by `issuer`."""
    own = key or rsa_key(name)
    signer = rsa_key(issuer) if issuer else own
    day = today()
    return (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named(issuer or name))
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(day + dt.timedelta(days=days[0]))
        .not_valid_after(day + dt.timedelta(days=days[1], hours=23, minutes=59))
        .sign(signer, hashes.SHA256())
    )


def pem(*certificates: x509.Certificate) -> bytes:
    """One after the other."""
    return b"".join(each.public_bytes(Encoding.PEM) for each in certificates)


def key_pem(name: str, password: bytes | None = None) -> bytes:
    """The private key of that name."""
    seal = BestAvailableEncryption(password) if password else NoEncryption()
    return rsa_key(name).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, seal)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
