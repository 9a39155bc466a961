"""Every finding of the gateway's own, one page in each language, from schemas/findings.toml.

Beside what the file says stand the codes of the platforms: of a file that cannot be used
(schemas/refusal-codes.toml), else of a rejected invoice (schemas/status-reasons.toml).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from gateway.core.acknowledgement.refusal_codes import refusal_of
from gateway.core.cdar.reasons import reasons
from gateway.core.explain import Definition, Wording, definitions
from gateway.model.verdict import Finding, Language, Layer, Severity
from scripts.reference.markdown import plain


class Words(NamedTuple):
    """What the page says itself."""

    head: str
    layers: dict[Layer, str]
    severities: dict[Severity, str]
    rule: str
    why: str
    remedy: str
    narrower: str
    unusable: str
    unusable_file: str
    rejected: str


_ENGLISH = Words(
    head="""\
# Findings of the gateway

[En français](findings-fr.md)

Every code that the gateway itself gives: what is wrong, why, and what to do. It stands in reports,
in `validate`, and in messages. The rules of the standards (BR-…, BR-FR-…) have
[a page of their own](rules.md).

A word in ‹angle brackets› stands for a value of the file at hand. A *narrower case* has the same
code and other words. The codes of the French platforms stand where a finding has one: IRR_… when a
file cannot be used, REJ_… and the like when an invoice is rejected (status 213).

This page is made from `schemas/findings.toml` by `python -m scripts.reference`; change the file,
not the page.
""",
    layers={
        Layer.CONTAINER: "Opening the file",
        Layer.XML: "Reading the XML",
        Layer.ROUTING: "Finding the flow",
        Layer.XSD: "Holding it against the schema",
        Layer.SCHEMATRON: "Holding it against the rules",
        Layer.BUSINESS: "What else is looked at",
    },
    severities={
        Severity.ERROR: "Error: the file or document is rejected.",
        Severity.WARNING: "Warning: it rejects nothing.",
        Severity.INFO: "For your information: it rejects nothing.",
    },
    rule="What",
    why="Why",
    remedy="What to do",
    narrower="*Narrower case* `{name}`:",
    unusable="Platform code: `{code}`.",
    unusable_file="Platform code: `{code}`; for one file of an archive `{member}`.",
    rejected="Reason of the rejection (213): `{code}`.",
)
_FRENCH = Words(
    head="""\
# Les constats de la passerelle

[In English](findings.md)

Tous les codes que donne la passerelle elle-même : ce qui ne va pas, pourquoi, et que faire. Ils
figurent dans les rapports, dans `validate` et dans les messages. Les règles des normes (BR-…,
BR-FR-…) ont [leur propre page](rules-fr.md).

Un mot entre ‹chevrons› tient lieu d'une valeur du fichier en question. Un *cas particulier* a le
même code et d'autres mots. Les codes des plateformes françaises sont indiqués là où il y en a :
IRR_… quand un fichier est inexploitable, REJ_… et semblables quand une facture est rejetée
(statut 213).

Cette page est produite à partir de `schemas/findings.toml` par `python -m scripts.reference` ;
modifiez le fichier, pas la page.
""",
    layers={
        Layer.CONTAINER: "Ouvrir le fichier",
        Layer.XML: "Lire le XML",
        Layer.ROUTING: "Trouver le flux",
        Layer.XSD: "Confronter au schéma",
        Layer.SCHEMATRON: "Confronter aux règles",
        Layer.BUSINESS: "Autres contrôles",
    },
    severities={
        Severity.ERROR: "Erreur : le fichier ou le document est rejeté.",
        Severity.WARNING: "Avertissement : rien n'est rejeté.",
        Severity.INFO: "Pour information : rien n'est rejeté.",
    },
    rule="Constat (en anglais)",
    why="Pourquoi",
    remedy="Que faire",
    narrower="*Cas particulier* `{name}` :",
    unusable="Code des plateformes : `{code}`.",
    unusable_file="Code des plateformes : `{code}` ; pour un fichier d'une archive `{member}`.",
    rejected="Motif du rejet (213) : `{code}`.",
)
_WORDS = {Language.EN: _ENGLISH, Language.FR: _FRENCH}


def findings_page(language: Language) -> str:
    """The page in one language."""
    words = _WORDS[language]
    parts = [words.head]
    for layer in Layer:
        codes = {code: each for code, each in definitions().items() if each.layer is layer}
        if codes:
            parts.append(f"## {words.layers[layer]}\n")
            parts += ("\n".join(_entry(*code, language, words)) for code in codes.items())
    return "\n".join(parts)


def _entry(code: str, definition: Definition, language: Language, words: Words) -> Iterator[str]:
    yield f"### `{code}`\n"
    yield " ".join([words.severities[definition.severity], *_codes(code, definition, words)])
    yield ""
    yield f"**{words.rule}.** {_sentence(definition.message)}\n"
    yield f"**{words.why}.** {_said(definition, language)[0]}\n"
    yield f"**{words.remedy}.** {_said(definition, language)[1]}\n"
    for name, variant in definition.variants.items():
        why, remedy = _said(variant, language)
        yield f"- {words.narrower.format(name=name)} {why} → {remedy}"
    if definition.variants:
        yield ""


def _codes(code: str, definition: Definition, words: Words) -> Iterator[str]:
    if definition.severity is not Severity.ERROR:
        return
    finding = Finding(
        rule=code, layer=definition.layer, severity=definition.severity, message=definition.message
    )
    alone, member = (refusal_of(finding, member=of_archive) for of_archive in (False, True))
    if alone is None or member is None:
        yield words.rejected.format(code=reasons().code(finding))
    elif alone.code == member.code:
        yield words.unusable.format(code=alone.code)
    else:
        yield words.unusable_file.format(code=alone.code, member=member.code)


def _said(wording: Wording, language: Language) -> tuple[str, str]:
    pair = (
        (wording.explanation.en, wording.remedy.en)
        if language is Language.EN
        else (wording.explanation.fr, wording.remedy.fr)
    )
    return _sentence(pair[0]), _sentence(pair[1])


def _sentence(text: str) -> str:
    """A sentence of the table, its values in angle brackets; `{{` is a brace."""
    marked = re.sub(r"(?<!\{)\{([a-z_]+)\}(?!\})", r"‹\1›", text)
    return plain(marked.replace("{{", "{").replace("}}", "}"))
