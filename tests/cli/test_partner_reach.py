"""`edi-gateway partner check --connect`: the partner's own servers, as far as without a message."""

from __future__ import annotations

import datetime as dt
import json
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import trustme

from gateway.cli import check, partner_check
from gateway.cli.main import main
from gateway.cli.partner_reach import reach
from gateway.cli.partner_reach_words import WORDS
from gateway.cli.probes import Outcome, Result
from gateway.model.verdict import Language
from gateway.service.console import partner_page
from tests.broker import free_port
from tests.config.as2_folder import PARTNER, As2Folder
from tests.service.sshd import Sshd, needs_sshd

pytestmark = pytest.mark.alone
NOW = dt.datetime.now(dt.UTC)


class Server:
    """Listens on loopback, and speaks TLS if it has a certificate; what it hears, it keeps."""

    def __init__(self, certificate: trustme.LeafCert | None = None) -> None:
        self.heard: list[bytes] = []
        self._context = None
        if certificate is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(self._context)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(20)
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                with suppress(OSError), connection:
                    connection.settimeout(10)
                    if self._context is not None:
                        connection = self._context.wrap_socket(connection, server_side=True)
                    self.heard.append(connection.recv(100))
                    connection.close()

    def close(self) -> None:
        """Stop."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(10)


@contextmanager
def serving(certificate: trustme.LeafCert | None = None) -> Iterator[Server]:
    """A server, while it is needed."""
    server = Server(certificate)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def folder(tmp_path: Path) -> As2Folder:
    """A configuration whose partner has AS2, so far at an address nobody asks."""
    root = tmp_path / "conf"
    root.mkdir()
    return As2Folder(root)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Who vouches for servers."""
    return trustme.CA()


def at(folder: As2Folder, url: str, authority: trustme.CA | None = None) -> None:
    """The partner's AS2 server is there."""
    text = PARTNER.replace("https://as2.acme.example/as2", url)
    if authority is not None:
        authority.cert_pem.write_to_path(folder.acme.parent / "servers.pem")
        text += 'tls_ca_file = "servers.pem"\n'
    folder.partner(text)


def reached(folder: As2Folder) -> list[Outcome]:
    """The steps of the connection; the same in French, in other words."""
    english, french = (
        list(reach(folder.reading(), "acme", NOW, each)) for each in (Language.EN, Language.FR)
    )
    for one, other in zip(english, french, strict=True):
        assert (one.result, one.subject) == (other.result, other.subject)
        words = [(one.detail, other.detail)]
        if one.fault and other.fault:
            assert (one.fault.file, one.fault.key) == (other.fault.file, other.fault.key)
            assert one.fault.file == str(folder.acme)
            words = [(one.fault.what, other.fault.what), (one.fault.remedy, other.fault.remedy)]
        for en, fr in words:
            assert en
            assert en != fr
            assert "{" not in en + fr
    return english


def fault(folder: As2Folder) -> tuple[str, str, str]:
    """The one step, which failed: the key, what is wrong, what to do."""
    (step,) = reached(folder)
    assert step.result is Result.FAULT
    assert step.fault is not None
    return step.fault.key, step.fault.what, step.fault.remedy


