"""Which official schemas and rule packs there are, where they lie, and whether they are unaltered.

schemas/catalogue.toml names every artefact by Python package, path and sha256. Whoever uses one
asks here, and gets it only if its sum is the one written there: a changed dependency is noticed,
never silently used (`catalogue_files`). A pack may have several versions, each for its own days
(`versions`); `rules import` adds more of them (`imported`).
"""

from __future__ import annotations

import datetime as dt
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
from gateway.core.schematron.catalogue_files import OWN_PACKAGE, ArtefactFiles, tree_sha256
from gateway.core.schematron.imported import IMPORTED, generation, imported_packs
from gateway.core.schematron.versions import (
    MARK,
    Versions,
    applying,
    in_order,
    key_of,
    keyed,
    named,
    validity,
)
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

_IMPORTED = Package(version="", install="", licence="as its author says")


def default_rule_packs() -> Path:
    """The folder of imported rule packs: EDI_GATEWAY_RULE_PACKS, else inside the environment."""
    folder = os.environ.get(RULE_PACKS_VARIABLE)
    return Path(folder) if folder else Path(sys.prefix) / "share" / "edi-gateway" / "rule-packs"


class _CatalogueFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    packages: dict[str, Package]
    packs: dict[str, PackEntry | list[PackEntry]]
    schemas: dict[str, SchemaEntry] = {}


class Catalogue:
    """Every schema and rule pack by name, and the proof that its files are the known ones."""

    def __init__(self, rule_packs: Path, contents: _CatalogueFile) -> None:
        self.rule_packs = rule_packs
        self.packages = {**contents.packages, IMPORTED: _IMPORTED}
        self._official = {name: _official(name, given) for name, given in contents.packs.items()}
        self._schemas = {
            name: msgspec.structs.replace(entry, name=name)
            for name, entry in contents.schemas.items()
        }
        self._files = ArtefactFiles(rule_packs, self.packages)
        self._take_in()

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
        used = {pack.package for packs in contents.packs.values() for pack in _several(packs)}
        used |= {schema.package for schema in contents.schemas.values()}
        for package in sorted(used - contents.packages.keys()):
            raise RulePackError(
                f"The catalogue {file} uses the package {package!r} without naming it.",
                remedy=f"Add a table [packages.{package}].",
            )
        return cls(rule_packs or default_rule_packs(), contents)

    def names(self) -> tuple[str, ...]:
        """The names of all rule packs, in the order of the file; then those imported as files."""
        return tuple(self._versions)

    def versions(self, name: str) -> Versions:
        """Every version of a pack, the oldest first. Raises RulePackError when there is none."""
        try:
            return self._versions[name]
        except KeyError:
            raise self._unknown(name) from None

    def on(self, name: str, day: dt.date) -> str:
        """What the version of a pack that applies on `day` is called: `pack` and others know it.

        Raises RulePackError when no version applies on that day.
        """
        versions = self.versions(name)
        version = applying(versions, day)
        if version is None:
            raise RulePackError(
                f"The rule pack {name} has no version that applies on {day.isoformat()}: "
                f"{validity(versions)}.",
                remedy="Import the version of that time: edi-gateway rules import FILE --name "
                f"{name} --valid-from DATE; or name another pack in the chain of the flow.",
            )
        return key_of(version, versions)

    def coming(self, name: str, day: dt.date) -> tuple[str, ...]:
        """What the versions that begin after `day` are called. Raises RulePackError."""
        versions = self.versions(name)
        return tuple(
            key_of(each, versions) for each in versions if each.valid_from and each.valid_from > day
        )

    def find(self, text: str, day: dt.date) -> str | None:
        """What a person calls a version: NAME (that of `day`, else the newest), or NAME@WORD.

        WORD is a day on which it applies, its version, or the beginning of its sum.
        """
        name, mark, word = text.partition(MARK)
        if name not in self._versions:
            return None
        versions = self._versions[name]
        version = named(versions, word) if mark else applying(versions, day) or versions[-1]
        return None if version is None else key_of(version, versions)

    def is_official(self, name: str) -> bool:
        """Whether the catalogue's file names the pack."""
        return name in self._official

    def refresh(self) -> frozenset[str]:
        """Take in what `rules import` did since; what the versions it changed are called.

        Costs one look at a file as long as nothing was imported. Raises RulePackError.
        """
        if generation(self.rule_packs) == self._generation:
            return frozenset()
        before = self._packs
        self._take_in()
        keys = before.keys() | self._packs.keys()
        return frozenset(key for key in keys if before.get(key) != self._packs.get(key))

    def _take_in(self) -> None:
        """The packs there are now: those of the file, and those imported since."""
        now = generation(self.rule_packs)
        imported = imported_packs(self.rule_packs)
        names = dict.fromkeys([*self._official, *imported])
        self._versions = {
            name: in_order((*self._official.get(name, ()), *imported.get(name, ())))
            for name in names
        }
        self._packs = {
            key: entry
            for versions in self._versions.values()
            for key, entry in keyed(versions).items()
        }
        self._generation = now

    def schema_names(self) -> tuple[str, ...]:
        """The names of all XSD schemas, in the order of the file."""
        return tuple(self._schemas)

    def pack(self, name: str) -> PackEntry:
        """The entry of a rule pack: of its newest version, or of the one called so (`on`, `find`).

        Raises RulePackError when there is none of that name.
        """
        try:
            return self._packs[name]
        except KeyError:
            raise self._unknown(name) from None

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
        return self._files.path_of(entry)

    def stored_folder(self, entry: SchemaEntry) -> Path:
        """Where the tree of a schema lies, or would lie. Nothing is verified."""
        return self._files.folder_of(entry)

    def artefact(self, name: str) -> Artefact:
        """The bytes of a pack, with their sums verified: the very bytes that get compiled.

        Raises PackProblem (a RulePackError) when a file is missing or altered.
        """
        return self._files.artefact(self.pack(name), name)

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
        return self._files.tree(entry) / file

    def _unknown(self, name: str) -> RulePackError:
        return RulePackError(
            f"There is no rule pack {name!r} in the catalogue.",
            remedy=f"Rule packs are: {', '.join(self._versions)}.",
        )


def _several(given: PackEntry | list[PackEntry]) -> list[PackEntry]:
    return given if isinstance(given, list) else [given]


def _official(name: str, given: PackEntry | list[PackEntry]) -> Versions:
    """The versions that the file states of one pack. Raises RulePackError when they clash."""
    entries = [msgspec.structs.replace(entry, name=name) for entry in _several(given)]
    versions = in_order(entries)
    called = {entry.version for entry in entries}
    if not entries or len(versions) < len(entries) or len(called) < len(entries):
        raise RulePackError(
            f"The catalogue has no versions of the rule pack {name} that could be told apart.",
            remedy="Give each a version and a valid_from of its own.",
        )
    if len({entry.judges for entry in entries}) > 1:
        raise RulePackError(
            f"The versions of the rule pack {name} are not for the same documents.",
            remedy="Make them two packs.",
        )
    return versions
