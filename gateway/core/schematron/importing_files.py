"""Takes in rule packs that come as files: Schematron, a stylesheet, or a zip of them.

    read ─▶ compile ─▶ try on sample invoices ─▶ store ─▶ known to the catalogue

Nothing of a pack is stored before it has run. It is tried where it can reach nothing (`trial`),
and pinned by the sum of the very bytes that were tried: what lies in the folder afterwards is used
only as long as it is unaltered. It is a version of its own from its first day on; what was received
before is still judged by the version before.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from lxml import etree

from gateway.core.schematron.catalogue import Catalogue, PackEntry
from gateway.core.schematron.catalogue_files import sum_of
from gateway.core.schematron.imported import GENERATION, IMPORTED, entry_file, place_of
from gateway.core.schematron.importing import store
from gateway.core.schematron.importing_zip import KINDS, STYLESHEETS, packs_in
from gateway.core.schematron.preparation import DIRECTORY
from gateway.core.schematron.source import Source, read_source
from gateway.core.schematron.trial import Attempt, Trial, TrialAnswer, syntax_of, tried
from gateway.errors import ConfigurationError, RulePackError
from gateway.model.interchange import Syntax

_XSL: Final = "http://www.w3.org/1999/XSL/Transform"
_DOCUMENT: Final = re.compile(r"\bdocument\(\s*(['\"])(?P<file>[^'\"]+)\1\s*\)")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")


class Wanted(NamedTuple):
    """What the operator says of the pack. None: as the file has it.

    `valid_from`: the first day it applies on; None: it applies to whatever was ever received.
    """

    name: str | None = None
    syntax: Syntax | None = None
    phase: str | None = None
    valid_from: dt.date | None = None


class Imported(NamedTuple):
    """A pack that is ready: its entry, where it lies, and how it did on the samples."""

    entry: PackEntry
    path: Path
    trials: tuple[Trial, ...]


class _Candidate(NamedTuple):
    """A pack before it is stored. `files`: name in the folder of the pack → content.

    `source`: the Schematron it was compiled from, which complaints are about. `syntax`: what it
    has to be for; None: what its trial shows.
    """

    entry: PackEntry
    stylesheet: bytes
    files: dict[str, bytes]
    source: Source | None = None
    syntax: Syntax | None = None


def import_file(
    catalogue: Catalogue,
    file: Path,
    samples: Mapping[str, bytes],
    wanted: Wanted,
    trying: Callable[[Attempt], TrialAnswer] = tried,
) -> tuple[Imported, ...]:
    """Take in the packs of `file`; `samples` (name → good invoice) are tried first, by `trying`.

    Of the versions imported under a name, only one from the same day is replaced. Raises
    ConfigurationError or RulePackError, with what is wrong and where; nothing is stored unless all
    packs have run.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="edi-gateway-import-") as scratch:
            sources = list(packs_in(file, Path(scratch)))
            candidates = [_candidate(source, file, wanted) for source in sources]
    except OSError as error:
        raise ConfigurationError(
            f"{file} cannot be read: {error.strerror or error}.", remedy="Name a readable file."
        ) from error
    _check_names(catalogue, candidates, wanted)
    candidates = [_succeeding(catalogue, each, wanted) for each in candidates]
    ready = [_tried(candidate, samples, trying) for candidate in candidates]
    try:
        stored = tuple(
            Imported(each.entry, _stored(catalogue, each), trials) for each, trials in ready
        )
        store(place_of(catalogue.rule_packs) / GENERATION, b"")
    except OSError as error:
        raise ConfigurationError(
            f"The rule packs of {file} cannot be stored in {catalogue.rule_packs}: {error}.",
            remedy="Make the folder writable, or name another with --rule-packs.",
        ) from error
    catalogue.refresh()
    return stored


def take_back(catalogue: Catalogue, name: str) -> PackEntry:
    """Take a version that was imported out of the catalogue again; return its entry.

    `name` is what it is called (`Catalogue.find`). Its files stay, for what it has judged. Raises
    ConfigurationError when it was not imported, or the folder cannot be written.
    """
    entry = catalogue.pack(name)
    if entry.package != IMPORTED:
        raise ConfigurationError(
            f"{name} comes with the catalogue, not from an import.",
            remedy="Leave it there: a version that is imported takes its place from its day on.",
        )
    place = place_of(catalogue.rule_packs)
    try:
        (place / entry.name / entry_file(entry.valid_from)).unlink()
        store(place / GENERATION, b"")
    except OSError as error:
        raise ConfigurationError(
            f"{name} cannot be taken out of {catalogue.rule_packs}: {error}.",
            remedy="Make the folder writable, or name another with --rule-packs.",
        ) from error
    catalogue.refresh()
    return entry


def _candidate(path: Path, file: Path, wanted: Wanted) -> _Candidate:
    """The pack at `path`. Raises ConfigurationError, SourceError, OSError."""
    name = wanted.name or re.sub(r"[^a-z0-9.-]+", "-", path.stem.lower()).strip(".-")
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f'"{name}" is not a usable name for a rule pack.',
            remedy="Use --name with lower-case letters, digits, dots and hyphens.",
        )
    entry = PackEntry(
        title=path.stem,
        syntax=wanted.syntax or Syntax.UBL,
        package=IMPORTED,
        path=path.name,
        sha256="",
        version="",
        phase=wanted.phase,
        valid_from=wanted.valid_from,
        imported_from=file.name,
        name=name,
    )
    if path.suffix.lower() == ".sch":
        return _schematron(path, entry)
    if path.suffix.lower() in STYLESHEETS:
        return _stylesheet(path, entry)
    raise ConfigurationError(
        f"{path.name} is no file of rules.",
        remedy=f"Name a file that ends with {', '.join(KINDS)}, or a wheel.",
    )


