"""XSD: libxml2's verdict, explained by xmlschema, with place and remedy."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree

from gateway.core import xml, xsd
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.schematron.catalogue_entries import SchemaEntry
from gateway.core.xml import ParsedXml, parse
from gateway.core.xsd import MAX_FINDINGS, SchemaStore
from gateway.errors import RulePackError
from gateway.model.interchange import Syntax
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

    def schema(self, name: str) -> SchemaEntry:
        """Its entry."""
        return SchemaEntry(
            title=name,
            package="p",
            folder="f",
            tree_sha256="0" * 64,
            roots={"{urn:t}order": self.path.name},
        )


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
    """Fifty causes, then a word that there are more, which does not itself reject."""
    unknown = "".join(f'<amount currency="E" x{n}="">1</amount>' for n in range(MAX_FINDINGS + 10))
    findings = SchemaStore(catalogue).validate("order", order(GOOD + unknown))
    assert [finding.rule for finding in findings[:-1]] == ["XSD-INVALID"] * MAX_FINDINGS
    assert findings[-1].rule == "XSD-MORE"
    assert findings[-1].severity is Severity.INFO


def test_one_mistake_made_everywhere_is_one_finding(catalogue: OneSchema) -> None:
    """The first is told, the others are counted, with the lines of some of them."""
    amounts = '<amount currency="E">1,5</amount>\n' * 200
    finding = only(SchemaStore(catalogue).validate("order", order(f"{GOOD}\n{amounts}")))
    assert finding.line == 3
    said = words(finding)
    assert "199 more (lines: 4, 5, 6, 7, …)" in said
    assert "199 de plus (lignes : 4, 5, 6, 7, …)" in said


def test_thousands_of_deviations_cost_no_more_to_name_than_those_shown(
    catalogue: OneSchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An element is looked for once per finding shown, and once more: not for every error."""
    looked_for: list[str] = []

    def element_at(document: ParsedXml, path: str) -> object:
        looked_for.append(path)
        return real(document, path)

    real = xml.element_at
    monkeypatch.setattr(xsd, "element_at", element_at)
    amounts = '<amount currency="E">x</amount>' * 2000
    finding = only(SchemaStore(catalogue).validate("order", order(GOOD + amounts)))
    assert "999+ more" in words(finding)
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


def cut(text: str, name: str) -> str:
    """Without the first element of this name."""
    return re.sub(rf"<{name}[ >].*?</{name}>", "", text, count=1, flags=re.DOTALL)


def swapped(text: str, first: str, second: str) -> str:
    """The first elements of these names, each in the other's place."""
    one, two = (re.search(rf"<{name}[ >].*?</{name}>", text, re.DOTALL) for name in (first, second))
    assert one is not None
    assert two is not None
    between = text[one.end() : two.start()]
    return text[: one.start()] + two[0] + between + one[0] + text[two.end() :]


@pytest.mark.parametrize(
    ("sample", "damage", "location", "english", "french"),
    [
        (
            "ubl",
            lambda text: cut(text, "cac:LegalMonetaryTotal"),
            "/Invoice/cac:InvoiceLine[1]",
            ("cac:LegalMonetaryTotal is missing in Invoice", "right before cac:InvoiceLine."),
            ("cac:LegalMonetaryTotal manque dans Invoice", "juste avant cac:InvoiceLine."),
        ),
        (
            "ubl",
            lambda text: cut(text, "cbc:PayableAmount"),
            "/Invoice/cac:LegalMonetaryTotal[1]",
            ("still expects cbc:PayableAmount", "Place: totals", "Add cbc:PayableAmount to"),
            ("attend encore cbc:PayableAmount", "Endroit : totaux", "Ajoutez cbc:PayableAmount"),
        ),
        (
            "ubl",
            lambda text: swapped(text, "cbc:IssueDate", "cbc:InvoiceTypeCode"),
            "/Invoice/cbc:InvoiceTypeCode[1]",
            ("in the wrong order", "Move cbc:InvoiceTypeCode behind cbc:IssueDate."),
            ("mauvais ordre", "Déplacez cbc:InvoiceTypeCode après cbc:IssueDate."),
        ),
        (
            "ubl",
            lambda text: re.sub("<cbc:IssueDate>.*?<", "<cbc:IssueDate>31/01/2026<", text),
            "/Invoice/cbc:IssueDate[1]",
            ("'31/01/2026' of cbc:IssueDate is no date", "as in 2026-01-31."),
            ("« 31/01/2026 » de cbc:IssueDate n'est pas une date", "comme dans 2026-01-31."),
        ),
        (
            "ubl",
            lambda text: text.replace("<cbc:IssueDate>", "<cbc:Colour/><cbc:IssueDate>"),
            "/Invoice/cbc:Colour[1]",
            ("knows no element cbc:Colour in Invoice", "Expected at this place: cbc:IssueDate."),
            ("ne connaît pas d'élément cbc:Colour", "Attendu à cet endroit : cbc:IssueDate."),
        ),
        (
            "ubl",
            lambda text: text.replace("CommonBasicComponents-2", "CommonBasicComponents-1"),
            "/Invoice/cbc:CustomizationID[1]",
            ("wrong namespace: urn:oasis:names:", "expects urn:oasis:", "where the document de"),
            (
                "mauvais espace de noms : urn:oasis",
                "attend urn:oasis:",
                "là où le document le d",
            ),
        ),
        (
            "ubl",
            lambda text: text.replace(' currencyID="EUR"', ""),
            "/Invoice/cac:AllowanceCharge[1]/cbc:Amount[1]",
            ("lacks the attribute currencyID", "elsewhere: 26 more", 'Add currencyID="…"'),
            ("n'a pas l'attribut currencyID", "ailleurs : 26 de plus", 'Ajoutez currencyID="…"'),
        ),
        (
            "ubl",
            lambda text: text.replace("<cbc:IssueDate>", "<cbc:ID>2</cbc:ID><cbc:IssueDate>", 1),
            "/Invoice/cbc:ID[2]",
            ("once more than", "Keep the cbc:ID that counts"),
            ("une fois de plus que", "Gardez le cbc:ID qui compte"),
        ),
        (
            "cii",
            lambda text: cut(text, "rsm:ExchangedDocument"),
            "/rsm:CrossIndustryInvoice/rsm:SupplyChainTradeTransaction[1]",
            ("rsm:ExchangedDocument is missing in rsm:CrossIndustryInvoice",),
            ("rsm:ExchangedDocument manque dans rsm:CrossIndustryInvoice",),
        ),
        (
            "cii",
            lambda text: text.replace("InformationEntity:100", "InformationEntity:12"),
            "/rsm:CrossIndustryInvoice/rsm:ExchangedDocumentContext[1]"
            "/ram:BusinessProcessSpecifiedDocumentContextParameter[1]",
            ("wrong namespace", "usually once, at its beginning"),
            ("mauvais espace de noms", "en général une fois, à son début"),
        ),
    ],
)
def test_one_mistake_in_an_invoice_is_one_finding_with_its_remedy(
    official: SchemaStore,
    sample: str,
    damage: Callable[[str], str],
    location: str,
    english: tuple[str, ...],
    french: tuple[str, ...],
) -> None:
    """What, where, what was expected there and what to do; nothing of what follows from it."""
    document = parsed(damage(sample_bytes(f"{sample}-invoice.xml").decode()))
    finding = only(official.validate("cii-d22b" if sample == "cii" else "ubl-2.1", document))
    assert finding.location == location
    assert finding.line is not None
    assert finding.line > 1
    assert finding.excerpt
    assert finding.explanation is not None
    assert finding.remedy is not None
    for said in english:
        assert said in f"{finding.explanation.en} {finding.remedy.en}"
    for said in french:
        assert said in f"{finding.explanation.fr} {finding.remedy.fr}"


