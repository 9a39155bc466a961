"""No regular expression of ours takes more than linear time, whatever a partner sends.

Every compiled pattern of the package is run on strings made to hurt it: what it looks for, cut off
at every place and repeated, and each of its characters repeated behind every beginning of it.
Sixteen times as much text may take some times as long as that, but not the square of it. What a
pattern never meets in such length is named below, with the reason.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import re._constants as codes  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

import gateway
from gateway.core.beginnings import _LONG_TEXT

pytestmark = pytest.mark.alone

SHORT, LONG = 400, 6_400
MUCH_SECONDS = 0.5
"""Nothing linear takes so long for so few characters, even where the machine is busy."""
NOTICEABLE = 0.02
"""Seconds below which nothing is said of growth: noise is most of it."""
MOST_GROWTH = 4 * (LONG // SHORT)

ANCHORED = {"match", "fullmatch"}
OURS_ONLY = "files of the operator's, or of official rules, each read once at a start or a command"
WELL_FORMED = "asked about well-formed XML only, in which every comment and section has its end"
BOUNDED: dict[str, str] = {
    "gateway.core.attachments:_FOUND": WELL_FORMED,
    "gateway.core.places:_BEGINNING": WELL_FORMED,
    "gateway.core.schematron.matching:_PLAIN": OURS_ONLY,
    "gateway.core.schematron.source:_EXPRESSION": OURS_ONLY,
    "gateway.core.schematron.source_names:_CALL": OURS_ONLY,
    "gateway.core.schematron.source_names:_PREFIX": OURS_ONLY,
    "gateway.core.schematron.source_names:_VARIABLE": OURS_ONLY,
    "gateway.core.schematron.svrl:_STEP": "asked about paths of 1,000 characters at most",
}
"""module:name → why it never meets a long text of a partner's."""


class Held(NamedTuple):
    """A pattern; `anchored`: it is only ever asked about the beginning of a text."""

    pattern: re.Pattern[Any]
    anchored: bool


def patterns() -> Iterator[tuple[str, Held]]:
    """Every pattern that a module of ours holds by a name, with that name."""
    for found in pkgutil.walk_packages(gateway.__path__, "gateway."):
        if found.name.endswith(("__main__", ".env")) or ".migrations" in found.name:
            continue
        module = importlib.import_module(found.name)
        for name, value in vars(module).items():
            if isinstance(value, re.Pattern):
                used = set(re.findall(rf"\b{name}\.(\w+)\(", inspect.getsource(module)))
                yield f"{found.name}:{name}", Held(value, bool(used) and used <= ANCHORED)
            elif isinstance(getattr(value, "__self__", None), re.Pattern):
                anchored = value.__name__ in ANCHORED
                yield f"{found.name}:{name}", Held(value.__self__, anchored)


def words_of(tokens: Any) -> Iterator[str]:
    """Texts that fit, one for each branch there is."""
    found = [""]
    for kind, value in tokens:
        found = [first + more for first in found for more in _pieces(kind, value)][:12]
    yield from found


def _pieces(kind: Any, value: Any) -> list[str]:
    if kind is codes.LITERAL:
        return [chr(value)]
    if kind is codes.NOT_LITERAL:
        return ["x" if value != ord("x") else "y"]
    if kind is codes.ANY:
        return ["x"]
    if kind is codes.IN:
        return [_member(value)]
    if kind is codes.BRANCH:
        return [word for branch in value[1] for word in words_of(branch)]
    if kind is codes.SUBPATTERN:
        return list(words_of(value[3]))
    if kind is codes.ATOMIC_GROUP:
        return list(words_of(value))
    if kind in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
        least, most, inner = value
        number = max(least, min(2, most if isinstance(most, int) else 2))
        return [word * min(number, 64) for word in words_of(inner)]
    return [""]  # anchors, looking around, references back


