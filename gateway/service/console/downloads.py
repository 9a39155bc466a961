"""Files to keep: the original, what was said of it, SVRL, AS2 evidence. Never shown as a page."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from gateway.errors import GatewayError
from gateway.service.console import notices
from gateway.service.console.sources import Sources
from gateway.service.console.visit import ROOT, Route, Visit, download
from gateway.service.http_server import Answer
from gateway.service.journal import records
from gateway.service.journal.console_records import message_head
from gateway.service.journal.evidence_records import body_of
from gateway.service.journal.purge_records import CLAIM_CHECK


class Downloads:
    """What can be fetched of one interchange."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def routes(self) -> list[Route]:
        """What is answered here."""
        here = f"{ROOT}/interchanges/{{interchange}}"
        return [
            Route(method="GET", path=f"{here}/original", page=self.original, scoped=True),
            Route(method="GET", path=f"{here}/messages/{{n}}", page=self.message, scoped=True),
            Route(method="GET", path=f"{here}/as2/{{n}}/body", page=self.as2_body, scoped=True),
            Route(
                method="GET", path=f"{here}/as2/{{n}}/receipt", page=self.as2_receipt, scoped=True
            ),
            Route(
                method="GET",
                path=f"{here}/documents/{{n}}/svrl/{{name}}",
                page=self.svrl,
                scoped=True,
            ),
        ]

    async def original(self, visit: Visit) -> Answer:
        """The file as it came."""
        return await self._of_spool(visit, visit.about.name, visit.about.sha256)

    async def message(self, visit: Visit) -> Answer:
        """A report, a status or a result; to a partner's own login what was said to it alone."""
        id_, number = visit.about.id, int(visit.words["n"])
        head = await self._sources.reader.read(
            "message", lambda conn: message_head(conn, id_, number)
        )
        if head is None or (
            visit.scope and (head.partner != visit.scope or head.destination == "broker")
        ):
            return notices.not_found(visit.language)
        name = head.filename or f"{head.kind}-{head.ordinal}.json"
        beside = head.payload or head.headers.get(CLAIM_CHECK)
        if beside is not None:
            return await self._of_spool(visit, name, str(beside))
        body = await self._sources.reader.read("message", partial(body_of, id_=number))
        return download(name, body)

    async def as2_body(self, visit: Visit) -> Answer:
        """A message as it travelled."""
        found = await self._as2(visit)
        if found is None:
            return notices.not_found(visit.language)
        return await self._of_spool(visit, f"as2-{visit.words['n']}.body", found.raw_sha256)

    async def as2_receipt(self, visit: Visit) -> Answer:
        """A receipt as it travelled: its headers, an empty line, its body."""
        found = await self._as2(visit)
        if found is None or found.mdn is None:
            return notices.not_found(visit.language)
        head = "".join(f"{name}: {value}\r\n" for name, value in found.mdn.headers)
        content = f"{head}\r\n".encode() + found.mdn.body
        return download(f"as2-{visit.words['n']}.mdn", content)

    async def svrl(self, visit: Visit) -> Answer:
        """What one rule pack says of a document, in SVRL (ISO/IEC 19757-3), as it says it itself.

        Made again from the kept bytes by the version that judged (`service/svrl_reports`); of ours
        that fails, a partner's own login only learns that it did.
        """
        id_, number, pack = visit.about.id, int(visit.words["n"]), visit.words["name"]
        arguments = {"interchange": id_, "document": number, "pack": pack}
        try:
            made = await self._sources.commands["svrl"](arguments)
        except msgspec.ValidationError:
            return notices.not_found(visit.language)
        except GatewayError as error:
            self._sources.log.warning("svrl_not_made", interchange=id_, error=str(error))
            if visit.scope:
                return notices.no_report(visit.language)
            raise
        return download(made["name"], Path(made["path"]), "application/xml")

    async def _as2(self, visit: Visit) -> Any:
        rows = await self._sources.reader.read(
            "as2", lambda conn: records.as2_messages_of(conn, visit.about.id)
        )
        number = int(visit.words["n"])
        found = rows[number - 1] if 0 < number <= len(rows) else None
        if found is not None and visit.scope and found.partner != visit.scope:
            return None
        return found

    async def _of_spool(self, visit: Visit, name: str, sha256: str) -> Answer:
        path: Path = self._sources.spool.path(sha256)
        if not await self._sources.in_thread(path.exists):
            return notices.not_found(visit.language)
        return download(name, path)
