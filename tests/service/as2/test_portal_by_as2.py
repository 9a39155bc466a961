"""A lifecycle message to the public portal by AS2: somebody else's interchange, its own receipt."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from gateway.model.as2 import As2Access, As2Receive, As2Send, MdnMode
from gateway.model.interchange import Envelope, Interchange, Transport, new_interchange_id
from gateway.model.partner import Partner, Portal
from gateway.service import messages
from gateway.service.answering import FormSent
from gateway.service.journal import records
from gateway.service.journal.as2_records import IN
from gateway.service.journal.tables import As2State, OutboxState
from gateway.service.portal import ways_to_portal
from tests.service.as2.one_gateway import url
from tests.service.as2.two_gateways import LEFT_PORT, RIGHT_PORT, Pair, pair_in

NAME = "FFE0614A_AAA123_AAA1230614000000000000001.xml"
BODY = b"<CrossDomainAcknowledgementAndResponse/>"


@pytest.fixture
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Left is us, right the portal's operator."""
    with pair_in(tmp_path_factory.mktemp("portal")) as made:
        yield made


def told(pair: Pair, portal: Partner) -> str:
    """We tell the portal of an invoice that acme sent by SFTP: the message id at its channel."""
    now: dt.datetime = pair.network.now()
    interchange = Interchange(
        id=new_interchange_id(int(now.timestamp() * 1000), bytes(10)),
        envelope=Envelope(
            partner="acme", name="FA-1.xml", transport=Transport.SFTP, received_at=now
        ),
        sha256="0" * 64,
        size=1,
    )
    publication = messages.cdar_publication(
        interchange,
        BODY,
        id_="0d4c7b3e-0000-5000-8000-000000000001",
        ordinal=1,
        filename=NAME,
        flow="ctc-fr-invoice",
        to_portal=True,
        now=now,
    )
    form = FormSent(publication=publication, filename=NAME)
    (way,) = ways_to_portal(interchange, form, portal, 1)

    def write(conn: sa.Connection) -> None:
        records.receive(conn, interchange, interface_code=None, claim_key="one", now=now)
        records.add_outbox_many(conn, [way])

    pair.network.run(pair.left.journal.write("test", write))
    return way.publication.message_id


@pytest.mark.parametrize("mdn", [MdnMode.SYNC, MdnMode.ASYNC])
def test_it_is_delivered_when_the_portal_says_so(pair: Pair, mdn: MdnMode) -> None:
    """Posted once under its name; a receipt that verifies marks the row, and no other partner's."""
    ours = As2Access(
        id="PPF", our_id="US", url=url(RIGHT_PORT), certificates=("x",), send=As2Send(mdn=mdn)
    )
    receive = As2Receive(mdn_urls=(url(LEFT_PORT),))
    theirs = As2Access(id="US", our_id="PPF", certificates=("x",), receive=receive)
    pair.agree(ours, theirs)
    id_ = told(pair, Partner(name="right", as2=ours, portal=Portal(channels=("as2",))))
    pair.send()
    row = pair.left.row(id_)
    assert row.state is OutboxState.DELIVERED, row.last_error
    assert (row.partner, row.destination, row.attempts) == ("right", "as2", 1)
    sent = pair.left.sent(id_)
    assert sent is not None
    assert sent.state is As2State.RECEIPTED
    (taken,) = pair.right.messages(IN, "left", sent.message_id)
    came = pair.right.read(lambda conn: records.interchange(conn, taken.interchange_id))
    assert came.name == NAME
    assert pair.right.spool.path(came.sha256).read_bytes() == BODY
