"""For whom a message is encrypted, with what, and that a failure says nothing about a key."""

from __future__ import annotations

import io
import secrets

import pytest
from asn1crypto import cms as asn1_cms
from asn1crypto import core
from cryptography.hazmat.primitives import ciphers, hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers import modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.x509 import CertificateBuilder, Name

from gateway.core.as2 import cms
from gateway.core.as2.cms.der import tlv
from gateway.model.as2 import STRONG_CIPHERS, Cipher, KeyTransport
from tests.core.as2.cms_keys import DAY, NOW, certificate, decrypt, encrypt, identity, rsa_key

CONTENT = b"Content-Type: text/plain\r\n\r\nFA-1"


def test_any_identity_of_ours_opens_it() -> None:
    """And it is told which one did."""
    us, other = identity("us"), identity("partner")
    message = encrypt(CONTENT, us.certificate)
    assert decrypt(message, other, us).fingerprint == us.fingerprint
    assert decrypt(message, us, other).content == CONTENT


def test_an_expired_identity_still_opens_it() -> None:
    """The message may have been under way; a valid one goes first where both could."""
    old = certificate("us", end=NOW - DAY)
    expired = cms.Identity(old, rsa_key("us"))
    assert decrypt(encrypt(CONTENT, old), expired).content == CONTENT
    us = identity("us")
    both = encrypt(CONTENT, old, us.certificate)
    for identities in ((expired, us), (us, expired)):
        assert decrypt(both, *identities).fingerprint == us.fingerprint


def test_a_message_for_somebody_else_is_refused() -> None:
    """With words that tell the operator for whom it was."""
    message = encrypt(CONTENT, identity("stranger").certificate)
    with pytest.raises(cms.DecryptionFailed, match="serial number"):
        decrypt(message, identity("us"))
    with pytest.raises(cms.DecryptionFailed):
        decrypt(message)


@pytest.mark.parametrize("cipher", Cipher)
@pytest.mark.parametrize("transport", KeyTransport)
def test_every_failure_of_a_key_reads_the_same(cipher: Cipher, transport: KeyTransport) -> None:
    """A key that does not open, a damaged content and a damaged end cannot be told apart."""
    us = identity("us")
    impostor = cms.Identity(us.certificate, rsa_key("stranger"))
    message = encrypt(CONTENT, us.certificate, cipher=cipher, transport=transport)
    said = set()
    for _attempt in range(8):
        # One in 256 contents that CBC decrypts to noise ends like a good one.
        damaged = bytearray(message)
        damaged[-1] ^= 1 + secrets.randbelow(255)
        for wrong, who in ((message, impostor), (bytes(damaged), us)):
            try:
                decrypt(wrong, who)
            except cms.DecryptionFailed as error:
                said.add(str(error))
    assert len(said) == 1


def test_an_encrypted_key_of_any_bytes_gives_the_same_answer() -> None:
    """Good padding with a key of a wrong length, bad padding, wrong length: no oracle."""
    us = identity("us")
    public = us.certificate.public_key()
    message = encrypt(CONTENT, us.certificate, cipher=Cipher.AES256_GCM)
    info = asn1_cms.ContentInfo.load(message)
    said = set()
    for encrypted in (
        public.encrypt(b"", PKCS1v15()),
        public.encrypt(bytes(16), PKCS1v15()),
        public.encrypt(bytes(32), PKCS1v15()),
        public.encrypt(bytes(64), PKCS1v15()),
        bytes(256),
        b"\xff" * 256,
        b"\1",
        b"",
        bytes(1000),
    ):
        recipient = info["content"]["recipient_infos"][0].chosen
        recipient["encrypted_key"] = encrypted
        with pytest.raises(cms.DecryptionFailed) as failed:
            decrypt(info.dump(force=True), us)
        said.add(str(failed.value))
    assert len(said) == 1


def test_ciphers_must_be_allowed() -> None:
    """3DES is understood but refused unless the partner file allows it."""
    us = identity("us")
    message = encrypt(CONTENT, us.certificate, cipher=Cipher.TRIPLE_DES)
    assert decrypt(message, us).cipher is Cipher.TRIPLE_DES
    with pytest.raises(cms.NotAllowed, match="3des"):
        decrypt(message, us, allowed=STRONG_CIPHERS)