class TestAs2:
    """As far as the server's certificate."""

    def test_with_tls(self, folder: As2Folder, authority: trustme.CA) -> None:
        """The certificate fits, its last day is told, and the server hears nothing."""
        with serving(authority.issue_cert("localhost")) as server:
            at(folder, f"https://localhost:{server.port}/as2", authority)
            (step,) = reached(folder)
        assert (step.result, step.subject) == (Result.OK, f"https://localhost:{server.port}/as2")
        assert re.fullmatch(
            r"TLSv1\.3, certificate until \d{4}-\d\d-\d\d; nothing was posted", step.detail
        )
        assert server.heard
        assert not any(server.heard)

    def test_without_tls(self, folder: As2Folder) -> None:
        """It listens: more is not to be known without a message."""
        with serving() as server:
            at(folder, f"http://127.0.0.1:{server.port}/as2")
            (step,) = reached(folder)
        assert step.result is Result.OK
        assert step.detail == "it can be reached, without TLS; nothing was posted"
        assert server.heard
        assert not any(server.heard)

    def test_a_certificate_that_ends(self, folder: As2Folder, authority: trustme.CA) -> None:
        """Within the days in which ours would be told of, it is to be known."""
        ends = NOW + dt.timedelta(days=9, hours=1)
        with serving(authority.issue_cert("localhost", not_after=ends)) as server:
            at(folder, f"https://localhost:{server.port}/as2", authority)
            (step,) = reached(folder)
        assert step.result is Result.NOTICE
        assert step.fault is not None
        assert f"ends on {ends:%Y-%m-%d}; days left: 9." in step.fault.what

    def test_another_authority(self, folder: As2Folder, authority: trustme.CA) -> None:
        """Whom the partner's file does not name is not trusted; the way out is told."""
        with serving(trustme.CA().issue_cert("localhost")) as server:
            at(folder, f"https://localhost:{server.port}/as2", authority)
            key, what, remedy = fault(folder)
        assert key == "as2.url"
        assert "of an authority we do not trust" in what
        assert "as2.tls_ca_file" in remedy

    def test_the_authorities_of_the_system_are_not_enough(
        self, folder: As2Folder, authority: trustme.CA
    ) -> None:
        """Without authorities of its own, those of the system count, which know nobody here."""
        with serving(authority.issue_cert("localhost")) as server:
            at(folder, f"https://localhost:{server.port}/as2")
            _, what, _ = fault(folder)
        assert "those of this system" in what

    @pytest.mark.parametrize("name", ["as2.acme.example", "192.0.2.7"])
    def test_another_host(self, folder: As2Folder, authority: trustme.CA, name: str) -> None:
        """A certificate for another host, or address, is refused as sending would."""
        here = "127.0.0.1" if name[0].isdigit() else "localhost"
        with serving(authority.issue_cert(name)) as server:
            at(folder, f"https://{here}:{server.port}/as2", authority)
            _, what, _ = fault(folder)
        assert f"its TLS certificate is for another host name than {here}" in what

    def test_no_tls_there(self, folder: As2Folder, authority: trustme.CA) -> None:
        """A server that speaks something else is said to."""
        with serving() as server:
            at(folder, f"https://localhost:{server.port}/as2", authority)
            _, what, _ = fault(folder)
        assert f"https://localhost:{server.port}/as2 could not be reached: " in what

    def test_nobody_there(self, folder: As2Folder) -> None:
        """Nobody listens."""
        at(folder, f"http://127.0.0.1:{free_port()}/as2")
        key, what, remedy = fault(folder)
        assert key == "as2.url"
        assert "Connection refused" in what
        assert remedy

    def test_a_name_that_leads_here(
        self, folder: As2Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As for sending: a name of the partner's must not lead to this machine itself."""
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 443))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        at(folder, "https://as2.acme.example/as2")
        _, what, _ = fault(folder)
        assert "its name leads to 127.0.0.1, which is this machine's own" in what


def test_no_server(folder: As2Folder) -> None:
    """Who has none of its own is not gone to."""
    folder.partner(PARTNER.replace('url = "https://as2.acme.example/as2"\n', ""))
    (step,) = reached(folder)
    assert (step.result, step.detail) == (Result.SKIPPED, WORDS["no server"].en)


def test_faults_in_its_file(folder: As2Folder) -> None:
    """Nobody is gone to by a file that is not sound."""
    folder.partner(PARTNER.replace("acme.pem", "none.pem"))
    found = partner_check.outcomes(folder.reading(), "acme", NOW, Language.EN, connect=True)
    (step,) = [step for step in found if step.check == "connection"]
    assert (step.result, step.detail) == (Result.SKIPPED, "the partner's file has faults")


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """The partner's."""
    server = Sshd(tmp_path_factory.mktemp("sshd"))
    server.start()
    yield server
    server.stop()


