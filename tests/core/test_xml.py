"""The one parser: what it lets through, and the finding for everything else."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from gateway.core.xml import ParsedXml, element_at, friendly_path, locate, locate_all, parse
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Finding

EVIL = Path(__file__).parents[1] / "evil" / "xml"
LIMITS = DocumentLimits()

UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
NAMESPACES = (
    f'xmlns="{UBL}Invoice-2" xmlns:cbc="{UBL}CommonBasicComponents-2" '
    f'xmlns:cac="{UBL}CommonAggregateComponents-2"'
)


def parsed(text: str | bytes, limits: DocumentLimits = LIMITS) -> ParsedXml:
    """Parse what must be good."""
    result = parse(text.encode() if isinstance(text, str) else text, limits)
    assert isinstance(result, ParsedXml), result
    return result


def refused(data: bytes, limits: DocumentLimits = LIMITS) -> Finding:
    """Parse what must be refused."""
    result = parse(data, limits)
    assert isinstance(result, Finding)
    return result


@pytest.mark.parametrize(
    ("encoding", "codec"),
    [
        ("UTF-8", "utf-8"),
        ("utf-8", "utf-8-sig"),
        ("UTF-16", "utf-16"),
        ("UTF-16LE", "utf-16-le"),
        ("UTF-16BE", "utf-16-be"),
        ("ISO-8859-1", "iso-8859-1"),
        ("ISO-8859-15", "iso-8859-15"),
        ("windows-1252", "windows-1252"),
    ],
)
def test_supported_encodings_are_read_and_handed_on_in_utf8(encoding: str, codec: str) -> None:
    """Text arrives right in every supported encoding; what others parse is UTF-8 without mark."""
    text = f'<?xml version="1.0" encoding="{encoding}"?>\n<a>\n  <b>Société</b></a>'
    document = parsed(text.encode(codec))
    assert document.root[0].text == "Société"
    assert not document.data.startswith(b"\xef\xbb\xbf")
    assert etree.fromstring(document.data)[0].text == "Société"
    assert locate(document, document.root[0]).line == 3


def test_utf8_is_not_copied() -> None:
    """The usual case costs no copy of the document."""
    data = b"<a/>"
    assert parsed(data).data is data


def test_the_word_doctype_in_a_text_is_no_doctype() -> None:
    """A description may speak of <!DOCTYPE in a CDATA section or a comment."""
    document = parsed("<a><!-- <!DOCTYPE x> --><![CDATA[<!DOCTYPE x>]]></a>")
    assert document.root.text == "<!DOCTYPE x>"


def test_comments_do_not_cut_a_value_in_two() -> None:
    """12<!-- -->34 is 1234 for every reader, as XPath sees it."""
    assert parsed("<a>12<!-- x -->3<?p y?>4</a>").root.text == "1234"


def test_an_entity_bomb_is_told_from_a_plain_doctype() -> None:
    """Both are refused by the same code; the words say which it was."""
    bomb = refused((EVIL / "billion-laughs.xml").read_bytes())
    plain = refused((EVIL / "doctype-plain.xml").read_bytes())
    assert bomb.rule == plain.rule == "XML-DOCTYPE"
    assert bomb.explanation != plain.explanation


@pytest.mark.parametrize(("depth", "ok"), [(100, True), (101, False), (5000, False)])
def test_depth_is_limited(depth: int, ok: bool) -> None:
    """As many levels as allowed pass; one more does not, and its place is named."""
    result = parse(b"<a>" * depth + b"</a>" * depth, LIMITS)
    assert isinstance(result, ParsedXml) is ok
    if isinstance(result, Finding):
        assert (result.rule, result.line, result.column) == ("XML-DEPTH", 1, 301)


def test_depth_counts_before_truncation() -> None:
    """A bomb of open tags is too deep, whatever is missing at its end."""
    assert refused(b"<a>" * 100_000).rule == "XML-DEPTH"


def test_elements_and_attributes_are_limited() -> None:
    """Elements and attributes count together, exactly; text with signs of them does not."""
    limits = DocumentLimits(max_elements=10)
    assert parsed("<r>" + "<a/>" * 9 + "</r>", limits)
    assert refused(b"<r>" + b"<a/>" * 10 + b"</r>", limits).rule == "XML-ELEMENTS"
    assert parsed("<r " + " ".join(f'a{i}=""' for i in range(9)) + "/>", limits)
    too_many = "<r " + " ".join(f'a{i}=""' for i in range(10)) + "/>"
    assert refused(too_many.encode(), limits).rule == "XML-ELEMENTS"
    assert parsed("<r>" + "===============" + "<![CDATA[<<<<<<<<<<<<<]]></r>", limits)


def test_size_is_limited_by_bytes() -> None:
    """The size as received counts; nothing of a larger document is looked at."""
    limits = DocumentLimits(max_bytes=100)
    assert parsed("<a>" + "x" * 93 + "</a>", limits)
    finding = refused(b"\0" * 101, limits)
    assert finding.rule == "XML-SIZE"
    assert "101" in finding.message
    assert "100" in finding.message


def test_one_text_may_be_as_large_as_an_attachment() -> None:
    """Attachments are one text of many megabytes: libxml2's own limit of 10 MB is lifted."""
    document = parsed(b"<a><b>" + b"QUJD" * 3_000_000 + b"</b></a>")
    assert len(document.root[0].text or "") == 12_000_000


