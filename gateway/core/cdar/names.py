"""Ids and file names of lifecycle messages: the same for the same message, whenever they are made.

The portal has names of its own (`core.naming`); for partners nothing is agreed, and a name says
what people look for: the status and the invoice.
"""

from __future__ import annotations

import re
import uuid
from typing import Final

from gateway.core.cdar.sending import PORTAL_GUIDELINE
from gateway.core.cdar.statuses import Status
from gateway.core.cdar.values import Message
from gateway.errors import ConfigurationError
from gateway.model.legal import LegalIdentity
from gateway.model.publication import NAMESPACE, message_id

PORTAL_INTERFACE: Final = "FFE0614A"
"""Statuses of invoices, towards the portal."""

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SEQUENCE: Final = 15


def status_id(
    interchange: str, ordinal: int, status: Status, revision: int, *, to_portal: bool
) -> str:
    """The id (MDT-4) of the message about a document of an interchange, 0 for all of it.

    `revision` counts the times that this status was given to it, from 1.
    """
    kind = f"cdar-{status.code}-portal" if to_portal else f"cdar-{status.code}"
    return message_id(interchange, ordinal, kind, revision)


def file_name(message: Message, we: LegalIdentity) -> str:
    """What the file of a message is called.

    Raises ConfigurationError when the portal is the recipient and our code there is not known.
    """
    if message.guideline == PORTAL_GUIDELINE:
        return _portal_name(message, we)
    documents = message.documents
    status = (documents[0].status if documents else None) or "000"
    about = (documents[0].number or "") if len(documents) == 1 else f"{len(documents)}-documents"
    plain = re.sub(r"[^A-Za-z0-9.-]+", "-", about)[:40].strip("-.")
    return "_".join(filter(None, ("CDV", status, plain, _unique(message).hex[:12]))) + ".xml"


def _portal_name(message: Message, we: LegalIdentity) -> str:
    """FFE0614A_AAA123_AAA1230614 and 15 characters; `core.naming` reads such names."""
    if not we.application:
        raise ConfigurationError(
            "legal.application: a file for the portal is named after our code there, and it is"
            " empty.",
            remedy="Write the six characters the portal gave us.",
        )
    number, sequence = _unique(message).int, ""
    for _ in range(_SEQUENCE):
        number, digit = divmod(number, len(_DIGITS))
        sequence = _DIGITS[digit] + sequence
    interface = PORTAL_INTERFACE[3:7]
    return f"{PORTAL_INTERFACE}_{we.application}_{we.application}{interface}{sequence}.xml"


def _unique(message: Message) -> uuid.UUID:
    return uuid.uuid5(NAMESPACE, f"cdar-file/{message.id}")
