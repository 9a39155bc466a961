"""ZIP, byte by byte: what its parts say must agree, and nothing may stand beside them."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib

import pytest

from gateway.model.container import Role
from tests.core.archives import XML, ZipFile, hand_made_zip, opened, zipped

GOOD = ZipFile(b"good.xml")


def deflated(data: bytes) -> bytes:
    """Raw deflate, as in a ZIP."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_stored_and_deflated_files_are_read(method: int) -> None:
    """Also large ones, and those whose sizes only follow their content."""
    large = XML + b" " * 3_000_000
    assert opened(zipped([("a.xml", XML), ("b.xml", large)], method)).files == {
        "1": XML,
        "2": large,
    }

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", method) as archive:
        archive.writestr("a.xml", XML)
    assert opened(pipe.getvalue()).files == {"1": XML}


def test_zip64_is_read() -> None:
    """With sizes in the extra field, and with the large end record and its locator."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w") as archive,
        archive.open("a.xml", "w", force_zip64=True) as file,
    ):
        file.write(XML)
    assert opened(buffer.getvalue()).files == {"1": XML}

    plain = hand_made_zip([GOOD])
    at = plain.rfind(b"PK\x05\x06")
    _, _, _, _, count, length, start, _ = struct.unpack("<4s4H2LH", plain[at:])
    large = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, length, start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, *[0xFFFFFFFF] * 2, 0)
    assert opened(plain[:at] + large + locator + end).files == {"1": XML}
    lying = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 7, 7, *[0xFFFFFFFF] * 2, 0)
    assert opened(plain[:at] + large + locator + lying).refused == "CONTAINER-DAMAGED"
    lost = struct.pack("<4sLQL", b"PK\x06\x07", 0, at + 1, 1)
    assert opened(plain[:at] + large + lost + end).refused == "CONTAINER-DAMAGED"
    away = struct.pack("<4sLQL", b"PK\x06\x07", 0, 1 << 60, 1)
    assert opened(plain[:at] + large + away + end).refused == "CONTAINER-DAMAGED"

    wide = struct.pack("<2H2Q", 1, 16, len(XML), len(XML))
    body = bytearray(hand_made_zip([GOOD._replace(extra=wide)]))
    record = body.find(b"PK\x01\x02")
    body[record + 20 : record + 28] = b"\xff" * 8
    assert opened(bytes(body)).files == {"1": XML}
    body[record + 46 + len(b"good.xml")] = 9  # no zip64 field any more
    assert opened(bytes(body)).refused == "CONTAINER-DAMAGED"


@pytest.mark.parametrize(
    ("raw", "flags", "name"),
    [
        ("été.xml".encode(), 0x800, "été.xml"),
        ("été.xml".encode(), 0, "été.xml"),
        ("été.xml".encode("cp437"), 0, "été.xml"),
    ],
)
def test_names_are_utf8_or_of_the_old_pc(raw: bytes, flags: int, name: str) -> None:
    """With and without the flag that says so."""
    result = opened(hand_made_zip([ZipFile(raw, flags=flags)]))
    assert [(member.name, member.findings) for member in result.members] == [(name, ())]


@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        (ZipFile(flags=1), "CONTAINER-MEMBER-ENCRYPTED"),
        (ZipFile(flags=0x41), "CONTAINER-MEMBER-ENCRYPTED"),
        (ZipFile(flags=0x2000), "CONTAINER-MEMBER-ENCRYPTED"),
        (ZipFile(method=99), "CONTAINER-MEMBER-ENCRYPTED"),
        (ZipFile(method=12), "CONTAINER-MEMBER-METHOD"),
        (ZipFile(method=14), "CONTAINER-MEMBER-METHOD"),
        (ZipFile(method=777), "CONTAINER-MEMBER-METHOD"),
        (ZipFile(attributes=(stat.S_IFLNK | 0o777) << 16), "CONTAINER-MEMBER-SPECIAL"),
        (ZipFile(attributes=stat.S_IFCHR << 16), "CONTAINER-MEMBER-SPECIAL"),
        (ZipFile(attributes=stat.S_IFIFO << 16, system=19), "CONTAINER-MEMBER-SPECIAL"),
        (ZipFile(crc=1), "CONTAINER-MEMBER-DAMAGED"),
        (ZipFile(method=8, stored=deflated(XML), crc=1), "CONTAINER-MEMBER-DAMAGED"),
        (ZipFile(method=8, stored=deflated(XML)[:-3]), "CONTAINER-MEMBER-DAMAGED"),
        (ZipFile(method=8, stored=deflated(XML) + b"more"), "CONTAINER-MEMBER-DAMAGED"),
        (ZipFile(method=8, stored=b"\xff" * 20), "CONTAINER-MEMBER-DAMAGED"),
        (ZipFile(method=8, stored=deflated(XML * 9), crc=1), "CONTAINER-MEMBER-DAMAGED"),
        (ZipFile(size=len(XML) + 1), "CONTAINER-MEMBER-DAMAGED"),
        (ZipFile(size=len(XML) - 1), "CONTAINER-MEMBER-DAMAGED"),
        (ZipFile(local_name=b"b.xml"), "CONTAINER-MEMBER-DAMAGED"),
        (ZipFile(local_method=8), "CONTAINER-MEMBER-DAMAGED"),
        (ZipFile(local_flags=1), "CONTAINER-MEMBER-DAMAGED"),
        (ZipFile(local_flags=8), "CONTAINER-MEMBER-DAMAGED"),
        (ZipFile(b"\xff\xfe.xml", flags=0x800), "CONTAINER-MEMBER-NAME"),
        (ZipFile(b"a\0.xml"), "CONTAINER-MEMBER-NAME"),
        (ZipFile(b""), "CONTAINER-MEMBER-NAME"),
    ],
)
def test_one_bad_file_does_not_sink_the_others(bad: ZipFile, rule: str) -> None:
    """Encrypted, packed otherwise, damaged, contradicting itself: it alone is refused."""
    result = opened(hand_made_zip([GOOD, bad, GOOD._replace(name=b"next.xml")]))
    _, odd, _ = result.members
    assert [finding.rule for finding in odd.findings] == [rule]
    assert (odd.role, odd.stored) == (Role.DOCUMENT, False)
    assert result.files == {"1": XML, "3": XML}


def test_modes_of_other_systems_mean_nothing() -> None:
    """The high bits of a file made under Windows are no Unix mode."""
    file = ZipFile(attributes=stat.S_IFLNK << 16, system=0)
    assert opened(hand_made_zip([file])).files == {"1": XML}


WHOLE = zipped([("a.xml", XML), ("b.xml", XML * 50)])


def test_an_archive_cut_off_anywhere_is_refused() -> None:
    """The directory stands at the end: without it there is nothing to go by."""
    for length in range(4, len(WHOLE)):
        assert opened(WHOLE[:length]).refused == "CONTAINER-TRUNCATED"


@pytest.mark.parametrize(
    ("archive", "rule"),
    [
        (WHOLE + b"garbage", "CONTAINER-TRAILING"),
        (WHOLE + WHOLE, "CONTAINER-DAMAGED"),
        (hand_made_zip([GOOD], front=b"PK\x03\x04 #!/bin/sh\n"), "CONTAINER-DAMAGED"),
        (b"PK\x03\x04 #!/bin/sh\n" + hand_made_zip([GOOD]), "CONTAINER-DAMAGED"),
        (b"PK\x07\x08" + hand_made_zip([GOOD]), "CONTAINER-DAMAGED"),
        (hand_made_zip([GOOD], disk=1), "CONTAINER-DAMAGED"),
        (hand_made_zip([GOOD], count=2), "CONTAINER-DAMAGED"),
        (hand_made_zip([GOOD, GOOD], count=1), "CONTAINER-DAMAGED"),
        (hand_made_zip([GOOD], start=5), "CONTAINER-DAMAGED"),
        (hand_made_zip([GOOD], start=5000), "CONTAINER-DAMAGED"),
        (hand_made_zip([GOOD, GOOD._replace(offset=0)]), "CONTAINER-DAMAGED"),
        (hand_made_zip([GOOD, GOOD._replace(name=b"b", offset=9)]), "CONTAINER-DAMAGED"),
        (hand_made_zip([GOOD, GOOD._replace(name=b"b", offset=1 << 31)]), "CONTAINER-DAMAGED"),
        (hand_made_zip([]), "CONTAINER-EMPTY"),
    ],
)
def test_what_is_not_put_together_as_it_should_is_refused_whole(archive: bytes, rule: str) -> None:
    """Something in front, behind, twice, missing, or overlapping."""
    assert opened(archive).refused == rule


def test_a_comment_at_the_end_is_allowed() -> None:
    """Up to 65,535 bytes, but it cannot pass for another end."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.xml", XML)
        archive.comment = b"c" * 65_535
    assert opened(buffer.getvalue()).files == {"1": XML}
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = b"PK\x05\x06" + bytes(18)
    assert opened(buffer.getvalue()).unpacked.refused is not None


