"""The state of a whole interchange, in the words of the French platforms.

Codes are those of Chorus Pro and of the PPF (AIFE, external specifications): the state of the
flux (IN_…), its qualification (QP_…), and the reasons for which a flux is refused (IRR_…).

An interchange may hold thousands of documents, so what they add up to is collected one by one.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import Final

import msgspec

from gateway.core.acknowledgement.refusal_codes import (
    EMPTY_FLUX,
    Nature,
    refusal_of,
    refuses_flux,
)
from gateway.core.acknowledgement.report_facts import Outcome, ReportDocument
from gateway.model.lifecycle import DocumentState
from gateway.model.verdict import Finding, Layer, PackReference, Severity


class FluxState(StrEnum):
    """Where a flux stands. Only that it was received is never reported: a report comes later."""

    IN_RECU = "IN_RECU"
    IN_INCIDENTE = "IN_INCIDENTE"
    IN_EN_COURS_TRAITEMENT_CPP = "IN_EN_COURS_TRAITEMENT_CPP"
    IN_REJETE = "IN_REJETE"
    IN_INTEGRE = "IN_INTEGRE"
    IN_INTEGRE_PARTIEL = "IN_INTEGRE_PARTIEL"


class Qualification(StrEnum):
    """Whether a flux could be used; one that is still being judged, or was set aside, has none."""

    QP_RECEVABLE = "QP_RECEVABLE"
    QP_RECEVABLE_AVEC_ERREUR = "QP_RECEVABLE_AVEC_ERREUR"
    QP_IRRECEVABLE = "QP_IRRECEVABLE"


class TechnicalError(msgspec.Struct, frozen=True):
    """Why a flux, or one file of it, could not be used. Without a finding: nothing is in it."""

    code: str
    nature: Nature
    finding: Finding | None = None
    document: int | None = None


UNREADABLE: Final = frozenset({Layer.CONTAINER, Layer.XML})
"""An error in these layers means: no invoice could be read in the file at all."""

NOTHING_SENT: Final = TechnicalError(EMPTY_FLUX, "FLUX")


class ReportTotals:
    """What the head of a report says of all documents, collected in one pass over them."""

    def __init__(self) -> None:
        self.documents = 0
        self.outcomes: Counter[Outcome] = Counter()
        self.held = 0
        """Undetermined, and waiting for a human."""
        self.unreadable = 0
        self.repeated = 0
        """Rejected, and there is nothing to mend in them: they are here already."""
        self.packs: dict[PackReference, None] = {}
        """Every rule pack that judged, in the order they are first met."""
        self.undetermined: set[int] = set()
        """Ordinals of those without a verdict: judging may go on while the report is written."""

    def add(self, document: ReportDocument) -> None:
        """Count one document."""
        self.documents += 1
        self.outcomes[document.outcome] += 1
        if document.outcome is Outcome.UNDETERMINED:
            self.undetermined.add(document.ordinal)
            self.held += document.state is DocumentState.QUARANTINED
        self.unreadable += is_unreadable(document)
        self.repeated += document.is_repeated
        self.packs.update(dict.fromkeys(document.rules))

    def as_counted(self, document: ReportDocument) -> ReportDocument:
        """The document as it was counted, although it may have been judged meanwhile.

        The report is then provisional, and the next one tells what came of it.
        """
        if document.ordinal not in self.undetermined:
            return document
        if document.outcome is Outcome.UNDETERMINED:
            return document
        return msgspec.structs.replace(
            document,
            outcome=Outcome.UNDETERMINED,
            state=DocumentState.EXTRACTED,
            rules=(),
            findings=(),
        )

    @property
    def accepted(self) -> int:
        """How many documents are accepted."""
        return self.outcomes[Outcome.ACCEPTED]

    @property
    def rejected(self) -> int:
        """How many documents are rejected, unreadable ones among them."""
        return self.outcomes[Outcome.REJECTED]

    @property
    def discarded(self) -> int:
        """How many documents an operator set aside."""
        return self.outcomes[Outcome.DISCARDED]


def flux_state(
    totals: ReportTotals, *, provisional: bool
) -> tuple[FluxState, Qualification | None]:
    """State and qualification that the documents of an interchange add up to."""
    if provisional or totals.undetermined:
        return FluxState.IN_EN_COURS_TRAITEMENT_CPP, None
    if totals.discarded and totals.discarded == totals.documents:
        return FluxState.IN_INCIDENTE, None
    if totals.unreadable + totals.discarded == totals.documents:
        return FluxState.IN_REJETE, Qualification.QP_IRRECEVABLE
    if totals.accepted == totals.documents:
        return FluxState.IN_INTEGRE, Qualification.QP_RECEVABLE
    if totals.accepted:
        return FluxState.IN_INTEGRE_PARTIEL, Qualification.QP_RECEVABLE_AVEC_ERREUR
    return FluxState.IN_REJETE, Qualification.QP_RECEVABLE_AVEC_ERREUR


def technical_errors(document: ReportDocument, flux_sha256: str) -> list[TechnicalError]:
    """What made this file unusable. One with other bytes than the flux is a member of it."""
    if document.outcome is not Outcome.REJECTED:
        return []
    member = document.sha256 != flux_sha256
    return [
        TechnicalError(refusal.code, refusal.nature, finding, document.ordinal)
        for finding in document.findings
        if finding.severity is Severity.ERROR
        and (refusal := refusal_of(finding, member=member)) is not None
    ]


def is_unreadable(document: ReportDocument) -> bool:
    """Whether no invoice was read in this file at all, or the flux it came in is refused."""
    return document.outcome is Outcome.REJECTED and any(
        finding.severity is Severity.ERROR
        and (finding.layer in UNREADABLE or refuses_flux(finding))
        for finding in document.findings
    )
