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
    """Why a flux, or one file of it, could not be used. `nature`: FLUX or FICHIER."""

    code: str
    nature: str
    finding: Finding
    document: int


UNREADABLE: Final = frozenset({Layer.CONTAINER, Layer.XML})
"""An error in these layers means: no invoice could be read in the file at all."""

# The platforms spell and split their codes in this way; a code of ours that is not listed takes
# the one of its layer. Where they have one code for a flux and another for a file in it, the one
# of the flux stands here.
_REFUSALS: Final[dict[str, str]] = {
    "CONTAINER-UNSUPPORTED": "IRR_TYPE",
    "CONTAINER-NO-TAR": "IRR_TYPE",
    "CONTAINER-VIRUS": "IRR_ANTIVIRUS",
    "CONTAINER-EMPTY": "IRR_VIDE",
    "CONTAINER-SIZE": "IRR_TAILLE",
    "CONTAINER-MEMBERS": "IRR_TAILLE",
    "CONTAINER-UNPACKED-SIZE": "IRR_TAILLE",
    "CONTAINER-MEMBER-DUPLICATE": "IRR_NOM_F",
    "CONTAINER-MEMBER-EMPTY": "IRR_VIDE_F",
    "CONTAINER-MEMBER-NAME": "IRR_NOM_F",
    "CONTAINER-MEMBER-NESTED": "IRR_TYPE_F",
    "CONTAINER-MEMBER-PATH": "IRR_NOM_F",
    "CONTAINER-MEMBER-SIZE": "IRR_TAILLE_F",
    "CONTAINER-MEMBER-SPECIAL": "IRR_TYPE_F",
    "CONTAINER-MEMBER-TYPE": "IRR_TYPE_F",
    "ATTACHMENT-EMPTY": "IRR_VID_PJ",
    "ATTACHMENT-NAME": "IRR_NOM_PJ",
    "ATTACHMENT-SIZE": "IRR_TAILLE_PJ",
    "PDF-NO-INVOICE": "IRR_TYPE_F",
    "PDF-SEVERAL": "IRR_TYPE_F",
    "PDF-OBSOLETE": "IRR_TYPE_F",
    "PDF-PROFILE": "IRR_TYPE_F",
    "PDF-UBL": "IRR_TYPE_F",
    "PDF-TOO-LARGE": "IRR_TAILLE_F",
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
_OF_A_FILE: Final[dict[str, str]] = {
    "IRR_FORM": "IRR_NOM_F",
    "IRR_TAILLE": "IRR_TAILLE_F",
    "IRR_TYPE": "IRR_TYPE_F",
    "IRR_VIDE": "IRR_VIDE_F",
}
"""What the platforms call the same fault in one file of a flux."""
EMPTY_FLUX: Final = "IRR_VIDE"


class ReportTotals:
    """What the head of a report says of all documents, collected in one pass over them."""

    def __init__(self) -> None:
        self.documents = 0
        self.outcomes: Counter[Outcome] = Counter()
        self.held = 0
        """Undetermined, and waiting for a human."""
        self.unreadable = 0
        self.technical_errors = 0
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
        self.technical_errors += len(_refusals_in(document))
        self.packs.update(dict.fromkeys(document.rules))

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
    member = document.sha256 != flux_sha256
    return [
        TechnicalError(
            _OF_A_FILE.get(code, code) if member else code,
            "FICHIER" if member else "FLUX",
            finding,
            document.ordinal,
        )
        for code, finding in _refusals_in(document)
    ]


def _refusals_in(document: ReportDocument) -> list[tuple[str, Finding]]:
    if document.outcome is not Outcome.REJECTED:
        return []
    return [
        (code, finding)
        for finding in document.findings
        if finding.severity is Severity.ERROR and (code := _refusal_code(finding)) is not None
    ]


def _refusal_code(finding: Finding) -> str | None:
    """The platforms' code for a finding about the file itself; None for one about its content."""
    return _REFUSALS.get(finding.rule) or _REFUSAL_OF_LAYER.get(finding.layer)


def is_unreadable(document: ReportDocument) -> bool:
    """Whether no invoice could be read in this file at all."""
    return document.outcome is Outcome.REJECTED and any(
        finding.layer in UNREADABLE and finding.severity is Severity.ERROR
        for finding in document.findings
    )
