"""The statuses of the lifecycle: who gives them, in which phase, what they must and may say.

Facts of XP Z12-012 and of the French Schematron of CDAR, in one table. `request` holds a request
against them before anything is written.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec


class Phase(StrEnum):
    """MDT-77: platforms speak of transmission, the parties of an invoice of processing."""

    TRANSMISSION = "305"
    PROCESSING = "23"


class Role(StrEnum):
    """Roles of UNTDID 3035 that the French rules know (MDT-21, 40, 59, 158)."""

    BUYER = "BY"
    BUYERS_AGENT = "AB"
    FACTOR = "DL"
    SELLER = "SE"
    SELLERS_AGENT = "SR"
    PAYEE = "PE"
    PAYER = "PR"
    INVOICER = "II"
    INVOICEE = "IV"
    PLATFORM = "WK"
    PORTAL = "DFH"


PARTIES: Final = frozenset(Role) - {Role.PLATFORM, Role.PORTAL}
"""Those who may give a status of processing."""


def _codes(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ACTIONS: Final = _codes("NOA PIN NIN CNF CNP CNA OTH")
"""What may be asked for (MDT-121): nothing, more information, a new invoice, a full or partial
credit note, a credit note for an amount, something else."""

CHARACTERISTICS: Final = _codes("MEN MPA RAP ESC RAB REM MAP MAPTTC MNA MNATTC CBB DIV DVA MAJ")
"""Kinds of values that may go with a reason (MDT-207)."""

RECEIVED_AMOUNT: Final = "MEN"

_PARTLY_APPROVED: Final = _codes(
    "AUTRE CMD_ERR SIRET_ERR CODE_ROUTAGE_ERR REF_CT_ABSENT REF_ERR PU_ERR REM_ERR QTE_ERR ART_ERR"
    " MODPAI_ERR QUALITE_ERR LIVR_INCOMP"
)
_REFUSED: Final = _codes(
    "TX_TVA_ERR MONTANTTOTAL_ERR CALCUL_ERR NON_CONFORME DOUBLON DEST_ERR TRANSAC_INC EMMET_INC"
    " CONTRAT_TERM DOUBLE_FACT CMD_ERR ADR_ERR REF_CT_ABSENT"
)
_DISPUTED: Final = _codes(
    "AUTRE COORD_BANC_ERR TX_TVA_ERR MONTANTTOTAL_ERR CALCUL_ERR NON_CONFORME DOUBLON DEST_INC"
    " DEST_ERR TRANSAC_INC EMMET_INC CONTRAT_TERM DOUBLE_FACT CMD_ERR ADR_ERR SIRET_ERR"
    " CODE_ROUTAGE_ERR REF_CT_ABSENT REF_ERR PU_ERR REM_ERR QTE_ERR ART_ERR MODPAI_ERR QUALITE_ERR"
    " LIVR_INCOMP"
)
_SUSPENDED: Final = _codes(
    "JUSTIF_ABS COORD_BANC_ERR CMD_ERR SIRET_ERR CODE_ROUTAGE_ERR REF_CT_ABSENT REF_ERR"
)
_REJECTED: Final = _codes(
    "MONTANTTOTAL_ERR CALCUL_ERR DOUBLON DEST_INC ADR_ERR REJ_SEMAN REJ_UNI REJ_COH REJ_ADR"
    " REJ_CONT_B2G REJ_REF_PJ REJ_ASS_PJ"
)
_INADMISSIBLE: Final = _codes(
    "IRR_VIDE_F IRR_TYPE_F IRR_SYNTAX IRR_TAILLE_PJ IRR_NOM_PJ IRR_VID_PJ IRR_EXT_DOC IRR_TAILLE_F"
    " IRR_ANTIVIRUS IRR_NOM_F"
)
_OF_PUBLIC_BUYERS: Final = _codes(
    "RETRAIT_MAN_SERV ST_CT_NON_DECLAR SUPPR_COMP_AVOIR TRANSF_PMNT_REGIE"
)
"""Reasons that only Chorus Pro gives."""

ALL_REASONS: Final = tuple(
    dict.fromkeys(
        (
            *("NON_TRANSMISE", "ROUTAGE_ERR", "CONTACT_ACHTR", *_PARTLY_APPROVED, *_REFUSED),
            *(*_DISPUTED, *_SUSPENDED, *_REJECTED, *_INADMISSIBLE, *_OF_PUBLIC_BUYERS),
        )
    )
)
"""Every reason there is (MDT-113)."""

_REASON_NEEDED: Final = frozenset(["206", "207", "208", "210", "213", "501"])
_OF_FLUX: Final = frozenset(["500", "501"])


class Status(msgspec.Struct, frozen=True):
    """One status (MDT-105).

    `name`: its French one, which goes into the message (MDT-106); `status_code`: UNTDID 1373
    (MDT-88), None where no code is agreed; `reasons` that are allowed: all where none are agreed;
    `by`: who gives it when nobody says.
    """

    code: str
    name: str
    name_en: str
    phase: Phase
    by: Role
    status_code: str | None = None
    reasons: tuple[str, ...] = ALL_REASONS

    @property
    def reason_needed(self) -> bool:
        """Whether it says nothing without a reason (MDT-113)."""
        return self.code in _REASON_NEEDED

    @property
    def of_flux(self) -> bool:
        """Whether it is about a file rather than an invoice."""
        return self.code in _OF_FLUX

    @property
    def by_platform(self) -> bool:
        """Whether platforms give it: it is about transmission."""
        return self.phase is Phase.TRANSMISSION


def _by_platform(
    code: str,
    name: str,
    name_en: str,
    status_code: str | None = None,
    reasons: tuple[str, ...] = ALL_REASONS,
) -> Status:
    return Status(code, name, name_en, Phase.TRANSMISSION, Role.PLATFORM, status_code, reasons)


def _by_party(
    code: str,
    name: str,
    name_en: str,
    by: Role,
    status_code: str,
    reasons: tuple[str, ...] = ALL_REASONS,
) -> Status:
    return Status(code, name, name_en, Phase.PROCESSING, by, status_code, reasons)


_BY, _SE = Role.BUYER, Role.SELLER
_OTHER: Final = "5"
"""UNTDID 1373 for statuses of processing that have no code of their own."""

STATUSES: Final = {
    status.code: status
    for status in (
        _by_platform("200", "Déposée", "deposited", "10", ("NON_TRANSMISE",)),
        _by_platform("201", "Émise", "sent on", "51"),
        _by_platform("202", "Reçue", "received", "43"),
        _by_platform("203", "Mise à disposition", "made available", "48"),
        _by_party("204", "Prise en charge", "taken in charge", _BY, "45"),
        _by_party("205", "Approuvée", "approved", _BY, "1"),
        _by_party("206", "Approuvée partiellement", "partly approved", _BY, "49", _PARTLY_APPROVED),
        _by_party("207", "En litige", "disputed", _BY, "46", _DISPUTED),
        _by_party("208", "Suspendue", "suspended", _BY, "39", _SUSPENDED),
        _by_party("209", "Complétée", "completed", _SE, "37"),
        _by_party("210", "Refusée", "refused", _BY, "50", _REFUSED),
        _by_party("211", "Paiement transmis", "payment sent", _BY, "47"),
        _by_party("212", "Encaissée", "paid", _SE, "47"),
        _by_platform("213", "Rejetée", "rejected", "8", _REJECTED),
        _by_party("214", "Visée", "countersigned", _BY, _OTHER),
        _by_party("220", "Annulée", "cancelled", _SE, _OTHER),
        _by_platform("221", "Erreur de routage", "routing error", None, ("ROUTAGE_ERR",)),
        _by_party("224", "Demande de paiement direct", "direct payment asked for", _SE, _OTHER),
        _by_party("225", "Affacturée", "factored", _SE, _OTHER),
        _by_party("226", "Affacturée confidentiel", "factored in confidence", _SE, _OTHER),
        _by_party("227", "Changement de compte à payer", "other account to pay", _SE, _OTHER),
        _by_platform("500", "Recevable", "admissible"),
        _by_platform("501", "Irrecevable", "inadmissible", None, _INADMISSIBLE),
    )
}
"""Code → status, in the order of the codes."""

DEPOSITED: Final = STATUSES["200"]
RECEIVED_PAYMENT: Final = STATUSES["212"]
REJECTED: Final = STATUSES["213"]
INADMISSIBLE: Final = STATUSES["501"]
