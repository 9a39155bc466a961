"""The SFTP client as the daemon holds it, with an intake that only remembers."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor

from gateway.model.partner import Partner, SftpRemote
from gateway.service.journal import records
from gateway.service.journal.tables import OutboxState
from gateway.service.sftp_client import SftpClients
from gateway.service.sftp_client.connection import Patience
from gateway.service.sftp_server import Upload
from gateway.spool import Spool
from tests.service.house import House

QUICK = Patience(connect=2.0, login=5.0, answer=1.0)


class Log:
    """Keeps every event with what is bound to it."""

    def __init__(self, events: list[dict[str, Any]] | None = None, **bound: Any) -> None:
        self.events = [] if events is None else events
        self._bound = bound

    def bind(self, **more: Any) -> Log:
        """The same log, with more on every line."""
        return Log(self.events, **self._bound, **more)

    def debug(self, event: str, **fields: Any) -> None:
        """Not kept."""

    def info(self, event: str, **fields: Any) -> None:
        """Keep it."""
        self.events.append({"event": event, **self._bound, **fields})

    warning = error = critical = exception = info

    def of(self, event: str) -> list[dict[str, Any]]:
        """The lines of one event."""
        return [each for each in self.events if each["event"] == event]


class Visits:
    """`SftpClients` for partners with these remotes. `answer`, if set, decides what intake says."""

    def __init__(self, folder: Path, **remotes: SftpRemote) -> None:
        self.spool = Spool(folder / "spool")
        self.spool.prepare()
        self.log = Log()
        self.received: list[tuple[str, bytes]] = []
        self.answer: Callable[[Upload], Awaitable[str]] | None = None
        self.recoveries = 0
        self._remotes = remotes
        self.clients = self._new()

    def _new(self, **more: Any) -> SftpClients:
        def recovered() -> None:
            self.recoveries += 1

        settings: dict[str, Any] = {
            "max_file_bytes": 100_000_000,
            "min_free_mb": 0,
            "patience": QUICK,
            **more,
        }
        return SftpClients(
            reactor,
            partners=[Partner(name=name, sftp_remote=each) for name, each in self._remotes.items()],
            spool=self.spool,
            receive=self._receive,
            recovered=recovered,
            log=self.log,
            **settings,
        )

    def start(self, **more: Any) -> None:
        """Begin, perhaps with other settings; also again, as after a restart."""
        self.clients = self._new(**more)
        self.clients.start()

    async def stop(self, grace: float = 2.0) -> None:
        """End."""
        await self.clients.stop(grace)

    async def _receive(self, upload: Upload) -> str:
        assert upload.path.parent == self.spool.incoming
        if self.answer is not None:
            return await self.answer(upload)
        return self.take(upload)

    def take(self, upload: Upload) -> str:
        """As the spool would: it is gone from where it was."""
        content = upload.path.read_bytes()
        assert len(content) == upload.size
        assert hashlib.sha256(content).hexdigest() == upload.sha256
        upload.path.unlink()
        self.received.append((upload.name, content))
        return f"interchange-{len(self.received)}"

    @property
    def names(self) -> list[str]:
        """What was received, in order."""
        return [name for name, _ in self.received]

    def left_over(self) -> list[Path]:
        """Files that were begun here and not finished."""
        return list(self.spool.incoming.iterdir())


def report(
    number: int = 1, body: bytes = b"<r/>", *, partner: str = "acme", **more: Any
) -> records.OutboxRow:
    """An acknowledgement as the outbox hands it over."""
    now = House.now()
    fields: dict[str, Any] = {
        "id": number,
        "message_id": f"m-{number}",
        "interchange_id": "i",
        "ordinal": 0,
        "kind": "report",
        "destination": "sftp-remote",
        "partner": partner,
        "filename": f"report-{number}.xml",
        "exchange": "edi.acknowledgements",
        "routing_key": "acme",
        "content_type": "application/xml",
        "type": "t",
        "headers": {},
        "mandatory": True,
        "created_at": now,
        "state": OutboxState.PENDING,
        "attempts": 0,
        "next_attempt_at": now,
        "delivered_at": None,
        "last_error": None,
        "body": body,
    }
    return records.OutboxRow(**{**fields, **more})
