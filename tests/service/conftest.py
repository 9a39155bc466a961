"""What several tests of the service work in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from pytest_twisted import async_yield_fixture

from tests.service.house import House


@async_yield_fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """An open house, closed afterwards."""
    opened = House(tmp_path)
    await opened.open()
    yield opened
    for intake in opened.intakes:
        await intake.stop(1)
    await opened.journal.close()
