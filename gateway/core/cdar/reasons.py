"""Which reason of a status (MDT-113) a finding means, and what each reason is called.

The table is schemas/status-reasons.toml, where a domain person can read and mend it. Only
rejections (213) are derived from findings about an invoice; a refused flux has its code already
(`acknowledgement.refusal_codes`), and CDAR knows ten of those.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from gateway.core.cdar.statuses import ACTIONS, ALL_REASONS, REJECTED
from gateway.core.wordings import named_rule
from gateway.errors import ConfigurationError
from gateway.model.verdict import Finding, Layer, Text
from gateway.resources import data_folder

_MAX_SEARCHED = 600


class Reason(Text, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a reason is called. `action`: what we ask for with it (MDT-121).

    `unreachable` says why no finding of ours means it, where it is one of a rejection.
    """

    action: str = "NIN"
    unreachable: str | None = None


class Family(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules that mean the same reason. Every condition given must fit.

    `rule` is a regular expression over the whole id, `message` one searched in the rule's text.
    """

    name: str
    code: str
    rule: str = ""
    message: str = ""
    layers: tuple[Layer, ...] = ()

    def fits(self, finding: Finding, rule: str) -> bool:
        """Whether the finding, of this rule, is of the family."""
        if self.layers and finding.layer not in self.layers:
            return False
        if self.rule and not re.fullmatch(self.rule, rule):
            return False
        # A text may quote the partner's document: bounded, so that it cannot slow the search.
        return not self.message or bool(re.search(self.message, finding.message[:_MAX_SEARCHED]))


class Reasons(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """schemas/status-reasons.toml. `fallback`: of rules that no family knows, a partner's own."""

    fallback: str
    codes: dict[str, Reason]
    families: tuple[Family, ...]

    def family(self, finding: Finding) -> Family | None:
        """The first family that fits; None: only the fallback does."""
        rule = named_rule(finding.rule, finding.message)
        return next((family for family in self.families if family.fits(finding, rule)), None)

    def code(self, finding: Finding) -> str:
        """The reason for which an invoice with this finding is rejected."""
        family = self.family(finding)
        return family.code if family else self.fallback


def read_reasons(file: Path) -> Reasons:
    """The table of a file. Raises ConfigurationError that names every fault with its key."""
    try:
        reasons = msgspec.toml.decode(file.read_bytes(), type=Reasons)
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise ConfigurationError(f"{file}: {error}.", remedy="Mend the file.") from error
    faults = list(_faults(reasons))
    if faults:
        raise ConfigurationError(f"{file}: " + " ".join(faults), remedy="Mend these entries.")
    return reasons


@functools.cache
def reasons() -> Reasons:
    """The table of this installation."""
    return read_reasons(data_folder("schemas") / "status-reasons.toml")


def _faults(table: Reasons) -> Iterator[str]:
    for code in ALL_REASONS:
        if code not in table.codes:
            yield f"codes.{code}: missing; CDAR knows this reason."
    for code, reason in table.codes.items():
        if code not in ALL_REASONS:
            yield f"codes.{code}: CDAR knows no such reason."
        if reason.action not in ACTIONS:
            yield f'codes.{code}.action: "{reason.action}" is none of {", ".join(ACTIONS)}.'
    for place, code in (
        ("fallback", table.fallback),
        *((f"families[{index}].code", family.code) for index, family in enumerate(table.families)),
    ):
        if code not in REJECTED.reasons:
            yield f'{place}: "{code}" is no reason of a rejection (213).'
    for index, family in enumerate(table.families):
        for key in ("rule", "message"):
            try:
                re.compile(getattr(family, key))
            except re.error as error:
                yield f"families[{index}].{key}: no regular expression: {error}."
        if not (family.rule or family.message or family.layers):
            yield f"families[{index}]: fits everything; give it a rule, a message or layers."
