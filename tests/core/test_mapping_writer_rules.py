"""What a table says about writing is checked when it is read, not at the first invoice."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.core.mapping.table import read_table
from gateway.errors import ConfigurationError
from gateway.resources import data_folder

TABLE = data_folder("mappings") / "en16931.toml"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("\n[writing.cii]\n", "\n[writing.edifact]\n", ["writing.edifact", "ubl and cii"]),
        ('schema = "ubl-2.1"', 'scheme = "ubl-2.1"', ["writing.ubl", "scheme"]),
        ('every = ["BT-81", ', 'every = ["BT-810", ', ["writing.ubl.every", "[terms.BT-810]"]),
        ('"BT-81" = "1"', '"BT-810" = "1"', ["writing.ubl.stand_ins", "[terms.BT-810]"]),
        ('unlike = "BT-5"', 'unlike = "BT-55555"', ["terms.BT-6.unlike", "[terms.BT-55555]"]),
        ('unlike = "BT-5"', 'unlike = "BT-27"', ["terms.BT-6.unlike", "invoice itself"]),
        ('nothing = { "BT-81"', 'nothing = { "BT-84"', ["groups.BG-16.nothing", "BT-84"]),
        ("[derived.BT-110]", "[derived.BT-1100]", ["derived.BT-1100", "a term of a group"]),
        ("[derived.BT-110]", "[derived.BT-29]", ["derived.BT-29", "does not repeat"]),
        ('beside = "BG-23"', 'beside = "BG-2300"', ["derived.BT-110.beside", "no BG-2300"]),
        ('value = "BT-117"', 'value = "BT-146"', ["derived.BT-110", "BT-146", "read together"]),
        ('"cac:CardAccount[', '"cax:CardAccount[', ["writing.ubl.made", "cax"]),
        ('{ "cac:TaxScheme/cbc:ID"', '{ "cac:TaxScheme//cbc:ID"', ["writing.ubl.otherwise"]),
        ('"ram:IBANID" = "[A-Z]', '"ram:IBANID" = "([A-Z]', ["writing.cii.patterns.ram:IBANID"]),
    ],
)
def test_a_fault_names_its_place(old: str, new: str, told: list[str], tmp_path: Path) -> None:
    """Like every fault of a table."""
    text = TABLE.read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "faulty.toml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        read_table(file)
    for word in told:
        assert word in str(caught.value)
