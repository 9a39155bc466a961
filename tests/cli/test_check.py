"""`edi-gateway check`: every fault in one run, the exit codes, and that it changes nothing."""

from __future__ import annotations

import getpass
import io
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bcrypt
import pytest

from gateway.cli import broker_probe, probes
from gateway.cli.main import main
from gateway.config import credentials
from gateway.core.schematron.catalogue import Artefact, Catalogue
from gateway.service.amqp_topology import EXCHANGES
from tests.broker import Broker, free_port
from tests.config.as2_folder import As2Folder
from tests.config.certificates import certificate, pem

FLOW = """
name = "plain"
[match]
syntaxes = ["ubl"]
[[chain]]
syntax = "ubl"
schema = "ubl-2.1"
rules = {rules}
"""

CII_FLOW = FLOW.replace("ubl-2.1", "cii-d22b").replace('"ubl"', '"cii"').replace("plain", "cii")


class Checked:
    """A configuration whose checks all pass, and what `check --json` says about it."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self._capsys = root, capsys
        self.file = root / "gateway.toml"
        for folder in ("partners", "flows", "state", "packs"):
            (root / folder).mkdir()
        self.flow = root / "flows" / "plain.toml"
        self.flow.write_text(FLOW.format(rules="[]"))
        self.settings()

    def settings(self, text: str = "") -> None:
        """Write gateway.toml: own folders, a free port, and `text`."""
        self.file.write_text(
            '[paths]\nstate = "state"\nflows = "flows"\nrule_packs = "packs"\n'
            + (text if "[sftp]" in text else f"[sftp]\nport = 0\n{text}")
        )

    def __call__(self, *options: str) -> tuple[int, list[dict[str, Any]]]:
        """Exit code and outcomes; the last one is the summary."""
        return self.said("check", *options)

    def said(self, *command: str) -> tuple[int, list[dict[str, Any]]]:
        """The same of any command that checks."""
        code = main([*command, "--config", str(self.file), "--json"])
        captured = self._capsys.readouterr()
        assert captured.err == ""
        return code, [json.loads(line) for line in captured.out.splitlines()]

    def faults(self, *options: str) -> tuple[int, list[dict[str, Any]]]:
        """Exit code and only the faults."""
        code, outcomes = self(*options)
        found = [o for o in outcomes[:-1] if o["result"] == "fault"]
        assert outcomes[-1]["faults"] == len(found)
        return code, found


@pytest.fixture
def checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Checked:
    return Checked(tmp_path, capsys)


def test_a_sound_configuration_passes(checked: Checked) -> None:
    """Every kind of check reports; the exit code is 0; the state directory is as it was."""
    checked.flow.write_text(FLOW.format(rules='["br-fr-flux2-ubl"]'))
    code, outcomes = checked()
    assert code == 0
    assert {outcome["check"]: outcome["result"] for outcome in outcomes} == {
        "configuration": "ok",
        "schema": "ok",
        "rule pack": "ok",
        "mapping": "ok",
        "state directory": "ok",
        "sftp": "ok",
        "http": "skipped",
        "management": "skipped",
        "broker": "skipped",
        "summary": "ok",
    }
    assert list((checked.root / "state").iterdir()) == []


def test_the_answer_for_people(checked: Checked, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json: a line for each check, a block for each fault, a sum at the end."""
    checked.settings("[log]\nlevel = 5\n")
    assert main(["check", "--config", str(checked.file)]) == 2
    out = capsys.readouterr().out
    assert f"{checked.file}: log.level" in out
    assert "→ Write it as" in out
    assert "ok       schema           ubl-2.1" in out
    assert out.splitlines()[-1] == "1 fault, no notices."


def test_everything_is_checked_whatever_is_wrong(checked: Checked) -> None:
    """Faults of settings, flows, partners, rule packs and surroundings come in one run; 2."""
    checked.flow.write_text(FLOW.format(rules="[5]"))
    cii = checked.root / "flows" / "cii.toml"
    cii.write_text(CII_FLOW.format(rules='["en16931-cii"]'))
    (checked.root / "partners" / "acme.toml").write_text('name = "acme"\nflows = ["nowhere"]')
    checked.settings("[intake]\nmin_free_mb = 1000000000\n[judges]\nprocesses = -1\n")
    code, faults = checked.faults()
    assert code == 2
    assert [(fault["check"], Path(fault["file"]).name, fault["key"]) for fault in faults] == [
        ("configuration", "gateway.toml", "judges.processes"),
        ("configuration", "plain.toml", "chain[0].rules[0]"),
        ("configuration", "acme.toml", "flows[0]"),
        ("rule pack", "cii.toml", "chain[0].rules[0]"),
        ("state directory", "gateway.toml", "paths.state"),
    ]


