"""Two gateways that exchange messages through in-memory transports.

    left:  row of the outbox ─▶ As2Sender ─▶ Poster ═▶ HttpServer ─▶ As2Receiver ─▶ Intake  :right
           As2Sender ◀─ HttpServer ◀═ Poster ◀─ As2Receipts ◀─ row of the outbox

Left sends, right takes, and brings its receipt in the answer or later.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from twisted.internet.defer import Deferred
from twisted.internet.task import Cooperator
from twisted.web.client import FileBodyProducer

from gateway import crypto_worker
from gateway.model.as2 import As2Access
from gateway.model.interchange import Envelope, Interchange, Transport, new_interchange_id
from gateway.service import messages
from gateway.service.as2 import posting as posting_module
from gateway.service.as2 import service as service_module
from gateway.service.as2.posting import Poster, Response
from gateway.service.journal import records, tables
from tests.service.as2.memory_network import MemoryNetwork
from tests.service.as2.one_gateway import Gateway, InProcess, url

LEFT_PORT, RIGHT_PORT = 8001, 8002
DUE_SECONDS = 0.5
"""Longer than an outbox lingers for a fuller batch, shorter than it waits to try again."""


class Pair:
    """Two gateways on one network."""

    def __init__(self, folder: Path) -> None:
        self.network = MemoryNetwork()
        self.left = Gateway(self.network, folder / "left", "left", LEFT_PORT)
        self.right = Gateway(self.network, folder / "right", "right", RIGHT_PORT)
        self.poster = Poster(self.network, seconds=60.0, max_answer_bytes=1_000_000)
        self._numbers = itertools.count(1)

    def agree(self, left: As2Access, right: As2Access) -> None:
        """`left` is what left's file says of right, `right` the reverse: names must fit."""
        for gateway in (self.left, self.right):
            gateway.door.answer = gateway.door.request = None
            gateway.door.closed = False
            gateway.door.requests.clear()
        self.left.agree(right.id, "right", left, self.right.identity)
        self.right.agree(left.id, "left", right, self.left.identity)

    def submit(self, payload: bytes, filename: str, *, in_spool: bool = False) -> str:
        """Left has something to send: the id of the row in its outbox, committed but not sent."""
        left, now = self.left, self.network.now()
        number = next(self._numbers)
        sha256 = hashlib.sha256(payload).hexdigest()
        interchange = Interchange(
            id=new_interchange_id(int(now.timestamp() * 1000), number.to_bytes(10, "big")),
            envelope=Envelope(
                partner="right", name=f"{number}.xml", transport=Transport.AS2, received_at=now
            ),
            sha256=sha256,
            size=len(payload),
        )
        publication = messages.for_channel(
            messages.report_publication(
                interchange,
                b"" if in_spool else payload,
                sha256=sha256,
                filename=filename,
                flow=None,
                revision=1,
                now=now,
            ),
            Transport.AS2.value,
        )
        if in_spool:
            left.spool.store([payload])

        def write(conn: sa.Connection) -> None:
            records.receive(
                conn, interchange, interface_code=None, claim_key=f"submitted-{number}", now=now
            )
            records.add_outbox(
                conn,
                publication,
                interchange_id=interchange.id,
                ordinal=0,
                kind="report",
                destination=Transport.AS2.value,
                partner="right",
                filename=filename,
            )
            if in_spool:
                named = tables.outbox.c.message_id == publication.message_id
                conn.execute(sa.update(tables.outbox).where(named).values(payload=sha256))

        self.network.run(left.journal.write("test", write))
        return publication.message_id

    def send(self) -> None:
        """Let everything happen that is due; no attempt that failed is made again."""
        self.left.outbox.wake()
        self.network.pass_time(DUE_SECONDS)

    def repeat(self, message: records.As2Row, *more: tuple[str, str]) -> Response:
        """The very same request once more, with `more` header fields: right's answer."""
        body = self.left.spool.path(message.raw_sha256)
        headers = (*message.headers, *more)
        answer = self.network.run(self.poster.post(url(RIGHT_PORT), headers, body))
        self.network.settle()
        return answer

    def close(self) -> None:
        """End both."""
        stopping = Deferred.fromCoroutine(self.poster.stop())
        self.network.settle()
        assert stopping.called
        self.left.close()
        self.right.close()


@contextmanager
def pair_in(folder: Path) -> Iterator[Pair]:
    """Two gateways, and what makes them run in one process without a reactor of its own."""
    pair: Pair | None = None

    def producer(source: Any) -> Any:
        assert pair is not None
        network = pair.network
        cooperator = Cooperator(scheduler=lambda step: network.callLater(0, step))
        return FileBodyProducer(source, cooperator=cooperator)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service_module, "WorkerPool", InProcess)
        # Twisted's default would feed request bodies from the global reactor, which does not run.
        patch.setattr(posting_module, "_producer", producer)
        # A worker checks its key once at its start, which takes 30 ms; here every case is a start.
        loading = functools.cache(crypto_worker.load_der_private_key)
        patch.setattr(crypto_worker, "load_der_private_key", loading)
        pair = Pair(folder)
        try:
            yield pair
        finally:
            pair.close()
