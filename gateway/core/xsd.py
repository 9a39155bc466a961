"""XSD: libxml2 gives the verdict, in less than a millisecond; on failure xmlschema explains it.

xmlschema is pure Python: fifty times slower, two seconds to load, but it says which element the
schema waited for. So it is loaded at the first failure and never has a say in the verdict: where
it finds nothing, or where the document is too large for it, libxml2's own words are kept.

One cause is one finding (`core.deviations` says which deviations have the same): the first in the
document is told, the places of the others are counted. Of a long document only the beginning is
looked at once it deviates there (`core.beginnings`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
from lxml import etree

from gateway.core.beginnings import elements_in, faulty_beginning
from gateway.core.complaints import from_libxml2, from_xmlschema
from gateway.core.deviations import Cause, Deviation, causes
from gateway.core.explain import own_finding
from gateway.core.explanations import place_in_words
from gateway.core.places import shortened
from gateway.core.schematron.catalogue_entries import SchemaEntry
from gateway.core.xml import ParsedXml, element_at, friendly_name, friendly_path, locate
from gateway.errors import RulePackError
from gateway.model.verdict import Finding, Text

MAX_FINDINGS: Final = 50
"""More causes than this help nobody; XSD-MORE says that there are more."""

_MAX_DEVIATIONS: Final = 1_000
"""Looked at to find the causes."""

_MAX_EXPLAINED_ELEMENTS: Final = 20_000
"""Beyond this xmlschema would take seconds for a sentence."""

_MAX_EXPECTED: Final = 4
"""Names listed as expected; UBL allows dozens at some places."""

_XS: Final = "{http://www.w3.org/2001/XMLSchema}"

_MAX_LINES: Final = 5
"""Lines listed of those where the same is wrong."""


class SchemaCatalogue(Protocol):
    """What this module needs of the catalogue."""

    def schema_path(self, name: str, root: str) -> Path:
        """The XSD of schema `name` for a root element (Clark notation), verified."""

    def schema(self, name: str) -> SchemaEntry:
        """Its entry: it says for which root elements there is a file."""


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
        found, last_line = self._in_beginning(path, schema, parsed)
        more = last_line is not None
        if not found:
            if schema.validate(parsed.tree):
                return ()
            found, more = self._deviations(path, parsed, schema.error_log)
        if not found:
            raise RulePackError(
                f"libxml2 finds the document invalid by schema {name} but does not say why.",
                remedy="Keep the document and report this to the makers of the gateway.",
            )
        told = causes(found)
        findings = [_finding(name, parsed, cause, more) for cause in told[:MAX_FINDINGS]]
        if len(told) > MAX_FINDINGS:
            findings.append(own_finding("XSD-MORE", pack=name, shown=MAX_FINDINGS))
        if last_line is not None:
            findings.append(own_finding("XSD-STOPPED", pack=name, schema=name, last=last_line))
        return tuple(findings)

    def _in_beginning(
        self, path: Path, schema: etree.XMLSchema, parsed: ParsedXml
    ) -> tuple[list[Deviation], int | None]:
        """How a long document deviates in its beginning, and the line that ends there, if not all.

        Nothing says nothing.
        """
        beginning = faulty_beginning(schema, parsed)
        if beginning is None or schema.validate(beginning.parsed.tree):
            return [], None
        found, _ = self._deviations(path, beginning.parsed, schema.error_log)
        found = [each for each in found if not each.lacks_something(beginning.cut)]
        for each in found:
            if each.subject is not None:
                each.subject = beginning.in_full(parsed, each.subject)
        return found, beginning.last_line if found and beginning.cut else None

    def _deviations(self, path: Path, parsed: ParsedXml, log: Any) -> tuple[list[Deviation], bool]:
        """How the document deviates, and whether there may be more of it.

        `log`: what libxml2 has just said of it.
        """
        complaints = _complaints(parsed, log)
        found = list(itertools.islice(self._explained(path, parsed, complaints), _MAX_DEVIATIONS))
        # Whoever stopped counting says so: "50+".
        more = len(found) == _MAX_DEVIATIONS or (not found and len(complaints) > MAX_FINDINGS)
        return found or complaints, more

    def _schema(self, name: str, root: str) -> tuple[Path, etree.XMLSchema]:
        known = self._compiled.get((name, root))
        if known is None:
            path = self._catalogue.schema_path(name, root)
            roots = _together(root, self._catalogue.schema(name).roots)
            paths = {
                each: path if each == root else self._catalogue.schema_path(name, each)
                for each in roots
            }
            try:
                schema = _compiled(paths)
            except (OSError, etree.LxmlError) as error:
                raise RulePackError(
                    f"The schema {name} ({path}) cannot be used: {error}.",
                    remedy="Reinstall the package it comes from; edi-gateway check says which.",
                ) from error
            self._compiled.update({(name, each): (paths[each], schema) for each in roots})
            known = path, schema
        return known

    def _explained(
        self, path: Path, parsed: ParsedXml, complaints: Sequence[Deviation]
    ) -> Iterator[Deviation]:
        """The account xmlschema gives, with libxml2's words where both name an element."""
        if elements_in(parsed) > _MAX_EXPLAINED_ELEMENTS:
            return
        import xmlschema

        try:
            if path not in self._explainers:
                self._explainers[path] = xmlschema.XMLSchema10(
                    str(path), validation="lax", allow="local"
                )
            words = {complaint.subject: complaint for complaint in reversed(complaints)}
            for error in self._explainers[path].iter_errors(parsed.root):
                yield from_xmlschema(error, words)
        except MemoryError:
            raise
        except Exception:
            # Whatever broke, it only explains: the verdict stands, libxml2's words remain.
            return


