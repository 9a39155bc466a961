"""What is wrong with a request, as findings in French and English for whoever asked by a message.

`status-message` tells people at a terminal the same in its own words (`request_faults`), which
stay in the finding's message; here each is put under the key of the request that it is about.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from gateway.core.explain import own_finding
from gateway.model.verdict import Finding

MAX_FINDINGS: Final = 50
"""Of one request; the others are counted."""

MAX_DEPTH: Final = 20
MAX_VALUES: Final = 20_000
MAX_INVOICES: Final = 500
"""Of one request: it is written in one transaction, for which everybody else waits."""

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_VARIANTS: Final = {
    "status": "status",
    "to": "to",
    "issuer": "issuer",
    "recipients": "recipients",
    "number": "invoice",
    "issued": "invoice",
    "seller": "invoice",
    "received": "received",
    "details": "reason",
    "reason": "reason",
    "action": "action",
    "values": "amount",
    "amount": "amount",
    "percent": "amount",
    "attachments": "attachment",
}
"""Which part of a request a key is about: its wording in findings.toml."""


def about_key(key: str, what: str, remedy: str) -> Finding:
    """One thing wrong with one key of the request."""
    names = [re.sub(r"\[[0-9]+\]$", "", part) for part in key.split(".")]
    known = [_VARIANTS[name] for name in reversed(names) if name in _VARIANTS]
    return own_finding(
        "REQUEST-KEY",
        variant=known[0] if known else None,
        location=key or None,
        key=key or "—",
        what=what,
        remedy=remedy,
    )


def bounded(findings: Sequence[Finding]) -> list[Finding]:
    """The first ones, and how many more there are."""
    if len(findings) <= MAX_FINDINGS:
        return list(findings)
    more = len(findings) - MAX_FINDINGS
    return [*findings[:MAX_FINDINGS], own_finding("REQUEST-MORE", count=more)]


def unusable(table: Any) -> Finding | None:
    """Why values read from JSON are looked at no further: too many, too deep, no text of XML."""
    left = MAX_VALUES
    level: Iterable[Any] = [table]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for value in level:
            left -= 1
            if left < 0:
                return own_finding("REQUEST-LARGE", depth=MAX_DEPTH, limit=MAX_VALUES)
            if isinstance(value, dict):
                below += value.keys()
                below += value.values()
            elif isinstance(value, list):
                below += value
            elif isinstance(value, str) and (found := _NOT_XML.search(value)):
                return own_finding("REQUEST-TEXT", code=f"U+{ord(found[0]):04X}")
        if not below:
            return None
        level = below
    return own_finding("REQUEST-LARGE", depth=MAX_DEPTH, limit=MAX_VALUES)
