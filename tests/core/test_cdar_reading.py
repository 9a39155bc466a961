"""Lifecycle messages written and read back; and read from people who mean no good."""

from __future__ import annotations

import datetime as dt
import random
import re
import string
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.cdar.layout import LAYOUT, Kind, Slot
from gateway.core.cdar.message_reader import MAX_UNREAD, MessageRead, Why, read
from gateway.core.cdar.message_writer import write
from gateway.core.cdar.sending import assembled
from gateway.core.cdar.statuses import STATUSES, Status
from gateway.core.cdar.values import Amount, Attachment, Identifier, Message
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Finding
from tests.cdar_documents import invoice, sending, status

LIMITS = DocumentLimits()

TEXT = (
    st.text(
        st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Cn")), min_size=1, max_size=20
    )
    .map(str.strip)
    .filter(bool)
    .filter(lambda text: all(ord(each) not in (0xFFFE, 0xFFFF) for each in text))
)
NUMBER = st.decimals(allow_nan=False, allow_infinity=False, places=4).filter(
    lambda number: abs(number) < Decimal(10) ** 20
)
CODE = st.text(string.ascii_uppercase + string.digits, min_size=1, max_size=6)
TIME = st.datetimes().map(lambda time: time.replace(microsecond=0))
ZONED = st.datetimes(timezones=st.just(dt.timezone(dt.timedelta(hours=2))))

VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.TEXT: TEXT,
    Kind.IDENTIFIER: st.builds(Identifier, TEXT, st.none() | CODE),
    Kind.INDICATOR: st.booleans(),
    Kind.DATE_TIME: TIME | ZONED,
    Kind.DATE: st.dates(),
    Kind.NUMBER: NUMBER,
    Kind.AMOUNT: st.builds(Amount, NUMBER, st.none() | CODE),
    Kind.FILE: st.builds(
        Attachment,
        content=st.binary(max_size=40),
        filename=st.none() | TEXT,
        mime_code=st.none() | CODE,
    ),
}


def structs(struct: type[Any]) -> st.SearchStrategy[Any]:
    """Any struct of `values`, whatever it makes sense to say."""
    return st.builds(struct, **{slot.field: fields(slot) for slot in LAYOUT[struct]})


def fields(slot: Slot) -> st.SearchStrategy[Any]:
    """Any value of one field."""
    one = structs(slot.struct) if slot.struct is not None else VALUES[slot.kind]
    return st.lists(one, max_size=2).map(tuple) if slot.many else st.none() | one


def taken(data: bytes) -> MessageRead:
    """The message in bytes that hold one."""
    found = read(data, LIMITS)
    assert isinstance(found, MessageRead)
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(structs(Message))
def test_what_is_written_is_read_back(message: Message) -> None:
    """Every field, alone and many times, with any text, sign and date; and nothing is left over."""
    data = write(message)
    assert taken(data) == MessageRead(message)
    assert write(taken(data).message) == data


@pytest.mark.parametrize("portal", [False, True], ids=["partner", "portal"])
@pytest.mark.parametrize("of", STATUSES.values(), ids=lambda each: each.code)
def test_every_status_is_read_back(of: Status, portal: bool) -> None:
    """The messages we send."""
    message = assembled(of, [invoice(of)] * 2, sending(of, portal=portal))
    assert taken(write(message)) == MessageRead(message)


def test_every_field_of_a_value_has_its_place() -> None:
    """A field without one would never be written; two in one place would be read twice."""
    for struct, slots in LAYOUT.items():
        assert {slot.field for slot in slots} == set(struct.__struct_fields__)
        assert len({slot.path for slot in slots}) == len(slots)


def test_somebody_elses_message_is_read() -> None:
    """White space, other formats of dates, 1 for true: whoever wrote it."""
    data = (
        status()
        .replace(b">CDV-2026-0001<", b">\n  CDV-2026-0001\n <")
        .replace(b">false<", b">1<")
        .replace(
            b'<udt:DateTimeString format="204">20261002091500<',
            b'<udt:DateTimeString format="203">202610020915<',
            1,
        )
        .replace(
            b'<qdt:DateTimeString format="102">20260312<',
            b'<qdt:DateTimeString format="204">20260312000000<',
        )
    )
    found = taken(data)
    assert found.unread == ()
    assert found.message.id == "CDV-2026-0001"
    assert found.message.acknowledgements[0].several is True
    assert found.message.issued == dt.datetime.fromisoformat("2026-10-02T09:15")
    assert found.message.documents[0].issued == dt.date(2026, 3, 12)


