"""The life of an SFTP process: who may connect, who stays, and what goes by itself."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from gateway.garbage import Leftovers
from gateway.service.sftp_server import channel, logins, ssh
from gateway.service.sftp_server.expiry import sweep
from gateway.service.sftp_server.folders import in_folder, out_folder
from gateway.service.sftp_server.handover import Receipt
from gateway.service.sftp_server.home import Home
from gateway.service.sftp_server.incoming import Incoming
from gateway.service.sftp_server.outgoing import Outgoing, expire
from gateway.service.sftp_server.receipts import Daemon
from gateway.service.sftp_server.wire import Wire
from gateway.service.sparing import Sparing
from gateway.spool import Spool

MAX_NOT_LOGGED_IN = 100
MAX_NOT_LOGGED_IN_PER_ADDRESS = 50
"""Of these: one address cannot take all the places in which others would log in."""
CROWDED_SECONDS = 10.0
"""A flood of connections is one line in the log in so many seconds."""
STRANGERS, STRANGERS_SECONDS = 60, 60.0
"""So many ends of connections that never logged in are told in so many seconds."""
SWEEP_SECONDS = 30.0
_TICK_SECONDS = 0.5


class _Receipts:
    """The way one partner's files take to the daemon (`incoming.Receipts`)."""

    def __init__(self, daemon: Daemon, partner: str, seconds: float) -> None:
        self._daemon = daemon
        self._partner = partner
        self._seconds = seconds

    def ask(
        self, name: str, sha256: str, size: int, late: Callable[[Receipt], None]
    ) -> Receipt | None:
        """Ask, and wait."""
        return self._daemon.receive(
            self._partner, name, sha256, size, seconds=self._seconds, late=late
        )


