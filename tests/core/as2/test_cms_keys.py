"""Our keys and the partners' certificates, from the files people have."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from gateway.core.as2 import cms
from tests.core.as2.cms_keys import NOW, certificate, decrypt, encrypt, identity, pem, rsa_key


def encrypted_pem(key: rsa.RSAPrivateKey) -> bytes:
    """Under the password `geheim`."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"geheim"))


def test_pem_holds_certificate_and_key_in_any_order() -> None:
    """With other text and certificates around them."""
    us, partner = identity("us"), identity("partner")
    parts = [pem(partner.certificate), pem(us.private_key), b"subject=CN = us\n"]
    for data in (b"".join([*parts, pem(us.certificate)]), b"".join([pem(us.certificate), *parts])):
        (found,) = cms.load_identities(data, None)
        assert found.fingerprint == us.fingerprint
        assert cms.load_identities(data, b"not needed") == [found]


def test_keys_in_the_traditional_form_and_encrypted_ones_are_read() -> None:
    """PKCS#1 as older tools write it, PKCS#8 with a password."""
    us = identity("us")
    old = us.private_key.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    )
    assert cms.load_identities(pem(us.certificate) + old, None)
    locked = us.private_key.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"geheim")
    )
    for encrypted in (locked, encrypted_pem(us.private_key)):
        assert cms.load_identities(pem(us.certificate) + encrypted, b"geheim")
        with pytest.raises(ValueError, match="no password"):
            cms.load_identities(pem(us.certificate) + encrypted, None)
        with pytest.raises(ValueError, match="does not open"):
            cms.load_identities(pem(us.certificate) + encrypted, b"falsch")


def test_a_renewed_certificate_stands_beside_the_old_one() -> None:
    """One key, two certificates: two identities, and each opens what is for it."""
    old, new = certificate("us"), certificate("us")
    found = cms.load_identities(pem(old) + pem(new) + pem(rsa_key("us")), None)
    assert [one.fingerprint for one in found] == [cms.fingerprint(old), cms.fingerprint(new)]
    assert decrypt(encrypt(b"FA-1", new), *found).fingerprint == cms.fingerprint(new)


def test_pkcs12_is_read() -> None:
    """With and without a password."""
    us = identity("us")
    for password, protection in (
        (b"geheim", BestAvailableEncryption(b"geheim")),
        (None, NoEncryption()),
    ):
        store = pkcs12.serialize_key_and_certificates(
            b"us", us.private_key, us.certificate, [identity("partner").certificate], protection
        )
        (found,) = cms.load_identities(store, password)
        assert found.fingerprint == us.fingerprint
    with pytest.raises(ValueError, match="neither PEM nor a PKCS#12"):
        cms.load_identities(store[:-1], None)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "neither PEM nor a PKCS#12"),
        (b"<Invoice/>", "neither PEM nor a PKCS#12"),
        (pem(certificate("us")), "no private key"),
        (pem(certificate("us")) + pem(rsa_key("stranger")), "belongs to the private key"),
        (pem(rsa_key("us")), "no certificate"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "can be read"),
        (
            pem(certificate("us")) + b"-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----",
            "cannot be read",
        ),
        (
            pem(certificate("us"))
            + ec.generate_private_key(ec.SECP256R1()).private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            ),
            "not an RSA key",
        ),
    ],
    ids=["empty", "xml", "no key", "other key", "no certificate", "damaged", "bad key", "elliptic"],
)
def test_what_cannot_be_used_is_told_in_words(data: bytes, words: str) -> None:
    """For whoever put the file there."""
    with pytest.raises(ValueError, match=words):
        cms.load_identities(data, b"geheim")


def test_certificates_are_read_in_every_form() -> None:
    """A bundle in its order, and DER."""
    us, partner = certificate("us"), certificate("partner")
    assert cms.load_certificates(pem(us) + b"\n# ours\n" + pem(partner)) == [us, partner]
    assert cms.load_certificates(us.public_bytes(Encoding.DER)) == [us]
    for nothing in (b"", b"text", pem(rsa_key("us")), us.public_bytes(Encoding.DER)[:-1]):
        with pytest.raises(ValueError, match="certificate"):
            cms.load_certificates(nothing)


def test_a_certificate_is_described() -> None:
    """In the words people compare with their partner on the telephone."""
    one = certificate("us", serial=0xABCDEF, end=NOW)
    found = cms.describe(one)
    assert found.subject == found.issuer == r"CN=us,O=Société d'essai,C=FR"
    assert found.serial == "ABCDEF"
    assert found.sha256 == cms.fingerprint(one)
    assert found.not_after == NOW
    assert found.not_before.utcoffset() == dt.timedelta(0)
    assert found.key == "RSA 2048"


def test_a_key_is_never_shown() -> None:
    """Not even where somebody logs an identity."""
    assert "key" not in repr(identity("us"))
