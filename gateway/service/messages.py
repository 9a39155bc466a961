"""What the gateway has to say, as publications: results, acknowledgements, lifecycle events.

Pure functions. Each gives a `Publication` whose id depends only on what it is about, so that
writing or sending it twice is harmless.
"""

from __future__ import annotations

import datetime as dt
import hashlib

import msgspec

from gateway.core.acknowledgement.forms import Form
from gateway.model.interchange import Interchange
from gateway.model.publication import Exchange, Publication, message_id, payload_uri
from gateway.model.verdict import Accepted, Judgement, Language, verdict_name
from gateway.service.journal.records import Transition
from gateway.service.journal.resend_records import TO_PORTAL
from gateway.service.message_headers import headers_for

NO_FLOW = "none"
"""The word for the flow before routing, or when routing failed."""

CONTENT_TYPES = {
    Form.XML: "application/xml",
    Form.JSON: "application/json",
    Form.HTML: "text/html; charset=utf-8",
    Form.CSV: "text/csv; charset=utf-8",
}
"""Of the forms of a report."""


_JSON = "application/json"
_encode = msgspec.json.Encoder().encode


def document_publication(
    interchange: Interchange,
    ordinal: int,
    judgement: Judgement,
    language: Language,
    *,
    revision: int,
    now: dt.datetime,
) -> Publication:
    """The result for one document: the canonical invoice, or the verdict with its findings.

    Of a lifecycle message, it is what that tells (service.statuses). Only accepted and rejected
    documents have one; an undetermined one is not a result.
    """
    verdict = judgement.verdict
    name = verdict_name(verdict)
    if name == "undetermined":
        raise ValueError("an undetermined document is not published as a result")
    body = (
        verdict.message or verdict.invoice
        if isinstance(verdict, Accepted)
        else _encode(judgement.to_json(interchange.envelope.name, language))
    )
    flow = judgement.flow or NO_FLOW
    kind = "verdict"
    if isinstance(verdict, Accepted):
        kind = "status" if verdict.message else "invoice"
    return publication_about(
        interchange,
        message_id(interchange.id, ordinal, "document", revision),
        exchange=Exchange.DOCUMENTS,
        routing_key=f"{flow}.{judgement.syntax or 'none'}.{name}",
        content_type=_JSON,
        type_=f"edi.document.{kind}",
        ordinal=ordinal,
        flow=flow,
        sha256=judgement.sha256,
        body=body,
        now=now,
    )


def report_publication(
    interchange: Interchange,
    body: bytes,
    *,
    sha256: str,
    filename: str,
    flow: str | None,
    revision: int,
    now: dt.datetime,
    form: Form = Form.XML,
) -> Publication:
    """The acknowledgement of an interchange; `filename` is its name in the partner's `out/`.

    `sha256` is that of the report; `body` may be empty when the report is in the spool. The other
    forms have types of their own, so that nobody takes one for the XML.
    """
    other = "" if form is Form.XML else form.value
    return publication_about(
        interchange,
        message_id(interchange.id, 0, f"report-{other}" if other else "report", revision),
        exchange=Exchange.ACKNOWLEDGEMENTS,
        routing_key=f"{flow or NO_FLOW}.report",
        content_type=CONTENT_TYPES[form],
        type_=f"edi.acknowledgement.report.{other}" if other else "edi.acknowledgement.report",
        ordinal=0,
        flow=flow or NO_FLOW,
        sha256=sha256,
        body=body,
        now=now,
        filename=filename,
    )


def cdar_publication(
    interchange: Interchange,
    body: bytes,
    *,
    id_: str,
    ordinal: int,
    filename: str,
    flow: str | None,
    to_portal: bool,
    now: dt.datetime,
) -> Publication:
    """A lifecycle message, whose id (MDT-4) is that of the publication as well.

    `ordinal`: of the one document it is about; 0 for the file, or for several documents.
    """
    return publication_about(
        interchange,
        id_,
        exchange=Exchange.ACKNOWLEDGEMENTS,
        routing_key=f"{flow or NO_FLOW}.cdar",
        content_type="application/xml",
        type_=TO_PORTAL if to_portal else "edi.acknowledgement.cdar",
        ordinal=ordinal,
        flow=flow or NO_FLOW,
        sha256=hashlib.sha256(body).hexdigest(),
        body=body,
        now=now,
        filename=filename,
    )


