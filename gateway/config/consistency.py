"""What single values cannot show: whether a flow, a partner, and all of them together make sense.

Pure functions over values that have already been read. Each yields the key a fault belongs to,
with the complaint; the loader knows the files.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import combinations

import msgspec

from gateway.config.strict import Complaint, FieldCheck, did_you_mean
from gateway.model.flow import Chain, Flow, profile_fits
from gateway.model.interchange import Syntax
from gateway.model.partner import Partner

Complaints = Iterator[tuple[str, Complaint]]
Overlap = Callable[[Flow, Flow, str], str | None]
"""(flow, flow, partner name) → an example of a document that both would match, or None."""

ACKNOWLEDGEMENTS = ("report",)
"""Kinds of acknowledgement a flow can ask for."""

RESERVED_FLOW_NAMES = ("none",)
"""`none` stands in routing keys for "not routed"."""


class Catalogued(msgspec.Struct, frozen=True):
    """The names a flow may use; schemas and rule packs with the syntax they judge."""

    schemas: Mapping[str, Syntax]
    packs: Mapping[str, Syntax]
    mappings: frozenset[str]


def name_complaint(name: str) -> Complaint | None:
    """Names of partners and flows become parts of paths, routing keys and log lines."""
    if re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", name):
        return None
    return Complaint(
        f'"{name}" is not a usable name.',
        "Use 1 to 63 lower-case letters, digits and hyphens, a letter or digit first.",
    )


def flow_name_complaint(name: str) -> Complaint | None:
    """As `name_complaint`, and not a reserved word."""
    if name in RESERVED_FLOW_NAMES:
        return Complaint(
            f'"{name}" is reserved: routing keys use it for "no flow".', "Choose another name."
        )
    return name_complaint(name)


def username_complaint(username: str) -> Complaint | None:
    """SFTP usernames, as clients and logs can carry them without quoting."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", username):
        return None
    return Complaint(
        f'"{username}" is not a usable username.',
        "Use 1 to 64 letters, digits, dots, hyphens and underscores, a letter or digit first.",
    )


def address_complaint(address: str) -> Complaint | None:
    """A listening address must be an IP address: a name could resolve to another tomorrow."""
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return Complaint(
            f'"{address}" is not an IP address.',
            'Write "127.0.0.1" for this machine only, "0.0.0.0" or "::" for every interface.',
        )
    return None


def profile_complaint(profile: str) -> Complaint | None:
    """A profile pattern: BT-24 as it stands, or a prefix ended by `*`."""
    if not profile or profile != profile.strip():
        return Complaint(
            "A profile is BT-24 exactly as it stands in the document; this one is empty, or has "
            "white space around it.",
            "Correct it, or leave `profiles` out to match every profile.",
        )
    if "*" in profile[:-1]:
        return Complaint(
            f'"{profile}": a * may only end a profile.', "Shorten it to a prefix followed by *."
        )
    return None


def interface_code_complaint(code: str) -> Complaint | None:
    """An interface code is the first part of an envelope name: FSO1100A."""
    if re.fullmatch(r"[A-Z0-9]{8}", code):
        return None
    return Complaint(
        f'"{code}" is not an interface code.',
        "Write the eight capital letters and digits the platform gave, as in FSO1100A.",
    )


def acknowledgement_complaint(kind: str) -> Complaint | None:
    """A kind of acknowledgement this gateway can write."""
    if kind in ACKNOWLEDGEMENTS:
        return None
    return Complaint(f'There is no acknowledgement "{kind}".', did_you_mean(kind, ACKNOWLEDGEMENTS))


def known(kind: str, names: Collection[str], where: str) -> FieldCheck:
    """A field check: the value is one of `names`; `kind` and `where` word the complaint."""

    def check(name: str) -> Complaint | None:
        if name in names:
            return None
        return Complaint(f'There is no {kind} "{name}" in {where}.', did_you_mean(name, names))

    return check


def flow_complaints(flow: Flow, names: Catalogued) -> Complaints:
    """Chains that cannot be reached, and documents the flow would take but cannot judge.

    Names that are not in the catalogue are passed over: the field checks have them.
    """
    if not flow.chain:
        yield (
            "chain",
            Complaint("The flow has no chain, so it could judge nothing.", "Add a [[chain]]."),
        )
        return
    for index, chain in enumerate(flow.chain):
        judging = [(f"chain[{index}].schema", chain.schema, names.schemas)]
        judging += [
            (f"chain[{index}].rules[{place}]", pack, names.packs)
            for place, pack in enumerate(chain.rules)
        ]
        for key, name, syntaxes in judging:
            if syntaxes.get(name, chain.syntax) is not chain.syntax:
                what = f'"{name}" judges {syntaxes[name]}, but the chain is for {chain.syntax}.'
                yield key, Complaint(what, "Name one for the syntax of the chain.")
        repeated = {name for name in chain.rules if chain.rules.count(name) > 1}
        if repeated:
            yield (
                f"chain[{index}].rules",
                Complaint(f"Named twice: {', '.join(sorted(repeated))}.", "Name it once."),
            )
        for earlier in range(index):
            if _covers(flow.chain[earlier], chain):
                yield (
                    f"chain[{index}]",
                    Complaint(
                        f"It is never used: chain[{earlier}] takes every document it would fit.",
                        f"Put it in front of chain[{earlier}], or remove one of the two.",
                    ),
                )
                break
    for syntax in flow.match.taken_syntaxes:
        yield from _unjudged(flow, syntax)


