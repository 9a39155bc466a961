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


def one_or_more(number: int, one: Text, many: Text) -> Text:
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
    return one_or_more(
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
    return one_or_more(
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
    return one_or_more(
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