def mdn_publication(
    interchange: Interchange,
    body: bytes,
    *,
    content_type: str,
    sha256: str,
    filename: str,
    now: dt.datetime,
) -> Publication:
    """The receipt for an AS2 message, as its sender gets it; `content_type` names its boundary."""
    return publication_about(
        interchange,
        message_id(interchange.id, 0, "mdn", 0),
        exchange=Exchange.ACKNOWLEDGEMENTS,
        routing_key=f"{NO_FLOW}.mdn",
        content_type=content_type,
        type_="edi.acknowledgement.mdn",
        ordinal=0,
        flow=NO_FLOW,
        sha256=sha256,
        body=body,
        now=now,
        filename=filename,
    )


def for_channel(publication: Publication, channel: str) -> Publication:
    """The same acknowledgement, addressed to the partner's own channel."""
    return msgspec.structs.replace(
        publication, message_id=channel_id(publication.message_id, channel)
    )


def channel_id(id_: str, channel: str) -> str:
    """The message id of an acknowledgement that goes by the partner's channel."""
    return message_id(id_, 0, channel, 0)


def event_publication(
    interchange: Interchange, transition: Transition, flow: str | None
) -> Publication:
    """One lifecycle transition, for whoever watches."""
    about = "interchange" if transition.ordinal == 0 else "document"
    body = _encode(
        {
            "interchange": interchange.id,
            "partner": interchange.envelope.partner,
            "name": interchange.envelope.name,
            "flow": flow,
            "document": transition.ordinal or None,
            "about": about,
            "from": transition.old,
            "to": transition.new,
            "at": transition.at,
            "cause": transition.cause,
        }
    )
    return publication_about(
        interchange,
        message_id(interchange.id, transition.ordinal, "event", transition.id),
        exchange=Exchange.EVENTS,
        routing_key=f"{flow or NO_FLOW}.{transition.new}",
        content_type=_JSON,
        type_=f"edi.event.{about}",
        ordinal=transition.ordinal,
        flow=flow or NO_FLOW,
        sha256=interchange.sha256,
        body=body,
        now=transition.at,
        mandatory=False,
    )


def status_event(
    interchange: Interchange,
    ordinal: int,
    flow: str | None,
    word: str,
    status: dict[str, str | None],
    *,
    key: str,
    revision: int,
    now: dt.datetime,
) -> Publication:
    """A status of an invoice that somebody should look at; `word` says why, `key` which one.

    The interchange and its document are the lifecycle message's.
    """
    body = _encode(
        {
            "interchange": interchange.id,
            "partner": interchange.envelope.partner,
            "name": interchange.envelope.name,
            "flow": flow,
            "document": ordinal,
            "about": "status",
            "to": word,
            "at": now,
            "status": status,
        }
    )
    return publication_about(
        interchange,
        message_id(interchange.id, ordinal, f"status-event/{word}/{key}", revision),
        exchange=Exchange.EVENTS,
        routing_key=f"{flow or NO_FLOW}.{word}",
        content_type=_JSON,
        type_="edi.event.status",
        ordinal=ordinal,
        flow=flow or NO_FLOW,
        sha256=interchange.sha256,
        body=body,
        now=now,
        mandatory=False,
    )


def claim_check(publication: Publication, sha256: str, size: int) -> Publication:
    """The publication with its body replaced by where to fetch it (contract: over 1 MB).

    `sha256` and `size` (bytes) are those of the body.
    """
    body = _encode(
        {
            "claim_check": {
                "uri": payload_uri(sha256),
                "size": size,
                "sha256": sha256,
                "content_type": publication.content_type,
            }
        }
    )
    return msgspec.structs.replace(
        publication,
        body=body,
        content_type=_JSON,
        headers={**publication.headers, "claim-check": sha256},
    )


def publication_about(
    interchange: Interchange,
    id_: str,
    *,
    exchange: Exchange,
    routing_key: str,
    content_type: str,
    type_: str,
    ordinal: int,
    flow: str,
    sha256: str,
    body: bytes,
    now: dt.datetime,
    mandatory: bool = True,
    filename: str | None = None,
) -> Publication:
    """Anything the gateway says about an interchange, or about its document `ordinal`.

    What it says about a test goes to the exchange for tests, whoever asks for it.
    """
    headers = headers_for(
        message_id=id_,
        type=type_,
        time=now,
        interchange_id=interchange.id,
        ordinal=ordinal,
        partner=interchange.envelope.partner,
        flow=flow,
        sha256=sha256,
        filename=filename,
        environment=interchange.environment,
    )
    return Publication(
        message_id=id_,
        exchange=exchange.of(interchange.environment),
        routing_key=routing_key,
        content_type=content_type,
        type=type_,
        correlation_id=interchange.id,
        timestamp=now,
        headers=headers,
        body=body,
        mandatory=mandatory,
    )
