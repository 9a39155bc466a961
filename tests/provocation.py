"""Invoices damaged on purpose, until nearly every rule of a stylesheet has had something to say.

Blind damage makes half of the rules fire, the same half again and again. So each damaged invoice
is aimed at a few rules, of those that have not fired yet: what a rule looks at is put there, taken
away, repeated, or given a value that the rule speaks of. An invoice that made a new rule fire is
damaged further, as a fuzzer does. The same for the same seed.
"""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from lxml import etree

from gateway.core.schematron.inventory import assertions
from tests.mutations import Mutation, Vocabulary

_XSL = "{http://www.w3.org/1999/XSL/Transform}"
_SVRL = "{http://purl.oclc.org/dsdl/svrl}"
_NAME = r"[A-Za-z]+:[A-Za-z]+"
_STEP = re.compile(_NAME)
_PATH = re.compile(rf"(?:{_NAME}/)*{_NAME}(?:/@[A-Za-z]+)?")
_LITERAL = re.compile(r"'([^']{1,40})'|\"([^\"]{1,40})\"")
_VALUES_OF_PATH = re.compile(
    rf"((?:{_NAME}/)*{_NAME})[^'\"=()]{{0,40}}\)?\s*=\s*\(?\s*((?:'[^'()]{{1,40}}'\s*,?\s*)+)"
)
_ATTRIBUTE_IS = re.compile(r"@([A-Za-z]+)\s*=\s*'([^']*)'")
_EITHER_THEN = re.compile(rf"\(({_NAME}(?:\|{_NAME})+)\)/")
_PREDICATE = re.compile(r"\[[^\[\]]*\]")
_LENGTH = re.compile(r"(?:le|<=|lt|=)\s*([0-9]{1,4})\b")
_NUMBER = re.compile(r"\s*-?[0-9]+(\.[0-9]+)?\s*")
_AXES = frozenset({"ancestor", "parent", "self", "child", "descendant", "following", "preceding"})

_FRACTIONS = ("10.12345", "1.1234567", "-1.5", "12345678901234567890.1")
_LENGTHS = (40, 110, 150, 600, 1100)
_MOST_ELEMENTS = 600
_MOST_ORIGINALS = 400


class Rule(NamedTuple):
    """An assertion and the rule it stands in, as XPath. `lets`: its variables."""

    id: str
    context: str
    test: str
    lets: str


def rules_of(stylesheet: bytes) -> list[Rule]:
    """The assertions of compiled Schematron, in its order."""
    root = etree.fromstring(stylesheet, etree.XMLParser(huge_tree=True))
    found = []
    names = iter(assertions(stylesheet))
    for element in root.iter(f"{_SVRL}failed-assert", f"{_SVRL}successful-report"):
        template = next(element.iterancestors(f"{_XSL}template"))
        lets = " ".join(each.get("select") or "" for each in template.iter(f"{_XSL}variable"))
        context = template.get("match") or ""
        found.append(Rule(next(names).rule, context, element.get("test") or "", lets))
    return found


class Provoker:
    """Damaged invoices, each after what the one before it did.

    `next` gives one; `told` hears which rules it made fire.
    """

    def __init__(
        self, originals: Sequence[bytes], stylesheet: bytes, words: Vocabulary, seed: str
    ) -> None:
        self.rules = rules_of(stylesheet)
        self.fired: set[str] = set()
        self._roots = [etree.fromstring(data) for data in originals]
        self._words = words
        self._dice = random.Random(seed)
        self._pairs = sorted({pair for rule in self.rules for pair in _pairs(rule)})
        self._left = list(self.rules)
        self._last: etree._Element | None = None

    def next(self) -> bytes:
        """The next damaged invoice."""
        aims = [self._aim() for _ in range(self._dice.choice((1, 1, 2, 3)))]
        root = self._dice.choice(self._roots)
        provoked = _Provoked(root, self._words, self._dice, aims, self._pairs)
        self._last = provoked.root
        return provoked.result()

    def _aim(self) -> Rule:
        aims = self._left if self._left and self._dice.random() < 0.85 else self.rules
        return self._dice.choice(aims)

    def told(self, rules: Iterable[str]) -> None:
        """The invoice given last made these rules fire."""
        new = set(rules) - self.fired
        if not new:
            return
        self.fired |= new
        self._left = [rule for rule in self._left if rule.id not in self.fired]
        small = self._last is not None and sum(1 for _ in self._last.iter()) < _MOST_ELEMENTS
        if self._last is not None and small and len(self._roots) < _MOST_ORIGINALS:
            self._roots.append(self._last)


