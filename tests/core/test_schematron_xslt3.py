"""Schematron with the query binding xslt3 runs optimised, and finds what it finds as it stands.

XPath 3.1 stands in every place an expression can have: contexts, variables of all kinds, keys,
functions, tests, texts. The documents are invoices, good, faulty and damaged.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.invoices import FAULTS, ubl_invoice
from gateway.core.schematron.catalogue import Artefact, PackEntry
from gateway.core.schematron.preparation import rewriting
from gateway.core.schematron.source import compile_source
from gateway.samples import sample_bytes
from tests.both_ways import BothWays
from tests.mutations import mutants, vocabulary
from tests.schematron_sources import UBL, pattern, rule

MUTATIONS = int(os.environ.get("EDI_GATEWAY_MUTATIONS", "40")) * 4
SEED = os.environ.get("EDI_GATEWAY_MUTATION_SEED", "1")

_LETS = """
<ns prefix="map" uri="http://www.w3.org/2005/xpath-functions/map"/>
<ns prefix="array" uri="http://www.w3.org/2005/xpath-functions/array"/>
<ns prefix="f" uri="urn:test:f"/>
<let name="rates" value="map{'S': 20, 'AE': 0}"/>
<let name="units" value="['C62', 'HUR', 'KGM']"/>
<let name="double" value="function($x) { 2 * $x }"/>
<let name="lines" value="/ubl:Invoice/cac:InvoiceLine"/>
<xsl:function name="f:sum" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:param name="of"/>
  <xsl:sequence select="fold-left($of, 0, function($all, $one) { $all + number($one) })"/>
</xsl:function>
"""

_CODES = " ".join(f"C{number}" for number in range(20))
ASSERTIONS = {
    "/ubl:Invoice": [
        "count($lines) = count(cac:InvoiceLine)",
        "f:sum(cac:InvoiceLine/cbc:LineExtensionAmount) ge 0",
        "cac:InvoiceLine ! cbc:ID => distinct-values() => count() = count(cac:InvoiceLine)",
        "let $total := sum(cac:InvoiceLine/cbc:LineExtensionAmount) return $total lt 2000",
        "cbc:ID || '/' || cbc:IssueDate != 'FA-1/'",
        "head(cac:InvoiceLine)/cbc:ID = '1' and empty(tail(cac:InvoiceLine[position() gt 5]))",
        "not(cbc:Note)",
        "not(cac:Delivery/cbc:ID)",
        "not(cac:InvoiceLine/cbc:Note)",
        "not(cac:OrderReference/cbc:SalesOrderID)",
        "not(//@languageID)",
        "every $l in cac:InvoiceLine satisfies $l/cbc:ID => string-length() lt 2",
        "innermost((cac:InvoiceLine, cac:InvoiceLine/cac:Item)) => exists()",
    ],
    "cac:InvoiceLine": [
        "count(/ubl:Invoice/cac:InvoiceLine) lt 3",
        "$double(number(cbc:InvoicedQuantity)) lt 100",
        "array:size($units) = 3 and cbc:InvoicedQuantity/@unitCode = $units?*",
        "map:contains($rates, string(cac:Item/cac:ClassifiedTaxCategory/cbc:ID))",
        "$rates(string(cac:Item/cac:ClassifiedTaxCategory/cbc:ID)) "
        "= number(cac:Item/cac:ClassifiedTaxCategory/cbc:Percent)",
        "for-each-pair(../cac:InvoiceLine/cbc:ID, 1 to 9, function($a, $b) { $a = string($b) }) "
        "=> count() gt 0",
        "contains-token(cac:Item/cbc:Name, 'x') or Q{urn:oasis:names:specification:ubl:schema:xsd:"
        "CommonBasicComponents-2}ID",
        "sort(../cac:InvoiceLine/cbc:ID/string())[1] = '1'",
    ],
    "cac:TaxCategory | cac:ClassifiedTaxCategory[cbc:ID ! string() = map:keys($rates)]": [
        "cbc:Percent ! (. castable as xs:decimal)",
        f"contains(' {_CODES} ', concat(' ', normalize-space(cbc:ID), ' ')) or cbc:ID",
    ],
    "cbc:*[local-name() => ends-with('Amount')]": ["@currencyID => upper-case() = 'EUR'"],
    "cac:Price[let $p := cbc:PriceAmount return number($p) ge 0]": ["cbc:PriceAmount != '0'"],
}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> BothWays:
    """The schema, compiled as it stands and as it is rewritten."""
    body = _LETS + UBL
    number = 0
    for context, tests in ASSERTIONS.items():
        asserted = ""
        for test in tests:
            number += 1
            escaped = test.replace("&", "&amp;").replace("<", "&lt;")
            asserted += (
                f'<assert id="T-{number}" test="{escaped}">'
                f"<value-of select=\"name() || '!' || count(../*)\"/></assert>"
            )
        body += pattern(rule(context, asserted))
    path = tmp_path_factory.mktemp("xslt3") / "three.sch"
    schema = (
        f'<schema xmlns="http://purl.oclc.org/dsdl/schematron" queryBinding="xslt3">{body}</schema>'
    )
    path.write_text(schema, encoding="utf-8")
    return BothWays(compile_source(path))


def documents(stylesheet: str) -> Iterator[bytes]:
    """Invoices, and damaged ones, in the words of the rules."""
    known = vocabulary([stylesheet.encode()])
    originals = [
        *(sample_bytes(f"ubl-invoice{kind}.xml") for kind in ("", "-faulty")),
        *(ubl_invoice("FA-1", lines=3, fault=fault) for fault in (None, *FAULTS)),
    ]
    yield from originals
    for number, data in enumerate(originals):
        count = MUTATIONS // len(originals) + 1
        yield from mutants(data, known, seed=f"{SEED}/xslt3/{number}", count=count)


def test_it_is_rewritten(both: BothWays) -> None:
    """And only the patterns whose contexts are XPath 3 keep their walk."""
    assert both.rewriting.as_shipped == ""
    assert "gateway-once" in both.rewriting.stylesheet
    assert "gateway-found" in both.rewriting.stylesheet
    assert len(both.rewriting.walks) < len(ASSERTIONS)


def test_it_finds_the_same_both_ways(both: BothWays) -> None:
    """Nearly every rule has found something by then."""
    found: set[str] = set()
    judged = 0
    for data in documents(both.rewriting.stylesheet):
        shipped, rewritten = both.answers(data)
        assert rewritten == shipped
        if not isinstance(shipped, str):
            judged += 1
            found |= {violation.rule for violation in shipped}

    assert judged > MUTATIONS // 2
    assert len(found) > sum(map(len, ASSERTIONS.values())) * 0.7


def test_what_it_imports_is_told_to_run_optimised(tmp_path: Path) -> None:
    """An operator reads it in `edi-gateway rules`."""
    path = tmp_path / "three.sch"
    body = UBL + pattern(rule("/ubl:Invoice", '<assert test="cbc:ID ! true()">x</assert>'))
    path.write_text(
        f'<schema xmlns="http://purl.oclc.org/dsdl/schematron" queryBinding="xslt3">{body}</schema>'
    )
    entry = PackEntry(title="t", package="p", path="p.sch", sha256="", version="1", name="three")

    assert rewriting(Artefact(entry, compile_source(path).encode(), {})).as_shipped == ""
