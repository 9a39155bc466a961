"""No receipt was asked for when the message came; now that it comes again, one is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from gateway.core.as2 import MdnFault, read_mdn, read_request
from gateway.core.as2.headers import As2Request
from gateway.model.as2 import (
    As2Access,
    As2Send,
    Digest,
    Failure,
    Headers,
    Mdn,
    MdnMode,
    Mic,
    Opened,
    Refused,
)
from gateway.model.crypto import OpenAnswer
from gateway.service.as2.late_receipts import vouched
from gateway.service.journal import records
from gateway.service.journal.as2_records import IN
from gateway.service.journal.tables import OutboxState
from tests.service.as2.cases import STRICT
from tests.service.as2.one_gateway import url
from tests.service.as2.receipts_seen import seen
from tests.service.as2.two_gateways import LEFT_PORT, RIGHT_PORT, Pair, pair_in

TO = ("Disposition-Notification-To", "LEFT")
OPTIONS = (
    "Disposition-Notification-Options",
    "signed-receipt-protocol=optional, pkcs7-signature; signed-receipt-micalg=optional, sha-512",
)
LATER = ("Receipt-Delivery-Option", url(LEFT_PORT))
MIC = Mic("YWJj", Digest.SHA512)
MDN = Mdn(headers=(("Content-Type", "multipart/report"),), body=b"a receipt")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """One pair for all."""
    with pair_in(tmp_path_factory.mktemp("late")) as made:
        yield made


@pytest.fixture
def sent(pair: Pair) -> records.As2Row:
    """A message that right took, without having been asked for a receipt."""
    send = As2Send(mdn=MdnMode.NONE)
    pair.agree(
        As2Access(id="RIGHT", our_id="LEFT", url=url(RIGHT_PORT), receive=STRICT, send=send),
        As2Access(id="LEFT", our_id="RIGHT", receive=STRICT),
    )
    id_ = pair.submit(b"<Invoice/>", "invoice.xml")
    pair.send()
    assert pair.left.row(id_).state is OutboxState.DELIVERED
    message = pair.left.sent(id_)
    assert message is not None
    assert kept(pair, message).mdn is None
    return message


def kept(pair: Pair, sent: records.As2Row) -> records.As2Row:
    """The one row that right keeps of it."""
    (row,) = pair.right.messages(IN, "left", sent.message_id)
    return row


def asking(*fields: tuple[str, str]) -> As2Request:
    """A request with these fields."""
    headers: Headers = (
        ("AS2-From", "LEFT"),
        ("AS2-To", "RIGHT"),
        ("Message-ID", "<1@left>"),
        *fields,
    )
    request = read_request(headers)
    assert isinstance(request, As2Request)
    return request


def answer(row: records.As2Row, mdn: Mdn | None = MDN) -> OpenAnswer:
    """What a crypto worker says of the message when it comes again."""
    outcome = Opened(
        path="/spool/x",
        sha256=row.content_sha256,
        size=10,
        filename="invoice.xml",
        content_type="application/xml",
        security=row.security,
        mic=MIC,
    )
    return OpenAnswer(outcome=outcome, mdn=mdn)


def vouch(pair: Pair, row: records.As2Row, request: As2Request, said: OpenAnswer) -> records.As2Row:
    """The row after the transaction."""

    def write(conn: sa.Connection) -> records.As2Row:
        return vouched(conn, row, request, said, pair.network.now())

    return pair.network.run(pair.right.journal.write("test", write))


@pytest.mark.parametrize("fields", [(TO, OPTIONS), (TO, OPTIONS, LATER)])
def test_the_receipt_is_kept_and_published(
    pair: Pair, sent: records.As2Row, fields: Headers
) -> None:
    """With its MIC and when it was made; to RabbitMQ, and to the sender's URL if it wants that."""
    before = kept(pair, sent)
    request = asking(*fields)
    row = vouch(pair, before, request, answer(before))
    assert row == kept(pair, sent)
    assert (row.mdn, row.mic, row.mdn_at) == (MDN, str(MIC), pair.network.now())
    assert (row.mdn_mode, row.mdn_url) == (request.mdn.mode.value, request.mdn.url)
    assert row.at == before.at
    outgoing = [each for each in pair.right.rows_of(row.interchange_id) if each.kind == "mdn"]
    wanted = {"broker", "as2-mdn"} if LATER in fields else {"broker"}
    assert {each.destination for each in outgoing} == wanted
    assert {each.body for each in outgoing} == {MDN.body}
    # The next one finds it, whatever was made for it.
    other = Mdn(headers=MDN.headers, body=b"another")
    assert vouch(pair, row, request, answer(row, other)) == row
    assert kept(pair, sent) == row


def test_of_two_at_once_the_first_makes_it(pair: Pair, sent: records.As2Row) -> None:
    """The statement itself takes no second receipt, whoever thinks there is none yet."""
    before = kept(pair, sent)
    first = vouch(pair, before, asking(TO, OPTIONS), answer(before))
    assert not pair.network.run(
        pair.right.journal.write("test", lambda conn: records.as2_vouched(conn, first))
    )
    assert kept(pair, sent) == first


def test_what_makes_no_receipt_changes_nothing(pair: Pair, sent: records.As2Row) -> None:
    """None is asked for now either, or what came again was refused."""
    before = kept(pair, sent)
    no = OpenAnswer(outcome=Refused(failure=Failure.DECRYPTION, why="x"), mdn=MDN)
    assert vouch(pair, before, asking(), answer(before, None)) == before
    assert vouch(pair, before, asking(TO), no) == before
    assert kept(pair, sent) == before


@pytest.mark.parametrize("later", [False, True])
def test_a_resend_that_asks_gets_one(pair: Pair, sent: records.As2Row, later: bool) -> None:
    """A real receipt by the hash function it names, by the way it asks for, always the same."""
    count = pair.right.interchanges()
    receipts = []
    for _ in range(2):
        pair.left.door.requests.clear()
        response = pair.repeat(sent, TO, OPTIONS, *([LATER] if later else []))
        pair.send()
        assert response.status == 200
        receipts.append(pair.left.door.requests[0] if later else (response.headers, response.body))
    assert seen(*receipts[0]) == seen(*receipts[1])
    read = read_mdn(
        *receipts[0],
        [pair.right.identity.certificate],
        require_signed=True,
        allowed=tuple(Digest),
        on=pair.network.now(),
    )
    assert not isinstance(read, MdnFault), read
    assert read.processed
    assert read.mic is not None
    assert read.mic.digest is Digest.SHA512
    row = kept(pair, sent)
    assert row.mic == str(read.mic)
    assert row.mdn is not None
    assert seen(row.mdn.headers, row.mdn.body) == seen(*receipts[0])
    assert pair.right.interchanges() == count
