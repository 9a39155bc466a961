"""The sentences of the interchange report, in both languages.

A partner reads first whether there is anything to do: accepted (nothing), rejected (mend, send
again), held by us (nothing; in particular, do not send again).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gateway.core.acknowledgement.flux_state import Outcome, ReportDocument, is_unreadable
from gateway.model.verdict import Finding, Language, Severity, Text


def interchange_summary(documents: Sequence[ReportDocument], *, provisional: bool) -> Text:
    """What became of the whole file, and what its sender has to do."""
    total = len(documents)
    outcomes = Counter(document.outcome for document in documents)
    accepted, rejected = outcomes[Outcome.ACCEPTED], outcomes[Outcome.REJECTED]
    held = outcomes[Outcome.UNDETERMINED]
    if held or provisional:
        return _provisional(total, accepted, rejected)
    if all(is_unreadable(document) for document in documents):
        return Text(
            en="No invoice could be read in this file, and none was taken from it. Mend it and "
            "send it again.",
            fr="Aucune facture n'a pu être lue dans ce fichier ; aucune n'en a été reprise. "
            "Corrigez-le et renvoyez-le.",
        )
    if not rejected:
        return (
            Text(
                en="The document in this file is accepted.",
                fr="Le document de ce fichier est accepté.",
            )
            if total == 1
            else Text(
                en=f"The {total} documents in this file are accepted.",
                fr=f"Les {total} documents de ce fichier sont acceptés.",
            )
        )
    if not accepted:
        return (
            Text(
                en="The document in this file is rejected. Mend it and send it again.",
                fr="Le document de ce fichier est rejeté. Corrigez-le et renvoyez-le.",
            )
            if total == 1
            else Text(
                en=f"The {total} documents in this file are rejected. Mend them and send them "
                "again.",
                fr=f"Les {total} documents de ce fichier sont rejetés. Corrigez-les et "
                "renvoyez-les.",
            )
        )
    return Text(
        en=f"Of {total} documents in this file {accepted} {_are(accepted)} accepted and "
        f"{rejected} rejected. Mend the rejected ones and send only those again.",
        fr=f"Sur les {total} documents de ce fichier, {accepted} {_sont(accepted, 'accepté')} et "
        f"{rejected} {_sont(rejected, 'rejeté')}. Corrigez les documents rejetés et ne renvoyez "
        "que ceux-là.",
    )


def document_text(document: ReportDocument, language: Language) -> str:
    """What became of one document, in one or two sentences."""
    french = language is Language.FR
    match document.outcome:
        case Outcome.ACCEPTED:
            warnings = document.count(Severity.WARNING)
            if not warnings:
                return "Accepté." if french else "Accepted."
            if french:
                return f"Accepté, avec {warnings} avertissement{_s(warnings)}."
            return f"Accepted, with {warnings} warning{_s(warnings)}."
        case Outcome.REJECTED:
            errors = [f for f in document.findings if f.severity is Severity.ERROR]
            if not errors:
                return "Rejeté." if french else "Rejected."
            more = len(errors) - 1
            others = ""
            if more and french:
                others = f" ({more} autre{_s(more)} erreur{_s(more)})"
            elif more:
                others = f" ({more} more error{_s(more)})"
            return f"{'Rejeté' if french else 'Rejected'}{others} — {_words(errors[0], language)}"
        case Outcome.UNDETERMINED:
            return (
                "Retenu chez nous : un contrôle n'a pas pu être fait, pour une raison qui ne tient "
                "pas à vous. Ne renvoyez rien."
                if french
                else "Held by us: a check could not be made, for a reason that does not lie with "
                "you. Send nothing again."
            )


def _words(finding: Finding, language: Language) -> str:
    said = finding.explanation.to(language) if finding.explanation else finding.message
    return f"{finding.rule} : {said}" if language is Language.FR else f"{finding.rule}: {said}"


def _provisional(total: int, accepted: int, rejected: int) -> Text:
    en = (
        "We hold {what} of this file, because a check could not be made on our side. This is no "
        "fault of yours: send nothing of it again, a further report will follow."
    )
    fr = (
        "Nous retenons {what} de ce fichier, car un contrôle n'a pas pu être fait de notre côté. "
        "Ce n'est pas une erreur de votre part : n'en renvoyez rien, un nouveau rapport suivra."
    )
    held = total - accepted - rejected
    if total <= 1:
        what = Text(en="the document", fr="le document")
    else:
        what = Text(en=f"{held} document{_s(held)}", fr=f"{held} document{_s(held)}")
    text_en, text_fr = en.format(what=what.en), fr.format(what=what.fr)
    if accepted:
        text_en += f" {accepted} {_are(accepted)} accepted."
        text_fr += f" {accepted} {_sont(accepted, 'accepté')}."
    if rejected:
        text_en += f" {rejected} {_are(rejected)} rejected: mend and send again only those."
        text_fr += (
            f" {rejected} {_sont(rejected, 'rejeté')} : corrigez et renvoyez uniquement "
            f"{'celui-là' if rejected == 1 else 'ceux-là'}."
        )
    return Text(en=text_en, fr=text_fr)


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _sont(count: int, participle: str) -> str:
    return f"est {participle}" if count == 1 else f"sont {participle}s"


def _s(count: int) -> str:
    return "" if count == 1 else "s"
