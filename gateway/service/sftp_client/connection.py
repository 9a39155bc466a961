"""One connection to a partner's SFTP server: the right server, our login, an SFTP session.

It belongs to the thread that opened it; only `cut` and `overdue` may be called from elsewhere.
Some of paramiko's waits have no time limit, so the reactor looks at `overdue` and cuts: the socket
ends, and with it every wait.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import logging
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import paramiko

from gateway.model.partner import SftpRemote
from gateway.service.sftp_client.errors import HostKeyRefused, LoginRefused
from gateway.service.sftp_client.session import Session, away_if_broken
from gateway.service.sftp_server.ssh import CIPHERS, KEY_EXCHANGES, MACS, OUTDATED_SIGNATURES
from gateway.service.sftp_server.wire import Wire

_KEY_CLASSES: tuple[type[paramiko.PKey], ...] = (
    paramiko.Ed25519Key,
    paramiko.ECDSAKey,
    paramiko.RSAKey,
)
_RSA_SIGNATURES = ("rsa-sha2-512", "rsa-sha2-256")

# paramiko reports every failed attempt with a traceback; here each is an exception, told once.
_PARAMIKO_LOG = "gateway.service.sftp_client.paramiko"
logging.getLogger(_PARAMIKO_LOG).addHandler(logging.NullHandler())
logging.getLogger(_PARAMIKO_LOG).propagate = False


@dataclass(frozen=True, slots=True)
class Patience:
    """How many seconds to wait for a server: for its TCP, for the login, for any answer."""

    connect: float = 15.0
    login: float = 30.0
    answer: float = 60.0


class Connection:
    """A connection that `open` makes."""

    def __init__(self, remote: SftpRemote, patience: Patience) -> None:
        self._remote = remote
        self._patience = patience
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._cut = False
        self.hung = False
        """Cut because it was overdue."""
        self._due: float | None = None
        self._transport: paramiko.Transport | None = None
        self._session: Session | None = None

    # ---- from any thread

    def cut(self) -> None:
        """End it: whoever waits for something gets an error at once. Does not block."""
        with self._lock:
            self._cut = True
            if self._socket is not None:
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    def overdue(self) -> bool:
        """Whether the server owes an answer for longer than anybody waits."""
        due = self._due
        return due is not None and time.monotonic() > due

    @property
    def alive(self) -> bool:
        """Whether it is of use."""
        transport = self._transport
        return not self._cut and transport is not None and transport.is_active()

    # ---- from the thread it belongs to

    def open(self) -> None:
        """Connect, check the server, log in, open SFTP. Raises `RemoteAway`."""
        place = f"{self._remote.host} port {self._remote.port}"
        try:
            # Twice the time that the steps take by themselves: this is for those without a limit.
            self._expect(2 * (self._patience.connect + self._patience.login))
            with away_if_broken(
                f"The SFTP server {place} cannot be reached",
                "Check sftp_remote.host and port, the network, and with the partner.",
            ):
                wire = Wire(self._connected())
            with away_if_broken(
                f"The SSH connection to {place} failed",
                "Ask the partner whether its server is well, and which algorithms it has.",
            ):
                self._secure(wire)
                self._log_in(place)
                wire.logged_in()
                self._session = self._sftp()
        except BaseException:
            self.cut()
            raise
        finally:
            self.rest()

    @property
    def session(self) -> Session:
        """The SFTP session; asking for it says that the server will be asked something."""
        assert self._session is not None
        self._answered()
        return self._session

    def rest(self) -> None:
        """Nothing is asked for now, so nothing is overdue."""
        self._due = None

    def _expect(self, seconds: float) -> None:
        self._due = time.monotonic() + seconds

    def _answered(self) -> None:
        # A little later than the channel's own time limit, whose error says more.
        self._expect(self._patience.answer * 1.1 + 1.0)

    def _connected(self) -> socket.socket:
        addresses = socket.getaddrinfo(
            self._remote.host, self._remote.port, type=socket.SOCK_STREAM
        )
        last: OSError = OSError("no address")
        for family, kind, number, _, address in addresses:
            connecting = socket.socket(family, kind, number)
            with self._lock:
                if self._cut:
                    connecting.close()
                    raise OSError("stopped")
                self._socket = connecting
            try:
                connecting.settimeout(self._patience.connect)
                connecting.connect(address)
            except OSError as error:
                connecting.close()
                last = error
            else:
                return connecting
        raise last

    def _secure(self, wire: Wire) -> None:
        pinned = _pinned(self._remote.host_key)
        # paramiko's stub wants a socket; the documentation asks for no more than Wire has.
        transport = paramiko.Transport(wire)  # type: ignore[arg-type]
        self._transport = wire.reader = transport
        transport.set_log_channel(_PARAMIKO_LOG)
        transport.local_version = "SSH-2.0-edi-gateway"
        transport.auth_timeout = self._patience.login
        transport.channel_timeout = self._patience.login
        transport.disabled_algorithms = {
            "pubkeys": OUTDATED_SIGNATURES,
            "keys": OUTDATED_SIGNATURES,
        }
        options = transport.get_security_options()
        options.ciphers = tuple(each for each in options.ciphers if each in CIPHERS)
        options.digests = tuple(each for each in options.digests if each in MACS)
        options.kex = tuple(each for each in options.kex if each in KEY_EXCHANGES)
        options.compression = ("none",)
        # The kind of key that is pinned first: a server with several shows that one. The others
        # are refused all the same, but then the log can name the key.
        known = [each for each in options.key_types if each not in OUTDATED_SIGNATURES]
        options.key_types = tuple(sorted(known, key=lambda each: each not in pinned.signatures))
        transport.start_client(timeout=self._patience.login)
        try:
            shown = transport.get_remote_server_key()
        except paramiko.SSHException:  # what is left of a time limit that passed in silence
            raise TimeoutError from None
        if shown.asbytes() != pinned.key:
            raise HostKeyRefused(
                f"{self._remote.host} port {self._remote.port} shows the host key"
                f" {fingerprint(shown.asbytes())} ({shown.get_name()}); the partner file says"
                f" {fingerprint(pinned.key)} ({pinned.kind}). The connection was refused.",
                remedy="If the partner confirms, by telephone, that this is its new key, put it"
                " into sftp_remote.host_key; if not, somebody may be in between.",
            )

    def _log_in(self, place: str) -> None:
        remote, transport = self._remote, self._transport
        assert transport is not None
        key = _private_key(Path(remote.key_file)) if remote.key_file else None
        password = _password(Path(remote.password_file)) if remote.password_file else None
        ours = f"our public key {fingerprint(key.asbytes())}" if key else "no key"
        try:
            if key is not None:
                transport.auth_publickey(remote.username, key)
            if password is not None and not transport.is_authenticated():
                transport.auth_password(remote.username, password)
        except paramiko.AuthenticationException as error:
            if not transport.is_active():
                raise
            raise LoginRefused(
                f'{place} does not let "{remote.username}" in ({ours}'
                f"{', with a password' if password is not None else ''}): {error}",
                remedy="Compare username, key and password in sftp_remote with the partner.",
            ) from None
        if not transport.is_authenticated():
            raise LoginRefused(
                f'{place} wants more than {ours} to let "{remote.username}" in.',
                remedy="Ask the partner how to log in, and set key_file or password_file.",
            )

    def _sftp(self) -> Session:
        assert self._transport is not None
        channel = self._transport.open_session(timeout=self._patience.login)
        channel.settimeout(self._patience.answer)
        channel.invoke_subsystem("sftp")
        return Session(channel, self._answered)


# ---- keys and secrets, which no message here ever holds


@dataclass(frozen=True, slots=True)
class _Pinned:
    """The host key of the partner file."""

    kind: str
    key: bytes

    @property
    def signatures(self) -> tuple[str, ...]:
        """How a server proves that it has this key (RFC 8332 for RSA)."""
        return _RSA_SIGNATURES if self.kind == "ssh-rsa" else (self.kind,)


def _pinned(line: str) -> _Pinned:
    try:
        kind, encoded = line.split()[:2]
        return _Pinned(kind, base64.b64decode(encoded, validate=True))
    except (ValueError, binascii.Error):
        raise HostKeyRefused(
            "sftp_remote.host_key is no OpenSSH public key.",
            remedy="Put in what ssh-keyscan prints, without the host in front, once the partner"
            " confirmed its fingerprint.",
        ) from None


def fingerprint(key: bytes) -> str:
    """As OpenSSH writes it, to be compared by eye."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def _private_key(path: Path) -> paramiko.PKey:
    text = _secret(path, "key_file")
    for each in _KEY_CLASSES:
        with suppress(paramiko.SSHException, ValueError, TypeError, IndexError):
            return each.from_private_key(io.StringIO(text))
    raise LoginRefused(
        f"{path} is no private key that can be used.",
        remedy="Make one without a passphrase: ssh-keygen -t ed25519 -N '' -f FILE.",
    )


def _password(path: Path) -> str:
    password = _secret(path, "password_file").rstrip("\r\n")
    if not password:
        raise LoginRefused(f"{path} is empty.", remedy="Put the password in it, one line.")
    return password


def _secret(path: Path, setting: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise LoginRefused(
            f"{path} (sftp_remote.{setting}) cannot be read: {why}.",
            remedy="Name a file that the gateway's user can read.",
        ) from None
