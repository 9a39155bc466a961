"""What an operator does to one interchange: release, set aside, replay, send the report again.

A replay is tried first: what is committed is what the page of the trial showed, and nothing else.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from gateway.core.acknowledgement.markup import Html, Piece, element
from gateway.model.verdict import Text
from gateway.service.console import notices
from gateway.service.console.doing import do
from gateway.service.console.elements import chip, field, form, link, table
from gateway.service.console.layout import page
from gateway.service.console.sources import Sources
from gateway.service.console.users import Role
from gateway.service.console.visit import ROOT, Route, Visit, go_to
from gateway.service.console.words import count, state_word
from gateway.service.http_server import Answer
from gateway.service.quarantine import MAX_REASON

_NO_DAY = Text(
    en="The day of the rules is written as 2026-09-01.",
    fr="Le jour des règles s'écrit 2026-09-01.",
)
_UNTRIED = Text(
    en="Try it first: what is committed is what a trial has shown.",
    fr="Faites d'abord l'essai : seul ce qu'un essai a montré peut être validé.",
)


class Acting:
    """Pages that change one interchange."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def routes(self) -> list[Route]:
        """What is answered here."""
        here = f"{ROOT}/interchanges/{{interchange}}"
        operator = Role.OPERATOR
        return [
            Route(method="POST", path=f"{here}/release", page=self.release, role=operator),
            Route(method="GET", path=f"{here}/discard", page=self.ask_why, role=operator),
            Route(method="POST", path=f"{here}/discard", page=self.discard, role=operator),
            Route(method="POST", path=f"{here}/resend", page=self.resend, role=operator),
            Route(method="GET", path=f"{here}/replay", page=self.ask_day, role=operator),
            Route(method="POST", path=f"{here}/replay", page=self.attempt, role=operator),
            Route(method="POST", path=f"{here}/replay/commit", page=self.commit, role=operator),
        ]

    async def release(self, visit: Visit) -> Answer:
        """Out of quarantine: judged again."""
        id_ = visit.about.id
        answer = await do(self._sources, visit, "quarantine.release", interchange=id_)
        return _back(id_, "released" if answer["documents"] else "unchanged")

    async def ask_why(self, visit: Visit) -> Answer:
        """Why it is set aside: its sender reads this."""
        say, row = visit.say, visit.about
        return page(
            visit,
            say("Set aside", "Mettre de côté"),
            _crumb(visit),
            element(
                "p",
                say(
                    "What is in quarantine is never judged then. Its sender is told so in a report,"
                    " with your reason, and asked to send it again.",
                    "Ce qui est en quarantaine ne sera jamais contrôlé. Son expéditeur l'apprend"
                    " par un rapport, avec votre motif, et est prié de le renvoyer.",
                ),
            ),
            form(
                visit,
                f"/interchanges/{row.id}/discard",
                field(
                    say("Reason, as the sender reads it", "Motif, tel que l'expéditeur le lit"),
                    "reason",
                    required="",
                    maxlength=str(MAX_REASON),
                ),
                element("button", say("Set aside for good", "Mettre de côté définitivement")),
            ),
            active="quarantine",
        )

    async def discard(self, visit: Visit) -> Answer:
        """Set aside."""
        id_, reason = visit.about.id, visit.form.get("reason", "")
        answer = await do(
            self._sources, visit, "quarantine.discard", interchange=id_, reason=reason
        )
        return _back(id_, "discarded" if answer["documents"] else "unchanged")

    async def resend(self, visit: Visit) -> Answer:
        """Its report, once more."""
        id_ = visit.about.id
        await do(self._sources, visit, "resend", interchange=id_, kind="report")
        return _back(id_, "resent")

    async def ask_day(self, visit: Visit) -> Answer:
        """By the rules of which day it is tried."""
        say, row = visit.say, visit.about
        return page(
            visit,
            say("Replay", "Rejouer"),
            _crumb(visit),
            element(
                "p",
                say(
                    "The stored file is judged again by today's gateway. First a trial: it shows"
                    " which verdicts would change, and writes nothing. An archive of thousands of"
                    " documents takes minutes.",
                    "Le fichier conservé est contrôlé à nouveau par la passerelle d'aujourd'hui."
                    " D'abord un essai : il montre quels verdicts changeraient et n'écrit rien. Une"
                    " archive de milliers de documents prend quelques minutes.",
                ),
            ),
            form(
                visit,
                f"/interchanges/{row.id}/replay",
                field(
                    say("Rules of this day", "Règles de ce jour"),
                    "rules",
                    say(
                        f"Empty: those of the day it was received, {row.received_at:%Y-%m-%d}.",
                        f"Vide : celles du jour de réception, {row.received_at:%d/%m/%Y}.",
                    ),
                    type="date",
                ),
                element("button", say("Try", "Essayer")),
            ),
            active="interchanges",
        )

    async def attempt(self, visit: Visit) -> Answer:
        """What would change; nothing is written."""
        day = _day(visit)
        if day is None:
            return notices.invalid(visit.language, _NO_DAY)
        id_ = visit.about.id
        arguments = {"interchange": id_, **({"rules": day} if day else {})}
        answer = await do(self._sources, visit, "replay.try", **arguments)
        say = visit.say
        total, changed = int(answer["documents"]), int(answer["changed"])
        told = say(
            f"{count(visit, total)} judged again, {count(visit, changed)} would change.",
            f"{count(visit, total)} contrôlés à nouveau, {count(visit, changed)} changeraient.",
        )
        pieces: list[Piece] = [
            _crumb(visit),
            element("p", told, class_="note" if changed else "calm", role="status"),
        ]
        if answer["differences"]:
            pieces.append(_differences(visit, answer["differences"]))
        left = changed - len(answer["differences"])
        if left > 0:
            pieces.append(element("p", say(f"And {left} more.", f"Et {left} de plus.")))
        pieces += [
            element(
                "p",
                say(
                    "Committing takes the present verdicts back: consumers get each result as a new"
                    " revision, the sender a new report.",
                    "Valider retire les verdicts actuels : les consommateurs reçoivent chaque"
                    " résultat en nouvelle révision, l'expéditeur un nouveau rapport.",
                ),
            ),
            element(
                "div",
                form(
                    visit,
                    f"/interchanges/{id_}/replay/commit",
                    element("input", type="hidden", name="rules", value=day),
                    element(
                        "input",
                        type="hidden",
                        name="tried",
                        value=visit.login.token(_purpose(id_, day)),
                    ),
                    element("button", say("Commit the replay", "Valider le nouveau contrôle")),
                ),
                element(
                    "a",
                    say("Leave it as it is", "Laisser tel quel"),
                    href=f"{ROOT}/interchanges/{id_}",
                    class_="button second",
                ),
                class_="actions",
            ),
        ]
        title = say("What a replay would change", "Ce qu'un nouveau contrôle changerait")
        return page(visit, title, *pieces, active="interchanges")

    async def commit(self, visit: Visit) -> Answer:
        """Judged again for good, as it was tried."""
        day, id_ = _day(visit), visit.about.id
        if day is None:
            return notices.invalid(visit.language, _NO_DAY)
        if not visit.login.vouches(visit.form.get("tried", ""), _purpose(id_, day)):
            return notices.invalid(visit.language, _UNTRIED)
        arguments = {"interchange": id_, **({"rules": day} if day else {})}
        await do(self._sources, visit, "replay.commit", **arguments)
        return _back(id_, "replayed")


