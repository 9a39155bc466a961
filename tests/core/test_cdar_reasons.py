"""Why an invoice is rejected, in the codes of CDAR: the table, and that it leaves nothing out."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.core.cdar.reasons import Reasons, read_reasons, reasons
from gateway.core.cdar.statuses import ALL_REASONS, INADMISSIBLE, REJECTED
from gateway.core.explain import definitions
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.schematron.inventory import assertions
from gateway.errors import ConfigurationError
from gateway.model.verdict import Finding, Layer, Severity
from gateway.resources import data_folder
from tests import official_packs

FILE = data_folder("schemas") / "status-reasons.toml"


def finding(
    rule: str, message: str = "", layer: Layer = Layer.SCHEMATRON, pack: str | None = None
) -> Finding:
    """One that objects."""
    return Finding(rule=rule, layer=layer, severity=Severity.ERROR, message=message, pack=pack)


@functools.cache
def official() -> tuple[Finding, ...]:
    """Every assertion of every pack on board, as a finding."""
    found: list[Finding] = []
    for name in Catalogue.load().names():
        stylesheet = official_packs.official(name).stylesheet
        found += [finding(each.rule, each.text, pack=name) for each in assertions(stylesheet)]
    return tuple(found)


def ours() -> Iterator[Finding]:
    """Every finding of our own that rejects a document, so none about a back office's request."""
    for rule, definition in definitions().items():
        if definition.severity is Severity.ERROR and not rule.startswith("REQUEST-"):
            yield finding(rule, definition.message, definition.layer)


def test_every_rule_of_every_pack_has_a_reason_that_somebody_chose() -> None:
    """None falls through to the fallback; and there are thousands of them."""
    assert len(official()) > 2500
    left_over = {each.rule for each in official() if reasons().family(each) is None}
    assert left_over == set()


def test_every_finding_of_our_own_has_a_reason_that_somebody_chose() -> None:
    """Also those that a later version adds, or this fails."""
    left_over = {each.rule for each in ours() if reasons().family(each) is None}
    assert left_over == set()


def test_every_family_is_of_use() -> None:
    """A family no rule is of any more would be believed to do something."""
    used = {
        family.name
        for each in (*official(), *ours())
        if (family := reasons().family(each)) is not None
    }
    assert {family.name for family in reasons().families} == used


def test_every_reason_of_a_rejection_is_reachable_or_says_why_not() -> None:
    """Twelve codes: each has a family, or a sentence."""
    of_families = {family.code for family in reasons().families}
    for code in REJECTED.reasons:
        assert (code in of_families) != bool(reasons().codes[code].unreachable), code


def test_every_reason_is_named_in_both_languages() -> None:
    """All that CDAR knows, and no other."""
    assert set(reasons().codes) == set(ALL_REASONS)
    for code, reason in reasons().codes.items():
        assert reason.en, code
        assert reason.fr, code


@pytest.mark.parametrize(
    ("rule", "message", "code"),
    [
        ("BR-CO-15", "", "MONTANTTOTAL_ERR"),
        ("BR-FREXT-CO-15", "", "MONTANTTOTAL_ERR"),
        ("BR-CO-10", "", "CALCUL_ERR"),
        ("BR-S-08", "", "CALCUL_ERR"),
        ("BR-FXEXT-S08b", "", "CALCUL_ERR"),
        ("BR-FR-MV-05_EXT-FR-FE-BG-12", "", "CALCUL_ERR"),
        ("BR-S-02", "", "REJ_COH"),
        ("BR-CL-14", "", "REJ_COH"),
        ("BR-FR-CO-07_BT-9", "", "REJ_COH"),
        ("BR-FR-09_BT-29", "", "REJ_COH"),
        ("FX-SCH-A-000022", "Value of 'ram:TypeCode' is not allowed.", "REJ_COH"),
        ("FX-SCH-A-000019", "Element 'ram:ID' must occur exactly 1 times.", "REJ_SEMAN"),
        ("FX-SCH-A-000999", "[BR-CO-16]-Amount due …", "MONTANTTOTAL_ERR"),
        ("BR-02", "", "REJ_SEMAN"),
        ("BR-FR-01_BT-1-2", "", "REJ_SEMAN"),
        ("UBL-CR-001", "", "REJ_SEMAN"),
        ("BR-FR-12_BT-49", "", "REJ_ADR"),
        ("BR-62", "", "REJ_ADR"),
        ("BR-FR-23_BT-49", "", "ADR_ERR"),
        ("BR-FR-CPRO-11_KNOWN", "", "REJ_CONT_B2G"),
        ("BR-FR-17_BT-123", "", "REJ_REF_PJ"),
        ("BR-FR-MV-12_BT-128", "", "REJ_UNI"),
        ("DOUBLON", "", "DOUBLON"),
        ("ACME-01", "A partner's own rule.", "REJ_SEMAN"),
    ],
)
def test_a_rule_has_the_reason_people_expect(rule: str, message: str, code: str) -> None:
    """Rule → code, one or two of each kind; the first family that fits counts."""
    assert reasons().code(finding(rule, message)) == code


