"""Judging one document: the visible list of steps.

    open ─▶ parse ─▶ route ─▶ xsd ─▶ schematron ─▶ map

Each step is a plain function from case to case. What it learns goes into the next, frozen, `Case`;
what it objects to becomes findings. The first step that ends with an error, or that could not be
made, is the last: a document that is not XML has no profile, one that is not valid by its schema
would only confuse the rules. What the case adds up to is decided in core.outcome.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from gateway.core.attachments import Attachments
from gateway.core.case import Case, Packs, Reader, Tools, given
from gateway.core.cdar.checking import PACK, SCHEMA, MessageCheck
from gateway.core.cdar.told import encode, tell
from gateway.core.container.document import open_document
from gateway.core.container.xmp import misfit
from gateway.core.directory import Snapshots
from gateway.core.facts import identify
from gateway.core.flow_choice import flow_for
from gateway.core.mapping import Files, Mapping
from gateway.core.mapping.file_rules import rules_for
from gateway.core.naming import envelope_finding
from gateway.core.outcome import judgement
from gateway.core.readiness import Readiness, Unwatched, Watcher, version_on
from gateway.core.reporting import report_on
from gateway.core.routing import chain_for, placed
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.schematron.partners import WithPartnerRules
from gateway.core.schematron.preparation import stylesheets as official_stylesheets
from gateway.core.schematron.runner import RulePacks
from gateway.core.schematron.several import meant_by
from gateway.core.xml import locate, parse, size_finding
from gateway.core.xsd import SchemaStore
from gateway.errors import GatewayError, RulePackError
from gateway.model.flow import Flow
from gateway.model.interchange import Syntax
from gateway.model.invoice import canonical_json
from gateway.model.job import DocumentLimits, JudgeJob
from gateway.model.verdict import Finding, Judgement, Layer, PackReference

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


class Judge:
    """Judges documents by the flows of one configuration. Not for use from several threads."""

    def __init__(
        self,
        flows: Iterable[Flow],
        catalogue: Catalogue,
        limits: DocumentLimits,
        *,
        packs: Packs | None = None,
        mapping: Callable[[str], Reader] | None = None,
        directory: Snapshots | None = None,
        watcher: Watcher | None = None,
    ) -> None:
        flows = tuple(flows)
        watcher = watcher or Unwatched()
        schemas = SchemaStore(catalogue)
        every = WithPartnerRules(packs or RulePacks(catalogue, directory=directory), flows)
        partners = {each.name: each for flow in flows for each in flow.partner_rules}

        def stylesheets(pack: str) -> tuple[str, ...]:
            if pack in partners:
                return (partners[pack].stylesheet,)
            return official_stylesheets(catalogue.artefact(pack))

        self._mappings: dict[str, Reader] = {}
        self._load_mapping = mapping or Mapping.load
        self._tools = Tools(
            flows={flow.name: flow for flow in flows},
            catalogue=catalogue,
            limits=limits,
            schemas=schemas,
            packs=every,
            mapping=self._mapping,
            readiness=Readiness(catalogue, schemas, every, watcher),
            attachments=Attachments(stylesheets, watcher),
            watcher=watcher,
        )
        self._messages = MessageCheck(catalogue, every, limits)

    def message_findings(
        self, messages: Iterable[bytes], day: dt.date
    ) -> tuple[tuple[Finding, ...], ...]:
        """What the official rules object to in each lifecycle message of ours.

        Raises RulePackError when they cannot be asked.
        """
        self._take_in_imports()
        readiness = self._tools.readiness
        for root in self._tools.catalogue.schema(SCHEMA).roots:
            readiness.for_schema(SCHEMA, root)
        readiness.for_rules((PACK,), day)
        try:
            return tuple(self._messages.findings(message, day) for message in messages)
        finally:
            self._tools.packs.release()

    def judge(self, job: JudgeJob, data: bytes) -> Judgement:
        """The verdict on one payload. Same bytes, packs and flows: same verdict.

        Never raises for anything in the document; a failure of ours becomes `Undetermined`.
        """
        case = Case(job, data)
        timings: dict[str, float] = {}
        try:
            self._take_in_imports()
        except Exception as error:  # as of a step: the verdict must say so
            return judgement(case.failing("rules", error), timings)
        for name, step in STEPS:
            started = time.perf_counter()
            try:
                case = step(self._tools, case)
            except Exception as error:  # the verdict must say so, whatever it is
                case = case.failing(name, error)
            timings[name] = (time.perf_counter() - started) * 1000
            if case.objected or case.failures:
                break
        self._tools.packs.release()
        return judgement(case, timings)

    def too_large(self, size: int) -> bool:
        """Whether a payload of `size` bytes need not even be read."""
        return size > self._tools.limits.max_bytes

    def refuse_size(self, job: JudgeJob) -> Judgement:
        """The judgement on a payload too large to be read, by its size alone."""
        return judgement(Case(job, b"").having(size_finding(job.size, self._tools.limits)), {})

    def reports(self, job: JudgeJob, data: bytes) -> Iterator[tuple[str, bytes]]:
        """The whole SVRL report of every pack of the document's chain, by pack name.

        Nothing for a document that does not get as far. Raises RulePackError.
        """
        case = Case(job, data)
        for step in (_open, _parse, _route):
            case = step(self._tools, case)
            if case.objected or case.failures:
                return
        for pack in given(case.chain).rules:
            version = version_on(self._tools.catalogue, pack, job.on)
            yield pack, self._tools.packs.svrl(version, given(case.parsed))
        self._tools.packs.release()

    def report(self, job: JudgeJob, data: bytes, wanted: PackReference) -> bytes:
        """The whole SVRL report on a document by the very version of a pack a judgement names.

        Raises RulePackError when that version is not here any more or fails, GatewayError for a
        document that cannot be read, about which no pack was ever asked.
        """
        self._take_in_imports()
        case = Case(job, data)
        for step in (_open, _parse):
            case = step(self._tools, case)
            if case.objected:
                raise GatewayError("This document cannot be read, so no rules were asked about it.")
        return report_on(self._tools, given(case.parsed), wanted)

    def warm_up(self, day: dt.date | None = None) -> tuple[RulePackError, ...]:
        """Compile the schemas and rule packs the flows name, and load their mappings.

        Of a pack with several versions, those that apply on `day` or begin later (None: the
        newest). Those of Factur-X are only verified: they cost seconds and 80 MB, and many judges
        never meet a PDF; the first one waits for them. What is missing or altered is returned, not
        raised: it makes its own documents undetermined and no others. Raises ConfigurationError
        for a mapping that cannot be used.
        """
        self.load_mappings()
        return tuple(dict(filter(None, self.warming_up(day))).values())

    def warming_up(self, day: dt.date | None = None) -> Iterator[tuple[str, RulePackError] | None]:
        """What `warm_up` compiles, one thing at a step: for whoever has something else to do.

        Each step says what is missing or altered, by its name.
        """
        return self._tools.readiness.ahead(self._tools.flows.values(), day)

    def load_mappings(self) -> None:
        """Load the mappings the flows name. Raises ConfigurationError."""
        for flow in self._tools.flows.values():
            self._mapping(flow.mapping)

    def _take_in_imports(self) -> None:
        """Go on with the rule packs that `rules import` brought since the last document."""
        changed = self._tools.catalogue.refresh()
        if changed:
            self._tools.packs.forget(changed)
            self._tools.readiness.forget()
            self._tools.attachments.forget()

    def _mapping(self, name: str) -> Reader:
        if name not in self._mappings:
            self._mappings[name] = self._load_mapping(name)
        return self._mappings[name]