def test_an_extra_field_that_reaches_into_the_next_file_is_noticed() -> None:
    """The directory is in order, but a file's own header makes room where there is none."""
    archive = bytearray(hand_made_zip([GOOD, GOOD._replace(name=b"b.xml")]))
    archive[28:30] = (40).to_bytes(2, "little")
    result = opened(bytes(archive))
    assert result.rules("good.xml") == ["CONTAINER-MEMBER-DAMAGED"]
    assert result.rules("b.xml") == []


def test_a_file_the_directory_does_not_list_is_noticed() -> None:
    """A reader from the front would find it; what may follow a content is a descriptor only."""
    whole = hand_made_zip([GOOD, ZipFile(b"hidden.xml"), GOOD._replace(name=b"b.xml")])
    at, end = whole.find(b"PK\x01\x02"), whole.rfind(b"PK\x05\x06")
    record = whole.find(b"PK\x01\x02", at + 1)
    gone = whole.find(b"PK\x01\x02", record + 1) - record
    lengths = struct.pack("<2H2L", 2, 2, end - at - gone, at)
    hiding = whole[:record] + whole[record + gone : end + 8] + lengths + whole[end + 20 :]
    refused = opened(hiding).unpacked.refused
    assert refused is not None
    assert refused.rule == "CONTAINER-DAMAGED"
    assert refused.explanation is not None
    assert "its directory does not list" in refused.explanation.en