@pytest.mark.parametrize(
    ("oid", "name"),
    [
        ("1.2.840.113549.3.2", "RC2"),
        ("1.3.14.3.2.7", "DES"),
        ("2.16.840.1.101.3.4.1.1", "2.16.840.1.101.3.4.1.1"),
    ],
)
def test_unknown_ciphers_are_named(oid: str, name: str) -> None:
    """So that the operator can tell the partner."""
    us = identity("us")
    message = encrypt(CONTENT, us.certificate, cipher=Cipher.AES128_CBC)
    info = asn1_cms.ContentInfo.load(message)
    used = info["content"]["encrypted_content_info"]["content_encryption_algorithm"]
    assert len(used["parameters"].native) == 16
    used["algorithm"] = oid
    with pytest.raises(cms.NotAllowed, match=name.replace(".", r"\.")):
        decrypt(info.dump(force=True), us)


def auth_enveloped(
    *,
    attributes: bytes = b"",
    sent: bytes | None = None,
    nonce: bytes = bytes(12),
    tag: int = 16,
    named_tag: bytes = tlv(2, b"\x10"),
    oid: str = "2.16.840.1.101.3.4.1.46",
    unprotected: bytes = b"",
) -> bytes:
    """AuthEnvelopedData by hand. `attributes`: SET OF in DER, authenticated with the content."""
    us = identity("us")
    key = bytes(32)
    encryptor = ciphers.Cipher(AES(key), modes.GCM(nonce)).encryptor()
    encryptor.authenticate_additional_data(attributes)
    content = encryptor.update(CONTENT) + encryptor.finalize()
    public = us.certificate.public_key()
    number = asn1_cms.IssuerAndSerialNumber(
        {
            "issuer": asn1_cms.Name.load(us.certificate.issuer.public_bytes()),
            "serial_number": us.certificate.serial_number,
        }
    )
    recipient = tlv(
        0x30,
        tlv(2, b"\0"),
        number.dump(),
        tlv(0x30, core.ObjectIdentifier("1.2.840.113549.1.1.1").dump(), b"\5\0"),
        tlv(4, public.encrypt(key, PKCS1v15())),
    )
    algorithm = tlv(0x30, core.ObjectIdentifier(oid).dump(), tlv(0x30, tlv(4, nonce), named_tag))
    data = core.ObjectIdentifier("1.2.840.113549.1.7.1").dump()
    inner = tlv(
        0x30,
        tlv(2, b"\0"),
        tlv(0x31, recipient),
        tlv(0x30, data, algorithm, tlv(0x80, content)),
        (b"\xa1" + attributes[1:] if sent is None else sent) if attributes else b"",
        tlv(4, encryptor.tag[:tag]),
        unprotected,
    )
    kind = core.ObjectIdentifier("1.2.840.113549.1.9.16.1.23").dump()
    return tlv(0x30, kind, tlv(0xA0, inner))


ONE = tlv(0x30, core.ObjectIdentifier("1.2.3.4").dump(), tlv(0x31, tlv(12, b"one")))
TWO = tlv(0x30, core.ObjectIdentifier("1.2.3.5").dump(), tlv(0x31, tlv(12, b"two")))


def test_authenticated_attributes_are_authenticated() -> None:
    """RFC 5083 §2.2: they stand behind the content, in any order, and count in DER."""
    us = identity("us")
    attributes = tlv(0x31, ONE, TWO)
    for sent in (None, tlv(0xA1, TWO, ONE), b"\xa1\x80" + ONE + TWO + b"\0\0"):
        assert decrypt(auth_enveloped(attributes=attributes, sent=sent), us).content == CONTENT
    for sent in (b"", tlv(0xA1, ONE), tlv(0xA1, ONE, TWO.replace(b"two", b"owt"))):
        with pytest.raises(cms.DecryptionFailed):
            decrypt(auth_enveloped(attributes=attributes, sent=sent), us)


def test_attributes_that_nothing_protects_are_ignored() -> None:
    """As RFC 5083 §2.1 calls them."""
    message = auth_enveloped(unprotected=tlv(0xA2, ONE))
    assert decrypt(message, identity("us")).content == CONTENT


def test_shorter_tags_are_taken_from_12_bytes_on() -> None:
    """RFC 5084 §3.2: 12 is what is meant when no length is named."""
    us = identity("us")
    assert decrypt(auth_enveloped(tag=12, named_tag=b""), us).content == CONTENT
    assert decrypt(auth_enveloped(tag=14, named_tag=tlv(2, b"\x0e")), us).content == CONTENT
    for wrong in (
        auth_enveloped(tag=8, named_tag=tlv(2, b"\x08")),
        auth_enveloped(tag=12),
        auth_enveloped(tag=1, named_tag=b""),
        auth_enveloped(tag=0),
        auth_enveloped(named_tag=b""),
        auth_enveloped(named_tag=tlv(2, b"\xff")),
        auth_enveloped(named_tag=tlv(2, b"")),
    ):
        with pytest.raises(cms.NotCms):
            decrypt(wrong, us)


