"""Who the gateway is in law: as such it speaks in lifecycle messages (CDAR)."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec


class LegalIdentity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table [legal] of the settings.

    `role`: WK is a platform; only platforms give statuses of transmission (200 to 203, 213, 221,
    500, 501). `id` with its `scheme`: 0238 is the number of a platform. `application`: our code in
    names of files for the portal (AAA123). `portal_id`: the portal itself, scheme 0238.
    `time_zone`: that of the times in messages, which have none of their own.
    """

    role: Literal["WK", "SE", "BY", "SR", "AB", "DL", "PE", "PR", "II", "IV"] = "WK"
    name: str = ""
    id: str = ""
    scheme: Annotated[str, msgspec.Meta(min_length=1)] = "0238"
    application: str = ""
    portal_id: Annotated[str, msgspec.Meta(min_length=1)] = "0000"
    time_zone: Annotated[str, msgspec.Meta(min_length=1)] = "Europe/Paris"
