"""A gateway that is started on the journal of an older version."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.service.journal.before_upgrade import FOLDER
from tests.gateway_process import GatewayProcess
from tests.service.test_before_upgrade import BEFORE, older, version_in


@pytest.fixture
def line(tmp_path: Path) -> Iterator[GatewayProcess]:
    """Not started yet."""
    made = GatewayProcess(tmp_path, judges=1, sftp_processes=1)
    yield made
    made.ensure_gone()


def test_run_keeps_the_older_journal_and_has_the_service_manager_wait(
    line: GatewayProcess,
) -> None:
    """The manager is asked for time, and shown why; the log says where the copy is."""
    line.state.mkdir()
    older(line.state / "journal.sqlite")
    line.start()
    told = "\n".join(line.notifications)
    assert "EXTEND_TIMEOUT_USEC=" in told
    assert "STATUS=The journal is" in told
    (copy,) = (line.state / FOLDER).glob("*.sqlite")
    assert version_in(copy) == BEFORE
    assert str(copy) in line.log_tail(200)
    assert line.stop() == 0
