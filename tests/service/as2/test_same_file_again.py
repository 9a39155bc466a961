"""A partner whose software makes a new Message-ID of every attempt sends a file once more."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.core.uniqueness import FluxKey
from gateway.model.as2 import As2Access, As2Receive, As2Send, MdnMode
from gateway.service.journal import uniqueness_records
from gateway.service.journal.as2_records import IN
from gateway.service.journal.tables import As2State, OutboxState
from tests.service.as2.one_gateway import url
from tests.service.as2.two_gateways import LEFT_PORT, RIGHT_PORT, Pair, pair_in


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """One pair for all."""
    with pair_in(tmp_path_factory.mktemp("same-file")) as made:
        yield made


@pytest.mark.parametrize("mode", [MdnMode.SYNC, MdnMode.ASYNC])
def test_each_message_gets_its_own_receipt(pair: Pair, mode: MdnMode) -> None:
    """The file was accepted: it stays one interchange, and every message of it is vouched for."""
    payload, name = f"<Invoice>{mode}</Invoice>".encode(), f"{mode.value}.xml"
    pair.agree(
        As2Access(id="RIGHT", our_id="LEFT", url=url(RIGHT_PORT), send=As2Send(mdn=mode)),
        As2Access(id="LEFT", our_id="RIGHT", receive=As2Receive(mdn_urls=(url(LEFT_PORT),))),
    )
    interchanges = set()
    for attempt in range(3):
        id_ = pair.submit(payload, name)
        pair.send()
        pair.network.pass_time(60.0)  # a receipt that comes later has time to come
        message = pair.left.sent(id_)
        assert message is not None
        assert (pair.left.row(id_).state, message.state) == (
            OutboxState.DELIVERED,
            As2State.RECEIPTED,
        )
        (kept,) = pair.right.messages(IN, "left", message.message_id)
        interchanges.add(kept.interchange_id)
        if attempt == 0:
            key = FluxKey("left", name, kept.content_sha256)
            accepted = kept.interchange_id
            pair.network.run(
                pair.right.journal.write(
                    "accepted",
                    lambda conn, key=key, id_=accepted: uniqueness_records.take_flux(
                        conn, key, id_, pair.network.now()
                    ),
                )
            )
    assert len(interchanges) == 1