class SftpProcess:
    """Accepts connections and watches over them."""

    def __init__(
        self, boot: channel.Boot, daemon: Daemon, listener: socket.socket, log: Any
    ) -> None:
        self._boot = boot
        self._settings = boot.settings
        self._daemon = daemon
        self._listener = listener
        self._log = log
        self._state = Path(boot.state)
        self._accounts = logins.Accounts(())
        self._passwords = logins.Passwords(
            self._accounts,
            daemon,
            key=boot.proof_key,
            patience_seconds=self._settings.login_timeout_seconds,
        )
        self._spool = Spool(self._state / "spool")
        self._host_keys = ssh.load_host_keys(boot.host_keys)
        self._incoming: dict[str, Incoming] = {}
        self._keep_seconds: dict[str, float] = {}
        self.learn(boot.accounts)
        self._connections: list[ssh.Connection] = []
        self._stop_at: float | None = None
        self._crowding = Sparing(1, CROWDED_SECONDS, time.monotonic)
        self._strangers = Sparing(STRANGERS, STRANGERS_SECONDS, time.monotonic)
        self._wake_reader, self._wake_writer = os.pipe()
        self._swept = -SWEEP_SECONDS  # at once: it may have been down for days
        self._leftovers = Leftovers(time.monotonic)  # paramiko's transports are full of circles

    def learn(self, accounts: Sequence[channel.Account]) -> None:
        """From now on these may log in. Any thread may call it.

        Sessions go on as they are; those of a partner that is no longer among them end when they
        upload nothing.
        """
        added = {}
        for account in accounts:
            known = self._incoming.get(account.partner)
            if known is not None:
                known.require_rename = account.require_rename
                continue
            seconds = self._settings.receipt_timeout_seconds
            added[account.partner] = Incoming(
                in_folder(self._state, account.partner),
                settings=self._settings,
                require_rename=account.require_rename,
                spool=self._spool,
                receipts=_Receipts(self._daemon, account.partner, seconds),
                log=self._log.bind(partner=account.partner),
            )
        # Another dictionary: other threads are going through this one.
        self._incoming = {**self._incoming, **added}
        self._keep_seconds = {each.partner: each.keep_seconds for each in accounts}
        self._accounts.replace(accounts)

    def stop(self, grace: float) -> None:
        """Begin to end. Any thread may call it."""
        self._stop_at = time.monotonic() + grace
        os.write(self._wake_writer, b"!")

    def run(self) -> None:
        """Serve until stopped and done."""
        self._listener.setblocking(False)
        listening = True
        while True:
            wanted: list[Any] = [self._wake_reader, *([self._listener] if listening else [])]
            ready, _, _ = select.select(wanted, [], [], _TICK_SECONDS if listening else 0.05)
            if self._wake_reader in ready:
                os.read(self._wake_reader, 64)
            if self._stop_at is not None and listening:
                listening = False
                self._listener.close()
            if listening and self._listener in ready:
                self._accept()
            self._watch()
            if self._stop_at is not None and (
                not self._connections or time.monotonic() >= self._stop_at
            ):
                return

    def _accept(self) -> None:
        if self._settings.processes > 1:
            # All processes wake up for a connection; the least busy one shall get it.
            time.sleep(min(len(self._connections), 10) * 0.002)
        try:
            accepted, address = self._listener.accept()
        except (BlockingIOError, ConnectionError):
            return  # Another process was quicker, or the client left.
        except OSError as error:
            self._log.error("sftp_accept_failed", error=str(error))
            time.sleep(0.2)  # No descriptor is free: the listener stays ready, do not spin.
            return
        if self._crowded(address[0]):
            accepted.close()
            return
        wire = Wire(accepted)
        try:
            connection = ssh.Connection(
                wire,
                f"{address[0]}:{address[1]}",
                accounts=self._accounts,
                passwords=self._passwords,
                host_keys=self._host_keys,
                login_seconds=self._settings.login_timeout_seconds,
                homes=self._home,
                may_open=self._daemon.may_open,
                over=self._daemon.session_over,
                log=self._log,
            )
            connection.start()
        except RuntimeError as error:  # No thread can be started.
            self._log.error("sftp_connection_failed", peer=address[0], error=str(error))
            accepted.close()
            return
        self._connections.append(connection)

    def _crowded(self, address: str) -> bool:
        """Whether too many are about to log in, at all or from this address."""
        waiting = [each.address for each in self._connections if each.partner is None]
        here = waiting.count(address)
        if len(waiting) < MAX_NOT_LOGGED_IN and here < MAX_NOT_LOGGED_IN_PER_ADDRESS:
            return False
        left_out = self._crowding.allows()
        if left_out is not None:
            self._log.warning(
                "sftp_too_many_logins_at_once", peer=address, from_there=here, **left_out
            )
        return True

    def _home(self, account: channel.Account) -> Home:
        partner, daemon = account.partner, self._daemon

        def fetched(name: str) -> bool:
            if account.once_only:
                return daemon.may_go_fetched(partner, name)
            daemon.fetched(partner, name)
            return False

        out = Outgoing(
            out_folder(self._state, partner),
            once_only=account.once_only,
            fetched=fetched,
            log=self._log.bind(partner=partner),
        )
        return Home(self._incoming[partner], out)

    def _watch(self) -> None:
        now = time.monotonic()
        gone = [each for each in self._connections if not each.transport.is_active()]
        for connection in gone:
            # Its sessions may still be at work on what had arrived: gone once they are done.
            if not connection.sessions:
                self._connections.remove(connection)
                self._say_over(connection)
                self._leftovers.leave()
        self._leftovers.look()
        for connection in self._connections:
            self._end_if_due(connection, now)
        if self._boot.index == 0 and now - self._swept > SWEEP_SECONDS:
            self._swept = now
            threading.Thread(target=self._sweep, daemon=True).start()

    def _say_over(self, connection: ssh.Connection) -> None:
        logged_in = connection.partner is not None
        left_out = {} if logged_in else self._strangers.allows()
        if left_out is not None:
            connection.log.info(
                "sftp_connection_over",
                logged_in=logged_in,
                username=connection.claimed,
                refused=connection.tried,
                reason=connection.end_reason(),
                **left_out,
            )

    def _end_if_due(self, connection: ssh.Connection, now: float) -> None:
        if not connection.transport.is_active():
            return
        if connection.partner is None:
            late = now - connection.since > self._settings.login_timeout_seconds
            if late or self._stop_at is not None:
                connection.transport.close()
            return
        sessions = list(connection.sessions.values())
        last = max([connection.last_active, *(each.last_active for each in sessions)])
        idle = now - last > self._settings.idle_timeout_seconds
        unwanted = self._stop_at is not None or connection.partner not in self._accounts.partners
        leaving = unwanted and not any(each.uploading for each in sessions)
        if not idle and not leaving:
            return
        held = [each for each in sessions if each.working.acquire(blocking=False)]
        try:
            if len(held) == len(sessions):
                connection.transport.close()
        finally:
            for session in held:
                session.working.release()

    def _sweep(self) -> None:
        for partner, incoming in self._incoming.items():
            try:
                sweep(
                    incoming.notes,
                    incoming.locks,
                    out_folder(self._state, partner),
                    visible_seconds=self._settings.accepted_visible_seconds,
                    expiry_seconds=self._settings.partial_expiry_hours * 3600.0,
                    log=self._log.bind(partner=partner),
                )
                self._expire(partner)
            except OSError as error:
                self._log.error("sftp_sweep_failed", partner=partner, error=str(error))

    def _expire(self, partner: str) -> None:
        """What was not fetched in time. Of a partner that may log in no more all stays."""
        seconds = self._keep_seconds.get(partner)
        if seconds is not None:
            folder = out_folder(self._state, partner)
            may_go = partial(self._daemon.may_go_expired, partner)
            expire(folder, time.time() - seconds, may_go)
