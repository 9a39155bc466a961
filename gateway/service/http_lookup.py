"""The reading half of `/v1/interchanges`: how one stands, and the newest report about it.

A report has several forms; which one is sent is `http_forms`' to say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import parse_qs

from gateway.core.acknowledgement.forms import Form
from gateway.errors import JournalError
from gateway.model.partner import Partner
from gateway.model.verdict import Language
from gateway.service import http_status
from gateway.service.http_answers import (
    REPORT_RETRY_SECONDS,
    bad_request,
    no_interchange,
    ok,
    refusal,
    unavailable,
    wrong_method,
)
from gateway.service.http_forms import chosen
from gateway.service.http_server import Admitted, Answer, Received, RequestHead
from gateway.service.http_status import ACKNOWLEDGEMENTS, CDAR, LIST, ROUTE
from gateway.service.http_tokens import Tokens
from gateway.service.journal import Journal, records
from gateway.spool import Spool

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class BadQuery(ValueError):
    """The query of a request cannot be used; the message says why."""


class Interchanges:
    """Tells a partner how its interchanges stand, and hands out the reports."""

    def __init__(
        self,
        tokens: Tokens,
        partners: Mapping[str, Partner],
        *,
        journal: Journal,
        spool: Spool,
        log: Any,
    ) -> None:
        self._tokens = tokens
        self._partners = partners
        self._journal = journal
        self._spool = spool
        self._log = log

    def admit(self, head: RequestHead) -> Answer | Admitted:
        """Who asks."""
        if head.method not in ("GET", "HEAD"):
            return wrong_method("GET", "HEAD")
        found = self._tokens.partner_of(head)
        if isinstance(found, Answer):
            return found
        partner, access = found
        return Admitted(max_bytes=0, key=partner.name, max_connections=access.max_connections)

    async def handle(self, received: Received) -> Answer:
        """The answer, out of the journal."""
        partner = self._partners[received.key or ""]
        id_, _, rest = received.head.path.removeprefix(f"{ROUTE}/").partition("/")
        if not _ID.fullmatch(id_) or rest not in ("", ACKNOWLEDGEMENTS):
            return no_interchange()
        try:
            if rest:
                return await self._acknowledgement(id_, partner, received.head)
            return await self._status(id_, partner, received.head.query)
        except BadQuery as error:
            return bad_request("bad_query", f"{error}", "Follow the links the gateway gives.")
        except JournalError as error:
            self._log.warning("http_not_answered", partner=partner.name, error=str(error))
            return unavailable("The gateway cannot look this up now.")

    async def _status(self, id_: str, partner: Partner, query: str) -> Answer:
        after, language = _page(query, partner.language)
        described = await self._journal.read(
            "http_status",
            partial(
                http_status.describe,
                id_=id_,
                partner=partner.name,
                after=after,
                language=language,
            ),
        )
        return no_interchange() if described is None else ok(200, described)

    async def _acknowledgement(self, id_: str, partner: Partner, head: RequestHead) -> Answer:
        after = _list_after(head.query)
        wanted, of_document = (None, None) if after is not None else _form(head.query)
        row = await self._journal.read(
            "http_interchange", partial(http_status.own, id_=id_, partner=partner.name)
        )
        if row is None:
            return no_interchange()
        if after is not None:
            listed = await self._journal.read(
                "http_acknowledgements", partial(http_status.listed, row=row, after=after)
            )
            return ok(200, listed)
        gone = await self._journal.read("purged", partial(records.purged_of, interchange_id=id_))
        if gone is not None:
            return refusal(
                410,
                "purged",
                "What was said of this interchange is not kept here any more.",
                "Ask the operator, who may have it in an archive.",
            )
        if of_document is not None:
            told = await self._journal.read(
                "http_status_message",
                partial(http_status.lifecycle_message, row=row, ordinal=of_document),
            )
            return _none_yet() if told is None else self._file(told)
        forms: list[http_status.Acknowledgement] = await self._journal.read(
            "http_acknowledgement", partial(http_status.acknowledgements, id_=id_)
        )
        if not forms:
            return _none_yet()
        found = chosen(forms, wanted, head)
        if found is None:
            return refusal(
                404,
                "no_such_form",
                f"The report of this interchange was not made as {wanted}.",
                f"It was made as {', '.join(form.form for form in forms)}. Ask the operator for the"
                " other forms.",
            )
        return self._file(found)

    def _file(self, found: http_status.Acknowledgement) -> Answer:
        headers = (
            ("Content-Type", found.content_type),
            ("Content-Disposition", f'attachment; filename="{found.filename}"'),
            ("Cache-Control", "no-store"),
            ("Vary", "Accept"),
            ("X-Content-Type-Options", "nosniff"),
        )
        if found.payload is not None:
            return Answer(200, headers, file=self._spool.path(found.payload))
        return Answer(200, headers, found.body)


def _none_yet() -> Answer:
    return refusal(
        404,
        "not_yet",
        "There is no such acknowledgement of this interchange yet.",
        "Ask again later.",
        ("Retry-After", str(REPORT_RETRY_SECONDS)),
    )


def _form(query: str) -> tuple[Form | None, int | None]:
    """The form asked for by name, or the document whose status is. Raises `BadQuery`."""
    try:
        asked = parse_qs(query, keep_blank_values=True, max_num_fields=20, errors="strict")
        name = asked.get("form", [""])[-1]
        form = Form(name) if "form" in asked and name != CDAR else None
    except ValueError as error:
        raise BadQuery(f"form is one of {', '.join(Form)}, {CDAR}, {LIST}.") from error
    if name != CDAR:
        return form, None
    number = asked.get("document", ["0"])[-1]
    if not re.fullmatch(r"[0-9]{1,10}", number) or int(number) > http_status.MAX_ORDINAL:
        raise BadQuery("document is a number.")
    return None, int(number)


def _list_after(query: str) -> int | None:
    """When it is the list that is wanted: above which document. Raises `BadQuery`."""
    try:
        asked = parse_qs(query, keep_blank_values=True, max_num_fields=20, errors="strict")
    except ValueError:
        return None  # whoever reads the form says what is wrong
    if asked.get("form", [""])[-1] != LIST:
        return None
    after = asked.get("after", ["0"])[-1]
    if not re.fullmatch(r"[0-9]{1,10}", after) or int(after) > http_status.MAX_ORDINAL:
        raise BadQuery("after is a number.")
    return int(after)


def _page(query: str, language: Language) -> tuple[int, Language]:
    """Where the page begins and the language asked for. Raises `BadQuery`."""
    try:
        asked = parse_qs(query, keep_blank_values=True, max_num_fields=20, errors="strict")
        after = asked.get("after", ["0"])[-1]
        language = Language(asked["lang"][-1]) if "lang" in asked else language
    except ValueError as error:
        raise BadQuery("lang is one of fr, en; nothing else can be read.") from error
    if not re.fullmatch(r"[0-9]{1,10}", after) or int(after) > http_status.MAX_ORDINAL:
        raise BadQuery("after is a number.")
    return int(after), language
