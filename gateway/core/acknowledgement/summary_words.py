"""The sentences of the interchange report about the whole file: what became of it, what to do.

In both languages. What was received before is told apart: there is nothing to mend in it, and it
is not to be sent again.
"""

from __future__ import annotations

from gateway.core.acknowledgement.flux_state import ReportTotals
from gateway.core.acknowledgement.report_words import joined, plural
from gateway.model.verdict import Text

_REPLACES = Text(
    en="This report replaces our earlier one about this file.",
    fr="Ce rapport remplace notre rapport précédent sur ce fichier.",
)


def interchange_summary(totals: ReportTotals, *, provisional: bool, revision: int) -> Text:
    """What became of the whole file, and what its sender has to do.

    From the second `revision` on it also says that the report stands for the earlier one.
    """
    text = _provisional(totals) if provisional or totals.undetermined else _final(totals)
    return joined(text, _REPLACES) if revision > 1 else text


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
    if totals.repeated == total:
        return (
            Text(
                en="The document in this file was received before and is not taken again. There "
                "is nothing to send.",
                fr="Le document de ce fichier avait déjà été reçu et n'est pas repris. Il n'y a "
                "rien à renvoyer.",
            )
            if total == 1
            else Text(
                en=f"The {total} documents in this file were received before and are not taken "
                "again. There is nothing to send.",
                fr=f"Les {total} documents de ce fichier avaient déjà été reçus et ne sont pas "
                "repris. Il n'y a rien à renvoyer.",
            )
        )
    if totals.rejected == total and not totals.repeated:
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
        fr.append(
            f"{discarded} {ont} de côté par notre exploitant et non traité{plural(discarded)}"
        )
    total = totals.documents
    counted = Text(
        en=f"Of {total} documents in this file {_list(en, 'and')}.",
        fr=f"Sur les {total} documents de ce fichier, {_list(fr, 'et')}.",
    )
    return joined(counted, *_todo(rejected, totals.repeated, discarded))


def _todo(rejected: int, repeated: int, discarded: int) -> list[Text]:
    """What its sender has to do, of a file that was taken in part, or rejected for two causes."""
    told = []
    if repeated and repeated == rejected:
        told.append(
            Text(
                en="What is rejected was received before: do not send it again.",
                fr="Ce qui est rejeté avait déjà été reçu : ne le renvoyez pas.",
            )
        )
    elif repeated:
        were, avait = ("was", "avait") if repeated == 1 else ("were", "avaient")
        told.append(
            Text(
                en=f"{repeated} of those rejected {were} received before: leave that out.",
                fr=f"{repeated} des rejetés {avait} déjà été reçu{plural(repeated)} : "
                "laissez cela de côté.",
            )
        )
    mend = rejected > repeated
    what = Text(
        en="the rest" if repeated else "what is rejected",
        fr="le reste" if repeated else "ce qui est rejeté",
    )
    if mend and discarded:
        told.append(
            Text(
                en=f"Mend {what.en}; send only that, and what was set aside, again.",
                fr=f"Corrigez {what.fr} ; ne renvoyez que cela et ce qui a été mis de côté.",
            )
        )
    elif mend:
        told.append(
            Text(
                en=f"Mend {what.en} and send only that again.",
                fr=f"Corrigez {what.fr} et ne renvoyez que cela.",
            )
        )
    elif discarded:
        told.append(
            Text(
                en="Send only what was set aside again.",
                fr="Ne renvoyez que ce qui a été mis de côté.",
            )
        )
    return told


def _provisional(totals: ReportTotals) -> Text:
    """What is still open, that nothing of it is to be sent again, and what is settled already."""
    total, held = totals.documents, totals.held
    waiting = len(totals.undetermined) - held
    parts = []
    if held:
        what = (
            Text(en="the document", fr="le document")
            if total == 1
            else Text(en=f"{held} document{plural(held)}", fr=f"{held} document{plural(held)}")
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
    if number := totals.repeated:
        were, ont = ("was", "avait") if number == 1 else ("were", "avaient")
        parts.append(
            Text(
                en=f"{number} {were} received before and {_are(number)} rejected.",
                fr=f"{number} {ont} déjà été reçu{plural(number)} et {_sont(number, 'rejeté')}.",
            )
        )
    if number := totals.rejected - totals.repeated:
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
    return joined(*parts)


def _still_checked(total: int, waiting: int) -> Text:
    if total <= 1 or not waiting:
        return Text(en="This file is still being checked.", fr="Ce fichier est en cours d'examen.")
    return Text(
        en=f"{waiting} of the {total} documents in this file {_are(waiting)} still being checked.",
        fr=f"{waiting} des {total} documents de ce fichier {'est' if waiting == 1 else 'sont'} "
        "en cours d'examen.",
    )


def _list(parts: list[str], last: str) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return f" {last} ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _sont(count: int, participle: str) -> str:
    return f"est {participle}" if count == 1 else f"sont {participle}s"
