"""The gateway finds what the official stylesheets find, on invoices that nobody here wrote.

The oracle is the shipped stylesheet run by saxonche on the file itself: no parser, catalogue or
rewriting of ours takes part. EDI_GATEWAY_CORPUS names a folder with `ubl/*.xml` and `cii/*.xml`.
"""

from __future__ import annotations

import copy
import functools
import json
import os
import random
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from gateway.cli.main import main
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.schematron.runner import RulePacks
from gateway.core.xml import ParsedXml, parse
from gateway.errors import RulePackError
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Language
from tests.official_packs import official

pytestmark = pytest.mark.corpus

_CORPUS = Path(os.environ.get("EDI_GATEWAY_CORPUS", "no corpus"))
_SVRL = "{http://purl.oclc.org/dsdl/svrl}"
_MUTANTS = 4

PACKS = {
    "ubl": ("en16931-ubl", "extended-ctc-fr-ubl", "br-fr-flux2-ubl"),
    "cii": ("en16931-cii", "extended-ctc-fr-cii", "br-fr-flux2-cii", "facturx-en16931"),
}


def corpus(syntax: str) -> Iterable[Any]:
    """One parameter per file, or one that skips."""
    files = sorted((_CORPUS / syntax).glob("*.xml"))
    if not files:
        skip = pytest.mark.skip(reason="EDI_GATEWAY_CORPUS names no folder with invoices")
        return [pytest.param(Path(), marks=skip)]
    return [pytest.param(file, id=file.name) for file in files]


@functools.cache
def _saxon() -> Any:
    from saxonche import PySaxonProcessor

    return PySaxonProcessor(license=False)


def _fresh(pack: str) -> Any:
    """The stylesheet as it lies in its package, free to read the code list beside it."""
    official(pack)
    path = Catalogue.load().locate(pack)
    return _saxon().new_xslt30_processor().compile_stylesheet(stylesheet_file=str(path))


_shipped = functools.cache(_fresh)


@functools.cache
def _ours() -> RulePacks:
    return RulePacks(Catalogue.load())


Found = Counter[tuple[str, bool, str]]


def oracle(pack: str, file: Path) -> tuple[Found, dict[str, int]] | None:
    """What the stylesheet finds: (rule, rejects, text) with multiplicity; places per rule.

    None when the stylesheet itself gives up, as on a price that is no number. One that has run
    often gives up more readily than a fresh one, which has the last word.
    """
    from saxonche import PySaxonApiError

    node = _saxon().parse_xml(xml_file_name=str(file))
    try:
        report = _shipped(pack).transform_to_string(xdm_node=node)
    except PySaxonApiError:
        try:
            report = _fresh(pack).transform_to_string(xdm_node=node)
        except PySaxonApiError:
            return None
    found: Found = Counter()
    places: dict[str, set[str]] = {}
    root = etree.fromstring(report.encode())
    for element in root.iter(f"{_SVRL}failed-assert", f"{_SVRL}successful-report"):
        text = " ".join((element.findtext(f"{_SVRL}text") or "").split())
        rule = element.get("id") or "UNNAMED"
        found[rule, element.get("flag") != "warning", text] += 1
        places.setdefault(rule, set()).add(element.get("location") or "")
    return found, {rule: len(where) for rule, where in places.items()}


def as_found(findings: Iterable[dict[str, Any]]) -> tuple[Found, dict[str, int]]:
    """The same of `validate --json`."""
    found: Found = Counter()
    places: dict[str, set[str]] = {}
    for finding in findings:
        found[finding["rule"], finding["severity"] == "error", finding["message"]] += 1
        places.setdefault(finding["rule"], set()).add(finding["location"])
    return found, {rule: len(where) for rule, where in places.items()}


def check_command(file: Path, pack: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Compare `validate --flow en16931-invoice --json` with the oracle."""
    expected = oracle(pack, file)
    assert expected is not None
    code = main(["validate", "--flow", "en16931-invoice", "--json", str(file)])
    (line,) = capsys.readouterr().out.splitlines()
    judged = json.loads(line)
    rules = [finding for finding in judged["findings"] if finding["layer"] == "schematron"]

    assert not [finding for finding in judged["findings"] if finding["layer"] == "xsd"]
    assert as_found(rules) == expected
    rejects = any(rejecting for _rule, rejecting, _text in expected[0])
    assert (code, judged["verdict"]) == ((1, "rejected") if rejects else (0, "accepted"))
    assert [reference["pack"] for reference in judged["rules"]] == [pack]


@pytest.mark.parametrize("file", corpus("ubl"))
def test_the_command_reports_what_the_official_ubl_rules_report(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`validate --flow en16931-invoice --json` on every UBL file of the corpus."""
    check_command(file, "en16931-ubl", capsys)


@pytest.mark.parametrize("file", corpus("cii"))
def test_the_command_reports_what_the_official_cii_rules_report(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same for CII, with CEN's rules imported."""
    check_command(file, "en16931-cii", capsys)


@pytest.mark.parametrize("file", [*corpus("ubl"), *corpus("cii")])
def test_every_pack_finds_the_same_in_damaged_invoices(file: Path, tmp_path: Path) -> None:
    """Values spoilt, elements dropped, doubled and moved: the findings stay those of the oracle.

    The examples are nearly all good; only damage makes the rules speak.
    """
    packs = PACKS[file.parent.name]
    made_to_speak = 0
    for number, mutant in enumerate(mutants(file)):
        damaged = tmp_path / f"{number}.xml"
        damaged.write_bytes(mutant)
        parsed = parse(mutant, DocumentLimits())
        assert isinstance(parsed, ParsedXml)
        for pack in packs:
            expected = oracle(pack, damaged)
            if expected is None:
                with pytest.raises(RulePackError):
                    _ours().run(pack, parsed)
                continue
            found = [finding.to_json(Language.EN) for finding in _ours().run(pack, parsed)]
            assert as_found(found) == expected, (pack, number)
            made_to_speak += len(found)
    assert made_to_speak > _MUTANTS


def mutants(file: Path) -> Iterable[bytes]:
    """Damaged copies, always the same ones for a file of this name."""
    tree = etree.parse(str(file))
    for number in range(_MUTANTS):
        chance = random.Random(f"{file.name}/{number}")
        damaged = copy.deepcopy(tree)
        for _ in range(6):
            _damage(damaged, chance)
        yield etree.tostring(damaged, encoding="utf-8", xml_declaration=True)


def _damage(tree: Any, chance: random.Random) -> None:
    elements = list(tree.getroot().iterdescendants("*"))
    element = chance.choice(elements)
    parent = element.getparent()
    match chance.randrange(5):
        case 0:
            parent.remove(element)
        case 1:
            parent.insert(parent.index(element), copy.deepcopy(element))
        case 2:
            for name in element.attrib:
                element.set(name, chance.choice(["", "XX", "0002", "é"]))
        case _:
            leaf = chance.choice([other for other in elements if len(other) == 0])
            leaf.text = chance.choice(_numbers if _is_number(leaf.text) else _words)


_numbers = ("-1", "0", "1.2345", "20", "999999")
_words = ("", "XX", "2099-13-01", "S", "B2", "123456789", "œ" * 40)


def _is_number(text: str | None) -> bool:
    try:
        float(text or "")
    except ValueError:
        return False
    return True
