"""What is wrong with `[alerts]`. Nothing here repeats a URL: it may hold the receiver's secret."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from gateway.config.alert_settings import Alerts, Mail, Webhook
from gateway.config.files import Secret, authorities_complaint, read_secret
from gateway.config.strict import Complaint

Complaints = Iterator[tuple[str, Complaint]]

_ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+")


def alert_complaints(alerts: Alerts) -> Complaints:
    """Everything that keeps alerts from being told as they are meant to be."""
    yield from _webhook(alerts.webhook)
    yield from _mail(alerts.mail)
    for key, file, holds in _secrets(alerts):
        if complaint := read_secret(Path(file), holds).fault:
            yield key, complaint
    for section, ca_file in (("webhook", alerts.webhook.ca_file), ("mail", alerts.mail.ca_file)):
        if ca_file and (complaint := authorities_complaint(ca_file, "the receiver's")):
            yield f"alerts.{section}.ca_file", complaint


def alert_notices(alerts: Alerts) -> Complaints:
    """Oddities that stop nothing."""
    for key, file, holds in _secrets(alerts):
        secret: Secret = read_secret(Path(file), holds)
        if secret.notice:
            yield key, secret.notice
    url = urlsplit(alerts.webhook.url)
    if url.scheme == "http" and not _is_loopback(url.hostname or ""):
        yield (
            "alerts.webhook.url",
            Complaint(
                "Alerts, and the token, go over the network unencrypted: the URL begins with"
                " http://.",
                "Use https://, unless the way to the receiver is yours alone.",
            ),
        )


def url_complaint(url: str) -> Complaint | None:
    """An absolute http or https URL; it is never shown."""
    if not url:
        return None
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if good and url.isascii() and url.isprintable() and " " not in url and not parts.username:
        return None
    return Complaint(
        "This is no URL to post alerts to (it is not shown: it may hold a secret).",
        'Write it as "https://host/path", in ASCII, without a user; a token goes into token_file.',
    )


def _secrets(alerts: Alerts) -> Iterator[tuple[str, str, str]]:
    if alerts.webhook.token_file:
        yield "alerts.webhook.token_file", alerts.webhook.token_file, "the webhook's token"
    if alerts.mail.password_file:
        yield "alerts.mail.password_file", alerts.mail.password_file, "the mail server's password"


def _webhook(webhook: Webhook) -> Complaints:
    if complaint := url_complaint(webhook.url):
        yield "alerts.webhook.url", complaint
    elif webhook.token_file and not webhook.url:
        what = "There is a token, and no URL to send it to."
        yield "alerts.webhook.url", Complaint(what, "Give the URL, or leave token_file empty.")


def _mail(mail: Mail) -> Complaints:
    addresses = [("sender", mail.sender), *(("recipients", each) for each in mail.recipients)]
    for name, address in addresses:
        if address and not _ADDRESS.fullmatch(address):
            yield (
                f"alerts.mail.{name}",
                Complaint(
                    f'"{address}" is no address.', "Write it as name@example.com, and no more."
                ),
            )
    if not mail.host:
        if mail.recipients:
            what = "There are recipients, and no server to send by."
            yield "alerts.mail.host", Complaint(what, "Name the mail server, or nobody.")
        return
    if not mail.sender:
        what = "Mails need a sender."
        yield "alerts.mail.sender", Complaint(what, "Give an address the mail server lets us use.")
    if not mail.recipients:
        what = "There is a mail server, and nobody to tell."
        yield "alerts.mail.recipients", Complaint(what, "Name somebody, or leave host empty.")
    if bool(mail.username) != bool(mail.password_file):
        name = "password_file" if mail.username else "username"
        what = "username and password_file belong together, and one of them is empty."
        yield f"alerts.mail.{name}", Complaint(what, "Give both, or neither.")
    if mail.tls == "none" and not _is_loopback(mail.host):
        yield (
            "alerts.mail.tls",
            Complaint(
                "Without TLS, mails and the password would go over the network for all to read.",
                'Write "starttls" or "implicit"; "none" is for a server on this machine'
                ' ("127.0.0.1").',
            ),
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