def test_a_folder_that_is_not_there(checked: Checked) -> None:
    """A failed check, told once, and no fault of the configuration: a gateway starts with it."""
    partner = checked.root / "partners" / "acme.toml"
    inbox = checked.root / "share"
    partner.write_text(f'name = "acme"\nflows = ["plain"]\n[folder]\ninbox = "{inbox}"\n')
    code, (fault,) = checked.faults()
    assert (code, fault["check"], fault["key"]) == (1, "folder", "folder.inbox")
    _, outcomes = checked()
    assert (outcomes[-1]["faults"], outcomes[-1]["notices"]) == (1, 0)
    code, outcomes = checked.said("partner", "check", "acme")
    assert (code, outcomes[-1]["faults"], outcomes[-1]["notices"]) == (1, 1, 0)
    inbox.mkdir()
    assert checked()[0] == 0


def test_what_depends_on_a_faulty_section_is_left_out(checked: Checked) -> None:
    """No probing with a default in place of the setting that could not be read."""
    checked.settings('[sftp]\nport = "x"\n[rabbitmq]\nhost = 5\n')
    _, outcomes = checked()
    results = {outcome["check"]: outcome["result"] for outcome in outcomes}
    assert (results["sftp"], results["broker"]) == ("skipped", "skipped")


def test_a_rule_pack_that_is_missing(checked: Checked) -> None:
    """It names the flow's file and key, every other place that uses it, and the import; exit 1."""
    checked.flow.write_text(CII_FLOW.format(rules='["en16931-cii"]'))
    other = checked.root / "flows" / "other.toml"
    other.write_text(
        CII_FLOW.format(rules='["br-fr-flux2-cii", "en16931-cii"]').replace(
            '"cii"\n', '"other"\n', 1
        )
    )
    code, (fault,) = checked.faults()
    assert code == 1
    assert {fault["file"], fault["key"]} <= {
        str(checked.flow), str(other), "chain[0].rules[0]", "chain[0].rules[1]",
    }  # fmt: skip
    assert "also used at" in fault["what"]
    assert "rules import" in fault["remedy"]


def test_a_rule_pack_that_was_altered(checked: Checked) -> None:
    """A stylesheet whose sum differs is a fault, though it might compile."""
    checked.flow.write_text(CII_FLOW.format(rules='["en16931-cii"]'))
    catalogue = Catalogue.load(checked.root / "packs")
    stored = catalogue.stored_path(catalogue.pack("en16931-cii"))
    stored.parent.mkdir(parents=True, exist_ok=True)
    stored.write_text("<x/>")
    code, (fault,) = checked.faults()
    assert code == 1
    assert "sha256" in fault["what"]


