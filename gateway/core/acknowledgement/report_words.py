"""The sentences of the interchange report, in both languages.

A partner reads first whether there is anything to do: accepted (nothing), rejected (mend, send
again), held by us (nothing; in particular, do not send again), set aside by our operator (send
again).
"""

from __future__ import annotations

from gateway.core.acknowledgement.flux_state import ReportTotals, TechnicalError
from gateway.core.acknowledgement.report_facts import Outcome, ReportAttachment, ReportDocument
from gateway.model.container import Role
from gateway.model.lifecycle import DocumentState
from gateway.model.verdict import Finding, Language, Severity, Text

_NO_DOCUMENT = Text(en="No document.", fr="Aucun document.")
_REPLACES = Text(
    en="This report replaces our earlier one about this file.",
    fr="Ce rapport remplace notre rapport précédent sur ce fichier.",
)


def interchange_summary(totals: ReportTotals, *, provisional: bool, revision: int) -> Text:
    """What became of the whole file, and what its sender has to do.

    From the second `revision` on it also says that the report stands for the earlier one.
    """
    text = _provisional(totals) if provisional or totals.undetermined else _final(totals)
    return _joined(text, _REPLACES) if revision > 1 else text


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
        case Outcome.DISCARDED:
            return _discarded(document).to(language)
        case Outcome.UNDETERMINED:
            held = document.state is DocumentState.QUARANTINED
            return (_HELD if held else _NOT_YET).to(language)


def technical_text(error: TechnicalError, language: Language) -> str:
    """Why a flux or a file could not be used."""
    finding = error.finding
    if finding is None:
        return _NO_DOCUMENT.to(language)
    return finding.explanation.to(language) if finding.explanation else finding.message


def attachment_text(attachment: ReportAttachment, language: Language) -> str:
    """What was done with a member of an archive that is no document: kept, and nothing else."""
    said = (
        Text(
            en="Received; the signature was not verified.",
            fr="Reçue ; la signature n'a pas été vérifiée.",
        )
        if attachment.role is Role.SIGNATURE
        else Text(
            en="Received; attachments are not checked.",
            fr="Reçue ; les pièces jointes ne sont pas contrôlées.",
        )
    )
    return said.to(language)


_HELD = Text(
    en="Held by us: a check could not be made, for a reason that does not lie with you. Send "
    "nothing again.",
    fr="Retenu chez nous : un contrôle n'a pas pu être fait, pour une raison qui ne tient pas à "
    "vous. Ne renvoyez rien.",
)
_NOT_YET = Text(
    en="Not all checks have been made yet. Send nothing again: a completed report will follow.",
    fr="Les contrôles ne sont pas encore terminés. Ne renvoyez rien : un rapport complet suivra.",
)


def _discarded(document: ReportDocument) -> Text:
    text = Text(
        en="Set aside by our operator, and not processed. Send it again.",
        fr="Mis de côté par notre exploitant, et non traité. Renvoyez-le.",
    )
    if not document.remark:
        return text
    reason = Text(en=f"Reason: {document.remark}", fr=f"Motif : {document.remark}")
    return _joined(text, reason)


def _words(finding: Finding, language: Language) -> str:
    said = finding.explanation.to(language) if finding.explanation else finding.message
    return f"{finding.rule} : {said}" if language is Language.FR else f"{finding.rule}: {said}"


def _final(totals: ReportTotals) -> Text:
    total = totals.documents
    if totals.unreadable == total:
        return Text(
            en="No invoice could be read in this file, and none was taken from it. Mend it and "
            "send it again.",
            fr="Aucune facture n'a pu être lue dans ce fichier ; aucune n'en a été reprise. "
            "Corrigez-le et renvoyez-le.",
        )
    if totals.accepted == total:
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
    if totals.rejected == total:
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
    if totals.discarded == total:
        return (
            Text(
                en="The document in this file was set aside by our operator and was not "
                "processed. Send it again.",
                fr="Le document de ce fichier a été mis de côté par notre exploitant et n'a pas "
                "été traité. Renvoyez-le.",
            )
            if total == 1
            else Text(
                en=f"The {total} documents in this file were set aside by our operator and were "
                "not processed. Send them again.",
                fr=f"Les {total} documents de ce fichier ont été mis de côté par notre exploitant "
                "et n'ont pas été traités. Renvoyez-les.",
            )
        )
    return _mixed(totals)


