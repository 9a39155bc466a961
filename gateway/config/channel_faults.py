"""The checks of partners' channels, in their places: which file, which key.

`channel_faults` knows only the files; `surroundings` and `unusable_folders` look at this machine,
as the user this process runs as.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from gateway.config import as2_checks, channel_checks
from gateway.config.files import authorities_complaint
from gateway.config.folders import Folder, fault_at
from gateway.config.strict import Complaint
from gateway.errors import Fault
from gateway.model.as2 import As2Access
from gateway.model.partner import Partner

C = TypeVar("C")
Complaints = Iterator[tuple[str, Complaint]]


def channel_faults(partners: Folder[Partner], our_id: str) -> Iterator[Fault]:
    """Channels that cannot work, and what two partners cannot share. `our_id`: our AS2 name."""
    for name, partner in partners.by_name.items():
        if not partner.enabled:
            continue  # it need not be complete
        yield from _in_file(partners, name, _channel_complaints(partner))
    by_name = partners.by_name
    for name, key, complaint in (
        *as2_checks.as2_pairs(by_name, our_id),
        *channel_checks.shared_tokens(by_name),
        *channel_checks.shared_inboxes(by_name),
    ):
        yield from _in_file(partners, name, iter([(key, complaint)]))


def channel_notices(partners: Folder[Partner]) -> Iterator[Fault]:
    """What stops nothing and should be known: weak protection, secrets others may read."""
    for name, partner in partners.by_name.items():
        if partner.enabled:
            found = (
                *_of(partner.as2, as2_checks.as2_remarks),
                *_of(partner.sftp_remote, channel_checks.login_file_remarks),
            )
            yield from _in_file(partners, name, iter(found))


def surroundings(partners: Folder[Partner]) -> Iterator[Fault]:
    """Files of this machine that enabled partners name and we cannot use."""
    for name, partner in partners.by_name.items():
        if partner.enabled:
            found = (
                *_of(partner.as2, _authorities),
                *_of(partner.sftp_remote, channel_checks.login_file_complaints),
            )
            yield from _in_file(partners, name, iter(found))


def unusable_folders(partners: Folder[Partner]) -> Iterator[Fault]:
    """Folders of this machine that enabled partners name and we cannot use today.

    No faults: a share that is not mounted must not keep the gateway from the other partners. What
    watches the folder tries again.
    """
    for name, partner in partners.by_name.items():
        if partner.enabled:
            found = _of(partner.folder, channel_checks.access_complaints)
            yield from _in_file(partners, name, found)


def _channel_complaints(partner: Partner) -> Complaints:
    yield from _of(partner.as2, as2_checks.as2_complaints)
    yield from _of(partner.http, channel_checks.http_complaints)
    yield from _of(partner.sftp_remote, channel_checks.remote_complaints)
    yield from _of(partner.folder, channel_checks.folder_complaints)


def _of(channel: C | None, checks: Callable[[C], Complaints]) -> Complaints:
    if channel is not None:
        yield from checks(channel)


def _in_file(partners: Folder[Partner], name: str, found: Complaints) -> Iterator[Fault]:
    """As faults, but for keys that have one already: a default stands there."""
    file = partners.files[name]
    for key, complaint in found:
        if not partners.touched(file, key):
            yield fault_at(file, key, complaint)


def _authorities(access: As2Access) -> Complaints:
    if access.tls_ca_file:
        found = authorities_complaint(access.tls_ca_file, "the certificate of the partner's server")
        if found:
            yield "as2.tls_ca_file", found
