"""What a replay of many would change, added up: by kind of change, by rule, by partner.

The command line and the console tell the same sums.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from gateway.service.journal.replays_records import Changes, Fallen
from gateway.service.replay_differences import REJECTED, Difference

KINDS: Final = 50
"""Kinds of changes noted of one interchange; the others are counted as one."""
RULES: Final = 20
"""Rules noted of one kind of change in one interchange, those of the most documents."""
EXAMPLES: Final = 3
"""Documents named for one rule."""
VARIOUS: Final = "various"

_Kind = tuple[str, str, tuple[str, ...]]


class Example(msgspec.Struct, frozen=True):
    """One document: its interchange, and its ordinal in it."""

    interchange: str
    ordinal: int


class RuleSum(msgspec.Struct, frozen=True, kw_only=True):
    """So many documents that are not rejected now and would be for this rule, the first of them."""

    rule: str
    documents: int
    examples: tuple[Example, ...]


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, the most frequent first.

    `kinds` count documents by verdict before, verdict after, and packs; `rules` and `partners`
    only those that are not rejected now and would be.
    """

    kinds: tuple[Changes, ...]
    rules: tuple[RuleSum, ...]
    partners: tuple[tuple[str, int], ...]

    @property
    def rejecting(self) -> int:
        """Documents that would be rejected and are not now."""
        return sum(number for _, number in self.partners)


def changes_of(differences: Sequence[Difference]) -> list[Changes]:
    """What would change in one interchange: how often which verdict would become which."""
    grouped: defaultdict[_Kind, list[Difference]] = defaultdict(list)
    for each in differences:
        grouped[each.before, each.after, each.packs].append(each)
    kinds = sorted(grouped.items(), key=lambda kind: -len(kind[1]))
    if len(kinds) > KINDS:
        rest = [each for _, some in kinds[KINDS:] for each in some]
        kinds = [*kinds[:KINDS], ((VARIOUS, VARIOUS, ()), rest)]
    return [
        Changes(
            before=before,
            after=after,
            packs=packs,
            documents=len(some),
            rejecting=_rejecting(some),
        )
        for (before, after, packs), some in kinds
    ]


def kinds_of(changes: Iterable[Changes]) -> tuple[Changes, ...]:
    """Those of many interchanges, each kind once, without the rules."""
    counted = Counter[_Kind]()
    for each in changes:
        counted[each.before, each.after, each.packs] += each.documents
    return tuple(
        Changes(before=before, after=after, packs=packs, documents=number)
        for (before, after, packs), number in counted.most_common()
    )


def summary_of(rows: Iterable[tuple[str, str, tuple[Changes, ...]]]) -> Summary:
    """Added up over interchanges: id, partner, what would change in it."""
    everything: list[Changes] = []
    partners, rules = Counter[str](), Counter[str]()
    examples: defaultdict[str, list[Example]] = defaultdict(list)
    for interchange, partner, changes in rows:
        everything += changes
        partners[partner] += sum(_falling(each) for each in changes)
        for each in changes:
            for rule, fallen in each.rejecting.items():
                rules[rule] += fallen.documents
                if len(examples[rule]) < EXAMPLES:
                    examples[rule].append(Example(interchange, fallen.first))
    return Summary(
        kinds=kinds_of(everything),
        rules=tuple(
            RuleSum(rule=rule, documents=number, examples=tuple(examples[rule]))
            for rule, number in rules.most_common()
        ),
        partners=tuple((name, number) for name, number in partners.most_common() if number),
    )


def _falling(changes: Changes) -> int:
    """How many of these documents would be rejected; of `VARIOUS`, those that are known."""
    if changes.rejecting and changes.after == REJECTED:
        return changes.documents
    return max((each.documents for each in changes.rejecting.values()), default=0)


def _rejecting(differences: Sequence[Difference]) -> dict[str, Fallen]:
    counted = Counter(rule for each in differences for rule in each.rejecting)
    first: dict[str, int] = {}
    for each in differences:
        for rule in each.rejecting:
            first.setdefault(rule, each.document)
    return {
        rule: Fallen(documents=number, first=first[rule])
        for rule, number in counted.most_common(RULES)
    }
