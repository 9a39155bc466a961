"""How alerts are set up, in words: who is told, and what each alert begins at. No secret is read.

The URL of a webhook may be its receiver's secret, so its host alone is shown.
"""

from __future__ import annotations

from gateway.config.alert_settings import Alerts
from gateway.core.acknowledgement.markup import Html, Piece, element
from gateway.service.console.elements import facts, lines
from gateway.service.console.visit import Visit
from gateway.service.console.words import count


def receivers(settings: Alerts) -> dict[str, str]:
    """Who is told: the receiver's name in the journal, and the host."""
    found = {}
    if settings.webhook.url:
        found["webhook"] = settings.webhook.host
    if settings.mail.host:
        found["mail"] = settings.mail.host
    return found


def setup(visit: Visit, settings: Alerts) -> Html:
    """Who is told, and what each alert begins at."""
    say = visit.say
    rows: list[tuple[str, Piece]] = [
        *_told(visit, settings),
        (
            say("A long queue", "File d'attente longue"),
            _or_off(
                visit,
                settings.depth,
                say(
                    f"{count(visit, settings.depth)} files without a verdict, or messages for one"
                    " destination",
                    f"{count(visit, settings.depth)} fichiers sans verdict, ou messages pour une"
                    " destination",
                ),
            ),
        ),
        (
            say("One waits for long", "Attente trop longue"),
            _minutes(visit, settings.oldest_minutes),
        ),
        (
            say("Somebody does not answer", "Quelqu'un ne répond pas"),
            _minutes(visit, settings.outage_minutes),
        ),
        (say("Rejections", "Rejets"), _rejections(visit, settings)),
        (
            say("Free disk space", "Espace disque libre"),
            _or_off(
                visit,
                settings.disk_free_mb,
                say(
                    f"below {count(visit, settings.disk_free_mb)} MB",
                    f"moins de {count(visit, settings.disk_free_mb)} Mo",
                ),
            ),
        ),
        (
            say("Quarantine", "Quarantaine"),
            _or_off(
                visit, settings.quarantine, say("as soon as anything is in it", "dès le premier")
            ),
        ),
        (
            say("An alert is over", "Fin d'une alerte"),
            say(
                f"when its cause has been gone for {settings.calm_minutes} minutes",
                f"quand sa cause a disparu depuis {settings.calm_minutes} minutes",
            ),
        ),
    ]
    return lines(
        facts(rows),
        element(
            "p",
            say(
                "This is the section [alerts] of gateway.toml. Late answers, certificates and what"
                " partners were promised have their own settings: outbox.late_hours,"
                " as2.expiry_warning_days, sla_minutes.",
                "C'est la section [alerts] de gateway.toml. Les réponses en retard, les certificats"
                " et les délais promis aux partenaires ont leurs propres réglages :"
                " outbox.late_hours, as2.expiry_warning_days, sla_minutes.",
            ),
            class_="soft",
        ),
    )


def _told(visit: Visit, settings: Alerts) -> list[tuple[str, Piece]]:
    say, known = visit.say, receivers(settings)
    if not known:
        nobody = say(
            "Nobody: alerts stand on this page alone. Set alerts.webhook.url or alerts.mail.host,"
            " and restart the gateway.",
            "Personne : les alertes n'apparaissent que sur cette page. Réglez alerts.webhook.url"
            " ou alerts.mail.host, puis redémarrez la passerelle.",
        )
        return [(say("Told", "Prévenus"), nobody)]
    rows: list[tuple[str, Piece]] = []
    if "webhook" in known:
        where = say(f"JSON, posted to {known['webhook']}", f"JSON, envoyé à {known['webhook']}")
        rows.append(("webhook", where))
    if "mail" in known:
        to = ", ".join(settings.mail.recipients)
        by = say(f"by way of {known['mail']}", f"par {known['mail']}")
        rows.append(("mail", lines(element("bdi", to), by)))
    return rows


def _minutes(visit: Visit, minutes: int) -> str:
    return _or_off(visit, minutes, visit.say(f"for {minutes} minutes", f"depuis {minutes} minutes"))


def _rejections(visit: Visit, settings: Alerts) -> str:
    return _or_off(
        visit,
        settings.reject_percent,
        visit.say(
            f"{settings.reject_percent} % of {settings.reject_documents} documents or more of a"
            f" flow, in {settings.reject_minutes} minutes",
            f"{settings.reject_percent} % d'au moins {settings.reject_documents} documents d'un"
            f" flux, en {settings.reject_minutes} minutes",
        ),
    )


def _or_off(visit: Visit, on: object, words: str) -> str:
    return words if on else visit.say("switched off", "désactivé")
