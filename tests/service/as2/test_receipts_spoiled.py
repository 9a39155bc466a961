"""A receipt that was changed, forged or exchanged delivers nothing, and the row goes again."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.as2.fields import format_fields
from gateway.core.as2.signing import signed_frame
from gateway.model.as2 import As2Access, As2Send, Digest, Headers, MdnMode, SignatureScheme
from gateway.service.journal import records
from gateway.service.journal.as2_records import IN
from gateway.service.journal.tables import As2State, OutboxState
from tests.core.as2.parties import party
from tests.service.as2.cases import MDN_TIMEOUT, STRICT
from tests.service.as2.one_gateway import YEARS, Change, url
from tests.service.as2.receipts_seen import seen
from tests.service.as2.two_gateways import RIGHT_PORT, Pair, pair_in

REPORTS = [(mode, signed) for mode in (MdnMode.SYNC, MdnMode.ASYNC) for signed in (True, False)]
_MIC = re.compile(rb"(Received-Content-MIC: )([A-Za-z0-9+/=]+)")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """One pair for all."""
    with pair_in(tmp_path_factory.mktemp("spoiled")) as made:
        yield made


def agree(pair: Pair, mode: MdnMode, signed: bool) -> None:
    """As partner files have it when they say little."""
    send = As2Send(mdn=mode, mdn_signed=signed, mdn_timeout_seconds=MDN_TIMEOUT)
    left = As2Access(id="RIGHT", our_id="LEFT", url=url(RIGHT_PORT), receive=STRICT, send=send)
    pair.agree(left, As2Access(id="LEFT", our_id="RIGHT", receive=STRICT))


def changed_mic(headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    """Another hash in the place of the MIC, of the right length."""
    other = base64.b64encode(hashlib.sha256(b"other").digest())
    body, count = _MIC.subn(rb"\g<1>" + other, body)
    assert count == 1
    return headers, body


def without_mic(headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    """No MIC at all."""
    body, count = re.subn(rb"Received-Content-MIC: [^\n]*\n", b"", body)
    assert count == 1
    return headers, body


def another_digest(headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    """The right value under the name of another algorithm."""
    body, count = re.subn(rb"(Received-Content-MIC: \S+) sha-256", rb"\1 sha-512", body)
    assert count == 1
    return headers, body


def an_error(headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    """A partner that did not take the message, MIC or not."""
    return headers, body.replace(b"; processed", b"; processed/Error: authentication-failed")


def cut_off(headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    """The last bytes are missing."""
    return headers, body[:-20]


def inner(headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    """The report inside a signed receipt: its fields and its body."""
    boundary = next(
        re.search('boundary="([^"]+)"', value)
        for name, value in headers
        if name.lower() == "content-type"
    )
    assert boundary is not None
    entity = body.split(b"--" + boundary[1].encode())[1].removeprefix(b"\r\n").removesuffix(b"\r\n")
    head, _, report = entity.partition(b"\r\n\r\n")
    name, _, value = head.partition(b": ")
    assert name == b"Content-Type"
    return (("Content-Type", value.decode()),), report


def with_content_type(headers: Headers, value: str) -> Headers:
    """The same fields, and this Content-Type."""
    kept = tuple(each for each in headers if each[0].lower() != "content-type")
    return (*kept, ("Content-Type", value))


def signature_taken_off(headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    """The report without its signature."""
    ((_, kind),), report = inner(headers, body)
    return with_content_type(headers, kind), report


def signed_by_a_stranger(headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    """The same report with a good signature, of somebody else."""
    fields, report = inner(headers, body)
    entity = format_fields(fields) + report
    stranger = party("stranger", days=YEARS)
    frame = signed_frame(
        Digest.SHA256,
        hashlib.sha256(entity).digest(),
        stranger,
        scheme=SignatureScheme.PKCS1,
        now=stranger.certificate.not_valid_before_utc,
    )
    return with_content_type(headers, frame.content_type), frame.before + entity + frame.behind


def nothing_of_it(headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    """Some page of a proxy."""
    return with_content_type(headers, "text/html"), b"<html>OK</html>"


ANY: tuple[Change, ...] = (
    changed_mic,
    without_mic,
    another_digest,
    an_error,
    cut_off,
    nothing_of_it,
)
OF_SIGNED: tuple[Change, ...] = (signature_taken_off, signed_by_a_stranger)
SPOILED = [
    (mode, signed, change)
    for mode, signed in REPORTS
    for change in ANY + (OF_SIGNED if signed else ())
]


def attempt(pair: Pair, mode: MdnMode, change: Change) -> tuple[str, records.As2Row]:
    """Send a file; on the way back its receipt is changed. The row's id, and the message."""
    if mode is MdnMode.SYNC:
        pair.right.door.answer = change
    else:
        pair.left.door.request = change
    id_ = pair.submit(b"<Invoice/>", "invoice.xml")
    pair.send()
    sent = pair.left.sent(id_)
    assert sent is not None
    return id_, sent


