"""People and what they may do; the commands that add, change and remove them.

They are in the journal, not in a file of their own: a change, its line in the audit and the end of
a login's sessions are one thing then, a backup has them, and there is one writer.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Container, Mapping
from enum import IntEnum
from typing import Annotated, Any, Literal

import msgspec
import sqlalchemy as sa

from gateway.service.control import CommandRefused, Handler
from gateway.service.journal import user_records
from gateway.service.journal.user_records import UserRow

NAME = r"^[a-z0-9][a-z0-9._@-]{0,63}$"
Name = Annotated[str, msgspec.Meta(pattern=NAME)]
Hash = Annotated[str, msgspec.Meta(pattern=r"^\$argon2id\$", max_length=500)]
RoleName = Literal["viewer", "operator", "administrator"]


class Role(IntEnum):
    """What somebody may do: look; act on what waits; everything."""

    VIEWER = 1
    OPERATOR = 2
    ADMINISTRATOR = 3

    @property
    def word(self) -> str:
        """As it is written in the journal and in commands."""
        return self.name.lower()


def role_named(word: str) -> Role:
    """The role; of a word nobody knows, the least one."""
    return Role.__members__.get(word.upper(), Role.VIEWER)


class AddUser(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of `user.add`."""

    name: Name
    role: RoleName
    password_hash: Hash
    partner: str = ""


class SetPassword(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of `user.password`."""

    name: Name
    password_hash: Hash


class RemoveUser(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of `user.remove`."""

    name: Name


class Users:
    """Answers commands about people; `handlers` is what `Control` wants.

    `journal` writes; `ended` hears whose sessions must end. `partners` None: whoever calls knows
    none, and any may be named.
    """

    def __init__(
        self,
        journal: Any,
        *,
        partners: Container[str] | None,
        ended: Callable[[str], None],
        log: Any,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._journal = journal
        self._partners = partners
        self._ended = ended
        self._log = log
        self._now = now

    def handlers(self) -> Mapping[str, Handler]:
        """Commands by name."""
        return {
            "user.add": self.add,
            "user.password": self.password,
            "user.remove": self.remove,
        }

    async def add(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Somebody new may log in: `{"name", "role", "partner"}`."""
        wanted = msgspec.convert(arguments, AddUser)
        if wanted.partner and wanted.role == "administrator":
            raise CommandRefused(
                "A login of a partner's own cannot be an administrator.",
                remedy="Make it a viewer, or an operator who may also send files.",
            )
        if wanted.partner and self._partners is not None and wanted.partner not in self._partners:
            raise CommandRefused(
                f'There is no partner "{wanted.partner}".', remedy="See: edi-gateway partner list"
            )
        now = self._now()
        row = UserRow(
            name=wanted.name,
            role=wanted.role,
            partner=wanted.partner,
            password_hash=wanted.password_hash,
            created_at=now,
            changed_at=now,
        )

        def write(conn: sa.Connection) -> bool:
            if user_records.user_named(conn, row.name) is not None:
                return False
            user_records.add_user(conn, row)
            return True

        if not await self._journal.write("user_add", write):
            raise CommandRefused(
                f'There is a user "{row.name}" already.',
                remedy="Choose another name, or: edi-gateway user password NAME",
            )
        self._log.info("user_added", user=row.name, role=row.role, partner=row.partner or None)
        return {"name": row.name, "role": row.role, "partner": row.partner}

    async def password(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Another password; every session of theirs ends: `{"name"}`."""
        wanted = msgspec.convert(arguments, SetPassword)
        now = self._now()

        def write(conn: sa.Connection) -> bool:
            return user_records.set_password(conn, wanted.name, wanted.password_hash, now)

        if not await self._journal.write("user_password", write):
            raise _nobody(wanted.name)
        self._ended(wanted.name)
        self._log.info("user_password_changed", user=wanted.name)
        return {"name": wanted.name}

    async def remove(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """May not log in any more, and is logged out: `{"name"}`."""
        wanted = msgspec.convert(arguments, RemoveUser)

        def write(conn: sa.Connection) -> bool:
            return user_records.remove_user(conn, wanted.name)

        if not await self._journal.write("user_remove", write):
            raise _nobody(wanted.name)
        self._ended(wanted.name)
        self._log.info("user_removed", user=wanted.name)
        return {"name": wanted.name}


def _nobody(name: str) -> CommandRefused:
    return CommandRefused(f'There is no user "{name}".', remedy="See: edi-gateway user list")
