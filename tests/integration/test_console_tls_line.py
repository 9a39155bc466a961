"""The console over TLS: a real gateway, and clients that look at its certificate."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import socket
import ssl
import subprocess
import time
import urllib.parse
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPSConnection
from typing import NamedTuple

import pytest
import trustme

from gateway.samples import SAMPLES, sample_bytes
from tests.broker import free_port
from tests.gateway_process import PARTNER, GatewayProcess

pytestmark = pytest.mark.timeout(300)

TOKEN = "a-token"
PASSWORD = "nine grey rivers by night"


class Reply(NamedTuple):
    """What came back."""

    status: int
    headers: list[tuple[str, str]]
    text: str

    def all(self, name: str) -> list[str]:
        """Every header of this name."""
        return [value for each, value in self.headers if each.lower() == name]


class Browser:
    """Verifies the certificate, keeps cookies as one should, and follows nothing by itself."""

    def __init__(self, port: int, authority: trustme.CA) -> None:
        self._port, self.authority = port, authority
        self._context = ssl.create_default_context()
        authority.configure_trust(self._context)
        self.cookies: dict[str, str] = {}

    def ask(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> Reply:
        """One request, over a connection of its own."""
        connection = HTTPSConnection("127.0.0.1", self._port, context=self._context, timeout=30)
        headers = {"Cookie": "; ".join(f"{name}={text}" for name, text in self.cookies.items())}
        if kind:
            headers["Content-Type"] = kind
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            reply = Reply(answer.status, answer.getheaders(), answer.read().decode())
        finally:
            connection.close()
        for given in reply.all("set-cookie"):
            name, _, text = given.partition(";")[0].partition("=")
            self.cookies[name] = text
            if "Max-Age=0" in given:
                del self.cookies[name]
        return reply

    def form(self, path: str, **fields: str) -> Reply:
        """Send a form."""
        body = urllib.parse.urlencode(fields).encode()
        return self.ask("POST", path, body, "application/x-www-form-urlencoded")

    def log_in(self, name: str) -> Reply:
        """As people do, by the page with the form."""
        page = self.ask("GET", "/console/login")
        assert page.status == 200
        (token,) = re.findall(r'name="token" value="([^"]+)"', page.text)
        return self.form("/console/login", token=token, name=name, password=PASSWORD)


class House(NamedTuple):
    """A gateway whose management port speaks TLS, whose certificate an authority of ours signed."""

    gateway: GatewayProcess
    port: int
    http: int
    authority: trustme.CA

    def show(self, authority: trustme.CA) -> None:
        """Lay down a certificate by this authority, to be shown from the next start or reload."""
        made = authority.issue_cert("127.0.0.1")
        key = self.gateway.folder / "console.key"
        key.touch(0o600)
        made.private_key_pem.write_to_path(key)
        made.cert_chain_pems[0].write_to_path(self.gateway.folder / "console.pem")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Running, with an administrator and somebody of the partner's."""
    folder = tmp_path_factory.mktemp("console-tls")
    port, http = free_port(), free_port()
    gateway = GatewayProcess(
        folder / "gateway",
        flows=("en16931-invoice",),
        judges=1,
        sftp_processes=1,
        settings=f"[http]\nenabled = true\nport = {http}\n"
        f"[management]\nenabled = true\nport = {port}\n"
        '[management.tls]\nenabled = true\ncertificate_file = "console.pem"\n'
        'key_file = "console.key"\n',
        uniqueness=True,
    )
    partner = gateway.folder / "partners" / f"{PARTNER}.toml"
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    partner.write_text(f'{partner.read_text()}[http]\ntoken_sha256 = ["{digest}"]\n')
    made = House(gateway, port, http, trustme.CA())
    made.show(made.authority)
    password = folder / "password"
    password.write_text(PASSWORD)
    try:
        gateway.start()
        for name, *more in (("ada",), ("desk", "--partner", PARTNER)):
            role = "operator" if more else "administrator"
            words = ("user", "add", name, "--role", role, *more)
            done = gateway.command(*words, "--password-file", str(password))
            assert done.returncode == 0, done.stderr
        yield made
    finally:
        gateway.ensure_gone()


def test_somebody_logs_in(house: House) -> None:
    """By a verified certificate; the cookies are for TLS and this host alone."""
    browser = Browser(house.port, house.authority)
    page = browser.ask("GET", "/console/login")
    (tied,) = page.all("set-cookie")
    assert tied.startswith("__Host-edi-login=")
    reply = browser.log_in("ada")
    assert (reply.status, reply.all("location")) == (303, ["/console/"])
    (session,) = (each for each in reply.all("set-cookie") if "Max-Age=0" not in each)
    name, _, attributes = session.partition("=")
    assert name == "__Host-edi-session"
    wanted = {"Path=/", "HttpOnly", "SameSite=Strict", "Secure"}
    assert set(attributes.split("; ")[1:]) == wanted
    flows = browser.ask("GET", "/console/")
    assert flows.status == 200
    assert "ada" in flows.text
    assert flows.all("content-security-policy")
    assert flows.all("cache-control") == ["no-store"]
    assert Browser(house.port, house.authority).ask("GET", "/console/audit").status in (303, 401)


