"""What `edi-gateway rules` tells of each rule pack."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.config.loader import Reading
from gateway.core.schematron.catalogue import Artefact, Catalogue, PackProblem, PackState
from gateway.core.schematron.inventory import assertions
from gateway.core.schematron.locked import LockedSaxon
from gateway.core.schematron.preparation import rewriting
from gateway.core.schematron.source import SourceError, read_source
from gateway.core.schematron.versions import applying, key_of, last_day
from gateway.model.flow import is_partner_rules

LOCKED_IN = "locked in"
"""How Schematron beside a flow runs: apart from the official packs, reaching nothing."""


def described_packs(catalogue: Catalogue, today: dt.date) -> Iterator[dict[str, Any]]:
    """Every version of every pack of the catalogue, the oldest of each first."""
    for name in catalogue.names():
        versions = catalogue.versions(name)
        for entry in versions:
            key = key_of(entry, versions)
            until = last_day(entry, versions)
            out = _blank() | {
                "pack": name,
                "called": key,
                "title": entry.title,
                "syntax": entry.judges,
                "version": entry.version,
                "source": catalogue.source(key),
                "sha256": entry.sha256,
                "valid_from": entry.valid_from.isoformat() if entry.valid_from else None,
                "valid_until": until.isoformat() if until else None,
                "applies_today": applying(versions, today) is entry,
            }
            yield out | _state(catalogue, key)


def _state(catalogue: Catalogue, key: str) -> dict[str, Any]:
    """Whether it is ready, how much there is in it, and how it runs."""
    try:
        artefact = catalogue.artefact(key)
        counted = _counted(artefact.stylesheet)
        way = _way(artefact)
    except PackProblem as problem:
        return {
            "status": problem.state.value,
            "problem": problem.what,
            "remedy": problem.remedy,
        }
    return counted | way


def described_partner_rules(reading: Reading) -> Iterator[dict[str, Any]]:
    """The Schematron that the flows of a configuration name or lie beside, each once."""
    configuration = reading.configuration
    names = dict.fromkeys(
        name
        for flow in configuration.flows.values()
        for chain in flow.chain
        for name in chain.rules
        if is_partner_rules(name)
    )
    saxon = LockedSaxon()
    for name in names:
        yield _beside_a_flow(name, configuration.flows_folder / name, saxon)


def _beside_a_flow(name: str, path: Path, saxon: LockedSaxon) -> dict[str, Any]:
    out = _blank() | {"pack": name, "called": name, "source": str(path), "runs": LOCKED_IN}
    try:
        source = read_source(path)
        out |= {
            "title": source.title,
            "version": source.release or source.sha256[:12],
            "sha256": source.sha256,
        }
        saxon.compile_source(source)
    except SourceError as error:
        return out | {
            "status": PackState.FAULTY.value,
            "problem": error.what,
            "remedy": f"{error.remedy} Every fault: edi-gateway check.",
        }
    return out | _counted(source.stylesheet.encode())


def _blank() -> dict[str, Any]:
    """Every key, in the order of the answer."""
    return {
        "pack": "",
        "called": "",
        "title": "",
        "syntax": None,
        "version": "",
        "source": "",
        "sha256": "",
        "valid_from": None,
        "valid_until": None,
        "applies_today": True,
        "rules": None,
        "assertions": None,
        "status": PackState.READY.value,
        "runs": None,
        "as_shipped_because": None,
        "problem": None,
        "remedy": None,
    }


def _counted(stylesheet: bytes) -> dict[str, int]:
    found = assertions(stylesheet)
    return {"rules": len({assertion.rule for assertion in found}), "assertions": len(found)}


def _way(artefact: Artefact) -> dict[str, str | None]:
    """Whether the pack runs rewritten, and why not."""
    because = rewriting(artefact).as_shipped
    runs = "as shipped" if because else "optimised"
    return {"runs": runs, "as_shipped_because": because or None}
