"""One partner's page, and its trial step by step."""

from __future__ import annotations

import html
import sys
from pathlib import Path

import pytest
import structlog
from pytest_twisted import ensureDeferred
from twisted.internet import reactor

from gateway.config.certificates import Held
from gateway.model.verdict import Language
from gateway.service.console.users import Role
from gateway.service.journal.audit_records import deeds
from gateway.service.partner_trial import PartnerTrial
from tests.broker import free_port
from tests.config.as2_folder import PARTNER, As2Folder
from tests.config.certificates import certificate
from tests.service.console.rig import console_rig

STEPS = [
    {"check": "configuration", "subject": "acme.toml", "result": "ok", "detail": "no faults"},
    {
        "check": "as2",
        "subject": "ACME <b>to</b> US, signed",
        "result": "fault",
        "file": "/conf/acme.toml",
        "key": "as2.receive",
        "what": "It would be refused with <authentication-failed>.",
        "remedy": "Allow in [as2.receive] what the partner sends.",
    },
    {"check": "something-new", "subject": "", "result": "skipped", "detail": "it is off"},
]


def trial_of(folder: As2Folder) -> PartnerTrial:
    """The check itself, on this configuration."""
    check = [sys.executable, "-m", "gateway", "partner", "check", "--json"]
    log = structlog.wrap_logger(structlog.testing.CapturingLogger(), processors=[])
    command = [*check, "--config", str(folder.file)]
    return PartnerTrial(reactor, command, partners={"acme"}, log=log)


@ensureDeferred
async def test_how_it_is_set_up(tmp_path: Path) -> None:
    """The list leads to it; a viewer has no button; of nobody there is no page."""
    async with console_rig(tmp_path) as rig:
        login = rig.login(Role.VIEWER)
        listed = await rig.ask("GET", "/console/partners", login=login)
        assert '<a href="/console/partners/acme">acme</a>' in listed.text
        page = await rig.ask("GET", "/console/partners/acme", login=login)
        assert page.status == 200
        assert '<a href="/console/interchanges?partner=acme">' in page.text
        assert "ctc-fr-invoice" in page.text
        assert "/partners/acme/try" not in page.text
        gone = await rig.ask("GET", "/console/partners/nobody", login=login)
        assert gone.status == 404
        strange = await rig.ask("GET", "/console/partners/..%2Facme", login=login)
        assert strange.status == 404


@ensureDeferred
async def test_tried_step_by_step(tmp_path: Path) -> None:
    """What worked, what would fail with where and what to do; written down; nothing is markup."""
    async with console_rig(tmp_path) as rig:
        rig.partner_steps = STEPS
        login = rig.login(Role.OPERATOR, user="ada")
        page = await rig.ask("GET", "/console/partners/acme", login=login)
        assert 'action="/console/partners/acme/try"' in page.text
        reply = await rig.ask("POST", "/console/partners/acme/try", login=login)
        assert reply.status == 200
        assert "1 of these would fail in an exchange." in reply.text
        assert "works" in reply.text
        assert "AS2 message and receipt" in reply.text
        assert "ACME &lt;b&gt;to&lt;/b&gt; US, signed" in reply.text
        assert "It would be refused with &lt;authentication-failed&gt;." in reply.text
        assert "/conf/acme.toml: as2.receive" in reply.text
        assert "Allow in [as2.receive] what the partner sends." in reply.text
        assert "something-new" in reply.text
        assert "not tried" in reply.text
        (deed,) = await rig.house.journal.read("t", lambda conn: deeds(conn, limit=9))
        assert (deed.by, deed.action, deed.subject) == ("ada", "partner.try", "partner acme")
        assert deed.said == "partner acme, faults 1, notices 0"


@ensureDeferred
async def test_all_well_in_french(tmp_path: Path) -> None:
    """It says so, in the reader's language."""
    async with console_rig(tmp_path) as rig:
        rig.partner_steps = STEPS[:1]
        login = rig.login(Role.OPERATOR)
        login[1].language = Language.FR
        reply = await rig.ask("POST", "/console/partners/acme/try", login=login)
        assert "Tout ce qui a été essayé fonctionne." in reply.text
        assert "fichiers de configuration" in reply.text
        rig.partner_steps = [{"check": "partner", "result": "notice", "what": "It is off."}]
        reply = await rig.ask("POST", "/console/partners/acme/try", login=login)
        assert "Rien n&#x27;échouerait" in reply.text


