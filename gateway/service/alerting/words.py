"""What alerts say to an operator, in both languages: sentences without links, commands to type.

What others wrote (a server's error) is shortened, and neither a terminal nor a mail program finds
anything in it to obey or to click on.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import Final

from gateway.harmless import harmless
from gateway.model.verdict import Text

MOST_NAMED: Final = 3
MOST_LETTERS: Final = 300
_LINK: Final = re.compile(r"\b[a-z][a-z0-9+.-]*://(?:[^\s/@]*@)?([^\s/?#:]+)[^\s]*", re.IGNORECASE)


def unlinked(text: str) -> str:
    """Somebody else's words: of a URL only its host, on one line, not too long."""
    line = " ".join(harmless(_LINK.sub(r"\1", text)).split())
    return line if len(line) <= MOST_LETTERS else line[: MOST_LETTERS - 1] + "…"


def names(partners: Sequence[str]) -> Text:
    """a, b, c and 4 more."""
    shown, more = ", ".join(partners[:MOST_NAMED]), len(partners) - MOST_NAMED
    if more <= 0:
        return Text(shown, shown)
    return Text(f"{shown} and {more} more", f"{shown} et {more} autres")


def span(time: dt.timedelta) -> Text:
    """42 s, 7 min, 3 h, 12 days."""
    seconds = max(0, int(time.total_seconds()))
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return Text(f"{seconds // size} {unit}", f"{seconds // size} {unit}")
    return Text(f"{seconds // 86_400} days", f"{seconds // 86_400} jours")


def moment(at: dt.datetime) -> str:
    """To the minute, in UTC."""
    return f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"


def _for(number: int, one: Text, many: Text) -> Text:
    """The sentence for one, or that for more."""
    return one if number == 1 else many


def intake_depth(number: int, partners: Sequence[str]) -> Text:
    """Interchanges wait for a verdict."""
    who = names(partners)
    return Text(
        f"{number} interchanges wait for their verdict, most of them of {who.en}.",
        f"{number} interchanges attendent leur verdict, la plupart de {who.fr}.",
    )


INTAKE_REMEDY: Final = Text(
    "See whether all judges work: edi-gateway status. What waits: edi-gateway interchanges"
    " --state received",
    "Vérifiez que tous les juges travaillent : edi-gateway status. Ce qui attend : edi-gateway"
    " interchanges --state received",
)


def intake_age(age: dt.timedelta, partners: Sequence[str]) -> Text:
    """The oldest interchange without a verdict."""
    old, who = span(age), names(partners)
    return Text(
        f"An interchange has waited for its verdict for {old.en}; what waits is of {who.en}.",
        f"Un interchange attend son verdict depuis {old.fr} ; attendent ceux de {who.fr}.",
    )


def outbox_depth(destination: str, number: int) -> Text:
    """Messages wait for a destination."""
    return _for(
        number,
        Text(
            f"One message waits for {destination}.",
            f"Un message attend d’être remis ({destination}).",
        ),
        Text(
            f"{number} messages wait for {destination}.",
            f"{number} messages attendent d’être remis ({destination}).",
        ),
    )


def outbox_age(destination: str, age: dt.timedelta, partners: Sequence[str]) -> Text:
    """The oldest message for a destination that answers."""
    old, who = span(age), names(partners)
    of_en, of_fr = (f" of {who.en}", f" de {who.fr}") if partners else ("", "")
    return Text(
        f"A message{of_en} has waited for {destination} for {old.en}.",
        f"Un message{of_fr} attend d’être remis ({destination}) depuis {old.fr}.",
    )


QUEUES_REMEDY: Final = Text(
    "See what keeps them: edi-gateway queues",
    "Voyez ce qui les retient : edi-gateway queues",
)


def broker_away(error: str) -> Text:
    """RabbitMQ does not answer."""
    said = unlinked(error)
    return Text(
        f"The broker does not answer; results wait here. It said: {said}",
        f"Le broker ne répond pas ; les résultats attendent ici. Il a dit : {said}",
    )


BROKER_REMEDY: Final = Text(
    "See whether RabbitMQ runs, can be reached, and takes our login. Nothing is lost meanwhile;"
    " what waits: edi-gateway queues",
    "Vérifiez que RabbitMQ tourne, est joignable et accepte notre compte. Rien n’est perdu en"
    " attendant ; ce qui attend : edi-gateway queues",
)


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


