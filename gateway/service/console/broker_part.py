"""The part of the queue's page that is about the broker's own queues."""

from __future__ import annotations

import datetime as dt

from gateway.core.acknowledgement.markup import Html, Piece, element
from gateway.service.broker_queues import BrokerQueues, Depth, Known
from gateway.service.console.elements import chip, empty, lines, table
from gateway.service.console.visit import Visit
from gateway.service.console.words import count, moment, since


def broker_part(visit: Visit, found: BrokerQueues, now: dt.datetime) -> Html:
    """How much waits in each queue and how many take it; or why that is not known, in words."""
    say = visit.say
    match found.known:
        case Known.FILES:
            return empty(
                say(
                    "There is no broker: results are files below publications/ in the state"
                    " directory. With rabbitmq.host set, the broker's queues stand here, with what"
                    " waits in each and who takes it.",
                    "Pas de courtier : les résultats sont des fichiers sous publications/ dans le"
                    " répertoire d'état. Avec rabbitmq.host, les files du courtier apparaissent"
                    " ici, avec ce qui y attend et qui le prend.",
                )
            )
        case Known.AWAY:
            words = say(
                "The broker is away, so nobody knows what waits there. Results wait above and are"
                " sent when it is back.",
                "Le courtier est absent : nul ne sait ce qui y attend. Les résultats attendent"
                " ci-dessus et partiront à son retour.",
            )
            return element("p", lines(words, found.error), class_="note")
        case Known.BLOCKED:
            words = say(
                "The broker is short of memory or disk: it takes nothing now, and tells nothing."
                " See its log; sending goes on by itself.",
                "Le courtier manque de mémoire ou de disque : il ne prend et ne dit rien pour"
                " l'instant. Voyez son journal ; l'envoi reprendra tout seul.",
            )
            return element("p", words, class_="note")
        case Known.ASKED:
            words = say(
                "The broker is being asked. Load the page again in a moment.",
                "Le courtier est interrogé. Rechargez la page dans un instant.",
            )
            return element("p", words, class_="soft")
        case Known.SILENT:
            words = say(
                "The broker did not say what waits there; it is asked again by the next look.",
                "Le courtier n'a pas dit ce qui y attend ; il sera interrogé à la prochaine"
                " consultation.",
            )
            return element("p", lines(words, found.error), class_="note")
        case Known.ANSWERED:
            return _answered(visit, found, now)


def _answered(visit: Visit, found: BrokerQueues, now: dt.datetime) -> Html:
    say = visit.say
    at = found.at or now
    return lines(
        table(
            say("Queues of the broker", "Files du courtier"),
            [
                say("Queue", "File"),
                say("Messages ready", "Messages prêts"),
                say("Consumers", "Consommateurs"),
                say("What to know", "À savoir"),
            ],
            [_row(visit, each) for each in found.queues],
            figures=(1, 2),
        ),
        element(
            "p",
            say("As of ", "Relevé : "),
            moment(visit, at),
            f" ({since(visit, now, at)}). ",
            say(
                "What a consumer holds and has not confirmed is not counted.",
                "Ce qu'un consommateur détient sans l'avoir confirmé n'est pas compté.",
            ),
            class_="soft",
        ),
    )


def _row(visit: Visit, each: Depth) -> list[Piece]:
    say = visit.say
    if each.messages is None or each.consumers is None:
        told = say(
            "The broker does not show it. If it is missing, it is declared when a result comes"
            " back for want of it (rabbitmq.declare); if others make the queues, nothing is wrong.",
            "Le courtier ne la montre pas. Si elle manque, elle est déclarée dès qu'un résultat"
            " revient faute d'elle (rabbitmq.declare) ; si d'autres font les files, tout va bien.",
        )
        return [
            each.queue,
            "?",
            "?",
            lines(chip(say("unknown", "inconnue"), "warn"), told, each.error),
        ]
    nobody: Piece = ""
    if each.messages and not each.consumers:
        told = say(
            "It fills up until a consumer comes.", "Elle se remplit en attendant un consommateur."
        )
        nobody = lines(chip(say("nobody takes them", "personne ne les prend"), "warn"), told)
    return [each.queue, count(visit, each.messages), count(visit, each.consumers), nobody]
