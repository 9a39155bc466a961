"""XSD: libxml2's verdict, explained by xmlschema, with place and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.core import xsd
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.xml import ParsedXml, parse
from gateway.core.xsd import MAX_FINDINGS, SchemaStore
from gateway.errors import RulePackError
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Finding, Layer, Severity
from gateway.samples import SAMPLES, sample_bytes

SCHEMA = """<?xml version="1.0"?>
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="urn:t" targetNamespace="urn:t"
           elementFormDefault="qualified">
  <xs:simpleType name="code"><xs:restriction base="xs:string">
    <xs:enumeration value="A"/><xs:enumeration value="B"/></xs:restriction></xs:simpleType>
  <xs:element name="order"><xs:complexType><xs:sequence>
    <xs:element name="id" type="xs:string"/>
    <xs:element name="note" type="xs:string" minOccurs="0"/>
    <xs:element name="date" type="xs:date"/>
    <xs:element name="code" type="code" minOccurs="0"/>
    <xs:element name="amount" minOccurs="0" maxOccurs="unbounded"><xs:complexType>
      <xs:simpleContent><xs:extension base="xs:decimal">
        <xs:attribute name="currency" type="xs:string" use="required"/>
      </xs:extension></xs:simpleContent></xs:complexType></xs:element>
  </xs:sequence></xs:complexType></xs:element>
</xs:schema>
"""


class OneSchema:
    """A catalogue of one schema; counts how often it is asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.asked = 0

    def schema_path(self, name: str, root: str) -> Path:
        """The one schema, for its one root."""
        self.asked += 1
        if root != "{urn:t}order":
            raise RulePackError(f"The schema {name} does not declare {root}.")
        return self.path


@pytest.fixture
def catalogue(tmp_path: Path) -> OneSchema:
    """The schema above, on disk."""
    path = tmp_path / "order.xsd"
    path.write_text(SCHEMA)
    return OneSchema(path)


def parsed(text: str) -> ParsedXml:
    """Parse what must be good XML."""
    result = parse(text.encode(), DocumentLimits())
    assert isinstance(result, ParsedXml)
    return result


def order(body: str) -> ParsedXml:
    """A document of the schema above, `body` on its second line."""
    return parsed(f'<order xmlns="urn:t">\n{body}</order>')


GOOD = "<id>1</id><date>2026-01-31</date>"


def only(findings: tuple[Finding, ...]) -> Finding:
    """The one finding."""
    assert len(findings) == 1, findings
    (finding,) = findings
    assert (finding.rule, finding.layer) == ("XSD-INVALID", Layer.XSD)
    assert finding.severity is Severity.ERROR
    assert finding.explanation is not None
    assert finding.remedy is not None
    return finding


def words(finding: Finding) -> str:
    """Explanation and remedy in both languages."""
    assert finding.explanation is not None
    assert finding.remedy is not None
    texts = (finding.explanation, finding.remedy)
    return " ".join(f"{text.fr} {text.en}" for text in texts)


def test_a_valid_document_has_no_finding_and_the_schema_is_compiled_once(
    catalogue: OneSchema,
) -> None:
    """The catalogue is asked, and its files verified, once per process."""
    store = SchemaStore(catalogue)
    assert store.validate("order", order(GOOD)) == ()
    assert store.validate("order", order(GOOD)) == ()
    assert catalogue.asked == 1


@pytest.mark.parametrize(
    ("body", "location", "column", "expected"),
    [
        ("<id>1</id><data/>", "/order/data[1]", 11, ("data", "date")),
        ("<id>1</id>", "/order", None, ("order", "date")),
        (f"{GOOD}<more/>", "/order/more[1]", 34, ("more",)),
        ("<id>1</id><date>31/01/2026</date>", "/order/date[1]", 11, ("31/01/2026", "2026-01-31")),
        (f"{GOOD}<code>{{x}}.</code>", "/order/code[1]", 34, ("code", "{x}.")),
        (f"{GOOD}<amount>1</amount>", "/order/amount[1]", 34, ('currency="…"',)),
        (f'{GOOD}<amount currency="E" x="">1</amount>', "/order/amount[1]", 34, ("x",)),
        (f"{GOOD}stray text", "/order", None, ("stray text",)),
    ],
)
def test_each_kind_of_deviation_is_explained_where_it_stands(
    catalogue: OneSchema, body: str, location: str, column: int | None, expected: tuple[str, ...]
) -> None:
    """Place, what was expected, and the value or attribute at fault, in both languages."""
    finding = only(SchemaStore(catalogue).validate("order", order(body)))
    assert finding.location == location
    assert (finding.line, finding.column) == ((2, column) if column else (1, 1))
    assert finding.excerpt
    said = words(finding)
    for word in expected:
        assert word in said


def test_the_words_of_libxml2_are_the_message_without_namespaces(catalogue: OneSchema) -> None:
    """The message stays what the schema processor said, readable."""
    finding = only(SchemaStore(catalogue).validate("order", order("<id>1</id><data/>")))
    assert "This element is not expected" in finding.message
    assert "urn:t" not in finding.message
    assert finding.pack == "order"


