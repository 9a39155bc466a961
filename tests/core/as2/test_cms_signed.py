"""Whose signature it is and whether it holds: the odd forms that hold, and all that must not."""

from __future__ import annotations

import datetime as dt
import hashlib
import io

import pytest
from asn1crypto import cms as asn1_cms
from asn1crypto import core
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15

from gateway.core.as2 import cms
from gateway.core.as2.cms.der import tlv
from gateway.model.as2 import STRONG_DIGESTS, Digest, SignatureScheme
from tests.core.as2.cms_keys import (
    DAY,
    NOW,
    certificate,
    hashed,
    identity,
    rsa_key,
    sign,
    verify,
    verify_opaque,
)

CONTENT = b"Content-Type: text/plain\r\n\r\nFA-1"
DATA = core.ObjectIdentifier("1.2.840.113549.1.7.1").dump()
SIGNED = core.ObjectIdentifier("1.2.840.113549.1.7.2").dump()
RSA = core.ObjectIdentifier("1.2.840.113549.1.1.1").dump()
SHA256 = core.ObjectIdentifier("2.16.840.1.101.3.4.2.1").dump()


def attribute(oid: str, *values: bytes) -> bytes:
    """A signed attribute."""
    return tlv(0x30, core.ObjectIdentifier(oid).dump(), tlv(0x31, *values))


TYPE = attribute("1.2.840.113549.1.9.3", DATA)
DIGEST = attribute("1.2.840.113549.1.9.4", tlv(4, hashlib.sha256(CONTENT).digest()))
OTHER_DIGEST = attribute("1.2.840.113549.1.9.4", tlv(4, hashlib.sha256(b"").digest()))
UNKNOWN = attribute("1.2.3.4.5", tlv(4, b"long enough to be the last" * 4), tlv(12, b"a"))


def der_set(*attributes: bytes) -> bytes:
    """SET OF in DER."""
    return tlv(0x31, *sorted(attributes))


def signer(
    signed: bytes,
    *,
    sent: bytes | None = None,
    name: str = "partner",
    digest: bytes = SHA256,
    algorithm: bytes = tlv(0x30, RSA),
    padding: PKCS1v15 | PSS = PKCS1v15(),  # noqa: B008
) -> bytes:
    """A SignerInfo with a signature over `signed`; `sent`: the attributes as they travel."""
    own = identity(name)
    tbs = asn1_cms.IssuerAndSerialNumber(
        {
            "issuer": asn1_cms.Name.load(own.certificate.issuer.public_bytes()),
            "serial_number": own.certificate.serial_number,
        }
    )
    signature = own.private_key.sign(signed, padding, hashes.SHA256())
    return tlv(
        0x30,
        tlv(2, b"\1"),
        tbs.dump(),
        tlv(0x30, digest),
        sent or b"",
        algorithm,
        tlv(4, signature),
    )


def signed_data(*signers: bytes, content_type: bytes = DATA, named: bytes = SHA256) -> bytes:
    """A detached SignedData."""
    inner = tlv(
        0x30,
        tlv(2, b"\1"),
        tlv(0x31, tlv(0x30, named)),
        tlv(0x30, content_type),
        tlv(0x31, *signers),
    )
    return tlv(0x30, SIGNED, tlv(0xA0, inner))


def with_attributes(*attributes: bytes) -> bytes:
    """A detached SignedData with these attributes signed in DER."""
    encoded = der_set(*attributes)
    return signed_data(signer(encoded, sent=b"\xa0" + encoded[1:]))


def partner_verifies(message: bytes) -> tuple[Digest, SignatureScheme, str]:
    """Verify it as the partner's."""
    return verify(message, CONTENT, identity("partner").certificate)


GOOD = (Digest.SHA256, SignatureScheme.PKCS1)


def test_signed_attributes_hold() -> None:
    """The plain case, made by hand; attributes that are not known do no harm."""
    assert partner_verifies(with_attributes(TYPE, DIGEST))[:2] == GOOD
    assert partner_verifies(with_attributes(TYPE, DIGEST, UNKNOWN))[:2] == GOOD


