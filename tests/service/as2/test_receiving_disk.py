"""A disk that fails while `/as2` works: the sender keeps its message, the operator reads why."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from gateway import crypto_worker
from gateway.model.as2 import As2Access
from gateway.service.as2 import receiving
from gateway.service.as2.service import ROUTE
from gateway.service.http_server import Answer, Received, RequestHead
from gateway.service.journal.tables import OutboxState
from tests.service.as2.cases import STRICT
from tests.service.as2.one_gateway import Gateway, url
from tests.service.as2.two_gateways import RIGHT_PORT, Pair, pair_in

FULL = OSError(errno.ENOSPC, "No space left on device")


def full(*_args: Any, **_kwargs: Any) -> NoReturn:
    """In place of whatever touches the disk."""
    raise FULL


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """A new pair for each: what one could not send is sent in the next otherwise."""
    with pair_in(tmp_path) as made:
        yield made


@pytest.fixture(autouse=True)
def _agreed(pair: Pair) -> None:
    pair.agree(
        As2Access(id="RIGHT", our_id="LEFT", url=url(RIGHT_PORT), receive=STRICT),
        As2Access(id="LEFT", our_id="RIGHT", receive=STRICT),
    )


def critical(gateway: Gateway) -> str:
    """The one critical line, as text; it says what to do about the disk."""
    (said,) = [call.kwargs for call in gateway.said.calls if call.method_name == "critical"]
    text = f"{said['error']} {said['remedy']}"
    assert "No space left on device" in text
    assert "paths.state" in text
    return text


def test_the_crypto_worker_finds_the_disk_full(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """503, nothing taken, a critical line; once there is space the same message is taken."""
    before = pair.right.interchanges()
    id_ = pair.submit(b"<Invoice/>", "invoice.xml")
    with monkeypatch.context() as patch:
        patch.setattr(crypto_worker, "open_message", full)
        pair.send()
    row = pair.left.row(id_)
    assert row.state is OutboxState.PENDING
    assert "answered 503" in (row.last_error or "")
    assert pair.right.interchanges() == before
    critical(pair.right)
    pair.network.pass_time(10.0)
    assert pair.left.row(id_).state is OutboxState.DELIVERED
    assert pair.right.interchanges() == before + 1


def asked(pair: Pair, content_type: str) -> Answer:
    """Right's answer to a request whose body is a file that cannot be read."""
    head = RequestHead(
        method="POST",
        path=ROUTE,
        query="",
        headers=(
            ("AS2-Version", "1.2"),
            ("AS2-From", "LEFT"),
            ("AS2-To", "RIGHT"),
            ("Message-ID", "<1@left>"),
            ("Content-Type", content_type),
        ),
        length=None,
        peer="127.0.0.1",
        secure=False,
        client_certificate_sha256=None,
    )
    received = Received(
        head=head, path=Path("/nowhere/body"), sha256="ab" * 32, size=100_000, key="left"
    )
    return pair.network.run(pair.right.as2.routes[ROUTE].handle(received))


@pytest.mark.parametrize(
    ("function", "content_type"),
    [
        ("_first_bytes", 'multipart/signed; boundary="b"'),
        ("_small", 'multipart/report; boundary="b"'),
    ],
)
def test_the_gateway_itself_finds_the_disk_full(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, function: str, content_type: str
) -> None:
    """503 with Retry-After and a critical line, where it was 500."""
    monkeypatch.setattr(receiving, function, full)
    answer = asked(pair, content_type)
    assert answer.status == 503
    assert dict(answer.headers)["Retry-After"] == "60"
    critical(pair.right)


def test_tidying_up_after_a_worker_fails_too(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails while the refusal is made does not turn it into another one."""
    monkeypatch.setattr(crypto_worker, "open_message", full)
    monkeypatch.setattr(receiving, "clear_after_the_dead", full)
    id_ = pair.submit(b"<Invoice/>", "invoice.xml")
    pair.send()
    assert "answered 503" in (pair.left.row(id_).last_error or "")
