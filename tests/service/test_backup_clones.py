"""On XFS and Btrfs a backup's payloads are clones: no space taken, and nothing shared to write."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from gateway.faults import When
from gateway.service.backup import complete, make_backup, restore, verify
from gateway.spool import Spool
from tests.file_systems import KINDS, mounted
from tests.service.test_backup import backed_up, killed_at, rows
from tests.state_directory import StateDirectory

pytestmark = pytest.mark.alone


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A file system that clones."""
    with mounted(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def cloned(place: Path, template: Path) -> Iterator[StateDirectory]:
    """A state directory there."""
    made = StateDirectory(place / "state", template=template)
    yield made
    made.close()


def test_payloads_are_cloned_and_come_back(cloned: StateDirectory, place: Path) -> None:
    """Each a file of its own: what harms the spool's afterwards does not harm the backup's."""
    made = make_backup(cloned.path, place / "backups", version="1")
    assert made.new == {"cloned": 3}
    kept = place / "backups" / "payloads"
    for each in cloned.received:
        ours = cloned.spool.path(each.sha256)
        copy = kept / each.sha256[:2] / each.sha256
        assert (copy.stat().st_nlink, ours.stat().st_nlink) == (1, 1)
        descriptor = os.open(ours, os.O_WRONLY)
        os.write(descriptor, b"!")
        os.close(descriptor)
    assert verify(Path(made.backup)).manifest.payloads == 3
    restore(Path(made.backup), place / "new")
    assert rows(place / "new" / "journal.sqlite") == [each.id for each in cloned.received]
    for each in cloned.received:
        assert Spool(place / "new" / "spool").verify(each.sha256) == each.size


@pytest.mark.parametrize("when", get_args(When))
@pytest.mark.parametrize("point", ["backup.file", "backup.name", "backup.names"])
def test_killed_while_it_clones_it_counts_for_nothing(
    cloned: StateDirectory, place: Path, tmp_path: Path, point: str, when: When
) -> None:
    """The next one is whole."""
    folder = place / "backups"
    assert killed_at(point, when, tmp_path, lambda: backed_up(cloned, folder))
    assert complete(folder) == []
    backed_up(cloned, folder)
    assert verify(complete(folder)[0]).manifest.payloads == 3
    assert not list(folder.rglob(".tmp-*"))
