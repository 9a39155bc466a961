"""A mail server on loopback for tests, by Twisted's own SMTP: STARTTLS or TLS, and a login."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import trustme
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet import defer, reactor, ssl
from twisted.mail import smtp
from twisted.mail.imap4 import LOGINCredentials, PLAINCredentials
from zope.interface import implementer

USER, PASSWORD = "edi", "mail-s3cret"


class Certified:
    """An authority, and the certificate it gave 127.0.0.1 and localhost."""

    def __init__(self, folder: Path, *names: str) -> None:
        authority = trustme.CA()
        self.ca_file = folder / "authority.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        given = authority.issue_cert(*(names or ("127.0.0.1", "localhost")))
        self.certificate = folder / "server.pem"
        given.private_key_and_cert_chain_pem.write_to_path(str(self.certificate))

    def context(self) -> Any:
        """For a server of Twisted's."""
        made = ssl.PrivateCertificate.loadPEM(self.certificate.read_bytes())
        return made.options()


class MailServer:
    """`came` is what was taken. `refuse` is answered instead of taking a mail.

    `tls` is "starttls", "implicit" or "none"; `login`: only who logged in may send.
    """

    def __init__(self, certified: Certified | None, *, tls: str, login: bool = True) -> None:
        self.came: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.encrypted: list[bool] = []
        self.refuse = ""
        self.unknown: set[str] = set()
        self._certified = certified
        self._tls = tls
        self._login = login
        self._listener: Any = None
        self.protocols: list[Any] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getHost().port)

    def start(self, port: int = 0) -> None:
        """Listen."""
        factory = _Factory(self)
        if self._tls == "implicit":
            assert self._certified is not None
            self._listener = reactor.listenSSL(
                port, factory, self._certified.context(), interface="127.0.0.1"
            )
        else:
            self._listener = reactor.listenTCP(port, factory, interface="127.0.0.1")

    async def stop(self) -> None:
        """Listen no more; whoever is there is hung up on."""
        listener, self._listener = self._listener, None
        if listener is not None:
            await defer.maybeDeferred(listener.stopListening)
        for protocol in self.protocols:
            if protocol.transport is not None:
                protocol.transport.abortConnection()

    def make(self) -> Any:
        """A protocol for one connection."""
        starts = self._certified.context() if self._certified and self._tls == "starttls" else None
        challengers = {b"LOGIN": LOGINCredentials, b"PLAIN": PLAINCredentials}
        made = smtp.ESMTP(challengers if self._login else {}, starts)
        made.delivery = None if self._login else _Delivery(self)
        checker = InMemoryUsernamePasswordDatabaseDontUse(**{USER: PASSWORD.encode()})
        made.portal = Portal(_Realm(self), [checker])
        made.host = b"mail.test"
        self.protocols.append(made)
        return made


class _Factory(smtp.SMTPFactory):
    noisy = False

    def __init__(self, server: MailServer) -> None:
        super().__init__()
        self._server = server

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802  # Twisted's name
        made = self._server.make()
        made.factory = self
        return made


class _Realm:
    def __init__(self, server: MailServer) -> None:
        self._server = server

    def requestAvatar(self, avatar: Any, mind: Any, *interfaces: Any) -> Any:  # noqa: N802
        return smtp.IMessageDelivery, _Delivery(self._server), lambda: None


@implementer(smtp.IMessageDelivery)
class _Delivery:
    def __init__(self, server: MailServer) -> None:
        self._server = server

    def receivedHeader(self, helo: Any, origin: Any, recipients: Any) -> bytes:  # noqa: N802
        return b"Received: by mail.test"

    def validateFrom(self, helo: Any, origin: Any) -> Any:  # noqa: N802
        if self._server.refuse:
            raise smtp.SMTPServerError(451, self._server.refuse)
        return origin

    def validateTo(self, user: Any) -> Any:  # noqa: N802
        if str(user.dest) in self._server.unknown:
            raise smtp.SMTPBadRcpt(user)
        return lambda: _Message(self._server, user)


@implementer(smtp.IMessage)
class _Message:
    def __init__(self, server: MailServer, user: Any) -> None:
        self._server = server
        self._user = user
        self._lines: list[bytes] = []

    def lineReceived(self, line: bytes) -> None:  # noqa: N802
        self._lines.append(line)

    def eomReceived(self) -> Any:  # noqa: N802
        server = self._server
        parsed = email.message_from_bytes(b"\r\n".join(self._lines), policy=email.policy.SMTP)
        assert isinstance(parsed, EmailMessage)
        server.came.append(parsed)
        server.recipients.append([str(self._user.dest)])
        server.encrypted.append(bool(self._user.protocol.startedTLS) or server._tls == "implicit")
        return defer.succeed(None)

    def connectionLost(self) -> None:  # noqa: N802
        self._lines.clear()