def test_truncated_at_every_byte_is_truncated() -> None:
    """Wherever a good document is cut, the finding is the same: it is cut."""
    data = f'<?xml version="1.0"?><Invoice {NAMESPACES}><cbc:ID a="b">é&amp;</cbc:ID></Invoice>'
    whole = data.encode()
    parsed(whole)
    for length in range(1, len(whole)):
        assert refused(whole[:length]).rule == "XML-TRUNCATED", whole[:length]


INVOICE = f"""<?xml version="1.0" encoding="UTF-8"?>
<!-- comment -->
<Invoice {NAMESPACES}>
  <cbc:ID>FA-1</cbc:ID><cbc:Note>é</cbc:Note><cbc:Note>deux</cbc:Note>
  <!-- another -->
  <cac:LegalMonetaryTotal>
      <cbc:PayableAmount
         currencyID="EUR">12.00</cbc:PayableAmount>
  </cac:LegalMonetaryTotal>
  <cac:AdditionalDocumentReference><cac:Attachment>
    <cbc:EmbeddedDocumentBinaryObject mimeCode="application/pdf">{"QUJD" * 50}
    </cbc:EmbeddedDocumentBinaryObject></cac:Attachment></cac:AdditionalDocumentReference>
</Invoice>
"""


def test_a_place_has_line_column_and_the_element_as_written() -> None:
    """Columns count characters, not bytes; white space is collapsed; comments do not confuse."""
    document = parsed(INVOICE)
    notes = document.root.findall("{*}Note")
    assert locate(document, notes[0]) == (4, 24, "<cbc:Note>é</cbc:Note>")
    assert locate(document, notes[1]) == (4, 46, "<cbc:Note>deux</cbc:Note>")
    amount = document.root.find("{*}LegalMonetaryTotal/{*}PayableAmount")
    assert amount is not None
    assert locate(document, amount) == (
        7,
        7,
        '<cbc:PayableAmount currencyID="EUR">12.00</cbc:PayableAmount>',
    )


@pytest.mark.parametrize(
    "written",
    [
        "<a><b/><!-- <b/> --><c/></a>",
        "<a><b><![CDATA[<b/> ]]]></b><c d='<'/></a>".replace("'<'", "'>'"),
        "<a><?b <b/> ?><c/></a>",
        "<?xml version='1.0'?><!--<a>--><a>\n<b>é</b>&lt;c/&gt;<c>\n</c></a><!-- <d/> -->",
    ],
)
def test_only_elements_count_as_elements(written: str) -> None:
    """What looks like one in a comment, a CDATA section or an instruction is none."""
    document = parsed(written)
    for element in document.root.iter():
        place = locate(document, element)
        assert place.excerpt is not None
        assert place.excerpt.startswith(f"<{element.tag}")
        assert place == locate_all(document, document.root.iter())[element]


