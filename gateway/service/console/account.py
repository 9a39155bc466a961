"""One's own login: who one is here, one's password, one's language."""

from __future__ import annotations

from gateway.core.acknowledgement.markup import element
from gateway.model.verdict import Language
from gateway.service.console import new_password, passwords
from gateway.service.console.cookies import SESSION
from gateway.service.console.elements import facts, failure, field, form
from gateway.service.console.layout import page
from gateway.service.console.proving import Proving
from gateway.service.console.sources import Sources
from gateway.service.console.visit import ROOT, Route, Visit, go_to
from gateway.service.console.words import moment, role_words
from gateway.service.http_server import Answer


class Account:
    """Pages of one's own login."""

    def __init__(self, sources: Sources, proving: Proving) -> None:
        self._sources = sources
        self._proving = proving

    def routes(self) -> list[Route]:
        """What is answered here."""
        return [
            Route(method="GET", path=f"{ROOT}/account", page=self.show, scoped=True),
            Route(method="POST", path=f"{ROOT}/account", page=self.change, scoped=True),
            Route(method="POST", path=f"{ROOT}/language", page=self.language, scoped=True),
        ]

    async def show(self, visit: Visit) -> Answer:
        """Who one is here."""
        return await self._account_page(visit)

    async def change(self, visit: Visit) -> Answer:
        """One's own password, which ends one's other sessions."""
        login = visit.login
        old = visit.form.get("old", "")[: passwords.MAX_BYTES]
        new = new_password.chosen(visit)
        wrong = new_password.complaint(visit, login.user)
        if wrong:
            return await self._account_page(visit, wrong)
        proof = passwords.proof_of(login.user, old)
        row = await self._proving.known(login.user)
        put_off = self._sources.guesses.put_off(visit.head.peer, proof) > 0
        if put_off or not await self._proving.right(row, old):
            self._sources.guesses.failed(visit.head.peer, login.user)
            words = visit.say("The old password is wrong.", "L'ancien mot de passe est faux.")
            return await self._account_page(visit, words)
        hashed = await self._proving.hashed(new)
        arguments = {"name": login.user, "password_hash": hashed}
        command = "user.password"
        handler = self._sources.commands[command]
        await self._sources.audit.carry_out(visit.who, command, arguments, handler)
        # Every session has ended, this one too: go on in a new one, whose token nobody has seen.
        token, _ = self._sources.sessions.begin(
            login.user, login.role, login.partner, login.language
        )
        return go_to(f"{ROOT}/account?changed=1", SESSION.set(visit.head, token))

    async def language(self, visit: Visit) -> Answer:
        """The other one."""
        wanted = visit.form.get("language", "")
        if wanted in {each.value for each in Language}:
            visit.login.language = Language(wanted)
        back = visit.form.get("back", "")
        return go_to(back if back.startswith(f"{ROOT}/") and "\\" not in back else f"{ROOT}/")

    async def _account_page(self, visit: Visit, failed: str = "") -> Answer:
        login = visit.login
        row = await self._proving.known(login.user)
        said = failure(failed)
        if said is None and visit.query.get("changed"):
            said = element(
                "p",
                visit.say(
                    "Your password is changed. Your other sessions have ended.",
                    "Votre mot de passe est changé. Vos autres sessions sont closes.",
                ),
                class_="done",
                role="status",
            )
        return page(
            visit,
            visit.say("Your login", "Votre compte"),
            said,
            facts(
                [
                    (visit.say("Name", "Nom"), login.user),
                    (visit.say("Role", "Rôle"), role_words(visit, login.role.word)),
                    (visit.say("Partner", "Partenaire"), login.partner or None),
                    (
                        visit.say("Password of", "Mot de passe du"),
                        moment(visit, row.changed_at) if row is not None else None,
                    ),
                ]
            ),
            element("h2", visit.say("Another password", "Changer de mot de passe")),
            form(
                visit,
                "/account",
                field(
                    visit.say("Old password", "Ancien mot de passe"),
                    "old",
                    type="password",
                    autocomplete="current-password",
                    required="",
                ),
                *new_password.fields(visit),
                element("button", visit.say("Change", "Changer")),
            ),
        )
