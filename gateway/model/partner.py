"""A partner as its file in conf/partners describes it."""

from __future__ import annotations

from typing import Annotated

import msgspec

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


class Partner(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may send, in which flows, and in which language answers are written."""

    name: str
    description: str = ""
    enabled: bool = True
    language: Language = Language.FR
    flows: tuple[str, ...] = ()
    sftp: SftpAccess | None = None
