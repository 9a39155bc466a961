"""What alerts say of one partner, or of what was agreed with partners: promises, certificates."""

from __future__ import annotations

import datetime as dt
from typing import Final

from gateway.model.verdict import Text
from gateway.service.alerting.words import one_or_more, span, unlinked


def partner_away(partner: str, destination: str, error: str) -> Text:
    """A partner's side does not answer."""
    said = unlinked(error)
    return Text(
        f"{partner} does not answer by {destination}; its acknowledgements wait. Last: {said}",
        f"{partner} ne répond pas par {destination} ; ses acquittements attendent. Dernière"
        f" erreur : {said}",
    )


PARTNER_REMEDY: Final = Text(
    "Ask the partner whether its server is up. It is tried again by itself; what waits:"
    " edi-gateway queues",
    "Demandez au partenaire si son serveur fonctionne. La remise est retentée d’elle-même ; ce qui"
    " attend : edi-gateway queues",
)


def late(partner: str, number: int, hours: int) -> Text:
    """Acknowledgements have not left in the time platforms have."""
    return one_or_more(
        number,
        Text(
            f"An interchange of {partner} is not fully answered {hours} h after its receipt, or its"
            " statuses after the verdict.",
            f"Un interchange de {partner} n’a pas toutes ses réponses {hours} h après réception, ou"
            " ses statuts après le verdict.",
        ),
        Text(
            f"{number} interchanges of {partner} are not fully answered {hours} h after their"
            " receipt, or statuses after the verdict.",
            f"{number} interchanges de {partner} n’ont pas toutes leurs réponses {hours} h après"
            " réception, ou leurs statuts après le verdict.",
        ),
    )


LATE_REMEDY: Final = Text(
    "See what keeps them: edi-gateway status; of one: edi-gateway show ID",
    "Voyez ce qui les retient : edi-gateway status ; pour un seul : edi-gateway show ID",
)


def sla(partner: str, number: int, minutes: int) -> Text:
    """A partner was promised to be answered sooner."""
    return one_or_more(
        number,
        Text(
            f"An interchange of {partner} was not acknowledged within {minutes} minutes, as was"
            " promised.",
            f"Un interchange de {partner} n’a pas été acquitté dans les {minutes} minutes"
            " promises.",
        ),
        Text(
            f"{number} interchanges of {partner} were not acknowledged within {minutes} minutes, as"
            " was promised.",
            f"{number} interchanges de {partner} n’ont pas été acquittés dans les {minutes} minutes"
            " promises.",
        ),
    )


def sla_remedy(partner: str) -> Text:
    """Where to look."""
    command = f"edi-gateway interchanges --partner {partner}"
    return Text(
        f"See where they stand: {command}; what keeps one: edi-gateway show ID",
        f"Voyez où ils en sont : {command} ; ce qui en retient un : edi-gateway show ID",
    )


def mdn(partner: str, number: int) -> Text:
    """Asynchronous receipts do not come."""
    return one_or_more(
        number,
        Text(
            f"{partner} took a message by AS2 and owes the receipt (MDN).",
            f"{partner} a pris un message par AS2 et n’en a pas envoyé l’accusé (MDN).",
        ),
        Text(
            f"{partner} took {number} messages by AS2 and owes the receipts (MDN).",
            f"{partner} a pris {number} messages par AS2 et n’en a pas envoyé les accusés (MDN).",
        ),
    )


MDN_REMEDY: Final = Text(
    "Ask the partner what its AS2 log says, and whether it reaches our URL for receipts"
    " (as2.mdn_url). The messages are sent again by themselves.",
    "Demandez au partenaire ce que dit son journal AS2, et s’il atteint notre adresse pour les"
    " accusés (as2.mdn_url). Les messages sont renvoyés d’eux-mêmes.",
)


def certificate(
    subject: str, partner: str, file: str, until: dt.datetime, now: dt.datetime
) -> Text:
    """The last certificate of somebody runs out, or has."""
    day = f"{until:%Y-%m-%d}"
    if subject == "https":
        whose = Text("The certificate of our HTTPS listener", "Le certificat de notre HTTPS")
    elif subject == "management":
        whose = Text(
            "The certificate of console and metrics", "Le certificat de la console et des métriques"
        )
    elif subject == "ours":
        whose = Text("Our last AS2 certificate", "Notre dernier certificat AS2")
    else:
        whose = Text(
            f"The last AS2 certificate of {partner}", f"Le dernier certificat AS2 de {partner}"
        )
    if until <= now:
        en, fr = f"expired on {day}", f"a expiré le {day}"
    else:
        left = span(until - now)
        en, fr = f"expires in {left.en}, on {day}", f"expire dans {left.fr}, le {day}"
    return Text(f"{whose.en} ({file}) {en}.", f"{whose.fr} ({file}) {fr}.")


def certificate_remedy(subject: str, partner: str) -> Text:
    """How the next one comes."""
    if subject in {"https", "management"}:
        setting = f"{'http' if subject == 'https' else subject}.tls.certificate_file"
        return Text(
            f"Put the next one where {setting} says, and run: edi-gateway reload",
            f"Placez le suivant là où l’indique {setting}, puis : edi-gateway reload",
        )
    if subject == "ours":
        command = "edi-gateway cert rotate --ours --new"
        return Text(
            f"Make the next one and hand it to the partners: {command}",
            f"Créez le suivant et remettez-le aux partenaires : {command}",
        )
    return Text(
        f"Ask the partner for its next one: edi-gateway cert import FILE --partner {partner}",
        f"Demandez le suivant au partenaire : edi-gateway cert import FICHIER --partner {partner}",
    )
