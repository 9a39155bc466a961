"""The grammar of header fields: what RFC 822, RFC 2045, RFC 2183 and RFC 2231 say they look like.

Products disagree about quoting, comments and case, so reading is generous where only one meaning
is possible, and refuses where there are two: the same field twice with different values, the same
parameter twice. Writing is strict.
"""

from __future__ import annotations

import binascii
import codecs
import re
import unicodedata
from collections.abc import Iterable
from email.errors import HeaderParseError
from email.header import decode_header
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote, unquote_to_bytes

from gateway.model.as2 import Headers

MAX_FIELDS: Final = 200
"""More header fields than this has no message that means well."""

MAX_NAME_BYTES: Final = 255
"""The longest file name that every usual file system takes."""

_MAX_PARAMETERS: Final = 100
_MAX_ENCODED: Final = 2000
_MAX_REMEMBERED: Final = 1000
_CHARSETS: Final = frozenset({"utf-8", "ascii", "iso8859-1", "iso8859-15", "cp1252"})
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,200})[ \t]*:(.*)", re.DOTALL)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_SPECIAL = re.compile(r'["\\(]')
_SEGMENT = re.compile(r"([^*]+)(?:\*([0-9]{1,3}))?(\*)?\Z")


class FieldError(ValueError):
    """A header field of the sender that cannot be read, or has two meanings. The text says why."""


class Value(NamedTuple):
    """A structured field: `text/xml; charset=utf-8` → "text/xml" and {"charset": "utf-8"}.

    The value and the names of parameters are in small letters; what parameters say is as it came.
    """

    value: str
    parameters: dict[str, str]


def parse_fields(block: bytes) -> Headers:
    """The fields of a header section without its empty line (RFC 822 §3.2, RFC 5322 §2.2).

    Lines may end in CRLF or LF; a line that begins with white space continues the one before.
    """
    lines: list[bytes] = []
    for line in block.split(b"\n"):
        bare = line.removesuffix(b"\r")
        if bare[:1] in {b" ", b"\t"} and lines:
            lines[-1] = lines[-1].rstrip(b" \t") + b" " + bare.strip(b" \t")
        elif bare:
            lines.append(bare)
        if len(lines) > MAX_FIELDS:
            raise FieldError(f"there are more than {MAX_FIELDS} header fields")
    return tuple(map(_field, lines))


def _field(line: bytes) -> tuple[str, str]:
    match = _FIELD.match(line)
    if match is None:
        raise FieldError("a line among the header fields is not of the form 'Name: value'")
    return match[1].decode("ascii"), _text(match[2].strip(b" \t"))


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def format_fields(headers: Iterable[tuple[str, str]]) -> bytes:
    """A header section with its empty line. Raises ValueError where a line would break out."""
    lines = []
    for name, value in headers:
        if not _TOKEN.match(name) or re.search(r"[\r\n\0]", value):
            raise ValueError(f"{name!r}: a header field of ours would span lines")
        lines.append(f"{name}: {value}\r\n".encode())
    return b"".join(lines) + b"\r\n"


def find(headers: Headers, name: str) -> str | None:
    """What the field says; None when it is not there.

    Raises FieldError when it stands there twice and says two things: whoever reads the message
    behind us might take the other one.
    """
    wanted = name.lower()
    found = {value for each, value in headers if each.lower() == wanted}
    if len(found) > 1:
        raise FieldError(f"{name} stands there more than once, with different values")
    return found.pop() if found else None


def split(text: str, separator: str) -> list[str]:
    """The pieces between separators, quoted strings kept whole, comments left out (RFC 822 §3.4.3).

    A parenthesis opens a comment only where one can begin, so that `filename=fa(1).xml`, which
    should have been quoted, keeps its name.
    """
    if not _SPECIAL.search(text):
        return [piece.strip() for piece in text.split(separator)]
    pieces = [""]
    quoted, depth, escaped = False, 0, False
    for character in text:
        if escaped:
            escaped = False
        elif character == "\\" and (quoted or depth):
            escaped = True
        elif quoted:
            quoted = character != '"'
        elif depth:
            depth += {"(": 1, ")": -1}.get(character, 0)
            continue
        elif character == '"':
            quoted = True
        elif character == "(" and pieces[-1][-1:] in {"", " ", "\t"}:
            depth = 1
            continue
        elif character == separator:
            pieces.append("")
            continue
        if not depth:
            pieces[-1] += character
    if quoted or depth:
        raise FieldError("a quoted string or a comment is not closed")
    return [piece.strip() for piece in pieces]


