"""Runs rule packs: compiled once per process by SaxonC, shut off from files and network.

SaxonC would read whatever a document or a stylesheet points to. So the processor is told to open
no URI at all: documents and stylesheets are handed over as text, and a code list that a stylesheet
asks for with document() is parsed once from the bytes the catalogue vouches for and passed in as a
parameter. (Saxon would parse it again for every document: the shipped Factur-X packs gain a third
in speed by this alone, with the same answers.) What is compiled is the stylesheet as `compiler`
rewrites it, which finds the same sooner; whenever that gives no answer, and for the full report,
the stylesheet as shipped is run.

The processor belongs to the process and the thread that made it; it is made at the first use,
never at import, and one unexpected Java exception ends the process: judges are processes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from lxml import etree

from gateway.core.explanations import explain_rule, values_in
from gateway.core.schematron.catalogue import Artefact, Catalogue
from gateway.core.schematron.compiler import Rewriting, rewrite
from gateway.core.schematron.locations import Locations
from gateway.core.schematron.svrl import Violation, violations
from gateway.core.terms import terms_in
from gateway.core.xml import ParsedXml, Place, locate
from gateway.errors import RulePackError
from gateway.model.interchange import Syntax
from gateway.model.verdict import Finding, Layer, PackReference

MAX_PLACES: Final = 1000
"""Findings of one run that carry line, column and excerpt. Who has a thousand needs no more, and
finding them must not take longer than judging."""

_XSL: Final = "http://www.w3.org/1999/XSL/Transform"
_LOCKED: Final = {
    # No URI may be opened by document(), unparsed-text(), collection(), xsl:import, …
    "http://saxon.sf.net/feature/allowedProtocols": "",
    # No environment variables, no xsl:result-document, no Java.
    "http://saxon.sf.net/feature/allow-external-functions": "false",
}


class _Compiled(NamedTuple):
    executable: Any
    syntax: Syntax
    nodes: tuple[Any, ...]
    """Code lists: the executable refers to them, this keeps them alive."""
    rewritten: bool


class RulePacks:
    """The rule packs of a catalogue, ready to run. Not for use from several threads.

    `optimise`: run them rewritten where that is known to be safe.
    """

    def __init__(self, catalogue: Catalogue, *, optimise: bool = True) -> None:
        self._catalogue = catalogue
        self._optimise = optimise
        self._saxon: Any = None
        self._compiled: dict[str, _Compiled] = {}
        self._shipped: dict[str, _Compiled] = {}
        self._document: tuple[ParsedXml, Any] | None = None

    def reference(self, name: str) -> PackReference:
        """Name, version and sum of a pack: what a judgement records."""
        entry = self._catalogue.pack(name)
        return PackReference(name, entry.version, entry.sha256)

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
        return tuple(_findings(found, name, compiled.syntax, parsed))

    def svrl(self, name: str, parsed: ParsedXml) -> bytes:
        """The whole report of the pack as shipped, indented. Raises RulePackError as `run` does."""
        root = etree.fromstring(self._transform(name, self._as_shipped(name), parsed))
        etree.indent(root)
        return etree.tostring(root, encoding="utf-8", xml_declaration=True, pretty_print=True)

    def release(self) -> None:
        """Forget the last document, which is otherwise kept for the next pack of its chain."""
        self._document = None

    def _violations(
        self, name: str, compiled: _Compiled, parsed: ParsedXml
    ) -> tuple[Violation, ...]:
        report = self._transform(name, compiled, parsed)
        try:
            return violations(report)
        except RulePackError as error:
            raise RulePackError(f"Rule pack {name}: {error.what}", remedy=error.remedy) from error

    def _transform(self, name: str, compiled: _Compiled, parsed: ParsedXml) -> bytes:
        error_type = _saxon_error()
        try:
            node = self._node(parsed)
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
        """The document in Saxon. `parsed.data` is UTF-8 that core.xml found without DOCTYPE."""
        if self._document is None or self._document[0] is not parsed:
            self._document = None
            node = self._processor().parse_xml(xml_text=parsed.data.decode(), encoding="UTF-8")
            self._document = (parsed, node)
        return self._document[1]

    def _processor(self) -> Any:
        if self._saxon is None:
            from saxonche import PySaxonProcessor

            self._saxon = PySaxonProcessor(license=False)
            for feature, value in _LOCKED.items():
                self._saxon.set_configuration_property(feature, value)
        return self._saxon

    def _executable(self, name: str) -> _Compiled:
        compiled = self._compiled.get(name)
        if compiled is None:
            compiled = self._rewritten(name) if self._optimise else None
            compiled = self._compiled[name] = compiled or self._as_shipped(name)
        return compiled

    def _rewritten(self, name: str) -> _Compiled | None:
        artefact = self._catalogue.artefact(name)
        text, parameters = prepared(artefact)
        rewriting = rewrite(text)
        if rewriting.as_shipped:
            return None
        try:
            return self._compile(artefact, rewriting.stylesheet, parameters, rewritten=True)
        except RulePackError:
            return None  # If the stylesheet itself is at fault, compiling it as shipped will say.

    def _as_shipped(self, name: str) -> _Compiled:
        compiled = self._shipped.get(name)
        if compiled is None:
            artefact = self._catalogue.artefact(name)
            compiled = self._compile(artefact, *prepared(artefact), rewritten=False)
            self._shipped[name] = compiled
        return compiled

    def _compile(
        self, artefact: Artefact, text: str, parameters: dict[str, str], *, rewritten: bool
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
        except _saxon_error() as error:
            raise RulePackError(
                f"The rule pack {name} does not compile: {_one_line(error)}",
                remedy="Compare the pack's sum and the version of saxonche: edi-gateway rules.",
            ) from error
        executable.set_property("!indent", "no")
        executable.set_save_xsl_message(True)
        return _Compiled(executable, artefact.entry.syntax, tuple(nodes), rewritten)


def rewriting(artefact: Artefact) -> Rewriting:
    """What `RulePacks` runs for the pack, or why it runs the pack as shipped.

    Raises RulePackError as `prepared` does.
    """
    return rewrite(prepared(artefact)[0])


def prepared(artefact: Artefact) -> tuple[str, dict[str, str]]:
    """The stylesheet as text, and the parameters that stand for the code lists it reads.

    Only `document('<code list>')` inside XSLT instructions is replaced, by a global parameter;
    all else stays as shipped. Raises RulePackError when the bytes are no stylesheet, or do not
    read a code list the catalogue names.
    """
    name = artefact.entry.name
    try:
        root = _parse(artefact.stylesheet)
        contents = {
            file: etree.tostring(_parse(content), encoding="unicode")
            for file, content in artefact.codes.items()
        }
    except etree.XMLSyntaxError as error:
        raise RulePackError(
            f"The rule pack {name} is not XML: {error}.",
            remedy="Compare the pack's sum: edi-gateway rules.",
        ) from error
    parameters = {}
    for number, (file, content) in enumerate(contents.items(), start=1):
        parameter = f"gateway-codes-{number}"
        if not _replace(root, f"document('{file}')", f"${parameter}"):
            raise RulePackError(
                f"The rule pack {name} does not read {file}, as the catalogue says.",
                remedy="Take the file out of [packs." + name + ".codes] of the catalogue.",
            )
        etree.SubElement(root, f"{{{_XSL}}}param", name=parameter)
        parameters[parameter] = content
    return etree.tostring(root, encoding="unicode"), parameters


def _parse(content: bytes) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    return etree.fromstring(content, parser)


def _replace(root: etree._Element, call: str, reference: str) -> bool:
    replaced = False
    for element in root.iter(f"{{{_XSL}}}*"):
        for attribute, value in element.items():
            if call in str(value):
                element.set(attribute, str(value).replace(call, reference))
                replaced = True
    return replaced


def _findings(
    found: tuple[Violation, ...], pack: str, syntax: Syntax, parsed: ParsedXml
) -> Iterable[Finding]:
    locations = Locations(parsed)
    for number, violation in enumerate(found):
        element, path = locations.at(violation.location)
        detailed = element is not None and number < MAX_PLACES
        place = locate(parsed, element) if detailed else Place(None, None, None)
        finding = Finding(
            rule=violation.rule,
            layer=Layer.SCHEMATRON,
            severity=violation.severity,
            message=violation.text,
            pack=pack,
            location=path,
            line=place.line,
            column=place.column,
            excerpt=place.excerpt,
            terms=terms_in(violation.text),
        )
        values = values_in(finding, element, syntax) if detailed and element is not None else None
        yield explain_rule(finding, values)


def _saxon_error() -> type[Exception]:
    from saxonche import PySaxonApiError

    error: type[Exception] = PySaxonApiError
    return error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:1000]
