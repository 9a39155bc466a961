"""Requests for statuses as a back office sends them: of the invoices in bench.invoices."""

from __future__ import annotations

import json
from typing import Any

from gateway.core.cdar.statuses import STATUSES, Role

SELLER = "000123455"
BUYER = "000471102"
ISSUED = "2026-04-16"
"""Of the invoice FA-1 there."""


def asked(code: str, number: str = "FA-1", **more: Any) -> dict[str, Any]:
    """A request for this status, with as little as it needs."""
    status = STATUSES[code]
    by_seller = status.by is Role.SELLER
    issuer, other = (SELLER, BUYER) if by_seller else (BUYER, SELLER)
    details: list[dict[str, Any]] = []
    if status.reason_needed or code == "207":
        details.append({"reason": status.reasons[1]})
    if code == "212":
        details.append({"values": [{"type": "MEN", "amount": "1200.00", "percent": 20}]})
    request: dict[str, Any] = {
        "status": code,
        "recipients": [{"role": "BY" if by_seller else "SE", "siren": other, "address": other}],
        "invoices": [
            {"number": number, "issued": ISSUED, "seller": SELLER, "details": details},
        ],
    }
    if not status.by_platform:
        request["issuer"] = {"role": "SE" if by_seller else "BY", "siren": issuer}
    return {**request, **more}


def body_of(code: str, number: str = "FA-1", **more: Any) -> bytes:
    """The same as the body of a message."""
    return json.dumps(asked(code, number, **more)).encode()
