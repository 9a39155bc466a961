"""Runs rule packs: compiled once per process by SaxonC, shut off from files and network.

SaxonC would read whatever a document or a stylesheet points to. So the processor is told to open
no URI at all: documents and stylesheets are handed over as text, and a code list that a stylesheet
asks for with document() is parsed once from the bytes the catalogue vouches for and passed in as a
parameter, unless the rewritten stylesheet has all its codes inside. (Saxon would parse it again for
every document: the shipped Factur-X packs gain a third in speed by this alone, with the same
answers.) What is compiled is the stylesheet as `compiler`
rewrites it, which finds the same sooner; whenever that gives no answer, and for the full report,
the stylesheet as shipped is run.

The processor belongs to the process and the thread that made it; it is made at the first use,
never at import, and one unexpected Java exception ends the process: judges are processes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from lxml import etree

from gateway.core.directory import Directory, Snapshots, sirets_in
from gateway.core.explanations import explain_rule, values_in
from gateway.core.schematron.catalogue import Artefact, Catalogue, PackEntry
from gateway.core.schematron.compiler import rewrite
from gateway.core.schematron.findings import findings_of
from gateway.core.schematron.locked import LockedSaxon, saxon_error
from gateway.core.schematron.preparation import DIRECTORY, prepared
from gateway.core.schematron.svrl import Saying, Violation, violations
from gateway.core.xml import ParsedXml
from gateway.errors import RulePackError
from gateway.model.verdict import Finding, PackReference


class _Compiled(NamedTuple):
    executable: Any
    entry: PackEntry
    nodes: tuple[Any, ...]
    """Code lists: the executable refers to them, this keeps them alive."""
    sayings: tuple[Saying, ...]


class _Asked(NamedTuple):
    """A directory, and what it says of the parties of a document, as a node."""

    directory: Directory | None
    node: Any


class RulePacks:
    """The rule packs of a catalogue, ready to run. Not for use from several threads.

    `optimise`: run them rewritten where that is known to be safe. `directory`: where packs find
    the directory of recipients, if they ask one.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        optimise: bool = True,
        directory: Snapshots | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._optimise = optimise
        self._directory = directory
        self._asked: _Asked | None = None
        self._saxon = LockedSaxon()
        self._compiled: dict[str, _Compiled] = {}
        self._shipped: dict[str, _Compiled] = {}
        self._document: tuple[ParsedXml, Any] | None = None

    def reference(self, name: str) -> PackReference:
        """Name, version and sum of a pack: what a judgement records."""
        entry = self._catalogue.pack(name)
        return PackReference(entry.name, entry.version, entry.sha256)

    def directory(self) -> PackReference | None:
        """The snapshot of the directory that a pack asked about the last document."""
        asked = self._asked.directory if self._asked else None
        return asked.reference if asked else None

    def compile(self, name: str) -> None:
        """Compile a pack unless that is done.

        Raises RulePackError when it is missing, altered or does not compile.
        """
        self._executable(name)

    def load(self, parsed: ParsedXml) -> None:
        """Hand the document to Saxon. `run` does it by itself; measurements tell the two apart."""
        self._node(parsed)

    def run(self, name: str, parsed: ParsedXml) -> tuple[Finding, ...]:
        """What the pack finds in the document, in the order of its report.

        Raises RulePackError when the pack cannot be used or fails: then the document is not
        judged, whatever other packs said.
        """
        compiled = self._executable(name)
        try:
            found = self._violations(name, compiled, parsed)
        except RulePackError:
            # No answer is what the shipped stylesheet says it is, and nobody else. It is compiled
            # anew: one that has run some twenty times computes variables before they are needed,
            # and then fails on a date such as "B8" that a fresh one finds to be no date.
            self._shipped.pop(name, None)
            found = self._violations(name, self._as_shipped(name), parsed)
        return tuple(_explained(found, compiled.entry, parsed))

    def svrl(self, name: str, parsed: ParsedXml) -> bytes:
        """The whole report of the pack as shipped, indented. Raises RulePackError as `run` does."""
        root = etree.fromstring(self._transform(name, self._as_shipped(name), parsed))
        etree.indent(root)
        return etree.tostring(root, encoding="utf-8", xml_declaration=True, pretty_print=True)

    def forget(self, names: Collection[str]) -> None:
        """Forget what was compiled of these packs: they are not what they were."""
        for name in names:
            self._compiled.pop(name, None)
            self._shipped.pop(name, None)

    def release(self) -> None:
        """Forget the last document, which is otherwise kept for the next pack of its chain."""
        self._document = self._asked = None

    def _violations(
        self, name: str, compiled: _Compiled, parsed: ParsedXml
    ) -> tuple[Violation, ...]:
        report = self._transform(name, compiled, parsed)
        try:
            return violations(report, compiled.sayings)
        except RulePackError as error:
            raise RulePackError(f"Rule pack {name}: {error.what}", remedy=error.remedy) from error

    def _transform(self, name: str, compiled: _Compiled, parsed: ParsedXml) -> bytes:
        error_type = saxon_error()
        try:
            node = self._node(parsed)
            if compiled.entry.directory:
                self._ask(compiled.executable, parsed)
            report: str | None = compiled.executable.transform_to_string(xdm_node=node)
        except error_type as error:
            said = str(compiled.executable.get_xsl_messages() or "").strip()
            raise RulePackError(
                f"The rule pack {name} failed on this document: {_one_line(error)}"
                + (f" (it said: {said[:500]})" if said else ""),
                remedy="Look for an element that stands twice, or empty, where the rules take one "
                "value for granted; if there is none, report the pack (edi-gateway rules).",
            ) from error
        if not report:
            raise RulePackError(
                f"The rule pack {name} gave no report on this document.",
                remedy="Compare the pack's sum: edi-gateway rules.",
            )
        return report.encode()

    def _node(self, parsed: ParsedXml) -> Any:
        """The document in Saxon. `for_rules` is UTF-8 that core.xml found without DOCTYPE."""
        if self._document is None or self._document[0] is not parsed:
            self._document = self._asked = None
            node = self._processor().parse_xml(xml_text=parsed.for_rules.decode(), encoding="UTF-8")
            self._document = (parsed, node)
        return self._document[1]

    def _ask(self, executable: Any, parsed: ParsedXml) -> None:
        """Give the executable what the directory says of this document's parties.

        One snapshot answers for all packs of the document. Raises RulePackError when the newest
        one cannot be used.
        """
        if self._asked is None:
            directory = self._directory.current() if self._directory else None
            text = directory.extract(sirets_in(parsed)) if directory else "<none/>"
            node = self._processor().parse_xml(xml_text=text, encoding="UTF-8")
            self._asked = _Asked(directory, node)
        executable.set_parameter(DIRECTORY, self._asked.node)

    def _processor(self) -> Any:
        return self._saxon.processor()

    def _executable(self, name: str) -> _Compiled:
        compiled = self._compiled.get(name)
        if compiled is None:
            compiled = self._rewritten(name) if self._optimise else None
            compiled = self._compiled[name] = compiled or self._as_shipped(name)
        return compiled

    def _rewritten(self, name: str) -> _Compiled | None:
        artefact = self._catalogue.artefact(name)
        text, parameters = prepared(artefact)
        rewriting = rewrite(text, parameters)
        if rewriting.as_shipped:
            return None
        asked = {
            parameter: content
            for parameter, content in parameters.items()
            if f"${parameter}" in rewriting.stylesheet
        }
        try:
            return self._compile(artefact, rewriting.stylesheet, asked, rewriting.sayings)
        except RulePackError:
            return None  # If the stylesheet itself is at fault, compiling it as shipped will say.

    def _as_shipped(self, name: str) -> _Compiled:
        compiled = self._shipped.get(name)
        if compiled is None:
            artefact = self._catalogue.artefact(name)
            compiled = self._compile(artefact, *prepared(artefact))
            self._shipped[name] = compiled
        return compiled

    def _compile(
        self,
        artefact: Artefact,
        text: str,
        parameters: dict[str, str],
        sayings: tuple[Saying, ...] = (),
    ) -> _Compiled:
        name = artefact.entry.name
        try:
            processor = self._processor()
            executable = processor.new_xslt30_processor().compile_stylesheet(stylesheet_text=text)
            nodes = []
            for parameter, content in parameters.items():
                node = processor.parse_xml(xml_text=content, encoding="UTF-8")
                executable.set_parameter(parameter, node)
                nodes.append(node)
        except saxon_error() as error:
            raise RulePackError(
                f"The rule pack {name} does not compile: {_one_line(error)}",
                remedy="Compare the pack's sum and the version of saxonche: edi-gateway rules.",
            ) from error
        executable.set_property("!indent", "no")
        executable.set_save_xsl_message(True)
        return _Compiled(executable, artefact.entry, tuple(nodes), sayings)


def _explained(
    found: Iterable[Violation], entry: PackEntry, parsed: ParsedXml
) -> Iterable[Finding]:
    for finding, element in findings_of(found, entry.name, parsed):
        values = None
        if element is not None and entry.syntax is not None:
            values = values_in(finding, element, entry.syntax)
        # Whoever wrote the rule in both languages knows best what it means.
        yield finding if finding.explanation else explain_rule(finding, values)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:1000]
