"""One partner: how it is set up, and a trial of it, AS2 rehearsed, step by step.

Nothing is sent to the partner: a stranger plays it, as `edi-gateway partner check` has it. Its own
servers are reached where somebody ticks that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from gateway.core.acknowledgement.markup import Html, Piece, element
from gateway.core.acknowledgement.page_words import typeset
from gateway.model.interchange import Environment
from gateway.model.partner import Partner
from gateway.model.verdict import Text
from gateway.service.console import notices
from gateway.service.console.doing import do
from gateway.service.console.elements import chip, facts, form, lines, link, table
from gateway.service.console.layout import page
from gateway.service.console.partners_page import certificate_table, channels
from gateway.service.console.sources import Sources
from gateway.service.console.users import Role
from gateway.service.console.visit import ROOT, Route, Visit
from gateway.service.console.words import count
from gateway.service.http_server import Answer

_CHECKS: Final = {
    "configuration": Text(en="files of the configuration", fr="fichiers de configuration"),
    "folder": Text(en="folder", fr="dossier"),
    "partner": Text(en="partner", fr="partenaire"),
    "certificate": Text(en="certificate", fr="certificat"),
    "as2": Text(en="AS2 message and receipt", fr="message AS2 et son accusé"),
    "connection": Text(en="connection to its server", fr="connexion à son serveur"),
}
_RESULTS: Final = {
    "ok": (Text(en="works", fr="fonctionne"), "good"),
    "notice": (Text(en="to know", fr="à savoir"), "warn"),
    "skipped": (Text(en="not tried", fr="non essayé"), ""),
    "fault": (Text(en="would fail", fr="échouerait"), "bad"),
}


class PartnerPage:
    """The page of one partner."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def routes(self) -> list[Route]:
        """What is answered here."""
        here = f"{ROOT}/partners/{{name}}"
        return [
            Route(method="GET", path=here, page=self.show),
            Route(method="POST", path=f"{here}/try", page=self.attempt, role=Role.OPERATOR),
        ]

    async def show(self, visit: Visit) -> Answer:
        """How it is set up."""
        partner = self._sources.partners.get(visit.words["name"])
        return notices.no_partner(visit.language) if partner is None else self._page(visit, partner)

    async def attempt(self, visit: Visit) -> Answer:
        """Try it, and show what worked and what to do otherwise."""
        partner = self._sources.partners.get(visit.words["name"])
        if partner is None:
            return notices.no_partner(visit.language)
        answer = await do(
            self._sources,
            visit,
            "partner.try",
            partner=partner.name,
            language=visit.language.value,
            connect="connect" in visit.form,
        )
        return self._page(visit, partner, *_tried(visit, answer))

    def _page(self, visit: Visit, partner: Partner, *tried: Piece) -> Answer:
        say, name = visit.say, partner.name
        held = [
            (each, days)
            for each, days in self._sources.certificates.days_left()
            if each.owner == name
        ]
        pieces: list[Piece] = [
            element("p", link(say("All partners", "Tous les partenaires"), "/partners")),
            *tried,
            facts(_facts(visit, partner)),
            element(
                "p",
                link(say("What it sent", "Ses envois"), f"/interchanges?partner={name}"),
            ),
        ]
        if held:
            pieces += [
                element("h2", say("AS2 certificates", "Certificats AS2")),
                certificate_table(visit, held),
            ]
        if visit.may(Role.OPERATOR):
            pieces += [element("h2", say("Test exchange", "Échange d'essai")), _offer(visit, name)]
        return page(visit, name, *pieces, active="partners")


