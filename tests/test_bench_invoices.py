from __future__ import annotations

from collections.abc import Callable

import pytest
from lxml import etree

from bench.invoices import EXPECTED_RULE, FAULTS, cii_invoice, ubl_invoice
from tests.official_chain import cen_cii_rules, failed_rules

Maker = Callable[..., bytes]


def credit_note(number: str, **options: object) -> bytes:
    return ubl_invoice(number, credit_note=True, **options)  # type: ignore[arg-type]


MAKERS = pytest.mark.parametrize("make", [ubl_invoice, credit_note, cii_invoice])


@MAKERS
@pytest.mark.parametrize("lines", [1, 10, 60])
def test_generated_invoices_satisfy_the_official_rules(make: Maker, lines: int) -> None:
    """Schema, EN 16931 and the French rules find nothing, whatever the dice say."""
    for number in range(5):
        assert failed_rules(make(f"FA-2026-{number:05d}", lines=lines)) == []


@MAKERS
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_makes_its_one_finding(make: Maker, fault: str) -> None:
    """The official rules notice the fault that was asked for, and nothing else."""
    syntax = "cii" if make is cii_invoice else "ubl"
    if (syntax, fault) == ("cii", "total") and cen_cii_rules() is None:
        pytest.skip("CEN's CII rules are not imported: edi-gateway rules import")
    assert failed_rules(make("FA-1", fault=fault)) == [EXPECTED_RULE[syntax, fault]]


@MAKERS
def test_same_number_same_bytes_other_number_other_invoice(make: Maker) -> None:
    """A run can be repeated; two invoices of one run differ in more than their number."""
    assert make("FA-1") == make("FA-1")
    one, other = make("FA-1").decode(), make("FA-2").decode()
    assert one.replace("FA-1", "FA-2") != other


@MAKERS
def test_default_size_is_about_fifteen_kilobytes(make: Maker) -> None:
    """The size the measurements speak of."""
    assert 14_000 < len(make("FA-2026-00001")) < 16_500


@MAKERS
def test_number_cannot_break_the_document(make: Maker) -> None:
    """A number is text, never markup."""
    assert "a<b>&" in etree.fromstring(make("a<b>&")).itertext()


def test_unknown_fault_is_refused() -> None:
    """A mistyped fault must not silently give a valid invoice."""
    with pytest.raises(ValueError, match="totl"):
        ubl_invoice("FA-1", fault="totl")
