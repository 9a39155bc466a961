"""[acknowledgements] of partner files, and what it needs of [legal]."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway import config
from gateway.errors import ConfigurationError
from tests.config.test_channels import HEAD, TOKEN

WHOLE = '[legal]\nname = "Us"\nid = "0123"\napplication = "AAA123"\n'


def faults(folder: Path, wanted: str, legal: str = WHOLE) -> list[tuple[str, str]]:
    """(file, key) of each fault of a configuration whose partner wants this."""
    (folder / "partners").mkdir()
    (folder / "gateway.toml").write_text(f"{legal}[http]\nenabled = true\n")
    (folder / "partners" / "acme.toml").write_text(
        f'{HEAD}[acknowledgements]\n{wanted}\n[http]\ntoken_sha256 = ["{TOKEN}"]\n'
    )
    try:
        config.load(folder / "gateway.toml")
    except ConfigurationError as error:
        return sorted((Path(fault.file).name, fault.key) for fault in error.faults)
    return []


@pytest.mark.parametrize(
    ("wanted", "legal", "expected"),
    [
        ("", "", []),
        ('html = "always"\njson = true\ncsv = true', "", []),
        ('cdar = "single"', "", ["legal.name"]),
        ('cdar = "single"', '[legal]\nname = "Us"\n', []),
        ('cdar = "grouped"', '[legal]\nname = "Us"\nrole = "SE"\n', ["legal.role"]),
        ("portal = true", '[legal]\nname = "Us"\n', ["legal.application", "legal.id"]),
        ("portal = true", WHOLE, []),
    ],
)
def test_who_we_are_is_needed_for_lifecycle_messages(
    tmp_path: Path, wanted: str, legal: str, expected: list[str]
) -> None:
    """What is missing of [legal] is named; the forms of the report need nothing."""
    found = faults(tmp_path, wanted, legal)
    assert found == [("gateway.toml", key) for key in expected]


@pytest.mark.parametrize(
    ("wanted", "key"),
    [
        ('cdar = "single"\nrole = "SE"', "acknowledgements.address"),
        ('html = "sometimes"', "acknowledgements.html"),
        ('cdar = "yes"', "acknowledgements.cdar"),
        ("pdf = true", "acknowledgements.pdf"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, wanted: str, key: str) -> None:
    """A recipient without address, a word nobody knows."""
    assert ("acme.toml", key) in faults(tmp_path, wanted)


def test_a_seller_with_its_address_is_told(tmp_path: Path) -> None:
    """A recipient that is no platform."""
    assert faults(tmp_path, 'cdar = "single"\nrole = "SE"\naddress = "123456782"') == []