@pytest.mark.parametrize(
    ("old", "new", "why", "text"),
    [
        (b"20260312<", b"20261312<", Why.UNREADABLE, "20261312"),
        (b"20260312<", b"2026312<", Why.UNREADABLE, "2026312"),
        (b'"102">20260312<', b'"610">202603<', Why.UNREADABLE, "202603"),
        (b">false<", b">perhaps<", Why.UNREADABLE, "perhaps"),
        (b"Numeric>1<", b"Numeric>1e9999999<", Why.UNREADABLE, "1e9999999"),
        (b"Numeric>1<", b"Numeric>NaN<", Why.UNREADABLE, "NaN"),
        (b"Numeric>1<", b"Numeric><", Why.UNREADABLE, ""),
        (
            b"</ram:ReasonCode>",
            b"</ram:ReasonCode><ram:ReasonCode>CALCUL_ERR</ram:ReasonCode>",
            Why.REPEATED,
            "CALCUL_ERR",
        ),
        (
            b"<ram:StatusCode>8</ram:StatusCode>",
            b"<ram:StatusCode>8</ram:StatusCode><ram:Status>bad</ram:Status>",
            Why.UNKNOWN,
            "bad",
        ),
        (b">380<", b">380<ram:ID>9</ram:ID><", Why.UNKNOWN, "9"),
    ],
)
def test_what_cannot_be_taken_is_told(old: bytes, new: bytes, why: Why, text: str) -> None:
    """With its place; the rest of the message is read all the same."""
    data = status()
    assert old in data
    found = taken(data.replace(old, new, 1))
    (unread,) = found.unread
    assert (unread.why, unread.text) == (why, text)
    assert unread.line is not None
    assert unread.location.startswith("/rsm:CrossDomainAcknowledgementAndResponse")
    assert found.message.documents[0].number == "FA-2026-00187"
    assert found.message.documents[0].details[0].reason == "DOUBLON"


def test_a_message_of_rubbish_is_told_in_bounds() -> None:
    """A thousand unknown elements make no list of a thousand."""
    rubbish = b"<ram:Rubbish>x</ram:Rubbish>" * 1000
    found = taken(status().replace(b"<ram:TypeCode>305", rubbish + b"<ram:TypeCode>305"))
    assert len(found.unread) == MAX_UNREAD
    assert found.more


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "XML-EMPTY"),
        (b"hello", "XML-NOT-XML"),
        (status()[:-30], "XML-TRUNCATED"),
        (
            b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + status().split(b"?>", 1)[1],
            "XML-DOCTYPE",
        ),
        (b"<Invoice/>", "ROUTE-UNKNOWN-ROOT"),
    ],
)
def test_what_is_no_message_is_a_finding(data: bytes, rule: str) -> None:
    """Explained like any other; no entity is ever looked at."""
    found = read(data, LIMITS)
    assert isinstance(found, Finding)
    assert found.rule == rule


def test_what_xml_cannot_hold_does_not_get_into_it() -> None:
    """A control character in a text becomes the sign for one that is not there."""
    message = Message(id="a\x00b\x1bc\ud800", name='<&"\u00e9')
    found = taken(write(message)).message
    assert found == msgspec.structs.replace(message, id="a\ufffdb\ufffdc\ufffd")


def test_a_damaged_message_is_read_or_refused_but_never_breaks_the_reader() -> None:
    """Pieces of messages cut out, doubled and exchanged, 500 times: a finding or a message."""
    whole = [
        write(assembled(of, [invoice(of)], sending(of, portal=portal)))
        for of in STATUSES.values()
        for portal in (False, True)
    ]
    chance = random.Random(7)
    outcomes: set[type] = set()
    for _ in range(500):
        data = chance.choice(whole)
        pieces = re.split(rb"(?<=>)", data)
        first, second = (chance.randrange(len(pieces)) for _ in range(2))
        match chance.randrange(4):
            case 0:
                pieces[first], pieces[second] = pieces[second], pieces[first]
            case 1:
                pieces[first] = b""
            case 2:
                pieces.insert(first, chance.choice(re.split(rb"(?<=>)", chance.choice(whole))))
            case 3:
                text = chance.choice(
                    [b"", b"\xff", b"&#0;", b"0" * 9000, "\u0661".encode(), b"<a/>"]
                )
                pieces[first] = pieces[first].replace(b"</", text + b"</")
        found = read(b"".join(pieces), LIMITS)
        outcomes.add(type(found))
        if isinstance(found, MessageRead):
            assert taken(write(found.message)).message == found.message
    assert outcomes == {Finding, MessageRead}
