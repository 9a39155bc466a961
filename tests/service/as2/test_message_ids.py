"""The same Message-ID again: with the same file it is the same message, with another it is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.core.as2 import MdnFault, pack, read_mdn
from gateway.model.as2 import As2Access, As2Receive, As2Send, Cipher, Digest, MdnMode, MdnRead
from gateway.service.as2.posting import Response
from gateway.service.journal import records
from gateway.service.journal.as2_records import IN
from gateway.service.journal.tables import OutboxState
from tests.service.as2.cases import STRICT, WIDE
from tests.service.as2.one_gateway import url
from tests.service.as2.receipts_seen import seen
from tests.service.as2.two_gateways import LEFT_PORT, RIGHT_PORT, Pair, pair_in

PAYLOAD = b"<Invoice>1</Invoice>"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """One pair for all."""
    with pair_in(tmp_path_factory.mktemp("message-ids")) as made:
        yield made


def agree(pair: Pair, *, accept: bool = False) -> None:
    """Right refuses a used Message-ID, or does not."""
    receive = As2Receive(mdn_urls=(url(LEFT_PORT),), duplicates="accept" if accept else "refuse")
    pair.agree(
        As2Access(id="RIGHT", our_id="LEFT", url=url(RIGHT_PORT), receive=STRICT),
        As2Access(id="LEFT", our_id="RIGHT", receive=receive),
    )


def sent(pair: Pair) -> records.As2Row:
    """A message that right has taken and vouched for."""
    id_ = pair.submit(PAYLOAD, "invoice.xml")
    pair.send()
    assert pair.left.row(id_).state is OutboxState.DELIVERED
    message = pair.left.sent(id_)
    assert message is not None
    return message


def anew(
    pair: Pair, message: records.As2Row, payload: bytes = PAYLOAD, send: As2Send | None = None
) -> Response:
    """The same Message-ID, packed once more: other bytes in any case. Right's answer."""
    folder = pair.left.folder / "scratch" / f"anew-{len(pair.right.door.requests)}"
    folder.mkdir(exist_ok=True)
    source = folder / "source"
    source.write_bytes(payload)
    into = folder / "into"
    into.mkdir(exist_ok=True)
    packed = pack(
        source,
        into,
        filename="invoice.xml",
        content_type="application/xml",
        message_id=message.message_id,
        as2_from="LEFT",
        as2_to="RIGHT",
        url_for_async_mdn=url(LEFT_PORT),
        send=send or As2Send(),
        identity=pair.left.identity,
        recipient_certificates=[pair.right.identity.certificate],
        now=pair.network.now(),
    )
    body = Path(packed.path)
    assert body.read_bytes() != pair.left.spool.path(message.raw_sha256).read_bytes()
    answer = pair.network.run(pair.poster.post(url(RIGHT_PORT), packed.headers, body))
    pair.send()
    return answer


def reading(pair: Pair, answer: Response) -> MdnRead:
    """What a receipt says."""
    read = read_mdn(
        answer.headers,
        answer.body,
        [pair.right.identity.certificate],
        require_signed=True,
        allowed=tuple(Digest),
        on=pair.network.now(),
    )
    assert not isinstance(read, MdnFault), read
    return read


@pytest.mark.parametrize("accept", [False, True])
def test_the_same_file_encrypted_anew_is_the_same_message(pair: Pair, accept: bool) -> None:
    """Other bytes on the wire, the same inside: the first receipt, and no second interchange."""
    agree(pair, accept=accept)
    message = sent(pair)
    (before,) = pair.right.messages(IN, "left", message.message_id)
    count = pair.right.interchanges()
    for send in (As2Send(), As2Send(encrypt=Cipher.AES128_GCM), As2Send(base64=True)):
        answer = anew(pair, message, send=send)
        assert answer.status == 200
        assert before.mdn is not None
        assert seen(answer.headers, answer.body) == seen(before.mdn.headers, before.mdn.body)
    assert pair.right.messages(IN, "left", message.message_id) == [before]
    assert pair.right.interchanges() == count


def test_another_file_is_refused_with_a_receipt(pair: Pair) -> None:
    """By default a used Message-ID is an error, said in a signed receipt, and nothing is taken."""
    agree(pair)
    message = sent(pair)
    count = pair.right.interchanges()
    read = reading(pair, anew(pair, message, b"<Invoice>2</Invoice>"))
    assert not read.processed
    assert "unexpected-processing-error" in read.disposition
    assert "Message-ID was used before" in read.text
    assert len(pair.right.messages(IN, "left", message.message_id)) == 1
    assert pair.right.interchanges() == count
    # The first is still the one that a resend finds.
    assert reading(pair, pair.repeat(message)).processed


def test_another_file_is_taken_where_that_is_agreed(pair: Pair) -> None:
    """With duplicates = "accept" it is another message, and each has its own receipt again."""
    agree(pair, accept=True)
    message = sent(pair)
    count = pair.right.interchanges()
    other = anew(pair, message, b"<Invoice>2</Invoice>")
    assert reading(pair, other).processed
    first, second = pair.right.messages(IN, "left", message.message_id)
    assert pair.right.interchanges() == count + 1
    assert first.interchange_id != second.interchange_id
    assert first.mdn != second.mdn
    for row, answer in (
        (first, pair.repeat(message)),
        (second, anew(pair, message, b"<Invoice>2</Invoice>")),
    ):
        assert row.mdn is not None
        assert seen(answer.headers, answer.body) == seen(row.mdn.headers, row.mdn.body)
    assert pair.right.interchanges() == count + 1


def test_the_receipt_goes_where_it_is_asked_for_now(pair: Pair) -> None:
    """Asked for in the answer first, to a URL then: the same receipt goes there."""
    agree(pair)
    message = sent(pair)
    pair.left.door.requests.clear()
    answer = anew(pair, message, send=As2Send(mdn=MdnMode.ASYNC))
    assert (answer.status, answer.body.startswith(b"The message was received")) == (200, True)
    ((headers, body),) = pair.left.door.requests
    (row,) = pair.right.messages(IN, "left", message.message_id)
    assert row.mdn is not None
    assert seen(headers, body) == seen(row.mdn.headers, row.mdn.body)


def test_names_that_do_not_fit_are_turned_away(pair: Pair) -> None:
    """A stranger's message is refused before its body, and left's row waits."""
    pair.agree(
        As2Access(id="RIGHT", our_id="SOMEBODY", url=url(RIGHT_PORT), receive=STRICT),
        As2Access(id="SOMEBODY", our_id="right", receive=WIDE),
    )
    id_ = pair.submit(PAYLOAD, "invoice.xml")
    pair.send()
    row = pair.left.row(id_)
    assert row.state is OutboxState.PENDING
    assert "answered 403" in (row.last_error or "")
