"""TLS of the HTTP server: versions, certificates of clients, files that cannot be used."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import ssl
import subprocess
import warnings
from http.client import HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from pytest_twisted import ensureDeferred
from twisted.internet.threads import deferToThread

from gateway.config.settings import HttpTls
from gateway.errors import ConfigurationError
from gateway.service.http_server import Answer
from tests.service.http_house import HttpHouse, exchange, http_house, request


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Signs the server's certificate, and its clients'."""
    return trustme.CA()


@pytest.fixture
def tls(tmp_path: Path, authority: trustme.CA) -> HttpTls:
    """A certificate with its chain and key, in files."""
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(tmp_path / "cert.pem", append=True)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return HttpTls(
        enabled=True,
        certificate_file=str(tmp_path / "cert.pem"),
        key_file=str(tmp_path / "key.pem"),
    )


def with_clients(tls: HttpTls, tmp_path: Path) -> HttpTls:
    """The same, with clients that must show a certificate."""
    return HttpTls(
        enabled=True,
        certificate_file=tls.certificate_file,
        key_file=tls.key_file,
        client_ca_file=str(tmp_path / "ca.pem"),
    )


def expiry(tls: HttpTls) -> dt.datetime:
    """Of the certificate in the file."""
    found = x509.load_pem_x509_certificates(Path(tls.certificate_file).read_bytes())
    return found[0].not_valid_after_utc


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """A client that knows the authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def ask(house: HttpHouse, context: ssl.SSLContext, body: bytes = b"hello") -> Any:
    """Status and body, by http.client."""

    def talk() -> tuple[int, bytes]:
        connection = HTTPSConnection("127.0.0.1", house.port, context=context, timeout=10)
        try:
            connection.request("POST", "/x", body=body)
            response: HTTPResponse = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    return await deferToThread(talk)


@ensureDeferred
async def test_a_request_over_tls(tmp_path: Path, tls: HttpTls, authority: trustme.CA) -> None:
    """Small and large bodies and answers; the handler knows that it was secure."""
    async with http_house(tmp_path, tls=tls) as house:
        assert (await ask(house, trusting(authority)))[0] == 200
        status, said = await ask(house, trusting(authority), b"x" * 3_000_000)
        assert (status, said.split()[0]) == (200, b"3000000")
        house.handler.answer = lambda _: Answer(200, (), b"y" * 2_000_000)
        assert (await ask(house, trusting(authority)))[1] == b"y" * 2_000_000
        head = house.handler.heads[0]
        assert (head.secure, head.client_certificate_sha256) == (True, None)


@ensureDeferred
async def test_a_renewed_certificate_is_shown_to_whoever_comes_next(
    tmp_path: Path, tls: HttpTls, authority: trustme.CA
) -> None:
    """Whoever is connected goes on; a file that cannot be used changes nothing."""
    other = trustme.CA()
    async with http_house(tmp_path, tls=tls) as house:
        staying = HTTPSConnection("127.0.0.1", house.port, context=trusting(authority), timeout=10)

        def again() -> int:
            staying.request("POST", "/x", body=b"hello")
            answer: HTTPResponse = staying.getresponse()
            answer.read()
            return answer.status

        assert await deferToThread(again) == 200
        first = house.server.certificate_until
        assert first == expiry(tls)
        Path(tls.certificate_file).write_text("no certificate")
        with pytest.raises(ConfigurationError, match="certificate_file"):
            house.server.prepare()
        assert (await ask(house, trusting(authority)))[0] == 200
        renewed = other.issue_cert("127.0.0.1", not_after=dt.datetime(2035, 5, 5, tzinfo=dt.UTC))
        renewed.private_key_pem.write_to_path(tls.key_file)
        renewed.cert_chain_pems[0].write_to_path(tls.certificate_file)
        assert house.server.certificate_until == first
        house.server.prepare()()
        assert house.server.certificate_until == expiry(tls) != first
        assert (await ask(house, trusting(other)))[0] == 200
        with pytest.raises(ssl.SSLError):
            await ask(house, trusting(authority))
        assert await deferToThread(again) == 200
        staying.close()


@ensureDeferred
async def test_refusals_are_heard_over_tls(
    tmp_path: Path, tls: HttpTls, authority: trustme.CA
) -> None:
    """A client that sends far too much reads 413 nevertheless."""
    async with http_house(tmp_path, tls=tls, max_body_bytes=1000) as house:
        assert (await ask(house, trusting(authority), b"x" * 200_000))[0] == 413


@ensureDeferred
async def test_old_versions_are_refused(
    tmp_path: Path, tls: HttpTls, authority: trustme.CA
) -> None:
    """TLS 1.2 is the oldest spoken; 1.3 is."""
    async with http_house(tmp_path, tls=tls) as house:
        for version, works in [
            (ssl.TLSVersion.TLSv1_1, False),
            (ssl.TLSVersion.TLSv1_2, True),
            (ssl.TLSVersion.TLSv1_3, True),
        ]:
            context = trusting(authority)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = context.maximum_version = version
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            if works:
                assert (await ask(house, context))[0] == 200
            else:
                with pytest.raises(ssl.SSLError):
                    await ask(house, context)


def handshake(port: int, *options: str) -> str:
    """What OpenSSL's client says of a connection; it allows itself whatever is asked of it."""
    done = subprocess.run(
        [*("openssl", "s_client", "-connect", f"127.0.0.1:{port}"), *options],
        input=b"",
        capture_output=True,
        timeout=20,
        check=False,
    )
    return (done.stdout + done.stderr).decode("latin-1")


