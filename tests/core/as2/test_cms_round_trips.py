"""Whatever the content: what was wrapped comes out again, and base64 too."""

from __future__ import annotations

import base64
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.as2 import cms
from gateway.core.as2.cms.ber import MAX_DEPTH, Reader
from gateway.core.as2.cms.der import OCTET_STRING, tlv
from gateway.core.as2.cms.writer import SMALL
from gateway.model.as2 import Cipher, Digest, KeyTransport, SignatureScheme
from tests.core.as2.cms_keys import (
    compress,
    decompress,
    decrypt,
    encrypt,
    identity,
    sign,
    verify,
)

CONTENTS = st.binary(max_size=2000) | st.builds(
    lambda size, seed: (seed + b"\0") * (size // (len(seed) + 1) + 1),
    st.integers(SMALL - 100, SMALL + 600_000),
    st.binary(max_size=300),
)
FEW = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@FEW
@given(content=CONTENTS, cipher=st.sampled_from(Cipher), transport=st.sampled_from(KeyTransport))
def test_encryption(content: bytes, cipher: Cipher, transport: KeyTransport) -> None:
    """Every cipher, every transport, small and streamed."""
    us = identity("us")
    message = encrypt(content, us.certificate, cipher=cipher, transport=transport)
    assert decrypt(message, us) == (cipher, transport, us.fingerprint, content)


@FEW
@given(content=CONTENTS)
def test_compression(content: bytes) -> None:
    """Small and streamed."""
    assert decompress(compress(content), max_ratio=10_000) == content


@FEW
@given(
    content=st.binary(max_size=200),
    digest=st.sampled_from(Digest),
    scheme=st.sampled_from(SignatureScheme),
)
def test_signatures(content: bytes, digest: Digest, scheme: SignatureScheme) -> None:
    """Every digest, both schemes."""
    us = identity("us")
    found = verify(sign(content, us, digest, scheme), content, us.certificate)
    assert found == (digest, scheme, us.fingerprint)


@FEW
@given(content=CONTENTS)
def test_base64(content: bytes) -> None:
    """Lines of 76 as RFC 2045 wants them, read back by us and by Python."""
    text = io.BytesIO()
    cms.base64_encode(io.BytesIO(content), text)
    lines = text.getvalue().split(b"\r\n")
    assert lines.pop() == b""
    assert all(len(line) == 76 for line in lines[:-1])
    assert base64.b64decode(text.getvalue()) == content
    decoded = io.BytesIO()
    cms.base64_decode(io.BytesIO(text.getvalue()), decoded)
    assert decoded.getvalue() == content


@given(st.binary(max_size=100), st.lists(st.sampled_from([b" ", b"\n", b"\r\n", b"\t", b""])))
def test_base64_with_white_space_anywhere(content: bytes, spaces: list[bytes]) -> None:
    """Also inside a group of four."""
    text = base64.b64encode(content)
    spread = b"".join(
        text[at : at + 1] + (spaces[at % len(spaces)] if spaces else b"") for at in range(len(text))
    )
    decoded = io.BytesIO()
    cms.base64_decode(io.BytesIO(spread), decoded)
    assert decoded.getvalue() == content


@pytest.mark.parametrize(
    "text",
    [b"QQ", b"QQ=", b"Q", b"QQ==QQ==", b"QQ==\r\nA", b"Q=Q=", b"QUJD-_==", b"QU\0D", b"=", b"===="],
)
def test_base64_that_is_none(text: bytes) -> None:
    """Cut off, padded in the middle, another alphabet: NotCms."""
    with pytest.raises(cms.NotCms):
        cms.base64_decode(io.BytesIO(text), io.BytesIO())
    with pytest.raises(cms.NotCms):
        cms.base64_decode(io.BytesIO(b"QUJD" * 100_000 + text), io.BytesIO())


class Dripping(io.BytesIO):
    """A file that gives a few bytes at a time, as a socket would."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Three bytes at most."""
        return super().read(3)


def test_files_that_give_little_at_a_time() -> None:
    """Nothing depends on how much one call of `read` gives."""
    us = identity("us")
    message = encrypt(b"FA-1" * 100, us.certificate, cipher=Cipher.AES256_GCM)
    sink = io.BytesIO()
    on = us.certificate.not_valid_before_utc
    cms.decrypt(Dripping(message), sink, [us], allowed=list(Cipher), on=on)
    assert sink.getvalue() == b"FA-1" * 100
    text, decoded = io.BytesIO(), io.BytesIO()
    cms.base64_encode(Dripping(message), text)
    cms.base64_decode(Dripping(text.getvalue()), decoded)
    assert decoded.getvalue() == message


Pieces = st.recursive(
    st.binary(max_size=200).map(lambda data: (tlv(OCTET_STRING, data), data)),
    lambda inner: st.tuples(st.lists(inner, max_size=5), st.booleans()).map(
        lambda both: (
            b"\x24\x80" + b"".join(piece for piece, _ in both[0]) + b"\0\0"
            if both[1]
            else tlv(0x24, *(piece for piece, _ in both[0])),
            b"".join(data for _, data in both[0]),
        )
    ),
    max_leaves=30,
)


@given(Pieces, st.sampled_from([io.BytesIO, Dripping]))
def test_octet_strings_in_nested_pieces(pair: tuple[bytes, bytes], kind: type[io.BytesIO]) -> None:
    """However it was cut up, with or without lengths: the same bytes."""
    encoded, content = pair
    reader = Reader(kind(encoded))
    header = reader.expect(0x04, 0x24)
    assert b"".join(reader.octets(header)) == content
    reader.finish()
    reader = Reader(kind(tlv(0x30, encoded) + b"\r\n\0"))
    assert reader.whole(reader.expect(0x30)) == tlv(0x30, tlv(OCTET_STRING, content))
    reader.finish()


def test_nesting_is_allowed_up_to_its_limit() -> None:
    """And not one deeper."""
    for depth in (MAX_DEPTH, MAX_DEPTH + 1):
        encoded = b"\x24\x80" * depth + tlv(OCTET_STRING, b"FA-1") + b"\0\0" * depth
        reader = Reader(io.BytesIO(encoded))
        header = reader.expect(0x24)
        if depth > MAX_DEPTH:
            with pytest.raises(cms.NotCms, match="nested"):
                list(reader.octets(header))
        else:
            assert list(reader.octets(header)) == [b"FA-1"]
