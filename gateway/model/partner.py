"""A partner as its file in conf/partners describes it."""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateway.model.as2 import As2Access
from gateway.model.verdict import Language


class SftpAccess(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a partner logs in to the SFTP server.

    `username` defaults to the partner's name. `authorized_keys` are OpenSSH public-key lines.
    `password_hash` is a bcrypt hash. With `require_rename`, a file is taken in only when it is
    renamed from a temporary name to its final one.
    """

    username: str | None = None
    authorized_keys: tuple[str, ...] = ()
    password_hash: str | None = None
    require_rename: bool = False
    max_sessions: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 16


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


class Partner(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may send, in which flows, and in which language answers are written."""

    name: str
    description: str = ""
    enabled: bool = True
    language: Language = Language.FR
    flows: tuple[str, ...] = ()
    sftp: SftpAccess | None = None
    as2: As2Access | None = None
    http: HttpAccess | None = None
    sftp_remote: SftpRemote | None = None
    folder: FolderAccess | None = None
