"""What the gateway has to say, as publications: results, acknowledgements, lifecycle events.

Pure functions. Each gives a `Publication` whose id depends only on what it is about, so that
writing or sending it twice is harmless.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from gateway.model.interchange import Interchange
from gateway.model.publication import Exchange, Publication, message_id
from gateway.model.verdict import Accepted, Judgement, Language, verdict_name
from gateway.service.journal.records import Transition
from gateway.service.message_headers import headers_for

NO_FLOW = "none"
"""The word for the flow before routing, or when routing failed."""

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

    Only accepted and rejected documents have one; an undetermined one is not a result.
    """
    verdict = judgement.verdict
    name = verdict_name(verdict)
    if name == "undetermined":
        raise ValueError("an undetermined document is not published as a result")
    body = (
        verdict.invoice
        if isinstance(verdict, Accepted)
        else _encode(judgement.to_json(interchange.envelope.name, language))
    )
    flow = judgement.flow or NO_FLOW
    kind = "invoice" if isinstance(verdict, Accepted) else "verdict"
    return _publication(
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
) -> Publication:
    """The acknowledgement of an interchange; `filename` is its name in the partner's `out/`.

    `sha256` is that of the report; `body` may be empty when the report is in the spool.
    """
    return _publication(
        interchange,
        message_id(interchange.id, 0, "report", revision),
        exchange=Exchange.ACKNOWLEDGEMENTS,
        routing_key=f"{flow or NO_FLOW}.report",
        content_type="application/xml",
        type_="edi.acknowledgement.report",
        ordinal=0,
        flow=flow or NO_FLOW,
        sha256=sha256,
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
    return _publication(
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
        publication, message_id=message_id(publication.message_id, 0, channel, 0)
    )


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
    return _publication(
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


def claim_check(publication: Publication, sha256: str, size: int) -> Publication:
    """The publication with its body replaced by where to fetch it (contract: over 1 MB).

    `sha256` and `size` (bytes) are those of the body.
    """
    body = _encode(
        {
            "claim_check": {
                "uri": f"urn:edi-gateway:payload:{sha256}",
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


def _publication(
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
    )
    return Publication(
        message_id=id_,
        exchange=exchange,
        routing_key=routing_key,
        content_type=content_type,
        type=type_,
        correlation_id=interchange.id,
        timestamp=now,
        headers=headers,
        body=body,
        mandatory=mandatory,
    )