def test_many_places_are_those_of_each() -> None:
    """Found in one pass or one by one: the same, and none for an element of another document."""
    document, other = parsed(INVOICE), parsed(INVOICE)
    found = locate_all(document, [*document.root.iter(), other.root])
    assert found == {element: locate(document, element) for element in document.root.iter()}
    assert locate_all(document, []) == {}


def test_an_excerpt_is_short_and_never_shows_an_attachment() -> None:
    """At most 160 characters; base64 and namespace declarations are cut out."""
    document = parsed(INVOICE)
    for element in document.root.iter():
        excerpt = locate(document, element).excerpt
        assert excerpt is not None
        assert len(excerpt) <= 160
        assert "QUJDQUJDQUJDQUJD" not in excerpt
        assert "xmlns" not in excerpt
    (attachment,) = document.root.iter("{*}EmbeddedDocumentBinaryObject")
    excerpt = locate(document, attachment).excerpt
    assert excerpt == '<cbc:EmbeddedDocumentBinaryObject mimeCode="application/pdf">…'


@pytest.mark.parametrize(
    "written",
    ["<b/>", "<b></b>", "<b c='d>e'/>", "<b>1</b >", "<b><c/></b>", "<b><b/></b>", "<b>&gt;</b>"],
)
def test_an_excerpt_ends_where_its_element_ends(written: str) -> None:
    """Not a character of the neighbour, however the element is closed."""
    document = parsed(f"<a>{written}<z/></a>")
    assert locate(document, document.root[0]).excerpt == written


def test_a_place_that_is_not_there_is_no_place() -> None:
    """A finding without its place is worth more than none."""
    assert locate(parsed(INVOICE), None) == (None, None, None)


def test_friendly_paths_use_the_usual_prefixes() -> None:
    """Whatever prefixes a document chose, people read cbc and cac."""
    document = parsed(
        f'<i:Invoice xmlns:i="{UBL}Invoice-2" xmlns:b="{UBL}CommonBasicComponents-2">'
        '<b:Note/><b:Note/><x:y xmlns:x="urn:x"/><z/></i:Invoice>'
    )
    assert [friendly_path(element) for element in document.root.iter()] == [
        "/Invoice",
        "/Invoice/cbc:Note[1]",
        "/Invoice/cbc:Note[2]",
        "/Invoice/x:y[1]",
        "/Invoice/z[1]",
    ]


@pytest.mark.parametrize(
    "location",
    [
        "/*:Invoice[namespace-uri()='{i}'][1]/*:Note[namespace-uri()='{b}'][2]",
        "/Invoice/cbc:Note[2]",
        "/Invoice[1]/cbc:Note[2]/@languageID",
        "/*[local-name()='Invoice']/*[local-name()='Note' and namespace-uri()='{b}'][2]",
        "/Q{{{i}}}Invoice[1]/Q{{{b}}}Note[2]",
        "/*/*[3]",
    ],
)
def test_locations_of_schematron_engines_lead_to_the_element(location: str) -> None:
    """The forms that engines and libxml2 write are all understood, XPath 2 included."""
    document = parsed(INVOICE)
    path = location.format(i=f"{UBL}Invoice-2", b=f"{UBL}CommonBasicComponents-2")
    element = element_at(document, path)
    assert element is not None
    assert element.text == "deux"


@pytest.mark.parametrize("location", ["/Invoice/cbc:Note[3]", "/Other", "//cbc:Note", "count(*)"])
def test_a_location_that_leads_nowhere_is_none(location: str) -> None:
    """An unknown form or a missing element is no error."""
    assert element_at(parsed(INVOICE), location) is None


def test_the_root_is_a_location() -> None:
    """Some rules report the document node."""
    document = parsed(INVOICE)
    assert element_at(document, "/") is document.root
