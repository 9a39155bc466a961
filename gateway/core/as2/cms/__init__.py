"""CMS (RFC 5652) for AS2, file to file: sign, encrypt, compress, and the way back.

What is large streams through in chunks and memory does not grow with it; what is small (keys,
signatures, attributes) is read whole and bounded. Nothing here knows MIME, sockets or the time.

    errors          what can be wrong with the other side's bytes
    ber             reading BER from a file, one element at a time
    der             small structures in memory
    writer          a large content inside small structures
    algorithms      every algorithm that is understood
    content_info    the outermost structure
    identifiers     which certificate a recipient or signer is
    keys            our keys, the partners' certificates
    signed, signer  verifying; `signing` makes signatures
    enveloped       decrypting and encrypting; `key_transport` the key, `content_cipher` the content
    compressed      ZLIB
    base64_lines    the transfer encoding
"""

from gateway.core.as2.cms.base64_lines import base64_decode, base64_encode
from gateway.core.as2.cms.compressed import compress, decompress
from gateway.core.as2.cms.content_info import Kind, kind_of
from gateway.core.as2.cms.enveloped import decrypt, encrypt
from gateway.core.as2.cms.errors import (
    AuthenticationFailed,
    CmsError,
    DecompressionFailed,
    DecryptionFailed,
    IntegrityFailed,
    NotAllowed,
    NotCms,
)
from gateway.core.as2.cms.keys import (
    Identity,
    describe,
    fingerprint,
    load_certificates,
    load_identities,
)
from gateway.core.as2.cms.signed import signature_digests, verify, verify_opaque
from gateway.core.as2.cms.signing import sign

__all__ = [
    "AuthenticationFailed",
    "CmsError",
    "DecompressionFailed",
    "DecryptionFailed",
    "Identity",
    "IntegrityFailed",
    "Kind",
    "NotAllowed",
    "NotCms",
    "base64_decode",
    "base64_encode",
    "compress",
    "decompress",
    "decrypt",
    "describe",
    "encrypt",
    "fingerprint",
    "kind_of",
    "load_certificates",
    "load_identities",
    "sign",
    "signature_digests",
    "verify",
    "verify_opaque",
]
