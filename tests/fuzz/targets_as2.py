"""AS2: header fields, MIME, messages from end to end, receipts."""

from __future__ import annotations

import io
import re
import shutil
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from gateway.core.as2 import (
    As2Request,
    HeaderFault,
    MdnFault,
    build_mdn,
    cms,
    is_mdn,
    may_be_signed_mdn,
    mdn_text,
    open_message,
    parse_disposition,
    read_mdn,
    read_request,
)
from gateway.core.as2.fields import (
    FieldError,
    content_type,
    file_name,
    find,
    format_fields,
    parse_fields,
    parse_value,
)
from gateway.core.as2.mime import (
    Malformed,
    boundary_of,
    canonical,
    decode_stream,
    read_head,
    split_multipart,
)
from gateway.model.as2 import As2Limits, Digest, Headers, Opened, Refused, SignatureScheme
from tests.fuzz import seeds
from tests.fuzz.as2_seeds import LAX, message, split
from tests.fuzz.keys import NOW, party
from tests.fuzz.target import Kind, Parser, Target
from tests.fuzz.targets_cms import compressed_data, enveloped_data
from tests.fuzz.targets_documents import expect

_LIMITS: Final = As2Limits(max_bytes=5_000_000)
_HEAD: Final = 64_000


def opening() -> Parser:
    """`open_message` "raises OSError and MemoryError only", leaves nothing behind after a refusal.

    And a receipt can be made of whatever came of it.
    """
    folder = Path(tempfile.mkdtemp())

    def run(data: bytes) -> bool:
        headers, body = split(data)
        return _open(headers, body, folder)

    return run


def wrapped() -> Parser:
    """The same with the input inside compression and encryption: signatures do not stop it."""
    folder = Path(tempfile.mkdtemp())
    fields = {
        "compressed-data": compressed_data,
        "enveloped-data": enveloped_data,
    }

    def run(data: bytes) -> bool:
        results = []
        for kind, wrap in fields.items():
            headers = (
                *_ADDRESSED,
                ("Content-Type", f"application/pkcs7-mime; smime-type={kind}; name=smime.p7m"),
            )
            results.append(_open(headers, wrap(data), folder))
        return all(results)

    return run


_ADDRESSED: Final[Headers] = (
    ("AS2-Version", "1.2"),
    ("AS2-From", "supplier"),
    ("AS2-To", "gateway"),
    ("Message-ID", "<1@supplier.example>"),
)


def _open(headers: Headers, body: bytes, folder: Path) -> bool:
    into = folder / "into"
    into.mkdir()
    try:
        outcome = open_message(
            headers,
            body,
            into,
            identities=[party("gateway")],
            certificates=[party("supplier").certificate],
            policy=LAX,
            limits=_LIMITS,
            on=NOW,
        )
        left = [path.name for path in into.iterdir()]
    finally:
        shutil.rmtree(into)
    msgspec.json.encode(outcome)
    if isinstance(outcome, Refused):
        expect("unforeseen" not in outcome.why, outcome.why)
        expect(left == [], f"left behind: {left}")
    else:
        expect(left == ["payload"], f"left behind: {left}")
    _receipt(headers, outcome)
    return isinstance(outcome, Opened)


def _receipt(headers: Headers, outcome: Opened | Refused) -> None:
    request = read_request(headers)
    if not isinstance(request, As2Request):
        return
    mdn = build_mdn(
        request,
        outcome,
        identity=None,
        scheme=SignatureScheme.PKCS1,
        now=NOW,
        message_id="<mdn-1@gateway.example>",
        reporting_ua="edi-gateway",
        text=mdn_text(outcome),
    )
    format_fields(mdn.headers)


def receipt() -> Parser:
    """`read_mdn` gives what a receipt says, or a fault; and so do the looks before it."""
    certificates = [party("gateway").certificate]

    def run(data: bytes) -> bool:
        headers, body = split(data)
        is_mdn(headers, body[:4096])
        may_be_signed_mdn(headers)
        found = read_mdn(
            headers, body, certificates, require_signed=False, allowed=tuple(Digest), on=NOW
        )
        if isinstance(found, MdnFault):
            expect("unforeseen" not in found.why, found.why)
            return False
        parse_disposition(found.disposition)
        msgspec.json.encode(found)
        return True

    return run


