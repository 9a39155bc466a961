"""A file of ours → an AS2 message, wrapped as the partner file says (RFC 4130 §5, RFC 5402 §3).

The mirror of `opening`. An entity is its header fields and a blob, its body; each step
wraps it into a new one. Their order is fixed, for it decides what the MIC is over (see `mic`):

    payload → compressed? → signed? → compressed? → encrypted?

base64, where it is asked for, is put on what is visible from outside, and nowhere else: behind
encryption it would only make the message a third larger.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from email.header import Header
from email.utils import format_datetime
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from cryptography import x509

from gateway.core.as2 import cms
from gateway.core.as2.fields import attachment, format_fields
from gateway.core.as2.headers import AS2_VERSION, format_as2_name
from gateway.core.as2.layers import AUTHENTICATED
from gateway.core.as2.mic import mic_of
from gateway.core.as2.signing import signed_frame
from gateway.core.as2.streams import Blob, Folder, chunks, digests
from gateway.model.as2 import (
    As2Send,
    Cipher,
    Compression,
    Digest,
    Headers,
    MdnMode,
    Mic,
    Packed,
)

_BINARY: Final = ("Content-Transfer-Encoding", "binary")
_BASE64: Final = ("Content-Transfer-Encoding", "base64")


class _Entity(NamedTuple):
    """Header fields, and the body as it travels."""

    headers: Headers
    blob: Blob

    def open(self) -> BinaryIO:
        return self.blob.open_behind(format_fields(self.headers))


def pack(
    payload: Path,
    into: Path,
    *,
    filename: str,
    content_type: str,
    message_id: str,
    as2_from: str,
    as2_to: str,
    url_for_async_mdn: str | None,
    send: As2Send,
    identity: cms.Identity | None,
    recipient_certificates: Sequence[x509.Certificate],
    now: dt.datetime,
) -> Packed:
    """A message ready to be sent; its body is a new file in `into`, a folder for it alone.

    Raises ValueError when what is asked for lacks a key, a certificate, a URL or a valid name: it
    is our configuration then. After an error nothing is left in the folder.
    """
    if send.sign is not None and identity is None:
        raise ValueError("a message cannot be signed without a key of our own")
    if send.encrypt is not None and not recipient_certificates:
        raise ValueError("a message cannot be encrypted without a certificate of the partner")
    outer = (
        ("AS2-Version", AS2_VERSION),
        ("AS2-From", format_as2_name(as2_from)),
        ("AS2-To", format_as2_name(as2_to)),
        ("Message-ID", message_id),
        ("Date", format_datetime(now.astimezone(dt.UTC), usegmt=True)),
        ("Subject", _encoded(send.subject)),
        ("MIME-Version", "1.0"),
        *_receipt(send, as2_from, url_for_async_mdn),
    )
    folder = Folder(into)
    try:
        packing = _Packing(folder, send, identity, recipient_certificates, now)
        entity, mic = packing.wrapped(Blob(payload), filename, content_type)
        headers = outer + tuple(each for each in entity.headers if each != _BINARY)
        format_fields(headers)
        path = entity.blob.path or folder.new("message")
        entity.blob.save(path)
        return Packed(headers=headers, path=str(path), size=entity.blob.size, mic=mic)
    except BaseException:
        folder.clear()
        raise


class _Packing(NamedTuple):
    """What stays the same while a message is packed."""

    folder: Folder
    send: As2Send
    identity: cms.Identity | None
    recipients: Sequence[x509.Certificate]
    now: dt.datetime

    def wrapped(self, payload: Blob, filename: str, content_type: str) -> tuple[_Entity, Mic]:
        """The outermost entity, and the MIC that the receipt must repeat."""
        send = self.send
        compressed = send.compress is not Compression.NONE
        digest = send.sign or Digest.SHA256
        entity = self._payload(payload, filename, content_type, visible=not compressed)
        mic = None
        if send.sign is None:
            bare = not compressed and send.encrypt is None
            with payload.open() if bare else entity.open() as source:
                mic = mic_of(digests(source, {digest})[digest], digest)
        if compressed and (send.compress is Compression.BEFORE_SIGNING or send.sign is None):
            entity = self._compressed(entity)
            compressed = False
        if send.sign is not None:
            entity, mic = self._signed(entity, send.sign)
        if compressed:
            entity = self._compressed(entity)
        if send.encrypt is not None:
            entity = self._encrypted(entity, send.encrypt)
        assert mic is not None
        return entity, mic

    def _payload(
        self, payload: Blob, filename: str, content_type: str, *, visible: bool
    ) -> _Entity:
        """The innermost entity. Where nothing wraps it, the body is a copy of the payload."""
        base64 = self.send.base64 and visible and self.send.encrypt is None
        headers = (
            ("Content-Type", content_type),
            _BASE64 if base64 else _BINARY,
            ("Content-Disposition", attachment(filename)),
        )
        format_fields(headers)
        alone = visible and self.send.sign is None and self.send.encrypt is None
        if not (base64 or alone):
            return _Entity(headers, payload)
        with payload.open() as source, self.folder.sink("payload") as sink:
            if base64:
                cms.base64_encode(source, sink)
            else:
                _copy(source, sink)
        return _Entity(headers, sink.blob())

    def _compressed(self, entity: _Entity) -> _Entity:
        """RFC 3274, RFC 5402 §3."""
        with entity.open() as source, self.folder.sink("compressed") as sink:
            cms.compress(source, sink)
        visible = self.send.encrypt is None
        return self._cms_entity(
            entity, sink.blob(), "compressed-data", "smime.p7z", visible=visible
        )

    def _encrypted(self, entity: _Entity, cipher: Cipher) -> _Entity:
        """RFC 5751 §3.3; with GCM it is RFC 5083, whose smime-type RFC 8551 §3.2.2 names."""
        with entity.open() as source, self.folder.sink("encrypted") as sink:
            cms.encrypt(
                source, sink, self.recipients, cipher=cipher, transport=self.send.key_transport
            )
        kind = "authEnveloped-data" if cipher in AUTHENTICATED else "enveloped-data"
        return self._cms_entity(entity, sink.blob(), kind, "smime.p7m", visible=True)

    def _cms_entity(
        self, inside: _Entity, blob: Blob, kind: str, name: str, *, visible: bool
    ) -> _Entity:
        """The entity around CMS, in base64 where it is seen and that is asked for."""
        self.folder.drop(inside.blob)
        encoding = _BINARY
        if self.send.base64 and visible:
            encoding = _BASE64
            with blob.open() as source, self.folder.sink(f"{kind}-base64") as sink:
                cms.base64_encode(source, sink)
            self.folder.drop(blob)
            blob = sink.blob()
        return _Entity(
            (
                ("Content-Type", f'application/pkcs7-mime; smime-type={kind}; name="{name}"'),
                encoding,
                ("Content-Disposition", f'attachment; filename="{name}"'),
            ),
            blob,
        )

    def _signed(self, entity: _Entity, digest: Digest) -> tuple[_Entity, Mic]:
        """multipart/signed (RFC 1847, RFC 5751 §3.4.3), and the MIC of what is signed."""
        assert self.identity is not None
        with entity.open() as source:
            value = digests(source, {digest})[digest]
        frame = signed_frame(digest, value, self.identity, scheme=self.send.signature, now=self.now)
        with entity.open() as source, self.folder.sink("signed") as sink:
            sink.write(frame.before)
            _copy(source, sink)
            sink.write(frame.behind)
        self.folder.drop(entity.blob)
        headers = (("Content-Type", frame.content_type), _BINARY)
        return _Entity(headers, sink.blob()), mic_of(value, digest)


def _copy(source: BinaryIO, sink: BinaryIO) -> None:
    for chunk in chunks(source):
        sink.write(chunk)


def _receipt(send: As2Send, as2_from: str, url: str | None) -> Headers:
    """The request for a receipt (RFC 4130 §7.3).

    `optional`, as everybody writes: a partner that cannot sign says so by an unsigned receipt,
    which `read_mdn` refuses where it must be signed. What Disposition-Notification-To names is
    not used (§7.3); it has to be there.
    """
    if send.mdn is MdnMode.NONE:
        return ()
    fields = [("Disposition-Notification-To", format_as2_name(as2_from))]
    if send.mdn_signed:
        digest = send.sign or Digest.SHA256
        options = (
            "signed-receipt-protocol=optional, pkcs7-signature; "
            f"signed-receipt-micalg=optional, {digest}"
        )
        fields.append(("Disposition-Notification-Options", options))
    if send.mdn is MdnMode.ASYNC:
        if not url:
            raise ValueError("an asynchronous receipt needs a URL of ours to go to")
        fields.append(("Receipt-Delivery-Option", url))
    return tuple(fields)


def _encoded(subject: str) -> str:
    """A Subject in ASCII (RFC 2047), in one line."""
    line = re.sub(r"[\x00-\x1f\x7f]+", " ", subject)
    return line if line.isascii() else Header(line, "utf-8", maxlinelen=10_000).encode()
