"""Whether the files that judges read by themselves are still the same ones.

Flows arrive in a judge's boot frame; rule packs, and the Schematron beside a flow, it reads.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from gateway.config.configuration import Configuration


def rule_files(configuration: Configuration) -> str:
    """Stands for names, sizes and times of all files beside the flows and of imported packs."""
    digest = hashlib.sha256()
    for folder in (configuration.flows_folder, configuration.rule_packs):
        for path in sorted(_files(folder)):
            try:
                found = path.stat()
            except FileNotFoundError:
                continue  # replaced at this very moment: the next reload sees what became of it
            digest.update(f"{path}\0{found.st_size}\0{found.st_mtime_ns}\0".encode())
    return digest.hexdigest()


def _files(folder: Path) -> list[Path]:
    return [Path(here) / name for here, _, names in os.walk(folder) for name in names]
