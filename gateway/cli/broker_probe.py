"""Whether the broker lets the gateway in: one short connection that declares nothing.

What pika raises is often an exception in a tuple in an exception; here it becomes the key of
the setting to look at, and an operator's words for what stands in the way.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
from collections.abc import Iterator
from typing import Any

from gateway.cli.probes import Outcome, Result
from gateway.config.loader import Configuration
from gateway.errors import Fault

BROKER_SECONDS = 5.0


def broker(configuration: Configuration) -> Outcome:
    """A connection with login, as the gateway would make it; exchanges, if others make them."""
    settings = configuration.settings.rabbitmq
    subject = f"{settings.host}:{settings.port}{' (TLS)' if settings.tls.enabled else ''}"
    if not settings.host:
        return Outcome(
            check="broker", subject="none", result=Result.SKIPPED,
            detail="rabbitmq.host is empty: publications go to files",
        )  # fmt: skip
    try:
        with _silent("pika"):
            key, what, remedy = _try_broker(configuration)
    except Exception as error:  # pika raises whatever its depths did
        key, what, remedy = _broker_failure(error, configuration)
    if not what:
        return Outcome(check="broker", subject=subject, result=Result.OK, detail="logged in")
    fault = Fault(file=str(configuration.file), key=key, what=what, remedy=remedy)
    return Outcome(check="broker", subject=subject, result=Result.FAULT, fault=fault)


def _try_broker(configuration: Configuration) -> tuple[str, str, str]:
    """Key, what and remedy of a fault, or three times nothing. Raises what pika raises."""
    import pika

    from gateway.model.interchange import Environment
    from gateway.model.publication import Exchange
    from gateway.service.amqp_topology import dead_letters_of

    settings = configuration.settings.rabbitmq
    tls = settings.tls
    options = None
    if tls.enabled:
        context = ssl.create_default_context(cafile=tls.ca_file or None)
        if tls.certificate_file:
            context.load_cert_chain(tls.certificate_file, tls.key_file, password=lambda: "")
        options = pika.SSLOptions(context, tls.server_name or settings.host)
    connection = pika.BlockingConnection(
        pika.ConnectionParameters(
            host=settings.host,
            port=settings.port,
            virtual_host=settings.virtual_host,
            credentials=pika.PlainCredentials(settings.username, configuration.rabbitmq_password),
            ssl_options=options,
            socket_timeout=BROKER_SECONDS,
            stack_timeout=BROKER_SECONDS,
            blocked_connection_timeout=BROKER_SECONDS,
            client_properties={"product": "edi-gateway check"},
        )
    )
    with contextlib.closing(connection):
        if settings.declare:
            return "", "", ""
        used = {
            Environment.PRODUCTION,
            *(partner.environment for partner in configuration.partners.values()),
        }
        for exchange in Exchange:
            if exchange.environment not in used:
                continue
            try:
                connection.channel().exchange_declare(exchange.value, passive=True)
            except pika.exceptions.ChannelClosedByBroker as closed:
                return (
                    "rabbitmq.declare",
                    f"The exchange {exchange.value} cannot be used: {closed.reply_text}.",
                    "Import the broker's definitions, or set rabbitmq.declare = true.",
                )
        queue = settings.requests_queue
        for name in (queue, dead_letters_of(queue)) if queue else ():
            try:
                connection.channel().queue_declare(name, passive=True)
            except pika.exceptions.ChannelClosedByBroker as closed:
                return (
                    "rabbitmq.requests_queue",
                    f"The queue {name} cannot be used: {closed.reply_text}.",
                    "Make it, durable, or set rabbitmq.declare = true.",
                )
    return "", "", ""


def _broker_failure(error: BaseException, configuration: Configuration) -> tuple[str, str, str]:
    import pika.exceptions

    settings = configuration.settings.rabbitmq
    causes = list(_causes(error))
    where = f"RabbitMQ at {settings.host}:{settings.port}"
    code = next((c.reply_code for c in causes if hasattr(c, "reply_code")), None)
    refused = (
        pika.exceptions.ProbableAuthenticationError,
        pika.exceptions.AuthenticationError,
    )
    if code == 403 or any(isinstance(cause, refused) for cause in causes):
        return (
            "rabbitmq.username",
            f'{where} refused the login of user "{settings.username}".',
            'Check the user and the file named by rabbitmq.password_file ("guest" may come from '
            "the broker's own machine only).",
        )
    if code == 530 or any(
        isinstance(cause, pika.exceptions.ProbableAccessDeniedError) for cause in causes
    ):
        return (
            "rabbitmq.virtual_host",
            f'{where} refused virtual host "{settings.virtual_host}".',
            f'Create it, or grant user "{settings.username}" its permissions there.',
        )
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                "rabbitmq.tls.ca_file",
                f"The certificate of {where} is not trusted: {cause.verify_message}.",
                "ca_file must hold the authority that signed it, and the certificate must name "
                "server_name (or the host).",
            )
        if isinstance(cause, ssl.SSLError):
            return (
                "rabbitmq.tls",
                f"TLS with {where} failed: {cause.reason or cause}.",
                "Check the port, and that the broker speaks TLS there.",
            )
        if isinstance(cause, socket.gaierror):
            return (
                "rabbitmq.host",
                f'There is no address for "{settings.host}".',
                "Check the name and this machine's name resolution.",
            )
    words = next((c.strerror for c in causes if isinstance(c, OSError) and c.strerror), None)
    reason = words or str(causes[-1]) or type(causes[-1]).__name__
    return (
        "rabbitmq.host",
        f"{where} cannot be reached within {BROKER_SECONDS:g} s: {reason}.",
        "Check that it runs, that no firewall stands between, and port and tls.enabled.",
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and those inside it: pika wraps them in one another, and in tuples."""
    pending: list[Any] = [error]
    seen: set[int] = set()
    while pending:
        one = pending.pop(0)
        if isinstance(one, (tuple, list)):
            pending.extend(one)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        pending.extend(one.args)
        pending.extend([one.__cause__, getattr(one, "exceptions", None)])
        pending.append(getattr(one, "exception", None))


@contextlib.contextmanager
def _silent(name: str) -> Iterator[None]:
    """The library would log each failure with a traceback; the outcome says it in one sentence."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)
