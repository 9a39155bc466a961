"""Reads Schematron source: the file and what it includes, seen as one tree.

An `include` is replaced by the element it names, an `extends` with `href` by what that element
holds; both may only name files in the folder of the file that was asked for, or below it. Every
file is parsed as shut as a partner's document is: no DOCTYPE, no entity, no network.

What is wrong is collected, each fault with file and line, so that one look shows all of it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple, NoReturn, cast

import msgspec
from lxml import etree

from gateway.core.xml import parse
from gateway.errors import Fault, RulePackError
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Finding

SCH: Final = "http://purl.oclc.org/dsdl/schematron"

_OLD: Final = "http://www.ascc.net/xml/schematron"
_LIMITS: Final = DocumentLimits(max_bytes=10_000_000, max_depth=100, max_elements=500_000)
_MAX_FILES: Final = 500
_MAX_COPIES: Final = 20_000
"""Includes and extends that are followed: files that include one another twice would double the
rules at each step."""
_MACRO: Final = re.compile(r"\$([^\W\d][\w.-]*)")


class SourceError(RulePackError):
    """Schematron source that cannot be used. Carries every fault found; the first one speaks."""

    def __init__(self, file: str, faults: tuple[Fault, ...]) -> None:
        first = faults[0]
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        place = f"{first.file}, {first.key}" if first.key else first.file
        super().__init__(f"{place}: {first.what}{more}", remedy=first.remedy)
        self.file = file
        self.faults = faults

    def __str__(self) -> str:
        count = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        return "\n".join([f"{self.file} cannot be used: {count}.", *map(str, self.faults)])

    def placed(self, folder: Path) -> tuple[Fault, ...]:
        """The faults, with the whole path of their files."""
        return tuple(
            msgspec.structs.replace(fault, file=str(folder / fault.file)) for fault in self.faults
        )


class Place(NamedTuple):
    """Where something stands, for people. `what` names it: "the test of assert R-1"."""

    file: str
    line: int
    what: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Node:
    """An element of the source, and what stands for the parameters of an abstract pattern in it.

    `trail`: the files that led here, the element's own last.
    """

    element: etree._Element
    trail: tuple[Path, ...]
    file: str
    params: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Local name of a Schematron element; "" for an element of another namespace."""
        name = etree.QName(self.element)
        return name.localname if name.namespace == SCH else ""

    @property
    def place(self) -> Place:
        """Where the element stands."""
        return Place(self.file, line_of(self.element), f"<{self.kind}>")

    def get(self, attribute: str) -> str:
        """The attribute without outer white space, parameters filled in; "" when absent."""
        value = str(self.element.get(attribute) or "").strip()
        return _MACRO.sub(lambda match: self.params.get(match[1], match[0]), value)

    def with_params(self, params: Mapping[str, str]) -> Node:
        """The same element with other parameters."""
        return dataclasses.replace(self, params=params)


