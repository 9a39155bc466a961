"""`/v1/interchanges`: for partners without AS2. The contract is docs/openapi.yaml.

    POST /v1/interchanges                        a file; 202 once it is durably ours
    GET  /v1/interchanges/ID                     how it stands
    GET  /v1/interchanges/ID/acknowledgements    the newest report about it

A file sent again under the same name finds the interchange it made the first time, as by SFTP, so
a client that heard nothing simply repeats its request. `Idempotency-Key` may be there and changes
nothing.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from gateway.errors import IntakeRefused, JournalError, SpoolError
from gateway.model.interchange import Transport
from gateway.model.partner import Partner
from gateway.service import http_multipart
from gateway.service.http_answers import bad_request, ok, refusal, unavailable, wrong_method
from gateway.service.http_lookup import Interchanges
from gateway.service.http_multipart import BadMultipart
from gateway.service.http_names import BadName, checked, name_of
from gateway.service.http_server import Admitted, Answer, Handler, Received, RequestHead
from gateway.service.http_status import ACKNOWLEDGEMENTS, ROUTE
from gateway.service.http_tokens import Tokens
from gateway.service.intake import Arrival, InThread
from gateway.service.journal import Journal
from gateway.service.sftp_server import Upload
from gateway.spool import Spool

Receive = Callable[[Arrival, Transport], Awaitable[str]]
Ready = Callable[[], None]
"""`Intake.ready`: raises `IntakeRefused` or `SpoolError` while no file would be taken."""

MAX_KEY = 255
_KEY = re.compile(rf"[!-~]{{1,{MAX_KEY}}}")


def routes(
    *,
    tokens: Tokens,
    partners: Mapping[str, Partner],
    receive: Receive,
    ready: Ready,
    journal: Journal,
    spool: Spool,
    in_thread: InThread,
    max_bytes: int,
    log: Any,
) -> dict[str, Handler]:
    """The API's handlers, for `HttpServer`. `tokens` say who asks."""
    return {
        ROUTE: Submissions(
            tokens,
            receive=receive,
            ready=ready,
            incoming=spool.incoming,
            in_thread=in_thread,
            max_bytes=max_bytes,
            log=log,
        ),
        f"{ROUTE}/": Interchanges(tokens, partners, journal=journal, spool=spool, log=log),
    }


class Submissions:
    """Takes files in."""

    def __init__(
        self,
        tokens: Tokens,
        *,
        receive: Receive,
        ready: Ready,
        incoming: Path,
        in_thread: InThread,
        max_bytes: int,
        log: Any,
    ) -> None:
        self._tokens = tokens
        self._receive = receive
        self._ready = ready
        self._incoming = incoming
        self._in_thread = in_thread
        self._max_bytes = max_bytes
        self._log = log

    def admit(self, head: RequestHead) -> Answer | Admitted:
        """Who sends, whether the head can be understood, and whether a file would be taken now."""
        if head.method != "POST":
            return wrong_method("POST")
        found = self._tokens.partner_of(head)
        if isinstance(found, Answer):
            return found
        if (head.get("Content-Encoding") or "identity").lower() != "identity":
            return refusal(
                415,
                "content_encoding",
                "A body with a Content-Encoding is not taken.",
                "Send the file as it is; an archive (tar.gz, zip) needs no Content-Encoding.",
                ("Accept-Encoding", "identity"),
            )
        key = head.get("Idempotency-Key")
        if key is not None and not _KEY.fullmatch(key):
            return bad_request(
                "bad_idempotency_key",
                "The Idempotency-Key is empty, too long, or holds what is no printable ASCII.",
                "Send a UUID, or no key at all: the same name and bytes are recognised without.",
            )
        try:
            _plan(head)
        except BadName as error:
            return _bad_name(error)
        except BadMultipart as error:
            return _bad_multipart(error)
        partner, access = found
        try:
            self._ready()
        except (IntakeRefused, SpoolError) as error:
            # Before the body: a gateway short of disk space does not write it to disk first.
            self._log.warning(
                "http_not_admitted", partner=partner.name, size=head.length, error=str(error)
            )
            return _not_taken(error)
        return Admitted(
            max_bytes=self._max_bytes, key=partner.name, max_connections=access.max_connections
        )

    async def handle(self, received: Received) -> Answer:
        """Make the file ours; 202 when bytes and journal row are on disk."""
        apart = None
        try:
            assert received.key is not None
            name, boundary = _plan(received.head)
            file = Upload(received.key, name, received.path, received.sha256, received.size)
            if boundary is not None:
                apart = self._incoming / f"{secrets.token_hex(16)}.part"
                file = await self._in_thread(_take_apart, file, boundary, apart)
            id_ = await self._receive(file, Transport.HTTPS)
        except BadName as error:
            return _bad_name(error)
        except BadMultipart as error:
            return _bad_multipart(error)
        except (IntakeRefused, SpoolError, JournalError, OSError) as error:
            self._refused(received, error)
            return _not_taken(error)
        finally:
            if apart is not None:
                await self._in_thread(partial(apart.unlink, missing_ok=True))
        where = f"{ROUTE}/{id_}"
        told = {"id": id_, "status": where, "acknowledgements": f"{where}/{ACKNOWLEDGEMENTS}"}
        return ok(202, told, ("Location", where))

    def _refused(self, received: Received, error: Exception) -> None:
        self._log.warning(
            "http_not_received",
            partner=received.key,
            size=received.size,
            sha256=received.sha256,
            error=str(error),
        )


def _plan(head: RequestHead) -> tuple[str, bytes | None]:
    """The name of the file, and the boundary if the body has parts (then the part names it).

    Raises `BadName`, `BadMultipart`.
    """
    kind = head.get("Content-Type")
    if http_multipart.is_multipart(kind):
        return "", http_multipart.boundary_of(kind or "")
    return name_of(head.get("Content-Disposition"), head.query, kind), None


def _take_apart(file: Upload, boundary: bytes, target: Path) -> Upload:
    part = http_multipart.extract(file.path, boundary, target)
    return Upload(file.partner, checked(part.name), part.path, part.sha256, part.size)


def _not_taken(error: Exception) -> Answer:
    """Status 503. What is wrong with our disk is nobody else's business."""
    if isinstance(error, IntakeRefused):
        return unavailable(error.what)
    return unavailable("The gateway could not store the file.")


def _bad_name(error: BadName) -> Answer:
    return bad_request(
        "bad_name",
        str(error),
        "Give a plain file name, in Content-Disposition or as ?name=.",
    )


def _bad_multipart(error: BadMultipart) -> Answer:
    return bad_request(
        "bad_multipart",
        f"The multipart body cannot be read. {error}",
        "Send one file in one part with a filename, or the file itself as the body.",
    )