def _together(root: str, files: Mapping[str, str]) -> tuple[str, ...]:
    """The roots (Clark notation → file) compiled into one schema with this one.

    They share most of their files: UBL's invoice and credit note take half the memory together.
    Only files of different namespaces can be imported beside each other.
    """
    namespaces = {(etree.QName(each).namespace, file) for each, file in files.items()}
    if len(dict(namespaces)) == len(namespaces):
        return tuple(files)
    return tuple(each for each, file in files.items() if file == files[root])


def _compiled(paths: Mapping[str, Path]) -> etree.XMLSchema:
    """One schema for all these roots. Raises OSError and LxmlError."""
    parser = etree.XMLParser(no_network=True, resolve_entities=False)
    imports = {path: etree.QName(root).namespace for root, path in paths.items()}
    if len(imports) == 1:
        return etree.XMLSchema(etree.parse(str(next(iter(imports))), parser))
    together = etree.Element(f"{_XS}schema")
    for path, namespace in imports.items():
        etree.parse(str(path), parser)  # libxml2 passes over an import that it cannot read
        place = {"schemaLocation": path.resolve().as_uri()}
        etree.SubElement(
            together, f"{_XS}import", {"namespace": namespace, **place} if namespace else place
        )
    return etree.XMLSchema(together)


def _finding(schema: str, parsed: ParsedXml, cause: Cause, more: bool) -> Finding:
    deviation = cause.first
    subject = deviation.subject
    place = locate(parsed, subject)
    element = parsed.root if subject is None else subject
    parent = element.getparent()
    holder = parent if deviation.child and parent is not None else element
    finding = own_finding(
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
        child=friendly_name(element.tag, element.prefix),
        expected=_listed([friendly_name(name) for name in deviation.expected]),
        namespace=etree.QName(element).namespace or "–",
        wanted=_namespace(deviation.expected, element),
        allowed=_listed(list(deviation.allowed)),
        value=shortened(_own_text(element)[:400])[:80],
        attribute=deviation.attribute,
    )
    return _with(
        finding, place_in_words(friendly_path(holder)), _elsewhere(schema, parsed, cause, more)
    )


def _with(finding: Finding, *sentences: Text | None) -> Finding:
    """The finding with more to its explanation."""
    explanation = finding.explanation or Text(en="", fr="")
    for more in filter(None, sentences):
        explanation = Text(
            en=f"{explanation.en} {more.en}".strip(), fr=f"{explanation.fr} {more.fr}".strip()
        )
    return msgspec.structs.replace(finding, explanation=explanation)


def _elsewhere(schema: str, parsed: ParsedXml, cause: Cause, more: bool) -> Text | None:
    """How often the same is wrong elsewhere, and on which lines."""
    if not cause.others:
        return None
    places = (locate(parsed, element).line for element in cause.others[: 4 * _MAX_LINES])
    lines = [str(line) for line in dict.fromkeys(places) if line is not None]
    count = f"{len(cause.others)}{'+' if more else ''}"
    told = own_finding("XSD-ALSO", pack=schema, places=count, lines=_listed(lines))
    return told.explanation


def _listed(names: list[str]) -> list[str]:
    """As many as can be read; a dash for none."""
    if not names:
        return ["–"]
    return names if len(names) <= _MAX_EXPECTED else [*names[:_MAX_EXPECTED], "…"]


def _namespace(expected: Sequence[str], element: etree._Element) -> str:
    """The namespace the schema has for an element of this local name."""
    local = etree.QName(element).localname
    return next(
        (name[1:].partition("}")[0] for name in expected if name.rpartition("}")[2] == local), ""
    )


def _complaints(parsed: ParsedXml, log: Any) -> list[Deviation]:
    """libxml2's errors; the second of two about one element (facet, then value) says no more.

    No more of them than are shown, and one: finding an element costs more the later it stands, so
    that a document of 20,000 errors would keep its judge for minutes.
    """
    complaints: dict[etree._Element | None, Deviation] = {}
    for entry in log:
        subject = element_at(parsed, entry.path) if entry.path else None
        complaints.setdefault(subject, from_libxml2(subject, entry.message))
        if len(complaints) > MAX_FINDINGS:
            break
    return list(complaints.values())


def _own_text(element: etree._Element) -> str:
    """The text directly in an element, before and between its children."""
    pieces = [element.text, *(child.tail for child in element)]
    return " ".join(piece.strip() for piece in pieces if piece and piece.strip())