def test_a_client_that_does_not_know_the_authority_turns_away(house: House) -> None:
    """The certificate is looked at: this is what the other tests rest on."""
    with pytest.raises(ssl.SSLCertVerificationError):
        Browser(house.port, trustme.CA()).ask("GET", "/console/login")


def test_plain_http_is_not_answered(house: House) -> None:
    """Neither the console nor the metrics, and no cookie is set in the clear."""
    for path in ("/console/login", "/metrics"):
        with socket.create_connection(("127.0.0.1", house.port), timeout=30) as plain:
            plain.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            said = b""
            with contextlib.suppress(ConnectionError):
                while piece := plain.recv(4096):
                    said += piece
        assert len(said) < 20  # at most an alert of TLS
        assert b"HTTP" not in said


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_tls_is_refused(house: House, version: str) -> None:
    """By OpenSSL's own client, which allows itself everything; with 1.2 and 1.3 it gets on."""

    def agreed(*options: str) -> str:
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{house.port}", *options],
            input=b"",
            capture_output=True,
            timeout=30,
            check=False,
        )
        found = re.search(r"^New, (\S+), Cipher is (\S+)$", done.stdout.decode("latin-1"), re.M)
        return " ".join(found.groups()) if found else ""

    assert agreed(version, "-cipher", "ALL:@SECLEVEL=0") in ("", "(NONE), (NONE)", "(NONE) (NONE)")
    assert agreed("-tls1_2").startswith("TLSv1.2 ECDHE-")
    assert agreed("-tls1_3").startswith("TLSv1.3 TLS_")


def test_what_is_dropped_counts_as_web(house: House) -> None:
    """A partner's own login drops a file; by HTTPS it is the same; counted, and answered."""
    browser = Browser(house.port, house.authority)
    assert browser.log_in("desk").status == 303
    sample = next(each for each in SAMPLES if each.expected_verdict == "accepted")
    (action,) = re.findall(
        r'action="(/console/send\?token=[^"]+)"', browser.ask("GET", "/console/").text
    )
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="'
        + sample.file.encode()
        + b'"\r\nContent-Type: text/xml\r\n\r\n'
        + sample_bytes(sample.file)
        + b"\r\n--b--\r\n"
    )
    reply = browser.ask("POST", action, body, "multipart/form-data; boundary=b")
    assert reply.status == 303, reply.text
    id_ = reply.all("location")[0].rpartition("/")[2].partition("?")[0]
    posted = _by_http(
        house, "POST", f"/v1/interchanges?name={sample.file}", sample_bytes(sample.file)
    )
    assert json.loads(posted)["id"] == id_
    counted = _counted(house)
    assert {(each["channel"], each["documents"]) for each in counted} == {("web", 1)}
    metrics = browser.ask("GET", "/metrics").text
    assert f'received_files_total{{channel="web",partner="{PARTNER}"}} 1.0' in metrics
    assert 'resent_files_total{channel="https"} 1.0' in metrics
    report = _by_http(house, "GET", f"/v1/interchanges/{id_}/acknowledgements")
    assert report.startswith(b"<?xml")
    page = browser.ask("GET", f"/console/interchanges/{id_}").text
    (path,) = set(re.findall(rf'href="(/console/interchanges/{id_}/messages/\d+)"', page)[:1])
    assert browser.ask("GET", path).text.encode() == report


def test_commands_on_files_are_in_the_audit_of_the_gateway_that_runs(house: House) -> None:
    """What `partner add` did stands there, by way of the control socket, and how it ended."""
    done = house.gateway.command("partner", "add", "zeta", "--flow", "en16931-invoice")
    assert (done.returncode, done.stderr) == (0, "")
    said = house.gateway.command("audit", "--limit", "1", "--json").stdout
    row = json.loads(said)
    assert (row["action"], row["via"], row["outcome"]) == ("partner.add", "control", "done")
    assert row["subject"] == "partner zeta, flows en16931-invoice"


def test_a_renewed_certificate_is_shown_after_a_reload(house: House) -> None:
    """Without a restart, to whoever comes next; who is logged in stays so."""
    browser = Browser(house.port, house.authority)
    assert browser.log_in("ada").status == 303
    later = Browser(house.port, trustme.CA())
    later.cookies = dict(browser.cookies)
    try:
        house.show(later.authority)
        done = house.gateway.command("reload")
        assert done.returncode == 0, done.stderr
        assert later.ask("GET", "/console/").status == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            browser.ask("GET", "/console/")
    finally:
        house.show(house.authority)
        assert house.gateway.command("reload").returncode == 0


def _by_http(house: House, method: str, path: str, body: bytes | None = None) -> bytes:
    connection = HTTPConnection("127.0.0.1", house.http, timeout=30)
    try:
        connection.request(method, path, body, {"Authorization": f"Bearer {TOKEN}"})
        answer = connection.getresponse()
        said = answer.read()
        assert answer.status in (200, 202), said
        return said
    finally:
        connection.close()


def _counted(house: House) -> list[dict[str, object]]:
    """The totals by channel, once there are any."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        done = house.gateway.command("statistics", "--by", "channel", "--json")
        assert done.returncode == 0, done.stderr
        if rows := [json.loads(line) for line in done.stdout.splitlines()]:
            return rows
        time.sleep(0.5)
    raise AssertionError(f"nothing was judged; the log ends:\n{house.gateway.log_tail()}")
