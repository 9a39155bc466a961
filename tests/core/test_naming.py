"""Envelope names of the national platforms."""

from __future__ import annotations

import pytest

from gateway.core.naming import envelope_finding, envelope_name, interface_code


@pytest.mark.parametrize(
    "name",
    [
        "FSO1100A_XXX999_XXX9991100000000000000001",
        "FSO1100A_XXX999_XXX9991100000000000000001.xml",
        "FSO1100A_XXX999_XXX9991100000000000000001.tar.gz",
        "FSO1100A_XXX999_XXX999ABCDEFGHIJKLMNOPQRS",
    ],
)
def test_an_envelope_name_tells_its_interface(name: str) -> None:
    """With any of the extensions in use, or none, and both readings of the last part."""
    assert interface_code(name) == "FSO1100A"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "invoice.xml",
        "FSO1116A_JMRPOR_JMRPOR1116000000179.xml",
        "FSO1100A_XXX999_YYY9991100000000000000001.xml",
        "fso1100a_XXX999_XXX9991100000000000000001.xml",
        "FSO1100A_XXX999_XXX9991100000000000000001.zip",
        "FSO1100A_XXX999_XXX9991100000000000000001.xml\n",
        "../FSO1100A_XXX999_XXX9991100000000000000001",
        "FSO1100A_XXX999_XXX99911000000000000000012",
    ],
)
def test_any_other_name_has_no_interface(name: str) -> None:
    """Members of archives, names cut short or too long, and plain names are not envelopes."""
    assert interface_code(name) is None


def test_the_parts_of_an_envelope_name() -> None:
    """Interface, application and sequence, as the specification cuts them."""
    parts = envelope_name("FSO3110A_XXX999_XXX9993110000000000000001.tar.gz")
    assert parts == ("FSO3110A", "XXX999", "3110000000000000001")


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("FSO110A_XXX999_XXX9991100000000000000001.xml", "“FSO110A”"),
        ("FSO1100A_XX999_XX9991100000000000000001.xml", "“XX999”"),
        ("FSO1100A_XXX999_XXX9981100000000000000001.xml", "“XXX998”"),
        ("FSO1116A_JMRPOR_JMRPOR1116000000179.xml", "“1116000000179” (length: 13)"),
        ("FSO1100A_XXX999_XXX999.xml", "“—” (length: 0)"),
        ("FSO1100A_XXX999_XXX9991100000000000000001.tar", "“.tar”"),
        ("FSO1100A_XXX999_XXX9991100000000000000001.", "“.”"),
        ("invoice.xml", "invoice.xml does not have this form"),
    ],
)
def test_the_finding_names_the_part_that_is_wrong(name: str, part: str) -> None:
    """Nobody has to compare forty characters with a pattern by eye."""
    finding = envelope_finding(name)
    assert finding is not None
    assert finding.rule == "ENVELOPE-NAME"
    assert finding.explanation is not None
    assert part in finding.explanation.en


def test_a_name_as_it_should_be_has_no_finding() -> None:
    """Nothing to say about what is right."""
    assert envelope_finding("FSO1100A_XXX999_XXX9991100000000000000001.xml") is None
