"""A partner as its file in conf/partners describes it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from gateway.model.as2 import As2Access
from gateway.model.interchange import Environment
from gateway.model.verdict import Language

RetentionClass = Literal["commercial", "tax", "operational", "keep"]
"""How long payloads are kept at least; the settings say how many days that is."""


class SftpAccess(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a partner logs in to the SFTP server.

    `username` defaults to the partner's name. `authorized_keys` are OpenSSH public-key lines.
    `password_hash` is a bcrypt hash. With `require_rename`, a file is taken in only when it is
    renamed from a temporary name to its final one. Acknowledgements lie in `out/` for `keep_days`;
    with `once_only` each is removed there when it was fetched.
    """

    username: str | None = None
    authorized_keys: tuple[str, ...] = ()
    password_hash: str | None = None
    require_rename: bool = False
    max_sessions: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 16
    keep_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 7
    once_only: bool = False


class SftpRemote(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An SFTP server of the partner's that we log in to: to fetch files, to leave reports.

    `host_key` is the server's public key as one OpenSSH line: any other is refused. `key_file` or
    `password_file` logs us in. Files are fetched from `fetch_from` ("" for none) when their size
    has stood still for `stable_seconds`, or, with `marker_suffix`, once `<name><suffix>` lies
    beside them; when they are durable here they are deleted there, or moved to `move_to`.
    Reports are left in `push_to` ("" for none).
    """

    host: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 22
    username: str
    host_key: str
    key_file: str = ""
    password_file: str = ""
    fetch_from: str = ""
    move_to: str = ""
    marker_suffix: str = ""
    stable_seconds: Annotated[float, msgspec.Meta(ge=0, le=86400)] = 10.0
    poll_seconds: Annotated[float, msgspec.Meta(ge=1, le=86400)] = 60.0
    push_to: str = ""


class FolderAccess(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Folders of this machine, where another program puts files and looks for reports.

    A file of `inbox` is taken when it is renamed into it, or when it was closed and nothing
    touched it for `quiet_seconds`. Once durable it is deleted, or moved to `move_to`. Reports
    are put into `out` ("" for none).
    """

    inbox: str
    out: str = ""
    move_to: str = ""
    quiet_seconds: Annotated[float, msgspec.Meta(ge=0, le=86400)] = 5.0
    rescan_seconds: Annotated[float, msgspec.Meta(ge=1, le=86400)] = 60.0


class HttpAccess(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a partner uses `POST /v1/interchanges`.

    `token_sha256`: the SHA-256, in hex, of each token it may show; two while one replaces another.
    """

    token_sha256: tuple[str, ...] = ()
    max_connections: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 16


class Uniqueness(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a partner may send but once; something that was rejected may always come again.

    `envelope`: a file name with other bytes, of any file or only of those named as the national
    platforms ask. `payload`: the same bytes under another name. `invoice`: the same invoice.
    The same bytes under the same name within `resend_window_hours` are no repetition: the sender
    missed our answer, and gets it once more.
    """

    envelope: Literal["refuse", "platform", "accept"] = "refuse"
    payload: Literal["refuse", "accept"] = "refuse"
    invoice: Literal["refuse", "warn", "off"] = "refuse"
    resend_window_hours: Annotated[int, msgspec.Meta(ge=1, le=8760)] = 168


class Statuses(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which invoices a partner may speak of in lifecycle messages.

    `own`: those it sent, and those whose seller or buyer is one of `parties` (SIREN, SIRET or VAT
    identifier); `any`: all, for a platform that others send their invoices through.
    """

    of: Literal["own", "any"] = "own"
    parties: tuple[str, ...] = ()


class Acknowledgements(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a partner gets beside the report as XML, which it always gets.

    `html`, the page to read: `auto` when something was refused, where people look into folders
    (not on its own server, nor by AS2); `refused` by every channel; `always`; `never`. `cdar`:
    lifecycle messages, one for each invoice or one for many, to the partner in its `role` (WK: a
    platform) at its electronic `address` (MDT-73). `portal`: to the public portal as well.
    """

    html: Literal["auto", "refused", "always", "never"] = "auto"
    json: bool = False
    csv: bool = False
    cdar: Literal["off", "single", "grouped"] = "off"
    role: Literal["WK", "SE", "BY", "SR", "AB"] = "WK"
    address: str = ""
    portal: bool = False

    @property
    def statuses(self) -> bool:
        """Whether anybody is told of each invoice's status."""
        return self.cdar != "off" or self.portal


class Portal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That this partner is the public portal (PPF): what it is told goes to it as well.

    `channels`: the tables of this file by which it does, each message by every one of them.
    """

    channels: tuple[Literal["sftp_remote", "as2", "folder", "sftp"], ...]


class Partner(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may send, in which flows, and in which language answers are written.

    `retention`: the class of what it sends; "" for that of the settings. `sla_minutes`: within
    which it was promised an acknowledgement; operators are told when one is late. 0: nothing was.
    `environment`: `test` while it tries things out; what it sends goes to other exchanges then.
    """

    name: str
    description: str = ""
    enabled: bool = True
    language: Language = Language.FR
    flows: tuple[str, ...] = ()
    retention: Literal["", "commercial", "tax", "operational", "keep"] = ""
    environment: Environment = Environment.PRODUCTION
    sla_minutes: Annotated[int, msgspec.Meta(ge=0, le=525_600)] = 0
    uniqueness: Uniqueness = Uniqueness()
    statuses: Statuses = Statuses()
    acknowledgements: Acknowledgements = Acknowledgements()
    sftp: SftpAccess | None = None
    as2: As2Access | None = None
    http: HttpAccess | None = None
    sftp_remote: SftpRemote | None = None
    folder: FolderAccess | None = None
    portal: Portal | None = None
