"""The partner's own servers, reached: `edi-gateway partner check --connect`.

As far as one gets without a message: to its AS2 server, TLS and its certificate included; into its
SFTP server and to the folders that the partner's file names. Nothing is posted, fetched, moved or
written. Blocks, for a bounded time.
"""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography import x509

from gateway.cli.partner_reach_words import WORDS
from gateway.cli.probes import Outcome, Result
from gateway.config.certificates import days_left
from gateway.config.loader import Reading
from gateway.errors import Fault, GatewayError
from gateway.model.as2 import As2Access
from gateway.model.partner import SftpRemote
from gateway.model.verdict import Language

CHECK: Final = "connection"
SECONDS: Final = 15.0
"""How long a connection may take to stand, all addresses together, and each answer to come."""
COUNTED: Final = 1000
"""Names in a folder after which nobody counts on."""


def reach(reading: Reading, name: str, now: dt.datetime, language: Language) -> Iterator[Outcome]:
    """An outcome for each server and each folder there."""
    partner = reading.configuration.partners[name]
    file = str(reading.partner_files[name])
    say = _Words(file, language)
    posted_to = partner.as2 if partner.as2 and partner.as2.url else None
    if posted_to is not None:
        warn_days = reading.configuration.settings.as2.expiry_warning_days
        yield _as2(say, posted_to, now, warn_days)
    if partner.sftp_remote is not None:
        yield from _sftp(say, partner.sftp_remote)
    elif posted_to is None:
        yield say.outcome(Result.SKIPPED, name, "no server")


class _Words:
    """Outcomes, in one language and about one file."""

    def __init__(self, file: str, language: Language) -> None:
        self._file = file
        self._language = language

    def text(self, word: str, **values: Any) -> str:
        """A sentence."""
        return WORDS[word].to(self._language).format(**values)

    def outcome(self, result: Result, subject: str, word: str, **values: Any) -> Outcome:
        """How it went, in a word."""
        detail = self.text(word, **values)
        return Outcome(check=CHECK, subject=subject, result=result, detail=detail)

    def wrong(
        self, subject: str, key: str, what: str, remedy: str, *, result: Result = Result.FAULT
    ) -> Outcome:
        """What would fail, or should be known, and what to do."""
        fault = Fault(file=self._file, key=key, what=what, remedy=remedy)
        return Outcome(check=CHECK, subject=subject, result=result, fault=fault)

    def failed(self, subject: str, key: str, error: GatewayError, *, remedy: str = "") -> Outcome:
        """What the gateway itself would say of it, which is English."""
        remedy = remedy or self.text("do", remedy=error.remedy or self.text("look"))
        return self.wrong(subject, key, self.text("failed", why=error.what), remedy)


# ---- AS2


def _as2(say: _Words, access: As2Access, now: dt.datetime, warn_days: int) -> Outcome:
    url = access.url
    try:
        secured = _secured(url, access.tls_ca_file)
    except GatewayError as error:
        return say.failed(url, "as2.url", error)
    if secured is None:
        return say.outcome(Result.OK, url, "connected")
    version, certificate = secured
    left, until = days_left(certificate, now), certificate.not_valid_after_utc
    if left < warn_days:
        what = say.text("ends soon", days=left, until=until)
        return say.wrong(url, "as2.url", what, say.text("ask to renew"), result=Result.NOTICE)
    return say.outcome(Result.OK, url, "secured", version=version, until=until)


def _secured(url: str, ca_file: str) -> tuple[str, x509.Certificate] | None:
    """The version of TLS and the server's certificate; None without TLS.

    Trusted is what sending trusts. Raises `DeliveryFailed`.
    """
    from gateway.service.as2.posting import not_reached

    parts = urlsplit(url)
    host, tls = parts.hostname or "", parts.scheme == "https"
    try:
        with closing(_connected(url, host, parts.port or (443 if tls else 80))) as connection:
            if not tls:
                return None
            # The authorities of the partner's file alone, or else those of this system.
            context = ssl.create_default_context(cafile=ca_file or None)
            with context.wrap_socket(connection, server_hostname=host) as secured:
                shown = secured.getpeercert(binary_form=True) or b""
                return secured.version() or "TLS", x509.load_der_x509_certificate(shown)
    except (OSError, ValueError) as error:  # a ValueError: a name or certificate that is none
        raise not_reached(url, error, ca_file) from error


def _connected(url: str, host: str, port: int) -> socket.socket:
    """A connection to an address that sending would connect to. Raises OSError."""
    from gateway.service.as2.posting import leads_inside
    from gateway.service.as2.resolving import means_it, reaches_inside

    addresses = [
        str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    ]
    outside = [each for each in addresses if means_it(host) or not reaches_inside(each)]
    if not outside:
        raise leads_inside(url, addresses[0])
    last: OSError | None = None
    for address in outside:
        try:
            return socket.create_connection((address, port), max(3.0, SECONDS / len(outside)))
        except OSError as error:
            last = error
    assert last is not None
    raise last


# ---- SFTP


def _sftp(say: _Words, remote: SftpRemote) -> Iterator[Outcome]:
    from gateway.service.sftp_client.connection import Connection, Patience

    place = f"{remote.host} port {remote.port}"
    connection = Connection(remote, Patience(SECONDS, SECONDS, SECONDS))
    # Some of paramiko's waits have no end of their own.
    cutting = threading.Timer(3 * SECONDS, connection.cut)
    cutting.daemon = True
    cutting.start()
    try:
        connection.open()
        yield say.outcome(Result.OK, place, "logged in", username=remote.username)
        session = connection.session
        if remote.fetch_from:
            yield _folder(
                say, remote.fetch_from, "fetch_from", lambda path: _listed(say, session, path)
            )
        for key, folder in (("move_to", remote.move_to), ("push_to", remote.push_to)):
            if folder:
                yield _folder(say, folder, key, lambda path: _there(say, session, path))
    except GatewayError as error:
        yield say.failed(place, "sftp_remote", error)
    finally:
        cutting.cancel()
        connection.cut()


def _folder(say: _Words, folder: str, key: str, look: Callable[[bytes], str]) -> Outcome:
    """One folder there. Raises `RemoteAway` when the connection is lost."""
    from gateway.service.sftp_client.errors import RemoteRefused

    subject, key = f"{key} {folder}", f"sftp_remote.{key}"
    try:
        detail = look(folder.encode())
    except RemoteRefused as error:
        return say.failed(subject, key, error, remedy=say.text("ask for folder", key=key))
    except NotADirectoryError:
        return say.wrong(subject, key, say.text("no folder"), say.text("ask for folder", key=key))
    return Outcome(check=CHECK, subject=subject, result=Result.OK, detail=detail)


def _listed(say: _Words, session: Any, path: bytes) -> str:
    names = (each for each in session.listing(path) if each.name not in {b".", b".."})
    number = sum(1 for _ in islice(names, COUNTED))
    few = {0: "nothing", 1: "one entry"}.get(number, "entries")
    counted = say.text("many entries" if number == COUNTED else few, number=number)
    return say.text("listed", count=counted)


def _there(say: _Words, session: Any, path: bytes) -> str:
    """Looked at and not listed: where we leave files we may not be allowed to read."""
    mode = session.look(path).permissions
    if mode is not None and stat.S_ISREG(mode):
        raise NotADirectoryError
    return say.text("there")
