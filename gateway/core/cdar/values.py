"""What a lifecycle message says: UN/CEFACT CrossDomainAcknowledgementAndResponse, D22B (CDAR).

    Message ─ who sends, who gives the status, to whom            (MDG-1 … MDG-23)
      └ Acknowledgement ─ in which phase, when                    (MDG-31)
          └ DocumentStatus ─ one invoice, or one flux, and its status   (MDG-32)
              └ Detail ─ a reason, an action asked for            (MDG-37)
                  └ Characteristic ─ an amount, a value expected  (MDG-43)

The numbers are those of XP Z12-012. `message_writer` makes XML of these values, `message_reader`
makes them of XML; both go by the one table in `layout`. What a status must say is in `statuses`;
nothing here checks it, for a message of somebody else must be told as it is.

A time without a zone is what the message says (format 204 has none). Texts have no white space
around them; None is what is not there.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import msgspec


class Identifier(msgspec.Struct, frozen=True):
    """An identifier and the list it is of: 0002 SIREN, 0009 SIRET, 0223 VAT, 0238 platform."""

    value: str
    scheme: str | None = None


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody with a role. The numbers are those of sender, issuer and recipient.

    `role`: WK platform, SE seller, BY buyer, DFH public portal … (MDT-21, 40, 59, 132, 158);
    `ids` (MDT-19, 38, 57, 129); `name` (MDT-20, 39, 58); `address`: the electronic one (MDT-73).
    """

    role: str | None = None
    ids: tuple[Identifier, ...] = ()
    name: str | None = None
    address: Identifier | None = None


class Amount(msgspec.Struct, frozen=True):
    """An amount (MDT-215) and its currency (MDT-216)."""

    value: Decimal
    currency: str | None = None


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A file that goes with a status (MDT-96)."""

    content: bytes
    filename: str | None = None
    mime_code: str | None = None


class Characteristic(msgspec.Struct, frozen=True, kw_only=True):
    """A value that a status brings along (MDG-43).

    `type` (MDT-207): MEN amount received, MPA amount paid, RAP still to pay, ESC, RAB, REM
    discounts, MAP/MAPTTC and MNA/MNATTC amount approved or not, without and with VAT, CBB bank
    account, DIV value at fault, DVA value expected, MAJ value instead. `changed` (MDT-209),
    `name`, `location` and `value` of a datum; `amount` (MDT-215), `date` (MDT-219), `percent`:
    the rate of VAT (MDT-224).
    """

    id: str | None = None
    type: str | None = None
    changed: bool | None = None
    name: str | None = None
    description: str | None = None
    location: str | None = None
    value: str | None = None
    amount: Amount | None = None
    date: dt.date | None = None
    percent: Decimal | None = None


class Detail(msgspec.Struct, frozen=True, kw_only=True):
    """One reason of a status, and what is asked for (MDG-37).

    `when` (MDT-110), `reason` and its words (MDT-113, MDT-114), `condition` and its words: a
    status of the detail's own (MDT-115, MDT-116), `action` and its words (MDT-121, MDT-122),
    `sequence` counts the details of a status from 1 (MDT-124-2), `notes` (MDT-126).
    """

    when: dt.datetime | None = None
    reason: str | None = None
    reason_text: str | None = None
    condition: str | None = None
    condition_text: str | None = None
    action: str | None = None
    action_text: str | None = None
    sequence: Decimal | None = None
    notes: tuple[str, ...] = ()
    characteristics: tuple[Characteristic, ...] = ()


class DocumentStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One invoice and its status (MDG-32); for 500 and 501 a flux, by its file's name.

    `number` (MDT-87), `status_code`: UNTDID 1373 (MDT-88), `type_code`: BT-3 (MDT-91),
    `received`: by the platform (MDT-95), `attachments` (MDT-96), `reference_type` (MDT-97),
    `issued`: BT-2 (MDG-35, MDT-100), `status`: 200 … 501 (MDT-105) and its words (MDT-106),
    `issuer`: the seller (MDT-129, MDT-132), `recipients` (MDT-158), `details` (MDG-37).
    """

    number: str | None = None
    status_code: str | None = None
    type_code: str | None = None
    received: dt.datetime | None = None
    attachments: tuple[Attachment, ...] = ()
    reference_type: str | None = None
    issued: dt.date | None = None
    status: str | None = None
    status_text: str | None = None
    issuer: Party | None = None
    recipients: tuple[Party, ...] = ()
    details: tuple[Detail, ...] = ()


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True):
    """Statuses of one phase, given at one time (MDG-31).

    `several`: of several documents (MDT-74), `type_code`: 305 transmission, 23 processing
    (MDT-77), `issued`: when the status was given (MDT-78), `status_code`: UNTDID 4405 (MDT-79).
    """

    several: bool | None = None
    type_code: str | None = None
    name: str | None = None
    issued: dt.datetime | None = None
    status_code: str | None = None
    documents: tuple[DocumentStatus, ...] = ()


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A whole lifecycle message.

    `process` (MDT-2), `guideline`: which kind of message it is (MDT-3), `id` (MDT-4), `name`
    (MDT-5), `issued` (MDT-8), `sender`: who transmits it (MDG-9), `issuer`: who gives the status
    (MDG-16), `recipients` (MDG-23).
    """

    process: str | None = None
    guideline: str | None = None
    id: str | None = None
    name: str | None = None
    issued: dt.datetime | None = None
    sender: Party | None = None
    issuer: Party | None = None
    recipients: tuple[Party, ...] = ()
    acknowledgements: tuple[Acknowledgement, ...] = ()

    @property
    def documents(self) -> tuple[DocumentStatus, ...]:
        """Everything the message gives a status to."""
        return tuple(each for group in self.acknowledgements for each in group.documents)
