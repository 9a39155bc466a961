"""tar and gzip, byte by byte: every dialect is read, whatever is cut off or damaged is refused."""

from __future__ import annotations

import gzip
import io
import tarfile

import pytest

from gateway.model.container import Role
from tests.core.archives import END, XML, header, opened, padded, tar, tar_gz

GOOD = header(b"a.xml", len(XML)) + padded(XML)


def entry(name: str, **fields: object) -> tarfile.TarInfo:
    """A tarfile entry with some fields set."""
    info = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def pax(*records: bytes, size: int | None = None, kind: bytes = b"x") -> bytes:
    """A pax header with these records, each given as it stands."""
    data = b"".join(records)
    return header(b"pax", len(data) if size is None else size, kind) + padded(data)


def record(key: bytes, value: bytes) -> bytes:
    """One pax record with its own length in front."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest) + len(str(len(rest)))
    length += len(str(length)) - len(str(len(rest)))
    return str(length).encode() + rest


LONG = "folder/" * 20 + "a-name-that-is-rather-long-but-not-too-long.xml"


@pytest.mark.parametrize("dialect", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("name", ["a.xml", LONG, "é" * 60 + ".xml", "n" * 100])
def test_every_dialect_is_read(dialect: int, name: str) -> None:
    """POSIX ustar with its prefix, GNU with its long names, pax with its extended headers."""
    if dialect == tarfile.USTAR_FORMAT and len(name.encode()) > 100 and "/" not in name:
        name = name[:40]
    result = opened(tar_gz([(name, XML), ("last.xml", XML)], format=dialect))
    assert [(member.name, member.findings) for member in result.members] == [
        (name, ()),
        ("last.xml", ()),
    ]
    assert result.files == {"1": XML, "2": XML}


@pytest.mark.parametrize(
    "head",
    [
        header(b"a.xml", len(XML), magic=b"ustar  \0"),
        header(b"a.xml", len(XML), magic=b""),
        header(b"a.xml", len(XML), b"\0", magic=b""),
        header(b"a.xml", len(XML), b"7"),
        header(b"a\xe9.xml", len(XML), signed=True),
        header(b"a.xml", b"\x80" + len(XML).to_bytes(11, "big")),
        header(b"a.xml", b"%12o" % len(XML)),
        header(b"a.xml", b"%6o \0    " % len(XML)),
        header(b"V", 0, b"V") + header(b"a.xml", len(XML)),
        header(b"folder/", 0, b"5") + header(b"a.xml", len(XML)),
        header(b"folder/", 77, b"5") + header(b"a.xml", len(XML)),
        header(b"folder/", 0, b"\0") + header(b"a.xml", len(XML)),
        pax(record(b"comment", b"x"), kind=b"g") + header(b"a.xml", len(XML)),
        pax(record(b"path", b"b.xml"), kind=b"g") + header(b"a.xml", len(XML)),
        pax(record(b"mtime", b"1.5"), record(b"path", b"a.xml")) + header(b"x", len(XML)),
        pax(record(b"size", b"%d" % len(XML))) + header(b"a.xml", 0),
        pax(record(b"path", b"a.xml"), kind=b"X") + header(b"x", len(XML)),
        header(b"L", 6, b"L") + padded(b"a.xml\0") + header(b"x", len(XML)),
        header(b"K", 2, b"K") + padded(b"x\0") + header(b"a.xml", len(XML)),
    ],
)
def test_every_kind_of_header_is_read(head: bytes) -> None:
    """Old and signed checksums, octal and binary sizes, labels, folders, extensions."""
    (member,) = opened(gzip.compress(head + padded(XML) + END)).members
    assert member.name in {"a.xml", "aé.xml"}
    assert (member.size, member.stored, member.findings) == (len(XML), True, ())


SPARSE = bytearray(header(b"s.xml", len(XML), b"S"))
SPARSE[482] = 1
SPARSE[148:156] = b" " * 8
SPARSE[148:156] = b"%06o\0 " % sum(SPARSE)


@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        (header(b"s.xml", 0, b"1"), "CONTAINER-MEMBER-SPECIAL"),
        (header(b"s.xml", 0, b"2"), "CONTAINER-MEMBER-SPECIAL"),
        (header(b"s.xml", 99, b"2"), "CONTAINER-MEMBER-SPECIAL"),
        (header(b"s.xml", 0, b"3"), "CONTAINER-MEMBER-SPECIAL"),
        (header(b"s.xml", 0, b"4"), "CONTAINER-MEMBER-SPECIAL"),
        (header(b"s.xml", 0, b"6"), "CONTAINER-MEMBER-SPECIAL"),
        (header(b"s.xml", len(XML), b"S") + padded(XML), "CONTAINER-MEMBER-SPECIAL"),
        (bytes(SPARSE) + bytes(504) + b"\1" + bytes(519) + padded(XML), "CONTAINER-MEMBER-SPECIAL"),
        (header(b"s.xml", 3, b"Z") + padded(b"abc"), "CONTAINER-MEMBER-SPECIAL"),
        (
            pax(record(b"GNU.sparse.major", b"1")) + header(b"s.xml", len(XML)) + padded(XML),
            "CONTAINER-MEMBER-SPECIAL",
        ),
        (pax(b"nonsense") + header(b"s.xml", len(XML)) + padded(XML), "CONTAINER-MEMBER-DAMAGED"),
        (
            pax(b"99 path=x\n") + header(b"s.xml", len(XML)) + padded(XML),
            "CONTAINER-MEMBER-DAMAGED",
        ),
        (
            pax(record(b"size", b"-1")) + header(b"s.xml", len(XML)) + padded(XML),
            "CONTAINER-MEMBER-DAMAGED",
        ),
        (
            pax(record(b"comment", b"x" * 70_000)) + header(b"s.xml", len(XML)) + padded(XML),
            "CONTAINER-MEMBER-DAMAGED",
        ),
        (
            pax(record(b"path", b"s\0.xml")) + header(b"s.xml", len(XML)) + padded(XML),
            "CONTAINER-MEMBER-NAME",
        ),
        (
            header(b"L", 1000, b"L") + padded(b"n" * 1000) + header(b"s", len(XML)) + padded(XML),
            "CONTAINER-MEMBER-NAME",
        ),
        (header(b"", len(XML)) + padded(XML), "CONTAINER-MEMBER-NAME"),
        (header(b"s.xml/", len(XML)) + padded(XML), "CONTAINER-MEMBER-NAME"),
    ],
)
def test_what_is_no_ordinary_file_is_refused_and_the_next_is_read(bad: bytes, rule: str) -> None:
    """Links, devices, pipes, sparse files, unknown kinds, headers that lead astray."""
    result = opened(gzip.compress(bad + GOOD + END))
    odd, good = result.members
    assert [finding.rule for finding in odd.findings] == [rule]
    assert (odd.role, odd.stored) == (Role.DOCUMENT, False)
    assert (good.name, good.findings) == ("a.xml", ())
    assert result.files == {"2": XML}


def test_names_in_an_old_character_set_stay_readable() -> None:
    """What is not UTF-8 is taken for Latin-1."""
    data = header(b"Facture \xe9t\xe9.xml", len(XML)) + padded(XML) + END
    assert opened(data).members[0].name == "Facture été.xml"


WHOLE = tar_gz([("a.xml", XML), ("b.xml", XML * 50)])


def test_an_archive_cut_off_anywhere_is_refused() -> None:
    """Never is a part of a batch processed, wherever the transfer broke off."""
    for length in range(18, len(WHOLE)):
        assert opened(WHOLE[:length]).refused == "CONTAINER-TRUNCATED"


def test_a_tar_cut_off_anywhere_is_refused() -> None:
    """Also before it was compressed, or when it is not: the end mark must be there."""
    whole = GOOD + GOOD.replace(b"a.xml", b"a.xml", 1) + END
    for length in range(512, len(whole) - 1024, 64):
        for archive in (whole[:length], gzip.compress(whole[:length])):
            assert opened(archive).refused == "CONTAINER-TRUNCATED"
    # One block of zeros, and any number of them, is the end.
    for zeros in (512, 1024, 10_240):
        assert opened(gzip.compress(GOOD + bytes(zeros))).unpacked.documents == 1


@pytest.mark.parametrize(
    "head", [pax(record(b"path", b"b.xml")), header(b"L", 6, b"L") + padded(b"b.xml\0")]
)
def test_an_extension_without_its_file_is_a_cut(head: bytes) -> None:
    """A name was announced, and the file it belongs to is missing."""
    assert opened(gzip.compress(GOOD + head + END)).refused == "CONTAINER-TRUNCATED"


@pytest.mark.parametrize("place", [-8, -5, -4, -1, len(WHOLE) // 2])
def test_a_changed_byte_is_noticed(place: int) -> None:
    """The checksum and length gzip keeps are checked, as are the compressed data."""
    changed = bytearray(WHOLE)
    changed[place] ^= 0x55
    assert opened(bytes(changed)).refused == "CONTAINER-DAMAGED"


@pytest.mark.parametrize(
    "archive",
    [
        gzip.compress(GOOD + b"x" * 512 + END),
        gzip.compress(GOOD + header(b"b.xml", b"zzzzzzzzzzzz") + END),
        gzip.compress(GOOD + header(b"b.xml", b"\xff" * 12) + END),
        gzip.compress(GOOD + header(b"b.xml", b"\x80" + b"\xff" * 11) + END),
        gzip.compress(GOOD + header(b"b.xml", 0, checksum=b"0000001\0") + END),
        gzip.compress(GOOD + header(b"b.xml", 0, checksum=b"????????") + END),
        b"\x1f\x8b\x07" + WHOLE[3:],
    ],
)
def test_a_damaged_archive_is_refused(archive: bytes) -> None:
    """Nobody can tell where the next file would begin."""
    assert opened(archive).refused == "CONTAINER-DAMAGED"


@pytest.mark.parametrize(
    "archive",
    [
        WHOLE + b"garbage",
        WHOLE + bytes(100) + b"garbage",
        WHOLE + WHOLE,
        gzip.compress(GOOD + END + b"x"),
        gzip.compress(GOOD + END + bytes(512) + GOOD),
        tar([("a.xml", XML)]) + b"garbage",
    ],
)
def test_nothing_may_follow_the_end(archive: bytes) -> None:
    """Two programs would see different things in it."""
    assert opened(archive).refused == "CONTAINER-TRAILING"


def test_zeros_may_follow_the_end() -> None:
    """Some systems fill files up with them."""
    for archive in (WHOLE + bytes(100_000), tar([("a.xml", XML)]) + bytes(100_000)):
        assert opened(archive).unpacked.refused is None


def test_gzip_in_parts_is_one_file() -> None:
    """Parallel and block-wise writers make many (RFC 1952 §2.2), empty ones too."""
    data = GOOD * 1 + END
    for step in (7, 512, 1000):
        parts = [gzip.compress(data[at : at + step]) for at in range(0, len(data), step)]
        result = opened(b"".join([gzip.compress(b""), *parts, gzip.compress(b""), bytes(9)]))
        assert result.files == {"1": XML}


def test_gzip_with_every_optional_field() -> None:
    """Name, comment, extra field and header checksum (RFC 1952 §2.3)."""
    from zlib import crc32

    head = b"\x1f\x8b\x08\x1e" + WHOLE[4:10] + b"\x03\x00abc" + b"name\0" + b"comment\0"
    head += (crc32(head) & 0xFFFF).to_bytes(2, "little")
    assert opened(head + WHOLE[10:]).unpacked.documents == 2


@pytest.mark.parametrize(
    "data", [XML, XML * 100, b"x", gzip.compress(tar([("a.xml", XML)])), b"PK\x03\x04" + bytes(999)]
)
def test_gzip_without_a_tar_says_so(data: bytes) -> None:
    """The commonest mistake, one compressed XML, gets a remedy of its own."""
    refused = opened(gzip.compress(data), name="FA1.xml.gz").unpacked.refused
    assert refused is not None
    assert refused.rule == "CONTAINER-NO-TAR"
    assert refused.remedy is not None
    assert "tar" in refused.remedy.fr
    assert "FA1.xml.gz" in refused.message


@pytest.mark.parametrize("data", [b"", bytes(512), bytes(10_240), header(b"x/", 0, b"5") + END])
def test_gzip_of_nothing_is_empty(data: bytes) -> None:
    """No file, no document."""
    assert opened(gzip.compress(data)).refused == "CONTAINER-EMPTY"


def test_a_large_file_in_an_archive_cut_off_is_a_cut() -> None:
    """It announces much and brings little: that is no bomb."""
    data = header(b"a.xml", 150_000_000) + XML
    for archive in (data, gzip.compress(data)):
        assert opened(archive).refused == "CONTAINER-TRUNCATED"


def test_gnu_tar_wrote_it(tmp_path: object) -> None:
    """What tar -czf makes on any Linux, with folders and a link."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(entry("./", type=tarfile.DIRTYPE, mode=0o755))
        archive.addfile(entry("./a.xml", size=len(XML), mode=0o644), io.BytesIO(XML))
        archive.addfile(entry("./b.xml", type=tarfile.SYMTYPE, linkname="a.xml"))
    result = opened(buffer.getvalue())
    assert [(member.name, len(member.findings)) for member in result.members] == [
        ("a.xml", 0),
        ("b.xml", 1),
    ]
