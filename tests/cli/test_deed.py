"""Commands that change files are in the audit: before they do it, and how it ended."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from gateway.cli.deed import written_down
from gateway.cli.main import main
from gateway.errors import ConfigurationError
from gateway.service.audit import Audit
from gateway.service.control import Control
from gateway.service.journal import open_reader
from gateway.service.journal.audit_records import Deed, Outcome, deeds
from gateway.service.journal.lock import StateLock
from tests.config.as2_folder import As2Folder
from tests.config.certificates import certificate, pem, rsa_key
from tests.schematron_sources import UBL, pattern, rule, written
from tests.service.house import House
from tests.state_directory import StateDirectory


class Site:
    """A sound configuration, with the journal of a gateway that does not run."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self._capsys = root, capsys
        self.folder = As2Folder(root)
        self.state = root / "state"
        self.state.rmdir()
        StateDirectory(self.state).close()

    def __call__(self, *words: str | Path, code: int = 0) -> str:
        """Standard error of a command that ends with this code."""
        assert main([*map(str, words), "--config", str(self.folder.file)]) == code
        return str(self._capsys.readouterr().err)

    def audit(self) -> list[Deed]:
        """What stands there, the oldest first."""
        with open_reader(self.state / "journal.sqlite").connect() as conn:
            return deeds(conn, limit=50)[::-1]

    def last(self) -> tuple[str, str, Outcome, str]:
        """The newest: what, on what, how it ended, what came of it."""
        deed = self.audit()[-1]
        assert deed.via == "direct"
        assert ", uid " in deed.by
        return deed.action, deed.subject, deed.outcome, deed.said


@pytest.fixture
def site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Site:
    return Site(tmp_path, capsys)


def test_partners_and_certificates(site: Site) -> None:
    """Who was added, whose certificate came and went; what only looks leaves no line."""
    site("partner", "list")
    site("cert", "list")
    site("cert", "rotate", "--ours")
    assert site.audit() == []
    site("partner", "add", "zeta", "--flow", "ctc-fr-invoice")
    assert site.last() == (
        "partner.add",
        "partner zeta, flows ctc-fr-invoice",
        Outcome.DONE,
        "file zeta.toml",
    )
    site.folder.put("acme.pem", pem(certificate("acme", days=(-300, -1))))
    mail = site.root / "new.pem"
    mail.write_bytes(pem(certificate("acme", days=(-3, 100))))
    site("cert", "import", mail, "--partner", "acme")
    action, subject, outcome, said = site.last()
    assert (action, subject, outcome) == (
        "cert.import",
        "partner acme, file new.pem",
        Outcome.DONE,
    )
    assert said.startswith("certificate acme-")
    site("cert", "rotate", "--partner", "acme", "--yes")
    assert site.last() == (
        "cert.rotate",
        "partner acme",
        Outcome.DONE,
        "no longer named: acme.pem",
    )
    site("cert", "rotate", "--ours", "--new", "--from", "2031-01-31")
    action, subject, _, said = site.last()
    assert (action, subject) == ("cert.rotate", "certificate ours, valid_from 2031-01-31")
    assert said.startswith("new certificate and key gateway-2031-01-31-")


def test_what_is_refused_is_written_as_that(site: Site) -> None:
    """A partner whose flow does not exist: the change is taken back, and the line says why."""
    site("partner", "add", "zeta", "--flow", "nowhere", code=2)
    assert not (site.root / "partners" / "zeta.toml").exists()
    assert site.last() == (
        "partner.add",
        "partner zeta, flows nowhere",
        Outcome.REFUSED,
        "The gateway could not start with this.",
    )


def test_the_site_before(site: Site) -> None:
    """Keys and a keystore that `cutover` brings in; never a password, never a private key."""
    store = site.root / "old.p12"
    key, own = rsa_key("ours"), certificate("ours")
    store.write_bytes(
        pkcs12.serialize_key_and_certificates(
            b"mine", key, own, None, BestAvailableEncryption(b"a long secret")
        )
    )
    secret = site.root / "secret"
    secret.write_text("a long secret\n")
    secret.chmod(0o600)
    site("cutover", "keystore", store, "--password-file", secret)
    assert site.audit() == []
    site("cutover", "keystore", store, "--password-file", secret, "--ours")
    action, subject, outcome, said = site.last()
    assert (action, subject) == ("cutover.keystore", "file old.p12, certificate ours")
    assert outcome is Outcome.DONE
    assert said.startswith("gateway-")
    journal = (site.state / "journal.sqlite").read_bytes()
    assert b"a long secret" not in journal
    assert b"PRIVATE KEY" not in journal


