"""Whether a lifecycle message is what the official schema and the French rules want.

Asked of every message that leaves, and of every one that comes in.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from gateway.core.case import Packs
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.xml import ParsedXml, parse
from gateway.core.xsd import SchemaStore
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Finding, Severity

PACK: Final = "br-fr-cdv"
SCHEMA: Final = "cdar-d22b"


class MessageCheck:
    """Schema and rules of one process, compiled at the first message. Not for several threads."""

    def __init__(
        self, catalogue: Catalogue, packs: Packs, limits: DocumentLimits | None = None
    ) -> None:
        self._catalogue = catalogue
        self._schemas = SchemaStore(catalogue)
        self._packs = packs
        self._limits = limits or DocumentLimits()

    def findings(self, data: bytes, day: dt.date) -> tuple[Finding, ...]:
        """What the checks object to, by the rules of that day; nothing when it is valid.

        Raises RulePackError when a check cannot be made: then the message is not known to be valid.
        """
        parsed = parse(data, self._limits)
        return (parsed,) if isinstance(parsed, Finding) else self.findings_of(parsed, day)

    def findings_of(self, parsed: ParsedXml, day: dt.date) -> tuple[Finding, ...]:
        """The same of a document that was read: by its schema; if it keeps that, by the rules."""
        by_schema = self._schemas.validate(SCHEMA, parsed)
        return by_schema or self._packs.run(self._catalogue.on(PACK, day), parsed)


def is_valid(findings: tuple[Finding, ...]) -> bool:
    """Whether a message with these findings may leave: warnings do not keep it back."""
    return all(finding.severity is not Severity.ERROR for finding in findings)
