"""Where a replay of many stands, in a sentence: under way, stopped, cut short, done."""

from __future__ import annotations

import datetime as dt

from gateway.core.acknowledgement.markup import Html, element
from gateway.service.console.replay_progress import Progress
from gateway.service.console.visit import Visit
from gateway.service.console.words import count
from gateway.service.journal.replay_tables import ItemState
from gateway.service.replay_runs import Ending, Step


def stands(visit: Visit, progress: Progress, today: dt.date) -> Html:
    """What is going on, why it stands still if it does, and what comes next."""
    if progress.running is not None:
        return element("p", _under_way(visit, progress), class_="note", role="status")
    if progress.waiting or (progress.committed and progress.left):
        return element("p", _halted(visit, progress), class_="failed", role="status")
    tone = "note" if progress.left else "calm"
    return element("p", _done(visit, progress, today), class_=tone, role="status")


def _under_way(visit: Visit, progress: Progress) -> str:
    if progress.running is Step.TRY:
        return visit.say(
            "It is being tried: files are judged again, and nothing is written. It goes on when"
            " you leave this page.",
            "L'essai est en cours : les fichiers sont contrôlés à nouveau et rien n'est écrit. Il"
            " continue si vous quittez cette page.",
        )
    return visit.say(
        "It is being committed: verdicts are taken back, and these interchanges go through once"
        " more. It goes on when you leave this page.",
        "La validation est en cours : les verdicts sont retirés et ces échanges repassent au"
        " contrôle. Elle continue si vous quittez cette page.",
    )


def _halted(visit: Visit, progress: Progress) -> str:
    waiting = progress.waiting
    if waiting:
        number = count(visit, waiting)
        what = visit.say(
            f"Not tried to its end; interchanges that still wait: {number}. ",
            f"L'essai n'est pas terminé ; échanges encore en attente : {number}. ",
        )
    else:
        number = count(visit, progress.left)
        what = visit.say(
            f"Not committed to its end; interchanges left: {number}. ",
            f"La validation n'est pas terminée ; échanges restants : {number}. ",
        )
    return what + _why(visit, progress)


def _why(visit: Visit, progress: Progress) -> str:
    run = progress.run
    if run is not None and run.ending is Ending.STOPPED:
        return visit.say(
            f"It was stopped by {run.said}. What was done stays done; go on when you like.",
            f"Arrêt demandé par {run.said}. Ce qui est fait reste fait ; continuez quand vous"
            " voulez.",
        )
    if run is not None and run.ending is Ending.BROKEN:
        return visit.say(
            f"It was broken off: {run.said} What was done stays done; go on when that is mended.",
            f"Interrompu : {run.said} Ce qui est fait reste fait ; continuez une fois cela réparé.",
        )
    return visit.say(
        "It was cut short by a restart of the gateway, or a command runs it, or was broken off."
        " What was done stays done; go on here.",
        "Interrompu par un redémarrage de la passerelle, ou mené par une commande, peut-être"
        " interrompue. Ce qui est fait reste fait ; continuez ici.",
    )


def _done(visit: Visit, progress: Progress, today: dt.date) -> str:
    say = visit.say
    changed = count(visit, progress.changed)
    if progress.committed:
        number = count(visit, progress.committed)
        return say(
            f"Committed; interchanges judged again: {number}. It cannot be committed again.",
            f"Validé ; échanges contrôlés à nouveau : {number}. Une seconde validation est"
            " impossible.",
        ) + _left_out(visit, progress)
    if not progress.left:
        return say(
            "Tried: nothing would change. There is nothing to commit.",
            "Essayé : rien ne changerait. Il n'y a rien à valider.",
        ) + _left_out(visit, progress)
    if progress.of_coming_rules(today):
        return say(
            f"Tried by the rules of {progress.row.rules_on}; documents that would be judged"
            f" otherwise: {changed}. Nothing can be committed here by rules that are not in force"
            " yet.",
            f"Essayé d'après les règles du {progress.row.rules_on} ; documents qui seraient jugés"
            f" autrement : {changed}. Rien ne peut être validé ici d'après des règles qui ne sont"
            " pas encore en vigueur.",
        ) + _left_out(visit, progress)
    return say(
        f"Tried; documents that would be judged otherwise: {changed}. Committing takes their"
        " interchanges' present verdicts back: consumers get each result as a new revision, senders"
        " a new report.",
        f"Essayé ; documents qui seraient jugés autrement : {changed}. Valider retire les verdicts"
        " actuels de leurs échanges : les consommateurs reçoivent chaque résultat en nouvelle"
        " révision, les expéditeurs un nouveau rapport.",
    ) + _left_out(visit, progress)


def _left_out(visit: Visit, progress: Progress) -> str:
    """Those that could not be tried, or not be committed; the list says why."""
    said = ""
    failed = progress.counts.get(ItemState.FAILED, 0)
    refused = progress.counts.get(ItemState.REFUSED, 0)
    if failed:
        number = count(visit, failed)
        said += visit.say(
            f" Interchanges that could not be tried and keep their verdicts: {number}.",
            f" Échanges dont l'essai a échoué et qui gardent leurs verdicts : {number}.",
        )
    if refused:
        number = count(visit, refused)
        said += visit.say(
            f" Interchanges that could not be judged again (the list says why): {number}.",
            f" Échanges dont la validation a échoué (la liste dit pourquoi) : {number}.",
        )
    return said