def test_a_stylesheet_that_does_not_compile(
    checked: Checked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names file, key and remedy, and the other rule packs are still compiled."""
    broken = (
        b'<xsl:stylesheet version="2.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">'
        b'<xsl:template match="/"><xsl:value-of select="1 +"/></xsl:template></xsl:stylesheet>'
    )
    official = Catalogue.artefact

    def artefact(catalogue: Catalogue, name: str) -> Artefact:
        if name == "en16931-ubl":
            return Artefact(catalogue.pack(name), broken, {})
        return official(catalogue, name)

    monkeypatch.setattr(Catalogue, "artefact", artefact)
    checked.flow.write_text(FLOW.format(rules='["en16931-ubl", "br-fr-flux2-ubl"]'))
    code, outcomes = checked()
    assert code == 1
    bad, good = (outcome for outcome in outcomes if outcome["check"] == "rule pack")
    assert (bad["result"], bad["file"], bad["key"]) == (
        "fault", str(checked.flow), "chain[0].rules[0]",
    )  # fmt: skip
    assert "does not compile" in bad["what"]
    assert bad["remedy"]
    assert (good["subject"], good["result"]) == ("br-fr-flux2-ubl", "ok")


def test_a_state_directory_that_cannot_be(checked: Checked) -> None:
    """A file in its place is a fault at paths.state; one that is not there yet is none."""
    (checked.root / "state").rmdir()
    code, outcomes = checked()
    assert code == 0
    assert next(o for o in outcomes if o["check"] == "state directory")["detail"].startswith("will")
    assert not (checked.root / "state").exists()
    (checked.root / "state").write_text("")
    code, (fault,) = checked.faults()
    assert (code, fault["key"]) == (1, "paths.state")


def test_a_state_directory_that_takes_no_files(
    checked: Checked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operating system's own words, and what to run."""

    def refuse(**_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(probes.tempfile, "NamedTemporaryFile", refuse)
    code, (fault,) = checked.faults()
    assert (code, fault["key"]) == (1, "paths.state")
    assert "Permission denied" in fault["what"]
    assert "install -d" in fault["remedy"]


def test_another_state_directory_can_be_looked_at(checked: Checked) -> None:
    """--state-dir replaces paths.state."""
    code, outcomes = checked("--state-dir", str(checked.root / "elsewhere"))
    assert code == 0
    state = next(outcome for outcome in outcomes if outcome["check"] == "state directory")
    assert state["subject"] == str(checked.root / "elsewhere")


def test_a_port_in_use_is_a_notice(checked: Checked) -> None:
    """The gateway itself may be running: said, but no failure."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        checked.settings(f"[sftp]\nport = {taken.getsockname()[1]}\n")
        code, outcomes = checked()
    assert code == 0
    sftp = next(outcome for outcome in outcomes if outcome["check"] == "sftp")
    assert (sftp["result"], sftp["key"]) == ("notice", "sftp.port")


def test_a_port_that_outgoing_connections_get_is_a_notice(
    checked: Checked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be taken when the gateway starts again."""
    monkeypatch.setattr(probes, "_lent_to_others", lambda _: range(32_768, 61_000))
    checked.settings(f"[sftp]\nport = {free_port()}\n")
    code, outcomes = checked()
    assert code == 0
    sftp = next(outcome for outcome in outcomes if outcome["check"] == "sftp")
    assert (sftp["result"], sftp["key"]) == ("notice", "sftp.port")
    assert "32768 to 60999" in sftp["what"]
    assert "below 32768" in sftp["remedy"]


@pytest.mark.parametrize(
    ("port", "kept", "lent"),
    [
        (2222, "", False),
        (32_767, "", False),
        (32_768, "", True),
        (60_999, "", True),
        (61_000, "", False),
        (40_951, "8080,40951\n", False),
        (40_951, "40000-41000,50000\n", False),
        (40_951, "40000-40950,40952\n", True),
    ],
)
def test_which_ports_outgoing_connections_get(
    port: int, kept: str, lent: bool, tmp_path: Path
) -> None:
    """As the kernel says (ip-sysctl.rst), less what an administrator keeps out of them."""
    (tmp_path / "ip_local_port_range").write_text("32768\t60999\n")
    (tmp_path / "ip_local_reserved_ports").write_text(kept)
    found = probes._lent_to_others(port, tmp_path)
    assert found == (range(32_768, 61_000) if lent else None)


def test_a_kernel_that_does_not_say_is_no_notice(tmp_path: Path) -> None:
    """Another system than Linux, or a container that hides it."""
    assert probes._lent_to_others(40_951, tmp_path) is None


def test_an_address_of_another_machine_is_a_fault(checked: Checked) -> None:
    """Documentation addresses (RFC 5737) are nobody's."""
    checked.settings('[sftp]\nport = 0\nlisten = "192.0.2.1"\n')
    code, (fault,) = checked.faults()
    assert (code, fault["key"]) == (1, "sftp.listen")


def test_certificates_with_their_days(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ours and the partners', how long they last; the one that expires soon is a notice as well."""
    folder = As2Folder(tmp_path)
    folder.put("acme.pem", pem(certificate("acme", days=(-300, 5))))
    assert main(["check", "--config", str(folder.file), "--json"]) == 0
    outcomes = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    days = {o["subject"]: o["detail"] for o in outcomes if o["check"] == "certificate"}
    assert days["ours ours.pem"].startswith("300 days left, until 20")
    assert days["acme acme.pem"].startswith("5 days left")
    (notice,) = [o for o in outcomes if o["result"] == "notice"]
    assert (notice["file"], notice["key"]) == (str(folder.acme), "as2.certificates[0]")
    assert next(o for o in outcomes if o["check"] == "http")["result"] == "ok"


# ── broker ─────────────────────────────────────────────────────────────────────────────────


def test_no_broker_leaves_it_out(checked: Checked) -> None:
    """--no-broker opens no connection."""
    checked.settings(f'[rabbitmq]\nhost = "127.0.0.1"\nport = {free_port()}\n')
    code, outcomes = checked("--no-broker")
    assert code == 0
    assert outcomes[-2]["result"] == "skipped"


def test_a_broker_that_is_away(checked: Checked) -> None:
    """One sentence at rabbitmq.host, nothing of the library's own on standard error."""
    checked.settings(f'[rabbitmq]\nhost = "127.0.0.1"\nport = {free_port()}\n')
    code, (fault,) = checked.faults()
    assert (code, fault["check"], fault["key"]) == (1, "broker", "rabbitmq.host")
    assert "refused" in fault["what"]


@pytest.fixture
def deaf() -> Iterator[int]:
    """The port of a server that accepts, sends bytes that are no AMQP, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"220 mail.example ESMTP\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@pytest.mark.parametrize("tls", ["false", "true"])
def test_a_server_that_is_no_broker(
    checked: Checked, deaf: int, tls: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever answers there, with TLS or without, it ends as a fault, not as a traceback."""
    monkeypatch.setattr(broker_probe, "BROKER_SECONDS", 1.0)
    checked.settings(
        f'[rabbitmq]\nhost = "127.0.0.1"\nport = {deaf}\n[rabbitmq.tls]\nenabled = {tls}\n'
    )
    code, (fault,) = checked.faults()
    assert code == 1
    assert fault["key"].startswith("rabbitmq.")
    assert fault["what"]


@pytest.mark.broker
def test_a_broker_that_lets_us_in(checked: Checked, broker: Broker) -> None:
    """Logged in; and nothing was declared there."""
    checked.settings(f'[rabbitmq]\nhost = "127.0.0.1"\nport = {broker.port}\n')
    code, outcomes = checked()
    assert (code, outcomes[-2]["detail"]) == (0, "logged in")
    checked.settings(f'[rabbitmq]\nhost = "127.0.0.1"\nport = {broker.port}\ndeclare = false\n')
    code, (fault,) = checked.faults()
    assert (code, fault["key"]) == (1, "rabbitmq.declare")
    assert "edi.documents" in fault["what"]
    with broker.connect() as connection:
        for exchange in EXCHANGES:
            connection.channel().exchange_declare(exchange, "topic", durable=True)
    queue = "never-made"
    checked.settings(
        f'[rabbitmq]\nhost = "127.0.0.1"\nport = {broker.port}\ndeclare = false\n'
        f'requests_queue = "{queue}"\n'
    )
    code, (fault,) = checked.faults()
    assert (code, fault["key"]) == (1, "rabbitmq.requests_queue")
    assert queue in fault["what"]


@pytest.mark.broker
def test_tls_to_the_broker(checked: Checked, broker: Broker) -> None:
    """With its authority it is trusted; with the system's it is not, and ca_file is named."""
    settings = f'[rabbitmq]\nhost = "localhost"\nport = {broker.tls_port}\n[rabbitmq.tls]\n'
    checked.settings(f'{settings}enabled = true\nca_file = "{broker.ca_file}"\n')
    code, outcomes = checked()
    assert (code, outcomes[-2]["detail"]) == (0, "logged in")
    checked.settings(f"{settings}enabled = true\n")
    code, (fault,) = checked.faults()
    assert (code, fault["key"]) == (1, "rabbitmq.tls.ca_file")


@pytest.mark.broker
@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ('username = "nobody"\npassword_file = "secret"', "rabbitmq.username"),
        ('virtual_host = "elsewhere"', "rabbitmq.virtual_host"),
    ],
)
def test_a_broker_that_refuses_us(
    checked: Checked, broker: Broker, settings: str, key: str
) -> None:
    """The setting to look at, and never the password."""
    secret = checked.root / "secret"
    secret.write_text("open sesame")
    secret.chmod(0o600)
    checked.settings(f'[rabbitmq]\nhost = "127.0.0.1"\nport = {broker.port}\n{settings}\n')
    code, (fault,) = checked.faults()
    assert (code, fault["key"]) == (1, key)
    assert "sesame" not in json.dumps(fault)


# ── passwords ──────────────────────────────────────────────────────────────────────────────


class Terminal(io.StringIO):
    """Standard input that says it is a terminal."""

    def isatty(self) -> bool:
        """It is."""
        return True


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "NEW_COST", credentials.MIN_COST)


@pytest.mark.usefixtures("cheap")
def test_hash_password_from_a_pipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first line is the password; the hash is all there is on standard output."""
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery\nmore\n"))
    assert main(["check", "--hash-password"]) == 0
    made = capsys.readouterr().out.strip()
    assert bcrypt.checkpw(b"correct horse battery", made.encode())


@pytest.mark.usefixtures("cheap")
@pytest.mark.parametrize(("second", "code"), [("correct horse", 0), ("correct house", 2)])
def test_hash_password_from_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], second: str, code: int
) -> None:
    """Asked twice; two that differ are refused, with nothing printed."""
    answers = iter(["correct horse", second])
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr(getpass, "getpass", lambda *_args, **_options: next(answers))
    assert main(["check", "--hash-password"]) == code
    assert capsys.readouterr().out.startswith("$2b$") is (code == 0)


def test_a_password_that_is_too_short(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and the password is not repeated."""
    monkeypatch.setattr("sys.stdin", io.StringIO("hunter2\n"))
    assert main(["check", "--hash-password"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "hunter2" not in captured.err
