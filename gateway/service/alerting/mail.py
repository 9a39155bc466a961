"""An alert as a mail, by the operator's mail server: STARTTLS or TLS, and a login.

Twisted's errors carry the whole conversation, the login among it: only a reply's code and text is
ever repeated.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Final

from twisted.internet import defer
from twisted.internet.ssl import optionsForClientTLS
from twisted.mail import smtp

from gateway.config.alert_settings import Mail
from gateway.config.files import read_secret
from gateway.errors import DeliveryFailed
from gateway.model.verdict import Language
from gateway.service.alerting.messages import AlertMessage, mail_of
from gateway.service.alerting.trust import SECONDS, authorities, why_unreachable
from gateway.service.alerting.words import unlinked

CONNECT_SECONDS: Final = 20
_REMEDY: Final = "Check alerts.mail; it is tried again by itself."

# Twisted's mail and TLS have no annotations.
_factory: Any = smtp.ESMTPSenderFactory
_tls: Any = optionsForClientTLS


class MailSender:
    """Sends each message to all recipients; a connection each, for they are few."""

    name = "mail"

    def __init__(self, reactor: Any, settings: Mail, language: Language, *, log: Any) -> None:
        self._reactor = reactor
        self._settings = settings
        self._language = language
        self._log = log
        self.where = settings.host

    async def send(self, message: AlertMessage) -> None:
        """Return once the server has taken it for somebody; raises `DeliveryFailed`."""
        mail = self._settings
        password = b""
        if mail.password_file:
            secret = read_secret(Path(mail.password_file), "the mail server's password")
            if secret.fault:
                raise DeliveryFailed(secret.fault.what, remedy=secret.fault.remedy)
            password = secret.value.encode()
        context = None
        if mail.tls != "none":
            context = _tls(mail.host, trustRoot=authorities(mail.ca_file))

        def give_up(_: object) -> None:
            factory.sendFinished = True  # else it complains of the connection it loses now
            connector.disconnect()

        sent: defer.Deferred[Any] = defer.Deferred(give_up)
        body = mail_of(message, self._language, sender=mail.sender, recipients=mail.recipients)
        factory = _factory(
            mail.username.encode() if mail.username else None,
            password or None,
            mail.sender,
            list(mail.recipients),
            io.BytesIO(body),
            sent,
            retries=0,
            timeout=SECONDS,
            contextFactory=context,
            requireAuthentication=bool(mail.username),
            requireTransportSecurity=mail.tls != "none",
        )
        factory.noisy = False
        if mail.tls == "implicit":
            connector = self._reactor.connectSSL(
                mail.host, mail.port, factory, context, timeout=CONNECT_SECONDS
            )
        else:
            connector = self._reactor.connectTCP(
                mail.host, mail.port, factory, timeout=CONNECT_SECONDS
            )
        sent.addTimeout(SECONDS, self._reactor)
        try:
            _, answers = await sent
        except defer.TimeoutError as failure:
            raise DeliveryFailed(
                f"{self.where} did not answer within {SECONDS:g} s.", remedy=_REMEDY
            ) from failure
        except defer.CancelledError:
            raise
        except Exception as failure:
            raise DeliveryFailed(
                f"{self.where} took no mail: {_why(failure)}.", remedy=_REMEDY
            ) from None  # its text holds the conversation
        refused = [address for address, code, _ in answers if not 200 <= code < 300]
        if refused:
            self._log.warning("alert_recipients_refused", recipients=len(refused))


def _why(failure: BaseException) -> str:
    """What the server answered, or what kept it from answering."""
    if isinstance(failure, smtp.TLSRequiredError):
        return "it offers no TLS"
    if isinstance(failure, smtp.AUTHRequiredError):
        return "it offers no login that is known here (CRAM-MD5, LOGIN, PLAIN)"
    if isinstance(failure, smtp.SMTPConnectError):
        return why_unreachable(failure.__cause__ or failure)
    if isinstance(failure, smtp.SMTPClientError):
        said = failure.resp.decode("utf-8", "replace") if failure.resp else ""
        refused = "it refused the login: " if isinstance(failure, smtp.AUTHDeclinedError) else ""
        return f"{refused}{failure.code} {unlinked(said)}".strip(". ")
    return why_unreachable(failure)