def _covers(one: Chain, other: Chain) -> bool:
    """Whether `one` fits every document `other` fits."""
    if one.syntax is not other.syntax or one.pdf is not other.pdf:
        return False
    if not one.profiles:
        return True
    return bool(other.profiles) and all(
        any(_pattern_covers(mine, theirs) for mine in one.profiles) for theirs in other.profiles
    )


def _pattern_covers(one: str, other: str) -> bool:
    if other.endswith("*"):
        return one.endswith("*") and other[:-1].startswith(one[:-1])
    return profile_fits(one, other)


def _unjudged(flow: Flow, syntax: Syntax) -> Complaints:
    remedy = f'Add a [[chain]] with syntax = "{syntax}", or narrow [match].'
    if not any(chain.syntax is syntax for chain in flow.chain):
        what = f"The flow matches {syntax} documents but has no chain for {syntax}."
        yield "match.syntaxes", Complaint(what, remedy)
    chains = [chain for chain in flow.chain if chain.syntax is syntax and not chain.pdf]
    if not chains or not all(chain.profiles for chain in chains):
        return
    patterns = [pattern for chain in chains for pattern in chain.profiles]
    for index, profile in enumerate(flow.match.profiles):
        if not _covered(chains, profile) and not _only_in_pdf(flow, profile):
            what = f'The flow matches {syntax} documents of "{profile}", but no chain fits them.'
            yield f"match.profiles[{index}]", Complaint(what, remedy)
    if not flow.match.profiles and "*" not in patterns:
        what = f"The flow matches {syntax} documents of every profile; its chains fit only some."
        yield "match.profiles", Complaint(what, "List the profiles of the chains here as well.")


def _covered(chains: Sequence[Chain], profile: str) -> bool:
    """Whether some chain fits every document of `profile`."""
    return any(
        not chain.profiles or any(_pattern_covers(pattern, profile) for pattern in chain.profiles)
        for chain in chains
    )


def _only_in_pdf(flow: Flow, profile: str) -> bool:
    """Whether the flow judges `profile` inside a PDF and nowhere else: it has no other chains."""
    return _covered([chain for chain in flow.chain if chain.pdf], profile) and not _covered(
        [chain for chain in flow.chain if not chain.pdf], profile
    )


def partner_complaints(partner: Partner, flows: Mapping[str, Flow]) -> Complaints:
    """An enabled partner that could not log in, or whose files no flow would take."""
    for index, name in enumerate(partner.flows):
        flow = flows.get(name)
        if flow and flow.match.partners and partner.name not in flow.match.partners:
            yield (
                f"flows[{index}]",
                Complaint(
                    f'The flow "{name}" is only for: {", ".join(flow.match.partners)}.',
                    f'Add "{partner.name}" to match.partners of that flow, or remove it here.',
                ),
            )
        if name in partner.flows[:index]:
            yield f"flows[{index}]", Complaint(f'"{name}" is listed twice.', "List it once.")
    wanted = partner.acknowledgements
    if wanted.cdar != "off" and wanted.role != "WK" and not wanted.address:
        yield (
            "acknowledgements.address",
            Complaint(
                "Lifecycle messages (CDAR) name a recipient that is no platform by its electronic"
                " address, and there is none.",
                'Write the one the directory names, without its scheme (0225); or role = "WK" if'
                " the partner is a platform.",
            ),
        )
    if not partner.enabled:
        return
    if not partner.flows and partner.portal is None:  # the portal may be one that only listens
        yield (
            "flows",
            Complaint(
                "The partner may use no flow: everything it sends would be refused.",
                'List the flows it may use: flows = ["…"], or set enabled = false.',
            ),
        )
    if partner.sftp and not partner.sftp.authorized_keys and not partner.sftp.password_hash:
        yield (
            "sftp",
            Complaint(
                "The partner can log in with neither key nor password.",
                "Give sftp.authorized_keys or sftp.password_hash, or set enabled = false.",
            ),
        )


def overlaps_of(
    partner: Partner, flows: Mapping[str, Flow], overlap: Overlap
) -> Iterator[tuple[str, str, str]]:
    """(flow, flow, example) for every two flows of the partner that one document could match."""
    own = [name for name in dict.fromkeys(partner.flows) if name in flows]
    for one, other in combinations(own, 2):
        example = overlap(flows[one], flows[other], partner.name)
        if example is not None:
            yield one, other, example
