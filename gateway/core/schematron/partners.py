"""Runs the Schematron that lies beside the flows: apart from the official packs, and locked in.

Whatever goes wrong with it leaves the document undetermined: a rule that could not be tried has
not been obeyed. Its findings say what its author wrote; what we know about official rules of the
same id is not laid into their mouth.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final, NamedTuple

from lxml import etree

from gateway.core.case import Packs
from gateway.core.schematron.findings import findings_of
from gateway.core.schematron.locked import LockedSaxon, saxon_error
from gateway.core.schematron.svrl import violations
from gateway.core.xml import ParsedXml
from gateway.errors import RulePackError
from gateway.model.flow import Flow, PartnerRules, is_partner_rules
from gateway.model.verdict import Finding, PackReference

_MEND: Final = "Mend the rules, and look at them with: edi-gateway check."


class _Held(NamedTuple):
    parsed: ParsedXml
    node: Any


class PartnerPacks:
    """The Schematron of some flows, by the names its chains use. Not for several threads."""

    def __init__(self, rules: Iterable[PartnerRules]) -> None:
        self._rules = {each.name: each for each in rules}
        self._saxon = LockedSaxon()
        self._compiled: dict[str, Any] = {}
        self._document: _Held | None = None

    def reference(self, name: str) -> PackReference:
        """Name, version and sum: what a judgement records."""
        rules = self._known(name)
        return PackReference(name, rules.version, rules.sha256)

    def compile(self, name: str) -> None:
        """Compile it unless that is done. Raises RulePackError when it does not compile."""
        if name in self._compiled:
            return
        rules = self._known(name)
        try:
            self._compiled[name] = self._saxon.compile(rules.stylesheet)
        except saxon_error() as error:
            raise RulePackError(
                f"The rules {name} do not compile: {_one_line(error)}", remedy=_MEND
            ) from error

    def run(self, name: str, parsed: ParsedXml) -> tuple[Finding, ...]:
        """What the rules find, in the order of their patterns. Raises RulePackError."""
        report = self._report(name, parsed)
        try:
            found = violations(report)
        except RulePackError as error:
            raise RulePackError(
                f"The rules {name}: {error.what}",
                remedy="If they are about the other syntax, call the file NAME.ubl.sch or "
                "NAME.cii.sch, or name it in the chains it is meant for.",
            ) from error
        return tuple(finding for finding, _ in findings_of(found, name, parsed))

    def svrl(self, name: str, parsed: ParsedXml) -> bytes:
        """The whole report, indented. Raises RulePackError."""
        root = etree.fromstring(self._report(name, parsed))
        etree.indent(root)
        return etree.tostring(root, encoding="utf-8", xml_declaration=True, pretty_print=True)

    def directory(self) -> None:
        """They ask none."""

    def forget(self, names: Collection[str]) -> None:
        """They stay as they were read with the flows."""

    def release(self) -> None:
        """Forget the last document."""
        self._document = None

    def _report(self, name: str, parsed: ParsedXml) -> bytes:
        self.compile(name)
        executable = self._compiled[name]
        try:
            report: str | None = executable.transform_to_string(xdm_node=self._node(parsed))
        except saxon_error() as error:
            said = _one_line(executable.get_xsl_messages() or "")
            raise RulePackError(
                f"The rules {name} failed on this document: {_one_line(error)}"
                + (f" (they said: {said[:500]})" if said else ""),
                remedy=_MEND,
            ) from error
        if not report:
            raise RulePackError(f"The rules {name} gave no report.", remedy=_MEND)
        return report.encode()

    def _node(self, parsed: ParsedXml) -> Any:
        # Parsed again: a node belongs to the processor that made it.
        if self._document is None or self._document.parsed is not parsed:
            self._document = None
            text = parsed.for_rules.decode()
            node = self._saxon.processor().parse_xml(xml_text=text, encoding="UTF-8")
            self._document = _Held(parsed, node)
        return self._document.node

    def _known(self, name: str) -> PartnerRules:
        rules = self._rules.get(name)
        if rules is None:
            raise RulePackError(
                f"The rules {name} were not read with the flows.",
                remedy="Lay the file beside the flows, and restart the gateway.",
            )
        return rules


class WithPartnerRules:
    """Official packs and those of the flows, each by its own runner."""

    def __init__(self, official: Packs, flows: Iterable[Flow]) -> None:
        self._official = official
        self._partners = PartnerPacks(rules for flow in flows for rules in flow.partner_rules)

    def compile(self, name: str) -> None:
        """Compile a pack. Raises RulePackError."""
        self._runner(name).compile(name)

    def run(self, name: str, parsed: ParsedXml) -> tuple[Finding, ...]:
        """What a pack finds. Raises RulePackError when it cannot run."""
        return self._runner(name).run(name, parsed)

    def svrl(self, name: str, parsed: ParsedXml) -> bytes:
        """The whole report of a pack. Raises RulePackError when it cannot run."""
        return self._runner(name).svrl(name, parsed)

    def reference(self, name: str) -> PackReference:
        """Version and sum of a pack."""
        return self._runner(name).reference(name)

    def directory(self) -> PackReference | None:
        """The directory that official packs asked; those of partners ask none."""
        return self._official.directory()

    def forget(self, names: Collection[str]) -> None:
        """Forget what was compiled of these packs."""
        self._official.forget(names)

    def release(self) -> None:
        """Forget the document of the last run."""
        self._official.release()
        self._partners.release()

    def _runner(self, name: str) -> Packs:
        return self._partners if is_partner_rules(name) else self._official


def _one_line(said: object) -> str:
    return " ".join(str(said).split())[:1000]