def test_rules_and_the_directory(site: Site, tmp_path: Path) -> None:
    """What judges from then on, with its sum; a table with bad rows was not taken over."""
    body = UBL + pattern(rule("/ubl:Invoice", '<assert id="ACME-1" test="cbc:ID">x</assert>'))
    packs = ("--rule-packs", tmp_path / "packs")
    file = written(tmp_path, body)
    site("rules", "import", file, "--valid-from", "2026-01-01", *packs)
    action, subject, outcome, said = site.last()
    assert (action, subject) == ("rules.import", f"files {file.name}, valid_from 2026-01-01")
    assert outcome is Outcome.DONE
    pack, _, sha256 = said.split()
    assert (pack, len(sha256)) == (file.stem, 64)
    site("rules", "remove", file.stem, *packs)
    assert site.last() == ("rules.remove", f"packs {file.stem}", Outcome.DONE, said)
    table = tmp_path / "table.csv"
    table.write_text(
        "siret,active,public,service_code_required,engagement_required,either_required,"
        "service_codes\n00012345500016,maybe,no,0,0,0,\n"
    )
    site("directory", "import", table, code=1)
    assert site.last()[:3] == ("directory.import", "file table.csv", Outcome.REFUSED)
    table.write_text(table.read_text().replace("maybe", "yes"))
    site("directory", "import", table)
    action, _, outcome, said = site.last()
    assert (action, outcome) == ("directory.import", Outcome.DONE)
    assert said.endswith(", recipients 1")


def test_without_a_journal_nothing_is_said(site: Site) -> None:
    """A machine that is being set up: the command works, and makes no journal."""
    (site.state / "journal.sqlite").unlink()
    assert site("partner", "add", "zeta", "--flow", "ctc-fr-invoice") == ""
    assert (site.root / "partners" / "zeta.toml").exists()
    assert not (site.state / "journal.sqlite").exists()


def test_a_journal_that_cannot_be_written_is_said(site: Site) -> None:
    """The configuration may be what has to be mended: it is changed, and people know."""
    with sqlite3.connect(site.state / "journal.sqlite") as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    err = site("partner", "add", "zeta", "--flow", "ctc-fr-invoice")
    assert err.startswith("The audit does not tell of this. ")
    assert (site.root / "partners" / "zeta.toml").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_leaves_beside_the_journal_is_the_gateways(site: Site) -> None:
    """A lock of root's alone would keep the gateway from its next start."""
    for path in (site.state, *site.state.rglob("*")):
        os.chown(path, 64999, 64998)
    (site.state / "journal.lock").unlink(missing_ok=True)
    site("partner", "add", "zeta", "--flow", "ctc-fr-invoice")
    assert site.last()[0] == "partner.add"
    found = {each.name: each.stat() for each in site.state.iterdir()}
    assert "journal.lock" in found
    assert {(each.st_uid, each.st_gid) for each in found.values()} == {(64999, 64998)}


def test_when_nobody_answers_for_the_one_that_runs(site: Site) -> None:
    """The lock is held, and the control socket is not there: it is said, and done."""
    lock = StateLock(site.state / "journal.lock")
    lock.acquire()
    try:
        err = site("partner", "add", "zeta", "--flow", "ctc-fr-invoice")
    finally:
        lock.release()
    assert "The audit does not tell of this. No gateway answers at" in err
    assert site.audit() == []


@ensureDeferred
async def test_the_gateway_that_runs_writes_it(tmp_path: Path) -> None:
    """Begun while it is done, with the name the kernel knows; then done, with what came of it."""
    house = House(tmp_path)
    await house.open()
    path, log = tmp_path / "control.sock", _Silent()
    control = Control(reactor, path, {}, log=log, audit=Audit(house.journal))
    await control.start()

    async def newest() -> Deed:
        (row, *_) = await house.journal.read("t", lambda conn: deeds(conn, limit=1))
        return row

    seen: list[Outcome] = []

    def change() -> None:
        with written_down(tmp_path, "partner.add", partner="acme") as deed:
            with open_reader(tmp_path / "journal.sqlite").connect() as conn:
                seen.extend(each.outcome for each in deeds(conn, limit=5))
            deed.said = "file acme.toml"

    try:
        await deferToThread(change)
        row = await newest()
        assert seen == [Outcome.BEGUN]
        assert (row.via, row.action, row.subject) == ("control", "partner.add", "partner acme")
        assert (row.outcome, row.said) == (Outcome.DONE, "file acme.toml")
        assert "(uid " in row.by
        with pytest.raises(ConfigurationError):
            await deferToThread(_refused, tmp_path)
        row = await newest()
        assert (row.action, row.outcome) == ("rules.import", Outcome.REFUSED)
        assert row.said == "No. Before that: half of it"
        # What has ended is nobody's to change.
        line = {"command": "audit.end", "number": row.id, "outcome": "done"}
        answer = await control.answer(json.dumps(line).encode(), 0)
        assert (answer["ok"], "under way" in answer["error"]) == (False, True)
        answer = await control.answer(b'{"command":"audit.begin","said":"x"}', 0)
        assert (answer["ok"], await newest()) == (False, row)
    finally:
        await control.stop()
        await house.journal.close()


def _refused(state: Path) -> None:
    with written_down(state, "rules.import") as deed:
        deed.said = "half of it"
        raise ConfigurationError("No.")


class _Silent:
    """A log nobody reads."""

    def info(self, *_: object, **__: object) -> None:
        """Nothing."""
