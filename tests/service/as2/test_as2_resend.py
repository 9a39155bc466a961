"""An acknowledgement that went by AS2, sent again or refused by its receipt: what is counted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.model.as2 import MdnMode
from gateway.service.journal import records
from gateway.service.journal.as2_records import IN
from gateway.service.journal.tables import As2State, OutboxState
from tests.service.as2.test_receipts_spoiled import agree, an_error, attempt
from tests.service.as2.two_gateways import Pair, pair_in

MODES = [MdnMode.SYNC, MdnMode.ASYNC]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """One pair for all."""
    with pair_in(tmp_path_factory.mktemp("resend")) as made:
        yield made


@pytest.mark.parametrize("mode", MODES)
def test_it_is_posted_again_as_it_was_under_its_message_id(pair: Pair, mode: MdnMode) -> None:
    """The partner knows it by that, and answers with the receipt it gave before."""
    agree(pair, mode, True)
    id_ = pair.submit(b"<Invoice/>", "invoice.xml")
    pair.send()
    row, first = pair.left.row(id_), pair.left.sent(id_)
    assert first is not None
    assert (row.state, row.attempts) == (OutboxState.DELIVERED, 1)
    came = len(pair.right.door.requests)
    interchanges = pair.right.interchanges()
    now = pair.network.now()
    pair.network.run(
        pair.left.journal.write("t", lambda conn: records.once_more(conn, [row.id], now))
    )
    pair.send()
    row, again = pair.left.row(id_), pair.left.sent(id_)
    assert again is not None
    assert (row.state, row.attempts, again.state) == (
        OutboxState.DELIVERED,
        2,
        As2State.RECEIPTED,
    )
    body = pair.left.spool.path(first.raw_sha256).read_bytes()
    assert body in [each for _headers, each in pair.right.door.requests[came:]]
    assert again.message_id == first.message_id
    assert len(pair.right.messages(IN, "left", first.message_id)) == 1
    assert pair.right.interchanges() == interchanges


@pytest.mark.parametrize("mode", MODES)
def test_a_receipt_that_says_no_is_a_refusal_of_this_message(pair: Pair, mode: MdnMode) -> None:
    """Counted as such beside the one attempt, whenever the receipt comes."""
    agree(pair, mode, False)
    id_, sent = attempt(pair, mode, an_error)
    row = pair.left.row(id_)
    assert (row.state, row.attempts, row.refusals) == (OutboxState.PENDING, 1, 1)
    assert "authentication-failed" in (row.last_error or "")
    assert sent.state is As2State.REFUSED
    pair.network.pass_time(30.0)
    row = pair.left.row(id_)
    assert row.refusals == row.attempts > 1
    agree(pair, mode, False)
    pair.network.pass_time(3600.0)
    assert pair.left.row(id_).state is OutboxState.DELIVERED
