"""Schematron beside the flows: which chains it joins, and what is said about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import load_flows
from gateway.config.loader import read
from gateway.errors import ConfigurationError, Fault
from gateway.model.flow import Flow
from tests.schematron_sources import pattern, rule, written

FLOW = """
name = "acme"
[match]
syntaxes = ["ubl", "cii"]
[[chain]]
syntax = "ubl"
schema = "ubl-2.1"
rules = {ubl}
[[chain]]
syntax = "cii"
schema = "cii-d22b"
rules = ["br-fr-flux2-cii"]
"""
GOOD = pattern(rule("o:order", '<assert id="A" test="true()">x</assert>'))


class Flows:
    """A folder of flows with one flow, and what is read from it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "flows"
        self.folder.mkdir()
        (root / "partners").mkdir()
        (root / "gateway.toml").write_text('[paths]\nflows = "flows"\n')
        self.flow()

    def flow(self, ubl: str = '["en16931-ubl"]') -> None:
        """Write the flow."""
        (self.folder / "acme.toml").write_text(FLOW.format(ubl=ubl))

    def rules(self, name: str, body: str = GOOD) -> Path:
        """Write Schematron."""
        return written(self.folder, body, name=name)

    def loaded(self) -> Flow:
        """The flow, which must be sound."""
        return load_flows(self.folder)["acme"]

    def faults(self) -> tuple[Fault, ...]:
        """What `load_flows` objects to."""
        with pytest.raises(ConfigurationError) as caught:
            load_flows(self.folder)
        return caught.value.faults


@pytest.fixture
def flows(tmp_path: Path) -> Flows:
    """Such a folder."""
    return Flows(tmp_path)


@pytest.mark.parametrize(
    ("name", "ubl", "cii"),
    [
        ("acme.sch", ["en16931-ubl", "./acme.sch"], ["br-fr-flux2-cii", "./acme.sch"]),
        ("acme.ubl.sch", ["en16931-ubl", "./acme.ubl.sch"], ["br-fr-flux2-cii"]),
        ("acme.cii.sch", ["en16931-ubl"], ["br-fr-flux2-cii", "./acme.cii.sch"]),
        ("other.sch", ["en16931-ubl"], ["br-fr-flux2-cii"]),
    ],
)
def test_schematron_beside_a_flow_joins_its_chains(
    flows: Flows, name: str, ubl: list[str], cii: list[str]
) -> None:
    """By its name: all chains, or those of one syntax; after the rules the file names."""
    flows.rules(name)

    assert [list(chain.rules) for chain in flows.loaded().chain] == [ubl, cii]


def test_a_chain_names_schematron_of_its_own(flows: Flows) -> None:
    """Where it wants it; what lies beside the flow as well is not run twice."""
    flows.flow('["./shared/house.sch", "./acme.sch", "en16931-ubl"]')
    flows.rules("acme.sch")
    (flows.folder / "shared").mkdir()
    flows.rules("shared/house.sch")

    flow = flows.loaded()

    assert flow.chain[0].rules == ("./shared/house.sch", "./acme.sch", "en16931-ubl")
    assert [rules.name for rules in flow.partner_rules] == ["./shared/house.sch", "./acme.sch"]
    assert all("xsl:stylesheet" in rules.stylesheet for rules in flow.partner_rules)


def test_a_flow_of_the_longer_name_keeps_its_schematron(flows: Flows) -> None:
    """acme.ubl.sch is that of acme.ubl.toml when there is such a flow."""
    text = FLOW.format(ubl="[]").replace('"acme"', '"other"')
    (flows.folder / "acme.ubl.toml").write_text(text)
    flows.rules("acme.ubl.sch")

    loaded = load_flows(flows.folder)

    assert loaded["acme"].partner_rules == ()
    assert loaded["other"].chain[1].rules == ("br-fr-flux2-cii", "./acme.ubl.sch")


def test_every_fault_of_the_schematron_is_one_of_the_configuration(flows: Flows) -> None:
    """With the file and its line; the flow is not to blame."""
    file = flows.rules("acme.sch", "<pattern>\n<rule>\n<assert>x</assert></rule></pattern>")

    assert [(fault.file, fault.key) for fault in flows.faults()] == [
        (str(file), "line 7"),
        (str(file), "line 6"),
    ]


@pytest.mark.parametrize(
    "name", ["./../x.sch", "./x.xslt", "/etc/x.sch", "x.sch", "./.x.sch", "./a/../x.sch", "./"]
)
def test_names_that_are_not_of_this_folder(flows: Flows, name: str) -> None:
    """A chain cannot reach out of the folder of the flows."""
    flows.flow(f'["{name}"]')

    (fault,) = flows.faults()

    assert fault.key == "chain[0].rules[0]"
    assert "./NAME.sch" in fault.remedy


def test_schematron_that_is_not_there(flows: Flows) -> None:
    """Named by a chain, it must be."""
    flows.flow('["./gone.sch"]')

    (fault,) = flows.faults()

    assert fault.file == str(flows.folder / "gone.sch")
    assert "no such file" in fault.what


def test_a_flow_file_cannot_bring_a_stylesheet(flows: Flows) -> None:
    """What judges compile is read from Schematron, and from nothing else."""
    file = flows.folder / "acme.toml"
    file.write_text('partner_rules = [{name = "./x.sch"}]\n' + file.read_text())

    (fault,) = flows.faults()

    assert fault.key == "partner_rules"


def test_schematron_that_judges_nothing_is_noticed(flows: Flows) -> None:
    """A misspelt name is a rule that nobody applies; a part of other rules is no stray."""
    flows.rules("acme.sch", '<include href="part.sch"/>')
    (flows.folder / "part.sch").write_text(
        f'<pattern xmlns="http://purl.oclc.org/dsdl/schematron">{GOOD[10:]}'
    )
    stray = flows.rules("amce.sch")

    reading = read(flows.root / "gateway.toml")

    assert reading.faults == ()
    notices = [notice for notice in reading.configuration.notices if notice.file.endswith(".sch")]
    assert [notice.file for notice in notices] == [str(stray)]
