"""Keys that are the same in every run, so that an input that was found can be opened again.

They are worked out of a name by a rule anybody can follow: keys for tests, and nothing else.
"""

from __future__ import annotations

import datetime as dt
import functools
import random
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.core.as2.cms import Identity

NOW: Final = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)
_PUBLIC: Final = 65537
_BITS: Final = 1024
_SMALL: Final = [n for n in range(3, 2000, 2) if all(n % d for d in range(3, 45, 2) if d < n)]


@functools.cache
def party(name: str) -> Identity:
    """A company's key and certificate."""
    key = _key(name)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(sum(name.encode()))
        .not_valid_before(NOW - dt.timedelta(days=365))
        .not_valid_after(NOW + dt.timedelta(days=365))
        .sign(key, hashes.SHA256())
    )
    return Identity(certificate, key)


def _key(name: str) -> rsa.RSAPrivateKey:
    chance = random.Random(f"a key for tests: {name}")
    p, q = _prime(chance), _prime(chance)
    d = pow(_PUBLIC, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), rsa.RSAPublicNumbers(_PUBLIC, p * q)
    )
    return numbers.private_key()


def _prime(chance: random.Random) -> int:
    while True:
        # The two highest bits are set, so that two primes give a key of full length.
        found = chance.getrandbits(_BITS) | (0b11 << (_BITS - 2)) | 1
        if any(found % small == 0 for small in _SMALL) or (found - 1) % _PUBLIC == 0:
            continue
        if all(pow(base, found - 1, found) == 1 for base in (2, 3, 5)):
            return found
