"""Whatever comes: a CmsError in bounded time and memory, or the content as it was; never more."""

from __future__ import annotations

import base64
import io
import random
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import pytest
from asn1crypto import core
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.as2 import cms
from gateway.core.as2.cms.der import tlv
from gateway.model.as2 import Cipher, Digest, KeyTransport, SignatureScheme
from tests.core.as2.cms_keys import (
    certificate,
    compress,
    decompress,
    decrypt,
    encrypt,
    hashed,
    identity,
    rsa_key,
    sign,
    verify,
    verify_opaque,
)

CONTENT = b"Content-Type: application/xml\r\n\r\n<Invoice>FA-1</Invoice>\r\n"
DATA = core.ObjectIdentifier("1.2.840.113549.1.7.1").dump()
ENVELOPED = core.ObjectIdentifier("1.2.840.113549.1.7.3").dump()
SIGNED = core.ObjectIdentifier("1.2.840.113549.1.7.2").dump()
COMPRESSED = core.ObjectIdentifier("1.2.840.113549.1.9.16.1.9").dump()
ZLIB = core.ObjectIdentifier("1.2.840.113549.1.9.16.3.8").dump()
SHA256 = core.ObjectIdentifier("2.16.840.1.101.3.4.2.1").dump()
RSA = core.ObjectIdentifier("1.2.840.113549.1.1.1").dump()


@contextmanager
def promptly(seconds: float = 5.0) -> Iterator[None]:
    """Within that much time of the processor; a few times what it takes on a slow machine."""
    begin = time.process_time()
    yield
    assert time.process_time() - begin < seconds


class Case(NamedTuple):
    """A good message, and how it is opened. `protected`: nothing of the content can change."""

    message: bytes
    opened: Callable[[bytes], bytes]
    protected: bool = True


def opaque() -> bytes:
    """A signed message around its content, in BER and in pieces."""
    signed = sign(CONTENT, identity("partner"), scheme=SignatureScheme.PSS)
    pieces = b"".join(tlv(4, CONTENT[at : at + 7]) for at in range(0, len(CONTENT), 7))
    inside = tlv(0x30, DATA, b"\xa0\x80\x24\x80" + pieces + b"\0\0\0\0")
    return _replaced(signed, tlv(0x30, DATA), inside)


def _replaced(signed: bytes, old: bytes, new: bytes) -> bytes:
    inner = signed[signed.index(b"\xa0") :]
    inner = inner[inner.index(b"\x30") :]
    fields = inner[4:].replace(old, new, 1)
    return b"\x30\x80" + SIGNED + b"\xa0\x80" + b"\x30\x80" + fields + b"\0\0" * 3


def opens(message: bytes) -> bytes:
    """Decrypted with our key."""
    return decrypt(message, identity("us")).content


def holds(message: bytes) -> bytes:
    """The content, if the detached signature holds."""
    verify(message, CONTENT, identity("partner").certificate)
    cms.signature_digests(message)
    return CONTENT


def holds_within(message: bytes) -> bytes:
    """The content of an opaque signature."""
    return verify_opaque(message, [identity("partner").certificate]).content


def decoded(message: bytes) -> bytes:
    """From base64."""
    sink = io.BytesIO()
    cms.base64_decode(io.BytesIO(message), sink)
    return sink.getvalue()


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    """One message of each kind."""
    us, partner = identity("us").certificate, identity("partner")
    return {
        "cbc": Case(encrypt(CONTENT, us), opens, protected=False),
        "cbc-oaep": Case(encrypt(CONTENT, us, transport=KeyTransport.OAEP), opens, protected=False),
        "gcm": Case(encrypt(CONTENT, us, cipher=Cipher.AES128_GCM), opens),
        "gcm-oaep": Case(
            encrypt(CONTENT, us, cipher=Cipher.AES256_GCM, transport=KeyTransport.OAEP), opens
        ),
        "detached": Case(sign(CONTENT, partner), holds),
        "detached-pss": Case(sign(CONTENT, partner, scheme=SignatureScheme.PSS), holds),
        "opaque": Case(opaque(), holds_within),
        "compressed": Case(compress(CONTENT * 3), lambda message: decompress(message)),
        "base64": Case(base64.encodebytes(CONTENT), decoded, protected=False),
    }


