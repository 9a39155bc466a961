"""The sentences of the interchange report about each document, in both languages.

Those about the whole file are in `summary_words`. A partner reads first whether there is anything
to do: accepted (nothing), rejected (mend, send again), held by us (nothing; in particular, do not
send again), set aside by our operator (send again).
"""

from __future__ import annotations

from gateway.core.acknowledgement.flux_state import TechnicalError
from gateway.core.acknowledgement.report_facts import Outcome, ReportAttachment, ReportDocument
from gateway.model.container import Role
from gateway.model.lifecycle import DocumentState
from gateway.model.verdict import Finding, Language, Severity, Text

_NO_DOCUMENT = Text(en="No document.", fr="Aucun document.")


def document_text(document: ReportDocument, language: Language) -> str:
    """What became of one document, in one or two sentences."""
    french = language is Language.FR
    match document.outcome:
        case Outcome.ACCEPTED:
            warnings = document.count(Severity.WARNING)
            if not warnings:
                return "Accepté." if french else "Accepted."
            if french:
                return f"Accepté, avec {warnings} avertissement{plural(warnings)}."
            return f"Accepted, with {warnings} warning{plural(warnings)}."
        case Outcome.REJECTED:
            errors = [f for f in document.findings if f.severity is Severity.ERROR]
            if not errors:
                return "Rejeté." if french else "Rejected."
            more = len(errors) - 1
            others = ""
            if more and french:
                others = f" ({more} autre{plural(more)} erreur{plural(more)})"
            elif more:
                others = f" ({more} more error{plural(more)})"
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
    return joined(text, reason)


def _words(finding: Finding, language: Language) -> str:
    said = finding.explanation.to(language) if finding.explanation else finding.message
    return f"{finding.rule} : {said}" if language is Language.FR else f"{finding.rule}: {said}"


def joined(*texts: Text) -> Text:
    """Sentences one after the other."""
    return Text(en=" ".join(text.en for text in texts), fr=" ".join(text.fr for text in texts))


def plural(count: int) -> str:
    """The ending of a regular plural, in either language."""
    return "" if count == 1 else "s"
