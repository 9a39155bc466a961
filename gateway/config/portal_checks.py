"""What [portal] of a partner file may say: one portal, and channels that take something there.

Pure functions. Each yields the partner and the key a fault belongs to; the loader knows the files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gateway.config.strict import Complaint
from gateway.model.partner import Partner

NEEDED = {"sftp_remote": "push_to", "as2": "url", "folder": "out"}
"""The key of a channel's table without which nothing is sent by it."""


def portal_complaints(partners: Mapping[str, Partner]) -> Iterator[tuple[str, str, Complaint]]:
    """(partner, key, complaint), of enabled partners: the others need not be complete."""
    first: str | None = None
    for name, partner in partners.items():
        if partner.portal is None or not partner.enabled:
            continue
        for key, complaint in _channel_complaints(partner):
            yield name, key, complaint
        if first is None:
            first = name
        else:
            what = f'Partner "{first}" is the public portal already, and there is only one.'
            remedy = "Remove [portal] from one of the two files, or set enabled = false there."
            yield name, "portal", Complaint(what, remedy)


def _channel_complaints(partner: Partner) -> Iterator[tuple[str, Complaint]]:
    channels = partner.portal.channels if partner.portal else ()
    if not channels:
        what = "No channel is named, so nothing would go to the portal."
        remedy = 'Name one, as in ["sftp_remote"]; without [portal] its messages go to RabbitMQ.'
        yield "portal.channels", Complaint(what, remedy)
    for index, channel in enumerate(channels):
        key = f"portal.channels[{index}]"
        table, needed = getattr(partner, channel), NEEDED.get(channel)
        if channel in channels[:index]:
            yield key, Complaint(f'"{channel}" is listed twice.', "List it once.")
        elif table is None:
            what = f"This file has no [{channel}]: nothing can go to the portal that way."
            yield key, Complaint(what, f"Add [{channel}], or name another channel.")
        elif needed is not None and not getattr(table, needed):
            what = f"{channel}.{needed} is empty, so nothing would be sent to the portal that way."
            yield key, Complaint(what, f"Give {channel}.{needed}, or name another channel.")