KINDS = [
    "cbc",
    "cbc-oaep",
    "gcm",
    "gcm-oaep",
    "detached",
    "detached-pss",
    "opaque",
    "compressed",
    "base64",
]


def attempt(case: Case, damaged: bytes, content: bytes) -> bool:
    """Whether it was taken; then it must be the content, where something protects that."""
    try:
        found = case.opened(damaged)
    except cms.CmsError:
        return False
    assert found == content or not case.protected
    return True


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_cut_off_anywhere_is_refused(cases: dict[str, Case], kind: str) -> None:
    """At every single byte."""
    case = cases[kind]
    content = case.opened(case.message)
    for end in range(len(case.message)):
        taken = attempt(case, case.message[:end], content)
        assert not taken or kind == "base64", f"cut off at {end}"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_damaged_bytes_are_found(cases: dict[str, Case], kind: str, seed: int) -> None:
    """Flipped, doubled, left out or replaced, one or a few: refused, or without effect."""
    case = cases[kind]
    content = case.opened(case.message)
    chance = random.Random(seed)
    for _attempt in range(400):
        damaged = bytearray(case.message)
        for _change in range(chance.choice((1, 1, 1, 2, 5))):
            at = chance.randrange(len(damaged))
            match chance.randrange(5):
                case 0:
                    damaged[at] ^= 1 << chance.randrange(8)
                case 1:
                    damaged[at] = chance.choice((0, 1, 0x30, 0x24, 0x7F, 0x80, 0x84, 0xA0, 0xFF))
                case 2:
                    del damaged[at : at + chance.choice((1, 2, 20))]
                case 3:
                    damaged[at:at] = damaged[at : at + chance.choice((1, 2, 20))]
                case _:
                    damaged[at] = chance.randrange(256)
        attempt(case, bytes(damaged), content)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.binary(max_size=400)
    | st.builds(lambda tail: b"\x30\x80" + ENVELOPED + b"\xa0\x80\x30\x80" + tail, st.binary())
    | st.builds(lambda tail: b"\x30\x80" + SIGNED + b"\xa0\x80\x30\x80\2\1\1" + tail, st.binary())
    | st.builds(
        lambda tail: b"\x30\x80" + COMPRESSED + b"\xa0\x80\x30\x80\2\1\0" + tail, st.binary()
    )
)
def test_bytes_that_are_nothing(junk: bytes) -> None:
    """Every entrance refuses them with its own kind of error."""
    for opened in (opens, holds, holds_within, decompress, cms.signature_digests):
        with pytest.raises(cms.CmsError):
            opened(junk)
    with suppress(cms.NotCms):
        cms.kind_of(io.BytesIO(junk))


@pytest.mark.parametrize(
    "junk",
    [
        pytest.param(b"\x30\x80" * 1000, id="nested sequences"),
        pytest.param(b"\x24\x80" * 100_000, id="nested strings"),
        pytest.param(b"\x30\x84\xff\xff\xff\xff", id="4 GB"),
        pytest.param(b"\x30\x88\x7f" + b"\xff" * 7, id="2^63 bytes"),
        pytest.param(b"\x30\xff" + b"\xff" * 200, id="2^1000 bytes"),
        pytest.param(b"\x30\x88" + b"\0" * 7 + b"\5" + b"\5\0\5\0\5", id="long zeros"),
        pytest.param(b"\x1f\xff\xff\xff\xff\x7f\0", id="long tag"),
        pytest.param(b"\x30\x80\x06\x80\0\0", id="simple value without length"),
        pytest.param(b"\x30\x80\0\1", id="end of contents with a content"),
        pytest.param(b"\0\0" * 1000, id="ends of contents"),
        pytest.param(b"\x30\x80" + tlv(6, b"\x2a" * 2_000_000), id="identifier of 2 MB"),
    ],
)
def test_absurd_structures_are_refused_promptly(junk: bytes) -> None:
    """Nothing is allocated because a length says so."""
    for begin in (
        b"",
        b"\x30\x80" + ENVELOPED + b"\xa0\x80",
        b"\x30\x80" + ENVELOPED + b"\xa0\x80\x30\x80\2\1\0",
        b"\x30\x80" + SIGNED + b"\xa0\x80\x30\x80\2\1\1",
    ):
        for opened in (opens, holds_within, decompress):
            with promptly(), pytest.raises(cms.NotCms):
                opened(begin + junk)


