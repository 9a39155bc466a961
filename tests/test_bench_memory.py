"""`python -m bench.memory`, with files that are not large."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import psutil
import pytest

from bench.as2_large import Memory
from bench.invoices import ubl_invoice
from bench.memory import LANE_MB, MOST_MB, archive, large_invoice, main, numbered, too_much
from gateway.core.xml import parse
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Finding


@pytest.mark.parametrize(("count", "most"), [(40, 2_000_000), (10, 4_000_000)])
def test_the_archive_is_as_large_as_asked(tmp_path: Path, count: int, most: int) -> None:
    """Not larger, for then the default limits refuse it; nearly as large; every invoice another."""
    file = tmp_path / "a.tar.gz"
    archive(file, count, most)
    assert 0.93 * most < file.stat().st_size <= most
    with tarfile.open(file) as tar:
        names = tar.getnames()
        first = tar.extractfile(names[0])
        assert first is not None
        assert b'filename="annexe.pdf"' in first.read()
    assert len(set(names)) == count


def test_an_archive_too_small_for_its_invoices_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="100 invoices are larger"):
        archive(tmp_path / "a.tar.gz", 100, 300_000)


def test_the_invoice_is_as_large_as_the_limit_allows(tmp_path: Path) -> None:
    """Of any size: a limit of so many MB does not refuse it."""
    file = tmp_path / "large.xml"
    large_invoice(file, 3)
    data = file.read_bytes()
    assert 2_950_000 < len(data) <= 3_000_000
    assert not isinstance(parse(data, DocumentLimits(max_bytes=3_000_000)), Finding)
    assert ubl_invoice("large")[:500] == data[:500]


def memory(rise: float) -> Memory:
    return Memory(before=100.0, receiving=100.0, peak=100.0 + rise)


def test_one_judge_may_be_the_lane_and_nobody_else() -> None:
    """The one that took most; a second one, or another process, is held to the small measure."""
    quiet = {"reactor 1": memory(199), "worker 1": memory(20)}
    assert too_much({**quiet, "worker 2": memory(799)}, LANE_MB) == []
    assert too_much({**quiet, "worker 2": memory(801)}, LANE_MB) == [
        "worker 2 took 801 MB more than at rest, 800 are allowed"
    ]
    assert too_much({**quiet, "worker 2": memory(201)}, MOST_MB) == [
        "worker 2 took 201 MB more than at rest, 200 are allowed"
    ]
    assert too_much({"worker 1": memory(300), "worker 2": memory(700)}, LANE_MB) == [
        "worker 1 took 300 MB more than at rest, 200 are allowed"
    ]
    assert too_much({"reactor 1": memory(700), "worker 1": memory(0)}, LANE_MB) == [
        "reactor 1 took 700 MB more than at rest, 200 are allowed"
    ]


def test_each_process_has_a_name_of_its_own() -> None:
    here, parent = psutil.Process(), psutil.Process().parent()
    assert parent is not None
    first, second = sorted([here, parent], key=lambda process: process.pid)
    assert numbered({here: "sftp", parent: "sftp"}) == {first: "sftp 1", second: "sftp 2"}


@pytest.mark.ssh
@pytest.mark.timeout(300)
def test_small_files_go_through_and_every_process_is_measured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Memory does not depend on how busy the machine is: the limits hold here too."""
    words = "-n 60 --mb 6 --invoice-mb 5 --only archive invoice --embedded --json"
    code = main(words.split())
    output = capsys.readouterr().out
    measured = json.loads(output.splitlines()[-1])
    assert (code, measured["faults"]) == (0, []), output
    assert [each["file"] for each in measured["files"]] == ["archive", "invoice"]
    for each in measured["files"]:
        assert set(each["memory_mb"]) == {"reactor 1", "worker 1", "worker 2", "sftp 1", "sftp 2"}
        assert all(found["peak"] > 20 for found in each["memory_mb"].values())
