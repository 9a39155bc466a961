"""What becomes of a status that somebody gives an invoice."""

from __future__ import annotations

from enum import StrEnum


class Standing(StrEnum):
    """How a status that was told stands in the journal."""

    RECORDED = "recorded"
    """It belongs to an invoice that is here."""
    IMPORTED = "imported-invoice"
    """It belongs to an invoice that another system accepted: no document of it is here."""
    REPEATED = "repeated"
    """The same message told it before: it was recorded then, once."""
    UNKNOWN = "unknown-invoice"
    """No such invoice is here. It is linked when the invoice comes."""
    NOT_BELIEVED = "not-believed"
    """The partner has no part in the invoice: kept, and no part of its lifecycle."""
    FLUX = "flux"
    """It is about a file, not about an invoice."""


class Direction(StrEnum):
    """Who said it: somebody to us, or we to somebody."""

    RECEIVED = "received"
    SENT = "sent"
