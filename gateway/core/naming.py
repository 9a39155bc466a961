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
from typing import Final, NamedTuple

from gateway.core.explain import own_finding
from gateway.model.verdict import Finding

_INTERFACE: Final = re.compile(r"[A-Z]{3}[0-9]{4}[A-Z]")
_APPLICATION: Final = re.compile(r"[0-9A-Z]{6}")
_SEQUENCE: Final = re.compile(r"[0-9A-Z]{19}")
_EXTENSIONS: Final = ("", "tar.gz", "xml")


class EnvelopeName(NamedTuple):
    """The parts of an envelope name. `interface` (FSO1100A) tells nature and format of the flux."""

    interface: str
    application: str
    sequence: str


class _Fault(NamedTuple):
    """The first part that is not as it must be. `variant` None: the name has no such parts."""

    variant: str | None
    part: str
    application: str


def envelope_name(name: str) -> EnvelopeName | None:
    """The parts of a name that follows the platforms' rule; None for any other name."""
    parts = _parts(name)
    return None if isinstance(parts, _Fault) else parts


def interface_code(name: str) -> str | None:
    """The interface code of an envelope name, None when the name is not one."""
    parts = envelope_name(name)
    return parts.interface if parts else None


def envelope_finding(name: str) -> Finding | None:
    """The finding for a name that does not follow the platforms' rule; None when it does.

    It names the first part that is wrong: people compare such names character by character.
    """
    fault = _parts(name)
    if isinstance(fault, EnvelopeName):
        return None
    return own_finding(
        "ENVELOPE-NAME",
        variant=fault.variant,
        name=name,
        part=fault.part or "—",
        application=fault.application,
        count=len(fault.part),
    )


def _parts(name: str) -> EnvelopeName | _Fault:
    stem, _, extension = name.partition(".")
    parts = stem.split("_")
    if len(parts) != 3:
        return _Fault(None, name, "")
    interface, application, last = parts
    sequence = last.removeprefix(application)
    if not _INTERFACE.fullmatch(interface):
        return _Fault("interface", interface, application)
    if not _APPLICATION.fullmatch(application):
        return _Fault("application", application, application)
    if not last.startswith(application):
        return _Fault("repeated", last[: len(application)], application)
    if not _SEQUENCE.fullmatch(sequence):
        return _Fault("sequence", sequence, application)
    if extension not in _EXTENSIONS or name.endswith("."):
        return _Fault("extension", f".{extension}", application)
    return EnvelopeName(interface, application, sequence)
