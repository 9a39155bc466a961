"""Partners and their ways in, and every certificate with the day it expires."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.config.certificates import Held
from gateway.core.acknowledgement.markup import Html, Piece, element
from gateway.model.partner import Partner
from gateway.service.console.elements import chip, empty, lines, link, table
from gateway.service.console.layout import page
from gateway.service.console.sources import Sources
from gateway.service.console.visit import ROOT, Route, Visit
from gateway.service.http_server import Answer

SOON_DAYS = 30


class PartnersPage:
    """Both lists."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def routes(self) -> list[Route]:
        """What is answered here."""
        return [Route(method="GET", path=f"{ROOT}/partners", page=self.show)]

    async def show(self, visit: Visit) -> Answer:
        """Partners by name, certificates by the day they expire."""
        say = visit.say
        partners = sorted(self._sources.partners.values(), key=lambda each: each.name)
        pieces: list[Piece] = []
        if partners:
            pieces.append(self._partners(visit, partners))
        else:
            pieces.append(
                empty(
                    say(
                        "There is no partner yet. Each has a file in conf/partners;"
                        " `edi-gateway partner add NAME` writes one and asks what it must know,"
                        " `edi-gateway reload` takes it over.",
                        "Aucun partenaire. Chacun a un fichier dans conf/partners ; `edi-gateway"
                        " partner add NOM` l'écrit en posant les questions utiles, `edi-gateway"
                        " reload` le prend en compte.",
                    )
                )
            )
        pieces += [
            element("h2", say("AS2 certificates", "Certificats AS2")),
            self._certificates(visit),
        ]
        return page(visit, say("Partners", "Partenaires"), *pieces, active="partners")

    def _partners(self, visit: Visit, rows: list[Partner]) -> Html:
        say = visit.say
        return table(
            say("By name", "Par nom"),
            [
                say("Partner", "Partenaire"),
                say("Channels", "Canaux"),
                say("Flows", "Flux"),
                say("Language", "Langue"),
                say("Description", "Description"),
            ],
            [
                [
                    lines(
                        link(each.name, f"/partners/{each.name}"),
                        None if each.enabled else chip(say("switched off", "désactivé"), "warn"),
                    ),
                    ", ".join(channels(each)),
                    ", ".join(each.flows),
                    each.language.value,
                    each.description,
                ]
                for each in rows
            ],
        )

    def _certificates(self, visit: Visit) -> Html:
        say = visit.say
        held = self._sources.certificates.days_left()
        if not held:
            return empty(
                say(
                    "No AS2 certificate is in use. `edi-gateway cert import` takes a partner's in,"
                    " `edi-gateway cert rotate` makes one of ours.",
                    "Aucun certificat AS2 en usage. `edi-gateway cert import` prend celui d'un"
                    " partenaire, `edi-gateway cert rotate` en crée un des nôtres.",
                )
            )
        return certificate_table(visit, held)


def certificate_table(visit: Visit, held: Iterable[tuple[Held, float]]) -> Html:
    """Certificates with the days each is good for still, the next to expire first."""
    say = visit.say
    rows: list[list[Piece]] = []
    for each, days in sorted(held, key=lambda pair: pair[1]):
        certificate = each.certificate
        if days < 0:
            told: Piece = chip(say("expired", "expiré"), "bad")
        elif days < SOON_DAYS:
            told = chip(say(f"{days:.0f} days left", f"encore {days:.0f} jours"), "warn")
        else:
            told = say(f"{days:.0f} days left", f"encore {days:.0f} jours")
        rows.append(
            [
                each.owner or say("ours", "le nôtre"),
                certificate.subject.rfc4514_string(),
                f"{certificate.not_valid_after_utc:%Y-%m-%d}",
                told,
                each.file.name,
            ]
        )
    return table(
        say("The next to expire first", "Les premiers à expirer d'abord"),
        [
            say("Whose", "De qui"),
            say("Subject", "Sujet"),
            say("Valid until", "Valide jusqu'au"),
            say("Left", "Reste"),
            say("File", "Fichier"),
        ],
        rows,
    )


def channels(partner: Partner) -> list[str]:
    """The ways a partner has to and from us."""
    named = {
        "SFTP": partner.sftp,
        "AS2": partner.as2,
        "HTTPS": partner.http,
        "SFTP (its server)": partner.sftp_remote,
        "folder": partner.folder,
    }
    return [name for name, access in named.items() if access is not None]
