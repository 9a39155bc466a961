"""The mapping table: the one on board is sound, and a faulty one is explained, not half used."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.core.mapping import Mapping
from gateway.core.mapping.table import Table, read_table
from gateway.core.terms import terms
from gateway.errors import ConfigurationError
from gateway.resources import data_folder

TABLE = data_folder("mappings") / "en16931.toml"


@pytest.fixture(scope="module")
def table() -> Table:
    return read_table(TABLE)


def test_every_business_term_of_the_standard_is_there(table: Table) -> None:
    """BT-1 to BT-165 (BT-4 was never given out) and BG-1 to BG-32 all have an entry."""
    expected = {f"BT-{number}" for number in range(1, 166)} - {"BT-4"}
    groups = {f"BG-{number}" for number in range(1, 33)}
    assert expected <= table.terms.keys() | table.groups.keys()
    assert groups <= table.groups.keys()


def test_names_are_those_findings_use(table: Table) -> None:
    """A term is called the same in the table and in schemas/terms.toml."""
    known = {key: text.en.casefold() for key, text in terms().items()}
    entries = {**table.terms, **table.groups}
    named = {key: entry.name.casefold() for key, entry in entries.items() if key in known}
    assert named == {key: known[key] for key in named}
    assert len(named) > 150


def test_extended_cardinality_says_something_new(table: Table) -> None:
    """It is given only where EXTENDED-CTC-FR differs from EN 16931."""
    for key, entry in {**table.terms, **table.groups}.items():
        assert entry.extended_cardinality != entry.cardinality, key


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('ubl = "cbc:ID"', 'ubl = "zzz:ID"', ["terms.BT-1.ubl", "zzz", "[prefixes]"]),
        ('ubl = "cbc:ID"', 'ubl = "cbc:ID[1]"', ["terms.BT-1.ubl", "[1]"]),
        ('ubl = "cbc:ID"', "ubl = []", ["terms.BT-1.ubl", "at least one path"]),
        ('ubl = "cbc:ID"', 'ubl = "../cbc:ID"', ["terms.BT-1.ubl", ".."]),
        ('ubl = "cbc:ID"', 'uble = "cbc:ID"', ["uble", "BT-1"]),
        ('type = "identifier"', 'type = "identity"', ["identity", "BT-1"]),
        ('group = "BG-1"', 'group = "BG-99"', ["BT-21.group", "[groups.BG-99]"]),
        ('property = "invoice_number"', 'property = "number"', ["BT-1", "invoice_number"]),
        ('cardinality = "1..1"', 'cardinality = "1..n"', ["BT-1", "repeats"]),
        ("[terms.BT-20]", "[terms.BT-999]", ["BT-20", "BT-999", "add the entry"]),
        ('currency = "BT-5"\n', "", ["currency", "amounts"]),
        ('currency = "BT-6"', 'currency = "BT-66666"', ["BT-111.currency", "[terms.BT-66666]"]),
        ('currency = "BT-6"', 'currency = "BT-24"', ["BT-111.currency", "the invoice itself"]),
        ('type = "percentage"', 'type = "text"', ["BT-94", "percentage"]),
        ("[@currencyID=$BT-5]", "[@currencyID=$BT-0]", ["BT-110.ubl", "[terms.BT-0]"]),
        ('ubl = "cbc:Note"', 'ubl = "."', ["groups.BG-1", "elements of its own"]),
        ('ubl_scheme = "@schemeID"\n', 'ubl_scheme = "@a/@b"\n', ["BT-18.ubl_scheme", "@a"]),
        ("[documents.cii]", "[documents.edifact]", ["documents.edifact"]),
        ("ubl = []\n", 'ubl = "cbc:Zone"\n', ["EXT-FR-FE-184.without", "leave that key out"]),
        ('without = "UBL', 'withou = "UBL', ["EXT-FR-FE-184", "withou"]),
        ('"cac:CardAccount/cbc:NetworkID"', '"x:NetworkID"', ["no_place.card-network.paths"]),
        ('paths = ["cbc:UBLVersionID"]', 'paths = ["."]', ["implied.version.paths", "above it"]),
        ('paths = ["cbc:UBLVersionID"]', "paths = []", ["implied.version.paths", "at least one"]),
        ('why = "UBL asks for', 'wy = "UBL asks for', ["no_place.card-network", "wy"]),
        ("[prefixes]", "[prefixes", ["en16931.toml"]),
    ],
)
def test_a_fault_in_the_table_names_its_entry(
    tmp_path: Path, old: str, new: str, told: list[str]
) -> None:
    """Every mistake an editor can make ends in a message that names file, entry and remedy."""
    text = TABLE.read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "en16931.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        Mapping.load("en16931", tmp_path)
    message = str(caught.value)
    assert "en16931.toml" in message
    for words in told:
        assert words in message


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    """Mending one fault does not bring up the next: all are in the one message."""
    text = TABLE.read_text(encoding="utf-8")
    text = text.replace('"cbc:ID"', '"x:ID"').replace('"cbc:IssueDate"', '"y:IssueDate"')
    (tmp_path / "en16931.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        Mapping.load("en16931", tmp_path)
    assert {"terms.BT-1.ubl", "terms.BT-2.ubl", "terms.BT-126.ubl"} <= {
        word for line in str(caught.value).splitlines() for word in line.split()
    }


def test_a_mapping_that_is_not_there_is_a_configuration_error(tmp_path: Path) -> None:
    """A flow that names a mapping nobody wrote is told so by file name."""
    with pytest.raises(ConfigurationError, match=r"nothing\.toml"):
        Mapping.load("nothing", tmp_path)
