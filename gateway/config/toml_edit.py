"""Adds names to a list in a TOML file, or takes them out, and leaves every comment where it is.

The text is edited, not written anew. It is looked through with plain means that do not know all
of TOML; so the result is parsed and compared with what it must mean, and an edit that would mean
anything else is given up. Then the person at the keyboard is told what to write.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

_TOKEN = re.compile(
    r"""(?P<text>"(?:[^"\\\n]|\\.)*"|'[^'\n]*')|(?P<comma>,)|(?P<end>\])|(?P<rest>\#[^\n]*|\s+)"""
)


class _Token(NamedTuple):
    kind: str
    start: int
    end: int


def edited_list(
    text: str, table: str, key: str, *, add: Sequence[str] = (), remove: Collection[str] = ()
) -> str | None:
    """`text` with the list `table.key` changed; None when it cannot be done safely.

    A list that is not there is made, if its table is.
    """
    before = tomllib.loads(text)
    section = before.get(table)
    if not isinstance(section, dict):
        return None
    if [*_array(text, table, key)]:
        after = _without(text, table, key, remove)
        after = _with(after, [*_array(after, table, key)], add)
    else:
        listed = ", ".join(f'"{name}"' for name in add)
        after = _header(table).sub(
            lambda header: f"{header[0].rstrip()}\n{key} = [{listed}]\n", text, count=1
        )
    section[key] = [name for name in section.get(key, ()) if name not in remove] + [*add]
    try:
        return after if tomllib.loads(after) == before else None
    except tomllib.TOMLDecodeError:
        return None


def _header(table: str) -> re.Pattern[str]:
    return re.compile(rf"^[ \t]*\[[ \t]*{table}[ \t]*\][ \t]*(#[^\n]*)?\r?(\n|\Z)", re.MULTILINE)


def _array(text: str, table: str, key: str) -> Iterator[_Token]:
    """What stands behind the opening bracket, the closing one included; nothing if not found."""
    header = _header(table).search(text)
    if header is None:
        return
    following = re.compile(r"^[ \t]*\[", re.MULTILINE).search(text, header.end())
    end = following.start() if following else len(text)
    opening = re.compile(rf"^[ \t]*{key}[ \t]*=[ \t]*\[", re.MULTILINE)
    found = opening.search(text, header.end(), end)
    place = found.end() if found else len(text)
    while token := _TOKEN.match(text, place):
        yield _Token(str(token.lastgroup), token.start(), token.end())
        place = token.end()
        if token.lastgroup == "end":
            return


def _without(text: str, table: str, key: str, names: Collection[str]) -> str:
    while True:
        tokens = [*_array(text, table, key)]
        for index, token in enumerate(tokens):
            if token.kind == "text" and _value(text, token) in names:
                start, end = _cut(text, tokens, index)
                text = text[:start] + text[end:]
                break
        else:
            return text


def _cut(text: str, tokens: Sequence[_Token], index: int) -> tuple[int, int]:
    """What goes with a list's element: a comma, and its line with the comment if it has one."""
    start, end = tokens[index].start, tokens[index].end
    behind = next((each for each in tokens[index + 1 :] if each.kind != "rest"), tokens[index])
    if behind.kind == "comma":
        end = behind.end
    else:
        commas = [each.start for each in tokens[:index] if each.kind == "comma"]
        if commas and "\n" not in text[commas[-1] : start]:
            start = commas[-1]
    line = text.rfind("\n", 0, start) + 1
    rest = re.compile(r"[ \t]*(?:#[^\n]*)?\r?\n").match(text, end)
    if rest and not text[line:start].strip():
        return line, rest.end()
    if behind.kind == "comma":
        end += len(text[end:]) - len(text[end:].lstrip(" \t"))
    return start, end


def _with(text: str, tokens: Sequence[_Token], names: Sequence[str]) -> str:
    if not names or not tokens:
        return text
    quoted = [f'"{name}"' for name in names]
    told = [token for token in tokens if token.kind != "rest"]
    closing = tokens[-1]
    last = told[-2] if len(told) > 1 else None
    place = last.end if last else tokens[0].start
    comma = "," if last and last.kind == "text" else ""
    line_end = text.find("\n", place, closing.start)
    if line_end < 0:
        between = " " if last else ""
        return text[:place] + comma + between + ", ".join(quoted) + text[place:]
    texts = [token for token in told if token.kind == "text"]
    line = text.rfind("\n", 0, texts[-1].start) + 1 if texts else None
    rest = "  ." if line is None else text[line:]
    indent = rest[: len(rest) - len(rest.lstrip(" \t"))]
    more = "".join(f"\n{indent}{name}," for name in quoted)
    return text[:place] + comma + text[place:line_end] + more + text[line_end:]


def _value(text: str, token: _Token) -> str:
    return str(tomllib.loads(f"v = {text[token.start : token.end]}")["v"])
