"""Settings that contradict each other, or that what the partners need contradicts.

Pure functions over values that have already been read. Each yields the key a fault belongs to,
with the complaint; the loader knows the file.
"""

from __future__ import annotations

import ipaddress
import re
import zoneinfo
from collections.abc import Callable, Iterator, Mapping

from gateway.config.settings import Settings
from gateway.config.strict import Complaint
from gateway.model.as2 import MdnMode
from gateway.model.legal import LegalIdentity
from gateway.model.partner import Partner

Complaints = Iterator[tuple[str, Complaint]]


def settings_complaints(settings: Settings) -> Complaints:
    """Settings that contradict each other."""
    yield from _legal(settings.legal)
    yield from _waits(settings)
    yield from _requests(settings)
    rabbitmq = settings.rabbitmq
    if rabbitmq.host and rabbitmq.username != "guest" and not rabbitmq.password_file:
        yield (
            "rabbitmq.password_file",
            Complaint(
                f'The user "{rabbitmq.username}" has no password.',
                "Name the file that holds it, one line, readable by the gateway's user only.",
            ),
        )
    for given, missing in (("certificate", "key"), ("key", "certificate")):
        if getattr(rabbitmq.tls, f"{given}_file") and not getattr(rabbitmq.tls, f"{missing}_file"):
            yield (
                f"rabbitmq.tls.{missing}_file",
                Complaint(
                    f"{given}_file is given without {missing}_file; a client certificate needs "
                    "both.",
                    "Give both, or neither.",
                ),
            )
    yield from _listeners(settings)


