"""TLS with AS2, end to end: towards partners' servers, and partners towards our listener."""

from __future__ import annotations

import datetime as dt
import ssl
import warnings
from collections.abc import Iterator
from http.client import RemoteDisconnected
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme

from gateway.service.journal import open_reader, records
from tests.as2_partner import Listener
from tests.rolling_gateway import Receiving, RollingGateway, until

LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


class Authorities(NamedTuple):
    """One that signs the servers' certificates, and a stranger."""

    right: trustme.CA
    wrong: trustme.CA


@pytest.fixture(scope="module")
def authorities() -> Authorities:
    """Made once."""
    return Authorities(trustme.CA(), trustme.CA())


@pytest.fixture(scope="module")
def rolling(
    tmp_path_factory: pytest.TempPathFactory, authorities: Authorities
) -> Iterator[RollingGateway]:
    """A gateway that listens with TLS and wants certificates of clients."""
    folder = tmp_path_factory.mktemp("tls")
    ours = authorities.right.issue_cert("127.0.0.1")
    ours.private_key_and_cert_chain_pem.write_to_path(folder / "http.pem")
    authorities.right.cert_pem.write_to_path(folder / "ca.pem")
    authorities.wrong.cert_pem.write_to_path(folder / "wrong.pem")
    made = RollingGateway(
        folder,
        settings=f'[http.tls]\nenabled = true\ncertificate_file = "{folder}/http.pem"\n'
        f'key_file = "{folder}/http.pem"\nclient_ca_file = "{folder}/ca.pem"\n',
    )
    try:
        made.gateway.start()
        yield made
        assert made.gateway.stop() == 0
    finally:
        made.close()


def client(authority: trustme.CA, identity: trustme.CA | None) -> ssl.SSLContext:
    """A partner's side of TLS: whom it trusts, and who signed the certificate it shows."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if identity is not None:
        identity.issue_cert("partner.example").configure_cert(context)
    return context


def server(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """A partner's web server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def outdated(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """One that knows TLS 1.0 and 1.1 only."""
    context = server(certificate)
    only_outdated(context)
    return context


def only_outdated(context: ssl.SSLContext) -> None:
    """TLS 1.0 and 1.1, with the ciphers of their day."""
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # they are what is to be refused
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1


def report_of(rolling: RollingGateway, interchange: str) -> records.OutboxRow | None:
    """The row of the outbox that carries the report to the partner by AS2."""
    engine = open_reader(rolling.gateway.state / "journal.sqlite")
    try:
        with engine.connect() as conn:
            rows = records.outbox_of(conn, interchange)
    finally:
        engine.dispose()
    return next((r for r in rows if r.kind == "report" and r.destination == "as2"), None)


def attempted(
    rolling: RollingGateway, authorities: Authorities, who: str, url: str, ca_file: Path
) -> str:
    """What `show` says of a report to this URL: "delivered", or why it was not."""
    rolling.partner(who, keys=f'url = "{url}"\ntls_ca_file = "{ca_file}"')
    rolling.reloaded()
    tls = client(authorities.right, authorities.right)
    _, answer = rolling.send(who, rolling.them, "old", tls)
    assert rolling.disposition(answer, by="old") == "processed"
    (interchange,) = rolling.interchanges(who)
    id_ = str(interchange["id"])

    def tried() -> bool:
        row = report_of(rolling, id_)
        return row is not None and bool(row.delivered_at or row.last_error)

    until(tried, "the report was not tried")
    row = report_of(rolling, id_)
    assert row is not None
    if row.delivered_at is not None:
        return "delivered"
    shown = rolling.gateway.command("show", id_)
    assert shown.returncode == 0, shown.stderr
    assert row.last_error
    assert row.last_error.split(". ")[0][:60] in " ".join(shown.stdout.split())
    return row.last_error


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("right", "delivered"),
        ("wrong-authority", "of an authority we do not trust"),
        ("wrong-name", "is for another host name than 127.0.0.1"),
        ("expired", "has expired, or"),
        ("outdated", "offers no TLS 1.2 or newer"),
        ("no-tls", "does not speak TLS"),
    ],
)
def test_reports_go_to_servers_we_can_trust(
    rolling: RollingGateway, authorities: Authorities, case: str, words: str
) -> None:
    """And to no other: the report waits in the outbox, with the reason."""
    right, folder = authorities.right, rolling.folder
    certificate = {
        "wrong-name": lambda: right.issue_cert("elsewhere.example"),
        "expired": lambda: right.issue_cert(
            "127.0.0.1", not_before=LONG_AGO, not_after=LONG_AGO + dt.timedelta(days=9)
        ),
    }.get(case, lambda: right.issue_cert("127.0.0.1"))()
    tls = outdated(certificate) if case == "outdated" else server(certificate)
    listener = Listener(tls=None if case == "no-tls" else tls)
    try:
        Receiving(rolling, "/as2", rolling.them, listener=listener)
        url = listener.url("/as2").replace("http://", "https://")
        ca_file = folder / ("wrong.pem" if case == "wrong-authority" else "ca.pem")
        assert words in attempted(rolling, authorities, case, url, ca_file)
        assert bool(listener.at("/as2")) is (case == "right")
    finally:
        rolling.partner(case, enabled=False)
        listener.close()


def test_another_authority_counts_after_a_reload(
    rolling: RollingGateway, authorities: Authorities, tmp_path: Path
) -> None:
    """The same file with other content: a partner's server changed its authority."""
    pinned = tmp_path / "pinned.pem"
    authorities.wrong.cert_pem.write_to_path(pinned)
    listener = Listener(tls=server(authorities.right.issue_cert("127.0.0.1")))
    try:
        Receiving(rolling, "/as2", rolling.them, listener=listener)
        said = attempted(rolling, authorities, "pinned", listener.url("/as2"), pinned)
        assert "of an authority we do not trust" in said
        authorities.right.cert_pem.write_to_path(pinned)
        rolling.reloaded()
        assert listener.wait("/as2")
    finally:
        rolling.partner("pinned", enabled=False)
        listener.close()


def test_one_partners_authority_vouches_for_no_other_partner(
    rolling: RollingGateway, authorities: Authorities
) -> None:
    """Both are on one server, and a connection that the first one's opened is still open."""
    listener = Listener(tls=server(authorities.right.issue_cert("127.0.0.1")))
    try:
        Receiving(rolling, "/as2", rolling.them, listener=listener)
        url, folder = listener.url("/as2"), rolling.folder
        said = attempted(rolling, authorities, "first", url, folder / "ca.pem")
        assert said == "delivered"
        said = attempted(rolling, authorities, "second", url, folder / "wrong.pem")
        assert "of an authority we do not trust" in said
    finally:
        for name in ("first", "second"):
            rolling.partner(name, enabled=False)
        listener.close()


def test_our_listener_wants_a_certificate_of_the_right_authority(
    rolling: RollingGateway, authorities: Authorities
) -> None:
    """With it a message is taken; without one, or with a stranger's, nobody gets to send any."""
    rolling.partner("secure")
    rolling.reloaded()
    right, wrong = authorities
    _, answer = rolling.send("secure", rolling.them, "old", client(right, right))
    assert rolling.disposition(answer, by="old") == "processed"
    for identity in (None, wrong):
        with pytest.raises((ssl.SSLError, ConnectionError, RemoteDisconnected)):
            rolling.send("secure", rolling.them, "old", client(right, identity))
    old = client(right, right)
    only_outdated(old)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        rolling.send("secure", rolling.them, "old", old)
    assert len(rolling.interchanges("secure")) == 1