class SourceFiles:
    """The files of one Schematron schema, and what is wrong with them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._folder = path.parent.resolve()
        self._roots: dict[Path, etree._Element] = {}
        self._contents: dict[str, bytes] = {}
        self._copies = 0
        self.faults: list[Fault] = []

    def root(self) -> Node:
        """The `schema` element. Raises SourceError when there is none to be read."""
        resolved = self._folder / self._path.name
        element = self._read(resolved, Place(self._path.name, 0))
        if element is None:
            self.give_up()
        node = Node(element, (resolved,), self._path.name)
        if node.kind != "schema":
            old = etree.QName(element).namespace == _OLD
            self.object(
                Place(node.file, line_of(element)),
                "This is Schematron 1.5, of before the ISO standard."
                if old
                else f"The root element is {element.tag}, not <schema> of ISO Schematron.",
                f'Write it as ISO Schematron: <schema xmlns="{SCH}" queryBinding="xslt2">.',
            )
            self.give_up()
        return node

    def children(self, node: Node) -> Iterator[Node]:
        """The element children, with every `include` replaced by what it names."""
        for element in node.element.iterchildren("*"):
            child = dataclasses.replace(node, element=element)
            if child.kind == "include":
                included = self.referred(child)
                if included is not None and included.kind == "schema":
                    self.object(
                        child.place,
                        f"It includes a whole schema, {included.file}.",
                        "Include the patterns or rules of it: a file with just them, or file#id.",
                    )
                elif included is not None:
                    yield included
            else:
                yield child

    def referred(self, node: Node) -> Node | None:
        """The element `href` names: a file's root, or with `#id` the element of that id."""
        self.count_copy(node)
        href = node.get("href")
        name, _, fragment = href.partition("#")
        target = self._inside(node, name)
        if target is None:
            return None
        if target in node.trail:
            self.object(node.place, f"{href} includes itself.", "Take one of the includes out.")
            return None
        root = self._read(target, node.place)
        if root is None:
            return None
        found = Node(root, (*node.trail, target), self._name(target), node.params)
        if not fragment:
            return found
        for element in root.iter("*"):
            if element.get("id") == fragment:
                return dataclasses.replace(found, element=element)
        self.object(node.place, f"No element of {name} has the id {fragment}.", "Mend the href.")
        return None

    def count_copy(self, node: Node) -> None:
        """Note that something is put in its place. Raises SourceError when it is too often."""
        self._copies += 1
        if self._copies > _MAX_COPIES:
            what = f"More than {_MAX_COPIES} includes and extends lead here."
            self.object(node.place, what, "Include and extend each thing where it is needed only.")
            self.give_up()

    def object(self, place: Place, what: str, remedy: str) -> None:
        """Note a fault."""
        key = f"line {place.line}" if place.line else ""
        fault = Fault(file=place.file, key=key, what=what, remedy=remedy)
        if fault not in self.faults:
            self.faults.append(fault)

    def raise_faults(self) -> None:
        """Raises SourceError when anything was found wrong."""
        if self.faults:
            raise SourceError(self._path.name, tuple(self.faults))

    def sha256(self) -> str:
        """The sum of the file; with includes, that of the lines "<sha256>  <name>" of all files."""
        sums = {
            name: hashlib.sha256(content).hexdigest() for name, content in self._contents.items()
        }
        if len(sums) == 1:
            return next(iter(sums.values()))
        lines = "".join(f"{sums[name]}  {name}\n" for name in sorted(sums))
        return hashlib.sha256(lines.encode()).hexdigest()

    def contents(self) -> dict[str, bytes]:
        """Every file that was read: name relative to the folder → content, the schema first."""
        return dict(self._contents)

    def give_up(self) -> NoReturn:
        """Raises SourceError with what was found so far: nothing more can be read."""
        self.raise_faults()
        raise AssertionError("given up without a fault")

    def _inside(self, node: Node, name: str) -> Path | None:
        """The file an href names, if it lies within the folder, links followed."""
        if not name or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:|[/\\]", name) or "\0" in name:
            self.object(
                node.place,
                f"href={name!r} is not the name of a file beside this one.",
                "Name a file in the same folder or below it.",
            )
            return None
        target = Path(os.path.realpath(node.trail[-1].parent / name))
        if not target.is_relative_to(self._folder):
            self.object(
                node.place,
                f"{name} lies outside the folder of the rules.",
                "Put the file beside the rules: nothing else is read.",
            )
            return None
        return target

    def _read(self, path: Path, place: Place) -> etree._Element | None:
        if path in self._roots:
            return self._roots[path]
        try:
            data = path.read_bytes() if path.is_file() else None
        except OSError as error:
            data, why = None, str(error.strerror)
        else:
            why = "there is no such file"
        name = self._name(path)
        if data is None:
            remedy = "Name a file that the gateway's user can read."
            self.object(place, f"{name} cannot be read: {why}.", remedy)
            return None
        if len(self._contents) >= _MAX_FILES:
            self.object(place, f"More than {_MAX_FILES} files are included.", "Join some of them.")
            return None
        parsed = parse(data, _LIMITS)
        if isinstance(parsed, Finding):
            words = parsed.explanation.en if parsed.explanation else parsed.message
            remedy = parsed.remedy.en if parsed.remedy else "Mend the XML."
            self.object(Place(name, parsed.line or 0), words, remedy)
            return None
        self._contents[name] = data
        self._roots[path] = parsed.root
        return parsed.root

    def _name(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix()


def line_of(element: etree._Element) -> int:
    """The line of the source an element stands on; 0 when nobody knows."""
    return cast("int | None", element.sourceline) or 0
