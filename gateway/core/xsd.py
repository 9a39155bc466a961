"""XSD: libxml2 gives the verdict, in less than a millisecond; on failure xmlschema explains it.

xmlschema is pure Python: fifty times slower, two seconds to load, but it says which element the
schema waited for. So it is loaded at the first failure and never has a say in the verdict: where
it finds nothing, or where the document is too large for it, libxml2's own words are kept.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from lxml import etree

from gateway.core.explain import own_finding
from gateway.core.places import shortened
from gateway.core.xml import ParsedXml, element_at, friendly_name, friendly_path, locate
from gateway.errors import RulePackError
from gateway.model.verdict import Finding

MAX_FINDINGS: Final = 50
"""More deviations than this help nobody; XSD-MORE says that there are more."""

_MAX_EXPLAINED_ELEMENTS: Final = 20_000
"""Beyond this xmlschema would take seconds for a sentence."""

_MAX_EXPECTED: Final = 8
"""Names listed as expected; UBL allows dozens at some places."""

_count_elements = etree.XPath("count(//*)")


class SchemaCatalogue(Protocol):
    """What this module needs of the catalogue."""

    def schema_path(self, name: str, root: str) -> Path:
        """The XSD of schema `name` for a root element (Clark notation), verified."""


class SchemaStore:
    """The schemas of one process: each compiled at its first use."""

    def __init__(self, catalogue: SchemaCatalogue) -> None:
        self._catalogue = catalogue
        self._compiled: dict[tuple[str, str], tuple[Path, etree.XMLSchema]] = {}
        self._explainers: dict[Path, Any] = {}

    def compile(self, name: str, root: str) -> etree.XMLSchema:
        """The schema `name` for documents with this root element (Clark notation).

        Raises RulePackError when it is missing, altered, or no schema libxml2 can use.
        """
        return self._schema(name, root)[1]

    def validate(self, name: str, parsed: ParsedXml) -> tuple[Finding, ...]:
        """How the document deviates from schema `name`; nothing when it is valid.

        Raises RulePackError when the check cannot be made.
        """
        path, schema = self._schema(name, parsed.root.tag)
        if schema.validate(parsed.tree):
            return ()
        complaints = _complaints(parsed, schema.error_log)
        if not complaints:
            raise RulePackError(
                f"libxml2 finds the document invalid by schema {name} but does not say why.",
                remedy="Keep the document and report this to the makers of the gateway.",
            )
        found = list(itertools.islice(self._explained(path, parsed, complaints), MAX_FINDINGS + 1))
        if not found:
            found = complaints[: MAX_FINDINGS + 1]
        findings = [_finding(name, parsed, deviation) for deviation in found[:MAX_FINDINGS]]
        if len(found) > MAX_FINDINGS:
            findings.append(own_finding("XSD-MORE", pack=name, shown=MAX_FINDINGS))
        return tuple(findings)

    def _schema(self, name: str, root: str) -> tuple[Path, etree.XMLSchema]:
        known = self._compiled.get((name, root))
        if known is None:
            path = self._catalogue.schema_path(name, root)
            try:
                parser = etree.XMLParser(no_network=True, resolve_entities=False)
                known = path, etree.XMLSchema(etree.parse(str(path), parser))
            except (OSError, etree.LxmlError) as error:
                raise RulePackError(
                    f"The schema {name} ({path}) cannot be used: {error}.",
                    remedy="Reinstall the package it comes from; edi-gateway check says which.",
                ) from error
            self._compiled[name, root] = known
        return known

    def _explained(
        self, path: Path, parsed: ParsedXml, complaints: Sequence[_Deviation]
    ) -> Iterator[_Deviation]:
        """The account xmlschema gives, with libxml2's words where both name an element."""
        if float(str(_count_elements(parsed.root))) > _MAX_EXPLAINED_ELEMENTS:
            return
        import xmlschema

        try:
            if path not in self._explainers:
                self._explainers[path] = xmlschema.XMLSchema10(
                    str(path), validation="lax", allow="local"
                )
            words = {complaint.subject: complaint for complaint in reversed(complaints)}
            for error in self._explainers[path].iter_errors(parsed.root):
                yield _from_xmlschema(error, words)
        except MemoryError:
            raise
        except Exception:
            # Whatever broke, it only explains: the verdict stands, libxml2's words remain.
            return


class _Deviation:
    """One deviation from the schema: where, of which kind, in which words."""

    __slots__ = ("child", "expected", "reason", "subject", "variant")

    def __init__(
        self,
        subject: etree._Element | None,
        reason: str,
        *,
        variant: str | None = None,
        child: bool = False,
        expected: Sequence[str] = (),
    ) -> None:
        self.subject = subject
        self.reason = reason
        self.variant = variant
        self.child = child
        self.expected = tuple(dict.fromkeys(expected))