def _legal(legal: LegalIdentity) -> Complaints:
    if legal.application and not re.fullmatch("[0-9A-Z]{6}", legal.application):
        yield (
            "legal.application",
            Complaint(
                f'"{legal.application}" is no code of an application.',
                "Write its six characters, capital letters and digits, such as AAA123.",
            ),
        )
    try:
        zoneinfo.ZoneInfo(legal.time_zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        yield (
            "legal.time_zone",
            Complaint(
                f'This machine knows no time zone "{legal.time_zone}".',
                'Write one of the IANA database, such as "Europe/Paris"; or install tzdata.',
            ),
        )


def _requests(settings: Settings) -> Complaints:
    """The queue of requests for statuses: one of its own, on a broker."""
    queue = settings.rabbitmq.requests_queue
    if not queue:
        return
    if not settings.rabbitmq.host:
        what = "Requests come from a queue of RabbitMQ, and rabbitmq.host is empty."
        remedy = "Name the broker, or leave requests_queue empty."
        yield "rabbitmq.requests_queue", Complaint(what, remedy)
    own = ("edi.documents.", "edi.acknowledgements", "edi.test.", "amq.")
    if queue.startswith(own) or not re.fullmatch(r"[A-Za-z0-9._:-]{1,200}", queue):
        yield (
            "rabbitmq.requests_queue",
            Complaint(
                f'"{queue}" cannot be the queue of requests.',
                "Give it a name of its own, such as edi.status-requests: letters, digits and"
                " . _ : - only, not that of a queue the gateway fills.",
            ),
        )


def _waits(settings: Settings) -> Complaints:
    pairs = (
        ("rabbitmq.reconnect", settings.rabbitmq, "reconnect"),
        ("outbox.retry", settings.outbox, "retry"),
    )
    for key, section, word in pairs:
        low = getattr(section, f"{word}_min_seconds")
        high = getattr(section, f"{word}_max_seconds")
        if low > high:
            yield (
                f"{key}_max_seconds",
                Complaint(
                    f"{high:g} is less than {key}_min_seconds = {low:g}.",
                    "Make the longest wait at least as long as the first.",
                ),
            )


def _listeners(settings: Settings) -> Complaints:
    http, sftp = settings.http, settings.sftp
    for where, listener in (("http", http), ("management", settings.management)):
        if not (listener.enabled and listener.tls.enabled):
            continue
        for file in ("certificate_file", "key_file"):
            if not getattr(listener.tls, file):
                what = f"{where}.tls.enabled is true, and this file is not named."
                remedy = f"Name the PEM file, or set {where}.tls.enabled = false."
                yield f"{where}.tls.{file}", Complaint(what, remedy)
    taken: dict[tuple[str, int], str] = {}
    for name, words, section in (
        ("sftp", "The SFTP server", sftp),
        ("http", "The HTTP server", http),
        ("management", "The management listener", settings.management),
    ):
        if not section.enabled or not section.port:
            continue
        other = taken.setdefault((section.listen, section.port), words)
        if other != words:
            what = f"{other} listens on {section.listen} port {section.port} already."
            yield f"{name}.port", Complaint(what, "Choose another port for one of the two.")


def open_management(settings: Settings) -> Complaint | None:
    """A listener whose metrics need no login, and that others than this machine can reach."""
    management = settings.management
    if not management.enabled or ipaddress.ip_address(management.listen).is_loopback:
        return None
    where = management.listen
    what = f"Whoever reaches {where} reads the metrics: names of partners, certificates."
    remedy = 'Listen on "127.0.0.1", or let only those through who watch the gateway.'
    if settings.console.enabled and not management.tls.enabled:
        what += " Passwords of the console travel in clear text."
        remedy += " Set management.tls.enabled = true for the console."
    return Complaint(what, remedy)


def antivirus_complaint(address: str) -> Complaint | None:
    """Where clamd listens: the absolute path of a socket, or host:port. "" for none."""
    host, _, port = address.rpartition(":")
    network = re.fullmatch(r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+", host) and port.isascii()
    if not address or address.startswith("/"):
        return None
    if network and port.isdigit() and 1 <= int(port) <= 65535:
        return None
    return Complaint(
        f'"{address}" is neither the absolute path of a socket nor host:port.',
        'Write what clamd.conf says: LocalSocket as "/run/clamav/clamd.ctl", TCPAddr and '
        'TCPSocket as "127.0.0.1:3310".',
    )


def needed_by_partners(settings: Settings, partners: Mapping[str, Partner]) -> Complaints:
    """What enabled partners cannot do without and the settings do not have."""

    def who(needs: Callable[[Partner], object]) -> str:
        names = [name for name, partner in partners.items() if partner.enabled and needs(partner)]
        return ", ".join(f'"{name}"' for name in names[:5]) + ", …" * (len(names) > 5)

    yield from _needed_for_statuses(settings, who)
    if names := who(lambda partner: (partner.as2 or partner.http) and not settings.http.enabled):
        yield (
            "http.enabled",
            Complaint(
                f"The HTTP listener is off, but AS2 or HTTP is agreed with: {names}.",
                "Set http.enabled = true, or remove [as2] and [http] from the partner's file.",
            ),
        )
    if names := who(lambda p: p.as2 and not (p.as2.our_id or settings.as2.id)):
        yield (
            "as2.id",
            Complaint(
                f"We have no AS2 name towards: {names}.",
                "Give our AS2 name here, the one partners write into AS2-To; or as2.our_id in the "
                "partner's file.",
            ),
        )
    if not settings.as2.mdn_url and (names := who(_awaits_receipts)):
        yield (
            "as2.mdn_url",
            Complaint(
                f'as2.send.mdn is "async", and we name no URL for those receipts to: {names}.',
                'Give the public URL of our /as2, such as "https://edi.example.com/as2"; or set '
                'as2.send.mdn = "sync" in the partner\'s file.',
            ),
        )
    if not settings.as2.identities and (names := who(lambda partner: partner.as2)):
        yield (
            "as2.identities",
            Complaint(
                f"We have no certificate to decrypt and sign with, but speak AS2 with: {names}.",
                "Make one with: edi-gateway cert rotate --ours --new; or bring one in with: "
                "edi-gateway cert import FILE --ours",
            ),
        )


def _needed_for_statuses(settings: Settings, who: Callable[..., str]) -> Complaints:
    """Who we are in law, which lifecycle messages say."""
    legal = settings.legal
    names = who(lambda partner: partner.acknowledgements.statuses)
    if names and legal.role != "WK":
        yield (
            "legal.role",
            Complaint(
                f"Deposited and rejected (200, 213) are said by platforms, and legal.role is"
                f' "{legal.role}"; lifecycle messages are agreed with: {names}.',
                'If we are a platform, set legal.role = "WK"; else acknowledgements.cdar = "off"'
                " and portal = false in the partner's file.",
            ),
        )
    if names and not legal.name:
        yield (
            "legal.name",
            Complaint(
                f"Lifecycle messages name who sends them, and we have no name towards: {names}.",
                "Give our name in law.",
            ),
        )
    names = who(lambda partner: partner.acknowledgements.portal)
    for key, value, words in (
        ("legal.id", legal.id, "our number as a platform (MDT-19)"),
        ("legal.application", legal.application, "our code in the names of files"),
    ):
        if names and not value:
            yield (
                key,
                Complaint(
                    f"The portal wants {words}; it is told of the invoices of: {names}.",
                    "Give what the portal gave us; or set acknowledgements.portal = false in the"
                    " partner's file.",
                ),
            )


def _awaits_receipts(partner: Partner) -> bool:
    """Whether receipts for what we post to the partner come later, by a request of its own."""
    as2 = partner.as2
    return as2 is not None and bool(as2.url) and as2.send.mdn is MdnMode.ASYNC
