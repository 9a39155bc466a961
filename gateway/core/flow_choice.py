"""Which flow judges a document: the one that was asked for, the one it fits, or the strictest.

For a partner nobody chooses: a document that fits several of its flows is a fault of ours. Who
tries a file on the command line has named no partner, and need not know the flows to get an answer;
so there the strictest one judges, and the judgement says so.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Final

from gateway.core.explain import own_finding
from gateway.core.facts import DocumentFacts
from gateway.core.naming import interface_code
from gateway.core.routing import chain_for, route
from gateway.errors import GatewayError
from gateway.model.flow import Chain, Flow
from gateway.model.job import JudgeJob
from gateway.model.verdict import Finding

FLOW_CHOSEN: Final = "ROUTE-FLOW-CHOSEN"
"""The finding that several flows fit a document, and which of them judged it."""


def flow_for(
    job: JudgeJob, facts: DocumentFacts, flows: Mapping[str, Flow], *, pdf: bool
) -> tuple[Flow | Finding, Finding | None]:
    """The document's flow, or why it has none; and what is to be said of the choice.

    `pdf`: the document came inside a PDF. Raises GatewayError for a flow asked for that is none.
    """
    if job.flow is not None:
        return _named(flows, job.flow), None
    routed = functools.partial(
        route,
        facts,
        partner=job.partner,
        partner_flows=job.partner_flows,
        interface_code=interface_code(job.envelope),
    )
    if job.partner is None:
        fitting = [each for each in flows.values() if isinstance(routed(flows=[each]), Flow)]
        if len(fitting) > 1:
            chosen = strictest(fitting, facts, pdf=pdf)
            others = tuple(sorted(each.name for each in fitting if each is not chosen))
            return chosen, own_finding(FLOW_CHOSEN, flow=chosen.name, others=others)
    return routed(flows=flows.values()), None


def strictest(flows: Sequence[Flow], facts: DocumentFacts, *, pdf: bool) -> Flow:
    """Of these flows, the one with the most rule packs for the document; then the first by name.

    To hear of too many rules is better than to hear of none, and then be refused.
    """

    def packs(flow: Flow) -> int:
        chain = chain_for(flow, facts, pdf=pdf)
        return len(chain.rules) if isinstance(chain, Chain) else -1

    return min(flows, key=lambda flow: (-packs(flow), flow.name))


def _named(flows: Mapping[str, Flow], name: str) -> Flow:
    flow = flows.get(name)
    if flow is None:
        raise GatewayError(
            f"There is no flow {name!r}.", remedy=f"Flows are: {', '.join(sorted(flows))}."
        )
    return flow
