"""`[alerts]`: when the gateway calls for somebody, and whom it tells."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec

THRESHOLDS: Final = (
    *("depth", "oldest_minutes", "outage_minutes", "disk_free_mb", "quarantine", "calm_minutes"),
    *("reject_percent", "reject_minutes", "reject_documents"),
)
"""Keys of `[alerts]` that each look asks for anew; whom to tell, and how, counts from the start."""

Minutes = Annotated[int, msgspec.Meta(ge=0, le=10_080)]
Number = Annotated[int, msgspec.Meta(ge=0, le=100_000_000)]


class Webhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where each alert is posted to as JSON. `url` "": nowhere.

    `token_file` holds what is sent as `Authorization: Bearer …`; `ca_file` the authorities that
    vouch for the receiver, "" for the system's.
    """

    url: str = ""
    token_file: str = ""
    ca_file: str = ""

    @property
    def host(self) -> str:
        """What may be told of the URL, which may be its receiver's secret; "" for nowhere."""
        return urlsplit(self.url).hostname or ""


class Mail(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How each alert is sent as a message to people. `host` "": not at all.

    `tls`: by STARTTLS, TLS from the first byte, or none, which is for this machine alone.
    """

    host: str = ""
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 587
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    username: str = ""
    password_file: str = ""
    ca_file: str = ""
    sender: str = ""
    recipients: tuple[str, ...] = ()


class Alerts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an alert begins at; 0 switches a condition off.

    Late acknowledgements go by `outbox.late_hours`, certificates by `as2.expiry_warning_days`, what
    a partner was promised by its own `sla_minutes`. An alert is over when it has been gone for
    `calm_minutes`.
    """

    name: str = ""
    language: Literal["en", "fr"] = "en"
    depth: Number = 10_000
    oldest_minutes: Minutes = 60
    outage_minutes: Minutes = 5
    reject_percent: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    reject_minutes: Annotated[int, msgspec.Meta(ge=5, le=1440)] = 60
    reject_documents: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 50
    disk_free_mb: Number = 2_000
    quarantine: bool = True
    calm_minutes: Minutes = 5
    webhook: Webhook = Webhook()
    mail: Mail = Mail()