def _finding(schema: str, parsed: ParsedXml, deviation: _Deviation) -> Finding:
    subject = deviation.subject
    place = locate(parsed, subject)
    element = parsed.root if subject is None else subject
    name = friendly_name(element.tag, element.prefix)
    parent = element.getparent()
    holder = parent if deviation.child and parent is not None else element
    expected = list(deviation.expected[:_MAX_EXPECTED])
    if len(deviation.expected) > _MAX_EXPECTED:
        expected.append("…")
    return own_finding(
        "XSD-INVALID",
        variant=deviation.variant,
        pack=schema,
        location=friendly_path(element),
        line=place.line,
        column=place.column,
        excerpt=place.excerpt,
        reason=deviation.reason,
        schema=schema,
        element=friendly_name(holder.tag, holder.prefix),
        child=name,
        expected=expected,
        value=shortened(_own_text(element)[:400])[:80],
        attribute=_attribute(deviation.reason),
    )


_CLARK = re.compile(r"\{[^{}\s]*:[^{}\s]*\}[\w.-]+")
_SUBJECT = re.compile(r"^Element '[^']*'(?:, (?=attribute)|: )")
_ATTRIBUTE = re.compile(r"[Aa]ttribute '([^']+)'|'([^']+)' attribute")
_EXPECTED = re.compile(r"Expected is (?:one of )?\( (.*) \)\.?$")


def _complaints(parsed: ParsedXml, log: Any) -> list[_Deviation]:
    """libxml2's errors; the second of two about one element (facet, then value) says no more.

    No more of them than are shown, and one: finding an element costs more the later it stands, so
    that a document of 20,000 errors would keep its judge for minutes.
    """
    complaints: dict[etree._Element | None, _Deviation] = {}
    for entry in log:
        subject = element_at(parsed, entry.path) if entry.path else None
        complaints.setdefault(subject, _from_libxml2(subject, entry.message))
        if len(complaints) > MAX_FINDINGS:
            break
    return list(complaints.values())


def _from_libxml2(subject: etree._Element | None, message: str) -> _Deviation:
    reason = _SUBJECT.sub("", tidy(message))
    listed = _EXPECTED.search(reason)
    expected = [name.strip() for name in listed[1].split(",")] if listed else []
    if "is not expected" in reason:
        variant = "unexpected" if expected else "superfluous"
        return _Deviation(subject, reason, variant=variant, child=True, expected=expected)
    if "Missing child element" in reason:
        return _Deviation(subject, reason, variant="missing", expected=expected)
    return _Deviation(subject, reason, variant=_kind(message, subject))


def _kind(words: str, subject: etree._Element | None) -> str | None:
    """Which wording fits a deviation that is not about the order of elements."""
    if "nillable" in words:
        return None
    if "attribute '" in words or "' attribute" in words:
        return "attribute-missing" if "missing" in words else "attribute"
    if "haracter content" in words or "character data" in words:
        return "text"
    return "value" if subject is not None and len(subject) == 0 else None


def _attribute(reason: str) -> str:
    """The attribute a reason is about, or nothing."""
    named = _ATTRIBUTE.search(reason)
    return (named[1] or named[2]) if named else ""


def _own_text(element: etree._Element) -> str:
    """The text directly in an element, before and between its children."""
    pieces = [element.text, *(child.tail for child in element)]
    return " ".join(piece.strip() for piece in pieces if piece and piece.strip())


def _from_xmlschema(error: Any, words: dict[etree._Element | None, _Deviation]) -> _Deviation:
    """`error`: an XMLSchemaValidationError. `words`: libxml2's account by element."""
    child = getattr(error, "invalid_child", None)
    subject = error.elem if child is None else child
    said = words.get(subject)
    reason = said.reason if said is not None else tidy(str(error.reason))
    particles = getattr(error, "expected", None) or ()
    names = [getattr(particle, "name", None) for particle in particles]
    expected = [friendly_name(name) for name in names if name]
    if not expected and said is not None:
        expected = list(said.expected)
    variant: str | None
    if child is not None:
        variant = "unexpected" if expected else "superfluous"
    elif hasattr(error, "occurs") and expected:
        variant = "missing"
    elif said is not None:
        variant = said.variant
    else:
        variant = _kind(reason, subject)
    return _Deviation(subject, reason, variant=variant, child=child is not None, expected=expected)


def tidy(message: str) -> str:
    """`{urn:…}Name` → `cbc:Name`; one line."""
    named = _CLARK.sub(lambda found: friendly_name(found[0]), message)
    return " ".join(named.split())
