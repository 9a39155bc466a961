"""Files in forms, cut anywhere, against the library's own reader; and never in memory."""

from __future__ import annotations

import hashlib
import tempfile
from email import message_from_bytes
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.service import http_multipart
from gateway.service.http_multipart import BadMultipart, boundary_of, extract

PIECES = st.sampled_from([b"\r\n", b"--", b"-", b"b", b"--b", b"\r", b"\n", b"x", b"\x00\xff", b""])


@given(content=st.lists(PIECES, max_size=30), chunk=st.integers(1, 40))
def test_the_file_is_what_was_put_in(content: list[bytes], chunk: int) -> None:
    """Whatever it holds short of the delimiter, and wherever reading cuts it."""
    data = b"".join(content)
    if b"\r\n--b" in b"\r\n" + data:
        return
    body = (
        b'--b\r\nContent-Disposition: form-data; name="n"\r\n\r\nvalue\r\n--b \t\r\n'
        b'content-type: application/xml\r\nContent-Disposition: form-data;\r\n filename="f.xml"'
        b"\r\n\r\n" + data + b"\r\n--b--\r\nepilogue"
    )
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "body"
        source.write_bytes(body)
        with mock.patch.object(http_multipart, "CHUNK_BYTES", chunk):
            part = extract(source, b"b", Path(folder) / "part")
        assert part.path.read_bytes() == data
        assert (part.name, part.content_type) == ("f.xml", "application/xml")
        assert (part.size, part.sha256) == (len(data), hashlib.sha256(data).hexdigest())


@given(body=st.lists(PIECES | st.just(b'--b\r\nContent-Disposition: x; filename="f"\r\n\r\n')))
def test_any_bytes_end_in_a_file_or_a_refusal(body: list[bytes]) -> None:
    """Nothing else comes out, and a refusal leaves no file."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "body", Path(folder) / "part"
        source.write_bytes(b"".join(body))
        try:
            extract(source, b"b", target)
        except BadMultipart:
            assert not target.exists()
        else:
            assert target.exists()


def test_the_library_reads_the_same() -> None:
    """An independent reader finds the same file in the same body."""
    data = b"<a>\r\n</a>\r\n"
    head = b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
    body = b'--b\r\nContent-Disposition: form-data; filename="f"\r\n\r\n' + data + b"\r\n--b--\r\n"
    [theirs] = message_from_bytes(head + body).get_payload()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "body"
        source.write_bytes(body)
        part = extract(source, b"b", Path(folder) / "part")
        assert part.path.read_bytes() == theirs.get_payload(decode=True) == data


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('multipart/form-data; charset=utf-8; boundary="a b c"', b"a b c"),
        ("Multipart/Form-Data; BOUNDARY=----WebKitFormBoundaryX", b"----WebKitFormBoundaryX"),
    ],
)
def test_boundaries(content_type: str, boundary: bytes) -> None:
    """Quoted or not, in any case."""
    assert boundary_of(content_type) == boundary


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary="a\rb"',
        "multipart/form-data; boundary=" + "a" * 71,
        "multipart/form-data; boundary=é",
        "multipart/form-data; boundary*=x''a%0Db",
        "multipart/form-data; " + "a=b; " * 1000 + "boundary=b",
    ],
)
def test_boundaries_that_cannot_be_used(content_type: str) -> None:
    """Refused, and in no time."""
    with pytest.raises(BadMultipart):
        boundary_of(content_type)
