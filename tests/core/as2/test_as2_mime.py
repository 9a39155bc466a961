"""Entities and multiparts in files: found to the byte, however the file is read."""

from __future__ import annotations

import base64
import io
import quopri
import re
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.core.as2.cms import CmsError
from gateway.core.as2.mime import (
    Malformed,
    boundary_of,
    canonical,
    decode_stream,
    read_entity,
    read_head,
    split_multipart,
)
from gateway.core.as2.streams import Blob

BOUNDARIES = st.text(st.sampled_from("abAB019'()+_,-./:=? "), min_size=1, max_size=70).filter(
    lambda text: not text.endswith(" ")
)
PIECES = st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b"--", b"-", b"a", b"\0", b" ", b"<a>"]), max_size=12
).map(b"".join)


def parts(body: bytes, boundary: str, *, chunk: int = 1 << 18, most: int = 2) -> list[bytes]:
    """The body parts themselves."""
    found = split_multipart(io.BytesIO(body), boundary, most=most, chunk=chunk)
    return [body[part.start : part.end] for part in found]


@given(
    boundary=BOUNDARIES,
    first=PIECES,
    second=PIECES,
    preamble=PIECES,
    epilogue=PIECES,
    eol=st.sampled_from([b"\r\n", b"\n"]),
    padding=st.sampled_from([b"", b" ", b"\t  "]),
    far=st.sampled_from([0, 600]),
    chunk=st.integers(1, 400),
)
def test_parts_are_found_to_the_byte(
    boundary: str,
    first: bytes,
    second: bytes,
    preamble: bytes,
    epilogue: bytes,
    eol: bytes,
    padding: bytes,
    far: int,
    chunk: int,
) -> None:
    """Whatever the parts hold, and however the file is cut: what was put in comes out."""
    mark = b"--" + boundary.encode()
    for part in (first, second, preamble):
        assume(mark not in part)
    body = (
        (preamble + eol if preamble else b"")
        + mark + padding + eol + first + eol
        + mark + padding + eol + second + eol
        + mark + b"--" + padding + (eol + epilogue + b"." * far if epilogue else b"")
    )  # fmt: skip
    assert parts(body, boundary, chunk=chunk) == [first, second]


@given(body=st.lists(st.sampled_from([b"--b", b"--b--", b"\r", b"\n", b"\r\n", b" ", b"x"])))
def test_the_same_at_every_chunk(body: list[bytes]) -> None:
    """Where the file is cut when it is read never changes what is found.

    What follows is longer than any delimiter, so that the reader does not see the end coming.
    """
    data = b"".join(body) + b"." * 600

    def found(chunk: int) -> list[bytes] | str:
        try:
            return parts(data, "b", chunk=chunk)
        except Malformed as error:
            return str(error)

    whole = found(1 << 18)
    assert all(found(chunk) == whole for chunk in (1, 2, 3, 7, 220, 230))


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "nowhere"),
        (b"--other\r\n\r\nx\r\n--other--\r\n", "nowhere"),
        (b"x--b\r\n\r\nx\r\n--b--", "before"),
        (b"--b\r\n\r\nx\r\n", "closing"),
        (b"--b\r\n\r\nx\r\n--b\r\n\r\ny\r\n--bb--", "closing"),
        (b"--b\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b\r\n\r\nz\r\n--b--", "more than 2"),
        (b"--b" + b" " * 300 + b"\r\n\r\nx\r\n--b--", "before"),
    ],
)
def test_what_is_no_multipart(body: bytes, word: str) -> None:
    """No boundary, another one, cut off, or a part too many: each is said."""
    with pytest.raises(Malformed, match=word):
        parts(body, "b")


def test_a_longer_boundary_is_another_one() -> None:
    """`--bb` is no delimiter of `b`, and neither is one within a line."""
    body = b"--b\r\n--bb\r\n--b x\r\nx--b\r\n--b\r\ny\r\n--b--"
    assert parts(body, "b") == [b"--bb\r\n--b x\r\nx--b", b"y"]


def test_how_the_opening_delimiter_ends_says_what_belongs_to_the_next() -> None:
    """OpenSSL ends its own lines in LF around content in CRLF: that CR is the content's."""
    assert parts(b"--b\n\r\nx\r\n\n--b\ny\r\n--b--\n", "b") == [b"\r\nx\r\n", b"y\r"]


