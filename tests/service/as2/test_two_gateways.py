"""Two gateways exchange messages through in-memory transports, for every combination of options.

Three passes over the options: any three values of different options together (a few hundred cases,
always the same), cases and files at random, and, with EDI_GATEWAY_AS2_PRODUCT=1, every combination
of all that goes over the wire (11,520 cases, ten to thirty minutes).
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.model.as2 import Compression, Headers, MdnMode, Security
from gateway.service.journal import records
from gateway.service.journal.as2_records import IN, OUT
from gateway.service.journal.tables import As2State, OutboxState
from tests.service.as2.cases import MDN_TIMEOUT, OPTIONS, Case, covering, product
from tests.service.as2.receipts_seen import on_the_wire, seen, signed_by
from tests.service.as2.two_gateways import Pair, pair_in


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """One pair for all cases: what one leaves behind must not disturb the next."""
    with pair_in(tmp_path_factory.mktemp("two-gateways")) as made:
        yield made


def exchange(pair: Pair, case: Case) -> None:
    """One file from left to right, and everything that must be true afterwards."""
    pair.agree(*case.agreed())
    before = pair.right.interchanges()
    id_ = pair.submit(case.payload, case.filename, in_spool=case.in_spool)
    pair.send()
    row = pair.left.row(id_)
    sent = pair.left.sent(id_)
    assert sent is not None, row.last_error
    assert (row.state is OutboxState.DELIVERED) == case.delivered, row.last_error
    assert pair.right.interchanges() - before == case.taken

    if not case.delivered:
        not_delivered(pair, case, row, sent)
        # The next attempt finds both sides mended.
        pair.agree(*case.agreed(mended=True))
        pair.network.pass_time(MDN_TIMEOUT + 1.0)
        assert pair.left.row(id_).state is OutboxState.DELIVERED, pair.left.row(id_).last_error
        again = pair.left.sent(id_)
        assert again is not None
        assert (again.message_id, again.headers) == (sent.message_id, sent.headers)
        assert again.raw_sha256 == sent.raw_sha256
        sent = again

    delivered(pair, case, sent)
    assert pair.right.interchanges() - before == 1
    repeated(pair, case, sent)
    assert pair.right.interchanges() - before == 1


def not_delivered(pair: Pair, case: Case, row: records.OutboxRow, sent: records.As2Row) -> None:
    """The row waits for another attempt, and says why."""
    assert row.state is OutboxState.PENDING
    assert row.attempts == 1
    assert row.last_error
    assert row.next_attempt_at > pair.network.now()
    if case.mdn is MdnMode.NONE:
        assert sent.state is As2State.PACKED
    elif case.mdn is MdnMode.ASYNC and case.taken:
        # A receipt that cannot be trusted, of nobody knows whom, is not even kept.
        assert (sent.state, sent.mdn) == (As2State.SENT, None)
    else:
        assert sent.state is As2State.REFUSED
        assert sent.error
        assert sent.mdn is not None
    taken = pair.right.messages(IN, "left", sent.message_id)
    assert len(taken) == case.taken


def delivered(pair: Pair, case: Case, sent: records.As2Row) -> None:
    """The file is there, byte for byte, and the evidence on both sides agrees."""
    (taken,) = pair.right.messages(IN, "left", sent.message_id)
    found = pair.right.read(lambda conn: records.interchange(conn, taken.interchange_id))
    assert pair.right.spool.path(found.sha256).read_bytes() == case.payload
    assert (found.name, found.partner, found.size) == (case.filename, "left", len(case.payload))

    assert (taken.as2_from, taken.as2_to) == case.names == (sent.as2_from, sent.as2_to)
    assert (taken.content_sha256, taken.raw_sha256) == (sent.content_sha256, sent.raw_sha256)
    raw = pair.right.spool.path(taken.raw_sha256).read_bytes()
    assert raw == pair.left.spool.path(sent.raw_sha256).read_bytes()
    assert on_the_wire(sent.headers, raw) == case.wrapped
    assert raw.isascii() or not case.base64
    assert (taken.mdn_mode, sent.mdn_mode) == (case.mdn.value, case.mdn.value)
    left, right = pair.left.identity.fingerprint, pair.right.identity.fingerprint
    assert taken.security == Security(
        encrypted=case.encrypt,
        decrypted_with=right if case.encrypt else None,
        compressed=case.compress is not Compression.NONE,
        signed=case.sign,
        signature=case.signature if case.sign else None,
        signer=left if case.sign else None,
    )
    assert sent.security == msgspec.structs.replace(
        taken.security, signer=left if case.sign else None
    )
    assert (taken.certificate is not None) == (case.sign is not None)

    if case.mdn is MdnMode.NONE:
        assert (taken.mdn, sent.mdn, sent.state) == (None, None, As2State.PACKED)
        assert taken.mic == (sent.mic if case.sign else None)
        return
    assert sent.state is As2State.RECEIPTED
    assert sent.error is None
    assert taken.mic == sent.mic
    assert sent.mdn is not None
    assert taken.mdn is not None
    assert seen(sent.mdn.headers, sent.mdn.body) == seen(taken.mdn.headers, taken.mdn.body)
    assert (sent.certificate is not None) == case.mdn_signed
    assert signed_by(sent.mdn) == (case.receipts if case.mdn_signed else None)
    published = [each for each in pair.right.rows_of(taken.interchange_id) if each.kind == "mdn"]
    assert {each.body for each in published} == {taken.mdn.body}
    assert sorted(each.destination for each in published) == (
        ["as2-mdn", "broker"] if case.mdn is MdnMode.ASYNC else ["broker"]
    )


def repeated(pair: Pair, case: Case, sent: records.As2Row) -> None:
    """The same request again gets the same receipt, by the same way, and changes nothing."""
    pair.left.door.requests.clear()
    answer = pair.repeat(sent)
    assert answer.status == 200
    if case.mdn is MdnMode.NONE:
        assert pair.left.door.requests == []
    elif case.mdn is MdnMode.SYNC:
        assert seen(answer.headers, answer.body) == seen(*_receipt(sent))
    else:
        pair.send()
        ((headers, body),) = pair.left.door.requests
        assert seen(headers, body) == seen(*_receipt(sent))
    assert len(pair.right.messages(IN, "left", sent.message_id)) == 1
    (unchanged,) = pair.left.messages(OUT, "right", sent.message_id)
    assert unchanged == sent


def _receipt(sent: records.As2Row) -> tuple[Headers, bytes]:
    assert sent.mdn is not None
    return sent.mdn.headers, sent.mdn.body


def test_any_three_options_together(pair: Pair) -> None:
    """Whatever three things are agreed on: what must arrive does, what must not does not."""
    for case in covering(3):
        try:
            exchange(pair, case)
        except BaseException as error:
            error.add_note(repr(case))
            error.add_note(repr(pair.left.said.calls + pair.right.said.calls)[-4000:])
            raise


CASES = st.builds(
    Case,
    **{name: st.sampled_from(values) for name, values in OPTIONS.items() if name != "payload"},
    payload=st.one_of(
        st.sampled_from(OPTIONS["payload"]),
        st.binary(max_size=400),
        st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"--", b"a", b"\0", b"="])).map(b"".join),
    ),
)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(case=CASES)
def test_any_options_and_any_file(pair: Pair, case: Case) -> None:
    """Options and bytes at random."""
    exchange(pair, case)


@pytest.mark.timeout(0)
@pytest.mark.skipif(
    not os.environ.get("EDI_GATEWAY_AS2_PRODUCT"),
    reason="takes some minutes: EDI_GATEWAY_AS2_PRODUCT=1 runs it",
)
def test_every_combination(pair: Pair) -> None:
    """All of them."""
    for number, case in enumerate(product()):
        try:
            exchange(pair, case)
        except BaseException as error:
            error.add_note(f"case {number}: {case!r}")
            raise


def test_the_cover_is_one() -> None:
    """Any three values of different options stand together in some case, some of which fail."""
    cases = covering(3)
    names = list(OPTIONS)
    for index, one in enumerate(names):
        for second, two in enumerate(names[index + 1 :], index + 1):
            for three in names[second + 1 :]:
                seen = {(getattr(c, one), getattr(c, two), getattr(c, three)) for c in cases}
                wanted = len(OPTIONS[one]) * len(OPTIONS[two]) * len(OPTIONS[three])
                assert len(seen) == wanted, (one, two, three)
    assert sum(not case.taken for case in cases) > 10
    assert any(case.taken and not case.delivered for case in cases)
