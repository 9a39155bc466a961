"""Both ways with the openssl command: what it writes we read, what we write it reads."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import pytest

from gateway.core.as2 import cms
from gateway.model.as2 import Cipher, Digest, KeyTransport, SignatureScheme
from tests.core.as2 import cms_keys
from tests.core.as2.cms_keys import NOW, OpenSSL, identity

CONTENT = b"Content-Type: application/xml\r\n\r\n<Invoice>\xc3\xa9t\xc3\xa9</Invoice>\r\n" * 500
"""Some 30 kB: several of the pieces in which openssl streams."""

CIPHER_NAMES = {
    Cipher.AES128_CBC: "-aes-128-cbc",
    Cipher.AES192_CBC: "-aes-192-cbc",
    Cipher.AES256_CBC: "-aes-256-cbc",
    Cipher.AES128_GCM: "-aes-128-gcm",
    Cipher.AES192_GCM: "-aes-192-gcm",
    Cipher.AES256_GCM: "-aes-256-gcm",
    Cipher.TRIPLE_DES: "-des3",
}
DIGEST_NAMES = {digest: digest.replace("-", "") for digest in Digest}
OAEP = ("-keyopt", "rsa_padding_mode:oaep")
TRANSPORTS = {
    "pkcs1": (KeyTransport.PKCS1, ()),
    "oaep": (KeyTransport.OAEP, OAEP),
    "oaep-sha256": (
        KeyTransport.OAEP,
        (*OAEP, "-keyopt", "rsa_oaep_md:sha256", "-keyopt", "rsa_mgf1_md:sha1"),
    ),
    "oaep-label": (
        KeyTransport.OAEP,
        (*OAEP, "-keyopt", "rsa_oaep_md:sha512", "-keyopt", "rsa_oaep_label:6c61626c65"),
    ),
}


@pytest.fixture
def openssl(tmp_path: Path) -> OpenSSL:
    """The command, with our keys and the partner's."""
    return OpenSSL(tmp_path, "us", "partner")


def signing(digest: Digest, scheme: SignatureScheme) -> list[str]:
    """The command that signs."""
    command = ["cms", "-sign", "-binary", "-outform", "DER", "-md", DIGEST_NAMES[digest]]
    command += ["-signer", "partner.crt", "-inkey", "partner.key"]
    if scheme is SignatureScheme.PSS:
        command += ["-keyopt", "rsa_padding_mode:pss"]
    return command


def forms(scheme: SignatureScheme) -> list[list[str]]:
    """All combinations of options that change the form. It cannot stream PSS, a bug of its own."""
    streamed: tuple[list[str], ...] = ([], ["-stream", "-indef"])
    if scheme is SignatureScheme.PSS:
        streamed = ([],)
    choices = itertools.product(streamed, ([], ["-noattr"]), ([], ["-nocerts"]), ([], ["-keyid"]))
    return [list(itertools.chain.from_iterable(choice)) for choice in choices]


@pytest.mark.parametrize("scheme", SignatureScheme)
@pytest.mark.parametrize("digest", Digest)
def test_detached_signatures_of_openssl_verify(
    openssl: OpenSSL, digest: Digest, scheme: SignatureScheme
) -> None:
    """In every form it can write: streamed or DER, with and without attributes or certificates."""
    signer = identity("partner")
    for form in forms(scheme):
        message = openssl(*signing(digest, scheme), *form, stdin=CONTENT)
        assert cms.signature_digests(message) == (digest,)
        found = cms_keys.verify(message, CONTENT, identity("us").certificate, signer.certificate)
        assert found == (digest, scheme, signer.fingerprint)
        with pytest.raises(cms.IntegrityFailed):
            cms_keys.verify(message, CONTENT + b" ", signer.certificate)


@pytest.mark.parametrize("scheme", SignatureScheme)
@pytest.mark.parametrize("digest", Digest)
def test_opaque_signatures_of_openssl_verify(
    openssl: OpenSSL, digest: Digest, scheme: SignatureScheme
) -> None:
    """The content comes out, however it was cut into pieces."""
    signer = identity("partner")
    for form in forms(scheme):
        message = openssl(*signing(digest, scheme), "-nodetach", *form, stdin=CONTENT)
        assert cms.kind_of(io.BytesIO(message)) == "signed"
        found = cms_keys.verify_opaque(message, [signer.certificate])
        assert found == (digest, scheme, signer.fingerprint, CONTENT)


