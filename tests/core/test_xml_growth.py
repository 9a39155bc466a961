"""Reading XML takes time in proportion to its size, whatever it is full of."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from gateway.core.xml import parse
from gateway.model.job import DocumentLimits

MORE = 8
MOST_GROWTH = 4 * MORE
"""The square of it would be 64 times as long."""

ROOT = '<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2">'


def around(content: str) -> bytes:
    """A document with this in it."""
    return f"{ROOT}{content}</Invoice>".encode()


FULL_OF: dict[str, Callable[[int], bytes]] = {
    "attributes": lambda n: around("<a {}/>".format(" ".join(f'a{i}=""' for i in range(n)))),
    "attributes with prefixes": lambda n: around(
        '<a xmlns:p="u" {}/>'.format(" ".join(f'p:a{i}=""' for i in range(n)))
    ),
    "the same attribute": lambda n: around("<a %s/>" % ('a="" ' * n)),
    "namespaces": lambda n: around(
        "<a {}/>".format(" ".join(f'xmlns:n{i}="u{i}"' for i in range(n)))
    ),
    "namespaces, one by one": lambda n: around(
        "".join(f'<p{i}:a xmlns:p{i}="u{i}"/>' for i in range(n))
    ),
    "comments": lambda n: around("<!---->" * n),
    "beginnings of comments": lambda n: around("<!--" + "<! " * n),
    "comments without end": lambda n: around("<!-- - " * n),
    "instructions": lambda n: around("<?a?>" * n),
    "sections": lambda n: around("<![CDATA[]]>" * n),
    "sections without end": lambda n: around("<![CDATA[" * n),
    "brackets": lambda n: around(">]]" * n),
    "references": lambda n: around("&#65;" * n),
    "unknown references": lambda n: around("&a;" * n),
    "depth": lambda n: b"<a>" * n,
    "what closes nothing": lambda n: around("</a>" * n),
    "long names": lambda n: around(f"<{'a' * n}>"),
    "doctypes": lambda n: ("<!DOCTYPE a [" + '<!ENTITY a "a">' * n).encode(),
    "spaces": lambda n: b" " * n,
}


def seconds(document: bytes) -> float:
    """What reading it takes, at the best of three times."""
    taken = []
    for _ in range(3):
        began = time.process_time()
        parse(document, DocumentLimits())
        taken.append(time.process_time() - began)
    return min(taken)


@pytest.mark.parametrize("what", FULL_OF)
def test_time_grows_with_size(what: str) -> None:
    """Eight times as much takes some times as long, and not the square of it."""
    make = FULL_OF[what]
    number = 2_000
    few, many = seconds(make(number)), seconds(make(number * MORE))
    assert many < 0.02 or many < few * MOST_GROWTH, (few, many)