def pool_broken(pool: str) -> Text:
    """No worker of a pool starts."""
    if pool == "judges":
        return Text(
            "No judge starts: files are taken in, and nothing is judged.",
            "Aucun juge ne démarre : les fichiers sont reçus, mais rien n’est jugé.",
        )
    return Text(
        f"No worker of {pool} starts: partners who send by AS2 are put off.",
        f"Aucun processus {pool} ne démarre : les envois AS2 des partenaires sont différés.",
    )


POOL_REMEDY: Final = Text(
    "See why in the log (workers_broken), and what edi-gateway check says. They are tried again"
    " every minute.",
    "Voyez pourquoi dans le journal système (workers_broken), et ce que dit edi-gateway check. Ils"
    " sont relancés chaque minute.",
)


def rejections(flow: str, percent: int, number: int, partners: Sequence[str]) -> Text:
    """Many documents of a flow were rejected."""
    who = names(partners)
    return Text(
        f"{percent} % of {number} documents of {flow} were rejected, most of them of {who.en}.",
        f"{percent} % de {number} documents de {flow} ont été rejetés, la plupart de {who.fr}.",
    )


REJECTIONS_REMEDY: Final = Text(
    "One partner: see its findings with edi-gateway interchanges --partner NAME. All of them: see"
    " whether a new version of the rules came into force (edi-gateway rules).",
    "Un seul partenaire : voyez ses anomalies avec edi-gateway interchanges --partner NOM. Tous :"
    " voyez si une nouvelle version des règles est entrée en vigueur (edi-gateway rules).",
)


def late(partner: str, number: int, hours: int) -> Text:
    """Acknowledgements have not left in the time platforms have."""
    return _for(
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
    return _for(
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
    return _for(
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
        left = (until - now).days
        in_days = Text("less than a day", "moins d’un jour")
        if left:
            in_days = _for(left, Text("one day", "un jour"), Text(f"{left} days", f"{left} jours"))
        en, fr = f"expires in {in_days.en}, on {day}", f"expire dans {in_days.fr}, le {day}"
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


def disk(free_mb: int) -> Text:
    """Little is left."""
    return Text(
        f"{free_mb} MB are free where the state directory is. Below intake.min_free_mb partners are"
        " refused.",
        f"Il reste {free_mb} Mo là où se trouve le répertoire d’état. En dessous de"
        " intake.min_free_mb, les partenaires sont refusés.",
    )


DISK_REMEDY: Final = Text(
    "Make room: edi-gateway purge frees what nobody has to keep any more; or enlarge the disk.",
    "Faites de la place : edi-gateway purge libère ce que plus personne ne doit conserver ; ou"
    " agrandissez le disque.",
)


def quarantine(number: int) -> Text:
    """The gateway could not judge something."""
    return _for(
        number,
        Text(
            "An interchange could not be judged and waits for a human.",
            "Un interchange n’a pas pu être jugé et attend quelqu’un.",
        ),
        Text(
            f"{number} interchanges could not be judged and wait for a human.",
            f"{number} interchanges n’ont pas pu être jugés et attendent quelqu’un.",
        ),
    )


QUARANTINE_REMEDY: Final = Text(
    "See why, then release or discard them: edi-gateway quarantine list",
    "Voyez pourquoi, puis libérez-les ou écartez-les : edi-gateway quarantine list",
)


def dead(destination: str, number: int) -> Text:
    """A destination refused messages too often."""
    return _for(
        number,
        Text(
            f"A message to {destination} was refused too often and is not tried any more.",
            f"Un message ({destination}) a été refusé trop souvent et n’est plus tenté.",
        ),
        Text(
            f"{number} messages to {destination} were refused too often and are not tried any"
            " more.",
            f"{number} messages ({destination}) ont été refusés trop souvent et ne sont plus"
            " tentés.",
        ),
    )


DEAD_REMEDY: Final = Text(
    "See why: edi-gateway queues. Once the cause is mended: edi-gateway resend ID",
    "Voyez pourquoi : edi-gateway queues. Une fois la cause réparée : edi-gateway resend ID",
)
