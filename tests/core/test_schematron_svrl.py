"""Reading reports, and the places they speak of."""

from __future__ import annotations

import pytest

from gateway.core.schematron.locations import Locations
from gateway.core.schematron.svrl import UNNAMED, Violation, rule_id, violations
from gateway.core.xml import ParsedXml, parse
from gateway.errors import RulePackError
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Severity

HEAD = b'<svrl:schematron-output xmlns:svrl="http://purl.oclc.org/dsdl/svrl">'
TAIL = b"</svrl:schematron-output>"


def test_violations_keep_the_order_of_the_report() -> None:
    """Assertions and reports come as they stand, everything else is left out."""
    report = (
        HEAD
        + b'<svrl:active-pattern/><svrl:fired-rule context="/"/>'
        + b'<svrl:failed-assert test="a" id="B" flag="warning" location="/x">'
        + b"<svrl:text>\n  two\t words </svrl:text></svrl:failed-assert>"
        + b'<svrl:successful-report test="b" id="A"><svrl:text>r</svrl:text>'
        + b"</svrl:successful-report>"
        + TAIL
    )
    assert violations(report) == (
        Violation("B", Severity.WARNING, "/x", "two words"),
        Violation("A", Severity.ERROR, "/", "r"),
    )


def test_the_text_of_nested_elements_is_read() -> None:
    """Emphasis inside a text does not cut it off."""
    report = (
        HEAD
        + b'<svrl:failed-assert test="a" id="B"><svrl:text>one <e>two</e> three</svrl:text>'
        + b"</svrl:failed-assert>"
        + TAIL
    )
    assert violations(report)[0].text == "one two three"


@pytest.mark.parametrize(
    ("report", "complaint"),
    [
        (b"not xml", "not XML"),
        (b"<html/>", "not SVRL"),
        (HEAD + TAIL, "nothing was checked"),
        (HEAD + b"<svrl:active-pattern/>" + TAIL, "nothing was checked"),
    ],
)
def test_a_report_that_checked_nothing_is_a_failure(report: bytes, complaint: str) -> None:
    """Rubbish, another document, and a report without any fired rule are told apart from clean."""
    with pytest.raises(RulePackError, match=complaint):
        violations(report)


def test_a_rule_without_id_takes_it_from_its_text() -> None:
    """Where the authors left the id out, the text's own prefix serves, else UNNAMED."""
    assert rule_id("BR-01", "[BR-02]-x") == "BR-01"
    assert rule_id(None, "[BR-02]-x") == "BR-02"
    assert rule_id(" ", "Attribute @x marked as not used") == UNNAMED


DATA = b"""<r xmlns="urn:r"><cac:L xmlns:cac="urn:oasis:names:specification:ubl:schema:xsd:\
CommonAggregateComponents-2"><b/><b k="v"/></cac:L><c xmlns=""/><c/></r>"""


@pytest.fixture
def locations() -> Locations:
    """The places of a small document in three namespaces."""
    parsed = parse(DATA, DocumentLimits())
    assert isinstance(parsed, ParsedXml)
    return Locations(parsed)


CAC = "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"


@pytest.mark.parametrize(
    ("location", "path", "tag"),
    [
        ("/*:r[namespace-uri()='urn:r'][1]", "/r", "{urn:r}r"),
        (
            f"/*:r[namespace-uri()='urn:r'][1]/*:L[namespace-uri()='{CAC}'][1]"
            "/*:b[namespace-uri()='urn:r'][2]",
            "/r/cac:L[1]/b[2]",
            "{urn:r}b",
        ),
        (
            f"/*:r[namespace-uri()='urn:r'][1]/*:L[namespace-uri()='{CAC}'][1]"
            "/*:b[namespace-uri()='urn:r'][2]/@k",
            "/r/cac:L[1]/b[2]/@k",
            "{urn:r}b",
        ),
        ("/*:r[namespace-uri()='urn:r'][1]/*:c[namespace-uri()=''][1]", "/r/c[1]", "c"),
        ("/", "/r", "{urn:r}r"),
        ("/*[local-name()='r']/*[local-name()='L'][1]", "/r/cac:L[1]", f"{{{CAC}}}L"),
    ],
)
def test_places_are_found_and_written_with_the_usual_prefixes(
    locations: Locations, location: str, path: str, tag: str
) -> None:
    """The engine's XPath leads to the element, whichever way it is spelt."""
    located = locations.at(location)
    assert located.path == path
    assert located.element is not None
    assert located.element.tag == tag


@pytest.mark.parametrize(
    "location",
    [
        "/*:r[namespace-uri()='urn:r'][2]",
        "/*:r[namespace-uri()='urn:r'][1]/*:nothing[namespace-uri()='urn:r'][1]",
        "/*:r[namespace-uri()='urn:r'][1]/*:c[namespace-uri()='urn:r'][9]",
        "gibberish(",
    ],
)
def test_a_place_the_document_does_not_have_is_kept_as_text(
    locations: Locations, location: str
) -> None:
    """A finding is not lost because its place cannot be found."""
    assert locations.at(location) == (None, location)