def test_other_nonces_are_taken() -> None:
    """12 bytes are usual, not needed."""
    us = identity("us")
    assert decrypt(auth_enveloped(nonce=bytes(16)), us).content == CONTENT
    assert decrypt(auth_enveloped(nonce=bytes(8)), us).content == CONTENT


def test_a_cipher_in_the_wrong_envelope_is_refused() -> None:
    """Else a tag could be taken off by calling the message something else."""
    us = identity("us")
    message = encrypt(CONTENT, us.certificate, cipher=Cipher.AES256_GCM)
    info = asn1_cms.ContentInfo.load(message)
    inner = info["content"]
    plain = tlv(
        0x30,
        tlv(2, b"\0"),
        inner["recipient_infos"].dump(),
        inner["auth_encrypted_content_info"].dump(),
    )
    enveloped = core.ObjectIdentifier("1.2.840.113549.1.7.3").dump()
    with pytest.raises(cms.NotCms, match="wrong kind"):
        decrypt(tlv(0x30, enveloped, tlv(0xA0, plain)), us)


def test_recipients_of_other_kinds_are_passed_over() -> None:
    """Key agreement and passwords are for others."""
    us = identity("us")
    info = asn1_cms.ContentInfo.load(encrypt(CONTENT, us.certificate))
    ours = info["content"]["recipient_infos"][0].dump()
    encoded = info["content"]["encrypted_content_info"].dump()
    enveloped = core.ObjectIdentifier("1.2.840.113549.1.7.3").dump()
    for others in (tlv(0xA1, b""), tlv(0xA3, tlv(2, b"\0")), tlv(0xA4, ONE)):
        inner = tlv(0x30, tlv(2, b"\0"), tlv(0x31, others, ours), encoded)
        assert decrypt(tlv(0x30, enveloped, tlv(0xA0, inner)), us).content == CONTENT
    inner = tlv(0x30, tlv(2, b"\0"), tlv(0x31, tlv(0xA1, b"")), encoded)
    with pytest.raises(cms.DecryptionFailed, match="nobody"):
        decrypt(tlv(0x30, enveloped, tlv(0xA0, inner)), us)


def test_unsupported_key_transport_is_named() -> None:
    """A recipient that is ours, by a way that is not RSA."""
    us = identity("us")
    rsa = core.ObjectIdentifier("1.2.840.113549.1.1.1").dump()
    other = core.ObjectIdentifier("1.2.840.113549.1.1.99").dump()
    message = encrypt(CONTENT, us.certificate).replace(rsa, other)
    with pytest.raises(cms.NotAllowed, match=r"1\.1\.99"):
        decrypt(message, us)


def test_encrypting_needs_recipients_with_rsa_keys() -> None:
    """Mistakes in our configuration, told as such."""
    with pytest.raises(ValueError, match="nobody"):
        encrypt(CONTENT)
    key = ec.generate_private_key(ec.SECP256R1())
    elliptic = (
        CertificateBuilder()
        .subject_name(Name([]))
        .issuer_name(Name([]))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + DAY)
        .sign(key, hashes.SHA256())
    )
    with pytest.raises(ValueError, match="RSA"):
        encrypt(CONTENT, elliptic)


def test_the_kind_is_told_without_moving_the_file() -> None:
    """Wherever it stands."""
    us = identity("us")
    source = io.BytesIO(b"before" + encrypt(CONTENT, us.certificate))
    source.seek(6)
    assert cms.kind_of(source) == "enveloped"
    assert source.tell() == 6
    with pytest.raises(cms.NotCms):
        cms.kind_of(io.BytesIO(b"<Invoice/>"))
    sink = io.BytesIO()
    cms.decrypt(source, sink, [us], allowed=STRONG_CIPHERS, on=NOW)
    assert sink.getvalue() == CONTENT


def test_other_content_types_are_named() -> None:
    """EncryptedData and the like are not for AS2."""
    data = core.ObjectIdentifier("1.2.840.113549.1.7.6").dump()
    with pytest.raises(cms.NotCms, match=r"1\.2\.840\.113549\.1\.7\.6"):
        cms.kind_of(io.BytesIO(tlv(0x30, data, tlv(0xA0, b""))))