def test_a_file_behind_the_archive_shares_no_bytes_with_another() -> None:
    """The directory is what is wrong, and that is said."""
    refused = opened(hand_made_zip([GOOD, GOOD._replace(name=b"b", offset=1 << 31)])).unpacked
    assert refused.refused is not None
    assert refused.refused.explanation is not None
    assert "directory" in refused.refused.explanation.en


def test_files_may_stand_in_another_order_than_the_directory_says() -> None:
    """Positions are those of the directory."""
    first, second = ZipFile(b"b.xml", XML + b"b"), ZipFile(b"a.xml", XML)
    archive = hand_made_zip([first, second])
    at = archive.find(b"PK\x01\x02")
    end = archive.rfind(b"PK\x05\x06")
    half = (end - at) // 2
    swapped = archive[:at] + archive[at + half : end] + archive[at : at + half] + archive[end:]
    result = opened(swapped)
    assert [member.name for member in result.members] == ["a.xml", "b.xml"]
    assert result.files == {"1": XML, "2": XML + b"b"}


def test_a_directory_that_is_unreasonably_large_is_not_read() -> None:
    """A few files do not need megabytes of it."""
    files = [ZipFile(b"n%d" % n + b"x" * 65_000) for n in range(20)]
    assert opened(hand_made_zip(files)).refused == "CONTAINER-DAMAGED"
    assert len(opened(hand_made_zip(files[:10])).members) == 10
