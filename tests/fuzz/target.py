"""What is fuzzed: a parser that meets a partner's bytes, and what it promises to do with any.

A parser's docstring says what it gives and what it raises. `Target.attempt` holds it to that: an
exception of another kind, a result that hides one, too much time or memory is a failure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from enum import StrEnum

Parser = Callable[[bytes], bool]
"""Any bytes → whether they were accepted. Raises what its target declares, or `Broken`."""


class Outcome(StrEnum):
    """What became of one input."""

    ACCEPTED = "accepted"
    REFUSED = "refused"


class Broken(AssertionError):
    """The parser came to an end, but not to one it may come to: it says which."""


class Kind(StrEnum):
    """Which structure of an input is damaged, beside its bytes."""

    BYTES = "bytes"
    TEXT = "text"
    XML = "xml"
    ASN1 = "asn1"
    ARCHIVE = "archive"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Target:
    """One parser.

    `parser` makes it, in the process that runs it; `seeds` are inputs to begin with. `declared`:
    exceptions that are refusals. `share`: how many inputs it gets, compared with others.
    `seconds` of CPU are allowed for an input, and `seconds_per_mb` more; memory may grow by
    `megabytes` while all inputs are run. `accepted` and `refused`: the least part of the inputs,
    in hundredths, that must come to that end, or the inputs do not reach what is to be tested.
    """

    name: str
    kind: Kind
    parser: Callable[[], Parser]
    seeds: Callable[[], list[bytes]]
    declared: tuple[type[Exception], ...] = ()
    share: int = 10
    seconds: float = 1.0
    seconds_per_mb: float = 5.0
    megabytes: int = 300
    accepted: int = 5
    refused: int = 5

    def attempt(self, parser: Parser, data: bytes) -> Outcome:
        """Run the parser once. Raises whatever it raises undeclared."""
        try:
            return Outcome.ACCEPTED if parser(data) else Outcome.REFUSED
        except self.declared:
            return Outcome.REFUSED

    def allowance(self, size: int) -> float:
        """CPU seconds for an input of `size` bytes."""
        return self.seconds + self.seconds_per_mb * size / 1_000_000
