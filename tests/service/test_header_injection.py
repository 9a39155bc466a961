"""What a partner calls its file is one value of one header, and adds none."""

from __future__ import annotations

import datetime as dt

import pika
import pytest

from gateway.service.message_headers import headers_for

HOSTILE = [
    "a.xml\r\nX-Evil: 1",
    "a.xml\npartner: other",
    'a.xml"; partner="other',
    "a.xml\0S\0\0\0\5other",
    "\x07partnerS\0\0\0\5other",
    "é" * 127 + ".xml",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_adds_no_header_to_a_message(name: str) -> None:
    """AMQP says how long each value is, so that nothing in one can end it."""
    headers = headers_for(
        message_id="0190",
        type="report",
        time=dt.datetime(2026, 1, 5, tzinfo=dt.UTC),
        interchange_id="0191",
        ordinal=0,
        partner="acme",
        flow="none",
        sha256="0" * 64,
        filename=name,
    )
    written = b"".join(pika.BasicProperties(headers=headers).encode())
    read = pika.BasicProperties()
    read.decode(written)
    assert read.headers == headers
    assert read.headers["filename"] == name
    assert read.headers["partner"] == "acme"
