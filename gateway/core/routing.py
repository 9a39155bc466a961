"""Which one flow a document takes.

`route` compares what the document says about itself (`facts`) with what the flows match,
`chain_for` picks the checks. The vocabulary is closed (model.flow), so `overlaps` can
decide before any document arrives whether two flows could ever take the same one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from gateway.core.explain import own_finding
from gateway.core.facts import DocumentFacts, profile_element
from gateway.core.xml import ParsedXml, friendly_path, locate
from gateway.model.flow import Chain, Flow, profile_fits
from gateway.model.interchange import Syntax
from gateway.model.verdict import Finding

_MINIMUM: Final = "urn:factur-x.eu:1p0:minimum"
"""A profile that some flows can never take: its senders need more than the list of the others."""

_PROFILE_ELEMENT: Final = {
    Syntax.UBL: "cbc:CustomizationID",
    Syntax.CII: "ram:GuidelineSpecifiedDocumentContextParameter/ram:ID",
    Syntax.CDAR: "ram:GuidelineSpecifiedDocumentContextParameter/ram:ID",
}


def route(
    facts: DocumentFacts,
    *,
    partner: str | None,
    partner_flows: Sequence[str] | None,
    interface_code: str | None,
    flows: Iterable[Flow],
) -> Flow | Finding:
    """The one flow for this document, or the finding that says why there is not exactly one.

    `partner` None: nobody in particular (the command line); then only flows that name partners
    are out of reach. `partner_flows` None: every flow that need not be named.
    """
    allowed = [flow for flow in flows if _allowed(flow, partner_flows)]
    otherwise = [flow for flow in allowed if _fits(flow, facts, partner, interface_code)]
    fitting = [flow for flow in otherwise if _profile_fits(flow.match.profiles, facts.profile)]
    if len(fitting) == 1:
        return fitting[0]
    names = tuple(flow.name for flow in (fitting or allowed))
    if fitting:
        return own_finding("ROUTE-AMBIGUOUS", flows=names, document=_described(facts))
    if otherwise:
        return _profile_finding(facts, [p for flow in otherwise for p in flow.match.profiles])
    return own_finding(
        "ROUTE-NO-FLOW",
        partner=partner or "—",
        flows=names or ("—",),
        document=_described(facts, interface_code),
    )


def chain_for(flow: Flow, facts: DocumentFacts, *, pdf: bool = False) -> Chain | Finding:
    """The first chain of the flow whose syntax and profiles fit the document.

    `pdf`: the document came inside a PDF, which only the chains made for that judge.
    """
    chains = [chain for chain in flow.chain if chain.syntax is facts.syntax]
    if not chains:
        return own_finding("ROUTE-NO-CHAIN", flow=flow.name, syntax=facts.syntax.value.upper())
    open_to_it = [chain for chain in chains if chain.pdf is pdf]
    fitting = [chain for chain in chains if _profile_fits(chain.profiles, facts.profile)]
    for chain in fitting:
        if chain.pdf is pdf:
            return chain
    known = tuple(profile for chain in open_to_it for profile in chain.profiles)
    if pdf and not open_to_it:
        return own_finding("PDF-UNWANTED", flow=flow.name)
    if not pdf and (fitting or not open_to_it):
        return own_finding(
            "PDF-ONLY",
            terms=("BT-24",),
            profile=facts.profile or "—",
            flow=flow.name,
            known=known or "—",
        )
    return _profile_finding(facts, known)


def placed(finding: Finding, parsed: ParsedXml, facts: DocumentFacts) -> Finding:
    """The finding with its place when it is about BT-24: there, or at the root without one."""
    if "BT-24" not in finding.terms:
        return finding
    element = profile_element(parsed, facts.syntax)
    place = locate(parsed, element)
    return msgspec.structs.replace(
        finding,
        location=friendly_path(element),
        line=place.line,
        column=place.column,
        excerpt=place.excerpt,
    )


def overlaps(flow_a: Flow, flow_b: Flow, partner: str) -> str | None:
    """A document of `partner` that both flows would match, described; None when there is none."""
    one, other = flow_a.match, flow_b.match
    for match in (one, other):
        if match.partners and partner not in match.partners:
            return None
    syntaxes = one.syntaxes, other.syntaxes
    if any(syntaxes):
        syntaxes = one.taken_syntaxes, other.taken_syntaxes
    described: list[str] = []
    for ours, theirs, otherwise in (
        (*syntaxes, ""),
        (one.document_types, other.document_types, "document"),
        (one.interface_codes, other.interface_codes, ""),
    ):
        common = _common(ours, theirs)
        if common is None:
            return None
        described.append(common or otherwise)
    profile = _common_profile(one.profiles, other.profiles)
    if profile is None:
        return None
    syntax, document_type, code = described
    text = f"{syntax.upper()} {document_type}".strip()
    text += f" with BT-24 {profile!r}" if profile else " of any profile"
    return text + (f" in a file named {code}_…" if code else "")


def _allowed(flow: Flow, partner_flows: Sequence[str] | None) -> bool:
    return not flow.match.by_name if partner_flows is None else flow.name in partner_flows


def _fits(
    flow: Flow, facts: DocumentFacts, partner: str | None, interface_code: str | None
) -> bool:
    """Whether every criterion but the profile holds."""
    match = flow.match
    return (
        (not match.partners or partner in match.partners)
        and (not match.interface_codes or interface_code in match.interface_codes)
        and facts.syntax in match.taken_syntaxes
        and (not match.document_types or facts.document_type in match.document_types)
    )


def _profile_fits(patterns: Sequence[str], profile: str | None) -> bool:
    if not patterns:
        return True
    return profile is not None and any(profile_fits(pattern, profile) for pattern in patterns)


def _profile_finding(facts: DocumentFacts, known: Iterable[str]) -> Finding:
    names = tuple(dict.fromkeys(known))
    element = _PROFILE_ELEMENT[facts.syntax]
    if not facts.profile:
        return own_finding("ROUTE-NO-PROFILE", terms=("BT-24",), known=names, element=element)
    return own_finding(
        "ROUTE-UNKNOWN-PROFILE",
        variant="minimum" if facts.profile == _MINIMUM else None,
        terms=("BT-24",),
        profile=facts.profile,
        known=names,
        element=element,
    )


def _described(facts: DocumentFacts, interface_code: str | None = None) -> str:
    text = f"{facts.syntax.value.upper()} {facts.document_type.value}, BT-24 {facts.profile or '—'}"
    return f"{text}, {interface_code}" if interface_code else text


def _common(ours: Sequence[str], theirs: Sequence[str]) -> str | None:
    """A value both allow; "" for any value; None when there is none. Empty allows everything."""
    if not ours or not theirs:
        return str(next(iter(ours or theirs), ""))
    return next((str(value) for value in ours if value in theirs), None)


def _common_profile(ours: Sequence[str], theirs: Sequence[str]) -> str | None:
    """As `_common`, for patterns: two prefixes meet when one begins the other."""
    if not ours or not theirs:
        return next(iter(ours or theirs), "")
    for one in ours:
        for other in theirs:
            if one.endswith("*") and other.startswith(one[:-1]):
                return other
            if other.endswith("*") and one.startswith(other[:-1]):
                return one
            if one == other:
                return one
    return None