@pytest.mark.parametrize(
    "options",
    [
        ("-tls1", "-cipher", "ALL:@SECLEVEL=0"),
        ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"),
        ("-tls1_2", "-cipher", "AES128-SHA:AES256-SHA:AES128-SHA256:AES256-GCM-SHA384"),
        ("-tls1_2", "-cipher", "ECDHE-RSA-AES256-SHA:ECDHE-ECDSA-AES256-SHA"),
        ("-tls1_2", "-cipher", "DHE-RSA-AES256-SHA:DHE-RSA-AES128-SHA256"),
        ("-tls1_2", "-cipher", "NULL:eNULL:aNULL:@SECLEVEL=0"),
        ("-tls1_2", "-cipher", "CAMELLIA:ARIA:@SECLEVEL=0"),
    ],
    ids=lambda options: " ".join(options)[:40],
)
@ensureDeferred
async def test_weak_tls_is_refused(tmp_path: Path, tls: HttpTls, options: tuple[str, ...]) -> None:
    """Old versions, no forward secrecy, SHA-1, no encryption: OpenSSL finds nothing to agree on."""
    async with http_house(tmp_path, tls=tls) as house:
        said = await deferToThread(handshake, house.port, *options)
        good = await deferToThread(handshake, house.port, "-tls1_2")
    assert "Cipher is (NONE)" in said or "Cipher    : 0000" in said
    assert "Cipher is ECDHE-" in good


@pytest.mark.parametrize(
    "cipher",
    ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305", "AES128-SHA256"],
)
@ensureDeferred
async def test_sound_ciphers_are_spoken(tmp_path: Path, tls: HttpTls, cipher: str) -> None:
    """Those of today, and of clients some years old."""
    names = f"ECDHE-RSA-{cipher}:ECDHE-ECDSA-{cipher}"
    async with http_house(tmp_path, tls=tls) as house:
        said = await deferToThread(handshake, house.port, "-tls1_2", "-cipher", names)
    assert re.search(rf"Cipher is ECDHE-(RSA|ECDSA)-{cipher}", said)


@ensureDeferred
async def test_plain_http_on_a_tls_port_is_no_request(tmp_path: Path, tls: HttpTls) -> None:
    """The connection ends; no handler hears of it."""
    async with http_house(tmp_path, tls=tls) as house:
        heard = await deferToThread(exchange, house.port, [request(body=b"x")])
        assert b"HTTP/1.1 200" not in heard
        assert house.handler.heads == []


@ensureDeferred
async def test_a_client_shows_its_certificate(
    tmp_path: Path, tls: HttpTls, authority: trustme.CA
) -> None:
    """Its fingerprint stands in the head of every request of the connection."""
    mine = authority.issue_cert("partner@acme.example")
    context = trusting(authority)
    mine.configure_cert(context)
    der = ssl.PEM_cert_to_DER_cert(mine.cert_chain_pems[0].bytes().decode())
    async with http_house(tmp_path, tls=with_clients(tls, tmp_path)) as house:
        for _ in range(2):  # the second time with what the first handshake left
            assert (await ask(house, context))[0] == 200
        expected = hashlib.sha256(der).hexdigest()
        assert {head.client_certificate_sha256 for head in house.handler.heads} == {expected}


@pytest.mark.parametrize("shown", ["none", "of another authority"])
@ensureDeferred
async def test_a_client_without_a_good_certificate_gets_nowhere(
    tmp_path: Path, tls: HttpTls, authority: trustme.CA, shown: str
) -> None:
    """Required means required, and signed by the authority that was named."""
    context = trusting(authority)
    if shown != "none":
        trustme.CA().issue_cert("partner@acme.example").configure_cert(context)
    async with http_house(tmp_path, tls=with_clients(tls, tmp_path)) as house:
        with pytest.raises(OSError):  # ssl.SSLError is one
            await ask(house, context)
        assert house.handler.heads == []


@ensureDeferred
async def test_a_handshake_that_never_ends_is_cut_off(tmp_path: Path, tls: HttpTls) -> None:
    """The idle timeout counts from the beginning, whatever bytes trickle in."""
    async with http_house(tmp_path, tls=tls, idle_timeout_seconds=1) as house:
        with pytest.raises(ConnectionResetError):
            await deferToThread(exchange, house.port, [b"\x16\x03\x01", 0.5, b"\x02", 0.4, b"\x00"])


@pytest.mark.parametrize("broken", ["missing", "no key", "not a pair", "no authority"])
@ensureDeferred
async def test_unusable_files_are_named(
    tmp_path: Path, tls: HttpTls, authority: trustme.CA, broken: str
) -> None:
    """The operator reads which setting is wrong."""
    settings: dict[str, Any] = {
        "enabled": True,
        "certificate_file": tls.certificate_file,
        "key_file": tls.key_file,
    }
    other = tmp_path / "other.pem"
    if broken == "missing":
        settings["certificate_file"] = str(tmp_path / "gone.pem")
    elif broken == "no key":
        settings["key_file"] = tls.certificate_file
    elif broken == "not a pair":
        authority.issue_cert("x.example").private_key_pem.write_to_path(other)
        settings["key_file"] = str(other)
    else:
        other.write_text("nothing")
        settings["client_ca_file"] = str(other)
    house = HttpHouse(tmp_path, tls=HttpTls(**settings))
    with pytest.raises(ConfigurationError, match=r"http\.tls") as caught:
        await house.server.start()
    assert caught.value.remedy
