"""Schemas and rule packs made ready: beforehand while nothing waits, or when a document needs them.

Compiling a pack takes as long as judging a hundred documents, and is done once. So it is no part of
the time a document may take: whoever watches is told when it begins and ends.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import NamedTuple, Protocol

from gateway.core.schematron.catalogue import Catalogue
from gateway.core.schematron.heap import give_back
from gateway.core.xsd import SchemaStore
from gateway.errors import RulePackError
from gateway.model.flow import Chain, Flow, is_partner_rules


class Watcher(Protocol):
    """Who has an eye on the time that judging takes."""

    def preparing(self) -> AbstractContextManager[None]:
        """What is done meanwhile serves other documents as well."""

    def opened(self, size: int) -> None:
        """The document has so many bytes, although it came in fewer."""


class Unwatched:
    """Nobody has."""

    def preparing(self) -> AbstractContextManager[None]:
        """Nobody is told."""
        return nullcontext()

    def opened(self, size: int) -> None:
        """Nobody is told."""


class Compiling(Protocol):
    """What compiles rule packs."""

    def compile(self, name: str) -> None:
        """Compile a pack. Raises RulePackError."""


class _Step(NamedTuple):
    """A pack's version, or a schema for one root element."""

    name: str
    root: str | None = None


class Readiness:
    """What is ready to be used, and how it gets so. Not for use from several threads."""

    def __init__(
        self, catalogue: Catalogue, schemas: SchemaStore, packs: Compiling, watcher: Watcher
    ) -> None:
        self._catalogue = catalogue
        self._schemas = schemas
        self._packs = packs
        self._watcher = watcher
        self._ready: set[_Step] = set()

    def for_schema(self, schema: str, root: str) -> None:
        """Compile the schema of a document with this root element.

        What cannot be had is left to whoever uses it, who then says what it meant.
        """
        self._make_ready([_Step(schema, root)])

    def for_rules(self, packs: Iterable[str], day: dt.date) -> tuple[str, ...]:
        """Compile the packs a document of that day needs, and name their versions.

        What cannot be had is left out, as in `for_schema`.
        """
        needed = []
        for pack in packs:
            with suppress(RulePackError):
                needed.append(_Step(version_on(self._catalogue, pack, day)))
        self._make_ready(needed)
        return tuple(step.name for step in needed)

    def ahead(
        self, flows: Iterable[Flow], day: dt.date | None
    ) -> Iterator[tuple[str, RulePackError] | None]:
        """Make ready what the flows name, one thing at a step: what fails, by its name, or None.

        `Judge.warm_up` says which versions, and what of Factur-X.
        """
        for chain in (chain for flow in flows for chain in flow.chain):
            for name in (*chain.rules, chain.schema):
                try:
                    steps = list(self._steps(chain, name, day))
                    if chain.pdf and not is_partner_rules(name):
                        self._verify(steps)
                        continue
                    for step in steps:
                        if step not in self._ready:
                            with self._watcher.preparing():
                                self._compile(step)
                            yield None
                except RulePackError as error:
                    yield name, error
                except Exception as error:  # whoever needs it says so; others need not suffer
                    what = f"{name} cannot be made ready: {type(error).__name__}: {error}."
                    yield name, RulePackError(what, remedy="Look for it with: edi-gateway check.")

    def forget(self) -> None:
        """Rule packs are not what they were."""
        self._ready.clear()

    def _steps(self, chain: Chain, name: str, day: dt.date | None) -> Iterator[_Step]:
        if name == chain.schema:
            for root in self._catalogue.schema(name).roots:
                yield _Step(name, root)
        elif day is None or is_partner_rules(name):
            yield _Step(name)
        else:
            for version in (self._catalogue.on(name, day), *self._catalogue.coming(name, day)):
                yield _Step(version)

    def _verify(self, steps: Iterable[_Step]) -> None:
        for name, root in steps:
            if root is None:
                self._catalogue.artefact(name)
            else:
                self._catalogue.schema_path(name, root)

    def _make_ready(self, needed: list[_Step]) -> None:
        missing = [step for step in needed if step not in self._ready]
        if missing:
            with self._watcher.preparing():
                for step in missing:
                    with suppress(Exception):
                        self._compile(step)

    def _compile(self, step: _Step) -> None:
        if step.root is None:
            self._packs.compile(step.name)
        else:
            self._schemas.compile(step.name, step.root)
        self._ready.add(step)
        give_back()


def version_on(catalogue: Catalogue, pack: str, day: dt.date) -> str:
    """The version of the pack that applies on that day. Raises RulePackError when none does."""
    if is_partner_rules(pack):
        return pack  # they apply as long as they lie there
    return catalogue.on(pack, day)
