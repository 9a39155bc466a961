"""A receipt that came for a message of ours → what it says (RFC 4130 §7.4, RFC 3798 §3).

Receipts of other products differ in everything a grammar leaves open, and in some that it does
not: parts in base64, fields in any case and spacing, `sha1` for `sha-1`, no Original-Recipient, no
text, a warning. What must be there is the message it is about and what became of it. When it has
to be signed, the report inside the signature counts and nothing beside it.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import io
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
from cryptography import x509

from gateway.core.as2 import cms
from gateway.core.as2.dispositions import parse_disposition
from gateway.core.as2.fields import FieldError, content_type, find, parse_fields, transfer_encoding
from gateway.core.as2.headers import digest_called
from gateway.core.as2.mime import (
    PLAIN_ENCODINGS,
    SIGNATURE_TYPES,
    Malformed,
    boundary_of,
    canonical,
    decode_stream,
    read_head,
    split_multipart,
)
from gateway.core.as2.streams import digests
from gateway.model.as2 import As2Limits, Digest, Failure, Headers, MdnRead, Mic

MAX_MDN_BYTES: Final = 1_000_000
"""A receipt is a few kilobytes, its signature with certificates included."""

_MAX_PARTS: Final = 10
_MAX_TEXT: Final = 10_000
_MAX_SHOWN: Final = 80
_HEADER_BYTES: Final = As2Limits().max_header_bytes
_NOTIFICATION: Final = "message/disposition-notification"


class MdnFault(msgspec.Struct, frozen=True, kw_only=True):
    """Why what came is not taken for a receipt. `failure` is named as if a message were refused."""

    failure: Failure
    why: str


class _Entity(NamedTuple):
    """Header fields and body of a MIME entity in memory."""

    headers: Headers
    body: bytes

    @property
    def media_type(self) -> str:
        value = content_type(self.headers)
        return value.value if value else "text/plain"


def is_mdn(headers: Headers, start: bytes) -> bool:
    """Whether a request is a receipt and not a message, by its headers and the start of its body.

    `start`: the first kilobytes. A signed receipt shows what it is only in its first part.
    """
    try:
        value = content_type(headers)
        if value is not None and value.value == "multipart/signed":
            first = re.search(rb"(?:\A|\n)--[^\n]{1,300}\n", start)
            if first is None:
                return False
            inner, _body = read_head(start[first.end() :], _HEADER_BYTES)
            value = content_type(inner)
    except (FieldError, Malformed):
        return False
    return value is not None and value.value in {"multipart/report", _NOTIFICATION}


def may_be_signed_mdn(headers: Headers) -> bool:
    """Whether only the body tells if this is a receipt: both it and a message may be signed."""
    try:
        value = content_type(headers)
    except FieldError:
        return False
    return value is not None and value.value == "multipart/signed"


def read_mdn(
    headers: Headers,
    body: bytes,
    certificates: Sequence[x509.Certificate],
    *,
    require_signed: bool,
    allowed: Sequence[Digest],
    on: dt.datetime,
) -> MdnRead | MdnFault:
    """What a receipt says, its signature verified if it has one (RFC 4130 §7.4)."""
    if len(body) > MAX_MDN_BYTES:
        return _fault(Failure.UNEXPECTED, f"it has more than {MAX_MDN_BYTES} bytes")
    signer = None
    try:
        entity = _Entity(headers, body)
        if entity.media_type == "multipart/signed":
            entity, signer = _verified(entity, certificates, tuple(allowed), on)
        elif require_signed:
            return _fault(Failure.SECURITY, "it is not signed, but it was asked to be")
        return _read(entity, signer)
    except cms.NotAllowed as error:
        return _fault(Failure.SECURITY, str(error))
    except cms.IntegrityFailed as error:
        return _fault(Failure.INTEGRITY, str(error))
    except cms.CmsError as error:
        return _fault(Failure.AUTHENTICATION, str(error))
    except (Malformed, FieldError) as error:
        return _fault(Failure.UNEXPECTED, str(error))
    except (OSError, MemoryError):
        raise
    except Exception as error:
        # A mistake of ours that their bytes brought out: it is no receipt, but nothing breaks.
        return _fault(Failure.UNEXPECTED, f"unforeseen: {error!r:.200}")


def _fault(failure: Failure, why: str) -> MdnFault:
    return MdnFault(failure=failure, why=f"The receipt cannot be used: {why.rstrip('.')}.")


def _entity(data: bytes) -> _Entity:
    headers, body = read_head(data, _HEADER_BYTES)
    return _Entity(headers, data[body:])


def _untransferred(entity: _Entity) -> _Entity:
    """The entity, its transfer encoding taken off (RFC 2045 §6)."""
    if transfer_encoding(entity.headers) in PLAIN_ENCODINGS:
        return entity
    sink = io.BytesIO()
    decode_stream(entity.headers, io.BytesIO(entity.body), sink)
    return _Entity(entity.headers, sink.getvalue())


def _parts(entity: _Entity, most: int) -> list[bytes]:
    boundary = boundary_of(entity.headers)
    found = split_multipart(io.BytesIO(entity.body), boundary, most=most)
    return [entity.body[part.start : part.end] for part in found]


def _verified(
    entity: _Entity,
    certificates: Sequence[x509.Certificate],
    allowed: tuple[Digest, ...],
    on: dt.datetime,
) -> tuple[_Entity, str]:
    """The entity inside a multipart/signed and the fingerprint of who signed it."""
    parts = _parts(entity, 2)
    if len(parts) != 2:
        raise Malformed("a multipart/signed has two parts, the report and its signature")
    content, detached = parts[0], _untransferred(_entity(parts[1]))
    if detached.media_type not in SIGNATURE_TYPES:
        raise Malformed("the second part of the multipart/signed is no pkcs7-signature")

    def signer_of(data: bytes) -> str:
        def digest_of(digest: Digest) -> bytes:
            return digests(io.BytesIO(data), {digest})[digest]

        found = cms.verify(detached.body, digest_of, certificates, allowed=allowed, on=on)
        return found[2]

    try:
        return _entity(content), signer_of(content)
    except cms.IntegrityFailed:
        # Line breaks may have been changed on the way: what was signed was canonical.
        sink = io.BytesIO()
        if not canonical(io.BytesIO(content), sink):
            raise
        return _entity(sink.getvalue()), signer_of(sink.getvalue())


def _read(report: _Entity, signer: str | None) -> MdnRead | MdnFault:
    if report.media_type == _NOTIFICATION:
        parts = [_untransferred(report)]
    elif report.media_type == "multipart/report":
        parts = [_untransferred(_entity(part)) for part in _parts(report, _MAX_PARTS)]
    else:
        return _fault(Failure.UNEXPECTED, f"it is {report.media_type:.80}, not multipart/report")
    notifications = [part for part in parts if part.media_type == _NOTIFICATION]
    if len(notifications) != 1:
        return _fault(Failure.UNEXPECTED, f"it holds {len(notifications)} {_NOTIFICATION} parts")
    fields = parse_fields(notifications[0].body)
    message_id = find(fields, "Original-Message-ID")
    said = find(fields, "Disposition")
    if not message_id or not said:
        absent = "Original-Message-ID" if not message_id else "Disposition"
        return _fault(Failure.UNEXPECTED, f"it has no {absent}")
    disposition = parse_disposition(said)
    if disposition is None:
        return _fault(Failure.UNEXPECTED, f"its Disposition is malformed: {_shown(said)}")
    return MdnRead(
        original_message_id=message_id,
        processed=disposition.processed,
        disposition=said,
        mic=parse_mic(find(fields, "Received-Content-MIC") or ""),
        signer=signer,
        text=next((_text(part) for part in parts if part.media_type == "text/plain"), ""),
    )


def _shown(said: str) -> str:
    """The beginning of what the partner wrote, for a log: nothing in it moves a cursor."""
    return ascii(said[:_MAX_SHOWN]) + ("…" if len(said) > _MAX_SHOWN else "")


def parse_mic(text: str) -> Mic | None:
    """Received-Content-MIC (RFC 4130 §7.4.3), whatever the spacing; None when it is none."""
    value, _, name = text.partition(",")
    digest = digest_called(name)
    if digest is None:
        return None
    try:
        raw = base64.b64decode(re.sub(r"\s", "", value), validate=True)
    except (binascii.Error, ValueError):
        return None
    return Mic(base64.b64encode(raw).decode("ascii"), digest)


def _text(part: _Entity) -> str:
    value = content_type(part.headers)
    charset = value.parameters.get("charset", "utf-8") if value else "utf-8"
    # No more than is kept: to read one in punycode takes the square of its length.
    body = part.body[: 4 * _MAX_TEXT]
    try:
        text = body.decode(charset, errors="replace")
    except (LookupError, ValueError):
        text = body.decode("utf-8", errors="replace")
    # Halves of characters, as utf-7 may hold, could not be written down anywhere.
    tidy = re.sub(r"[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\U0010ffff]", "", text.replace("\r\n", "\n"))
    return tidy.strip()[:_MAX_TEXT]
