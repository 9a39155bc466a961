"""The rule packs that `edi-gateway rules import` took from files of their own.

Each lies in a folder of its name: the files, and `pack.json`, the entry it adds to the catalogue,
written last. `generation` changes with every import, so that a judge that runs need only look at
one file to know whether there is anything new.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from gateway.core.schematron.catalogue_entries import PackEntry
from gateway.errors import RulePackError

IMPORTED: Final = "imported"
"""Stands for the package in the entries of such packs."""
ENTRY: Final = "pack.json"
GENERATION: Final = "generation"


def place_of(rule_packs: Path) -> Path:
    """The folder in which each of them has its own."""
    return rule_packs / "imported"


def generation(rule_packs: Path) -> tuple[int, int]:
    """Tells one import from the next; (0, 0) before the first."""
    try:
        status = (place_of(rule_packs) / GENERATION).stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_ino


def imported_packs(rule_packs: Path) -> dict[str, PackEntry]:
    """Their entries, by name. Raises RulePackError when one cannot be read."""
    found = {}
    for file in sorted(place_of(rule_packs).glob(f"*/{ENTRY}")):
        name = file.parent.name
        try:
            entry = msgspec.json.decode(file.read_bytes(), type=PackEntry)
        except (OSError, msgspec.DecodeError) as error:
            raise RulePackError(
                f"The imported rule pack {name} cannot be read: {error}.",
                remedy=f"Import it again, or remove {file.parent}.",
            ) from error
        found[name] = msgspec.structs.replace(entry, name=name, package=IMPORTED)
    return found