@needs_sshd
class TestSftp:
    """As far as the folders, with OpenSSH's server."""

    @staticmethod
    def partner(folder: As2Folder, sshd: Sshd, **more: str | int) -> None:
        """A partner whose server this is."""
        remote = sshd.remote()
        settings: dict[str, str | int] = {
            "host": remote.host,
            "port": remote.port,
            "username": remote.username,
            "host_key": remote.host_key,
            "key_file": remote.key_file,
            "fetch_from": remote.fetch_from,
            "move_to": str(sshd.home / "done"),
            "push_to": str(sshd.home / "in"),
            **more,
        }
        lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
        text = PARTNER.split("[as2]")[0] + "[sftp_remote]\n" + "\n".join(lines) + "\n"
        folder.partner(text)

    def test_all_is_there(self, folder: As2Folder, sshd: Sshd) -> None:
        """Logged in, every folder found, what lies there counted and left alone."""
        for number, counted in enumerate(("nothing", "one entry", "2 entries")):
            if number:
                sshd.put(f"{number}.xml", b"<a/>")
            self.partner(folder, sshd)
            login, fetch, move, push = reached(folder)
            assert {step.result for step in (login, fetch, move, push)} == {Result.OK}
            assert login.subject == f"127.0.0.1 port {sshd.port}"
            assert fetch.subject == f"fetch_from {sshd.home / 'out'}"
            assert fetch.detail == f"it can be listed, and holds {counted}"
            assert move.subject == f"move_to {sshd.home / 'done'}"
            assert push.detail == WORDS["there"].en
        assert (sshd.names(), sshd.names("done"), sshd.names("in")) == (["1.xml", "2.xml"], [], [])

    def test_folders_that_are_not_there(self, folder: As2Folder, sshd: Sshd) -> None:
        """Each is a fault of its own, with the key to look at."""
        (sshd.home / "file").write_text("")
        self.partner(
            folder,
            sshd,
            fetch_from=str(sshd.home / "none"),
            move_to=str(sshd.home / "file"),
            push_to=str(sshd.home / "file" / "x"),
        )
        login, *others = reached(folder)
        assert login.result is Result.OK
        faults = [step.fault for step in others if step.fault]
        assert [each.key for each in faults] == [
            f"sftp_remote.{key}" for key in ("fetch_from", "move_to", "push_to")
        ]
        assert "no such file" in faults[0].what
        assert faults[1].what == "It is a file, and no folder."
        assert all("Ask the partner for the folder's name" in each.remedy for each in faults)

    def test_another_host_key(self, folder: As2Folder, sshd: Sshd) -> None:
        """It may be somebody else: nobody logs in."""
        before = sshd.connections()
        self.partner(folder, sshd, host_key=sshd.other_host_key)
        key, what, remedy = fault(folder)
        assert key == "sftp_remote"
        assert "shows the host key" in what
        assert "by telephone" in remedy
        assert sshd.connections() == before

    def test_our_key_is_not_known_there(self, folder: As2Folder, sshd: Sshd) -> None:
        """We are not let in."""
        self.partner(folder, sshd, key_file=str(sshd.stranger_key))
        _, what, _ = fault(folder)
        assert "does not let" in what

    def test_the_server_hangs(
        self, folder: As2Folder, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """After a time it is a fault like another, and the command ends."""
        monkeypatch.setattr("gateway.cli.partner_reach.SECONDS", 0.5)
        self.partner(folder, sshd)
        sshd.freeze()
        try:
            key, _, _ = fault(folder)
        finally:
            sshd.thaw()
        assert key == "sftp_remote"


@needs_sshd
def test_the_command(folder: As2Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only when it is asked for; a server that is away makes it fail."""
    at(folder, f"http://127.0.0.1:{free_port()}/as2")
    ask = ["partner", "check", "--json", "--lang", "en", "--config", str(folder.file), "acme"]
    assert main(ask) == 0
    assert '"connection"' not in capsys.readouterr().out
    assert main([*ask, "--connect"]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (failed,) = [line for line in lines if line["result"] == "fault" and line["check"] != "summary"]
    assert (failed["check"], failed["key"]) == ("connection", "as2.url")


def test_words() -> None:
    """Both languages name the same things; the console and the table know the check's name."""
    for each in WORDS.values():
        names = [sorted(re.findall(r"\{(\w+)", words)) for words in (each.en, each.fr)]
        assert names[0] == names[1]
    assert "connection" in check.WORDS
    assert "connection" in partner_page._CHECKS
