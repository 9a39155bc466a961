"""What writes a document: a tree of elements in the order of the schema, walked once per invoice.

A `Node` opens its element, lets its children write, and takes everything back when no business
term was written in it: constants alone make no element. Text is put together rather than a tree
of lxml, because a tree would be thrown away at once; 10,000 lines cost ten times as much as 1,000.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final

from gateway.core.mapping.writer_context import Demand, Getter, Repeat, Value, Writing

_MARKUP: Final = re.compile(r"[&<>\r\"\n\t]")
_TEXT: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_ATTRIBUTE: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", '"': "&quot;", "\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}
)


class Attribute:
    """An attribute: ` name="` and what it holds. `again`: also in copies of its element."""

    __slots__ = ("again", "constant", "make", "start")

    def __init__(self, name: str, value: Value, *, again: bool) -> None:
        self.start = f' {name}="'
        self.make = value.make
        self.constant = value.term is None
        self.again = again


class Node(ABC):
    """An element. `again`: it is also written where its parent repeats for a list not its own.

    `demand`: what the schema asks of it.
    """

    __slots__ = ("again", "demand")

    def __init__(self, *, demand: Demand | None = None, again: bool = True) -> None:
        self.demand = demand
        self.again = again

    @abstractmethod
    def write(self, writing: Writing, out: list[str], first: bool) -> bool:
        """Write what there is; whether any of it is of the invoice."""

    def meet(self, writing: Writing) -> str:
        """What is written where the schema demands it and the invoice has nothing."""
        return "" if self.demand is None else self.demand.meet(writing)


class Repeating(Node):
    """An element that may stand there several times, and have attributes.

    `twin`: whether it would be the same as another.
    """

    __slots__ = ("attributes", "repeat", "twin")

    def __init__(
        self,
        attributes: tuple[Attribute, ...],
        *,
        repeat: Repeat | None = None,
        twin: Callable[[Writing], bool] | None = None,
        **where: Any,
    ) -> None:
        super().__init__(**where)
        self.attributes = attributes
        self.repeat = repeat
        self.twin = twin

    def write(self, writing: Writing, out: list[str], first: bool) -> bool:
        """Write one for each item of its list; whether any of it is of the invoice."""
        if self.twin is not None and self.twin(writing):
            return False
        repeat = self.repeat
        if repeat is None:
            return (first or self.again) and self.once(writing, out, first)
        items = repeat.items(writing)
        if not items:
            return self.once(writing, out, True)
        written = False
        for position, item in enumerate(items):
            writing.bound[repeat.slot] = item
            writing.index[repeat.slot] = position
            written = self.once(writing, out, position == 0) or written
        writing.bound[repeat.slot] = None
        return written

    @abstractmethod
    def once(self, writing: Writing, out: list[str], first: bool) -> bool:
        """Write one element."""

    def opened(self, start: str, writing: Writing, first: bool) -> tuple[str, bool]:
        """The start tag but for its end, and whether an attribute is of the invoice."""
        filled = False
        for attribute in self.attributes:
            if (first or attribute.again) and (text := attribute.make(writing)):
                filled = filled or not attribute.constant
                if _MARKUP.search(text):
                    text = text.translate(_ATTRIBUTE)
                start = f'{start}{attribute.start}{text}"'
        return start, filled


class Leaf(Repeating):
    """An element with text. `filler`: what its text must be when only its attributes are there."""

    __slots__ = ("_constant", "_end", "_filler", "_make", "_start")

    def __init__(
        self,
        name: str,
        depth: int,
        value: Value | None,
        attributes: tuple[Attribute, ...],
        *,
        filler: Demand | None = None,
        **where: Any,
    ) -> None:
        super().__init__(attributes, **where)
        self._start = f"\n{'  ' * depth}<{name}"
        self._end = f"</{name}>"
        self._constant = value is not None and value.term is None
        self._make = None if value is None else value.make
        self._filler = filler

    def once(self, writing: Writing, out: list[str], first: bool) -> bool:
        """Write one element; nothing when there is neither text nor attribute."""
        text = None if self._make is None else self._make(writing)
        if self.attributes:
            start, filled = self.opened(self._start, writing, first)
        else:
            start, filled = self._start, False
        if not text:
            if not filled:
                return False
            text = "" if self._filler is None else self._filler.meet(writing)
        elif _MARKUP.search(text):
            text = text.translate(_TEXT)
        out.append(f"{start}>{text}{self._end}")
        return filled or not self._constant

    def meet(self, writing: Writing) -> str:
        """The element with what stands in for its text, or without if attributes tell it apart."""
        text = super().meet(writing)
        if not text and not self.attributes:
            return ""
        start, _ = self.opened(self._start, writing, True)
        return f"{start}>{text}{self._end}"


class Text(Node):
    """An element that holds the text of one term and nothing else: most are."""

    __slots__ = ("_end", "_make", "_start")

    def __init__(self, name: str, depth: int, value: Value, **where: Any) -> None:
        super().__init__(**where)
        self._start = f"\n{'  ' * depth}<{name}>"
        self._end = f"</{name}>"
        self._make = value.make

    def write(self, writing: Writing, out: list[str], first: bool) -> bool:
        """Write it, if there is any text."""
        text = self._make(writing) if first or self.again else None
        if not text:
            return False
        if _MARKUP.search(text):
            text = text.translate(_TEXT)
        out.append(f"{self._start}{text}{self._end}")
        return True

    def meet(self, writing: Writing) -> str:
        """The element with what stands in for its text; nothing where nothing does."""
        text = super().meet(writing)
        return f"{self._start}{text}{self._end}" if text else ""


class Branch(Repeating):
    """An element with elements in it, in the order of the schema.

    `guard`: what all terms in it have in common; without it there is nothing to write.
    """

    __slots__ = ("_end", "_guard", "_start", "children", "required")

    def __init__(
        self,
        name: str,
        depth: int,
        children: tuple[Node, ...],
        attributes: tuple[Attribute, ...] = (),
        *,
        required: bool = False,
        guard: Getter | None = None,
        **where: Any,
    ) -> None:
        super().__init__(attributes, **where)
        self._guard = guard
        self._start = f"\n{'  ' * depth}<{name}"
        self._end = f"\n{'  ' * depth}</{name}>"
        self.children = children
        self.required = required

    def write(self, writing: Writing, out: list[str], first: bool) -> bool:
        """As any node, but look first whether there can be anything."""
        if self._guard is not None and not self._guard(writing):
            return False
        return super().write(writing, out, first)

    def once(self, writing: Writing, out: list[str], first: bool) -> bool:
        """Write one element, or take it back when it came out empty and may be absent."""
        mark = len(out)
        start, filled = self._start, False
        if self.attributes:
            start, filled = self.opened(start, writing, first)
        out.append(f"{start}>")
        lacking: list[tuple[int, Node]] | None = None
        for child in self.children:
            if child.write(writing, out, first):
                filled = True
            elif child.demand is not None and (first or child.again):
                lacking = [(len(out), child), *(lacking or [])]
        if not filled and not self.required:
            del out[mark:]
            return False
        for position, child in lacking or ():
            out.insert(position, child.meet(writing))
        if len(out) == mark + 1:
            out[mark] = f"{start}/>"
        else:
            out.append(self._end)
        return filled


class Unplaced(Node):
    """A term or group that this syntax has no element for: it writes nothing, and says so."""

    __slots__ = ("_value",)

    def __init__(self, value: Value) -> None:
        super().__init__()
        self._value = value

    def write(self, writing: Writing, out: list[str], first: bool) -> bool:
        """Report the value, if there is one."""
        del out, first
        if (text := self._value.make(writing)) is not None:
            writing.report("MAP-NO-PLACE", self._value.term or "", self._value.steps, value=text)
        return False
