"""Whether what a table says about writing makes sense, as far as that shows without a schema."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from gateway.core.mapping.entries import Table, WritingRules
from gateway.core.mapping.paths import PathError


def writing_faults(table: Table) -> Iterator[str]:
    """Every path that does not parse, term that does not exist, and pattern that is none."""
    for syntax, rules in table.writing.items():
        where = f"writing.{syntax}"
        yield from _path_faults(table, f"{where}.made", rules.made)
        yield from _path_faults(table, f"{where}.otherwise", rules.otherwise)
        yield from _path_faults(table, f"{where}.patterns", rules.patterns)
        for part, key in _terms(rules):
            if key not in table.terms:
                yield f"{where}.{part}: there is no [terms.{key}]; add it or mend the id."
        for name, pattern in rules.patterns.items():
            try:
                re.compile(pattern)
            except re.error as error:
                yield f"{where}.patterns.{name} = “{pattern}”: {error}."


def _path_faults(table: Table, where: str, texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        try:
            path = table.path(text)
        except PathError as error:
            yield f"{where} = “{text}”: {error}."
            continue
        if not path.steps or path.up:
            yield f"{where} = “{text}”: name an element, as prefix:Name."


def _terms(rules: WritingRules) -> Iterator[tuple[str, str]]:
    """The parts that name terms, with each of them."""
    yield from (("every", key) for key in rules.every)
    yield from (("stand_ins", key) for key in rules.stand_ins)
