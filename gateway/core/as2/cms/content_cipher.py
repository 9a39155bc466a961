"""How the content is encrypted: AES-CBC (RFC 3565), 3DES (RFC 3370), AES-GCM (RFC 5084)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterator
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import ciphers
from cryptography.hazmat.primitives.ciphers import modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from gateway.core.as2.cms import algorithms
from gateway.core.as2.cms.algorithms import CIPHER_OF, CIPHERS, Algorithm, shown
from gateway.core.as2.cms.der import (
    INTEGER,
    OCTET_STRING,
    SEQUENCE,
    Fields,
    integer,
    small_int,
    tlv,
)
from gateway.core.as2.cms.errors import DecryptionFailed, NotAllowed, NotCms
from gateway.model.as2 import Cipher

_NONCE: Final = 12
_MIN_NONCE: Final = 8
_MAX_NONCE: Final = 128
_DEFAULT_TAG: Final = 12
_TAG: Final = 16

_DOES_NOT_FIT: Final = "The message cannot be decrypted: it is damaged, or its key is not ours."
"""One sentence for key, padding and tag: to tell them apart would help to guess them."""


class ContentCipher(NamedTuple):
    """A cipher with its parameters: initialization vector or nonce, and tag length in bytes."""

    cipher: Cipher
    start: bytes
    tag: int = 0

    @property
    def key_size(self) -> int:
        """Bytes of key."""
        return CIPHERS[self.cipher].key

    @property
    def authenticated(self) -> bool:
        """Whether it belongs into AuthEnvelopedData (RFC 5083) rather than EnvelopedData."""
        return CIPHERS[self.cipher].gcm

    def _with(self, key: bytes) -> ciphers.Cipher[modes.CBC]:
        used = TripleDES(key) if self.cipher is Cipher.TRIPLE_DES else AES(key)
        return ciphers.Cipher(used, modes.CBC(self.start))

    def decrypted(self, key: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The content, with its padding (RFC 5652 §6.3) checked and taken off at the end.

        Raises DecryptionFailed, after everything but the last block was given out.
        """
        block = CIPHERS[self.cipher].block
        decryptor = self._with(key).decryptor()
        held = b""
        for chunk in chunks:
            held += decryptor.update(chunk)
            yield held[:-block]
            held = held[-block:]
        try:
            held += decryptor.finalize()
        except ValueError as error:
            raise DecryptionFailed(_DOES_NOT_FIT) from error
        count = held[-1] if len(held) == block else 0
        if not 0 < count <= block or held[-count:] != bytes((count,)) * count:
            raise DecryptionFailed(_DOES_NOT_FIT)
        yield held[:-count]

    def encrypted(self, key: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The encrypted content, padded (RFC 5652 §6.3)."""
        block = CIPHERS[self.cipher].block
        encryptor = self._with(key).encryptor()
        size = 0
        for chunk in chunks:
            size += len(chunk)
            yield encryptor.update(chunk)
        count = block - size % block
        yield encryptor.update(bytes((count,)) * count) + encryptor.finalize()

    def opened(
        self, key: bytes, chunks: Iterator[bytes], attributes: bytes, mac: bytes
    ) -> Iterator[bytes]:
        """The content under GCM. `attributes`: what is authenticated but not encrypted.

        Raises DecryptionFailed when the tag is wrong, after everything was given out.
        """
        mode = modes.GCM(self.start, min_tag_length=_DEFAULT_TAG)
        decryptor = ciphers.Cipher(AES(key), mode).decryptor()
        if attributes:
            decryptor.authenticate_additional_data(attributes)
        for chunk in chunks:
            yield decryptor.update(chunk)
        try:
            yield decryptor.finalize_with_tag(mac)
        except InvalidTag as error:
            raise DecryptionFailed(_DOES_NOT_FIT) from error

    def sealed(
        self, key: bytes, chunks: Iterator[bytes], tell_mac: Callable[[bytes], None]
    ) -> Iterator[bytes]:
        """The content encrypted under GCM; at the end `tell_mac` gets the tag."""
        encryptor = ciphers.Cipher(AES(key), modes.GCM(self.start)).encryptor()
        for chunk in chunks:
            yield encryptor.update(chunk)
        yield encryptor.finalize()
        tell_mac(encryptor.tag)


def new_cipher(cipher: Cipher) -> tuple[ContentCipher, bytes]:
    """A cipher ready to encrypt, with fresh random parameters, and a fresh key for it."""
    kind = CIPHERS[cipher]
    start = secrets.token_bytes(_NONCE if kind.gcm else kind.block)
    return ContentCipher(cipher, start, _TAG if kind.gcm else 0), secrets.token_bytes(kind.key)


def write_cipher(used: ContentCipher) -> bytes:
    """The AlgorithmIdentifier of the content encryption."""
    parameters = tlv(OCTET_STRING, used.start)
    if used.authenticated:
        parameters = tlv(SEQUENCE, parameters, integer(used.tag))
    return algorithms.identifier(CIPHERS[used.cipher].oid, parameters)


def read_cipher(found: Algorithm, allowed: Collection[Cipher]) -> ContentCipher:
    """Read that AlgorithmIdentifier. Raises NotAllowed, NotCms."""
    cipher = CIPHER_OF.get(found.oid)
    if cipher is None:
        raise NotAllowed(f"The content encryption {shown(found.oid)} is not supported.")
    if cipher not in allowed:
        raise NotAllowed(f"The message is encrypted with {cipher}, which is not allowed.")
    parameters = found.parameters
    if CIPHERS[cipher].gcm:
        fields = Fields(parameters or b"\x05\0", "The parameters of GCM")
        nonce = fields.take(OCTET_STRING).content
        length = fields.optional(INTEGER)
        fields.end()
        tag = _DEFAULT_TAG if length is None else small_int(length)
        if not _DEFAULT_TAG <= tag <= _TAG or not _MIN_NONCE <= len(nonce) <= _MAX_NONCE:
            raise NotCms("The parameters of GCM are out of range.")
        return ContentCipher(cipher, nonce, tag)
    if (
        parameters is None
        or parameters.tag != OCTET_STRING
        or len(parameters.content) != CIPHERS[cipher].block
    ):
        raise NotCms("The initialization vector is missing or has a wrong length.")
    return ContentCipher(cipher, parameters.content)