def _facts(visit: Visit, partner: Partner) -> list[tuple[str, Piece]]:
    say = visit.say
    state: Piece = chip(say("switched on", "activé"), "good")
    if not partner.enabled:
        state = chip(say("switched off", "désactivé"), "warn")
    test = partner.environment is Environment.TEST
    none = say("none", "aucun")
    return [
        (say("State", "État"), state),
        (say("Description", "Description"), partner.description or None),
        (
            say("Environment", "Environnement"),
            say("test: apart from production", "test : à part de la production")
            if test
            else say("production", "production"),
        ),
        (say("Channels", "Canaux"), ", ".join(channels(partner)) or none),
        (say("Flows", "Flux"), ", ".join(partner.flows) or none),
        (say("Language", "Langue"), partner.language.value),
        (say("AS2 name", "Nom AS2"), element("bdi", partner.as2.id) if partner.as2 else None),
        (
            say("Promised answer", "Réponse promise"),
            say(
                f"within {count(visit, partner.sla_minutes)} minutes",
                f"en {count(visit, partner.sla_minutes)} minutes",
            )
            if partner.sla_minutes
            else None,
        ),
    ]


def _offer(visit: Visit, name: str) -> Html:
    """What a trial does, and the button."""
    say = visit.say
    return lines(
        element(
            "p",
            say(
                "Tries all that is set up for this partner: its file, its folders, its"
                " certificates; and AS2 in both directions with every algorithm it may use,"
                " receipts included. A stranger with a key of its own plays the partner: nothing"
                " is sent to it, and nothing is received. It goes by the files as they are now,"
                " also where they have not been reloaded yet.",
                "Essaie tout ce qui est réglé pour ce partenaire : son fichier, ses dossiers, ses"
                " certificats ; et AS2 dans les deux sens, avec chaque algorithme permis, accusés"
                " compris. Un inconnu muni de sa propre clé joue le partenaire : rien ne lui est"
                " envoyé, rien n'est reçu. L'essai suit les fichiers tels qu'ils sont maintenant,"
                " même s'ils n'ont pas encore été rechargés.",
            ),
        ),
        form(
            visit,
            f"/partners/{name}/try",
            element(
                "p",
                element(
                    "label",
                    element("input", type="checkbox", name="connect", value="yes"),
                    say(
                        " Also connect to its own servers, AS2 and SFTP, from the gateway. Nothing"
                        " is posted, fetched, moved or written.",
                        " Se connecter aussi à ses propres serveurs, AS2 et SFTP, depuis la"
                        " passerelle. Rien n'est envoyé, récupéré, déplacé ni écrit.",
                    ),
                ),
            ),
            element("button", say("Try", "Essayer")),
        ),
    )


def _tried(visit: Visit, answer: dict[str, Any]) -> list[Piece]:
    say, faults, notes = visit.say, int(answer["faults"]), int(answer["notices"])
    if faults:
        number = count(visit, faults)
        words = say(
            f"{number} of these would fail in an exchange.",
            f"{number} de ces étapes échoueraient dans un échange.",
        )
        said = element("p", words, class_="failed", role="status")
    elif notes:
        words = say(
            "Nothing would fail; see what to know.",
            "Rien n'échouerait ; voyez ce qu'il faut savoir.",
        )
        said = element("p", words, class_="note", role="status")
    else:
        words = say("Everything that was tried works.", "Tout ce qui a été essayé fonctionne.")
        said = element("p", words, class_="done", role="status")
    return [said, _steps(visit, answer["steps"])]


def _steps(visit: Visit, steps: Sequence[dict[str, str]]) -> Html:
    say = visit.say
    rows: list[list[Piece]] = []
    for step in steps:
        check, result = _CHECKS.get(step["check"]), _RESULTS.get(step["result"])
        told, tone = (
            (step["result"], "") if result is None else (result[0].to(visit.language), result[1])
        )
        where = ": ".join(filter(None, (step.get("file"), step.get("key"))))
        rows.append(
            [
                step["check"] if check is None else check.to(visit.language),
                element("bdi", step.get("subject", "")),
                chip(told, tone),
                lines(
                    typeset(step.get("what") or step.get("detail", ""), visit.language),
                    element("code", where) if where else None,
                ),
                typeset(step.get("remedy", ""), visit.language),
            ]
        )
    return table(
        say("Step by step", "Étape par étape"),
        [
            say("Step", "Étape"),
            say("Of what", "De quoi"),
            say("Outcome", "Issue"),
            say("Found", "Constat"),
            say("What to do", "Que faire"),
        ],
        rows,
    )
