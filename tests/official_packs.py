"""Packs of the catalogue that come from wheels, which `make rules` imports."""

from __future__ import annotations

import pytest

from gateway.core.schematron.catalogue import Artefact, Catalogue, PackProblem


def official(pack: str) -> Artefact:
    """A pack of the catalogue; the test is skipped where its wheel was not imported."""
    try:
        return Catalogue.load().artefact(pack)
    except PackProblem as problem:
        pytest.skip(str(problem))