def streamed(pieces: bytes) -> bytes:
    """CompressedData around these pieces of its content."""
    begin = b"\x30\x80" + COMPRESSED + b"\xa0\x80\x30\x80\2\1\0" + tlv(0x30, ZLIB)
    return begin + b"\x30\x80" + DATA + b"\xa0\x80\x24\x80" + pieces + b"\0\0" * 6


def test_tiny_pieces_are_read_fast() -> None:
    """A content in a hundred thousand pieces of 16 bytes, and of one byte as far as allowed."""
    content = random.Random(1).randbytes(1_600_000)
    packed = zlib.compress(content, 0)
    pieces = b"".join(tlv(4, packed[at : at + 16]) for at in range(0, len(packed), 16))
    with promptly():
        assert decompress(streamed(pieces)) == content
    packed = zlib.compress(content[:50_000], 0)
    pieces = b"".join(tlv(4, packed[at : at + 1]) for at in range(len(packed)))
    with promptly():
        assert decompress(streamed(pieces)) == content[:50_000]


@pytest.mark.parametrize(
    "piece", [b"\4\0", b"\x24\0", b"\x24\x80\0\0", b"\4\1x", b"\x24\3\4\1x", b"\4\x81\0"]
)
def test_pieces_made_to_keep_us_busy_are_refused(piece: bytes) -> None:
    """20 MB of pieces with next to nothing in them."""
    us = identity("us")
    encrypted = encrypt(b"", us.certificate)
    head = encrypted[: -len(tlv(0x80, bytes(16)))]
    inner = head[head.index(b"\2\1\0") :]
    begin = b"\x30\x80" + ENVELOPED + b"\xa0\x80\x30\x80"
    # The last SEQUENCE of the head, EncryptedContentInfo, gets an open length, too.
    last = inner.rindex(b"\x30", 0, inner.index(DATA, 100))
    message = begin + inner[:last] + b"\x30\x80" + inner[last + 2 :] + b"\xa0\x80"
    with promptly(8.0), pytest.raises(cms.NotCms, match="too many"):
        opens(message + piece * (20_000_000 // len(piece)))


def test_what_stands_around_the_content_is_bounded() -> None:
    """Recipients, certificates and signers have a megabyte together."""
    filler = tlv(0xA1, b"\x30\0" * 1000)
    recipients = tlv(0x31, filler * 600)
    message = tlv(0x30, ENVELOPED, tlv(0xA0, tlv(0x30, tlv(2, b"\0"), recipients)))
    with promptly(), pytest.raises(cms.NotCms, match="1048576"):
        opens(message)
    certificates = tlv(0xA0, tlv(4, bytes(2_000_000)))
    inner = tlv(0x30, tlv(2, b"\1"), tlv(0x31), tlv(0x30, DATA), certificates, tlv(0x31))
    with promptly(), pytest.raises(cms.NotCms, match="1048576"):
        holds(tlv(0x30, SIGNED, tlv(0xA0, inner)))


def test_thousands_of_recipients_with_our_number_take_no_thousand_decryptions() -> None:
    """Only one of them is tried, and names are compared in bounded time."""
    us = identity("us")
    message = encrypt(CONTENT, us.certificate)
    begin = message.index(b"\x30\x82", message.index(b"\x31\x82"))
    size = int.from_bytes(message[begin + 2 : begin + 4], "big") + 4
    recipient = message[begin : begin + size]
    for one in (
        recipient,
        recipient.replace(b"d'essai", b"d'ESSAI"),
        recipient.replace(b"us", b"uz"),
    ):
        head = tlv(2, b"\0") + tlv(0x31, one * 2500)
        inner = tlv(0x30, head, message[begin + size :])
        with promptly():
            try:
                assert opens(tlv(0x30, ENVELOPED, tlv(0xA0, inner))) == CONTENT
            except cms.DecryptionFailed:
                assert b"uz" in one


def test_compression_bombs_are_defused() -> None:
    """By their ratio once 10 MB are out, and by their size."""
    bomb = compress(bytes(60_000_000))
    assert len(bomb) < 100_000
    sink = io.BytesIO()
    with promptly(), pytest.raises(cms.DecompressionFailed, match="200 times"):
        cms.decompress(io.BytesIO(bomb), sink, max_bytes=10**9, max_ratio=200)
    assert len(sink.getvalue()) <= 10_500_000
    with promptly(), pytest.raises(cms.DecompressionFailed, match="1000000 bytes"):
        decompress(bomb, max_bytes=1_000_000, max_ratio=10**6)
    assert len(decompress(bomb, max_ratio=10**6)) == 60_000_000
    small = compress(bytes(9_000_000))
    assert len(decompress(small, max_ratio=2)) == 9_000_000


@pytest.mark.parametrize("change", ["cut", "damaged", "more", "twice"])
def test_compressed_bytes_must_be_whole(change: str) -> None:
    """Their structure may be sound all the same."""
    packed = zlib.compress(CONTENT * 1000)
    changed = {
        "cut": packed[:-5],
        "damaged": packed[:-1] + bytes((packed[-1] ^ 1,)),
        "more": packed + b"\0",
        "twice": packed * 2,
    }[change]
    for pieces in (tlv(4, changed), tlv(4, changed[:-1]) + tlv(4, changed[-1:])):
        with pytest.raises(cms.DecompressionFailed):
            decompress(streamed(pieces))


def test_other_compressions_are_named() -> None:
    """ZLIB is the only one RFC 3274 knows."""
    other = core.ObjectIdentifier("1.2.840.113549.1.9.16.3.9").dump()
    with pytest.raises(cms.NotAllowed, match=r"16\.3\.9"):
        decompress(compress(CONTENT).replace(ZLIB, other))


def test_what_follows_the_message() -> None:
    """White space and NULs are left behind by mail software and disks; more is a second message."""
    us = identity("us")
    for message, opened in (
        (encrypt(CONTENT, us.certificate), opens),
        (encrypt(CONTENT, us.certificate, cipher=Cipher.AES128_GCM), opens),
        (sign(CONTENT, identity("partner")), holds),
        (opaque(), holds_within),
        (compress(CONTENT), decompress),
    ):
        assert opened(message + b"\r\n \t" + bytes(300_000)) == CONTENT
        for more in (b"x", b"\r\n\r\nx", bytes(300_000) + b"x", message):
            with pytest.raises(cms.NotCms, match="follows"):
                opened(message + more)


def test_errors_tell_no_secrets() -> None:
    """Neither content nor keys, whatever goes wrong."""
    us = identity("us")
    impostor = cms.Identity(us.certificate, rsa_key("stranger"))
    message = encrypt(CONTENT, us.certificate, cipher=Cipher.AES256_GCM)
    with pytest.raises(cms.DecryptionFailed) as failed:
        decrypt(message, impostor)
    assert "Invoice" not in repr(failed.value)
    number = certificate("partner").serial_number
    with pytest.raises(cms.AuthenticationFailed) as unknown:
        verify(sign(CONTENT, identity("stranger")), CONTENT, certificate("partner"))
    assert f"{number:X}" not in str(unknown.value)


def test_wrong_digests_of_the_caller_do_not_hold() -> None:
    """Whatever `digest_of` gives, nothing but the digest of the content verifies."""
    partner = identity("partner")
    arguments: dict[str, Any] = {
        "allowed": list(Digest),
        "on": partner.certificate.not_valid_before_utc,
    }
    for value in (b"", bytes(32), hashed(CONTENT)(Digest.SHA512)):
        with pytest.raises(cms.IntegrityFailed):
            cms.verify(
                sign(CONTENT, partner), lambda _d, v=value: v, [partner.certificate], **arguments
            )
