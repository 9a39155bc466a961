"""What `/as2` says while no crypto worker can open messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from gateway.model.crypto import Key
from gateway.service.as2 import As2Service
from gateway.service.as2.service import ROUTE
from gateway.service.http_server import Admitted, Answer, Received, RequestHead
from gateway.service.journal.tables import as2_messages, interchanges, outbox
from tests.config.as2_folder import As2Folder
from tests.service.house import House

FIELDS = (
    ("AS2-Version", "1.2"),
    ("AS2-From", "ACME"),
    ("AS2-To", "GATEWAY"),
    ("Message-ID", "<1@acme>"),
    ("Content-Type", "application/pkcs7-mime; smime-type=enveloped-data"),
    ("Disposition-Notification-To", "x"),
)


def request(*more: tuple[str, str], **changes: Any) -> RequestHead:
    """A message of acme's."""
    arguments: dict[str, Any] = {
        "method": "POST",
        "path": ROUTE,
        "query": "",
        "headers": (*FIELDS, *more),
        "length": 3,
        "peer": "127.0.0.1",
        "secure": False,
        "client_certificate_sha256": None,
    }
    return RequestHead(**(arguments | changes))


@ensureDeferred
async def test_without_workers_senders_are_asked_to_come_again(tmp_path: Path) -> None:
    """Status 503 with Retry-After; nothing in the journal or left in scratch; a critical line.

    What is logged says nothing of keys.
    """
    (tmp_path / "house").mkdir()
    folder = As2Folder(tmp_path)
    configuration = folder.load()
    house = House(tmp_path / "house")
    await house.open()
    said = structlog.testing.CapturingLogger()

    async def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("nothing was opened")

    service = As2Service(
        reactor,
        configuration,
        receive=never,
        ready=lambda: None,
        journal=house.journal,
        spool=house.spool,
        in_thread=deferToThread,
        otherwise=never,
        record=never,
        record_refusal=never,
        outbox_written=lambda: None,
        log=structlog.wrap_logger(said, processors=[]),
    )
    scratch = Path(configuration.state) / "scratch"
    scratch.mkdir()
    try:
        await service.stop(0)  # as when they were given up
        handler = service.routes[ROUTE]
        assert isinstance(handler.admit(request()), Admitted)
        body = house.spool.incoming / "body"
        for data in (b"abc", b"\x30\x80"):
            body.write_bytes(data)
            received = Received(head=request(), path=body, sha256="ab" * 32, size=len(data))
            answer = await handler.handle(received)
            assert answer.status == 503
            assert dict(answer.headers)["Retry-After"] == "60"
        tables = (interchanges, as2_messages, outbox)
        counted = await house.journal.read(
            "t",
            lambda conn: [
                conn.execute(sa.select(sa.func.count()).select_from(table)).scalar()
                for table in tables
            ],
        )
        assert counted == [0, 0, 0]
        assert list(scratch.iterdir()) == []
        assert "critical" in {call.method_name for call in said.calls}
        pem = (folder.certificates / "ours.pem").read_text()
        assert "PRIVATE" not in repr(said.calls)
        assert pem.splitlines()[2] not in repr(said.calls)
    finally:
        await house.journal.close()


def unasked(*_args: Any, **_kwargs: Any) -> Any:
    """What nobody may come to when a message is refused before its body."""
    raise AssertionError("a message that is refused goes no further")


@ensureDeferred
async def test_what_is_refused_before_the_body(tmp_path: Path) -> None:
    """Another method, unreadable names, strangers, and receipts to a URL that was not agreed."""
    (tmp_path / "house").mkdir()
    house = House(tmp_path / "house")
    service = As2Service(
        reactor,
        As2Folder(tmp_path).load(),
        receive=unasked,
        ready=lambda: None,  # type: ignore[arg-type]
        journal=house.journal,
        spool=house.spool,
        in_thread=deferToThread,
        otherwise=unasked,
        record=unasked,
        record_refusal=unasked,
        outbox_written=lambda: None,
        log=structlog.wrap_logger(structlog.testing.CapturingLogger(), processors=[]),
    )
    handler = service.routes[ROUTE]

    def status(head: RequestHead) -> int:
        answer = handler.admit(head)
        assert isinstance(answer, Answer)
        return answer.status

    assert status(request(method="GET")) == 405
    assert status(request(headers=())) == 400
    for index, value in ((1, "acme"), (2, "ACME")):
        fields = list(FIELDS)
        fields[index] = (fields[index][0], value)
        assert status(request(headers=tuple(fields))) == 403
    for url in ("https://evil.example/", "file:///etc/passwd"):
        assert status(request(("Receipt-Delivery-Option", url))) in (400, 403)


def test_a_key_is_not_shown() -> None:
    """A boot frame that ends up in a log line or a traceback gives nothing away."""
    assert "secret" not in repr(Key(certificate=b"c", private_key=b"secret"))
