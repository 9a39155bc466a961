"""What judging works with and what it learns: the tools, the case, a check that failed.

Every step of core.steps takes a frozen `Case` and gives back another.
"""

from __future__ import annotations

import dataclasses
import traceback
from collections.abc import Callable, Collection, Mapping
from typing import Protocol, TypeVar

from lxml import etree

from gateway.core.attachments import Attachments
from gateway.core.explain import quoted
from gateway.core.facts import DocumentFacts
from gateway.core.mapping import FileRules, Files, Locator, MappingResult
from gateway.core.readiness import Readiness, Watcher
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.xml import ParsedXml
from gateway.core.xsd import SchemaStore
from gateway.errors import Disposition, GatewayError
from gateway.model.flow import Chain, Flow
from gateway.model.interchange import Syntax
from gateway.model.job import DocumentLimits, JudgeJob
from gateway.model.verdict import (
    AttachedFile,
    Finding,
    Layer,
    PackReference,
    Severity,
    Undetermined,
)


class Packs(Protocol):
    """What judging needs of the rule packs (core.schematron.runner)."""

    def compile(self, name: str) -> None:
        """Compile a pack. Raises RulePackError."""

    def run(self, name: str, parsed: ParsedXml) -> tuple[Finding, ...]:
        """What a pack finds. Raises RulePackError when it cannot run."""

    def svrl(self, name: str, parsed: ParsedXml) -> bytes:
        """The whole report of a pack. Raises RulePackError when it cannot run."""

    def reference(self, name: str) -> PackReference:
        """Version and sum of a pack."""

    def directory(self) -> PackReference | None:
        """The directory of recipients that packs asked about the document; None: none did."""

    def forget(self, names: Collection[str]) -> None:
        """Forget what was compiled of these packs."""

    def release(self) -> None:
        """Forget the document of the last run."""


class Reader(Protocol):
    """What judging needs of a mapping (core.mapping)."""

    def to_canonical(
        self,
        root: etree._Element,
        syntax: Syntax,
        locate: Locator | None,
        *,
        files: Files,
        file_rules: FileRules,
    ) -> MappingResult:
        """The canonical invoice; `locate` places what it objects to, `files` takes attachments."""

    def given_twice(
        self,
        root: etree._Element,
        syntax: Syntax,
        locate: Locator | None,
        where: Callable[[etree._Element], bool],
    ) -> tuple[Finding, ...]:
        """What is given again that there is once, where `where` says that this is meant."""


@dataclasses.dataclass(frozen=True, slots=True)
class Tools:
    """What the steps work with: built once per process."""

    flows: Mapping[str, Flow]
    catalogue: Catalogue
    limits: DocumentLimits
    schemas: SchemaStore
    packs: Packs
    mapping: Callable[[str], Reader]
    readiness: Readiness
    attachments: Attachments
    watcher: Watcher


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """A check that could not be made: a fault of ours, or of what surrounds us."""

    check: str
    outcome: Undetermined


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """What is known about a document so far. `failures` are checks that could not be made.

    `pdf`: the XML in `data` was taken out of a PDF; `pdf_level` is the profile the PDF's metadata
    name, if they do.
    """

    job: JudgeJob
    data: bytes
    pdf: bool = False
    pdf_level: str | None = None
    parsed: ParsedXml | None = None
    facts: DocumentFacts | None = None
    flow: Flow | None = None
    chain: Chain | None = None
    rules: tuple[PackReference, ...] = ()
    findings: tuple[Finding, ...] = ()
    failures: tuple[Failure, ...] = ()
    invoice: bytes | None = None
    message: bytes | None = None
    unmapped: int = 0
    files: tuple[AttachedFile, ...] = ()

    def having(self, *findings: Finding) -> Case:
        """The case with more findings."""
        return dataclasses.replace(self, findings=self.findings + findings)

    def failing(self, check: str, error: Exception) -> Case:
        """The case with a check that could not be made. Only our own errors speak themselves."""
        failure = Failure(check, _outcome(check, error))
        return dataclasses.replace(self, failures=(*self.failures, failure))

    @property
    def objected(self) -> bool:
        """Whether some check found an error."""
        return any(finding.severity is Severity.ERROR for finding in self.findings)

    def wants(self, layer: Layer) -> bool:
        """Whether the job asks for this layer."""
        return self.job.layers is None or layer in self.job.layers


_T = TypeVar("_T")


def given(value: _T | None) -> _T:
    """What an earlier step found. Its absence is a mistake in STEPS."""
    if value is None:
        raise RuntimeError("a step was run before the one it needs")
    return value


def _outcome(check: str, error: Exception) -> Undetermined:
    if isinstance(error, GatewayError):
        transient = error.disposition is Disposition.RETRY
        return Undetermined(cause=error.what, remedy=error.remedy, transient=transient)
    frames = traceback.extract_tb(error.__traceback__)
    last = f" ({frames[-1].name}, line {frames[-1].lineno})" if frames else ""
    return Undetermined(
        cause=f"The check {check} failed: {type(error).__name__}: {quoted(error)}{last}.",
        remedy="Keep the document and report this to the makers of the gateway.",
        transient=isinstance(error, MemoryError),
    )
