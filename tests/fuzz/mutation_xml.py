"""Damage to XML: elements and attributes moved about, or what only the text of it can say."""

from __future__ import annotations

import contextlib
import copy
import random
import re
from collections.abc import Callable
from typing import Final, cast

from lxml import etree

_TAG: Final = re.compile(rb"<[^<>]*>")
_VALUES: Final = (
    "", " ", "0", "-0", "-1", "+1", "1e5", "NaN", "INF", "1,5", "1.", ".5", "0.00000000001",
    "9" * 40, "9" * 3000, "1" * 400 + ".1", "12\u00a034", "\u0664\u0662", "2026-02-30", "20261301",
    "0000-00-00", "99999-01-01", "2026-01-01T25:61:61", "2026-01-01Z", "EUR", "eur", "ZZZ", "true",
    "380", "urn:cen.eu:en16931:2017", "urn:cen.eu:en16931:2017#*", "x" * 5000, "é" * 300,
    "\U0001f600", "\u202e", "\ufffd", "]]", "{}", "%s", "'\"", "../../x", "http://127.0.0.1/",
    "QUJD", "QUJ", "=" * 50, "QUJD" * 2000, "\n\t\r", "a\u0300", "#AAI#", "document('x')",
)  # fmt: skip
_PIECES: Final = (
    b"<!DOCTYPE a>", b'<!DOCTYPE a [<!ENTITY e "x">]>', b"&e;", b"&amp;", b"&#0;", b"&#x110000;",
    b"&#xD800;", b"<![CDATA[", b"]]>", b"<![CDATA[x]]>", b"<!--", b"-->", b"<!-- -- -->",
    b"<?xml?>", b"<?php x ?>", b"<?xml-stylesheet href='x'?>", b"<a>", b"</a>", b"<a/>",
    b"<a:b/>", b"<", b">",
    b"xmlns=''", b" xmlns:x='' ", b" xml:space='preserve' ", b" xml:id='1' ", b" xml:base='x' ",
    b"<" + b"a" * 3000 + b"/>", b"<a>" * 150, b"<a>" * 3000, b"<b/>" * 2000, b"\x00", b"\x0b",
    b"\xff\xfe", b"\xef\xbf\xbf", b"\xc2\x85", b"\xe2\x80\xa8", b"\r", b"\t",
    b"<x:include xmlns:x='http://www.w3.org/2001/XInclude' href='/etc/passwd' parse='text'/>",
)  # fmt: skip
_DECLARATIONS: Final = (
    b"", b'<?xml version="1.0"?>', b'<?xml version="1.1"?>',
    b'<?xml version="1.0" standalone="no"?>',
    *(b'<?xml version="1.0" encoding="' + name + b'"?>'
      for name in (b"UTF-8", b"utf8", b"UTF-16", b"UTF-16LE", b"ISO-8859-1", b"windows-1252",
                   b"US-ASCII", b"UTF-7", b"UTF-32", b"EBCDIC-CP-FR", b"x", b"")),
)  # fmt: skip
_ENCODINGS: Final = ("utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32",
                     "iso-8859-1", "iso-8859-15", "windows-1252", "utf-7", "cp037")  # fmt: skip

_PARSER: Final = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)


def changed(data: bytes, chance: random.Random) -> bytes:
    """One thing of the document changed; by its text where it is no XML any more."""
    if chance.random() < 0.7:
        try:
            root = etree.fromstring(data, _PARSER)
        except (etree.XMLSyntaxError, ValueError):
            return _text_changed(data, chance)
        return _elements_changed(root, chance)
    return _text_changed(data, chance)


