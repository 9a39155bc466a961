"""Names of the national platforms: what a file's name says about its flux.

    FSO1100A_XXX999_XXX9991100000000000000001.tar.gz
    └──┬───┘ └─┬──┘ └──────────┬────────────┘ └─┬──┘
   interface  app.   app. + 19 characters    optional

Chorus Pro asks for interface digits and sequence in the last part, the PPF only for 19 characters
of [0-9A-Z]: the wider reading is used. Members of an archive have names of their own, which this
does not apply to.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from gateway.core.explain import own_finding
from gateway.model.verdict import Finding

_ENVELOPE = re.compile(
    r"(?P<interface>[A-Z]{3}[0-9]{4}[A-Z])"
    r"_(?P<application>[0-9A-Z]{6})"
    r"_(?P=application)(?P<sequence>[0-9A-Z]{19})"
    r"(?:\.tar\.gz|\.xml)?",
)


class EnvelopeName(NamedTuple):
    """The parts of an envelope name. `interface` (FSO1100A) tells nature and format of the flux."""

    interface: str
    application: str
    sequence: str


def envelope_name(name: str) -> EnvelopeName | None:
    """The parts of a name that follows the platforms' rule; None for any other name."""
    match = _ENVELOPE.fullmatch(name)
    return None if match is None else EnvelopeName(*match.group(1, 2, 3))


def interface_code(name: str) -> str | None:
    """The interface code of an envelope name, None when the name is not one."""
    parts = envelope_name(name)
    return parts.interface if parts else None


def envelope_finding(name: str) -> Finding | None:
    """The finding for a name that does not follow the platforms' rule; None when it does."""
    return None if envelope_name(name) else own_finding("ENVELOPE-NAME", name=name)