@pytest.mark.parametrize(
    "text",
    ["multipart/signed", 'multipart/signed; boundary=""', 'multipart/signed; boundary="é"',
     "multipart/signed; boundary=" + "a" * 300, "multipart/signed; boundary=a; boundary=b"],
)  # fmt: skip
def test_what_is_no_boundary(text: str) -> None:
    """None, an empty one, too long a one, two."""
    with pytest.raises(Malformed):
        boundary_of((("Content-Type", text),))


@pytest.mark.parametrize("in_memory", [False, True])
def test_an_entity(tmp_path: Path, in_memory: bool) -> None:
    """Header section, empty line, body: wherever in a file, or in memory."""
    data = b"before" + b"A: 1\r\nB: 2\r\n\r\nbody" + b"behind"
    path = tmp_path / "file"
    path.write_bytes(data)
    entity = read_entity(Blob(data if in_memory else path), 6, 24, 1000)
    assert entity.headers == (("A", "1"), ("B", "2"))
    with entity.open() as whole, entity.open_body() as body:
        assert whole.read() == b"A: 1\r\nB: 2\r\n\r\nbody"
        assert body.read() == b"body"
        assert (body.seek(2), body.read()) == (2, b"dy")
        assert (body.seek(-1, 2), body.tell(), body.read()) == (3, 3, b"y")


@pytest.mark.parametrize(
    ("start", "headers", "body"),
    [
        (b"\r\nx", (), 2),
        (b"\nx", (), 1),
        (b"A: 1\n\nx", (("A", "1"),), 6),
        (b"A: 1\n\r\nx", (("A", "1"),), 7),
        (b"A: 1\r\n\r\n", (("A", "1"),), 8),
    ],
)
def test_where_the_body_begins(
    start: bytes, headers: tuple[tuple[str, str], ...], body: int
) -> None:
    """An entity may have no fields, no body, and either line end."""
    assert read_head(start, 1000) == (headers, body)


@pytest.mark.parametrize(
    "start", [b"", b"A: 1", b"A: 1\r\n", b"<a/>\r\n\r\n", b"A: " + b"x" * 2000]
)
def test_what_is_no_entity(start: bytes) -> None:
    """Fields without an end, XML where fields should be, a header bomb."""
    with pytest.raises(Malformed):
        read_head(start, 1000)


@pytest.mark.parametrize(
    ("encoding", "encoded"),
    [
        (None, b"a\r\n\0\xe9=41"),
        ("Binary", b"a\r\n\0\xe9=41"),
        ("8bit (a comment)", b"a\r\n\0\xe9=41"),
        ("BASE64", base64.encodebytes(b"a\r\n\0\xe9=41").replace(b"\n", b"\r\n")),
        ("quoted-printable", b"a\r\n=00=E9=3D=\r\n41"),
    ],
)
def test_transfer_encodings(encoding: str | None, encoded: bytes) -> None:
    """RFC 2045 §6, in any case."""
    headers = () if encoding is None else (("Content-Transfer-Encoding", encoding),)
    sink = io.BytesIO()
    decode_stream(headers, io.BytesIO(encoded), sink)
    assert sink.getvalue() == b"a\r\n\0\xe9=41"


@pytest.mark.parametrize(
    ("encoding", "encoded"),
    [("uuencode", b""), ("base64", b"a*b"), ("base64", b"YQ"), ("quoted-printable", b"a" * 2**22)],
)
def test_bad_transfer_encodings(encoding: str, encoded: bytes) -> None:
    """An unknown one, damaged base64, and a line without end."""
    with pytest.raises((Malformed, CmsError)):
        decode_stream((("Content-Transfer-Encoding", encoding),), io.BytesIO(encoded), io.BytesIO())


class Trickle(io.BytesIO):
    """A file that gives few bytes at a time."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most 3."""
        return super().read(3)


@given(st.binary(max_size=100))
def test_quoted_printable_in_pieces(data: bytes) -> None:
    """An escape or soft line break that is cut when it is read is still one."""
    sink = io.BytesIO()
    decode_stream(
        (("Content-Transfer-Encoding", "quoted-printable"),),
        Trickle(quopri.encodestring(data)),
        sink,
    )
    assert sink.getvalue() == data


@given(st.lists(st.sampled_from([b"\r", b"\n", b"a"])).map(b"".join))
def test_canonical_line_breaks(data: bytes) -> None:
    """Every bare LF becomes CRLF, whatever is cut where, and it is said whether any did."""
    sink = io.BytesIO()
    changed = canonical(Trickle(data), sink)
    assert sink.getvalue() == re.sub(rb"(?<!\r)\n", b"\r\n", data)
    assert changed == (sink.getvalue() != data)
