"""Inputs that are well formed in an odd way, which damage to good ones seldom gives."""

from __future__ import annotations

import json
import string
from collections.abc import Sequence

from hypothesis import strategies as st

from gateway.core.as2.cms.der import tlv

_TOKENS = st.text(string.ascii_letters + string.digits + "-._*'%=?", min_size=1, max_size=8)
_LATIN = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=12)
_CHARSETS = st.sampled_from(
    ["utf-8", "iso-8859-1", "us-ascii", "utf-7", "utf-16", "punycode", "idna", "rot13", "hex",
     "unicode_escape", "undefined", "x", "", "a\0b"]
)  # fmt: skip
_ENCODINGS = st.sampled_from(["base64", "quoted-printable", "7bit", "binary", "8BIT", "x", ""])
_TYPES = st.sampled_from(
    ["text/plain", "multipart/mixed", "multipart/report", "multipart/signed", "application/xml",
     "message/disposition-notification", "application/pkcs7-mime", "application/pkcs7-signature",
     "text", ""]
)  # fmt: skip


@st.composite
def parameters(draw: st.DrawFn, *names: str) -> str:
    """Parameters of a header field (RFC 2045, in pieces and encoded as in RFC 2231)."""
    pieces = []
    for _ in range(draw(st.integers(0, 4))):
        name = draw(st.sampled_from(names) | _TOKENS)
        number = draw(st.sampled_from(["", "", "*0", "*1", "*2", "*00", "*999", "*"]))
        encoded = draw(st.sampled_from(["", "", "*"]))
        value = draw(_TOKENS | _LATIN)
        if encoded:
            value = f"{draw(_CHARSETS)}'{draw(st.sampled_from(['', 'fr']))}'{value}"
        quoted = draw(st.booleans())
        pieces.append(f'{name}{number}{encoded}="{value}"' if quoted else f"{name}={value}")
    return "".join(f"; {piece}" for piece in pieces)


@st.composite
def entities(draw: st.DrawFn, depth: int = 2) -> bytes:
    """A MIME entity, with entities inside."""
    kind = draw(_TYPES)
    fields = [f"Content-Type: {kind}{draw(parameters('boundary', 'charset', 'name'))}"]
    if draw(st.booleans()):
        fields.append(f"Content-Transfer-Encoding: {draw(_ENCODINGS)}")
    if draw(st.booleans()):
        fields.append(f"Content-Disposition: attachment{draw(parameters('filename'))}")
    if draw(st.booleans()):
        fields.append(f"Disposition: {draw(_LATIN)}; processed{draw(_LATIN)}")
        fields.append(f"Original-Message-ID: {draw(_LATIN)}")
    body = draw(st.binary(max_size=60))
    if depth and kind.startswith("multipart/"):
        boundary = draw(st.sampled_from(["b", "b c", "--", "'"]))
        fields[0] = f'Content-Type: {kind}; boundary="{boundary}"'
        line = b"\r\n--" + boundary.encode()
        inner = draw(st.lists(entities(depth=depth - 1), max_size=3))
        body += (
            b"".join(line + b"\r\n" + each for each in inner)
            + line
            + draw(st.sampled_from([b"--\r\n", b"", b"--", b" \r\n"]))
        )
    head = "\r\n".join(fields).encode("latin-1", "replace")
    return head + b"\r\n\r\n" + body


def trees(
    tags: Sequence[int] = (2, 4, 5, 6, 0x24, 0x30, 0x31, 0x80, 0xA0, 0xA1),
) -> st.SearchStrategy[bytes]:
    """ASN.1 elements in elements, of the kinds CMS is made of."""
    leaf = st.builds(tlv, st.sampled_from(tags), st.binary(max_size=12))
    known = st.sampled_from(
        [bytes.fromhex(each) for each in
         ("06092a864886f70d010701", "06092a864886f70d010702", "06092a864886f70d010703",
          "060b2a864886f70d0109100109", "020100", "020103", "0500")]
    )  # fmt: skip

    def around(inside: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
        several = st.lists(inside, max_size=6).map(b"".join)
        return st.builds(tlv, st.sampled_from([0x30, 0x31, 0xA0, 0x24]), several)

    return st.recursive(known | leaf, around, max_leaves=25)


def names() -> st.SearchStrategy[bytes]:
    """What a file may be called: of any characters, with what means something among them."""
    special = st.sampled_from(
        ["/", "\\", "..", ".", " ", "\u202e", "\u0130", "ß", "ﬀ", "\u0345", "\x00", "_", "FSO1100A",
         "ABC123", ".xml", ".tar.gz", "\ud800", "\u0130\u0307", "ΐ"]
    )  # fmt: skip
    text = st.lists(special | st.text(max_size=3), max_size=12).map("".join)
    return text.map(lambda name: name.encode("utf-8", "surrogatepass")) | st.binary(max_size=40)


def tables(keys: Sequence[str]) -> st.SearchStrategy[bytes]:
    """TOML with these keys, and values of any kind."""
    scalar = (
        st.text(max_size=12).map(json.dumps)
        | st.integers().map(str)
        | st.floats(allow_nan=False).map(repr)
        | st.sampled_from(["true", "false", "nan", "inf", "2026-01-01", "07:32:00", "0x7f", "{}"])
    )
    value = st.recursive(
        scalar, lambda inside: st.lists(inside, max_size=3).map(lambda v: f"[{', '.join(v)}]")
    )
    line = st.builds("{} = {}".format, st.sampled_from(keys), value)
    block = st.lists(line, max_size=8, unique_by=lambda text: text.split(" = ")[0])
    heads = st.sampled_from(
        ["", *(f"[{key}]\n" for key in keys), *(f"[[{key}]]\n" for key in keys)]
    )
    table = st.builds("{}{}\n".format, heads, block.map("\n".join))
    return st.lists(table, max_size=4).map(
        lambda several: "".join(several).encode("utf-8", "replace")
    )
