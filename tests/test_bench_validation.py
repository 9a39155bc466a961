"""`python -m bench.validation`."""

from __future__ import annotations

import json

import pytest

from bench import validation
from gateway.model.interchange import Syntax


def test_the_last_line_holds_the_milliseconds_of_every_step(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --json, `ms` has one figure per syntax and step; a table stands above it."""
    monkeypatch.setattr(
        validation, "PACKS", {Syntax.UBL: ("br-fr-flux2-ubl",), Syntax.CII: ("br-fr-flux2-cii",)}
    )
    monkeypatch.setattr("sys.argv", ["bench.validation", "-n", "1", "--json"])

    assert validation.main() == 0

    lines = capsys.readouterr().out.splitlines()
    ms = json.loads(lines[-1])["ms"]
    steps = ["parse", "xsd", "saxon_parse"]
    for syntax in ("ubl", "cii"):
        pack = f"br-fr-flux2-{syntax}"
        assert list(ms[syntax]) == [*steps, pack, f"{pack} as shipped", "map"]
    assert all(figure > 0 for syntax in ms.values() for figure in syntax.values())
    assert lines[0].startswith("UBL, 1 documents")
