"""What the daemon and an SFTP process say to each other, over the process's stdin and stdout.

Inherited pipes rather than a Unix socket in the state directory: nobody else can connect, there is
nothing to authenticate, no stale file to remove and no limit on the length of a path; and when the
daemon dies the process sees the end of its stdin.

The frames are those of `gateway.frames`: `B` carries `Boot` and `J` an `Order` to the process;
`R`, `E` and `D` (a `Word`) come back. Payloads are msgpack.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.config.settings import Sftp

LISTENER: Final = 3
"""The descriptor under which a process finds the listening socket."""

DecodeError = msgspec.DecodeError


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Who may log in: `keys` are public keys in SSH wire form, `password_hash` is bcrypt.

    `once_only`: what was fetched from `out/` is removed there; `keep_seconds`: so is what is older.
    """

    partner: str
    username: str
    keys: tuple[bytes, ...]
    password_hash: str | None
    require_rename: bool
    once_only: bool = False
    keep_seconds: float = 7 * 86_400.0


class Boot(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a process needs; secret parts travel here and never on a command line.

    `index` 0 is the one that sweeps. `host_keys`: kind (see `keys.KINDS`) → private key in PEM.
    `proof_key` makes of a password what the daemon remembers it by.
    """

    index: int
    settings: Sftp
    state: str
    accounts: tuple[Account, ...]
    host_keys: dict[str, str]
    proof_key: bytes
    log_level: str


def for_index(boot: Boot, index: int) -> Boot:
    """The same for another process."""
    return msgspec.structs.replace(boot, index=index)


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """To question `id`: `granted` (an interchange id for a file), or not, and why.

    `delay`: so many seconds shall pass before the password is looked at.
    """

    id: int
    granted: str | None
    reason: str = ""
    delay: float = 0.0


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """Take no new connection; be gone within `grace` seconds."""

    grace: float


class Learn(msgspec.Struct, frozen=True, tag="learn"):
    """These, and nobody else, may log in from now on; the process answers with `Learnt`."""

    accounts: tuple[Account, ...]


Order = Answer | Stop | Learn


class Received(msgspec.Struct, frozen=True, tag="received"):
    """A complete file is in the spool; its sender waits for the answer."""

    id: int
    partner: str
    name: str
    sha256: str
    size: int


class Fetched(msgspec.Struct, frozen=True, tag="fetched"):
    """The partner has read this file of `out/` to its end; `id` 0: the answer does not matter."""

    id: int
    partner: str
    name: str


class Expired(msgspec.Struct, frozen=True, tag="expired"):
    """Asks whether this file, which has lain in `out/` as long as agreed, may be removed."""

    id: int
    partner: str
    name: str


class SessionWanted(msgspec.Struct, frozen=True, tag="session-wanted"):
    """Asks whether this partner may have one session more."""

    id: int
    partner: str


class SessionEnded(msgspec.Struct, frozen=True, tag="session-ended"):
    """A granted session is over."""

    partner: str


class LoginWanted(msgspec.Struct, frozen=True, tag="login-wanted"):
    """Asks whether a password may be looked at. `proof` stands for login and password."""

    id: int
    address: str
    login: str
    proof: bytes


class LoginTried(msgspec.Struct, frozen=True, tag="login-tried"):
    """A password was right or wrong."""

    address: str
    login: str
    proof: bytes
    right: bool


class Learnt(msgspec.Struct, frozen=True, tag="learnt"):
    """The answer to `Learn`, in the order they came: no login goes by older accounts any more."""


Word = (
    Received | Fetched | Expired | SessionWanted | SessionEnded | LoginWanted | LoginTried | Learnt
)

encode = msgspec.msgpack.encode
decode_boot = msgspec.msgpack.Decoder(Boot).decode
decode_order = msgspec.msgpack.Decoder(Order).decode
decode_word = msgspec.msgpack.Decoder(Word).decode