def test_two_mistakes_are_two_findings_in_the_order_of_the_document(official: SchemaStore) -> None:
    """Folding consequences away does not hide a second cause."""
    text = cut(sample_bytes("ubl-invoice.xml").decode(), "cbc:PayableAmount")
    text = re.sub("<cbc:IssueDate>.*?<", "<cbc:IssueDate>soon<", text)
    findings = official.validate("ubl-2.1", parsed(text))
    assert [finding.location for finding in findings] == [
        "/Invoice/cbc:IssueDate[1]",
        "/Invoice/cac:LegalMonetaryTotal[1]",
    ]


def test_roots_of_different_namespaces_share_one_schema(tmp_path: Path) -> None:
    """Each is judged as by its own, and what they share is in memory once."""
    store = SchemaStore(Catalogue.load())
    namespace = "urn:oasis:names:specification:ubl:schema:xsd:"
    invoice = store.compile("ubl-2.1", f"{{{namespace}Invoice-2}}Invoice")
    assert store.compile("ubl-2.1", f"{{{namespace}CreditNote-2}}CreditNote") is invoice
    for sample in SAMPLES:
        if sample.syntax is Syntax.UBL:
            document = xml.parse(sample_bytes(sample.file), DocumentLimits())
            assert isinstance(document, ParsedXml)
            assert invoice.validate(document.tree)
            document.root.append(etree.Element("{urn:x}more"))
            assert not invoice.validate(document.tree)


class TwoFiles:
    """A catalogue of one schema for two roots, each declared by a file of its own."""

    def __init__(self, folder: Path, namespaces: tuple[str, str]) -> None:
        self.entry = SchemaEntry(
            title="t",
            package="p",
            folder="f",
            tree_sha256="0" * 64,
            roots={f"{{{namespaces[0]}}}a": "a.xsd", f"{{{namespaces[1]}}}b": "b.xsd"},
        )
        self.folder = folder
        folder.mkdir()
        for name, namespace in zip("ab", namespaces, strict=True):
            (folder / f"{name}.xsd").write_text(
                f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" '
                f'targetNamespace="{namespace}">'
                f'<xs:element name="{name}" type="xs:int"/></xs:schema>'
            )

    def schema(self, name: str) -> SchemaEntry:
        """The one entry."""
        return self.entry

    def schema_path(self, name: str, root: str) -> Path:
        """The file of a root."""
        return self.folder / self.entry.roots[root]


@pytest.mark.parametrize("namespaces", [("urn:one", "urn:two"), ("urn:one", "urn:one")])
def test_no_root_is_lost(tmp_path: Path, namespaces: tuple[str, str]) -> None:
    """Where two files have one namespace they cannot be imported together: each is compiled."""
    store = SchemaStore(TwoFiles(tmp_path / "a folder #1", namespaces))
    for namespace, name in zip(namespaces, "ab", strict=True):
        good = parsed(f'<{name} xmlns="{namespace}">1</{name}>')
        assert store.validate("t", good) == ()
        bad = parsed(f'<{name} xmlns="{namespace}">x</{name}>')
        assert only(store.validate("t", bad)).rule == "XSD-INVALID"


def test_a_file_of_one_root_that_cannot_be_read_is_no_verdict(tmp_path: Path) -> None:
    """libxml2 would pass over the import, and the root it declares would be unknown."""
    catalogue = TwoFiles(tmp_path / "schema", ("urn:one", "urn:two"))
    (tmp_path / "schema" / "b.xsd").write_text("<broken")
    with pytest.raises(RulePackError, match="cannot be used"):
        SchemaStore(catalogue).validate("t", parsed('<b xmlns="urn:two">1</b>'))
