"""What several tests of the service work in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pytest_twisted import async_yield_fixture

from tests.service.house import House
from tests.service.sftp_gateway import SftpGateway
from tests.state_directory import StateDirectory


@async_yield_fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """An open house, closed afterwards."""
    opened = House(tmp_path)
    await opened.open()
    yield opened
    for intake in opened.intakes:
        await intake.stop(1)
    await opened.journal.close()


@async_yield_fixture
async def sftp_gateway(tmp_path: Path) -> AsyncIterator[SftpGateway]:
    """A running SFTP service."""
    made = SftpGateway(tmp_path)
    await made.service.start()
    yield made
    await made.service.stop(2.0)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory that is well, to copy: making the tables takes a second."""
    made = StateDirectory(tmp_path_factory.mktemp("template") / "state")
    made.close()
    return made.path


@pytest.fixture
def state(template: Path, tmp_path: Path) -> Iterator[StateDirectory]:
    """One with three interchanges, to be backed up or harmed."""
    made = StateDirectory(tmp_path / "state", template=template)
    yield made
    made.close()