def unquoted(text: str) -> str:
    """The text of a quoted string (RFC 822 §3.3), or the text itself when it is none."""
    if len(text) < 2 or not (text.startswith('"') and text.endswith('"')):
        return text
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def parse_value(text: str) -> Value:
    """A field with parameters (RFC 2045 §5.1), those in pieces or encoded put together (RFC 2231).

    Raises FieldError.
    """
    return _remembered(text) if len(text) <= _MAX_REMEMBERED else _parsed(text)


def _parsed(text: str) -> Value:
    first, *rest = split(text, ";")
    if len(rest) > _MAX_PARAMETERS:
        raise FieldError(f"there are more than {_MAX_PARAMETERS} parameters")
    plain: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[bool, str]]] = {}
    for piece in filter(None, rest):
        name, equals, raw = piece.partition("=")
        match = _SEGMENT.match(name.strip().lower())
        if not equals or match is None:
            continue
        base, number, encoded = match.groups()
        value = unquoted(raw.strip())
        if number is None and encoded is None:
            if plain.setdefault(base, value) != value:
                raise FieldError(f"the parameter {base[:40]!r} stands there twice")
        elif pieces.setdefault(base, {}).setdefault(int(number or 0), (bool(encoded), value)) != (
            bool(encoded),
            value,
        ):
            raise FieldError(f"a piece of the parameter {base[:40]!r} stands there twice")
    return Value(first.lower(), plain | {name: _joined(parts) for name, parts in pieces.items()})


_remembered = lru_cache(maxsize=64)(_parsed)
"""The Content-Type of an entity is asked for at every step of opening it."""


def _joined(parts: dict[int, tuple[bool, str]]) -> str:
    """The pieces of one parameter in their order (RFC 2231 §3), decoded (§4)."""
    charset, raw = "utf-8", b""
    for number in range(len(parts)):
        if number not in parts:
            break
        encoded, text = parts[number]
        if encoded and number == 0 and text.count("'") >= 2:
            charset, _language, text = text.split("'", 2)
        raw += unquote_to_bytes(text) if encoded else text.encode()
    return _decoded(raw, charset)


def _decoded(raw: bytes, charset: str) -> str:
    try:
        known = codecs.lookup(charset).name
    except (LookupError, ValueError):
        known = ""
    return raw.decode(known if known in _CHARSETS else "utf-8", errors="replace")


def content_type(headers: Headers) -> Value | None:
    """Content-Type (RFC 2045 §5.1); None when there is none. Raises FieldError."""
    text = find(headers, "Content-Type")
    return None if text is None else parse_value(text)


def transfer_encoding(headers: Headers) -> str:
    """Content-Transfer-Encoding (RFC 2045 §6.1) in small letters; "binary" when there is none."""
    text = find(headers, "Content-Transfer-Encoding")
    return split(text, ";")[0].lower() if text else "binary"


def file_name(headers: Headers) -> str | None:
    """What the sender calls the file: Content-Disposition (RFC 2183 §2.3), or Content-Type's name.

    It is the sender's word and for people to read: the last part of a path, without controls, cut
    to a length. Never open a file by it. A field that cannot be read gives no name.
    """
    for field, parameter in (("Content-Disposition", "filename"), ("Content-Type", "name")):
        try:
            text = find(headers, field)
            said = parse_value(text).parameters.get(parameter) if text else None
        except FieldError:
            continue
        if said and (name := _harmless(_words(said))):
            return name
    return None


def _words(text: str) -> str:
    """Decoded where a mail library wrote RFC 2047 words, or HTTP made latin-1 of UTF-8."""
    if "=?" in text:
        try:
            decoded = decode_header(text[:_MAX_ENCODED])
        except (HeaderParseError, binascii.Error, ValueError):
            return text
        return "".join(
            word if isinstance(word, str) else _decoded(word, charset or "ascii")
            for word, charset in decoded
        )
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _harmless(name: str) -> str | None:
    base = re.split(r"[/\\]", name)[-1]
    clean = "".join(each for each in base if unicodedata.category(each) not in _INVISIBLE).strip()
    short = clean.encode()[:MAX_NAME_BYTES].decode(errors="ignore").strip()
    return None if short in {"", ".", ".."} else short


def attachment(name: str | None) -> str:
    """A Content-Disposition for a file of ours, in RFC 2231's way for names beyond ASCII."""
    safe = _harmless(name) if name else None
    if safe is None:
        return "attachment"
    plain = unicodedata.normalize("NFKD", safe).encode("ascii", "ignore").decode()
    plain = re.sub(r'["\\]', "_", plain) or "file"
    if plain == safe:
        return f'attachment; filename="{plain}"'
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(safe, safe='')}"