def fields() -> Parser:
    """Header fields, alone and as a request. `FieldError` is the refusal of the former."""

    def run(data: bytes) -> bool:
        head = data.partition(b"\r\n\r\n")[0]
        request = read_request(split(head + b"\r\n\r\n")[0])
        headers = parse_fields(head)
        for name in ("Content-Type", "Subject", "AS2-From", "Message-ID"):
            find(headers, name)
        content_type(headers)
        file_name(headers)
        for _name, value in headers:
            parse_value(value)
        return not isinstance(request, HeaderFault)

    return run


def mime() -> Parser:
    """A MIME entity, its parts and transfer encodings. `Malformed`, `CmsError`: refused."""

    def run(data: bytes) -> bool:
        headers, start = read_head(data, _HEAD)
        body = data[start:]
        value = content_type(headers)
        canonical(io.BytesIO(body), io.BytesIO())
        if value is None or not value.value.startswith("multipart/"):
            decode_stream(headers, io.BytesIO(body), io.BytesIO())
            return True
        parts = split_multipart(io.BytesIO(body), boundary_of(headers), most=10)
        small = split_multipart(io.BytesIO(body), boundary_of(headers), most=10, chunk=7)
        expect(parts == small, "other parts when it is read in other pieces")
        for part in parts:
            inner = body[part.start : part.end]
            inner_headers, inner_start = read_head(inner, _HEAD)
            decode_stream(inner_headers, io.BytesIO(inner[inner_start:]), io.BytesIO())
        return True

    return run


def entities() -> list[bytes]:
    """Messages as MIME entities, as they stand inside encryption."""
    plain = [split(data) for data in (*seeds.as2("message"), *seeds.as2("receipt"))]
    kept = ("content-", "mime-")
    made = [
        message(tuple(each for each in headers if each[0].lower().startswith(kept)), body)
        for headers, body in plain
    ]
    return [*made, *(_entity(fields) for fields in _NAMED)]


_NAMED: Final = (
    b"Content-Type: application/xml; name*0*=utf-8'fr'Factur; name*1=\"e 1.xml\"",
    b"Content-Type: text/xml; charset=iso-8859-1\r\n"
    b'Content-Disposition: attachment;\r\n filename="=?utf-8?b?w6kueG1s?= =?iso-8859-1?q?=E9?="',
    b"Content-Type: text/plain (a comment); format=flowed\r\n"
    b"Content-Transfer-Encoding: quoted-printable",
)


def _entity(fields: bytes) -> bytes:
    return fields + b"\r\n\r\nFacture =C3=A9t=C3=A9=\r\n suite\r\n"


def receipts() -> list[bytes]:
    """Those of ours, and some as other products write them, in other character sets."""
    ours = seeds.as2("receipt")
    plain = [data for data in ours if b"multipart/report" in data.partition(b"\r\n\r\n")[0]]
    sets = (b"iso-8859-15", b"utf-16", b"koi8-r")
    others = [re.sub(rb"charset=[\w-]+", b"charset=" + name, plain[0]) for name in sets]
    assert others[0] != plain[0]
    return [*ours, *others]


_MIME: Final = (Malformed, FieldError, cms.CmsError)

TARGETS: Final = (
    Target(
        name="as2-message",
        kind=Kind.ASN1,
        parser=opening,
        seeds=lambda: seeds.as2("message"),
        share=15,
    ),
    Target(name="as2-wrapped", kind=Kind.TEXT, parser=wrapped, seeds=entities, share=12),
    Target(
        name="as2-receipt",
        kind=Kind.TEXT,
        parser=receipt,
        seeds=receipts,
        share=12,
    ),
    Target(
        name="as2-fields",
        kind=Kind.TEXT,
        parser=fields,
        seeds=lambda: [*seeds.as2("message"), *seeds.as2("receipt"), *map(_entity, _NAMED)],
        declared=(FieldError,),
        share=12,
    ),
    Target(name="mime", kind=Kind.TEXT, parser=mime, seeds=entities, declared=_MIME, share=12),
)
