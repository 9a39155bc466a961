"""EnvelopedData (RFC 5652 §6) and AuthEnvelopedData (RFC 5083): encrypted content, file to file."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import BinaryIO, Final, NamedTuple

from cryptography import x509

from gateway.core.as2.cms import algorithms, content_info
from gateway.core.as2.cms.algorithms import Algorithm, algorithm
from gateway.core.as2.cms.ber import Header, Reader
from gateway.core.as2.cms.content_cipher import (
    new_cipher,
    read_cipher,
    write_cipher,
)
from gateway.core.as2.cms.der import (
    CONSTRUCTED,
    OCTET_STRING,
    SEQUENCE,
    SET,
    context,
    elements,
    integer,
    set_of,
    tlv,
)
from gateway.core.as2.cms.errors import DecryptionFailed, NotCms
from gateway.core.as2.cms.key_transport import Recipient, read_recipient, write_recipient
from gateway.core.as2.cms.keys import Identity
from gateway.core.as2.cms.writer import Around, chunks_of, write
from gateway.model.as2 import Cipher, KeyTransport

_CONTENT: Final = 0x80
"""[0] IMPLICIT OCTET STRING."""

_SHOWN: Final = 5


def decrypt(
    source: BinaryIO,
    sink: BinaryIO,
    identities: Sequence[Identity],
    *,
    allowed: Collection[Cipher],
    on: datetime,
) -> tuple[Cipher, KeyTransport, str]:
    """Decrypt EnvelopedData or AuthEnvelopedData from `source` to `sink`.

    Returns how it was encrypted, and the fingerprint of the identity that opened it. Any identity
    may: an expired one still does, as mail may have been under way, but where a message is for
    several of ours, one that is valid at `on` (with a time zone) goes first.

    `source` is seekable. Whether everything is right shows only at the end: when anything is
    raised, what stands in `sink` must not be used. Under CBC nothing proves that it was not
    changed (one damaged message in 256 decrypts to noise): only a signature inside does.

    Raises NotCms, NotAllowed, DecryptionFailed.
    """
    start = source.tell()
    reader = Reader(source)
    envelope = _enter(reader)
    used = read_cipher(envelope.algorithm, allowed)
    if used.authenticated is not envelope.authenticated:
        raise NotCms(f"{used.cipher} stands in the wrong kind of envelope.")
    recipient, identity = _choose(envelope.recipients, identities, on)
    transport = recipient.transport
    if envelope.authenticated:
        # What GCM authenticates besides the content stands behind it, but is needed before.
        attributes, mac = _behind(source, start)
        if len(mac) != used.tag:
            raise NotCms("The authentication tag has a wrong length.")
        key = recipient.key(identity, used.key_size)
        plain = used.opened(key, reader.octets(envelope.content), attributes, mac)
    else:
        key = recipient.key(identity, used.key_size)
        plain = used.decrypted(key, reader.octets(envelope.content))
    for chunk in plain:
        sink.write(chunk)
    if not envelope.authenticated:
        _leave(reader, envelope)
    return used.cipher, transport, identity.fingerprint


class _Envelope(NamedTuple):
    """What stands before the content, and the beginning of the content."""

    authenticated: bool
    recipients: list[Recipient]
    algorithm: Algorithm
    content: Header


def _enter(reader: Reader) -> _Envelope:
    kind = content_info.enter(reader, "enveloped", "auth-enveloped")
    header = reader.expect(SET, context(0))
    if header.tag == context(0):
        # Certificates of the originator: of use to key agreement only.
        reader.whole(header)
        header = reader.expect(SET)
    recipients = [
        recipient
        for element in elements(next(elements(reader.whole(header))).content)
        if (recipient := read_recipient(element.encoded)) is not None
    ]
    reader.enter(reader.expect(SEQUENCE))
    content_info.expect_data(reader)
    found = algorithm(reader.whole(reader.expect(SEQUENCE)))
    content = reader.expect(_CONTENT, _CONTENT | CONSTRUCTED)
    return _Envelope(kind == "auth-enveloped", recipients, found, content)


def _leave(reader: Reader, envelope: _Envelope) -> tuple[bytes, bytes]:
    """Read what stands behind the content: authenticated attributes (as DER) and tag."""
    reader.leave()
    attributes = mac = b""
    header = reader.next()
    if envelope.authenticated:
        if header is not None and header.tag == context(1):
            found = next(elements(reader.whole(header)))
            attributes = set_of(element.encoded for element in elements(found.content))
            header = reader.next()
        if header is None or header.tag not in {OCTET_STRING, OCTET_STRING | CONSTRUCTED}:
            raise NotCms("The authentication tag is missing.")
        mac = next(elements(reader.whole(header))).content
        header = reader.next()
    if header is not None:
        # Attributes that nothing protects, so that nothing in them counts.
        if header.tag != context(2 if envelope.authenticated else 1):
            raise NotCms("Something else stands behind the content.")
        reader.whole(header)
    content_info.leave(reader)
    return attributes, mac


def _behind(source: BinaryIO, start: int) -> tuple[bytes, bytes]:
    """What `_leave` gives, found by reading ahead; `source` is put back to where it stands."""
    here = source.tell()
    source.seek(start)
    reader = Reader(source)
    envelope = _enter(reader)
    for _chunk in reader.octets(envelope.content):
        pass
    found = _leave(reader, envelope)
    source.seek(here)
    return found


def _choose(
    recipients: list[Recipient], identities: Sequence[Identity], on: datetime
) -> tuple[Recipient, Identity]:
    ours = [
        (recipient, identity)
        for recipient in recipients
        for identity in identities
        if recipient.identifier.is_of(identity.certificate)
    ]
    if not ours:
        meant = ", ".join(str(recipient.identifier) for recipient in recipients[:_SHOWN])
        raise DecryptionFailed(
            f"The message is encrypted for {meant or 'nobody'}, and no certificate of ours is that."
        )
    return min(ours, key=lambda pair: not _valid(pair[1].certificate, on))


def _valid(certificate: x509.Certificate, on: datetime) -> bool:
    return certificate.not_valid_before_utc <= on <= certificate.not_valid_after_utc


def encrypt(
    source: BinaryIO,
    sink: BinaryIO,
    recipients: Sequence[x509.Certificate],
    *,
    cipher: Cipher,
    transport: KeyTransport,
) -> None:
    """Encrypt `source` to its end for the owners of all these certificates.

    Writes EnvelopedData for CBC and AuthEnvelopedData for GCM to `sink`. OAEP is written with
    SHA-256. Raises ValueError when there is no recipient or one's key cannot be used.
    """
    if not recipients:
        raise ValueError("There is nobody to encrypt for.")
    used, key = new_cipher(cipher)
    infos = set_of(write_recipient(certificate, key, transport) for certificate in recipients)
    encrypted_content_info = Around(SEQUENCE, algorithms.DATA + write_cipher(used))
    if not used.authenticated:
        around = [
            *content_info.around(algorithms.ENVELOPED_DATA),
            Around(SEQUENCE, integer(0) + infos),
            encrypted_content_info,
        ]
        write(sink, around, used.encrypted(key, chunks_of(source)), tag=_CONTENT)
        return
    macs: list[bytes] = []
    around = [
        *content_info.around(algorithms.AUTH_ENVELOPED_DATA),
        Around(SEQUENCE, integer(0) + infos, lambda: tlv(OCTET_STRING, *macs)),
        encrypted_content_info,
    ]
    write(sink, around, used.sealed(key, chunks_of(source), macs.append), tag=_CONTENT)