@pytest.mark.parametrize("command", ["smime", "cms"])
def test_the_older_smime_command_is_read_too(openssl: OpenSSL, command: str) -> None:
    """It writes PKCS#7, the forerunner of CMS."""
    own = ["-signer", "partner.crt", "-inkey", "partner.key"]
    signed = openssl(command, "-sign", "-binary", "-outform", "DER", *own, stdin=CONTENT)
    assert cms_keys.verify(signed, CONTENT, identity("partner").certificate)
    sealed = openssl(
        command, "-encrypt", "-binary", "-outform", "DER", "-aes128", "us.crt", stdin=CONTENT
    )
    assert cms_keys.decrypt(sealed, identity("us")).content == CONTENT


@pytest.mark.parametrize("scheme", SignatureScheme)
@pytest.mark.parametrize("digest", Digest)
def test_openssl_verifies_our_signatures(
    openssl: OpenSSL, digest: Digest, scheme: SignatureScheme
) -> None:
    """And finds our certificate in them."""
    (openssl.folder / "content").write_bytes(CONTENT)
    signature = cms_keys.sign(CONTENT, identity("us"), digest, scheme)
    command = ["cms", "-verify", "-binary", "-inform", "DER", "-content", "content"]
    command += ["-CAfile", "us.crt", "-purpose", "any", "-no_check_time"]
    assert openssl(*command, stdin=signature) == CONTENT


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("cipher", Cipher)
def test_what_openssl_encrypts_is_decrypted(
    openssl: OpenSSL, cipher: Cipher, transport: str
) -> None:
    """For one recipient or two, named either way, streamed or DER."""
    us = identity("us")
    expected, options = TRANSPORTS[transport]
    for streamed, keyid, others in itertools.product(
        ([], ["-stream", "-indef"]), ([], ["-keyid"]), ([], ["-recip", "partner.crt"])
    ):
        message = openssl(
            *("cms", "-encrypt", "-binary", "-outform", "DER", CIPHER_NAMES[cipher]),
            *(*streamed, *keyid, *others, "-recip", "us.crt", *options),
            stdin=CONTENT,
        )
        kind = "auth-enveloped" if "gcm" in cipher else "enveloped"
        assert cms.kind_of(io.BytesIO(message)) == kind
        found = cms_keys.decrypt(message, us)
        assert found == (cipher, expected, us.fingerprint, CONTENT)


@pytest.mark.parametrize("size", [0, 15, 16, 30_000, 3_000_000])
@pytest.mark.parametrize("transport", KeyTransport)
@pytest.mark.parametrize("cipher", Cipher)
def test_openssl_decrypts_what_we_encrypt(
    openssl: OpenSSL, cipher: Cipher, transport: KeyTransport, size: int
) -> None:
    """Small in DER, large in pieces; for each of two recipients."""
    content = (CONTENT * 100)[:size]
    recipients = [identity(name).certificate for name in ("us", "partner")]
    message = cms_keys.encrypt(content, *recipients, cipher=cipher, transport=transport)
    for name in ("us", "partner"):
        own = ["-recip", f"{name}.crt", "-inkey", f"{name}.key"]
        command = ["cms", "-decrypt", "-binary", "-inform", "DER", *own]
        assert openssl(*command, stdin=message) == content


def test_openssl_agrees_on_the_structure_of_compressed_data(openssl: OpenSSL) -> None:
    """Debian's build has no zlib, but it parses and prints what it would unpack."""
    printed = openssl(
        "cms", "-cmsout", "-print", "-noout", "-inform", "DER", stdin=cms_keys.compress(CONTENT)
    )
    assert b"compressedData" in printed
    assert b"zlib compression" in printed


def test_certificates_in_pkcs7_are_loaded(openssl: OpenSSL) -> None:
    """A .p7b of the openssl command, in DER and PEM."""
    for form in ("DER", "PEM"):
        bundle = openssl(
            *("crl2pkcs7", "-nocrl", "-outform", form),
            *("-certfile", "us.crt", "-certfile", "partner.crt"),
        )
        found = {cms.fingerprint(one) for one in cms.load_certificates(bundle)}
        assert found == {identity(name).fingerprint for name in ("us", "partner")}


def test_a_pkcs12_file_of_openssl_is_loaded(openssl: OpenSSL) -> None:
    """With our certificate and key, and a certificate that came along."""
    store = openssl(
        *("pkcs12", "-export", "-in", "us.crt", "-inkey", "us.key", "-certfile", "partner.crt"),
        *("-passout", "pass:geheim"),
    )
    (found,) = cms.load_identities(store, b"geheim")
    assert found.fingerprint == identity("us").fingerprint
    assert cms_keys.sign(CONTENT, found)
    assert found.certificate.not_valid_after_utc > NOW