def test_no_attributes_hold() -> None:
    """The signature is then over the content itself (RFC 5652 §5.4)."""
    assert partner_verifies(signed_data(signer(CONTENT)))[:2] == GOOD


def test_attributes_are_put_into_der_before_they_are_verified() -> None:
    """They may arrive as BER: unsorted, with lengths left open, strings in pieces."""
    pieces = b"\x24\x80" + tlv(4, hashlib.sha256(CONTENT).digest()[:7])
    pieces += tlv(4, hashlib.sha256(CONTENT).digest()[7:]) + b"\0\0"
    oid = core.ObjectIdentifier("1.2.840.113549.1.9.4").dump()
    loose = b"\x30\x80" + oid + b"\x31\x80" + pieces + b"\0\0\0\0"
    unsorted = attribute("1.2.3.4.5", tlv(12, b"a"), tlv(4, b"long enough to be the last" * 4))
    sent = b"\xa0\x80" + unsorted + loose + TYPE + b"\0\0"
    message = signed_data(signer(der_set(TYPE, DIGEST, _sorted_unknown()), sent=sent))
    assert partner_verifies(message)[:2] == GOOD


def _sorted_unknown() -> bytes:
    values = sorted((tlv(4, b"long enough to be the last" * 4), tlv(12, b"a")))
    return attribute("1.2.3.4.5", *values)


def test_attributes_signed_in_the_order_in_which_they_were_sent_hold() -> None:
    """Some signers do not sort them; openssl takes those, too."""
    unsorted = UNKNOWN + DIGEST + TYPE
    message = signed_data(signer(tlv(0x31, unsorted), sent=tlv(0xA0, unsorted)))
    assert partner_verifies(message)[:2] == GOOD


@pytest.mark.parametrize(
    ("attributes", "error"),
    [
        pytest.param((TYPE,), cms.IntegrityFailed, id="no digest"),
        pytest.param((DIGEST,), cms.IntegrityFailed, id="no content type"),
        pytest.param((TYPE, OTHER_DIGEST), cms.IntegrityFailed, id="another digest"),
        pytest.param((TYPE, DIGEST, OTHER_DIGEST), cms.NotCms, id="digest twice"),
        pytest.param((TYPE, DIGEST, DIGEST), cms.NotCms, id="same digest twice"),
        pytest.param((TYPE, TYPE, DIGEST), cms.NotCms, id="content type twice"),
        pytest.param(
            (TYPE, attribute("1.2.840.113549.1.9.4", tlv(4, b"a"), tlv(4, b"b"))),
            cms.NotCms,
            id="two values",
        ),
        pytest.param(
            (TYPE, attribute("1.2.840.113549.1.9.4")), cms.NotCms, id="digest without a value"
        ),
        pytest.param(
            (attribute("1.2.840.113549.1.9.3", SIGNED), DIGEST),
            cms.IntegrityFailed,
            id="content type is another",
        ),
        pytest.param((TYPE, DIGEST, tlv(4, b"")), cms.NotCms, id="an attribute that is none"),
    ],
)
def test_wrong_attributes_are_refused(
    attributes: tuple[bytes, ...], error: type[cms.CmsError]
) -> None:
    """Though the signature over them is good."""
    with pytest.raises(error):
        partner_verifies(with_attributes(*attributes))


def test_a_signature_over_other_attributes_is_refused() -> None:
    """The digest fits, the signature is over something else."""
    sent = b"\xa0" + der_set(TYPE, DIGEST)[1:]
    with pytest.raises(cms.IntegrityFailed, match="signature"):
        partner_verifies(signed_data(signer(der_set(TYPE, DIGEST, UNKNOWN), sent=sent)))


def test_signatures_of_other_content_types_are_refused() -> None:
    """What was signed for another purpose is no signature of a message."""
    with pytest.raises(cms.NotCms, match=r"1\.2\.840\.113549\.1\.7\.2"):
        partner_verifies(signed_data(signer(CONTENT), content_type=SIGNED))


