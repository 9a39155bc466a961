"""Messages made by hand, one wrapping at a time, so that each test can say what is wrong in one."""

from __future__ import annotations

import base64
import hashlib
import io

from gateway.core.as2 import cms
from gateway.model.as2 import Cipher, Digest, KeyTransport, Mic, SignatureScheme
from tests.core.as2.parties import NOW, party

BODY = b"<Invoice>\r\n</Invoice>\r\n"
ENTITY = b"Content-Type: text/xml\r\nContent-Disposition: attachment; filename=a.xml\r\n\r\n" + BODY
ENCODED = (
    b"Content-Type: text/xml\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.encodebytes(BODY).replace(b"\n", b"\r\n")
)
ENVELOPED = "application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m"
COMPRESSED = "application/pkcs7-mime; smime-type=compressed-data; name=smime.p7z"


def mic(data: bytes, name: str = "sha256") -> Mic:
    """What RFC 4130 §7.3.1 calls the MIC of these bytes."""
    digest = {"sha1": Digest.SHA1, "sha256": Digest.SHA256, "sha512": Digest.SHA512}[name]
    return Mic(base64.b64encode(hashlib.new(name, data).digest()).decode(), digest)


def compressed(data: bytes) -> bytes:
    """CMS compressed-data around the bytes."""
    sink = io.BytesIO()
    cms.compress(io.BytesIO(data), sink)
    return sink.getvalue()


def encrypted(data: bytes, cipher: Cipher = Cipher.AES128_CBC) -> bytes:
    """CMS enveloped-data for the gateway."""
    sink = io.BytesIO()
    cms.encrypt(
        io.BytesIO(data),
        sink,
        [party("gateway").certificate],
        cipher=cipher,
        transport=KeyTransport.PKCS1,
    )
    return sink.getvalue()


def detached(data: bytes, digest: Digest = Digest.SHA256, who: str = "supplier") -> bytes:
    """A detached signature over the bytes."""
    value = hashlib.new(digest.replace("-", ""), data).digest()
    return cms.sign(digest, value, party(who), scheme=SignatureScheme.PKCS1, now=NOW)


def multipart(data: bytes, digest: Digest = Digest.SHA256, who: str = "supplier") -> bytes:
    """The body of a multipart/signed with the boundary `b`."""
    return (
        b"preamble\r\n--b\r\n" + data + b"\r\n--b\r\n"
        b"Content-Type: application/pkcs7-signature\r\n\r\n"
        + detached(data, digest, who) + b"\r\n--b--\r\nepilogue"
    )  # fmt: skip


SIGNED = "multipart/signed; protocol=application/pkcs7-signature; micalg=sha-256; boundary=b"


def within(media_type: str, data: bytes) -> bytes:
    """The data as the body of a MIME entity."""
    return b"Content-Type: " + media_type.encode() + b"\r\n\r\n" + data
