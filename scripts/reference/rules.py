"""The official rules that have an explanation of their own, from schemas/explanations.toml.

Rules that are alike share their sentences by families, which need the text of the rule and the
invoice at hand: those are on no page, and in every report.
"""

from __future__ import annotations

from typing import NamedTuple

from gateway.core.terms import labelled, terms
from gateway.core.wordings import explanations
from gateway.model.verdict import Language
from scripts.reference.markdown import plain, table


class Words(NamedTuple):
    """What the page says itself."""

    head: str
    columns: tuple[str, str, str]
    values: dict[str, str]


_ENGLISH = Words(
    head="""\
# Rules of the standards

[En français](rules-fr.md)

Rules of EN 16931 (BR-…) and of the French reform (BR-FR-…) in plain words. Their own text is
published by CEN and AFNOR. Rules that are not listed are explained in groups: a report has the
sentence for the invoice at hand, with its figures and lines. Behind a rule's id a report may name
the term that is meant (`BR-FR-12_BT-49`). What the gateway finds itself is under
[findings](findings.md).

This page is made from `schemas/explanations.toml` by `python -m scripts.reference`; change the
file, not the page.
""",
    columns=("rule", "what is wrong", "what to do"),
    values={"term": "the term in question", "terms": "the terms in question"},
)
_FRENCH = Words(
    head="""\
# Les règles des normes

[In English](rules.md)

Les règles d'EN 16931 (BR-…) et de la réforme française (BR-FR-…), en clair. Leur texte est publié
par le CEN et l'AFNOR. Celles qui n'y sont pas sont expliquées par groupes : le rapport donne la
phrase pour la facture en question, avec ses montants et ses lignes. Derrière le nom d'une règle, un
rapport peut nommer le terme visé (`BR-FR-12_BT-49`). Ce que la passerelle constate elle-même se
trouve parmi les [constats](findings-fr.md).

Cette page est produite à partir de `schemas/explanations.toml` par `python -m scripts.reference` ;
modifiez le fichier, pas la page.
""",
    columns=("règle", "ce qui ne va pas", "que faire"),
    values={"term": "le terme en question", "terms": "les termes en question"},
)
_WORDS = {Language.EN: _ENGLISH, Language.FR: _FRENCH}


class _Values(dict[str, str]):
    """A term by its name; any other value of the invoice at hand in angle brackets."""

    def __init__(self, language: Language) -> None:
        super().__init__()
        self._language = language

    def __missing__(self, name: str) -> str:
        if name in terms():
            return labelled(name, self._language)
        return f"‹{_WORDS[self._language].values.get(name, name)}›"


def rules_page(language: Language) -> str:
    """The page in one language."""
    words = _WORDS[language]
    rows = []
    for rule, wording in explanations().rules.items():
        why, remedy = wording.said(language)
        if why and remedy:
            values = _Values(language)
            rows.append(
                (
                    f"`{rule}`",
                    plain(why.format_map(values)),
                    plain(remedy.format_map(values)),
                )
            )
    return f"{words.head}\n{table(words.columns, rows)}"
