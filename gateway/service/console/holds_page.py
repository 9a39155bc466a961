"""What is not sent for now: hold and resume, by partner, flow, destination."""

from __future__ import annotations

import datetime as dt

from gateway.core.acknowledgement.markup import Html, Piece, element
from gateway.model.verdict import Text
from gateway.service.console import notices
from gateway.service.console.doing import do, done
from gateway.service.console.elements import choice, empty, field, form, table
from gateway.service.console.layout import page
from gateway.service.console.sources import Sources
from gateway.service.console.users import Role
from gateway.service.console.visit import ROOT, Route, Visit, go_to
from gateway.service.console.words import since
from gateway.service.holds import MAX_REASON
from gateway.service.http_server import Answer
from gateway.service.journal.delivery_records import Hold, holds_in_force

_WHAT = Text(
    en="What is meant? Choose a partner, a flow or a destination, or tick “everything”.",
    fr="De quoi s'agit-il ? Choisissez un partenaire, un flux ou une destination, ou cochez"
    " « tout ».",
)


class HoldsPage:
    """Holds."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def routes(self) -> list[Route]:
        """What is answered here."""
        operator = Role.OPERATOR
        return [
            Route(method="GET", path=f"{ROOT}/holds", page=self.show),
            Route(method="POST", path=f"{ROOT}/holds", page=self.hold, role=operator),
            Route(method="POST", path=f"{ROOT}/holds/resume", page=self.resume, role=operator),
        ]

    async def show(self, visit: Visit) -> Answer:
        """Those in force, and the form for another."""
        rows = await self._sources.reader.read("holds", holds_in_force)
        say, now = visit.say, self._sources.now()
        pieces: list[Piece] = [done(visit)]
        if rows:
            pieces.append(self._table(visit, rows, now))
        else:
            pieces.append(
                empty(
                    say(
                        "Nothing is held. Hold a partner while its server is being repaired, a flow"
                        " while its consumer is away, or a destination: files go on being received"
                        " and judged, and what is held waits, in order, until you resume it.",
                        "Rien n'est suspendu. Suspendez un partenaire pendant une réparation de son"
                        " serveur, un flux dont le consommateur est absent, ou une destination : la"
                        " réception et le contrôle continuent, et ce qui est suspendu attend, dans"
                        " l'ordre, jusqu'à la reprise.",
                    )
                )
            )
        if visit.may(Role.OPERATOR):
            pieces += [element("h2", say("Hold something", "Suspendre")), self._form(visit)]
        return page(visit, say("Holds", "Suspensions"), *pieces, active="holds")

    async def hold(self, visit: Visit) -> Answer:
        """Send nothing of this any more."""
        meant = {name: visit.form.get(name, "") for name in ("partner", "flow", "destination")}
        if any(meant.values()) == bool(visit.form.get("every")):
            return notices.invalid(visit.language, _WHAT)
        reason = visit.form.get("reason", "")
        answer = await do(self._sources, visit, "hold", reason=reason, **meant)
        return go_to(f"{ROOT}/holds?done={'held' if answer['new'] else 'unchanged'}")

    async def resume(self, visit: Visit) -> Answer:
        """Send it again."""
        meant = {name: visit.form.get(name, "") for name in ("partner", "flow", "destination")}
        await do(self._sources, visit, "resume", **meant)
        return go_to(f"{ROOT}/holds?done=resumed")

    def _table(self, visit: Visit, rows: list[Hold], now: dt.datetime) -> Html:
        say = visit.say
        cells: list[list[Piece]] = []
        for each in rows:
            button: Piece = ""
            if visit.may(Role.OPERATOR):
                button = form(
                    visit,
                    "/holds/resume",
                    *(
                        element("input", type="hidden", name=name, value=getattr(each, name))
                        for name in ("partner", "flow", "destination")
                    ),
                    element("button", say("Resume", "Reprendre"), class_="small"),
                )
            everything = not (each.partner or each.flow or each.destination)
            cells.append(
                [
                    say("everything", "tout") if everything else each.partner,
                    each.flow,
                    each.destination,
                    since(visit, now, each.placed_at),
                    each.placed_by,
                    each.reason,
                    button,
                ]
            )
        return table(
            say("In force", "En vigueur"),
            [
                say("Partner", "Partenaire"),
                say("Flow", "Flux"),
                say("Destination", "Destination"),
                say("Since", "Depuis"),
                say("By", "Par"),
                say("Why", "Pourquoi"),
                say("What to do", "Que faire"),
            ],
            cells,
        )

    def _form(self, visit: Visit) -> Html:
        say = visit.say
        any_ = ("", say("any", "tous"))
        return form(
            visit,
            "/holds",
            choice(
                say("Partner", "Partenaire"),
                "partner",
                [any_, *((each, each) for each in sorted(self._sources.partners))],
            ),
            choice(
                say("Flow", "Flux"),
                "flow",
                [any_, *((each, each) for each in sorted(self._sources.flows))],
            ),
            choice(
                say("Destination", "Destination"),
                "destination",
                [any_, *((each, each) for each in sorted(self._sources.destinations))],
            ),
            choice(
                say("Everything", "Tout"),
                "every",
                [
                    ("", say("only what is chosen above", "seulement le choix ci-dessus")),
                    ("1", say("everything there is", "absolument tout")),
                ],
            ),
            field(
                say("Why: colleagues read this", "Pourquoi : vos collègues le lisent"),
                "reason",
                required="",
                maxlength=str(MAX_REASON),
            ),
            element("button", say("Hold", "Suspendre")),
            class_="card",
        )
