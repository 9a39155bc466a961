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
    monkeypatch.setattr(validation, "FEW_LINES", 2)
    monkeypatch.setattr(validation, "MANY_LINES", 20)
    monkeypatch.setattr(validation, "CHAIN_LINES", 20)
    monkeypatch.setattr("sys.argv", ["bench.validation", "-n", "1", "--json"])

    assert validation.main() == 0

    lines = capsys.readouterr().out.splitlines()
    result = json.loads(lines[-1])
    ms = result["ms"]
    assert list(result["lines"]) == ["growth_10000_over_1000", "seconds_5000"]
    assert all(figure > 0 for figure in result["lines"].values())
    steps = ["parse", "xsd", "saxon_parse"]
    for syntax in ("ubl", "cii"):
        pack = f"br-fr-flux2-{syntax}"
        assert list(ms[syntax]) == [*steps, pack, "map", f"{pack} as shipped"]
    assert all(figure > 0 for syntax in ms.values() for figure in syntax.values())
    assert lines[0].startswith("UBL, 1 documents")


def test_the_dearest_rules_are_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """--by-rule names the rules of a pack with what they cost, the dearest first."""
    monkeypatch.setattr("sys.argv", ["bench.validation", "--by-rule", "br-fr-flux2-ubl"])

    assert validation.main() == 0

    title, headers, _line, *rows = capsys.readouterr().out.rstrip().splitlines()
    assert title.startswith("br-fr-flux2-ubl, ")
    assert headers.split()[:2] == ["ms", "pattern"]
    assert len(rows) == validation.DEAREST
    figures = [float(row.split()[0]) for row in rows]
    assert figures == sorted(figures, reverse=True)
    assert figures[0] > 0
    assert any("BR-FR-" in row for row in rows)