def _differences(visit: Visit, rows: list[dict[str, Any]]) -> Html:
    say = visit.say
    return table(
        say("What would change", "Ce qui changerait"),
        [
            say("Document", "Document"),
            say("Before", "Avant"),
            say("After", "Après"),
            say("No longer violated", "N'est plus enfreint"),
            say("Newly violated", "Nouvellement enfreint"),
        ],
        [
            [
                element("bdi", f"{each['document']} {each['name']}"),
                chip(*state_word(each["before"], visit.language)),
                chip(*state_word(each["after"], visit.language)),
                ", ".join(each["gone"]),
                ", ".join(each["new"]) or each["cause"] or "",
            ]
            for each in rows
        ],
    )


def _day(visit: Visit) -> str | None:
    """The day in the form, "" for none; None for what is no day."""
    text = visit.form.get("rules", "").strip()
    try:
        return dt.date.fromisoformat(text).isoformat() if text else ""
    except ValueError:
        return None


def _purpose(id_: str, day: str) -> str:
    return f"replay {id_} {day}"


def _back(id_: str, done: str) -> Answer:
    return go_to(f"{ROOT}/interchanges/{id_}?done={done}")


def _crumb(visit: Visit) -> Html:
    row = visit.about
    return element("p", link(element("bdi", row.name), f"/interchanges/{row.id}"), class_="crumbs")