def then_delivered(pair: Pair, id_: str, mode: MdnMode, signed: bool) -> None:
    """Once nobody stands in the way the next attempt gets the very same receipt."""
    row, sent = pair.left.row(id_), pair.left.sent(id_)
    assert sent is not None
    assert row.state is OutboxState.PENDING
    assert row.attempts == 1
    assert row.last_error
    assert sent.state is not As2State.RECEIPTED
    (before,) = pair.right.messages(IN, "left", sent.message_id)
    interchanges = pair.right.interchanges()
    agree(pair, mode, signed)
    pair.network.pass_time(MDN_TIMEOUT + 1.0)
    assert pair.left.row(id_).state is OutboxState.DELIVERED
    again = pair.left.sent(id_)
    assert again is not None
    assert again.state is As2State.RECEIPTED
    assert pair.right.messages(IN, "left", sent.message_id) == [before]
    assert pair.right.interchanges() == interchanges
    assert again.mdn is not None
    assert before.mdn is not None
    assert seen(again.mdn.headers, again.mdn.body) == seen(before.mdn.headers, before.mdn.body)


@pytest.mark.parametrize(("mode", "signed", "change"), SPOILED)
def test_it_delivers_nothing(pair: Pair, mode: MdnMode, signed: bool, change: Change) -> None:
    """Neither a changed receipt nor a wrong MIC counts; the row stays and is tried again."""
    agree(pair, mode, signed)
    id_, _sent = attempt(pair, mode, change)
    then_delivered(pair, id_, mode, signed)


@settings(max_examples=60, deadline=None)
@given(mode=st.sampled_from((MdnMode.SYNC, MdnMode.ASYNC)), data=st.data())
def test_no_bit_of_what_is_signed_may_change(
    pair: Pair, mode: MdnMode, data: st.DataObject
) -> None:
    """Wherever one bit falls over between the boundaries of a signed receipt."""

    def flipped(headers: Headers, body: bytes) -> tuple[Headers, bytes]:
        fields, report = inner(headers, body)
        begin = body.index(format_fields(fields))
        at = data.draw(st.integers(begin, body.index(report) + len(report) - 1))
        spoiled = bytearray(body)
        spoiled[at] ^= 1 << data.draw(st.integers(0, 7))
        return headers, bytes(spoiled)

    agree(pair, mode, True)
    id_, _sent = attempt(pair, mode, flipped)
    then_delivered(pair, id_, mode, True)


@pytest.mark.parametrize(("mode", "signed"), REPORTS)
def test_a_receipt_of_another_message_is_none_of_this_one(
    pair: Pair, mode: MdnMode, signed: bool
) -> None:
    """Yesterday's good receipt, replayed, with the MIC of the very same file."""
    kept: list[tuple[Headers, bytes]] = []

    def keep(headers: Headers, body: bytes) -> tuple[Headers, bytes]:
        kept.append((headers, body))
        return headers, body

    agree(pair, mode, signed)
    first, _sent = attempt(pair, mode, keep)
    assert pair.left.row(first).state is OutboxState.DELIVERED
    second, _sent = attempt(pair, mode, lambda _headers, _body: kept[0])
    then_delivered(pair, second, mode, signed)


def test_an_asynchronous_receipt_is_waited_for(pair: Pair) -> None:
    """While left cannot be reached its row waits, sent; right keeps the receipt and brings it."""
    agree(pair, MdnMode.ASYNC, True)
    pair.left.door.closed = True
    id_ = pair.submit(b"<Invoice/>", "invoice.xml")
    pair.send()
    sent = pair.left.sent(id_)
    assert sent is not None
    assert (pair.left.row(id_).state, sent.state) == (OutboxState.PENDING, As2State.SENT)
    pair.left.door.closed = False
    pair.network.pass_time(MDN_TIMEOUT / 2)  # the receipt comes again, the message does not
    assert pair.left.row(id_).state is OutboxState.DELIVERED
    received = [1 for _headers, body in pair.right.door.requests if body == raw(pair, sent)]
    assert len(received) == 1


def raw(pair: Pair, sent: records.As2Row) -> bytes:
    """A message as it travelled."""
    return pair.left.spool.path(sent.raw_sha256).read_bytes()