@pytest.mark.parametrize("last", ["5", "11", "12"])
def test_pkcs1_may_name_its_digest_once_more(last: str) -> None:
    """sha256WithRSAEncryption is rsaEncryption with SHA-256; another digest contradicts it."""
    named = core.ObjectIdentifier(f"1.2.840.113549.1.1.{last}").dump()
    message = signed_data(signer(CONTENT, algorithm=tlv(0x30, named, b"\5\0")))
    if last == "11":
        assert partner_verifies(message)[:2] == GOOD
    else:
        with pytest.raises(cms.NotCms, match="two digests"):
            partner_verifies(message)


def pss(*, digest: str = "sha256", mask: str = "sha256", salt: int = 32, **more: object) -> bytes:
    """The AlgorithmIdentifier of PSS, by an independent encoder."""
    parameters = {
        "hash_algorithm": {"algorithm": digest},
        "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": {"algorithm": mask}},
        "salt_length": salt,
        **more,
    }
    found: bytes = asn1_cms.SignedDigestAlgorithm(
        {"algorithm": "rsassa_pss", "parameters": parameters}
    ).dump()
    return found


def pss_padding(salt: int, mask: hashes.HashAlgorithm | None = None) -> PSS:
    """PSS as `cryptography` has it."""
    return PSS(MGF1(mask or hashes.SHA256()), salt)


@pytest.mark.parametrize("salt", [0, 20, 32, 222])
def test_pss_takes_the_salt_it_names(salt: int) -> None:
    """Whatever its length."""
    good = signer(CONTENT, algorithm=pss(salt=salt), padding=pss_padding(salt))
    found = partner_verifies(signed_data(good))
    assert found[:2] == (Digest.SHA256, SignatureScheme.PSS)
    other = signer(CONTENT, algorithm=pss(salt=salt + 1), padding=pss_padding(salt))
    with pytest.raises(cms.IntegrityFailed):
        partner_verifies(signed_data(other))


def test_the_digest_of_mgf1_must_be_allowed_too() -> None:
    """Java leaves MGF1 at SHA-1 unless told otherwise."""
    message = signed_data(
        signer(CONTENT, algorithm=pss(mask="sha1"), padding=pss_padding(32, hashes.SHA1()))
    )
    partner = identity("partner").certificate
    assert verify(message, CONTENT, partner)[1] is SignatureScheme.PSS
    with pytest.raises(cms.NotAllowed, match="sha-1"):
        verify(message, CONTENT, partner, allowed=STRONG_DIGESTS)


@pytest.mark.parametrize(
    ("algorithm", "error"),
    [
        (pss(digest="sha512"), cms.NotCms),
        (pss(digest="sha3_256"), cms.NotAllowed),
        (pss(mask="md5"), cms.NotAllowed),
        (pss(salt=10**9), cms.NotCms),
        (pss(salt=10**30), cms.NotCms),
        (pss(salt=1000), cms.IntegrityFailed),
        (pss(trailer_field=2), cms.NotCms),
        (tlv(0x30, core.ObjectIdentifier("1.2.840.113549.1.1.10").dump()), cms.NotCms),
        (tlv(0x30, core.ObjectIdentifier("1.2.840.10045.4.3.2").dump()), cms.NotAllowed),
        (tlv(0x30, core.ObjectIdentifier("1.3.101.112").dump()), cms.NotAllowed),
        (tlv(0x30, tlv(6, b"")), cms.NotAllowed),
        (tlv(0x30, tlv(6, b"\xff" * 100)), cms.NotAllowed),
    ],
)
def test_wrong_signature_algorithms_are_refused(
    algorithm: bytes, error: type[cms.CmsError]
) -> None:
    """Unknown, contradictory or absurd ones."""
    with pytest.raises(error):
        partner_verifies(signed_data(signer(CONTENT, algorithm=algorithm)))