def _pairs(rule: Rule) -> list[tuple[str, str]]:
    """Paths, each with a value that a rule compares it with."""
    text = f"{rule.context} {rule.test} {rule.lets}"
    return [
        (path, value)
        for path, values in _VALUES_OF_PATH.findall(text)
        for value in re.findall(r"'([^']*)'", values)
    ]


class _Provoked(Mutation):
    """One invoice, damaged where some rules look."""

    def __init__(
        self,
        original: etree._Element,
        words: Vocabulary,
        dice: random.Random,
        aims: Sequence[Rule],
        pairs: Sequence[tuple[str, str]],
    ) -> None:
        self.root = self._root = copy.deepcopy(original)
        self._words = words
        self._dice = dice
        self._test = ""
        for _ in range(dice.choice((0, 0, 0, 1, 1, 2)) if pairs else 0):
            self._assign(*dice.choice(pairs))
        for aim in aims:
            self._provoke(aim)
        if dice.random() < 0.1:
            blind = (self._move, self._rename, self._swap, self._nest, self._misplace_namespace)
            dice.choice(blind)(self._any())

    # ---- one rule

    def _provoke(self, rule: Rule) -> None:
        element = self._place(rule.context)
        self._test = test = _EITHER_THEN.sub(self._one_of, rule.test)
        own = _pairs(rule)
        if own and self._dice.random() < 0.5:
            self._assign(*self._dice.choice(own))
        paths, lets = self._known_paths(test), self._known_paths(rule.lets)
        if lets and (not paths or self._dice.random() < 0.3):
            paths = lets
        about_itself = "(.)" in test and self._dice.random() < 0.5
        if not paths or about_itself or "string-length(.)" in test:
            self._change(element)
            return
        path = self._dice.choice(paths)
        there = self._found(element, path)
        chance = self._dice.random()
        if chance < 0.4:
            for _ in range(3 if "count(" in test or self._dice.random() < 0.1 else 1):
                self._put(element, path)
        elif chance < 0.6:
            for each in there:
                self._delete(each)
        elif chance < 0.88:
            for each in there[: self._dice.choice((1, 9))]:
                self._change(each)
        elif there and chance < 0.95:
            self._double(there[0])
        elif there:
            self._empty(there[0])

    def _place(self, context: str) -> etree._Element:
        """An element that the context means, made if there is none, its conditions mostly met."""
        bare = context
        while (shorter := _PREDICATE.sub("", bare)) != bare:
            bare = shorter
        ways = [steps for way in bare.split("|") if (steps := self._steps(way))]
        if not ways:
            return self._root
        self._dice.shuffle(ways)
        steps = next((way for way in ways if self._all(way[-1])), ways[0])
        element = self._at(steps)
        for name, value in _ATTRIBUTE_IS.findall(context):
            if self._dice.random() < 0.9:
                element.set(name, value)
        for condition in re.findall(r"\[(.*)\]", context)[:1]:
            for path in self._known_paths(condition)[:4]:
                if self._dice.random() < 0.5:
                    self._put(element, path)
        return element

    def _at(self, steps: Sequence[str]) -> etree._Element:
        found = self._all(steps[-1])
        if len(steps) > 1:
            parent = self._tag(steps[-2])
            inside = [e for e in found if (p := e.getparent()) is not None and p.tag == parent]
            found = inside or (found if self._dice.random() < 0.3 else [])
        if found:
            return self._dice.choice(found)
        at = self._root
        if self._tag(steps[0]) == at.tag:
            steps = steps[1:]
        elif len(steps) > 1 and (first := self._all(steps[0])):
            at, steps = self._dice.choice(first), steps[1:]
        for step in steps:
            inner = at.find(self._tag(step))
            at = etree.SubElement(at, self._tag(step)) if inner is None else inner
        return at

    # ---- what is done

    def _assign(self, path: str, value: str) -> None:
        """Give what a path means a value that some rule compares it with: here or everywhere."""
        if not self._is_known(path):
            return
        found = self._found(self._root, path)
        if not found:
            self._put(self._root, path, value)
        chance = self._dice.random()
        for element in found[:1] if chance < 0.3 else found:
            if not len(element) and (chance < 0.7 or self._dice.random() < 0.5):
                element.text = value

    def _put(self, element: etree._Element, path: str, value: str | None = None) -> None:
        """The elements of a path below an element; those that are there are mostly used."""
        at = element
        for step in path.split("/"):
            if step.startswith("@"):
                at.set(step[1:], value or self._fitting())
                return
            inner = at.find(self._tag(step))
            if inner is None or self._dice.random() < 0.15:
                inner = etree.Element(self._tag(step))
                at.insert(self._dice.randint(0, len(at)), inner)
            at = inner
        if not len(at):
            at.text = value or self._fitting()

    def _change(self, element: etree._Element) -> None:
        leaves = [leaf for leaf in element.iter("*") if not len(leaf)]
        leaf = self._dice.choice(leaves) if leaves else element
        if _NUMBER.fullmatch(leaf.text or "") and self._dice.random() < 0.6:
            leaf.text = self._near(float(leaf.text or "0"))
        elif leaf.attrib and self._dice.random() < 0.3:
            leaf.set(self._dice.choice(list(leaf.attrib)), self._fitting())
        else:
            leaf.text = self._fitting()

    def _near(self, number: float) -> str:
        return self._dice.choice(
            (
                *(f"{number:.3f}5", f"{number:.3f}5", f"{number + 0.01:.2f}"),
                *(f"{-number - 1:.2f}", "0.00", f"{number * 2 + 7:.2f}"),
            )
        )

    def _fitting(self) -> str:
        """A value that the rule at hand may have something against."""
        chance = self._dice.random()
        if chance < 0.5 and ("substring-after" in self._test or "decimal" in self._test):
            return self._dice.choice(_FRACTIONS)
        lengths = _LENGTH.findall(self._test) if "string-length" in self._test else []
        if chance < 0.7 and lengths:
            return "x" * (int(self._dice.choice(lengths)) + 1)
        literals = ["".join(each) for each in _LITERAL.findall(self._test)]
        if chance < 0.4 and literals:
            return self._dice.choice(self._dice.choice(literals).split() or [""])
        if chance < 0.55:
            long = "x" * self._dice.choice(_LENGTHS)
            return self._dice.choice(("", " ", long, "12345678900012", "123456789"))
        return self._value()

    # ---- names and paths

    def _one_of(self, match: re.Match[str]) -> str:
        names = match[1].split("|")
        return next((name for name in names if self._all(name)), names[0]) + "/"

    def _all(self, step: str) -> list[etree._Element]:
        return list(self._root.iter(self._tag(step))) if self._is_known(step) else []

    def _found(self, element: etree._Element, path: str) -> list[etree._Element]:
        """What the last steps of a path mean, inside of an element or else anywhere."""
        steps = [step for step in path.split("/") if not step.startswith("@")]
        tag = self._tag(steps[-1])
        found = list(element.iter(tag)) or list(self._root.iter(tag))
        if len(steps) > 1:
            parent = self._tag(steps[-2])
            inside = [e for e in found if (p := e.getparent()) is not None and p.tag == parent]
            found = inside or found
        return [each for each in found if each is not self._root]

    def _steps(self, way: str) -> list[str]:
        steps = [step for step in _STEP.findall(way) if self._is_known(step)]
        return [step for step in steps if step.partition(":")[0] not in _AXES]

    def _known_paths(self, text: str) -> list[str]:
        return [path for path in _PATH.findall(text) if self._is_known(path)]

    def _is_known(self, path: str) -> bool:
        return all(
            step.startswith("@") or step.partition(":")[0] in self._words.namespaces
            for step in path.split("/")
        )
