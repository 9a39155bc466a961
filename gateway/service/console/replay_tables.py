"""Tables of a replay of many: what would change, by rule, by partner, by interchange."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.core.acknowledgement.markup import Html, Piece, element
from gateway.model.verdict import Text
from gateway.service.console.elements import chip, lines, link, table
from gateway.service.console.visit import Visit
from gateway.service.console.words import count, state_word
from gateway.service.journal.replay_tables import ItemState
from gateway.service.journal.replays_records import Changes, Item
from gateway.service.replay_differences import UNJUDGED
from gateway.service.replay_summary import VARIOUS, Summary

RULES: Final = 100
PARTNERS: Final = 100
KINDS: Final = 100
"""Rows of a table at most; the rows left out are the rarest."""
_STATES: Final = {
    ItemState.WAITING: (Text(en="waits", fr="en attente"), ""),
    ItemState.TRIED: (Text(en="would change", fr="changerait"), "warn"),
    ItemState.FAILED: (Text(en="could not be tried", fr="essai impossible"), "bad"),
    ItemState.COMMITTED: (Text(en="judged again", fr="contrôlé à nouveau"), "good"),
    ItemState.REFUSED: (Text(en="could not be committed", fr="validation impossible"), "bad"),
}
_VERDICTS: Final = {
    UNJUDGED: Text(en="not judged", fr="non contrôlé"),
    VARIOUS: Text(en="various", fr="divers"),
}


def kinds_table(visit: Visit, summary: Summary) -> Html:
    """How many verdicts would change, from what to what, by which rule packs."""
    say = visit.say
    rows: list[list[Piece]] = [
        [count(visit, each.documents), *_step(visit, each), _packs(visit, each)]
        for each in summary.kinds[:KINDS]
    ]
    return table(
        say("Which verdicts would change", "Quels verdicts changeraient"),
        [
            say("Documents", "Documents"),
            say("Before", "Avant"),
            say("After", "Après"),
            say("Because of", "À cause de"),
        ],
        rows,
        figures=(0,),
    )


def rules_table(visit: Visit, summary: Summary) -> Html:
    """For which rules documents would be rejected, with some of them."""
    say = visit.say
    rows: list[list[Piece]] = []
    for each in summary.rules[:RULES]:
        examples = [
            link(
                f"{example.interchange[-12:]}/{example.ordinal}",
                f"/interchanges/{example.interchange}/documents/{example.ordinal}",
            )
            for example in each.examples
        ]
        rows.append([element("code", each.rule), count(visit, each.documents), lines(*examples)])
    return table(
        say("By rule", "Par règle"),
        [say("Rule", "Règle"), say("Documents", "Documents"), say("Examples", "Exemples")],
        rows,
        figures=(1,),
    )


def partners_table(visit: Visit, summary: Summary, tried: dict[str, int]) -> Html:
    """Whose documents would be rejected, of how many of theirs that were tried."""
    say = visit.say
    return table(
        say("By partner", "Par partenaire"),
        [
            say("Partner", "Partenaire"),
            say("Would be rejected", "Seraient rejetés"),
            say("Documents tried", "Documents essayés"),
        ],
        [
            [element("bdi", name), count(visit, number), count(visit, tried.get(name, 0))]
            for name, number in summary.partners[:PARTNERS]
        ],
        figures=(1, 2),
    )


def items_table(visit: Visit, items: Sequence[Item], names: dict[str, tuple[str, str]]) -> Html:
    """Interchanges in which something would change, or of which something is said."""
    say = visit.say
    rows: list[list[Piece]] = []
    for each in items:
        partner, name = names.get(each.interchange, ("", each.interchange))
        words, tone = _STATES[each.state]
        rows.append(
            [
                link(element("bdi", name), f"/interchanges/{each.interchange}"),
                element("bdi", partner),
                chip(words.to(visit.language), tone),
                f"{count(visit, each.changed)} / {count(visit, each.documents)}",
                element("bdi", each.said) if each.said else _changes(visit, each.changes),
            ]
        )
    return table(
        say("The oldest first", "Les plus anciens d'abord"),
        [
            say("Interchange", "Échange"),
            say("Partner", "Partenaire"),
            say("State", "État"),
            say("Would change, of documents", "Changeraient, sur documents"),
            say("What", "Quoi"),
        ],
        rows,
        figures=(3,),
    )


def _changes(visit: Visit, changes: Sequence[Changes]) -> Html:
    return element(
        "ul",
        *(
            element(
                "li",
                f"{count(visit, each.documents)} × ",
                *_arrow(visit, each),
                " ",
                _packs(visit, each),
                f" {', '.join(each.rejecting)}" if each.rejecting else None,
            )
            for each in changes
        ),
    )


def _arrow(visit: Visit, changes: Changes) -> list[Piece]:
    before, after = _step(visit, changes)
    return [before, " → ", after]


def _step(visit: Visit, changes: Changes) -> tuple[Html, Html]:
    return _verdict(visit, changes.before), _verdict(visit, changes.after)


def _verdict(visit: Visit, verdict: str) -> Html:
    if verdict in _VERDICTS:
        return chip(_VERDICTS[verdict].to(visit.language))
    return chip(*state_word(verdict, visit.language))


def _packs(visit: Visit, changes: Changes) -> str:
    return ", ".join(changes.packs) or visit.say("no rule pack", "aucun paquet de règles")
