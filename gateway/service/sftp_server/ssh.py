"""One SSH connection: modern algorithms, login by key or password, and only the `sftp` subsystem.

No shell, command, terminal, forwarding, agent or X11: paramiko's `ServerInterface` refuses what a
subclass does not allow, and this one allows nothing but logins and `sftp`.
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)

from gateway.service.sftp_server.channel import Account
from gateway.service.sftp_server.home import Home
from gateway.service.sftp_server.logins import Accounts, Passwords
from gateway.service.sftp_server.pipe import Pipe
from gateway.service.sftp_server.subsystem import Session
from gateway.service.sftp_server.wire import Wire

CIPHERS = frozenset(
    {
        "aes128-ctr",
        "aes192-ctr",
        "aes256-ctr",
        "aes128-gcm@openssh.com",
        "aes256-gcm@openssh.com",
    }
)
MACS = frozenset(
    {
        "hmac-sha2-256",
        "hmac-sha2-512",
        "hmac-sha2-256-etm@openssh.com",
        "hmac-sha2-512-etm@openssh.com",
    }
)
KEY_EXCHANGES = frozenset(
    {
        "mlkem768x25519-sha256",
        "curve25519-sha256@libssh.org",
        "ecdh-sha2-nistp256",
        "ecdh-sha2-nistp384",
        "ecdh-sha2-nistp521",
        "diffie-hellman-group16-sha512",
        "diffie-hellman-group14-sha256",
    }
)
OUTDATED_SIGNATURES = ("ssh-rsa", "ssh-dss")
"""RSA keys are welcome, with SHA-2 signatures (RFC 8332)."""

CHANNELS_PER_CONNECTION = 10
MAX_USERNAME = 64
"""So much of what was given as a username goes to the log."""


class Connection(paramiko.ServerInterface):
    """One client. `homes` makes its home, `may_open` asks the daemon for one more session."""

    def __init__(
        self,
        wire: Wire,
        peer: str,
        *,
        accounts: Accounts,
        passwords: Passwords,
        host_keys: Sequence[paramiko.PKey],
        login_seconds: float,
        homes: Callable[[Account], Home],
        may_open: Callable[[str], str | None],
        over: Callable[[str], None],
        log: Any,
    ) -> None:
        self._wire = wire
        self._accounts = accounts
        self._passwords = passwords
        self.address = peer.rpartition(":")[0]
        self._homes = homes
        self._may_open = may_open
        self._over = over
        self.log = log.bind(peer=peer)
        self.sessions: dict[int, Session] = {}
        self.since = time.monotonic()
        self.last_active = self.since
        self._tried: set[str] = set()
        self.partner: str | None = None
        # paramiko's stub wants a socket; the documentation asks for no more than Wire has.
        self.transport = paramiko.Transport(wire)  # type: ignore[arg-type]
        self.transport.local_version = "SSH-2.0-edi-gateway"
        self.transport.banner_timeout = login_seconds
        self.transport.handshake_timeout = login_seconds
        self.transport.disabled_algorithms = {
            "pubkeys": OUTDATED_SIGNATURES,
            "keys": OUTDATED_SIGNATURES,
        }
        options = self.transport.get_security_options()
        options.ciphers = _only(options.ciphers, CIPHERS)
        options.digests = _only(options.digests, MACS)
        options.kex = _only(options.kex, KEY_EXCHANGES)
        options.compression = ("none",)
        for key in host_keys:
            self.transport.add_server_key(key)
        self.transport.set_subsystem_handler("sftp", _Subsystem)
        wire.reader = self.transport

    def start(self) -> None:
        """Begin, in threads of its own."""
        self.transport.start_server(event=threading.Event(), server=self)

    @property
    def account(self) -> Account | None:
        """Who this is, once logged in."""
        if not self.transport.is_authenticated():
            return None
        return self._accounts.named(self.transport.get_username() or "")

    def end_reason(self) -> str:
        """Why the connection is over, for the log."""
        error = self.transport.get_exception()
        return f"{type(error).__name__}: {error}"[:200] if error else ""

    @property
    def tried(self) -> list[str]:
        """Login methods tried in vain."""
        return sorted(self._tried)

    @property
    def claimed(self) -> str | None:
        """Who the client says it is; nothing is proven by that."""
        name = self.transport.get_username()
        return name[:MAX_USERNAME] if name else None

    # ---- paramiko asks

    def get_allowed_auths(self, username: str) -> str:
        """The same for every username: nobody learns which exist."""
        return "publickey,password" if self._accounts.passwords else "publickey"

    def check_auth_none(self, username: str) -> int:
        """Never."""
        return AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        """Asked before the signature is checked: a yes here is not a login yet."""
        if self._accounts.key_fits(username, key.asbytes()):
            return AUTH_SUCCESSFUL
        self._tried.add("publickey")
        return AUTH_FAILED

    def check_auth_password(self, username: str, password: str) -> int:
        """By bcrypt, unless too many were wrong. The daemon logs failures: it sees all of them."""
        if self._passwords.fit(self.address, username, password):
            return AUTH_SUCCESSFUL
        self._tried.add("password")
        return AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        """Only sessions."""
        account = self.account
        if kind != "session" or account is None or len(self.sessions) >= CHANNELS_PER_CONNECTION:
            return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        if self.partner is None:
            self.partner = account.partner
            self._wire.logged_in()
            handshake_is_over(self.transport.packetizer)
            self.log = self.log.bind(partner=account.partner)
            self.log.info("sftp_login")
        self.last_active = time.monotonic()
        return OPEN_SUCCEEDED

    def check_channel_subsystem_request(self, channel: paramiko.Channel, name: str) -> bool:
        """Only `sftp`, and only as often as the partner may."""
        self.transport.accept(0)  # Else paramiko keeps every channel in a list nobody reads.
        account = self.account
        if name != "sftp" or account is None or channel.get_id() in self.sessions:
            return False
        refusal = self._may_open(account.partner)
        if refusal is not None:
            self.log.warning("sftp_session_refused", reason=refusal)
            return False

        def alive() -> bool:
            return self.transport.is_active() and not channel.closed and not channel.eof_received

        session = Session(
            channel, self._homes(account), partner=account.partner, alive=alive, log=self.log
        )
        self.sessions[channel.get_id()] = session
        Pipe.put_into(channel, session, alone=lambda: len(self.sessions) == 1)
        try:
            return super().check_channel_subsystem_request(channel, name)
        except RuntimeError as error:  # No thread can be started.
            self.log.exception("sftp_session_failed", error=str(error))
            self.session_over(channel)
            return False

    def session_over(self, channel: paramiko.Channel) -> None:
        """Its thread is done with the channel."""
        self.last_active = time.monotonic()
        if self.sessions.pop(channel.get_id(), None) is not None and self.partner is not None:
            self._over(self.partner)


class _Subsystem(paramiko.SubsystemHandler):
    """The thread of one session."""

    def __init__(self, channel: paramiko.Channel, name: str, server: Connection) -> None:
        super().__init__(channel, name, server)
        self.daemon = True
        self._connection = server

    def start_subsystem(
        self, name: str, transport: paramiko.Transport, channel: paramiko.Channel
    ) -> None:
        try:
            self._connection.sessions[channel.get_id()].serve()
        finally:
            self._connection.session_over(channel)


def _only(offered: Sequence[str], allowed: frozenset[str]) -> tuple[str, ...]:
    """What of `offered` (older paramiko offers less) is allowed, in its order."""
    return tuple(each for each in offered if each in allowed)


def handshake_is_over(packetizer: Any) -> None:
    """Say so once. After each packet paramiko would say it again, and cancel its timer again."""
    if hasattr(packetizer, "complete_handshake"):
        packetizer.complete_handshake()
        packetizer.complete_handshake = lambda: None


def load_host_keys(pems: Mapping[str, str]) -> list[paramiko.PKey]:
    """The private keys the daemon sent."""
    classes: Mapping[str, type[paramiko.PKey]] = {
        "ed25519": paramiko.Ed25519Key,
        "ecdsa": paramiko.ECDSAKey,
        "rsa": paramiko.RSAKey,
    }
    return [classes[kind].from_private_key(io.StringIO(pem)) for kind, pem in pems.items()]
