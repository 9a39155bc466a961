"""The rule packs that `edi-gateway rules import` took from files of their own.

All versions of a pack lie in a folder of its name: the files of each, and an entry for each that
it adds to the catalogue, written last. `pack-2026-09-01.json` is the version from that day on,
`pack.json` one without a first day. `generation` changes with every import, so that a judge that
runs need only look at one file to know whether there is anything new.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Final

import msgspec

from gateway.core.schematron.catalogue_entries import PackEntry
from gateway.errors import RulePackError

IMPORTED: Final = "imported"
"""Stands for the package in the entries of such packs."""
GENERATION: Final = "generation"


def place_of(rule_packs: Path) -> Path:
    """The folder in which each of them has its own."""
    return rule_packs / "imported"


def entry_file(valid_from: dt.date | None) -> str:
    """The name of the file that holds the entry of a version with this first day."""
    return f"pack-{valid_from.isoformat()}.json" if valid_from else "pack.json"


def generation(rule_packs: Path) -> tuple[int, int]:
    """Tells one import from the next; (0, 0) before the first."""
    try:
        status = (place_of(rule_packs) / GENERATION).stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_ino


def imported_packs(rule_packs: Path) -> dict[str, list[PackEntry]]:
    """The entries of their versions, by name. Raises RulePackError when one cannot be read."""
    found: dict[str, list[PackEntry]] = {}
    for file in sorted(place_of(rule_packs).glob("*/pack*.json")):
        name = file.parent.name
        try:
            entry = msgspec.json.decode(file.read_bytes(), type=PackEntry)
        except (OSError, msgspec.DecodeError) as error:
            raise RulePackError(
                f"The imported rule pack {name} cannot be read: {error}.",
                remedy=f"Import it again, or remove {file}.",
            ) from error
        entry = msgspec.structs.replace(entry, name=name, package=IMPORTED)
        found.setdefault(name, []).append(entry)
    return found