def test_an_attachment_that_goes_with_nothing_is_told_as_such() -> None:
    """By its rule, though its layer alone would make it something else."""
    assert reasons().code(finding("ATTACHMENT-NAME", layer=Layer.CONTAINER)) == "REJ_ASS_PJ"
    assert reasons().code(finding("XSD-INVALID", layer=Layer.XSD)) == "REJ_SEMAN"


def test_the_reasons_of_a_refused_flux_are_codes_of_the_platforms() -> None:
    """IRR_… of refusal-codes.toml that CDAR knows: ten."""
    assert len(INADMISSIBLE.reasons) == 10
    refusals = (data_folder("schemas") / "refusal-codes.toml").read_text(encoding="utf-8")
    for code in INADMISSIBLE.reasons:
        assert f"[{code}]" in refusals


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('code = "DOUBLON"', 'code = "DUBLON"', 'families[0].code: "DUBLON" is no reason of'),
        ('fallback = "REJ_SEMAN"', 'fallback = "AUTRE"', 'fallback: "AUTRE" is no reason of'),
        ("[codes.REJ_UNI]", "[codes.REJ_UNITE]", "codes.REJ_UNI: missing; CDAR knows"),
        ("[codes.REJ_UNI]", "[codes.REJ_UNITE]", "codes.REJ_UNITE: CDAR knows no such reason"),
        ('action = "PIN"', 'action = "PING"', 'codes.JUSTIF_ABS.action: "PING" is none of NOA'),
        ('rule = "DOUBLON"', 'rule = "DOUBLON("', "families[0].rule: no regular expression"),
        ('rule = "DOUBLON"\n', "", "families[0]: fits everything"),
        ('rule = "DOUBLON"', 'rul = "DOUBLON"', "unknown field `rul`"),
        ("fallback =", "fallback", "status-reasons.toml"),
    ],
)
def test_a_fault_in_the_table_is_named_with_its_key(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    """Whoever edits the table reads what and where."""
    text = FILE.read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "status-reasons.toml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigurationError) as error:
        read_reasons(file)
    assert told in str(error.value)
    assert str(file) in str(error.value)


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    """Not one at a time; and a table without faults is read."""
    text = FILE.read_text(encoding="utf-8")
    file = tmp_path / "reasons.toml"
    file.write_text(
        text.replace('fallback = "REJ_SEMAN"', 'fallback = "X"').replace('"PIN"', '"PING"'),
        encoding="utf-8",
    )
    with pytest.raises(ConfigurationError) as error:
        read_reasons(file)
    assert "fallback" in str(error.value)
    assert "PING" in str(error.value)
    file.write_text(text, encoding="utf-8")
    assert isinstance(read_reasons(file), Reasons)


def test_a_long_text_of_a_partner_is_not_searched_to_its_end() -> None:
    """A text may quote the document: what decides stands at its beginning."""
    message = "x" * 1000 + "Value of 'a' is not allowed"
    assert reasons().code(finding("FX-SCH-A-000022", message)) == "REJ_SEMAN"