def _schematron(path: Path, entry: PackEntry) -> _Candidate:
    source = read_source(path, phase=entry.phase)
    entry = msgspec.structs.replace(
        entry,
        title=source.title or entry.title,
        sha256=source.sha256,
        version=source.release or source.sha256[:12],
    )
    return _Candidate(entry, source.stylesheet.encode(), source.contents, source)


def _stylesheet(path: Path, entry: PackEntry) -> _Candidate:
    content = path.read_bytes()
    try:
        root = etree.fromstring(
            content, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
        )
    except etree.XMLSyntaxError as error:
        raise ConfigurationError(
            f"{path.name} is not XML: {error}.", remedy="Name an XSLT stylesheet."
        ) from error
    if root.getroottree().docinfo.internalDTD is not None or etree.QName(root).namespace != _XSL:
        raise ConfigurationError(
            f"{path.name} is not an XSLT stylesheet without a DOCTYPE.",
            remedy="Name Schematron that was compiled to XSLT, or the Schematron itself.",
        )
    codes = {name: path.with_name(name).read_bytes() for name in _code_lists(root, path)}
    sha256 = hashlib.sha256(content).hexdigest()
    entry = msgspec.structs.replace(
        entry,
        sha256=sha256,
        version=sha256[:12],
        codes={name: hashlib.sha256(data).hexdigest() for name, data in codes.items()},
    )
    return _Candidate(entry, content, {path.name: content, **codes})


def _code_lists(root: etree._Element, path: Path) -> list[str]:
    """The files beside the stylesheet that it reads with document()."""
    values = (str(value) for element in root.iter("*") for value in element.attrib.values())
    named = {match["file"] for value in values for match in _DOCUMENT.finditer(value)}
    for name in sorted(named):
        if "/" in name or "\\" in name or not path.with_name(name).is_file():
            raise ConfigurationError(
                f"{path.name} reads {name}, which does not lie beside it.",
                remedy="Import a zip that holds both, in one folder.",
            )
    return sorted(named)


def _check_names(catalogue: Catalogue, candidates: list[_Candidate], wanted: Wanted) -> None:
    seen: set[str] = set()
    for name in (candidate.entry.name for candidate in candidates):
        if catalogue.is_official(name) and name != wanted.name:
            raise ConfigurationError(
                f"{name} is a pack of the catalogue, which no file replaces by its name alone.",
                remedy=f"Say --name {name} if it is a new version of it; or give it another name, "
                "and use that in the chains.",
            )
        if name in seen:
            raise ConfigurationError(
                f"The file holds two packs called {name}.",
                remedy="Import the one you mean by itself, with --name.",
            )
        seen.add(name)
    if wanted.name and len(candidates) > 1:
        raise ConfigurationError(
            f"The file holds {len(candidates)} packs ({', '.join(sorted(seen))}), not one.",
            remedy="Leave --name out, or import the one you mean by itself.",
        )


def _succeeding(catalogue: Catalogue, candidate: _Candidate, wanted: Wanted) -> _Candidate:
    """The pack as a version of the one there is, if there is one.

    Raises ConfigurationError when it is said to be for another syntax than that.
    """
    entry = candidate.entry
    if entry.name not in catalogue.names():
        return candidate._replace(syntax=wanted.syntax)
    before = catalogue.pack(entry.name)
    if before.syntax is None:
        raise ConfigurationError(
            f"The rule pack {entry.name} is for {before.judges.upper()}, of which we have no "
            "samples to try a version on.",
            remedy="Its versions come with the catalogue.",
        )
    if wanted.syntax not in (None, before.syntax):
        raise ConfigurationError(
            f"The rule pack {entry.name} is for {before.judges.upper()}.",
            remedy="Give rules for another syntax another name, with --name.",
        )
    asks = f'name="{DIRECTORY}"'.encode() in candidate.stylesheet
    entry = msgspec.structs.replace(entry, directory=before.directory and asks)
    return candidate._replace(entry=entry, syntax=before.syntax)


def _tried(
    candidate: _Candidate,
    samples: Mapping[str, bytes],
    trying: Callable[[Attempt], TrialAnswer],
) -> tuple[_Candidate, tuple[Trial, ...]]:
    """The pack with the syntax it turned out to be for, and how it did."""
    entry = candidate.entry
    codes = {name: candidate.files[name] for name in entry.codes}
    answer = trying(Attempt(entry, candidate.stylesheet, codes, dict(samples)))
    if answer.uncompiled and candidate.source is not None:
        raise candidate.source.complaints(answer.uncompiled)
    if answer.what:
        raise RulePackError(answer.what, remedy=answer.remedy)
    syntax = syntax_of(entry.name, answer.trials, candidate.syntax)
    return candidate._replace(entry=msgspec.structs.replace(entry, syntax=syntax)), answer.trials


def _stored(catalogue: Catalogue, candidate: _Candidate) -> Path:
    """Write the files, then the entry that makes them count. Raises OSError.

    What is not the same has a folder of its own: a judge at work on another version still finds
    that one whole, and so does whoever judges an older interchange.
    """
    entry, place = candidate.entry, place_of(catalogue.rule_packs)
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in candidate.files.items()}
    inside = f"{entry.name}/{sum_of(sums)[:16]}"
    for name, content in candidate.files.items():
        store(place / inside / name, content)
    entry = msgspec.structs.replace(entry, path=f"{inside}/{entry.path}")
    store(place / entry.name / entry_file(entry.valid_from), msgspec.json.encode(entry))
    return place / entry.path