@ensureDeferred
async def test_every_step_in_french(tmp_path: Path) -> None:
    """The check itself, asked by a French page: names, what was found, and what to do."""
    root = tmp_path / "conf"
    root.mkdir()
    folder = As2Folder(root)
    folder.partner(f"enabled = false\n{PARTNER}")
    folder.identity("ours.pem", certificate("ours", days=(-400, -1)))
    async with console_rig(tmp_path) as rig:
        rig.partner_trial = trial_of(folder).attempt
        login = rig.login(Role.OPERATOR)
        login[1].language = Language.FR
        text = (await rig.ask("POST", "/console/partners/acme/try", login=login)).text
        text = html.unescape(text).replace("\N{NO-BREAK SPACE}", " ")
        for words in (
            "message AS2 et son accusé",
            "Le partenaire est désactivé : personne ne peut envoyer en son nom.",
            "Mettez enabled = true quand tout le reste est prêt.",
            "notre ours.pem",
            "expiré le ",
            "ACME vers GATEWAY, signé sha-256 pkcs1",
            "GATEWAY vers ACME, chiffré pour son propre certificat",
            "L'accusé serait refusé avec authentication-failed. Détail (en anglais) : ",
            "Regardez les dates de as2.identities : edi-gateway cert list",
        ):
            assert words in text
        assert "connexion à son serveur" not in text
        (deed,) = await rig.house.journal.read("t", lambda conn: deeds(conn, limit=9))
        assert deed.subject == "partner acme"


@ensureDeferred
async def test_its_own_servers_when_that_is_ticked(tmp_path: Path) -> None:
    """The box of the form reaches the check; nobody listens at the partner's address here."""
    root = tmp_path / "conf"
    root.mkdir()
    folder = As2Folder(root)
    folder.partner(PARTNER.replace("https://as2.acme.example", f"http://127.0.0.1:{free_port()}"))
    async with console_rig(tmp_path) as rig:
        rig.partner_trial = trial_of(folder).attempt
        login = rig.login(Role.OPERATOR)
        page = await rig.ask("GET", "/console/partners/acme", login=login)
        assert '<input type="checkbox" name="connect" value="yes">' in page.text
        path = "/console/partners/acme/try"
        text = (await rig.ask("POST", path, login=login, form={"connect": "yes"})).text
        assert "connection to its server" in text
        assert "Connection refused" in text
        assert "1 of these would fail in an exchange." in text


@ensureDeferred
async def test_who_may_not_try(tmp_path: Path) -> None:
    """No viewer, no partner's own login, nobody without the token, and nobody tries a stranger."""
    async with console_rig(tmp_path) as rig:
        path = "/console/partners/acme/try"
        for login in (rig.login(Role.VIEWER), rig.login(Role.OPERATOR, "acme")):
            assert (await rig.ask("POST", path, login=login)).status == 403
        own = rig.login(Role.OPERATOR, "acme")
        assert (await rig.ask("GET", "/console/partners/acme", login=own)).status == 403
        assert (await rig.ask("POST", path)).status == 401
        login = rig.login(Role.OPERATOR)
        assert (await rig.ask("POST", path, login=login, token=False)).status == 403
        gone = await rig.ask("POST", "/console/partners/nobody/try", login=login)
        assert gone.status == 404
        assert await rig.house.journal.read("t", lambda conn: deeds(conn, limit=9)) == []


@ensureDeferred
async def test_its_own_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next to expire first, and none of anybody else."""
    async with console_rig(tmp_path) as rig:
        held = [
            (
                Held(
                    owner=owner,
                    file=tmp_path / f"{owner}-{days}.pem",
                    key="",
                    certificate=certificate(owner),
                ),
                days,
            )
            for owner, days in (("acme", 100.0), ("other", 3.0), ("acme", -2.0))
        ]
        monkeypatch.setattr(rig.sources.certificates, "days_left", lambda: held)
        login = rig.login(Role.VIEWER)
        page = await rig.ask("GET", "/console/partners/acme", login=login)
        assert page.text.index("acme--2.0.pem") < page.text.index("acme-100.0.pem")
        assert "expired" in page.text
        assert "100 days left" in page.text
        assert "other-3.0.pem" not in page.text
        listed = await rig.ask("GET", "/console/partners", login=login)
        assert "other-3.0.pem" in listed.text
