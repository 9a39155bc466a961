"""The bytes of SFTP version 3."""

from __future__ import annotations

import contextlib
import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.service.sftp_server import protocol, replies
from gateway.service.sftp_server.decoder import Decoder
from gateway.service.sftp_server.protocol import Attributes, Kind, OpenFlag, Status


def packet(kind: int, *parts: bytes) -> bytes:
    body = bytes((kind,)) + b"".join(parts)
    return struct.pack(">I", len(body)) + body


def number(value: int) -> bytes:
    return struct.pack(">I", value)


def text(value: bytes) -> bytes:
    return number(len(value)) + value


CONVERSATION = b"".join(
    [
        packet(Kind.INIT, number(3)),
        packet(Kind.OPEN, number(1), text(b"in/a.xml"), number(0x1A), number(4), number(0o644)),
        packet(Kind.WRITE, number(2), text(b"1"), struct.pack(">Q", 7), text(b"hello")),
        packet(Kind.READ, number(3), text(b"1"), struct.pack(">Q", 9), number(100)),
        packet(Kind.CLOSE, number(4), text(b"1")),
        packet(Kind.STAT, number(5), text(b"/in")),
        packet(Kind.SETSTAT, number(6), text(b"/in/a"), number(0xB), struct.pack(">Q", 5), bytes(8),
               number(11), number(12)),
        packet(Kind.EXTENDED, number(7), text(b"posix-rename@openssh.com"), text(b"a"), text(b"b")),
        packet(Kind.EXTENDED, number(8), text(b"hardlink@openssh.com"), text(b"a"), text(b"b")),
        packet(Kind.EXTENDED, number(9), text(b"fsync@openssh.com"), text(b"1")),
        packet(Kind.EXTENDED, number(10), text(b"limits@openssh.com")),
        packet(Kind.EXTENDED, number(11), text(b"check-file"), text(b"1"), text(b"md5")),
        packet(Kind.RENAME, number(12), text(b"c"), text(b"d")),
        packet(77, number(13), b"what is this"),
        packet(Kind.FSETSTAT, number(14), text(b"1"), number(0)),
        packet(Kind.SYMLINK, number(15), text(b"a"), text(b"b")),
    ]
)  # fmt: skip

EXPECTED = [
    protocol.Init(3),
    protocol.Open(
        1,
        b"in/a.xml",
        OpenFlag.WRITE | OpenFlag.CREATE | OpenFlag.TRUNCATE,
        Attributes(permissions=0o644),
    ),
    protocol.Write(2, b"1", 7, b"hello"),
    protocol.Read(3, b"1", 9, 100),
    protocol.OnHandle(4, Kind.CLOSE, b"1"),
    protocol.OnPath(5, Kind.STAT, b"/in"),
    protocol.SetPath(6, b"/in/a", Attributes(size=5, owner=True, mtime=12)),
    protocol.Rename(7, b"a", b"b"),
    protocol.Link(8),
    protocol.Sync(9, b"1"),
    protocol.Limits(10),
    protocol.Unknown(11),
    protocol.Rename(12, b"c", b"d"),
    protocol.Unknown(13),
    protocol.SetHandle(14, b"1", Attributes()),
    protocol.Link(15),
]


@given(st.lists(st.integers(1, len(CONVERSATION) - 1), max_size=12))
def test_requests_do_not_depend_on_how_the_bytes_arrive(cuts: list[int]) -> None:
    """However the stream is cut into chunks, the same requests come out."""
    decoder = Decoder()
    found: list[protocol.Request] = []
    edges = [0, *sorted(cuts), len(CONVERSATION)]
    for start, end in itertools.pairwise(edges):
        found += decoder.feed(CONVERSATION[start:end])
    assert found == EXPECTED


QUICK = (protocol.Open, protocol.Write, protocol.SetHandle)


def requests() -> list[bytes]:
    """Each request of the conversation by itself."""
    found, at = [], 0
    while at < len(CONVERSATION):
        end = at + 4 + struct.unpack_from(">I", CONVERSATION, at)[0]
        found.append(CONVERSATION[at:end])
        at = end
    return found


@pytest.mark.parametrize("place", range(len(EXPECTED)))
def test_a_whole_request_that_is_answered_at_once(place: int) -> None:
    """It is read as any other is; a part, more than one, or what follows a part are not it."""
    chunk, expected = requests()[place], EXPECTED[place]
    quick = isinstance(expected, QUICK) or expected == protocol.OnPath(5, Kind.STAT, b"/in")
    decoder = Decoder()
    assert decoder.quick(chunk) == (expected if quick else None)
    assert list(decoder.feed(chunk)) == [expected]
    assert decoder.quick(chunk[:-1]) is None
    assert decoder.quick(chunk + chunk) is None
    assert list(decoder.feed(chunk[:1])) == []
    assert decoder.quick(chunk) is None


def test_a_packet_that_is_too_long_is_none_of_them() -> None:
    """So it ends the session where all others of its kind do."""
    chunk = packet(Kind.WRITE, number(1), text(b"1"), bytes(8), text(bytes(protocol.MAX_PACKET)))
    assert Decoder().quick(chunk) is None
    with pytest.raises(protocol.ProtocolError):
        list(Decoder().feed(chunk))


@pytest.mark.parametrize("size", [0, protocol.MAX_PACKET + 1, 0xFFFFFFFF])
def test_a_packet_of_an_impossible_length_ends_the_session(size: int) -> None:
    """Noticed at the length, before any of it is stored."""
    with pytest.raises(protocol.ProtocolError):
        list(Decoder().feed(number(size)))


def test_a_packet_without_a_request_number_ends_the_session() -> None:
    """There is nothing it could be answered with."""
    with pytest.raises(protocol.ProtocolError):
        list(Decoder().feed(packet(Kind.STAT, b"\0\0")))


@pytest.mark.parametrize(
    "hostile",
    [
        packet(Kind.OPEN, number(9), number(0xFFFFFFFF), b"x"),
        packet(Kind.WRITE, number(9), text(b"1"), b"\0"),
        packet(Kind.STAT, number(9)),
        packet(Kind.EXTENDED, number(9), text(b"posix-rename@openssh.com"), text(b"only one")),
    ],
)
def test_fields_beyond_the_packet_are_answered_and_survived(hostile: bytes) -> None:
    """A request that lies about its lengths is malformed; the next one is read as usual."""
    following = packet(Kind.STAT, number(10), text(b"/"))
    assert list(Decoder().feed(hostile + following)) == [
        protocol.Malformed(9),
        protocol.OnPath(10, Kind.STAT, b"/"),
    ]


@given(st.binary(max_size=300))
def test_no_bytes_break_the_decoder(noise: bytes) -> None:
    """Whatever arrives is a request or a `ProtocolError`."""
    with contextlib.suppress(protocol.ProtocolError):
        for request in Decoder().feed(noise):
            assert isinstance(request, protocol.Request)


def test_replies_have_the_layout_of_the_draft() -> None:
    """Status with text, and attributes with the flags of what is said."""
    reply = replies.status(5, Status.FAILURE, "disk full")
    assert reply == packet(Kind.STATUS, number(5), number(4), text(b"disk full"), text(b""))
    reply = replies.attributes(6, Attributes(size=3, permissions=0o100600, mtime=8))
    assert reply == packet(
        Kind.ATTRS, number(6), number(0xD), struct.pack(">Q", 3), number(0o100600), number(8) * 2
    )