def _member(options: Any) -> str:
    negated = options[0][0] is codes.NEGATE
    for kind, value in options:
        if kind is codes.NEGATE:
            continue
        if not negated:
            if kind is codes.LITERAL:
                return chr(value)
            if kind is codes.RANGE:
                return chr(value[0])
            return {
                codes.CATEGORY_DIGIT: "1",
                codes.CATEGORY_SPACE: " ",
                codes.CATEGORY_WORD: "a",
            }.get(value, "-")
    return next(
        each for each in "x1 -<" if re.fullmatch("[^" + re.escape(_named(options)) + "]", each)
    )


def _named(options: Any) -> str:
    return "".join(chr(value) for kind, value in options if kind is codes.LITERAL) or "\0"


def attacks(pattern: re.Pattern[Any]) -> set[tuple[str, str]]:
    """(beginning, what is repeated behind it)."""
    source = pattern.pattern
    text = source.decode("latin-1") if isinstance(source, bytes) else source
    flags = pattern.flags & ~re.UNICODE if isinstance(source, bytes) else pattern.flags
    made: set[tuple[str, str]] = set()
    for word in list(words_of(parser.parse(text, flags)))[:4]:
        short = word[:24]
        for end in range(1, len(short) + 1):
            made.add(("", short[:end]))
            made |= {(short[:end], letter) for letter in (short[end - 1], short[-1], " ")}
    return made


def seconds(pattern: re.Pattern[Any], text: str, anchored: bool) -> float:
    """What it takes to find everything, or to say whether the whole fits."""
    given: Any = text.encode("latin-1", "replace") if isinstance(pattern.pattern, bytes) else text
    began = time.process_time()
    if anchored:
        pattern.fullmatch(given)
    else:
        for _ in pattern.finditer(given):
            pass
    return time.process_time() - began


def grows(pattern: re.Pattern[Any], anchored: bool = False) -> str:
    """What makes it take more than linear time; "" if nothing does."""
    for beginning, piece in sorted(attacks(pattern)):
        length, first = SHORT, 0.0
        while length <= LONG:
            taken = seconds(pattern, beginning + piece * (length // len(piece)) + "\x01", anchored)
            first = first or max(taken, 1e-6)
            said = f"{beginning!r}, then {piece!r} up to {length} characters: {taken:.3f} s"
            if taken > MUCH_SECONDS:
                return said
            if length == LONG and taken > NOTICEABLE and taken > first * MOST_GROWTH:
                return f"{said}, {first:.5f} s for {SHORT}"
            length *= 2
    return ""


FOUND = dict(patterns())


@pytest.mark.parametrize("name", sorted(set(FOUND) - set(BOUNDED)))
def test_a_pattern_takes_linear_time(name: str) -> None:
    """Or stands above with the reason why it may take longer."""
    assert grows(*FOUND[name]) == ""


@pytest.mark.parametrize("pieces", [b">", b"a>", b"\n> "])
def test_a_text_full_of_brackets_is_looked_through_once(pieces: bytes) -> None:
    """What leaves out long texts looks behind tags; a text may be nothing but `>`."""

    def taken(length: int) -> float:
        text = b"<a>" + pieces * (length // len(pieces)) + b"</a>"
        began = time.process_time()
        for _ in range(5):
            assert _LONG_TEXT.sub(rb"\1", text) == text
        return time.process_time() - began

    assert taken(60_000) < 12 * taken(15_000) + NOTICEABLE
    long = b"<a><b>" + b"x" * 70_000 + b"</b><c/></a>"
    assert _LONG_TEXT.sub(rb"\1", long) == b"<a><b></b><c/></a>"


@pytest.mark.parametrize(
    "hostile", [r"\s+$", r"<!--.*?-->", r"\{[^{}]*:[^{}]*\}", r"(a|aa){1,20}b"]
)
def test_what_takes_longer_is_noticed(hostile: str) -> None:
    """Else none of this would prove anything."""
    assert grows(re.compile(hostile, re.DOTALL))


def test_there_are_patterns_and_no_reason_is_left_over() -> None:
    """A reason for a pattern that is gone goes, too."""
    assert len(FOUND) > 100
    assert set(BOUNDED) - set(FOUND) == set()