def _text_changed(data: bytes, chance: random.Random) -> bytes:
    tags = list(_TAG.finditer(data))
    at = (
        chance.choice(tags).end()
        if tags and chance.random() < 0.7
        else chance.randint(0, len(data))
    )
    match chance.randrange(7):
        case 0 | 1:
            return data[:at] + chance.choice(_PIECES) + data[at:]
        case 2:
            return chance.choice(_DECLARATIONS) + re.sub(rb"\A\s*<\?xml[^>]*\?>", b"", data)
        case 3:
            return data.decode("utf-8", "replace").encode(chance.choice(_ENCODINGS), "replace")
        case 4 if tags:
            one = chance.choice(tags)
            return data[: one.start()] + data[one.end() :]
        case 5 if tags:
            one, other = chance.choice(tags), chance.choice(tags)
            return data[: one.start()] + other.group() + data[one.end() :]
        case _:
            return data[: chance.randint(0, len(data))] if chance.random() < 0.2 else data + b"\n"


Step = Callable[[etree._Element, list[etree._Element], random.Random], None]


def _elements_changed(root: etree._Element, chance: random.Random) -> bytes:
    everything = list(root.iter("*"))
    with contextlib.suppress(ValueError, TypeError):  # what lxml does not let be
        chance.choice(_STEPS)(chance.choice(everything), everything, chance)
    declared = chance.random() < 0.8
    encoding = chance.choice((*["UTF-8"] * 12, "ISO-8859-1", "UTF-16", "ASCII"))
    tree = root.getroottree()
    return cast("bytes", etree.tostring(tree, encoding=encoding, xml_declaration=declared))


def _copy(element: etree._Element) -> etree._Element:
    made = copy.deepcopy(element)
    made.tail = None
    return made


def _drop(element: etree._Element, _all: list[etree._Element], _chance: random.Random) -> None:
    parent = element.getparent()
    if parent is not None:
        parent.remove(element)


def _double(element: etree._Element, _all: list[etree._Element], chance: random.Random) -> None:
    parent = element.getparent()
    if parent is not None:
        # Many of a small element: what takes more than linear time shows.
        most = max(2, 1000 // (1 + len(list(element.iter()))))
        for _ in range(chance.choice((1, 1, 1, 2, 2, 60, most))):
            parent.insert(parent.index(element), _copy(element))


def _move(element: etree._Element, every: list[etree._Element], chance: random.Random) -> None:
    chance.choice(every).append(_copy(element))


def _nest(element: etree._Element, _all: list[etree._Element], chance: random.Random) -> None:
    for _ in range(chance.choice((1, 2, 40, 120))):
        inner = etree.SubElement(element, element.tag)
        element = inner


def _rename(element: etree._Element, every: list[etree._Element], chance: random.Random) -> None:
    element.tag = chance.choice((chance.choice(every).tag, "x", "{urn:x}y"))


def _say(element: etree._Element, _all: list[etree._Element], chance: random.Random) -> None:
    element.text = chance.choice(_VALUES)


def _echo(element: etree._Element, all_: list[etree._Element], chance: random.Random) -> None:
    element.text = chance.choice(all_).text


def _mix(element: etree._Element, _all: list[etree._Element], chance: random.Random) -> None:
    element.tail = chance.choice(_VALUES)


def _attribute(element: etree._Element, every: list[etree._Element], chance: random.Random) -> None:
    names = [name for each in every for name in each.attrib] or ["x"]
    name = chance.choice((chance.choice(names), "x", "{urn:x}y", "schemeID", "listID"))
    element.set(name, chance.choice(_VALUES))


def _bare(element: etree._Element, _all: list[etree._Element], _chance: random.Random) -> None:
    element.attrib.clear()


def _empty(element: etree._Element, _all: list[etree._Element], _chance: random.Random) -> None:
    for child in list(element):
        element.remove(child)
    element.text = None


def _remark(element: etree._Element, _all: list[etree._Element], chance: random.Random) -> None:
    element.insert(0, etree.Comment("x") if chance.random() < 0.5 else etree.PI("x", "y"))


_STEPS: Final[tuple[Step, ...]] = (
    _drop, _double, _move, _nest, _rename, _say, _say, _echo, _mix, _attribute, _bare,
    _empty, _remark,
)  # fmt: skip
