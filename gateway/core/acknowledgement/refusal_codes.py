"""Which code of the French platforms (IRR_…) a finding about a file means.

The table is schemas/refusal-codes.toml, where a domain person can read and mend it.
"""

from __future__ import annotations

import functools
from typing import Final, Literal

import msgspec

from gateway.model.verdict import Finding, Layer, Text
from gateway.resources import data_folder

Nature = Literal["FLUX", "FICHIER"]

EMPTY_FLUX: Final = "IRR_VIDE"
"""What an interchange without any document is refused with: no finding says it."""


class RefusalCode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One code. `unreachable` says why no finding of ours means it."""

    meaning: Text
    nature: Nature | None = None
    rules: tuple[str, ...] = ()
    layers: tuple[Layer, ...] = ()
    in_a_file: str | None = None
    unreachable: str | None = None


class Refusal(msgspec.Struct, frozen=True):
    """The code for a finding, and what it is about: the whole flux, or one file of it."""

    code: str
    nature: Nature


@functools.cache
def refusal_codes() -> dict[str, RefusalCode]:
    """Every code the platforms have, in the order of the table."""
    file = data_folder("schemas") / "refusal-codes.toml"
    return msgspec.toml.decode(file.read_bytes(), type=dict[str, RefusalCode])


def refusal_of(finding: Finding, *, member: bool) -> Refusal | None:
    """The code for a finding about the file itself; None for one about its content.

    `member`: the document came out of an archive. The platforms then often have another code.
    """
    by_rule, by_layer = _lookups()
    code = by_rule.get(finding.rule) or by_layer.get(finding.layer)
    if code is None:
        return None
    entry = refusal_codes()[code]
    nature: Nature = entry.nature or ("FICHIER" if member else "FLUX")
    return Refusal(entry.in_a_file or code if nature == "FICHIER" else code, nature)


def refuses_flux(finding: Finding) -> bool:
    """Whether the finding is about the flux as sent, whatever document carries it."""
    code = _lookups()[0].get(finding.rule)
    return code is not None and refusal_codes()[code].nature == "FLUX"


@functools.cache
def _lookups() -> tuple[dict[str, str], dict[Layer, str]]:
    by_rule: dict[str, str] = {}
    by_layer: dict[Layer, str] = {}
    for code, entry in refusal_codes().items():
        by_rule.update(dict.fromkeys(entry.rules, code))
        by_layer.update(dict.fromkeys(entry.layers, code))
    return by_rule, by_layer
