"""What a report says of a whole file when some of it came before: nothing to mend, nothing to send.

The other sentences are tested with the report (test_report.py).
"""

from __future__ import annotations

import pytest

from gateway.core.acknowledgement.flux_state import ReportTotals
from gateway.core.acknowledgement.report_facts import Outcome, ReportDocument
from gateway.core.acknowledgement.summary_words import interchange_summary
from gateway.model.lifecycle import DocumentState
from gateway.model.verdict import Layer, Severity
from tests.reports import document, finding

GOOD = document()
BAD = document(finding("BR-CO-15"))
BEFORE = document(finding("DOUBLON", layer=Layer.BUSINESS))
BEFORE_AND_BAD = document(finding("DOUBLON", layer=Layer.BUSINESS), finding("BR-CO-15"))
TOLERATED = document(finding("DOUBLON", layer=Layer.BUSINESS, severity=Severity.WARNING))
ASIDE = document(outcome=Outcome.DISCARDED)
OPEN = document(outcome=Outcome.UNDETERMINED, state=DocumentState.EXTRACTED)


@pytest.mark.parametrize(
    ("documents", "english", "french"),
    [
        (
            [BEFORE],
            "The document in this file was received before and is not taken again. There is "
            "nothing to send.",
            "Le document de ce fichier avait déjà été reçu et n'est pas repris. Il n'y a rien à "
            "renvoyer.",
        ),
        (
            [BEFORE, BEFORE],
            "The 2 documents in this file were received before and are not taken again. There is "
            "nothing to send.",
            "Les 2 documents de ce fichier avaient déjà été reçus et ne sont pas repris. Il n'y a "
            "rien à renvoyer.",
        ),
        (
            [GOOD, BEFORE],
            "Of 2 documents in this file 1 is accepted and 1 is rejected. What is rejected was "
            "received before: do not send it again.",
            "Sur les 2 documents de ce fichier, 1 est accepté et 1 est rejeté. Ce qui est rejeté "
            "avait déjà été reçu : ne le renvoyez pas.",
        ),
        (
            [BAD, BEFORE],
            "Of 2 documents in this file 2 are rejected. 1 of those rejected was received before: "
            "leave that out. Mend the rest and send only that again.",
            "Sur les 2 documents de ce fichier, 2 sont rejetés. 1 des rejetés avait déjà été reçu "
            ": laissez cela de côté. Corrigez le reste et ne renvoyez que cela.",
        ),
        (
            [GOOD, BAD, BEFORE, BEFORE, ASIDE],
            "Of 5 documents in this file 1 is accepted, 3 are rejected and 1 was set aside by our "
            "operator and not processed. 2 of those rejected were received before: leave that "
            "out. Mend the rest; send only that, and what was set aside, again.",
            "Sur les 5 documents de ce fichier, 1 est accepté, 3 sont rejetés et 1 a été mis de "
            "côté par notre exploitant et non traité. 2 des rejetés avaient déjà été reçus : "
            "laissez cela de côté. Corrigez le reste ; ne renvoyez que cela et ce qui a été mis "
            "de côté.",
        ),
        (
            [BEFORE, ASIDE],
            "Of 2 documents in this file 1 is rejected and 1 was set aside by our operator and "
            "not processed. What is rejected was received before: do not send it again. Send only "
            "what was set aside again.",
            "Sur les 2 documents de ce fichier, 1 est rejeté et 1 a été mis de côté par notre "
            "exploitant et non traité. Ce qui est rejeté avait déjà été reçu : ne le renvoyez "
            "pas. Ne renvoyez que ce qui a été mis de côté.",
        ),
        (
            [GOOD, BEFORE_AND_BAD],
            "Of 2 documents in this file 1 is accepted and 1 is rejected. Mend what is rejected "
            "and send only that again.",
            "Sur les 2 documents de ce fichier, 1 est accepté et 1 est rejeté. Corrigez ce qui "
            "est rejeté et ne renvoyez que cela.",
        ),
        (
            [TOLERATED],
            "The document in this file is accepted.",
            "Le document de ce fichier est accepté.",
        ),
        (
            [OPEN, BEFORE, BAD],
            "1 of the 3 documents in this file is still being checked. Send nothing of it again: "
            "a completed report will follow and replace this one. 1 was received before and is "
            "rejected. 1 is rejected: mend and send again only that one.",
            "1 des 3 documents de ce fichier est en cours d'examen. D'ici là, n'en renvoyez rien "
            ": un rapport complet suivra et remplacera celui-ci. 1 avait déjà été reçu et est "
            "rejeté. 1 est rejeté : corrigez et renvoyez uniquement celui-là.",
        ),
    ],
)
def test_what_came_before_is_not_to_be_sent_again(
    documents: list[ReportDocument], english: str, french: str
) -> None:
    """Whoever reads the first sentence does what the page and the CSV say of each invoice."""
    totals = ReportTotals()
    for each in documents:
        totals.add(each)
    said = interchange_summary(totals, provisional=OPEN in documents, revision=1)
    assert (said.en, said.fr) == (english, french)
