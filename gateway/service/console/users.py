"""People and what they may do; the commands that add, change and remove them.

They are in the journal, not in a file of their own: a change, its line in the audit and the end of
a login's sessions are one thing then, a backup has them, and there is one writer.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Container, Mapping
from enum import IntEnum
from typing import Annotated, Any, Final, Literal

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


_ADMINISTRATOR: Final = Role.ADMINISTRATOR.word


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


class SetRole(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of `user.role`."""

    name: Name
    role: RoleName


class NamedUser(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of `user.remove` and `user.logout`."""

    name: Name


class Users:
    """Answers commands about people; `handlers` is what `Control` wants.

    `journal` writes; `ended` hears whose sessions must end, and says how many did. `partners` None:
    whoever calls knows none, and any may be named. The last administrator stays one: whoever runs
    the gateway is not to lock everybody out by accident.
    """

    def __init__(
        self,
        journal: Any,
        *,
        partners: Container[str] | None,
        ended: Callable[[str], int],
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
            "user.role": self.role,
            "user.logout": self.logout,
            "user.remove": self.remove,
        }

    async def add(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Somebody new may log in: `{"name", "role", "partner"}`."""
        wanted = msgspec.convert(arguments, AddUser)
        if wanted.partner and wanted.role == _ADMINISTRATOR:
            raise _partners_administrator()
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

    async def role(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Another role; every session of theirs ends: `{"name", "role"}`."""
        wanted = msgspec.convert(arguments, SetRole)

        def write(conn: sa.Connection) -> UserRow:
            row = _known(conn, wanted.name)
            if wanted.role != _ADMINISTRATOR:
                _keep_one_administrator(conn, row)
            elif row.partner:
                raise _partners_administrator()
            user_records.set_role(conn, wanted.name, wanted.role)
            return row

        before = await self._journal.write("user_role", write)
        self._ended(wanted.name)
        self._log.info("user_role_changed", user=wanted.name, role=wanted.role, before=before.role)
        return {"name": wanted.name, "role": wanted.role}

    async def logout(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Logged out wherever they are logged in: `{"name", "sessions"}`."""
        wanted = msgspec.convert(arguments, NamedUser)
        await self._journal.write("user_logout", lambda conn: _known(conn, wanted.name))
        number = self._ended(wanted.name)
        self._log.info("user_logged_out", user=wanted.name, sessions=number)
        return {"name": wanted.name, "sessions": number}

    async def remove(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """May not log in any more, and is logged out: `{"name"}`."""
        wanted = msgspec.convert(arguments, NamedUser)

        def write(conn: sa.Connection) -> None:
            _keep_one_administrator(conn, _known(conn, wanted.name))
            user_records.remove_user(conn, wanted.name)

        await self._journal.write("user_remove", write)
        self._ended(wanted.name)
        self._log.info("user_removed", user=wanted.name)
        return {"name": wanted.name}


def _known(conn: sa.Connection, name: str) -> UserRow:
    """The one of this name. Raises `CommandRefused`."""
    row = user_records.user_named(conn, name)
    if row is None:
        raise _nobody(name)
    return row


def _keep_one_administrator(conn: sa.Connection, row: UserRow) -> None:
    """Raise `CommandRefused` when this is the only administrator there is."""
    if row.role != _ADMINISTRATOR:
        return
    if user_records.others_of_role(conn, _ADMINISTRATOR, row.name) == 0:
        raise CommandRefused(
            f'"{row.name}" is the last administrator.',
            remedy="Make another one first: edi-gateway user add NAME --role administrator",
        )


def _partners_administrator() -> CommandRefused:
    return CommandRefused(
        "A login of a partner's own cannot be an administrator.",
        remedy="Make it a viewer, or an operator who may also send files.",
    )


def _nobody(name: str) -> CommandRefused:
    return CommandRefused(f'There is no user "{name}".', remedy="See: edi-gateway user list")
