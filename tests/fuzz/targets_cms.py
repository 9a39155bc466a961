"""CMS, as it stands inside AS2, and the certificates and keys for it."""

from __future__ import annotations

import contextlib
import hashlib
import io
from typing import Final

from gateway.core.as2 import cms
from gateway.core.as2.mime import decode_stream
from gateway.model.as2 import Cipher, Digest, KeyTransport
from tests.fuzz import seeds
from tests.fuzz.as2_seeds import XML, split
from tests.fuzz.keys import NOW, party
from tests.fuzz.target import Kind, Parser, Target
from tests.fuzz.targets_documents import expect


def enveloped() -> Parser:
    """`decrypt`: the plain text, or a `CmsError`."""
    identities = [party("gateway")]

    def run(data: bytes) -> bool:
        cms.kind_of(io.BytesIO(data))
        cms.decrypt(io.BytesIO(data), io.BytesIO(), identities, allowed=tuple(Cipher), on=NOW)
        return True

    return run


def signed() -> Parser:
    """`signature_digests`, `verify` and `verify_opaque`: who signed, or a `CmsError`."""
    certificates = [party("supplier").certificate]
    allowed = tuple(Digest)

    def digest_of(digest: Digest) -> bytes:
        return hashlib.new(digest.replace("-", ""), XML).digest()

    def run(data: bytes) -> bool:
        with contextlib.suppress(cms.CmsError):
            cms.verify_opaque(io.BytesIO(data), io.BytesIO(), certificates, allowed=allowed, on=NOW)
        cms.signature_digests(data)
        cms.verify(data, digest_of, certificates, allowed=allowed, on=NOW)
        return True

    return run


def compressed() -> Parser:
    """`decompress`: the content, within bounds, or a `CmsError`."""

    def run(data: bytes) -> bool:
        sink = io.BytesIO()
        try:
            cms.decompress(io.BytesIO(data), sink, max_bytes=2_000_000, max_ratio=200)
        finally:
            expect(sink.tell() <= 2_000_000, "more than is allowed")
        return True

    return run


def certificates() -> Parser:
    """`load_certificates` and `load_identities`: what a file holds, or a ValueError with words."""

    def run(data: bytes) -> bool:
        try:
            for one in cms.load_certificates(data):
                cms.describe(one)
        finally:
            for identity in cms.load_identities(data, None):
                cms.fingerprint(identity.certificate)
        return True

    return run


def bodies(name: str) -> list[bytes]:
    """What CMS there is in the seeds, without header fields and base64."""
    found = []
    for data in seeds.as2(name):
        headers, body = split(data)
        sink = io.BytesIO()
        decode_stream(headers, io.BytesIO(body), sink)
        found.append(sink.getvalue())
    return found


def key_files() -> list[bytes]:
    """Certificates and keys, in letters and in bytes."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from cryptography.hazmat.primitives.serialization.pkcs7 import serialize_certificates

    one, key = party("supplier").certificate, party("supplier").private_key
    pem, der = one.public_bytes(Encoding.PEM), one.public_bytes(Encoding.DER)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    both = [one, party("gateway").certificate]
    several = [serialize_certificates(both, how) for how in (Encoding.DER, Encoding.PEM)]
    return [pem, der, pem + private, b"# ours\n" + pem * 2, *several]


def signatures() -> list[bytes]:
    """Detached signatures, and messages with their content inside."""
    opaque = cms_signed_with_content()
    return [*seeds.as2("signature"), opaque]


def cms_signed_with_content() -> bytes:
    """A SignedData whose eContent is there: the detached one, with an OCTET STRING put in."""
    from asn1crypto import cms as asn1

    found = asn1.ContentInfo.load(seeds.as2("signature-pkcs1")[0])
    found["content"]["encap_content_info"]["content"] = XML
    made: bytes = found.dump(force=True)
    return made


def compressed_data(data: bytes) -> bytes:
    """The bytes, compressed as CMS has it."""
    sink = io.BytesIO()
    cms.compress(io.BytesIO(data), sink)
    return sink.getvalue()


def enveloped_data(data: bytes) -> bytes:
    """The bytes, encrypted for the gateway."""
    sink = io.BytesIO()
    recipients = [party("gateway").certificate]
    cipher, transport = Cipher.AES128_CBC, KeyTransport.PKCS1
    cms.encrypt(io.BytesIO(data), sink, recipients, cipher=cipher, transport=transport)
    return sink.getvalue()


TARGETS: Final = (
    Target(
        name="cms-enveloped",
        kind=Kind.ASN1,
        parser=enveloped,
        seeds=lambda: [
            *bodies("message-encrypted"),
            *bodies("message-all"),
            *bodies("message-weak"),
        ],
        declared=(cms.CmsError,),
        share=12,
    ),
    Target(
        name="cms-signed",
        kind=Kind.ASN1,
        parser=signed,
        seeds=signatures,
        declared=(cms.CmsError,),
        share=12,
    ),
    Target(
        name="cms-compressed",
        kind=Kind.ASN1,
        parser=compressed,
        seeds=lambda: [*bodies("message-compressed"), compressed_data(XML * 300)],
        declared=(cms.CmsError,),
        share=6,
        accepted=1,
    ),
    Target(
        name="certificates",
        kind=Kind.ASN1,
        parser=certificates,
        seeds=key_files,
        declared=(ValueError,),
        share=3,
        accepted=1,
    ),
)
