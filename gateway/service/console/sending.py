"""A partner drops a file: the same intake as `POST /v1/interchanges`, with the same promise.

The name and the way a form carries a file are read by what reads them there.
"""

from __future__ import annotations

import secrets
from functools import partial

from gateway.core.acknowledgement.markup import Html, element
from gateway.errors import IntakeRefused, SpoolError
from gateway.model.interchange import Transport
from gateway.model.verdict import Text
from gateway.service import http_multipart
from gateway.service.console import notices
from gateway.service.console.sources import Sources
from gateway.service.console.users import Role
from gateway.service.console.visit import ROOT, Route, Visit, go_to
from gateway.service.http_multipart import BadMultipart
from gateway.service.http_names import BadName, checked
from gateway.service.http_server import Answer
from gateway.service.sftp_server import Upload

_NONE = Text(
    en="No file came with the form. Choose one, and send it again.",
    fr="Aucun fichier n'accompagnait le formulaire. Choisissez-en un et renvoyez.",
)


def drop_form(visit: Visit) -> Html:
    """Where a file is dropped. Its token stands in the address: it is looked at before the file."""
    say = visit.say
    return element(
        "form",
        element(
            "p",
            element("label", say("Invoice or archive", "Facture ou archive"), for_="file"),
            element(
                "span",
                say(
                    "UBL or CII (XML), Factur-X (PDF), tar.gz or zip. Choose a file, or drop it"
                    " here.",
                    "UBL ou CII (XML), Factur-X (PDF), tar.gz ou zip. Choisissez un fichier, ou"
                    " déposez-le ici.",
                ),
                class_="hint",
                id="file-hint",
            ),
            element(
                "input",
                type="file",
                id="file",
                name="file",
                required="",
                aria_describedby="file-hint",
            ),
            class_="field",
        ),
        element("button", say("Send", "Envoyer")),
        method="post",
        action=f"{ROOT}/send?token={visit.login.token('upload')}",
        enctype="multipart/form-data",
        class_="drop",
        data_drop="",
    )


class Sending:
    """Takes a file of a partner's own login."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def routes(self) -> list[Route]:
        """What is answered here."""
        return [
            Route(
                method="POST",
                path=f"{ROOT}/send",
                page=self.take,
                role=Role.OPERATOR,
                scoped=True,
                upload=True,
            )
        ]

    async def take(self, visit: Visit) -> Answer:
        """Make the file ours; it is when bytes and journal row are on disk."""
        partner = self._sources.partners.get(visit.scope)
        if partner is None or not partner.enabled:
            return notices.forbidden(visit.language)
        kind = visit.head.get("Content-Type")
        if not http_multipart.is_multipart(kind):
            return notices.invalid(visit.language, _NONE)
        apart = self._sources.incoming / f"{secrets.token_hex(16)}.part"
        in_thread = self._sources.in_thread
        try:
            self._sources.ready()
            boundary = http_multipart.boundary_of(kind or "")
            part = await in_thread(http_multipart.extract, visit.received.path, boundary, apart)
            name = checked(part.name)
            upload = Upload(partner.name, name, part.path, part.sha256, part.size)
            id_ = await self._sources.receive(upload, Transport.WEB)
        except (BadName, BadMultipart) as error:
            return notices.invalid(visit.language, Text(en=f"{error}", fr=f"{error}"))
        except (IntakeRefused, SpoolError, OSError) as error:
            self._sources.log.warning(
                "console_not_received", partner=partner.name, error=str(error)
            )
            return notices.not_taken(visit.language)
        finally:
            await in_thread(partial(apart.unlink, missing_ok=True))
        await self._sources.audit.note(visit.who, "send", f"interchange {id_}, file {name}")
        return go_to(f"{ROOT}/interchanges/{id_}?done=sent")
