"""A state directory made by hand: a journal and a spool that agree, without a gateway."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec
import sqlalchemy as sa

from gateway.model.interchange import Interchange
from gateway.service.journal import records
from gateway.service.journal.engine import enforce_foreign_keys, writer_engine
from gateway.service.journal.schema import upgrade
from gateway.service.sftp_server.folders import place_in_out
from gateway.service.sftp_server.keys import host_keys
from gateway.spool import Spool
from tests.service.journalling import an_interchange, later

T = TypeVar("T")


class StateDirectory:
    """Under `path`, with SSH host keys, three files received and an acknowledgement in out/.

    `template`: another one that was closed, to be as.
    """

    def __init__(self, path: Path, *, template: Path | None = None) -> None:
        self.path = path
        self.journal = path / "journal.sqlite"
        self.spool = Spool(path / "spool")
        self._engine = writer_engine(self.journal)
        self.received: list[Interchange] = []
        if template is None:
            self._make()
            return
        shutil.copytree(template, path)
        self.spool.prepare()  # a restored one has only the folders that hold something
        with self._engine.connect() as conn:
            self.received = [row.interchange() for row in records.list_interchanges(conn)][::-1]

    def _make(self) -> None:
        self.path.mkdir(mode=0o700)
        self.spool.prepare()
        with self._engine.connect() as conn, conn.begin():
            upgrade(conn, self.journal)
        path = self.path
        host_keys(path)
        place_in_out(path, "acme", "R_1.xml", b"<report/>")
        self.received = [
            self.receive(b"<invoice number='%d'/>" % number, number) for number in (1, 2, 3)
        ]

    def write(self, work: Callable[[sa.Connection], T], *, keys: bool = True) -> T:
        """Run it in a transaction; with `keys` off, foreign keys are not looked at."""
        with self._engine.connect() as conn:
            if keys:
                enforce_foreign_keys(conn)
            with conn.begin():
                return work(conn)

    def receive(self, data: bytes, number: int) -> Interchange:
        """A file is taken in."""
        stored = self.spool.store([data])
        made = msgspec.structs.replace(
            an_interchange(number), sha256=stored.sha256, size=stored.size
        )
        self.write(
            lambda conn: records.receive(
                conn, made, interface_code=None, claim_key=f"{number}", now=later(number)
            )
        )
        return made

    def close(self) -> None:
        """Let go of the journal."""
        self._engine.dispose()


def contents(folder: Path) -> dict[str, str]:
    """Every file below, with its sum; the log and the index of a journal aside."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    }