def _mixed(totals: ReportTotals) -> Text:
    accepted, rejected, discarded = totals.accepted, totals.rejected, totals.discarded
    en, fr = [], []
    if accepted:
        en.append(f"{accepted} {_are(accepted)} accepted")
        fr.append(f"{accepted} {_sont(accepted, 'accepté')}")
    if rejected:
        en.append(f"{rejected} {_are(rejected)} rejected")
        fr.append(f"{rejected} {_sont(rejected, 'rejeté')}")
    if discarded:
        were = "was" if discarded == 1 else "were"
        ont = "a été mis" if discarded == 1 else "ont été mis"
        en.append(f"{discarded} {were} set aside by our operator and not processed")
        fr.append(f"{discarded} {ont} de côté par notre exploitant et non traité{_s(discarded)}")
    if rejected and discarded:
        todo = Text(
            en="Mend what is rejected; send only that, and what was set aside, again.",
            fr="Corrigez ce qui est rejeté ; ne renvoyez que cela et ce qui a été mis de côté.",
        )
    elif rejected:
        todo = Text(
            en="Mend what is rejected and send only that again.",
            fr="Corrigez ce qui est rejeté et ne renvoyez que cela.",
        )
    else:
        todo = Text(
            en="Send only what was set aside again.",
            fr="Ne renvoyez que ce qui a été mis de côté.",
        )
    total = totals.documents
    counted = Text(
        en=f"Of {total} documents in this file {_list(en, 'and')}.",
        fr=f"Sur les {total} documents de ce fichier, {_list(fr, 'et')}.",
    )
    return _joined(counted, todo)


def _provisional(totals: ReportTotals) -> Text:
    """What is still open, that nothing of it is to be sent again, and what is settled already."""
    total, held = totals.documents, totals.held
    waiting = len(totals.undetermined) - held
    parts = []
    if held:
        what = (
            Text(en="the document", fr="le document")
            if total == 1
            else Text(en=f"{held} document{_s(held)}", fr=f"{held} document{_s(held)}")
        )
        parts.append(
            Text(
                en=f"We hold {what.en} of this file, because a check could not be made on our "
                "side. This is no fault of yours.",
                fr=f"Nous retenons {what.fr} de ce fichier, car un contrôle n'a pas pu être fait "
                "de notre côté. Ce n'est pas une erreur de votre part.",
            )
        )
    if waiting or not held:
        parts.append(_still_checked(total, waiting))
    parts.append(
        Text(
            en="Send nothing of it again: a completed report will follow and replace this one.",
            fr="D'ici là, n'en renvoyez rien : un rapport complet suivra et remplacera celui-ci.",
        )
    )
    if totals.accepted:
        number = totals.accepted
        parts.append(
            Text(
                en=f"{number} {_are(number)} accepted.",
                fr=f"{number} {_sont(number, 'accepté')}.",
            )
        )
    if totals.rejected:
        number = totals.rejected
        parts.append(
            Text(
                en=f"{number} {_are(number)} rejected: mend and send again only "
                f"{'that one' if number == 1 else 'those'}.",
                fr=f"{number} {_sont(number, 'rejeté')} : corrigez et renvoyez uniquement "
                f"{'celui-là' if number == 1 else 'ceux-là'}.",
            )
        )
    if totals.discarded:
        number = totals.discarded
        parts.append(
            Text(
                en=f"{number} {'was' if number == 1 else 'were'} set aside by our operator: send "
                f"{'that one' if number == 1 else 'those'} again.",
                fr=f"{number} {'a été mis' if number == 1 else 'ont été mis'} de côté par notre "
                f"exploitant : renvoyez {'celui-là' if number == 1 else 'ceux-là'}.",
            )
        )
    return _joined(*parts)


def _still_checked(total: int, waiting: int) -> Text:
    if total <= 1 or not waiting:
        return Text(en="This file is still being checked.", fr="Ce fichier est en cours d'examen.")
    return Text(
        en=f"{waiting} of the {total} documents in this file {_are(waiting)} still being checked.",
        fr=f"{waiting} des {total} documents de ce fichier {'est' if waiting == 1 else 'sont'} "
        "en cours d'examen.",
    )


def _joined(*texts: Text) -> Text:
    return Text(en=" ".join(text.en for text in texts), fr=" ".join(text.fr for text in texts))


def _list(parts: list[str], last: str) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return f" {last} ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _sont(count: int, participle: str) -> str:
    return f"est {participle}" if count == 1 else f"sont {participle}s"


def _s(count: int) -> str:
    return "" if count == 1 else "s"
