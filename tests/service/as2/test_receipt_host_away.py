"""The server that is to get an asynchronous receipt is down for an hour.

The receipt is tried again, ever more seldom; an operator sees where it waits, and why; once the
server is back it arrives within the longest pause, and once. (RFC 4130 §7.5: receipts that come on
another connection.)
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from gateway.config.settings import Outbox as OutboxSettings
from gateway.model.as2 import As2Access, As2Send, MdnMode
from gateway.service.as2.service import MDN_CHANNEL
from gateway.service.journal import queue_records, records, tables
from gateway.service.journal.tables import OutboxState
from tests.service.as2.cases import STRICT
from tests.service.as2.one_gateway import Gateway, url
from tests.service.as2.two_gateways import RIGHT_PORT, Pair, pair_in

HOUR = 3600.0
LONGEST = OutboxSettings().retry_max_seconds


@pytest.fixture
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with pair_in(tmp_path_factory.mktemp("away")) as made:
        send = As2Send(mdn=MdnMode.ASYNC, mdn_timeout_seconds=3 * HOUR)
        left = As2Access(id="RIGHT", our_id="LEFT", url=url(RIGHT_PORT), receive=STRICT, send=send)
        made.agree(left, As2Access(id="LEFT", our_id="RIGHT", receive=STRICT))
        yield made


def receipts(gateway: Gateway) -> list[records.OutboxRow]:
    """Those that a gateway has to bring."""
    query = sa.select(tables.outbox.c.message_id).where(tables.outbox.c.destination == MDN_CHANNEL)
    names = gateway.read(lambda conn: list(conn.execute(query).scalars()))
    return [gateway.row(name) for name in names]


def test_receipts_wait_for_a_server_that_is_down_for_an_hour(pair: Pair) -> None:
    """Three receipts: few attempts, one alarm, all delivered, none of them twice."""
    pair.left.door.closed = True
    ids = [pair.submit(b"<Invoice>%d</Invoice>" % n, f"{n}.xml") for n in range(3)]
    pair.send()
    pair.network.pass_time(HOUR)
    waiting = receipts(pair.right)
    assert [row.state for row in waiting] == [OutboxState.PENDING] * 3
    tries = sum(row.attempts for row in waiting)
    assert HOUR / LONGEST <= tries <= 3 * HOUR / LONGEST + 15, "tried again, and seldom"
    assert any("503" in (row.last_error or "") for row in waiting)
    assert told(pair.right, "destination_away") == 1
    (queue,) = (
        each
        for each in pair.right.read(lambda conn: queue_records.queues(conn))
        if each.destination == MDN_CHANNEL
    )
    assert (queue.partner, queue.waiting) == ("left", 3)
    assert [pair.left.row(id_).state for id_ in ids] == [OutboxState.PENDING] * 3
    pair.left.door.closed = False
    before = len(pair.left.door.requests)
    pair.network.pass_time(LONGEST + 10)
    assert [row.state for row in receipts(pair.right)] == [OutboxState.DELIVERED] * 3
    assert [pair.left.row(id_).state for id_ in ids] == [OutboxState.DELIVERED] * 3
    assert len(pair.left.door.requests) == before + 3, "each receipt came once"
    assert len(pair.right.door.requests) == 3, "no message was sent again meanwhile"
    assert told(pair.right, "destination_answers") == 1


def told(gateway: Gateway, event: str) -> int:
    """How often the log says so of receipts."""
    said = [call.kwargs for call in gateway.said.calls]
    return sum(each["event"] == event and each.get("destination") == MDN_CHANNEL for each in said)
