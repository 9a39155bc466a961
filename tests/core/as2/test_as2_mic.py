"""The MIC, computed by hand and with the openssl command, for every order of wrapping."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.core.as2.mime import read_head
from gateway.model.as2 import As2Receive, Cipher, Digest, Failure, Headers, Opened
from tests.core.as2.parties import LAX, SYNC, folder, header_fields, party, pem, refused, taken
from tests.core.as2.wrappings import (
    BODY,
    COMPRESSED,
    ENCODED,
    ENTITY,
    ENVELOPED,
    SIGNED,
    compressed,
    encrypted,
    mic,
    multipart,
    within,
)

layers = pytest.mark.usefixtures("layers")

IN_ENVELOPE = encrypted(ENTITY)
ZIPPED = within(COMPRESSED, compressed(ENTITY))
ZIPPED_SIGNED = within(SIGNED, multipart(ZIPPED))

ORDERS = {
    "plain": ("text/xml", BODY, BODY),
    "encrypted": (ENVELOPED, IN_ENVELOPE, ENTITY),
    "encrypted, base64 inside": (ENVELOPED, encrypted(ENCODED), ENCODED),
    "compressed": (COMPRESSED, compressed(ENTITY), ENTITY),
    "encrypted, compressed": (ENVELOPED, encrypted(ZIPPED), ENTITY),
    "compressed, encrypted": (COMPRESSED, compressed(within(ENVELOPED, IN_ENVELOPE)), ENTITY),
    "signed": (SIGNED, multipart(ENTITY), ENTITY),
    "signed, base64 inside": (SIGNED, multipart(ENCODED), ENCODED),
    "signed, compressed before": (SIGNED, multipart(ZIPPED), ZIPPED),
    "signed, compressed after": (
        COMPRESSED,
        compressed(within(SIGNED, multipart(ENTITY))),
        ENTITY,
    ),
    "encrypted, signed": (ENVELOPED, encrypted(within(SIGNED, multipart(ENTITY))), ENTITY),
    "encrypted, signed, compressed": (ENVELOPED, encrypted(ZIPPED_SIGNED), ZIPPED),
    "encrypted, compressed, signed": (
        ENVELOPED,
        encrypted(within(COMPRESSED, compressed(within(SIGNED, multipart(ENTITY))))),
        ENTITY,
    ),
    "signed, encrypted": (
        SIGNED,
        multipart(within(ENVELOPED, IN_ENVELOPE)),
        within(ENVELOPED, IN_ENVELOPE),
    ),
    "authenticated": (
        "application/pkcs7-mime; smime-type=authEnveloped-data",
        encrypted(ENTITY, Cipher.AES256_GCM),
        ENTITY,
    ),
    "smime-type wrong": ("application/x-pkcs7-mime; smime-type=signed-data", IN_ENVELOPE, ENTITY),
    "smime-type missing": ("application/pkcs7-mime", compressed(ENTITY), ENTITY),
    "no fields inside": (ENVELOPED, encrypted(b"\r\n" + BODY), b"\r\n" + BODY),
}


@layers
@pytest.mark.parametrize("order", ORDERS)
def test_the_mic_of_every_order(tmp_path: Path, order: str) -> None:
    """Over what was signed; else over the innermost entity; else over the bare content."""
    media_type, body, over = ORDERS[order]
    opened = taken(tmp_path, header_fields(media_type, **SYNC), body)
    assert Path(opened.path).read_bytes() == BODY
    assert opened.mic == mic(over)


@layers
def test_the_transfer_encoding_of_a_bare_message_is_not_hashed(tmp_path: Path) -> None:
    """It belongs to the headers, which may be changed on the way (RFC 4130 §7.3.1)."""
    headers = header_fields("text/xml", Content_Transfer_Encoding="base64", **SYNC)
    opened = taken(tmp_path, headers, base64.encodebytes(BODY))
    assert Path(opened.path).read_bytes() == BODY
    assert opened.mic == mic(BODY)


@layers
def test_a_multipart_has_no_transfer_encoding(tmp_path: Path) -> None:
    """RFC 2045 §6.4; products that write one there mean that of a part."""
    headers = header_fields(SIGNED, Content_Transfer_Encoding="base64", **SYNC)
    assert taken(tmp_path, headers, multipart(ENCODED)).mic == mic(ENCODED)


@layers
@pytest.mark.parametrize(
    ("asked", "allowed", "signed", "expected"),
    [
        ("optional, sha-512, sha-256", LAX.digests, Digest.SHA256, "sha512"),
        ("optional, md5, sha1, sha-256", LAX.digests, Digest.SHA256, "sha1"),
        ("optional, sha1, sha-512", As2Receive().digests, Digest.SHA256, "sha512"),
        ("optional, sha1", As2Receive().digests, Digest.SHA512, "sha512"),
        ("optional, sha1", As2Receive().digests, None, "sha256"),
        ("optional", LAX.digests, Digest.SHA1, "sha1"),
        ("required, sha1, sha-512", As2Receive().digests, Digest.SHA256, "sha512"),
    ],
)
def test_by_which_hash(
    tmp_path: Path,
    asked: str,
    allowed: tuple[Digest, ...],
    signed: Digest | None,
    expected: str,
) -> None:
    """The sender's first that the partner file allows; else the signature's; else SHA-256."""
    fields = SYNC | {"Disposition_Notification_Options": f"signed-receipt-micalg={asked}"}
    policy = As2Receive(require_signature=False, require_encryption=False, digests=allowed)
    media_type, body = (SIGNED, multipart(ENTITY, signed)) if signed else ("text/xml", BODY)
    opened = taken(tmp_path, header_fields(media_type, **fields), body, policy=policy)
    assert opened.mic == mic(ENTITY if signed else BODY, expected)


@layers
def test_a_required_hash_that_is_not_allowed(tmp_path: Path) -> None:
    """The sender takes no other MIC, so there is no receipt to give (RFC 4130 §7.5.3)."""
    fields = SYNC | {"Disposition_Notification_Options": "signed-receipt-micalg=required, sha1"}
    policy = As2Receive(require_signature=False, require_encryption=False)
    outcome = refused(tmp_path, header_fields("text/xml", **fields), BODY, policy=policy)
    assert outcome.failure is Failure.UNSUPPORTED_MIC


@layers
def test_no_receipt_no_mic(tmp_path: Path) -> None:
    """Unless there is a signature, whose hash vouches for the same."""
    assert taken(tmp_path, header_fields("text/xml"), BODY).mic is None
    assert taken(tmp_path, header_fields(SIGNED), multipart(ENTITY)).mic == mic(ENTITY)


# The openssl command as the other side: it is the implementation that most products rest on.

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")


def openssl(tmp_path: Path, data: bytes, *arguments: str) -> tuple[Headers, bytes]:
    """What `openssl … -in data` makes: its header fields as those of a request, and the body."""
    place = folder(tmp_path)
    (place / "in").write_bytes(data)
    (place / "supplier.pem").write_bytes(pem(party("supplier")))
    (place / "gateway.pem").write_bytes(pem(party("gateway")))
    done = subprocess.run(
        ["openssl", *arguments, "-in", "in"], cwd=place, capture_output=True, check=True
    )
    made, at = read_head(done.stdout, 10_000)
    fields, body = dict(made), done.stdout[at:]
    encoding = fields.get("Content-Transfer-Encoding", "binary")
    return header_fields(fields["Content-Type"], Content_Transfer_Encoding=encoding, **SYNC), body


SIGN = ("-sign", "-signer", "supplier.pem", "-md", "sha256")


@layers
@needs_openssl
@pytest.mark.parametrize("command", ["cms", "smime"])
@pytest.mark.parametrize("eol", [(), ("-crlfeol",)])
@pytest.mark.parametrize("data", [ENTITY, ENTITY[:-2], ENCODED])
def test_openssl_signs(tmp_path: Path, command: str, eol: tuple[str, ...], data: bytes) -> None:
    """Its multipart/signed, structure in LF or CRLF: the MIC is over the signed bytes."""
    headers, body = openssl(tmp_path, data, command, *SIGN, *eol)
    opened = taken(tmp_path, headers, body)
    assert Path(opened.path).read_bytes() == (BODY if data != ENTITY[:-2] else BODY[:-2])
    assert opened.mic == mic(data)
    assert opened.security.signer == party("supplier").fingerprint


@layers
@needs_openssl
def test_openssl_signs_text(tmp_path: Path) -> None:
    """With -text it adds its own header fields, which are signed too."""
    headers, body = openssl(tmp_path, b"hello\n", "cms", *SIGN, "-text")
    opened = taken(tmp_path, headers, body)
    assert Path(opened.path).read_bytes() == b"hello\r\n"
    assert opened.mic == mic(b"Content-Type: text/plain\r\n\r\nhello\r\n")
    assert opened.content_type == "text/plain"


@layers
@needs_openssl
def test_line_breaks_lost_on_the_way(tmp_path: Path) -> None:
    """A relay that turns CRLF into LF breaks no signature over text: the canonical form counts.

    It is then that form which is delivered and hashed, for it is what was signed.
    """
    headers, body = openssl(tmp_path, ENTITY, "cms", *SIGN)
    opened = taken(tmp_path, headers, body.replace(b"\r\n", b"\n"))
    assert Path(opened.path).read_bytes() == BODY
    assert opened.mic == mic(ENTITY)


@layers
@needs_openssl
@pytest.mark.parametrize("command", ["cms", "smime"])
def test_openssl_signs_opaquely(tmp_path: Path, command: str) -> None:
    """Signed-data with its content inside, in base64."""
    headers, body = openssl(tmp_path, ENTITY, command, *SIGN, "-nodetach", "-binary")
    opened = taken(tmp_path, headers, body)
    assert Path(opened.path).read_bytes() == BODY
    assert opened.mic == mic(ENTITY)
    assert opened.security.signed is Digest.SHA256


@layers
@needs_openssl
@pytest.mark.parametrize("cipher", ["-aes128", "-aes-256-cbc", "-aes-256-gcm", "-des3"])
def test_openssl_encrypts(tmp_path: Path, cipher: str) -> None:
    """Encrypted without a signature: the MIC is over the entity inside, header fields too."""
    headers, body = openssl(
        tmp_path, ENTITY, "cms", "-encrypt", "-binary", cipher, "-recip", "gateway.pem"
    )
    opened = taken(tmp_path, headers, body)
    assert Path(opened.path).read_bytes() == BODY
    assert opened.mic == mic(ENTITY)
    assert opened.filename == "a.xml"


@layers
@needs_openssl
def test_openssl_signs_and_encrypts(tmp_path: Path) -> None:
    """As most partners send: signed inside, encrypted outside."""
    place = folder(tmp_path)
    headers, body = openssl(tmp_path, ENTITY, "cms", *SIGN, "-crlfeol")
    inside = b"Content-Type: " + dict(headers)["Content-Type"].encode() + b"\r\n\r\n" + body
    headers, body = openssl(
        place, inside, "cms", "-encrypt", "-binary", "-aes256", "-recip", "gateway.pem"
    )
    opened = taken(tmp_path, headers, body, policy=As2Receive())
    assert isinstance(opened, Opened)
    assert Path(opened.path).read_bytes() == BODY
    assert opened.mic == mic(ENTITY)