def test_where_xmlschema_finds_nothing_libxml2_is_kept(
    catalogue: OneSchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The verdict is libxml2's: its own words are parsed for what was expected."""
    import xmlschema

    monkeypatch.setattr(xmlschema.XMLSchema10, "iter_errors", lambda *_: iter(()))
    finding = only(SchemaStore(catalogue).validate("order", order("<id>1</id><data/>")))
    assert finding.location == "/order/data[1]"
    assert "date" in words(finding)
    missing = only(SchemaStore(catalogue).validate("order", order("<id>1</id>")))
    assert "date" in words(missing)


@pytest.mark.parametrize("failure", [RecursionError, AttributeError])
def test_where_xmlschema_breaks_libxml2_is_kept(
    catalogue: OneSchema, monkeypatch: pytest.MonkeyPatch, failure: type[Exception]
) -> None:
    """Explaining must never turn a clear verdict into a failure."""
    import xmlschema

    def broken(*_: object) -> object:
        raise failure

    monkeypatch.setattr(xmlschema.XMLSchema10, "iter_errors", broken)
    finding = only(SchemaStore(catalogue).validate("order", order("<id>1</id><data/>")))
    assert finding.location == "/order/data[1]"


def test_a_large_document_is_explained_by_libxml2_alone(
    catalogue: OneSchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Xmlschema would take seconds for a sentence."""
    import xmlschema

    monkeypatch.setattr(xmlschema, "XMLSchema10", None)
    amounts = '<amount currency="E">1</amount>' * 20_001
    finding = only(SchemaStore(catalogue).validate("order", order(f"{GOOD}{amounts}<more/>")))
    assert finding.location == "/order/more[1]"


def test_findings_are_capped_and_the_cap_is_said(catalogue: OneSchema) -> None:
    """Fifty deviations, then a word that there are more, which does not itself reject."""
    amounts = '<amount currency="E">x</amount>' * (MAX_FINDINGS + 10)
    findings = SchemaStore(catalogue).validate("order", order(GOOD + amounts))
    assert [finding.rule for finding in findings[:-1]] == ["XSD-INVALID"] * MAX_FINDINGS
    assert findings[-1].rule == "XSD-MORE"
    assert findings[-1].severity is Severity.INFO


def test_thousands_of_deviations_cost_no_more_to_name_than_those_shown(
    catalogue: OneSchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An element is looked for once per finding shown, and once more: not for every error."""
    looked_for: list[str] = []

    def element_at(document: ParsedXml, path: str) -> object:
        looked_for.append(path)
        return real(document, path)

    real = xsd.element_at
    monkeypatch.setattr(xsd, "element_at", element_at)
    amounts = '<amount currency="E">x</amount>' * 2000
    findings = SchemaStore(catalogue).validate("order", order(GOOD + amounts))
    assert findings[-1].rule == "XSD-MORE"
    # libxml2 has up to two complaints about one element.
    assert len(looked_for) <= 2 * (MAX_FINDINGS + 1)


def test_a_schema_that_cannot_be_used_is_our_failure(catalogue: OneSchema) -> None:
    """Unknown root, broken or missing file: an error that says so, never a finding."""
    store = SchemaStore(catalogue)
    with pytest.raises(RulePackError, match="does not declare"):
        store.validate("order", parsed("<other/>"))
    catalogue.path.write_text("<nonsense/>")
    with pytest.raises(RulePackError, match=r"order\.xsd"):
        store.validate("order", order(GOOD))
    catalogue.path.unlink()
    with pytest.raises(RulePackError, match=r"order\.xsd"):
        store.validate("order", order(GOOD))


@pytest.fixture(scope="module")
def official() -> SchemaStore:
    """The schemas of the catalogue."""
    return SchemaStore(Catalogue.load())


@pytest.mark.parametrize("file", [s.file for s in SAMPLES if s.expected_rule != "XSD-INVALID"])
def test_our_samples_are_valid_by_the_official_schemas(official: SchemaStore, file: str) -> None:
    """What the demo sends is XML that the schemas accept."""
    document = parse(sample_bytes(file), DocumentLimits())
    assert isinstance(document, ParsedXml)
    name = "cii-d22b" if file.startswith("cii") else "ubl-2.1"
    assert official.validate(name, document) == ()


def test_a_misspelt_ubl_element_is_explained(official: SchemaStore) -> None:
    """The finding names the element written and the element expected, as UBL calls them."""
    data = sample_bytes("ubl-invoice.xml").replace(b"cbc:IssueDate>", b"cbc:IssuedDate>", 2)
    document = parse(data, DocumentLimits())
    assert isinstance(document, ParsedXml)
    finding = only(official.validate("ubl-2.1", document))
    assert finding.location == "/Invoice/cbc:IssuedDate[1]"
    assert "cbc:IssueDate." in words(finding)
    assert finding.excerpt is not None
    assert finding.excerpt.startswith("<cbc:IssuedDate>")
