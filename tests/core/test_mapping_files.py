"""An attached file is told by its size and SHA-256; its bytes stay where they are."""

from __future__ import annotations

import base64
import hashlib
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.core.mapping.files import _PIECE, FileFacts, file_facts
from tests.core.mapping_documents import document, read

CII = document("full.cii.xml").decode()


def _facts(text: str) -> FileFacts | None:
    element = etree.Element("file")
    element.text = text
    return file_facts(element)


def _told(data: bytes) -> FileFacts:
    return FileFacts(len(data), hashlib.sha256(data).hexdigest())


@given(st.binary(min_size=1, max_size=300), st.integers(1, 80))
def test_the_facts_are_those_of_the_decoded_file(data: bytes, width: int) -> None:
    """However the Base64 is broken into lines."""
    text = base64.b64encode(data).decode()
    broken = "\r\n  ".join(text[at : at + width] for at in range(0, len(text), width))
    assert _facts(f" \n{broken}\t") == _told(data)


@pytest.mark.parametrize("more", [-4, -1, 0, 1, 2, 3])
def test_pieces_meet_without_a_seam(more: int) -> None:
    """A file as long as a piece, a little shorter, a little longer, several pieces long."""
    for size in (_PIECE // 4 * 3 + more, 3 * (_PIECE // 4 * 3) + more):
        data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        assert _facts(base64.b64encode(data).decode()) == _told(data)
        assert _facts(base64.encodebytes(data).decode()) == _told(data)


@pytest.mark.parametrize(
    "text", ["", " ", "abc", "ab=c", "abcd=", "YQ==YQ==", "YQ== x", "é", "a b!d"]
)
def test_what_is_no_base64_has_no_facts(text: str) -> None:
    """Nothing is guessed; the schema refuses such a document anyway."""
    assert _facts(text) is None


def test_a_large_file_is_not_held_twice() -> None:
    """Beside the text itself, decoding takes a piece at a time."""
    element = etree.Element("file")
    element.text = "QUJD" * 2_000_000
    whole = len(element.text)
    tracemalloc.start()
    try:
        facts = file_facts(element)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert facts is not None
    assert facts.size == 6_000_000
    assert peak < 1.5 * whole


def test_a_file_of_which_nothing_else_is_told_is_unmapped() -> None:
    """Without name and kind it would be dropped in silence."""
    start = CII.index("<ram:AttachmentBinaryObject")
    end = CII.index(">", start)
    nameless = CII[:start] + "<ram:AttachmentBinaryObject" + CII[end:]
    source = read(nameless.encode()).invoice.source
    assert [path.rpartition("/")[2] for path in source.unmapped] == ["ram:AttachmentBinaryObject"]
