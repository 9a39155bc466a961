"""An AS2 request by its header fields: who sends what to whom, and which receipt is wanted.

Two things can be wrong. A request that cannot be answered, because nobody knows whose it is or
where the answer goes, is a `HeaderFault`: the HTTP answer is 400 and there is no MDN. A request
for a receipt that we cannot give is a `refusal` of an otherwise good request: it is answered with
an MDN that says `failed/Failure` (RFC 4130 §7.5.3), and the message is not taken in.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import msgspec

from gateway.core.as2.fields import (
    MAX_FIELDS,
    FieldError,
    find,
    split,
    unquoted,
)
from gateway.model.as2 import (
    As2Limits,
    Digest,
    Failure,
    Headers,
    MdnMode,
    MdnRequest,
    Refused,
)

AS2_VERSION: Final = "1.2"
"""What we speak: compression since 1.1, EDIINT-Features (RFC 6017) understood since 1.2."""

_MAX_MESSAGE_ID: Final = 998
_MAX_URL: Final = 2000
_MAX_SUBJECT: Final = 500
_NAME = re.compile(r"[\x20-\x7e]{1,128}\Z")
_VERSION = re.compile(r"1\.[0-9]{1,2}\Z")
_URL = re.compile(r"https?://[\x21-\x7e]+\Z", re.IGNORECASE)
_MESSAGE_ID = re.compile(r"[\x20-\x7e]+\Z")
_DIGEST = re.compile(r"sha-?(1|256|384|512)\Z")
_PKCS7: Final = frozenset({"pkcs7-signature", "x-pkcs7-signature"})
_KNOWN_OPTIONS: Final = frozenset({"signed-receipt-protocol", "signed-receipt-micalg"})


class As2Request(msgspec.Struct, frozen=True, kw_only=True):
    """The header of a message that came (RFC 4130 §6).

    `message_id` is as it came, brackets and all: a receipt must repeat it so. `mic_required`: the
    sender takes no MIC but by one of `mdn.digests`; `mic_names` is how it writes each of them.
    `refusal`: the receipt that is asked for cannot be given, so the message is not opened.
    """

    as2_from: str
    as2_to: str
    message_id: str
    as2_version: str
    content_type: str
    subject: str
    mdn: MdnRequest
    mic_required: bool = False
    mic_names: tuple[str, ...] = ()
    refusal: Refused | None = None


class HeaderFault(msgspec.Struct, frozen=True, kw_only=True):
    """A request that cannot be answered with an MDN. `why` may be told to the sender as it is."""

    field: str
    why: str

    def __str__(self) -> str:
        return f"{self.field}: {self.why}"


@lru_cache(maxsize=64)
def read_request(
    headers: Headers, max_bytes: int = As2Limits().max_header_bytes
) -> As2Request | HeaderFault:
    """What the header fields of a POST say (RFC 4130 §6, §7.3), or why they say nothing.

    Remembered for the last few messages: it is asked on admission, on arrival, for the receipt.
    """
    size = sum(len(name) + len(value) + 4 for name, value in headers)
    if len(headers) > MAX_FIELDS or size > max_bytes:
        return HeaderFault(field="headers", why=f"more than {MAX_FIELDS} or {max_bytes} bytes")
    field = ""
    try:
        field = "AS2-Version"
        version = find(headers, field) or "1.0"
        if not _VERSION.match(version):
            return HeaderFault(field=field, why="versions 1.0 to 1.2 are spoken here")
        field = "AS2-From"
        as2_from = parse_as2_name(_needed(headers, field))
        field = "AS2-To"
        as2_to = parse_as2_name(_needed(headers, field))
        field = "Message-ID"
        message_id = _message_id(_needed(headers, field))
        field = "Receipt-Delivery-Option"
        mode, url = _delivery(headers)
        field = "Disposition-Notification-Options"
        options = _options(headers)
        field = "Subject"
        subject = re.sub(r"[\x00-\x1f\x7f]", " ", find(headers, field) or "")[:_MAX_SUBJECT]
        field = "Content-Type"
        content_type = find(headers, field) or "application/octet-stream"
    except FieldError as error:
        return HeaderFault(field=field, why=str(error))
    asked = mode is not MdnMode.NONE
    return As2Request(
        as2_from=as2_from,
        as2_to=as2_to,
        message_id=message_id,
        as2_version=version,
        content_type=content_type,
        subject=subject,
        mdn=MdnRequest(
            mode=mode,
            url=url,
            signed=asked and options.signed,
            digests=tuple(digest for digest, _name in options.digests) if asked else (),
        ),
        mic_required=asked and options.mic_required,
        mic_names=tuple(name for _digest, name in options.digests) if asked else (),
        refusal=options.refusal if asked else None,
    )


def parse_as2_name(text: str) -> str:
    """The name that AS2-From or AS2-To says (RFC 4130 §6.2): 1 to 128 printable ASCII characters.

    Names with spaces must be quoted, and a backslash in quotes escapes a quote or itself; senders
    that forget the quotes are understood. Case counts. Raises FieldError.
    """
    name = text.strip(" \t")
    if name.startswith('"'):
        if not re.fullmatch(r'"(?:[^"\\]|\\["\\])*"', name):
            raise FieldError(
                'the quoted name is not closed, or has other escapes than \\" and \\\\'
            )
        name = unquoted(name)
    elif '"' in name or "\\" in name:
        raise FieldError("quotes and backslashes may only stand in a quoted name")
    if not _NAME.match(name) or not name.strip():
        raise FieldError("an AS2 name has 1 to 128 printable ASCII characters")
    return name


def format_as2_name(name: str) -> str:
    """The name as AS2-From and AS2-To write it (RFC 4130 §6.2). Raises ValueError for no name."""
    if not _NAME.match(name) or not name.strip():
        raise ValueError(f"{name!r} is no AS2 name: 1 to 128 printable ASCII characters")
    if re.search(r'[ "\\]', name):
        return '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'
    return name


def digest_called(name: str) -> Digest | None:
    """The hash function by its name: `sha-256` as RFC 5751 has it, `sha256` as most write it."""
    match = _DIGEST.match(name.strip().lower())
    return Digest(f"sha-{match[1]}") if match else None


def _needed(headers: Headers, name: str) -> str:
    value = find(headers, name)
    if value is None or not value.strip():
        raise FieldError("it is missing")
    return value


def _message_id(text: str) -> str:
    """RFC 4130 §5.3.3: at most 998 characters. Brackets and spaces are left to the sender."""
    if len(text) > _MAX_MESSAGE_ID or not _MESSAGE_ID.match(text):
        raise FieldError(f"it has 1 to {_MAX_MESSAGE_ID} printable ASCII characters")
    return text.strip()


def _delivery(headers: Headers) -> tuple[MdnMode, str | None]:
    """How the receipt travels (RFC 4130 §7.3): none is wanted, in the answer, or to a URL.

    Receipt-Delivery-Option alone asks for nothing: Disposition-Notification-To does.
    """
    if find(headers, "Disposition-Notification-To") is None:
        return MdnMode.NONE, None
    url = find(headers, "Receipt-Delivery-Option")
    if not url:
        return MdnMode.SYNC, None
    if len(url) > _MAX_URL or not _URL.match(url):
        raise FieldError(f"receipts go to http and https URLs of at most {_MAX_URL} characters")
    return MdnMode.ASYNC, url


class _Options(msgspec.Struct, frozen=True, kw_only=True):
    """Disposition-Notification-Options, as far as we know them."""

    signed: bool = False
    digests: tuple[tuple[Digest, str], ...] = ()
    mic_required: bool = False
    refusal: Refused | None = None


def _options(headers: Headers) -> _Options:
    """RFC 4130 §7.3, RFC 3798 §2.2: `name=importance,value,value; …`.

    "optional" is what we may leave aside; "required" what we must give or say `failed`.
    """
    text = find(headers, "Disposition-Notification-Options") or ""
    said: dict[str, tuple[bool, list[str]]] = {}
    for option in filter(None, split(text, ";")):
        name, _, rest = option.partition("=")
        values = [unquoted(value).strip() for value in split(unquoted(rest.strip()), ",")]
        importance = values[0].lower()
        if importance in {"required", "optional"}:
            values = values[1:]
        said[name.strip().lower()] = (importance == "required", list(filter(None, values)))
    must_sign, protocols = said.get("signed-receipt-protocol", (False, []))
    must_mic, names = said.get("signed-receipt-micalg", (False, []))
    signed = any(protocol.lower() in _PKCS7 for protocol in protocols)
    known = tuple((digest, name) for name in names if (digest := digest_called(name)))
    refusal = None
    unknown = [name for name, (must, _) in said.items() if must and name not in _KNOWN_OPTIONS]
    if (must_sign and not signed) or unknown:
        refusal = Refused(
            failure=Failure.UNSUPPORTED_FORMAT,
            why="The receipt is required in a form that is not made here: ask for "
            "signed-receipt-protocol=required, pkcs7-signature, or for an unsigned receipt.",
        )
    elif must_mic and not known:
        refusal = Refused(
            failure=Failure.UNSUPPORTED_MIC,
            why="The receipt requires a MIC by an algorithm that is not used here: ask for "
            "signed-receipt-micalg=required, sha-256.",
        )
    return _Options(signed=signed, digests=known, mic_required=must_mic, refusal=refusal)
