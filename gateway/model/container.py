"""What opening an archive gives: its members, and the limits within which it is opened."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

from gateway.model.verdict import Finding


class ContainerLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much an archive may hold, counted after decompression.

    `max_bytes`: the archive as received (1 GB for Chorus Pro and for the PPF). `max_ratio`: how
    many times larger than what was received its content may be; looked at only beyond the first
    100 MB, for small archives of similar invoices compress very well.
    """

    max_bytes: Annotated[int, msgspec.Meta(ge=1)] = 1_000_000_000
    max_members: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 20_000
    max_unpacked_bytes: Annotated[int, msgspec.Meta(ge=1)] = 10_000_000_000
    max_ratio: Annotated[int, msgspec.Meta(ge=2)] = 200


class Role(StrEnum):
    """What a member of an archive is to the gateway."""

    DOCUMENT = "document"
    ATTACHMENT = "attachment"
    SIGNATURE = "signature"
    """A detached signature: kept and named, not verified here."""
    IGNORED = "ignored"
    """What operating systems leave in archives without being asked: `__MACOSX/`, `.DS_Store`."""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One file of an archive, in the archive's order.

    `position` counts all members from 1. `name` is its sender's word: for people, never a path.
    `size` and `sha256` are those of the unpacked bytes; a member that was not unpacked has the
    size its archive claims and no sum ("").

    `findings` say why it cannot be used: whatever it was meant to be, it is then a document that
    is rejected unread. `beside` is the name of the document an attachment or signature goes with.
    `stored`: its bytes are in the folder it was unpacked into, in a file named by its position.
    """

    position: int
    name: str
    role: Role
    size: int
    sha256: str
    findings: tuple[Finding, ...] = ()
    beside: str | None = None
    stored: bool = False
