"""Layers: blobs in memory and in files, and what they are written with."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest

from gateway.core.as2.streams import KEPT, Blob, Folder, TooLarge
from gateway.model.as2 import Digest

SMALL = bytes(range(256)) * 4
LARGE = SMALL * (KEPT // len(SMALL)) + b"!"


@pytest.mark.parametrize(("data", "in_file"), [(SMALL, False), (LARGE[:-1], False), (LARGE, True)])
@pytest.mark.parametrize("piece", [1000, len(LARGE)])
def test_a_layer_has_a_file_when_it_outgrows_memory(
    tmp_path: Path, data: bytes, in_file: bool, piece: int
) -> None:
    """Whatever the pieces it comes in; size, hash and bytes are the same."""
    folder = Folder(tmp_path)
    source = io.BytesIO(data)
    with folder.sink("layer", digest=Digest.SHA256) as sink:
        while part := source.read(piece):
            sink.write(part)
    blob = sink.blob()
    assert (blob.path is not None, (tmp_path / "layer").exists()) == (in_file, in_file)
    assert blob.size == sink.size == len(data)
    assert sink.hexdigest() == hashlib.sha256(data).hexdigest()
    with blob.open() as whole, blob.open(7, 300) as part_of_it, blob.open_behind(b"head") as joined:
        assert whole.read() == data
        assert part_of_it.read() == data[7:300]
        assert joined.read() == b"head" + data
    folder.drop(blob)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("data", [SMALL, LARGE])
def test_what_is_saved_is_a_file(tmp_path: Path, data: bytes) -> None:
    """The payload must be one, wherever it was before."""
    folder = Folder(tmp_path)
    with folder.sink("payload") as sink:
        sink.write(data)
    blob = sink.blob()
    blob.save(tmp_path / "payload")
    assert (tmp_path / "payload").read_bytes() == data
    with blob.open(1, 3) as part:
        assert part.read() == data[1:3]


@pytest.mark.parametrize("most", [10, KEPT + 10])
def test_no_more_than_allowed(tmp_path: Path, most: int) -> None:
    """In memory and in a file; what there is of the file is ours to delete."""
    folder = Folder(tmp_path)
    with folder.sink("a", most) as sink:
        sink.write(b"x" * most)
        with pytest.raises(TooLarge, match=f"more than {most} bytes"):
            sink.write(b"1")
    folder.clear()
    assert list(tmp_path.iterdir()) == []


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    """The body of the request is not ours to delete."""
    (tmp_path / "body").write_bytes(SMALL)
    folder = Folder(tmp_path)
    folder.drop(Blob(tmp_path / "body"))
    folder.drop(Blob(SMALL))
    folder.clear()
    assert (tmp_path / "body").read_bytes() == SMALL
