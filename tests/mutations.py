"""Damaged copies of invoices: the same ones for the same seed.

The damage speaks the language of the rules: names, paths, attributes and values are taken from
the tests of their stylesheets, so that many rules get to say something.
"""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from lxml import etree

_STEP = r"[A-Za-z]+:[A-Za-z]+"
_PATH = re.compile(rf"(?:{_STEP}/)*{_STEP}(?:/@[A-Za-z]+)?")
_ATTRIBUTE = re.compile(r"@([A-Za-z]+)")
_LITERAL = re.compile(r"'([^'\\^$]{0,40})'|\"([^\"\\^$]{0,40})\"")
_VALUES = (
    *("", " ", "0", "-1", "1.005", "100.00", "99999999999999.999", "abc", "NaN", "true", "false"),
    *("2026-02-30", "2026-13-01", "2099-12-31", "20260230", "2026-04-02Z", "19991231", "é\u00a0œ"),
    *("EUR", "FR", "VAT", "S", "AE", "0002", "0009", "0225", "123456789", "12345678900012"),
    "x" * 300,
)


class Vocabulary(NamedTuple):
    """What the rules of a syntax talk about."""

    namespaces: dict[str, str]
    paths: tuple[str, ...]
    attributes: tuple[str, ...]
    values: tuple[str, ...]


def vocabulary(stylesheets: Iterable[bytes]) -> Vocabulary:
    """Names, paths and values in the contexts and tests of compiled Schematron."""
    namespaces: dict[str, str] = {}
    paths: dict[str, None] = {}
    attributes: dict[str, None] = {}
    values: dict[str, None] = dict.fromkeys(_VALUES)
    for stylesheet in stylesheets:
        root = etree.fromstring(stylesheet, etree.XMLParser(huge_tree=True))
        namespaces |= {prefix: uri for prefix, uri in root.nsmap.items() if prefix}
        for element in root.iter("{http://www.w3.org/1999/XSL/Transform}*"):
            expression = (element.get("match") or "") + " " + (element.get("test") or "")
            paths |= dict.fromkeys(_PATH.findall(expression))
            attributes |= dict.fromkeys(_ATTRIBUTE.findall(expression))
            for literal in _LITERAL.findall(expression):
                values |= dict.fromkeys("".join(literal).split()[:60])
    known = [path for path in paths if all(_known(step, namespaces) for step in path.split("/"))]
    return Vocabulary(namespaces, tuple(known), tuple(attributes), tuple(values))


def _known(step: str, namespaces: dict[str, str]) -> bool:
    prefix = step.partition(":")[0]
    return step.startswith("@") or (prefix in namespaces and prefix not in ("xs", "xsd", "custom"))


def mutants(data: bytes, words: Vocabulary, *, seed: str, count: int) -> Iterator[bytes]:
    """Damaged copies of a document."""
    original = etree.fromstring(data)
    for number in range(count):
        yield Mutation(original, words, random.Random(f"{seed}/{number}")).result()


class Mutation:
    """One damaged copy."""

    def __init__(self, original: etree._Element, words: Vocabulary, dice: random.Random) -> None:
        self._root = copy.deepcopy(original)
        self._words = words
        self._dice = dice
        damages: list[tuple[int, Callable[[etree._Element], None]]] = [
            (4, self._delete),
            (3, self._double),
            (2, self._move),
            (2, self._rename),
            (6, self._insert_path),
            (6, self._change_text),
            (5, self._change_attribute),
            (2, self._empty),
            (1, self._misplace_namespace),
            (1, self._write_between),
            (1, self._swap),
            (1, self._nest),
        ]
        kinds = [damage for weight, damage in damages for _ in range(weight)]
        for _ in range(dice.choice((1, 1, 2, 3, 5, 8, 13))):
            dice.choice(kinds)(self._any())

    def result(self) -> bytes:
        """The document, as UTF-8."""
        return etree.tostring(self._root, encoding="utf-8", xml_declaration=True)

    def _any(self) -> etree._Element:
        return self._dice.choice(list(self._root.iter("*")))

    def _value(self) -> str:
        return self._dice.choice(self._words.values)

    def _tag(self, step: str) -> str:
        prefix, _, local = step.partition(":")
        return f"{{{self._words.namespaces[prefix]}}}{local}"

    def _delete(self, element: etree._Element) -> None:
        parent = element.getparent()
        if parent is not None:
            parent.remove(element)

    def _double(self, element: etree._Element) -> None:
        parent = element.getparent()
        if parent is not None:
            for _ in range(self._dice.choice((1, 1, 1, 4))):
                parent.insert(parent.index(element), copy.deepcopy(element))

    def _move(self, element: etree._Element) -> None:
        target = self._any()
        if element is not self._root and element not in (target, *target.iterancestors()):
            target.insert(self._dice.randint(0, len(target)), element)

    def _nest(self, element: etree._Element) -> None:
        """A copy of an element inside another one, at any depth: rules match in odd places."""
        inner = copy.deepcopy(element if self._dice.random() < 0.9 else self._root)
        self._any().append(inner)

    def _rename(self, element: etree._Element) -> None:
        path = self._dice.choice(self._words.paths)
        steps = [step for step in path.split("/") if not step.startswith("@")]
        element.tag = self._tag(self._dice.choice(steps))

    def _insert_path(self, element: etree._Element) -> None:
        """The elements of a path that some rule asks for, below an element it may start at."""
        steps = self._dice.choice(self._words.paths).split("/")
        first = list(self._root.iter(self._tag(steps[0])))
        if first and len(steps) > 1 and self._dice.random() < 0.7:
            at, steps = self._dice.choice(first), steps[1:]
        else:
            at = self._root if self._dice.random() < 0.5 else element
        for step in steps:
            if step.startswith("@"):
                at.set(step[1:], self._value())
                return
            tag = self._tag(step)
            there = at.find(tag)
            if there is None or self._dice.random() < 0.3:
                there = etree.Element(tag)
                at.insert(self._dice.randint(0, len(at)), there)
            at = there
        if not len(at):
            at.text = self._value()

    def _change_text(self, element: etree._Element) -> None:
        leaves = [leaf for leaf in element.iter("*") if not len(leaf)]
        if leaves:
            self._dice.choice(leaves).text = self._value()

    def _change_attribute(self, element: etree._Element) -> None:
        carriers = [carrier for carrier in element.iter("*") if carrier.attrib]
        if carriers and self._dice.random() < 0.7:
            carrier = self._dice.choice(carriers)
            name = self._dice.choice(list(carrier.attrib))
            if self._dice.random() < 0.3:
                del carrier.attrib[name]
            else:
                carrier.set(name, self._value())
        else:
            element.set(self._dice.choice(self._words.attributes), self._value())

    def _empty(self, element: etree._Element) -> None:
        if element is not self._root:
            for child in list(element):
                element.remove(child)
            element.text = self._dice.choice((None, "", "  \n"))

    def _misplace_namespace(self, element: etree._Element) -> None:
        namespace = self._dice.choice([*self._words.namespaces.values(), "", "urn:nobody"])
        local = etree.QName(element).localname
        element.tag = f"{{{namespace}}}{local}" if namespace else local

    def _write_between(self, element: etree._Element) -> None:
        node = self._dice.choice(
            (etree.Comment(" a comment "), etree.ProcessingInstruction("note", "of nobody"))
        )
        node.tail = self._dice.choice((None, "text between", "\n  "))
        element.insert(self._dice.randint(0, len(element)), node)

    def _swap(self, element: etree._Element) -> None:
        if len(element) > 1:
            children = list(element)
            self._dice.shuffle(children)
            element[:] = children
