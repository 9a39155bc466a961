"""Bytes of an XML document, whatever their encoding → the same document in UTF-8.

Three parsers read a document (libxml2, expat, Saxon's). They must never disagree on what the
characters are, so the encoding is settled here, once: the bytes must be what their declaration
and byte order mark say, and everything downstream sees UTF-8 (XML 1.0 §4.3.3 and appendix F).
"""

from __future__ import annotations

import re

from gateway.core.explain import own_finding
from gateway.core.places import shortened
from gateway.model.verdict import Finding

_CODECS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "iso-8859-1": "iso-8859-1",
    "iso-8859-15": "iso-8859-15",
    "windows-1252": "windows-1252",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
}
SUPPORTED = ("UTF-8", "UTF-16", "US-ASCII", "ISO-8859-1", "ISO-8859-15", "windows-1252")

_DECLARATION = re.compile(
    r"""<\?xml [\ \t\r\n]+ version [\ \t\r\n]*=[\ \t\r\n]* (?P<v>["'])(?P<version>[^"'<>]*)(?P=v)
    (?: [\ \t\r\n]+ encoding [\ \t\r\n]*=[\ \t\r\n]*
        (?P<e>["'])(?P<encoding>[A-Za-z][A-Za-z0-9._-]*)(?P=e) )?
    (?: [\ \t\r\n]+ standalone [\ \t\r\n]*=[\ \t\r\n]* (?:"(?:yes|no)"|'(?:yes|no)') )?
    [\ \t\r\n]* \?>""",
    re.VERBOSE,
)
_DECLARATION_START = re.compile(r"<\?xml[ \t\r\n]")
_LONGEST_DECLARATION = 1000

_UTF32 = (b"\xff\xfe\0\0", b"\0\0\xfe\xff", b"\0\0\0<", b"<\0\0\0")
_EBCDIC = b"\x4c\x6f\xa7\x94"


def to_utf8(data: bytes) -> bytes | Finding:
    """The document in UTF-8 without byte order mark; the same object when it already is.

    For UTF-8 only the declaration is read here: the parser checks every byte anyway. In the
    other encodings the declaration is rewritten to UTF-8, keeping lines and columns.
    """
    if data.startswith(_UTF32):
        return _unsupported("UTF-32")
    if data.startswith(_EBCDIC):
        return _unsupported("EBCDIC")
    family, body = _family(data)
    head = body[: _LONGEST_DECLARATION * (1 if family == "8-bit" else 2)]
    codec = "iso-8859-1" if family in {"8-bit", "utf-8"} else family
    start = head.decode(codec, errors="replace")
    declaration = _DECLARATION.match(start)
    if declaration is None and _DECLARATION_START.match(start):
        return _bad_declaration(start)
    if declaration is not None and declaration["version"] != "1.0":
        return own_finding("XML-VERSION", line=1, column=1, version=declaration["version"])
    declared = declaration["encoding"] if declaration is not None else None
    chosen = _agreed(family, declared, has_mark=body is not data)
    if isinstance(chosen, Finding):
        return chosen
    if chosen == "utf-8" and (declared is None or declared.lower() == "utf-8"):
        return body
    return _transcoded(body, chosen, declared)


def decoding_fault(data: bytes, codec: str, declared: str) -> Finding | None:
    """What is wrong with `data` as text in `codec`, or None. `declared`: the name to show."""
    try:
        data.decode(codec)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(codec, errors="replace")
        line = before.count("\n") + 1
        column = len(before) - before.rfind("\n")
        around = data[max(0, error.start - 60) : error.start + 60]
        excerpt = shortened(around.decode(codec, errors="replace"))
        if error.end >= len(data) and error.reason in {"unexpected end of data", "truncated data"}:
            return own_finding("XML-TRUNCATED", line=line, column=column, excerpt=excerpt)
        return own_finding(
            "XML-ENCODING",
            variant="bytes",
            line=line,
            column=column,
            excerpt=excerpt,
            declared=declared,
            found="bytes " + data[error.start : error.start + 4].hex(" "),
        )
    return None


def _family(data: bytes) -> tuple[str, bytes]:
    """What the first bytes say, and the bytes after a byte order mark."""
    if data.startswith(b"\xef\xbb\xbf"):
        return "utf-8", data[3:]
    if data.startswith(b"\xff\xfe"):
        return "utf-16-le", data[2:]
    if data.startswith(b"\xfe\xff"):
        return "utf-16-be", data[2:]
    if data.startswith(b"<\0"):
        return "utf-16-le", data
    if data.startswith(b"\0<"):
        return "utf-16-be", data
    return "8-bit", data


def _agreed(family: str, declared: str | None, *, has_mark: bool) -> str | Finding:
    """The codec that first bytes and declaration agree on, or what is wrong with them."""
    if declared is None:
        if family == "8-bit":
            return "utf-8"
        if has_mark:
            return family
        found = family.upper()
        return own_finding(
            "XML-ENCODING",
            variant="undeclared",
            line=1,
            column=1,
            declared="none",
            found=f"{found} without byte order mark",
            family=found,
        )
    codec = _CODECS.get(declared.lower())
    if codec is None:
        return _unsupported(declared)
    if family == "8-bit":
        if codec.startswith("utf-16"):
            return _mismatch(declared, "8 bits")
        return codec
    if family == "utf-8":
        return codec if codec == "utf-8" else _mismatch(declared, "UTF-8 (BOM)")
    if codec in {"utf-16", family}:
        return family
    return _mismatch(declared, family.upper())


def _transcoded(body: bytes, codec: str, declared: str | None) -> bytes | Finding:
    fault = decoding_fault(body, codec, declared or codec.upper())
    if fault is not None:
        return fault
    text = body.decode(codec)
    declaration = _DECLARATION.match(text)
    if declaration is not None and declared is not None:
        # Spaces before "?>" make up for a shorter name: columns stay those of the original.
        pad = " " * max(0, len(declared) - len("UTF-8"))
        start, end = declaration.span("encoding")
        close = declaration.end() - 2
        text = text[:start] + "UTF-8" + text[end:close] + pad + text[close:]
    return text.encode()


def _unsupported(name: str) -> Finding:
    return own_finding(
        "XML-ENCODING-UNSUPPORTED", line=1, column=1, encoding=name, supported=SUPPORTED
    )


def _mismatch(declared: str, found: str) -> Finding:
    return own_finding("XML-ENCODING", line=1, column=1, declared=declared, found=found)


def _bad_declaration(start: str) -> Finding:
    if "?>" not in start and len(start) < _LONGEST_DECLARATION:
        return own_finding("XML-TRUNCATED", line=1, column=len(start) + 1)
    return own_finding(
        "XML-MALFORMED",
        variant="declaration",
        line=1,
        column=1,
        excerpt=" ".join(start[:160].split()),
        reason="XML declaration not well-formed",
    )