def test_only_the_partners_certificates_count() -> None:
    """The stranger's own certificate travels in his message and does not help him."""
    message = sign(CONTENT, identity("stranger"))
    with pytest.raises(cms.AuthenticationFailed, match="serial number"):
        partner_verifies(message)
    with pytest.raises(cms.AuthenticationFailed):
        verify(message, CONTENT)


def test_a_stranger_under_the_partners_number_is_found_out() -> None:
    """Issuer and serial number are public; the key is not."""
    partner = identity("partner").certificate
    forged = certificate("partner", key=rsa_key("stranger"), serial=partner.serial_number)
    message = sign(CONTENT, cms.Identity(forged, rsa_key("stranger")))
    with pytest.raises(cms.IntegrityFailed):
        partner_verifies(message)


def test_certificates_that_share_a_number_are_all_tried() -> None:
    """Tools that make each self-signed certificate number 1 are not rare."""
    old = certificate("partner", key=rsa_key("old"), serial=1)
    new = certificate("partner", serial=1)
    message = sign(CONTENT, cms.Identity(new, rsa_key("partner")))
    assert verify(message, CONTENT, old, new)[2] == cms.fingerprint(new)
    with pytest.raises(cms.IntegrityFailed):
        verify(message, CONTENT, old)


def test_a_certificate_counts_only_while_it_is_valid() -> None:
    """At the time of the message, not of the test."""
    brief = certificate("partner", begin=NOW, end=NOW + DAY)
    message = sign(CONTENT, cms.Identity(brief, rsa_key("partner")))
    for valid in (NOW, NOW + DAY):
        assert verify(message, CONTENT, brief, on=valid)
    for invalid in (NOW - dt.timedelta(seconds=1), NOW + DAY + dt.timedelta(seconds=1)):
        with pytest.raises(cms.AuthenticationFailed, match="2026-10-01 to 2026-10-02"):
            verify(message, CONTENT, brief, on=invalid)


def test_issuers_are_compared_as_names() -> None:
    """A sender that writes UTF8String where the certificate has PrintableString is understood."""
    partner = identity("partner").certificate
    own = asn1_cms.IssuerAndSerialNumber(
        {
            "issuer": asn1_cms.Name.load(partner.issuer.public_bytes()),
            "serial_number": partner.serial_number,
        }
    ).dump()
    other = own.replace(b"partner", b"PARTNER")
    assert other != own
    message = signed_data(signer(CONTENT)).replace(own, other)
    assert partner_verifies(message)[:2] == GOOD
    with pytest.raises(cms.AuthenticationFailed):
        partner_verifies(message.replace(b"PARTNER", b"partnet"))


def test_digests_must_be_allowed() -> None:
    """SHA-1 is understood but refused unless the partner file allows it; MD5 always."""
    partner = identity("partner")
    message = sign(CONTENT, partner, Digest.SHA1)
    assert verify(message, CONTENT, partner.certificate)[0] is Digest.SHA1
    with pytest.raises(cms.NotAllowed, match="sha-1"):
        verify(message, CONTENT, partner.certificate, allowed=STRONG_DIGESTS)
    md5 = core.ObjectIdentifier("1.2.840.113549.2.5").dump()
    message = signed_data(signer(CONTENT, digest=md5), named=md5)
    with pytest.raises(cms.NotAllowed, match="MD5"):
        partner_verifies(message)
    with pytest.raises(cms.NotAllowed, match="MD5"):
        cms.signature_digests(message)


def test_one_good_signer_is_enough() -> None:
    """A partner that changes its certificate may sign with both for a while."""
    good, strange = signer(CONTENT), signer(CONTENT, name="stranger")
    broken = signer(b"another content")
    for message in (signed_data(strange, good), signed_data(broken, good)):
        assert partner_verifies(message)[:2] == GOOD
    with pytest.raises(cms.IntegrityFailed):
        partner_verifies(signed_data(strange, broken))


def test_nobody_signed() -> None:
    """A SignedData without signers only transports certificates."""
    with pytest.raises(cms.AuthenticationFailed, match="nobody"):
        partner_verifies(signed_data())
    with pytest.raises(cms.NotCms, match="signers"):
        partner_verifies(signed_data(*[signer(CONTENT)] * 17))


