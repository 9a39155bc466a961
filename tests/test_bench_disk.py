"""The folder that benches measure in."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from bench import disk


def test_the_folder_is_empty_and_goes_away() -> None:
    """Like any temporary one."""
    with disk.folder_apart("apart-") as folder:
        assert list(folder.iterdir()) == []
        assert disk.creation_us(folder) > 0
        assert len(list(folder.glob("probe/*"))) > 0
    assert not folder.parent.exists()


def test_a_file_system_without_the_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tmpfs and others do not know it."""

    def unknown(_folder: Path) -> None:
        raise OSError(errno.ENOTTY, "Inappropriate ioctl for device")

    monkeypatch.setattr(disk, "_spread", unknown)
    with disk.folder_apart("apart-") as folder:
        assert folder.is_dir()
