"""What a writer learns from an XSD: order, repetition, what must be there."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.core.mapping.writer_schema import OfficialSchema
from gateway.errors import RulePackError

MAIN = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:m="urn:m" xmlns:t="urn:t"
    targetNamespace="urn:m" elementFormDefault="qualified">
  <xs:import namespace="urn:t" schemaLocation="types.xsd"/>
  <xs:element name="Root" type="m:RootType"/>
  <xs:complexType name="RootType">
    <xs:sequence>
      <xs:element name="First" type="t:AmountType"/>
      <xs:element ref="t:Second" minOccurs="0" maxOccurs="unbounded"/>
      <xs:choice>
        <xs:element name="Either" type="xs:string"/>
        <xs:element name="Or" type="xs:string" maxOccurs="3"/>
      </xs:choice>
      <xs:sequence minOccurs="0" maxOccurs="unbounded">
        <xs:element name="Inner"><xs:complexType><xs:sequence>
          <xs:element name="Deep" type="xs:string"/>
        </xs:sequence></xs:complexType></xs:element>
      </xs:sequence>
      <xs:element name="Self" type="m:RootType" minOccurs="0"/>
    </xs:sequence>
  </xs:complexType>
</xs:schema>"""

TYPES = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="urn:t"
    targetNamespace="urn:t" elementFormDefault="qualified">
  <xs:element name="Second" type="ExtendedType"/>
  <xs:complexType name="BaseType">
    <xs:sequence><xs:element name="Base" type="xs:string"/></xs:sequence>
  </xs:complexType>
  <xs:complexType name="ExtendedType">
    <xs:complexContent><xs:extension base="BaseType">
      <xs:sequence><xs:element name="More" type="xs:string"/></xs:sequence>
    </xs:extension></xs:complexContent>
  </xs:complexType>
  <xs:complexType name="AmountType">
    <xs:simpleContent><xs:extension base="xs:decimal">
      <xs:attribute name="currencyID" use="required"/>
      <xs:attribute name="note"/>
    </xs:extension></xs:simpleContent>
  </xs:complexType>
</xs:schema>"""


@pytest.fixture
def schema(tmp_path: Path) -> OfficialSchema:
    (tmp_path / "main.xsd").write_text(MAIN)
    (tmp_path / "types.xsd").write_text(TYPES)
    return OfficialSchema(tmp_path / "main.xsd")


def test_children_stand_in_order_with_how_often(schema: OfficialSchema) -> None:
    """Sequences in sequences, references into other files; of a choice none must be there."""
    root = schema.root("{urn:m}Root")
    found = [
        (tag, child.position, child.required, child.many) for tag, child in root.children.items()
    ]
    assert found == [
        ("{urn:m}First", 0, True, False),
        ("{urn:t}Second", 1, False, True),
        ("{urn:m}Either", 2, False, False),
        ("{urn:m}Or", 3, False, True),
        ("{urn:m}Inner", 4, False, True),
        ("{urn:m}Self", 5, False, False),
    ]


def test_types_are_found_by_name_by_reference_and_in_place(schema: OfficialSchema) -> None:
    """Also a type that contains itself, and one that extends another."""
    children = schema.root("{urn:m}Root").children
    assert list(children["{urn:t}Second"].type.children) == ["{urn:t}Base", "{urn:t}More"]
    assert list(children["{urn:m}Inner"].type.children) == ["{urn:m}Deep"]
    assert children["{urn:m}Self"].type is schema.root("{urn:m}Root")


def test_attributes_say_whether_they_must_be_there(schema: OfficialSchema) -> None:
    """UBL demands the currency of an amount, CII forbids it: the writer asks the schema."""
    amount = schema.root("{urn:m}Root").children["{urn:m}First"].type
    assert amount.attributes == {"currencyID": True, "note": False}
    assert amount.children == {}


@pytest.mark.parametrize("content", [None, "<xs:schema"])
def test_a_schema_that_cannot_be_read_is_our_failure(tmp_path: Path, content: str | None) -> None:
    """Named, with what to do."""
    file = tmp_path / "main.xsd"
    if content is not None:
        file.write_text(content)
    with pytest.raises(RulePackError, match=r"main\.xsd cannot be used"):
        OfficialSchema(file)