def test_signature_digests_names_the_signers_first() -> None:
    """So that a content is hashed once for every digest that may be asked for."""
    named = core.ObjectIdentifier("2.16.840.1.101.3.4.2.3").dump()
    message = signed_data(signer(CONTENT), named=named)
    assert cms.signature_digests(message) == (Digest.SHA256, Digest.SHA512)
    with pytest.raises(cms.NotAllowed):
        cms.signature_digests(signed_data(named=tlv(6, b"\x2a\3")))


def opaque(signers: bytes, *, named: bytes = SHA256, content: bytes | None = CONTENT) -> bytes:
    """A SignedData around its content, in BER."""
    inside = b"" if content is None else tlv(0xA0, tlv(4, content))
    inner = tlv(2, b"\1") + tlv(0x31, tlv(0x30, named)) + tlv(0x30, DATA, inside)
    inner += tlv(0x31, signers)
    return b"\x30\x80" + SIGNED + b"\xa0\x80\x30\x80" + inner + b"\0\0\0\0\0\0"


def test_an_opaque_signature_gives_its_content() -> None:
    """With and without signed attributes."""
    partner = identity("partner")
    attributes = der_set(TYPE, DIGEST)
    with_them = signer(attributes, sent=b"\xa0" + attributes[1:])
    for one in (signer(CONTENT), with_them):
        found = verify_opaque(opaque(one), [partner.certificate])
        assert found == (*GOOD, partner.fingerprint, CONTENT)
        with pytest.raises(cms.IntegrityFailed):
            verify_opaque(opaque(one, content=CONTENT + b"!"), [partner.certificate])


def test_an_opaque_signature_needs_its_content_and_its_digest() -> None:
    """The digest must be announced before the content, which is read but once."""
    partner = [identity("partner").certificate]
    with pytest.raises(cms.NotCms, match="no content"):
        verify_opaque(opaque(signer(CONTENT), content=None), partner)
    other = core.ObjectIdentifier("2.16.840.1.101.3.4.2.3").dump()
    with pytest.raises(cms.NotCms, match="announced"):
        verify_opaque(opaque(signer(CONTENT), named=other), partner)


def test_our_signature_is_what_an_independent_parser_expects() -> None:
    """Three signed attributes, our certificate, DER to the last byte."""
    us = identity("us")
    message = sign(CONTENT, us, Digest.SHA384, SignatureScheme.PSS)
    info = asn1_cms.ContentInfo.load(message, strict=True)
    signed = info["content"]
    (one,) = signed["signer_infos"]
    values = {item["type"].native: item["values"].native for item in one["signed_attrs"]}
    assert values == {
        "content_type": ["data"],
        "signing_time": [NOW],
        "message_digest": [hashlib.sha384(CONTENT).digest()],
    }
    parameters = one["signature_algorithm"]["parameters"].native
    assert parameters["salt_length"] == 48
    assert parameters["mask_gen_algorithm"]["parameters"]["algorithm"] == "sha384"
    (own,) = signed["certificates"]
    assert hashlib.sha256(own.chosen.dump()).hexdigest() == us.fingerprint
    assert info.dump(force=True) == message


def test_signing_needs_a_time_zone_and_a_digest() -> None:
    """Mistakes of the caller, told as such; and times beyond 2049 are written otherwise."""
    us = identity("us")
    value = hashed(CONTENT)(Digest.SHA256)
    scheme = SignatureScheme.PKCS1
    with pytest.raises(ValueError, match="time zone"):
        cms.sign(Digest.SHA256, value, us, scheme=scheme, now=NOW.replace(tzinfo=None))
    with pytest.raises(ValueError, match="digest"):
        cms.sign(Digest.SHA512, value, us, scheme=scheme, now=NOW)
    late = cms.sign(Digest.SHA256, value, us, scheme=scheme, now=NOW.replace(year=2050))
    assert b"20501001120000Z" in late
    assert cms.kind_of(io.BytesIO(late)) == "signed"
