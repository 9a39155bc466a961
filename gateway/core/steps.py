"""The visible list of steps by which a document is judged.

    open ─▶ parse ─▶ route ─▶ xsd ─▶ schematron ─▶ map

Each is a plain function from case to case. What it learns goes into the next, frozen, `Case`; what
it objects to becomes findings.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway.core.case import Case, Tools, given
from gateway.core.cdar.told import encode, tell
from gateway.core.container.document import open_document
from gateway.core.container.xmp import misfit
from gateway.core.facts import identify
from gateway.core.flow_choice import flow_for
from gateway.core.mapping import Files
from gateway.core.mapping.file_rules import rules_for
from gateway.core.naming import envelope_finding
from gateway.core.readiness import version_on
from gateway.core.routing import chain_for, placed
from gateway.core.schematron.several import meant_by
from gateway.core.xml import locate, parse
from gateway.errors import GatewayError
from gateway.model.interchange import Syntax
from gateway.model.invoice import canonical_json
from gateway.model.verdict import Finding, Layer

_OURS: Final = frozenset({"ROUTE-AMBIGUOUS", "ROUTE-NO-CHAIN"})
"""Findings that say something about our flows, not about the document: nobody is rejected for."""


def _open(tools: Tools, case: Case) -> Case:
    opened = open_document(case.data, tools.limits)
    if isinstance(opened, Finding):
        return case.having(opened)
    if len(opened.xml) > case.job.size:
        tools.watcher.opened(len(opened.xml))
    case = dataclasses.replace(case, data=opened.xml, pdf=opened.pdf, pdf_level=opened.level)
    return case.having(*opened.findings)


def _parse(tools: Tools, case: Case) -> Case:
    parsed = parse(case.data, tools.limits)
    if isinstance(parsed, Finding):
        return case.having(parsed)
    return dataclasses.replace(case, parsed=parsed)


def _route(tools: Tools, case: Case) -> Case:
    parsed, job = given(case.parsed), case.job
    facts = identify(parsed)
    if isinstance(facts, Finding):
        return case.having(facts)
    case = dataclasses.replace(case, facts=facts)
    stray = misfit(facts.syntax, facts.profile, case.pdf_level) if case.pdf else None
    if stray is not None:
        return case.having(placed(stray, parsed, facts))
    flow, remark = flow_for(job, facts, tools.flows, pdf=case.pdf)
    if remark is not None:
        case = case.having(remark)
    if isinstance(flow, Finding):
        return _without_route(case, placed(flow, parsed, facts))
    case = dataclasses.replace(case, flow=flow)
    misnamed = envelope_finding(job.envelope) if flow.envelope_names else None
    if misnamed is not None:
        return case.having(misnamed)
    chain = chain_for(flow, facts, pdf=case.pdf)
    if isinstance(chain, Finding):
        return _without_route(case, placed(chain, parsed, facts))
    return dataclasses.replace(case, chain=chain)


def _check_schema(tools: Tools, case: Case) -> Case:
    if not case.wants(Layer.XSD):
        return case
    schema, parsed = given(case.chain).schema, given(case.parsed)
    tools.readiness.for_schema(schema, parsed.root.tag)
    return case.having(*tools.schemas.validate(schema, parsed))


def _check_rules(tools: Tools, case: Case) -> Case:
    if not case.wants(Layer.SCHEMATRON):
        return case
    parsed, packs = given(case.parsed), given(case.chain).rules
    versions = tools.readiness.for_rules(packs, case.job.on)
    tools.attachments.keep_away(parsed, versions)
    for pack in packs:
        # A pack that cannot run does not spare the document the others: an error they find
        # stands, and the partner need not wait for us to mend the pack.
        try:
            version = version_on(tools.catalogue, pack, case.job.on)
            found = tools.packs.run(version, parsed)
            reference = tools.packs.reference(version)
        except Exception as error:  # ours, whatever it is: never the document's
            case = case.failing(pack, error)
        else:
            case = dataclasses.replace(case.having(*found), rules=(*case.rules, reference))
    if case.failures and not case.objected:
        case = case.having(*_given_twice(tools, case))
    if (directory := tools.packs.directory()) is not None:
        case = dataclasses.replace(case, rules=(*case.rules, directory))
    return case


def _given_twice(tools: Tools, case: Case) -> tuple[Finding, ...]:
    """What the document says twice, where the rules stopped because they take one for granted.

    That is the document's fault and no failure of ours; its sender is told.
    """
    meant = meant_by(failed.outcome.cause for failed in case.failures)
    parsed, facts, flow = given(case.parsed), given(case.facts), given(case.flow)
    if meant is None or facts.syntax is Syntax.CDAR:
        return ()
    reader = tools.mapping(flow.mapping)
    return reader.given_twice(parsed.root, facts.syntax, functools.partial(locate, parsed), meant)


def _map(tools: Tools, case: Case) -> Case:
    if case.job.layers is not None:
        return case
    parsed, facts, flow = given(case.parsed), given(case.facts), given(case.flow)
    if facts.syntax is Syntax.CDAR:
        return _tell(case)
    files = Files(Path(case.job.files_to) if case.job.files_to else None)
    result = tools.mapping(flow.mapping).to_canonical(
        parsed.root,
        facts.syntax,
        functools.partial(locate, parsed),
        files=files,
        file_rules=rules_for(flow.attachments, given(case.chain).rules),
    )
    return dataclasses.replace(
        case.having(*result.findings),
        invoice=canonical_json(result.invoice),
        unmapped=result.invoice.source.unmapped_total,
        files=files.kept,
    )


def _tell(case: Case) -> Case:
    """A lifecycle message is no invoice: what it says of invoices is taken instead."""
    told = tell(given(case.parsed))
    if isinstance(told, Finding):
        return case.having(told)
    case = case.having(*told.findings)
    return dataclasses.replace(case, message=encode(told.message), unmapped=told.left)


def _without_route(case: Case, finding: Finding) -> Case:
    """The case with a finding of routing; one about our own flows is a failure of ours."""
    if finding.rule not in _OURS:
        return case.having(finding)
    words = (finding.explanation, finding.remedy)
    cause, remedy = (text.en if text else finding.message for text in words)
    return case.failing("route", GatewayError(cause, remedy=remedy))


Step = Callable[[Tools, Case], Case]

STEPS: Final[tuple[tuple[str, Step], ...]] = (
    ("open", _open),
    ("parse", _parse),
    ("route", _route),
    ("xsd", _check_schema),
    ("schematron", _check_rules),
    ("map", _map),
)
"""Every step, in order, under the name its time is published."""
UNTIL_PARSED: Final[tuple[Step, ...]] = (_open, _parse)
UNTIL_ROUTED: Final[tuple[Step, ...]] = (_open, _parse, _route)
"""The first of them, for whoever wants no verdict."""
