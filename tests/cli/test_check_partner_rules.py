"""Schematron beside flows as operators meet it: `check` tells its faults, `validate` tries it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.samples import sample_bytes
from tests.cli.test_check import FLOW, Checked
from tests.schematron_sources import UBL, pattern, rule, written


@pytest.fixture
def checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Checked:
    """A configuration whose checks all pass."""
    return Checked(tmp_path, capsys)


def test_sound_rules_are_told_with_their_sum(checked: Checked) -> None:
    """So that two machines can be compared."""
    body = UBL + pattern(rule("/ubl:Invoice", '<assert test="cbc:ID">x</assert>'))
    file = written(checked.flow.parent, body, name="plain.sch")

    code, outcomes = checked("--no-broker")

    (outcome,) = (each for each in outcomes if each["check"] == "partner rules")
    assert (code, outcome["subject"], outcome["result"]) == (0, "./plain.sch", "ok")
    assert hashlib.sha256(file.read_bytes()).hexdigest() in outcome["detail"]


def test_every_fault_is_told_at_its_line(checked: Checked) -> None:
    """Of expressions, with the file of the rules and not that of the flow."""
    body = UBL + pattern(
        rule("/ubl:Invoice", '<assert test="$a">x</assert>\n<assert test="1 +">x</assert>')
    )
    (checked.flow.parent / "own").mkdir()
    file = written(checked.flow.parent / "own", body)
    checked.flow.write_text(FLOW.format(rules='["./own/house.sch", "br-fr-flux2-ubl"]'))

    code, found = checked.faults("--no-broker")

    assert code == 1
    assert [(each["subject"], each["file"], each["key"]) for each in found] == [
        ("./own/house.sch", str(file), "line 8"),
        ("./own/house.sch", str(file), "line 9"),
    ]
    assert all(each["remedy"] for each in found)


def test_what_is_no_schematron_is_a_fault_of_the_configuration(checked: Checked) -> None:
    """The gateway would not start: exit code 2."""
    (checked.flow.parent / "plain.sch").write_text("<x/>")

    code, (fault,) = checked.faults("--no-broker")

    assert (code, fault["check"]) == (2, "configuration")
    assert "not <schema> of ISO Schematron" in fault["what"]


def test_rules_are_tried_on_an_invoice_before_the_gateway_has_them(
    checked: Checked, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the folder of the flows: verdict, pack, and a report of its own."""
    (checked.flow.parent / "own").mkdir()
    body = UBL + pattern(rule("/ubl:Invoice", '<assert id="ACME-1" test="not(cbc:ID)">x</assert>'))
    written(checked.flow.parent / "own", body)
    checked.flow.write_text(FLOW.format(rules='["./own/house.sch"]'))
    invoice = checked.root / "invoice.xml"
    invoice.write_bytes(sample_bytes("ubl-invoice.xml"))
    reports = checked.root / "reports"
    where = ("--flows", str(checked.flow.parent), "--svrl", str(reports))

    assert main(["validate", str(invoice), "--json", *where]) == 1

    said = json.loads(capsys.readouterr().out)
    assert [rules["pack"] for rules in said["rules"]] == ["./own/house.sch"]
    (finding,) = said["findings"]
    assert (finding["rule"], finding["pack"]) == ("ACME-1", "./own/house.sch")
    assert finding["message"] == "x"
    (report,) = reports.iterdir()
    assert report.name.endswith(".own-house.sch.svrl.xml")
    assert main(["validate", str(invoice), "--lang", "fr", *where]) == 1
    assert "ACME-1" in capsys.readouterr().out
