"""Schematron source (`.sch`, ISO/IEC 19757-3) → the XSLT that runs it.

    files ─────────▶ elements ──────▶ patterns, rules, assertions ─▶ XSLT
      source_files     source_reader    source_model                   source_writer
                       source_rules                                    source_xml

`compile_source` is all that most callers need. `read_source` does not try the XPath; who compiles
the stylesheet anyway reads its complaints with `Source.complaints`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from gateway.core.schematron.source_files import Place, SourceError
from gateway.core.schematron.source_names import calls_in
from gateway.core.schematron.source_reader import read_schema
from gateway.core.schematron.source_writer import write
from gateway.errors import Fault

__all__ = ["Source", "SourceError", "compile_source", "read_source"]

_COMPLAINT: Final = re.compile(r"^\s*(?:Static e|Type e|E)rror\b", re.MULTILINE)
_LINE: Final = re.compile(r"\bon line (\d+)\b")
_EXPRESSION: Final = re.compile(r"^[^\n]*?\{(?P<said>.*)\}")
_UNREACHABLE: Final = frozenset(
    {
        "available-environment-variables",
        "collection",
        "doc",
        "doc-available",
        "document",
        "environment-variable",
        "json-doc",
        "load-xquery-module",
        "transform",
        "unparsed-text",
        "unparsed-text-available",
        "unparsed-text-lines",
        "uri-collection",
    }
)
"""Functions that reach beyond the document. They fail or answer nothing when they are run, which
a rule would take for an answer; so whoever writes one is told at once."""
_REMEDIES: Final = {
    "XPST0008": 'Declare it with <let name="…" value="…"/>, or mend its name.',
    "XPST0017": "Mend the name of the function, or how many arguments it gets.",
    "XPST0081": 'Declare it: <ns prefix="…" uri="…"/>.',
}


class Source(NamedTuple):
    """Schematron source, read. `stylesheet` is XSLT as text, `release` what it calls its version.

    `sha256` is the sum of the file; with includes, that of the lines "<sha256>  <name>" of all
    files, sorted by name. `contents`: every file that was read, by its name in the folder.
    """

    file: str
    title: str
    release: str
    stylesheet: str
    sha256: str
    contents: dict[str, bytes]
    places: tuple[Place | None, ...]

    def complaints(self, said: str) -> SourceError:
        """What the XSLT compiler said about the stylesheet, as faults of the source."""
        faults = tuple(dict.fromkeys(_faults(self, said)))
        return SourceError(self.file, faults)


def compile_source(path: Path, *, phase: str | None = None) -> str:
    """The XSLT of the Schematron in `path`, compiled once to see that it is sound.

    `phase`: the patterns of this phase only; None: of the default phase, or all where there is
    none; "#ALL": all. Reads no file outside the folder of `path`. Raises SourceError, with every
    fault found: what, in which line, why, and the remedy.
    """
    from gateway.core.schematron.locked import LockedSaxon

    source = read_source(path, phase=phase)
    LockedSaxon().compile_source(source)
    return source.stylesheet


def read_source(path: Path, *, phase: str | None = None) -> Source:
    """As `compile_source`, without a look at what the XPath says. Raises SourceError."""
    schema, files = read_schema(path, phase)
    stylesheet = write(schema)
    for xpath, place in stylesheet.expressions:
        for name in sorted(_UNREACHABLE.intersection(calls_in(xpath))):
            files.object(
                place,
                f"{_said(place)} calls {name}(): rules see the document that is judged, and no "
                "file, network, environment or extension.",
                "Write what it should look up into the rules, as a let.",
            )
    files.raise_faults()
    return Source(
        file=path.name,
        title=schema.title,
        release=schema.release,
        stylesheet=stylesheet.text,
        sha256=files.sha256(),
        contents=files.contents(),
        places=stylesheet.places,
    )


def _faults(source: Source, said: str) -> Iterator[Fault]:
    """One fault for each complaint of the compiler."""
    starts = [match.start() for match in _COMPLAINT.finditer(said)] or [0]
    for start, end in zip(starts, [*starts[1:], len(said)], strict=True):
        complaint = said[start:end]
        line = _LINE.search(complaint)
        number = int(line[1]) - 1 if line else 0
        place = source.places[number] if number < len(source.places) else None
        where, _, why = complaint.partition(":\n")
        words = " ".join((why or where).split())
        code, _, reason = words.partition(" ")
        if not re.fullmatch(r"[A-Z]{4}\d{4}", code):
            code, reason = "", words
        expression = _EXPRESSION.match(where)
        at = f" at {expression['said']!r}" if expression else ""
        yield Fault(
            file=place.file if place else source.file,
            key=f"line {place.line}" if place else "",
            what=f"{_said(place)} is not understood{at}: {reason[:400].rstrip('. ')}."
            + (f" ({code})" if code else ""),
            remedy=_REMEDIES.get(code, "Mend the XPath."),
        )


def _said(place: Place | None) -> str:
    what = place.what if place else "What it says"
    return what[:1].upper() + what[1:]
