"""A judgement in plain words for a terminal: the verdict, then each finding.

Of each finding: what, where, why, and how to mend it. Whatever comes from the document is made
printable first: a terminal obeys control characters.
"""

from __future__ import annotations

import re
import textwrap

from gateway.cli.options import printable
from gateway.core.flow_choice import FLOW_CHOSEN
from gateway.core.terms import term_label
from gateway.model.container import Member, Role
from gateway.model.verdict import (
    Accepted,
    Finding,
    Judgement,
    Language,
    Rejected,
    Severity,
    Undetermined,
)

_WIDTH = 100
_HELD = "\N{NO-BREAK SPACE}"
_UNBROKEN = re.compile(r"(?<=«) | (?=[»:;!?%])|(?<=\d) (?=\d{3}(?:\D|$))")
"""Spaces no line may end at: French punctuation, and those within a number."""

_WORDS = {
    Language.EN: {
        "accepted": "ACCEPTED",
        "rejected": "REJECTED",
        "undetermined": "UNDETERMINED",
        Severity.ERROR: "error",
        Severity.WARNING: "warning",
        Severity.INFO: "information",
        "flow": "flow",
        "invoice": "{syntax} invoice",
        "credit-note": "{syntax} credit note",
        "status": "lifecycle message, {syntax}",
        "guideline": "MDT-3",
        "first": "first invoice",
        "document": "{syntax} document",
        "profile": "profile (BT-24)",
        "number": "number",
        "where": "where",
        "line": "line {line}, column {column}",
        "terms": "about",
        "rule": "rule",
        "why": "why",
        "mend": "to mend it",
        "cause": "cause",
        "judged": "judged by",
        "nothing": "Every check passed.",
        "withheld": "No verdict: this is neither accepted nor rejected.",
        Role.ATTACHMENT: "attachment, not judged",
        Role.SIGNATURE: "signature, not verified",
        "beside": "goes with {document}",
    },
    Language.FR: {
        "accepted": "ACCEPTÉ",
        "rejected": "REJETÉ",
        "undetermined": "INDÉTERMINÉ",
        Severity.ERROR: "erreur",
        Severity.WARNING: "avertissement",
        Severity.INFO: "information",
        "flow": "flux",
        "invoice": "facture {syntax}",
        "credit-note": "avoir {syntax}",
        "status": "message de cycle de vie, {syntax}",
        "guideline": "MDT-3",
        "first": "première facture",
        "document": "document {syntax}",
        "profile": "profil (BT-24)",
        "number": "numéro",
        "where": "où",
        "line": "ligne {line}, colonne {column}",
        "terms": "concerne",
        "rule": "règle",
        "why": "pourquoi",
        "mend": "que faire",
        "cause": "cause",
        "judged": "jugé selon",
        "nothing": "Tous les contrôles sont passés.",
        "withheld": "Pas de verdict : ni accepté, ni rejeté.",
        Role.ATTACHMENT: "pièce jointe, non jugée",
        Role.SIGNATURE: "signature, non vérifiée",
        "beside": "accompagne {document}",
    },
}


def in_words(judgement: Judgement, file: str, language: Language) -> str:
    """The whole judgement, ending without a line break."""
    words = _WORDS[language]
    match judgement.verdict:
        case Accepted():
            verdict = words["accepted"]
        case Rejected():
            verdict = words["rejected"]
        case Undetermined():
            verdict = words["undetermined"]
    lines = [f"{verdict}  {printable(file)}", *_document(judgement, words, language)]
    if isinstance(judgement.verdict, Undetermined):
        lines += ["", *_entry("", words["withheld"])]
        lines += _entry(words["cause"], judgement.verdict.cause)
        lines += _entry(words["mend"], judgement.verdict.remedy)
    findings = [each for each in judgement.findings if each.rule != FLOW_CHOSEN]
    if not findings and not isinstance(judgement.verdict, Undetermined):
        lines += _entry("", words["nothing"])
    for number, finding in enumerate(findings, start=1):
        lines += ["", *_finding(number, finding, words, language)]
    return "\n".join([*lines, ""])


def beside_in_words(member: Member, file: str, language: Language) -> str:
    """A line on what lies beside the documents of an archive; "" for what nobody put there."""
    if member.role is Role.IGNORED:
        return ""
    words = _WORDS[language]
    goes_with = words["beside"].format(document=member.beside) if member.beside else ""
    remarks = ", ".join(filter(None, (words[member.role], goes_with)))
    return printable(f"{file}: {member.name} ({remarks})")


def _document(judgement: Judgement, words: dict[str, str], language: Language) -> list[str]:
    lines: list[str] = []
    if judgement.flow:
        syntax = (judgement.syntax or "").upper()
        kind = words[judgement.document_type or "document"].format(syntax=syntax).strip()
        lines += _entry(words["flow"], f"{judgement.flow} ({kind})")
    for chosen in (each for each in judgement.findings if each.rule == FLOW_CHOSEN):
        said = (chosen.explanation, chosen.remedy)
        lines += _entry("", " ".join(text.to(language) for text in said if text))
    status = judgement.document_type == "status"
    if judgement.profile:
        lines += _entry(words["guideline" if status else "profile"], judgement.profile)
    if judgement.invoice_number:
        lines += _entry(words["first" if status else "number"], judgement.invoice_number)
    if judgement.rules:
        packs = ", ".join(f"{rules.pack} {rules.version}" for rules in judgement.rules)
        lines += _entry(words["judged"], packs)
    return lines


def _finding(number: int, finding: Finding, words: dict[str, str], language: Language) -> list[str]:
    lines = [f"{number}. {printable(finding.rule)} ({words[finding.severity]})"]
    if finding.explanation is not None:
        lines += _entry(words["why"], finding.explanation.to(language))
    if finding.remedy is not None:
        lines += _entry(words["mend"], finding.remedy.to(language))
    place = [finding.location] if finding.location else []
    if finding.line is not None:
        place.append(words["line"].format(line=finding.line, column=finding.column or 1))
    lines += _entry(words["where"], ", ".join(place))
    lines += _entry("", finding.excerpt or "")
    if finding.terms:
        terms = (f"{term} {term_label(term, language)}".strip() for term in finding.terms)
        lines += _entry(words["terms"], ", ".join(terms))
    if finding.explanation is None or finding.explanation.to(language) != finding.message:
        lines += _entry(words["rule"], finding.message)
    return lines


def _entry(label: str, text: str) -> list[str]:
    """One labelled paragraph, wrapped and indented; nothing for an empty text."""
    text = printable(" ".join(text.split()))
    if not text:
        return []
    wrapped = textwrap.wrap(
        _UNBROKEN.sub(_HELD, text),
        width=_WIDTH,
        initial_indent=f"   {label:<15} ",
        subsequent_indent=" " * 19,
        break_on_hyphens=False,
        break_long_words=False,
    )
    return [line.replace(_HELD, " ") for line in wrapped]
