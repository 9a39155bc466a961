"""A lifecycle message as we send it: the values of a status in the form the French rules want.

To a partner a message is REGULATED and names us by our role; what concerns several invoices is one
group. To the public portal (PPF) it has no process (MDT-2), names us by our number (MDT-19, 38),
says when we received each invoice (MDT-95) and which kind of message this is (MDT-97); MDT-74 is
always false there, so several invoices are as many groups. XP Z12-012; whether the portal takes
more than one group is written nowhere, so send it one message for each invoice.

Nothing here looks at a clock or draws lots: the same values give the same message.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from gateway.core.cdar.statuses import Role, Status
from gateway.core.cdar.values import (
    Acknowledgement,
    Detail,
    DocumentStatus,
    Identifier,
    Message,
    Party,
)
from gateway.model.legal import LegalIdentity

GUIDELINE: Final = "urn.cpro.gouv.fr:1p0:CDV:invoice"
PORTAL_GUIDELINE: Final = "urn.cpro.gouv.fr:1p0:CDV:einvoicingF2"
PROCESS: Final = "REGULATED"
PLATFORM_SCHEME: Final = "0238"
ADDRESS_SCHEME: Final = "0225"


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """What a message is besides its statuses.

    `id`: the same at every attempt. `at`: when the status was given; a time with a zone is
    converted to that of `we`. `recipients`: none means the public portal. `issuer`: the party that
    gives a status of processing; platforms give the others themselves.
    """

    id: str
    at: dt.datetime
    we: LegalIdentity
    recipients: tuple[Party, ...] = ()
    issuer: Party | None = None

    @property
    def to_portal(self) -> bool:
        """Whether the message goes to the public portal."""
        return not self.recipients


def assembled(status: Status, documents: Sequence[DocumentStatus], sending: Sending) -> Message:
    """The message that gives all these documents this status.

    What `documents` say of number, date, seller and details is taken as it is; status, codes and
    sequence numbers are filled in.
    """
    at = local(sending.at, sending.we)
    filled = tuple(_filled(status, document, sending) for document in documents)
    groups = [(each,) for each in filled] if sending.to_portal else [filled]
    return Message(
        process=None if sending.to_portal else PROCESS,
        guideline=PORTAL_GUIDELINE if sending.to_portal else GUIDELINE,
        id=sending.id,
        name=_name(status, filled),
        issued=at,
        sender=_ourselves(sending, identified=sending.to_portal or _is_platform(sending.we)),
        issuer=_issuer(status, sending),
        recipients=sending.recipients or (_portal(sending.we),),
        acknowledgements=tuple(
            Acknowledgement(
                several=len(group) > 1,
                type_code=status.phase.value,
                issued=at,
                documents=group,
            )
            for group in groups
        ),
    )


def local(time: dt.datetime, we: LegalIdentity) -> dt.datetime:
    """The time as messages say it: in our zone, without naming it."""
    if time.tzinfo is not None:
        time = time.astimezone(ZoneInfo(we.time_zone)).replace(tzinfo=None)
    return time.replace(microsecond=0)


def _filled(status: Status, document: DocumentStatus, sending: Sending) -> DocumentStatus:
    received = document.received
    return msgspec.structs.replace(
        document,
        status=status.code,
        status_text=status.name,
        status_code=status.status_code,
        received=None if received is None else local(received, sending.we),
        reference_type=PORTAL_GUIDELINE if sending.to_portal else None,
        details=_numbered(document.details),
    )


def _numbered(details: Iterable[Detail]) -> tuple[Detail, ...]:
    return tuple(
        msgspec.structs.replace(detail, sequence=Decimal(number))
        for number, detail in enumerate(details, start=1)
    )


def _name(status: Status, documents: Sequence[DocumentStatus]) -> str:
    """Of the message, for people (MDT-5), in the language of the statuses."""
    one, several = ("flux", "flux") if status.of_flux else ("facture", "factures")
    about = f"{one} {documents[0].number}" if len(documents) == 1 else f"{len(documents)} {several}"
    return f"{status.code} {status.name}, {about}"


def _ourselves(sending: Sending, *, identified: bool) -> Party:
    we = sending.we
    ids = (Identifier(we.id, we.scheme),) if we.id and identified else ()
    return Party(role=we.role, ids=ids, name=we.name or None)


def _issuer(status: Status, sending: Sending) -> Party | None:
    if status.by_platform:
        # BR-FR-CDV-07: a platform is not identified here, but the portal wants MDT-38.
        return _ourselves(sending, identified=sending.to_portal)
    return sending.issuer


def _is_platform(we: LegalIdentity) -> bool:
    # Rule BR-FR-CDV-CL-09 for 210 takes any other scheme of a sender for Chorus Pro's.
    return we.scheme == PLATFORM_SCHEME


def _portal(we: LegalIdentity) -> Party:
    return Party(role=Role.PORTAL, ids=(Identifier(we.portal_id, PLATFORM_SCHEME),), name="PPF")
