"""Judging one document: the steps of core.steps, one after the other, as long as all goes well.

The first step that ends with an error, or that could not be made, is the last: a document that is
not XML has no profile, one that is not valid by its schema would only confuse the rules. What the
case adds up to is decided in core.outcome.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator

from gateway.core.attachments import Attachments
from gateway.core.case import Case, Packs, Reader, Tools, given
from gateway.core.cdar.checking import PACK, SCHEMA, MessageCheck
from gateway.core.directory import Snapshots
from gateway.core.mapping import Mapping
from gateway.core.outcome import judgement
from gateway.core.readiness import Readiness, Unwatched, Watcher, version_on
from gateway.core.reporting import report_on
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.schematron.partners import WithPartnerRules
from gateway.core.schematron.preparation import stylesheets as official_stylesheets
from gateway.core.schematron.runner import RulePacks
from gateway.core.steps import STEPS, UNTIL_PARSED, UNTIL_ROUTED
from gateway.core.xml import size_finding
from gateway.core.xsd import SchemaStore
from gateway.errors import GatewayError, RulePackError
from gateway.model.flow import Flow
from gateway.model.job import DocumentLimits, JudgeJob
from gateway.model.verdict import Finding, Judgement, PackReference


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
        for step in UNTIL_ROUTED:
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
        for step in UNTIL_PARSED:
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
