"""The state of a whole interchange, in the words of the French platforms.

Codes are those of Chorus Pro and of the PPF (AIFE, external specifications): the state of the
flux (IN_…), its qualification (QP_…), and the reasons for which a flux is refused (IRR_…).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec

from gateway.model.lifecycle import DocumentState
from gateway.model.verdict import Finding, Layer, PackReference, Severity


class FluxState(StrEnum):
    """Where a flux stands. The gateway reports the last four; the schema knows them all."""

    IN_RECU = "IN_RECU"
    IN_INCIDENTE = "IN_INCIDENTE"
    IN_EN_COURS_TRAITEMENT_CPP = "IN_EN_COURS_TRAITEMENT_CPP"
    IN_REJETE = "IN_REJETE"
    IN_INTEGRE = "IN_INTEGRE"
    IN_INTEGRE_PARTIEL = "IN_INTEGRE_PARTIEL"


class Qualification(StrEnum):
    """Whether a flux could be used; a flux that is still being judged has none yet."""

    QP_RECEVABLE = "QP_RECEVABLE"
    QP_RECEVABLE_AVEC_ERREUR = "QP_RECEVABLE_AVEC_ERREUR"
    QP_IRRECEVABLE = "QP_IRRECEVABLE"


class Outcome(StrEnum):
    """What the partner is told about one document."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNDETERMINED = "undetermined"
    """Held by us: neither good nor bad news yet."""


class ReportDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One document of an interchange, as its report shows it."""

    ordinal: int
    state: DocumentState
    outcome: Outcome
    name: str
    sha256: str
    size: int
    flow: str | None = None
    syntax: str | None = None
    document_type: str | None = None
    profile: str | None = None
    invoice_number: str | None = None
    issue_date: str | None = None
    seller_id: str | None = None
    buyer_id: str | None = None
    rules: tuple[PackReference, ...] = ()
    findings: tuple[Finding, ...] = ()

    def count(self, severity: Severity) -> int:
        """How many findings weigh that much."""
        return sum(finding.severity is severity for finding in self.findings)


class TechnicalError(msgspec.Struct, frozen=True):
    """Why a flux, or one file of it, could not be used. `nature`: FLUX or FICHIER."""

    code: str
    nature: str
    finding: Finding
    document: int


UNREADABLE: Final = frozenset({Layer.CONTAINER, Layer.XML})
"""An error in these layers means: no invoice could be read in the file at all."""

# The platforms spell and split their codes in this way; a code of ours that is not listed takes
# the one of its layer.
_REFUSALS: Final[dict[str, str]] = {
    "CONTAINER-UNSUPPORTED": "IRR_TYPE",
    "ENVELOPE-NAME": "IRR_FORM",
    "XML-EMPTY": "IRR_VIDE",
    "XML-SIZE": "IRR_TAILLE_F",
    "XML-ELEMENTS": "IRR_TAILLE_F",
    "XML-NOT-XML": "IRR_TYPE",
    "ROUTE-NO-FLOW": "IRR_CODE_INTER",
}
_REFUSAL_OF_LAYER: Final[dict[Layer, str]] = {
    Layer.CONTAINER: "IRR_EXTRAC",
    Layer.XML: "IRR_SYNTAX",
    Layer.ROUTING: "IRR_TYPE_F",
}
EMPTY_FLUX: Final = "IRR_VIDE"


def refusal_code(finding: Finding) -> str | None:
    """The platforms' code for a finding about the file itself; None for one about its content."""
    return _REFUSALS.get(finding.rule) or _REFUSAL_OF_LAYER.get(finding.layer)


def technical_errors(documents: Sequence[ReportDocument]) -> list[TechnicalError]:
    """What made files unusable, in order of the documents."""
    return [
        TechnicalError(code, "FICHIER" if len(documents) > 1 else "FLUX", finding, doc.ordinal)
        for doc in documents
        if doc.outcome is Outcome.REJECTED
        for finding in doc.findings
        if finding.severity is Severity.ERROR and (code := refusal_code(finding)) is not None
    ]


def flux_state(
    documents: Sequence[ReportDocument], *, provisional: bool
) -> tuple[FluxState, Qualification | None]:
    """State and qualification that the documents of an interchange add up to."""
    outcomes = Counter(document.outcome for document in documents)
    if provisional or outcomes[Outcome.UNDETERMINED]:
        return FluxState.IN_EN_COURS_TRAITEMENT_CPP, None
    if all(is_unreadable(document) for document in documents):
        return FluxState.IN_REJETE, Qualification.QP_IRRECEVABLE
    if not outcomes[Outcome.REJECTED]:
        return FluxState.IN_INTEGRE, Qualification.QP_RECEVABLE
    if outcomes[Outcome.ACCEPTED]:
        return FluxState.IN_INTEGRE_PARTIEL, Qualification.QP_RECEVABLE_AVEC_ERREUR
    return FluxState.IN_REJETE, Qualification.QP_RECEVABLE_AVEC_ERREUR


def is_unreadable(document: ReportDocument) -> bool:
    """Whether no invoice could be read in this file at all."""
    return document.outcome is Outcome.REJECTED and any(
        finding.layer in UNREADABLE and finding.severity is Severity.ERROR
        for finding in document.findings
    )
