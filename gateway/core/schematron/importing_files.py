"""Takes in rule packs that come as files: Schematron, a stylesheet, or a zip of them.

    read ─▶ compile ─▶ try on sample invoices ─▶ store ─▶ known to the catalogue

Nothing of a pack is stored before it has run. It is tried where it can reach nothing (`locked`),
and pinned by the sum of the very bytes that were tried: what lies in the folder afterwards is used
only as long as it is unaltered. Names inside a zip become paths only after a look at each part.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

import msgspec
from lxml import etree

from gateway.core.schematron.catalogue import Catalogue, PackEntry
from gateway.core.schematron.imported import ENTRY, GENERATION, IMPORTED, place_of
from gateway.core.schematron.importing import store
from gateway.core.schematron.locked import LockedSaxon
from gateway.core.schematron.source import read_source
from gateway.core.schematron.trial import Trial, syntax_of, tried
from gateway.errors import ConfigurationError
from gateway.model.interchange import Syntax

STYLESHEETS: Final = (".xslt", ".xsl")
KINDS: Final = (".sch", *STYLESHEETS, ".zip")
"""The endings of files this module takes."""

_XSL: Final = "http://www.w3.org/1999/XSL/Transform"
_SCH_ROOT: Final = "{http://purl.oclc.org/dsdl/schematron}schema"
_MAX_BYTES: Final = 100_000_000
_MAX_MEMBERS: Final = 5_000
_DOCUMENT: Final = re.compile(r"\bdocument\(\s*(['\"])(?P<file>[^'\"]+)\1\s*\)")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")


class Wanted(NamedTuple):
    """What the operator says of the pack. None: as the file has it."""

    name: str | None = None
    syntax: Syntax | None = None
    phase: str | None = None


class Imported(NamedTuple):
    """A pack that is ready: its entry, where it lies, and how it did on the samples."""

    entry: PackEntry
    path: Path
    trials: tuple[Trial, ...]


class _Candidate(NamedTuple):
    """A pack before it is stored. `files`: name in the folder of the pack → content."""

    entry: PackEntry
    stylesheet: bytes
    files: dict[str, bytes]


def import_file(
    catalogue: Catalogue, file: Path, samples: Mapping[str, bytes], wanted: Wanted
) -> tuple[Imported, ...]:
    """Take in the packs of `file`; `samples` (name → good invoice) are tried first.

    A pack imported before under the same name is replaced. Raises ConfigurationError or
    RulePackError, with what is wrong and where; nothing is stored unless all packs have run.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="edi-gateway-import-") as scratch:
            sources = list(_sources(file, Path(scratch)))
            candidates = [_candidate(source, file, wanted) for source in sources]
    except OSError as error:
        raise ConfigurationError(
            f"{file} cannot be read: {error.strerror or error}.", remedy="Name a readable file."
        ) from error
    _check_names(catalogue, candidates, wanted)
    ready = [_tried(candidate, samples, wanted) for candidate in candidates]
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


def _sources(file: Path, scratch: Path) -> Iterator[Path]:
    """The files that are packs: the file itself, or those of a zip."""
    if file.suffix.lower() != ".zip":
        yield file
        return
    _unpack(file, scratch)
    sheets = sorted(path for path in scratch.rglob("*") if path.suffix.lower() in STYLESHEETS)
    yield from sheets
    # A schema and its stylesheet come together: then its authors' own stylesheet is the pack.
    stems = {path.stem for path in sheets}
    schemas = [
        path
        for path in sorted(scratch.rglob("*.sch"))
        if _is_schema(path) and path.stem not in stems
    ]
    if not sheets and not schemas:
        raise ConfigurationError(
            f"{file} holds no rules.", remedy="Name a zip with Schematron (.sch) or XSLT in it."
        )
    yield from schemas


def _unpack(file: Path, scratch: Path) -> None:
    """Every member as a plain file below `scratch`. Raises ConfigurationError, OSError."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if sum(m.file_size for m in members) > _MAX_BYTES or len(members) > _MAX_MEMBERS:
                raise ConfigurationError(
                    f"{file} holds more than {_MAX_MEMBERS} files or {_MAX_BYTES} bytes.",
                    remedy="Make a zip of just the rules.",
                )
            for member in members:
                path = PurePosixPath(member.filename)
                if path.is_absolute() or ".." in path.parts or "\\" in member.filename:
                    raise ConfigurationError(
                        f"{file} holds a file that would leave its folder: {member.filename!r}.",
                        remedy="Do not trust it: ask its makers.",
                    )
                target = scratch / path  # to which zipfile gives no more than the size it claims
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as content, target.open("xb") as out:
                    shutil.copyfileobj(content, out)
    # RuntimeError is zipfile's word for a password, NotImplementedError for odd compression.
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise ConfigurationError(
            f"{file} cannot be unpacked: {error}.", remedy="Fetch it again, without a password."
        ) from error


def _is_schema(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            _, root = next(etree.iterparse(file, events=("start",), no_network=True))
    except (etree.XMLSyntaxError, StopIteration):
        return True  # to be told what is wrong with it
    return bool(root.tag == _SCH_ROOT)


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
    LockedSaxon().compile_source(source)
    entry = msgspec.structs.replace(
        entry,
        title=source.title or entry.title,
        sha256=source.sha256,
        version=source.release or source.sha256[:12],
    )
    return _Candidate(entry, source.stylesheet.encode(), source.contents)


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
        if catalogue.is_official(name):
            raise ConfigurationError(
                f"{name} is a pack of the catalogue, which an import does not replace.",
                remedy="Give it another name with --name, and use that in the chains.",
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


def _tried(
    candidate: _Candidate, samples: Mapping[str, bytes], wanted: Wanted
) -> tuple[_Candidate, tuple[Trial, ...]]:
    """The pack with the syntax it turned out to be for, and how it did."""
    trials = tried(candidate.entry, candidate.stylesheet, candidate.files, samples)
    syntax = syntax_of(candidate.entry.name, trials, wanted.syntax)
    entry = msgspec.structs.replace(candidate.entry, syntax=syntax)
    return candidate._replace(entry=entry), trials


def _stored(catalogue: Catalogue, candidate: _Candidate) -> Path:
    """Write the files, then the entry that makes them count. Raises OSError.

    Each version has a folder of its own: a judge at work on the one before still finds it whole.
    """
    entry, place = candidate.entry, place_of(catalogue.rule_packs)
    inside = f"{entry.name}/{entry.sha256[:16]}"
    for name, content in candidate.files.items():
        store(place / inside / name, content)
    entry = msgspec.structs.replace(entry, path=f"{inside}/{entry.path}")
    store(place / entry.name / ENTRY, msgspec.json.encode(entry))
    return place / entry.path
