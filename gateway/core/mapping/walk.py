"""The walk along a document: one visit to each element, with all that is asked of it.

Several branches of the reader's tree may arrive at one element: the same step with different
conditions, a group and a term of the group around it. A `Place` is such a set of branches, put
together once; where conditions decide who arrives, each outcome that comes up is kept. So an
element costs one look-up by its tag, however many paths lead to it, and 10,000 lines cost ten
times as much as 1,000. And the walk knows what none of them reads, and says so (`unmapped`).

Frames lie on one stack. Which groups are open at a place is known before any document comes, so
every branch knows the position of its frame.

What the table calls implied has its places too, where nobody arrives: it stands in every line.
"""

from __future__ import annotations

from lxml import etree

from gateway.core.mapping.conversions import Reading
from gateway.core.mapping.paths import WHITE_SPACE
from gateway.core.mapping.reader import Branch, Frame, GroupReader, Leaf
from gateway.core.mapping.unmapped import KnownNames

Arrivals = tuple[tuple[Branch, int], ...]
"""Branches, each with the position of the frame its values go into."""


class Place:
    """The branches that arrive at an element together, and where they go on.

    `depth`: how many frames are on the stack. `names`: of the element and those above it.
    """

    __slots__ = ("attributes", "groups", "leaves", "silent", "takes_text", "turns")

    def __init__(
        self, arrivals: Arrivals, depth: int, known: KnownNames, names: tuple[str, ...] = ()
    ) -> None:
        self.leaves: list[tuple[Leaf, int]] = []
        self.groups: list[tuple[GroupReader, int]] = []
        """Each with the position of the frame around it; its own is the next on the stack."""
        here = list(arrivals)
        for branch, frame in here:  # grows: a group's own branch may open further groups
            self.leaves += [(leaf, frame) for leaf in branch.leaves]
            for group in branch.groups:
                here.append((group.root, depth + len(self.groups)))
                self.groups.append((group, frame))
        self.takes_text = any(branch.takes_text for branch, _ in here)
        self.attributes = frozenset[str]().union(*(branch.attributes for branch, _ in here))
        self.silent = known.silent(names)
        onward: dict[str, list[tuple[Branch, int]]] = {tag: [] for tag in known.onward(names)}
        for branch, frame in here:
            for tag, candidates in branch.children.items():
                onward.setdefault(tag, []).extend((one, frame) for one in candidates)
        within = depth + len(self.groups)
        self.turns = {
            tag: Turn(tuple(candidates), within, known, (tag, *names))
            for tag, candidates in onward.items()
        }


class Turn:
    """From a place on to a child element: who arrives there. `always`: whatever is in it."""

    __slots__ = ("_candidates", "_places", "_where", "always")

    def __init__(
        self, candidates: Arrivals, depth: int, known: KnownNames, names: tuple[str, ...]
    ) -> None:
        self._candidates = candidates
        self._where = (depth, known, names)
        self._places: dict[Arrivals, Place] = {}
        conditional = any(branch.tests for branch, _ in candidates)
        self.always = None if conditional else Place(candidates, *self._where)

    def place(self, element: etree._Element, reading: Reading) -> Place:
        """The place of those whose conditions hold for the element."""
        arrived = tuple([one for one in self._candidates if one[0].admits(element, reading.terms)])
        if arrived not in self._places:
            self._places[arrived] = Place(arrived, *self._where)
        return self._places[arrived]


def walk(element: etree._Element, place: Place, frames: list[Frame], reading: Reading) -> None:
    """Read what is asked for at `element` and below. As deep as the table's paths."""
    # It is called for every element of the document, and most hold one value: nothing is started
    # here, no loop and no call, without a look whether there is anything to do.
    groups = place.groups
    if groups:
        frames.extend([{} for _ in groups])
    for leaf, at in place.leaves:
        leaf.read(element, frames[at], reading)
    if names := element.keys():
        for name in names:
            if name not in place.attributes:
                reading.unmapped.attribute(element, str(name))
    if not place.takes_text and (text := element.text):
        text = text.strip(WHITE_SPACE)
        if text and text not in place.silent:
            reading.unmapped.text(element)
    if len(element):
        turns = place.turns
        for child in element:
            turn = turns.get(child.tag)
            if turn is not None:
                walk(child, turn.always or turn.place(child, reading), frames, reading)
            elif isinstance(child.tag, str):  # else a comment or an instruction
                reading.unmapped.subtree(child)
    if groups:
        for group, around in reversed(groups):  # the inner ones first
            group.close(frames.pop(), frames[around], element, reading)
