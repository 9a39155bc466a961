"""What an alert may be about, how bad that is, and what it is called."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

from gateway.model.verdict import Text

Severity = Literal["critical", "warning", "info"]
"""`critical`: invoices or answers stand still. `info`: nothing is wrong (a test)."""


class AlertKind(StrEnum):
    """The conditions there are."""

    DEPTH = "depth"
    AGE = "age"
    OUTAGE = "outage"
    REJECTIONS = "rejections"
    LATE = "late"
    SLA = "sla"
    MDN = "mdn"
    CERTIFICATE = "certificate"
    DISK = "disk"
    QUARANTINE = "quarantine"
    DEAD = "dead"


SEVERITIES: Final[dict[AlertKind, Severity]] = {
    AlertKind.DEPTH: "warning",
    AlertKind.AGE: "critical",
    AlertKind.OUTAGE: "critical",
    AlertKind.REJECTIONS: "warning",
    AlertKind.LATE: "critical",
    AlertKind.SLA: "critical",
    AlertKind.MDN: "warning",
    AlertKind.CERTIFICATE: "warning",
    AlertKind.DISK: "critical",
    AlertKind.QUARANTINE: "warning",
    AlertKind.DEAD: "warning",
}

TITLES: Final[dict[AlertKind, Text]] = {
    AlertKind.DEPTH: Text("a long queue", "file d’attente longue"),
    AlertKind.AGE: Text("something waits for long", "attente trop longue"),
    AlertKind.OUTAGE: Text("no answer", "pas de réponse"),
    AlertKind.REJECTIONS: Text("many rejections", "beaucoup de rejets"),
    AlertKind.LATE: Text("acknowledgements are late", "acquittements en retard"),
    AlertKind.SLA: Text("a promise is not kept", "délai promis dépassé"),
    AlertKind.MDN: Text("receipts (MDN) are missing", "accusés (MDN) manquants"),
    AlertKind.CERTIFICATE: Text("a certificate expires", "certificat bientôt expiré"),
    AlertKind.DISK: Text("little disk space is left", "peu d’espace disque"),
    AlertKind.QUARANTINE: Text("something is in quarantine", "quarantaine non vide"),
    AlertKind.DEAD: Text("messages are dead", "messages abandonnés"),
}
