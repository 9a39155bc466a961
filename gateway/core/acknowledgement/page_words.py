"""The words of the readable report and of the table for spreadsheets, in both languages."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

from gateway.core.acknowledgement.flux_state import FluxState
from gateway.core.acknowledgement.report_facts import Outcome
from gateway.model.verdict import Language, Layer, Severity, Text, VirusCheck

OUTCOMES: Final = {
    Outcome.ACCEPTED: Text(en="accepted", fr="accepté"),
    Outcome.REJECTED: Text(en="rejected", fr="rejeté"),
    Outcome.UNDETERMINED: Text(en="not decided yet", fr="en attente"),
    Outcome.DISCARDED: Text(en="set aside", fr="mis de côté"),
}
SEVERITIES: Final = {
    Severity.ERROR: Text(en="error", fr="erreur"),
    Severity.WARNING: Text(en="warning", fr="avertissement"),
    Severity.INFO: Text(en="information", fr="information"),
}
LAYERS: Final = {
    Layer.CONTAINER: Text(en="opening the file", fr="ouverture du fichier"),
    Layer.XML: Text(en="reading the XML", fr="lecture du XML"),
    Layer.ROUTING: Text(en="choice of the flow", fr="choix du flux"),
    Layer.XSD: Text(en="structure (XSD schema)", fr="structure (schéma XSD)"),
    Layer.SCHEMATRON: Text(en="rules", fr="règles"),
    Layer.BUSINESS: Text(en="content", fr="contenu"),
}
STATES: Final = {
    FluxState.IN_RECU: Text(en="Received", fr="Reçu"),
    FluxState.IN_EN_COURS_TRAITEMENT_CPP: Text(en="Being processed", fr="En cours de traitement"),
    FluxState.IN_INCIDENTE: Text(en="Not processed", fr="Non traité"),
    FluxState.IN_REJETE: Text(en="Rejected", fr="Rejeté"),
    FluxState.IN_INTEGRE: Text(en="Integrated", fr="Intégré"),
    FluxState.IN_INTEGRE_PARTIEL: Text(en="Integrated in part", fr="Intégré en partie"),
}
VIRUS_CHECKS: Final = {
    VirusCheck.NOT_CHECKED: Text(en="not checked", fr="non contrôlé"),
    VirusCheck.CLEAN: Text(en="nothing found", fr="rien trouvé"),
    VirusCheck.FOUND: Text(en="virus found", fr="virus trouvé"),
}
COUNTED: Final = {
    "received": (Text(en="received", fr="reçu"), Text(en="received", fr="reçus")),
    "accepted": (Text(en="integrated", fr="intégré"), Text(en="integrated", fr="intégrés")),
    "rejected": (Text(en="rejected", fr="rejeté"), Text(en="rejected", fr="rejetés")),
    "undetermined": (Text(en="not decided yet", fr="en attente"),) * 2,
    "discarded": (Text(en="set aside", fr="mis de côté"),) * 2,
}
"""Under a number of documents: for one (or none), and for several."""
WORDS: Final = {
    "report": Text(en="Report on a file received", fr="Rapport sur un fichier reçu"),
    "skip": Text(en="Straight to what has to be mended", fr="Aller à ce qu'il faut corriger"),
    "counts": Text(en="What was received", fr="Ce qui a été reçu"),
    "errors": Text(en="What has to be mended", fr="Ce qu'il faut corriger"),
    "errors_intro": Text(
        en="The same cause is named once, however often it shows; the one that stops most comes "
        "first.",
        fr="Une même cause n'est citée qu'une fois, quel que soit son nombre d'apparitions ; celle "
        "qui bloque le plus vient en premier.",
    ),
    "causes": Text(en="The causes at a glance", fr="Les causes en un coup d'œil"),
    "warnings": Text(en="Warnings", fr="Avertissements"),
    "warnings_intro": Text(
        en="They stop nothing, but deserve a look.",
        fr="Ils ne bloquent rien, mais méritent un regard.",
    ),
    "remarks": Text(en="Remarks", fr="Remarques"),
    "remarks_intro": Text(en="For information only.", fr="Pour information seulement."),
    "repeated": Text(en="Invoice received before", fr="Facture déjà reçue"),
    "not_integrated": Text(en="Not integrated", fr="Non intégrés"),
    "accepted_list": Text(en="Integrated", fr="Intégrés"),
    "waiting_list": Text(en="Not decided yet", fr="En attente"),
    "aside_list": Text(en="Set aside", fr="Mis de côté"),
    "file": Text(en="The file", fr="Le fichier"),
    "why": Text(en="Why", fr="Pourquoi"),
    "why_first": Text(en="Why, at the first place", fr="Pourquoi, au premier endroit"),
    "do": Text(en="What to do", fr="Que faire"),
    "do_first": Text(en="What to do, at the first place", fr="Que faire, au premier endroit"),
    "terms": Text(en="About", fr="Concerne"),
    "rule": Text(en="Text of the rule", fr="Texte de la règle"),
    "platform": Text(en="Code of the platforms", fr="Code des plateformes"),
    "place": Text(en="Where", fr="Où"),
    "places": Text(en="Where, the first {count} places", fr="Où, aux {count} premiers endroits"),
    "line": Text(en="line {line}, column {column}", fr="ligne {line}, colonne {column}"),
    "line_only": Text(en="line {line}", fr="ligne {line}"),
    "invoice": Text(en="Invoice", fr="Facture"),
    "parties": Text(en="Supplier and recipient", fr="Fournisseur et destinataire"),
    "supplier": Text(en="from {id}", fr="de {id}"),
    "recipient": Text(en="to {id}", fr="à {id}"),
    "reasons": Text(en="Causes", fr="Causes"),
    "remark": Text(en="Reason", fr="Motif"),
    "unnumbered": Text(en="number not read", fr="numéro non lu"),
    "name": Text(en="Name", fr="Nom"),
    "received_at": Text(en="Received", fr="Reçu"),
    "reported_at": Text(en="In this state since", fr="Dans cet état depuis"),
    "size": Text(en="Size", fr="Taille"),
    "bytes": Text(en="{size} bytes", fr="{size} octets"),
    "partner": Text(en="Account", fr="Compte"),
    "interface": Text(en="Interface code", fr="Code interface"),
    "flow": Text(en="Flow", fr="Flux"),
    "antivirus": Text(en="Antivirus", fr="Antivirus"),
    "sha256": Text(en="SHA-256 sum", fr="Empreinte SHA-256"),
    "id": Text(en="Our reference", fr="Notre référence"),
    "revision": Text(en="Edition of this report", fr="Édition de ce rapport"),
    "packs": Text(en="Judged by", fr="Contrôlé selon"),
    "other_causes": Text(
        en="And {count} findings of other causes, which the other forms of this report tell.",
        fr="Et {count} constats d'autres causes, que donnent les autres formes de ce rapport.",
    ),
    "not_listed": Text(
        en="And {count} more, which the other forms of this report name.",
        fr="Et {count} de plus, que citent les autres formes de ce rapport.",
    ),
    "no_errors": Text(en="Nothing.", fr="Rien."),
    "empty": Text(
        en="There is no document in this file.", fr="Ce fichier ne contient aucun document."
    ),
    "complete": Text(
        en="Every document and every finding is in the XML, JSON and CSV forms of this report.",
        fr="Tous les documents et tous les constats figurent dans les formes XML, JSON et CSV de "
        "ce rapport.",
    ),
}
"""Short words and labels, by what they are for."""

_MONTHS: Final = (
    *("janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre"),
    *("octobre", "novembre", "décembre"),
)
_MONTHS_EN: Final = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
)
_COUNT: Final = re.compile(r"\d{4,15}")
_HELD: Final = re.compile(r"(?<=«) | (?=[»:;!?%])|(?<=\d) (?=\d{3}(?:\D|$))")
"""Spaces of French no line may end at: punctuation, and those within a number."""


def number(count: int, language: Language) -> str:
    """A whole number as the language groups it."""
    grouped = f"{count:,}"
    return grouped if language is Language.EN else grouped.replace(",", "\N{NARROW NO-BREAK SPACE}")


def counted(what: str, count: int, language: Language) -> str:
    """What stands under a number of documents: `intégré`, from two on `intégrés`."""
    one, several = COUNTED[what]
    return (several if count > 1 else one).to(language)


def weight(findings: int, documents: int, total: int, language: Language) -> str:
    """How often a cause shows: "3,000 times in 500 documents"; "" for once."""
    times, holders = number(findings, language), number(documents, language)
    if language is Language.FR:
        often = f"{times} fois"
        where = f"dans {holders} document{'' if documents == 1 else 's'}"
    else:
        often = f"{times} times"
        where = f"in {holders} document{'' if documents == 1 else 's'}"
    if findings == 1:
        return ""
    if total == 1:
        return often
    return where if findings == documents else f"{often} {where}"


def typeset(text: str, language: Language) -> str:
    """The text with the spaces held together that its language holds together."""
    return _HELD.sub("\N{NO-BREAK SPACE}", text) if language is Language.FR else text


def grouped(sentence: str, language: Language) -> str:
    """The sentence, whose only numbers are counts, with these as the language groups them."""
    return _COUNT.sub(lambda found: number(int(found[0]), language), sentence)


def time_in_words(time: dt.datetime, language: Language) -> str:
    """12 mars 2026 à 10:00:05 (UTC): in UTC, as in the other forms of the report."""
    utc = time.astimezone(dt.UTC)
    clock = f"{utc:%H:%M:%S} (UTC)"
    if language is Language.FR:
        day = "1er" if utc.day == 1 else str(utc.day)
        return f"{day} {_MONTHS[utc.month - 1]} {utc.year} à {clock}"
    return f"{utc.day} {_MONTHS_EN[utc.month - 1]} {utc.year}, {clock}"
