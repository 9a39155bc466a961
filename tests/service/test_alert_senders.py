"""Alerts reach a real HTTP receiver and a real mail server, encrypted and logged in, or say why."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from msgspec.structs import replace
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet import reactor

from gateway.config.alert_settings import Mail, Webhook
from gateway.errors import DeliveryFailed, DeliveryRefused
from gateway.model.verdict import Language
from gateway.service.alerting.mail import MailSender
from gateway.service.alerting.messages import AlertMessage
from gateway.service.alerting.webhook import WebhookSender
from tests.as2_partner import Listener, Said
from tests.broker import free_port
from tests.mail_server import PASSWORD, USER, Certified, MailServer
from tests.service.alerting import NOW, ago

TOKEN = "hook-s3cret"
MESSAGE = AlertMessage(
    id="7c5f7a52-5d0c-5a53-8f8e-0e0b0f2a6c11",
    event="began",
    alert="019c1c38-a400-7000-8000-000000000001",
    kind="outage",
    severity="critical",
    gateway="EDI production",
    subject="broker",
    partner="",
    since=ago(minutes=5),
    at=NOW,
    title="pas de réponse",
    what="Le broker ne répond pas ; les résultats attendent ici.\n.Il a dit : non",
    remedy="Vérifiez que RabbitMQ tourne.",
)


@pytest.fixture
def certified(tmp_path: Path) -> Certified:
    """An authority of the test's own."""
    return Certified(tmp_path)


# ---- webhook


@pytest.fixture
def receiver(certified: Certified) -> Iterator[Listener]:
    """It speaks TLS, with a certificate of that authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certified.certificate)
    made = Listener(tls=context)
    made.answers["/hook"] = lambda _: Said(204, (), b"")
    yield made
    made.close()


def hook(receiver: Listener, certified: Certified, tmp_path: Path) -> WebhookSender:
    """With a token in a file."""
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    settings = Webhook(
        url=receiver.url("/hook?key=url-s3cret"),
        token_file=str(file),
        ca_file=str(certified.ca_file),
    )
    receiver.answers["/hook?key=url-s3cret"] = lambda _: Said(204, (), b"")
    return WebhookSender(reactor, settings)


@ensureDeferred
async def test_the_webhook_gets_the_object(
    receiver: Listener, certified: Certified, tmp_path: Path
) -> None:
    """By POST, as JSON, with the token; a token that was replaced counts from then on."""
    sender = hook(receiver, certified, tmp_path)
    await sender.send(MESSAGE)
    (came,) = receiver.at("/hook?key=url-s3cret")
    assert msgspec.json.decode(came.body, type=AlertMessage) == MESSAGE
    assert came.get("Content-Type") == "application/json"
    assert came.get("Authorization") == f"Bearer {TOKEN}"
    (tmp_path / "token").write_text("another")
    await sender.send(MESSAGE)
    assert receiver.at("/hook?key=url-s3cret")[-1].get("Authorization") == "Bearer another"


async def failure_of(sender: Any) -> str:
    """Why it was not sent: all of the error, with what it came from."""
    with pytest.raises(DeliveryFailed) as caught:
        await sender.send(MESSAGE)
    error: BaseException | None = caught.value
    words = str(error)
    while error is not None:
        assert "s3cret" not in f"{error} {error!r} {error.args}"
        error = error.__cause__
    return words


@pytest.mark.parametrize("status", [300, 307, 401, 500])
@ensureDeferred
async def test_anything_but_2xx_is_no(
    receiver: Listener, certified: Certified, tmp_path: Path, status: int
) -> None:
    """A redirect too: the URL of the settings is the one that counts."""
    sender = hook(receiver, certified, tmp_path)
    elsewhere = (("Location", receiver.url("/other")),)
    receiver.answers["/hook?key=url-s3cret"] = lambda _: Said(status, elsewhere, b"no")
    assert f"127.0.0.1 answered {status}." in await failure_of(sender)
    assert receiver.at("/other") == []


@pytest.mark.parametrize(("status", "refused"), [(400, True), (413, True), (404, False)])
@ensureDeferred
async def test_a_status_about_the_message_is_a_refusal_of_it(
    receiver: Listener, certified: Certified, tmp_path: Path, status: int, refused: bool
) -> None:
    """One about who may send, or whether the address is right, is not: that can be mended."""
    sender = hook(receiver, certified, tmp_path)
    receiver.answers["/hook?key=url-s3cret"] = lambda _: Said(status, (), b"no")
    with pytest.raises(DeliveryFailed) as caught:
        await sender.send(MESSAGE)
    assert isinstance(caught.value, DeliveryRefused) is refused


@ensureDeferred
async def test_a_receiver_that_nobody_vouches_for_gets_nothing(
    receiver: Listener, certified: Certified, tmp_path: Path
) -> None:
    """An authority that is not ours, another name: no byte of the message leaves."""
    sender = hook(receiver, certified, tmp_path)
    sender._settings = replace(sender._settings, ca_file="")
    assert "not trusted" in await failure_of(sender)
    assert receiver.requests == []


@ensureDeferred
async def test_a_receiver_that_is_away_or_a_file_that_is(tmp_path: Path) -> None:
    """In words."""
    sender = WebhookSender(reactor, Webhook(url=f"http://127.0.0.1:{free_port()}/url-s3cret"))
    assert "127.0.0.1 could not be reached" in await failure_of(sender)
    sender._settings = Webhook(url="http://127.0.0.1/", token_file=str(tmp_path / "absent"))
    assert "absent cannot be read" in await failure_of(sender)
    sender._settings = Webhook(url="https://127.0.0.1/", ca_file=str(tmp_path / "no-authority"))
    assert "no-authority cannot be used" in await failure_of(sender)


@ensureDeferred
async def test_a_receiver_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while, and the connection is closed."""
    monkeypatch.setattr("gateway.service.alerting.webhook.SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        sender = WebhookSender(reactor, Webhook(url=f"http://127.0.0.1:{port}/"))
        assert "did not answer within 0.3 s" in await failure_of(sender)


# ---- mail


class Mailing:
    """A mail server, and what sends by it."""

    def __init__(self, folder: Path, certified: Certified, tls: str, *, login: bool = True) -> None:
        self.server = MailServer(certified, tls=tls, login=login)
        self.server.start()
        self.password = folder / "password"
        self.password.write_text(f"{PASSWORD}\n")
        self.said = structlog.testing.CapturingLogger()
        self.settings = Mail(
            host="127.0.0.1",
            port=self.server.port,
            tls=tls,  # type: ignore[arg-type]
            username=USER if login else "",
            password_file=str(self.password) if login else "",
            ca_file=str(certified.ca_file),
            sender="edi-gateway@example.com",
            recipients=("one@example.com", "two@example.com"),
        )

    def sender(self, **changed: Any) -> MailSender:
        """By these settings."""
        log = structlog.wrap_logger(self.said, processors=[])
        return MailSender(reactor, replace(self.settings, **changed), Language.FR, log=log)


@async_yield_fixture
async def mailing(tmp_path: Path, certified: Certified) -> AsyncIterator[Mailing]:
    """By STARTTLS."""
    made = Mailing(tmp_path, certified, "starttls")
    yield made
    await made.server.stop()


@pytest.mark.parametrize("tls", ["starttls", "implicit", "none"])
@ensureDeferred
async def test_a_mail_arrives(tmp_path: Path, certified: Certified, tls: str) -> None:
    """Encrypted and logged in; in words, whatever letters they have; in the reader's thread."""
    mailing = Mailing(tmp_path, certified, tls, login=tls != "none")
    try:
        await mailing.sender().send(MESSAGE)
    finally:
        await mailing.server.stop()
    server = mailing.server
    assert sorted(server.recipients) == [["one@example.com"], ["two@example.com"]]
    assert server.encrypted == [tls != "none"] * 2
    mail = server.came[0]
    assert mail["Subject"] == "[EDI production] ALERTE: pas de réponse (broker)"
    assert mail["From"] == "edi-gateway@example.com"
    assert mail["To"] == "one@example.com, two@example.com"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"] == f"<{MESSAGE.id}@example.com>"
    assert mail["References"] == f"<{MESSAGE.alert}@example.com>"
    text = mail.get_content()
    assert "Quoi\n  Le broker ne répond pas ; les résultats attendent ici.\n.Il a dit : non" in (
        text.replace("\r\n", "\n")
    )
    assert "Depuis\n  2026-03-01 11:55 UTC" in text.replace("\r\n", "\n")
    assert "Que faire\n  Vérifiez que RabbitMQ tourne." in text.replace("\r\n", "\n")
    assert "://" not in text


@ensureDeferred
async def test_a_login_that_is_refused(mailing: Mailing) -> None:
    """Is said so, and the password with nobody."""
    mailing.password.write_text("wrong-s3cret")
    words = await failure_of(mailing.sender())
    assert "it refused the login: 535" in words
    assert mailing.server.came == []
    mailing.password.write_text(PASSWORD)
    await mailing.sender().send(MESSAGE)
    assert len(mailing.server.came) == 2


@ensureDeferred
async def test_without_tls_nothing_is_said(tmp_path: Path, certified: Certified) -> None:
    """A server that offers none gets neither password nor mail; nor one nobody vouches for."""
    plain = Mailing(tmp_path, certified, "none")
    assert "it offers no TLS" in await failure_of(plain.sender(tls="starttls"))
    await plain.server.stop()
    for tls in ("starttls", "implicit"):
        mailing = Mailing(tmp_path, certified, tls)
        assert "not trusted" in await failure_of(mailing.sender(ca_file=""))
        assert mailing.server.came == []
        await mailing.server.stop()
    other = Mailing(tmp_path, Certified(tmp_path, "elsewhere.example"), "starttls")
    assert "another host name" in await failure_of(other.sender())
    await other.server.stop()


@ensureDeferred
async def test_a_server_that_says_no_is_quoted(mailing: Mailing) -> None:
    """By its code and its words, without links; nothing of the conversation."""
    mailing.server.refuse = "try later, see https://mail.example/why"
    words = await failure_of(mailing.sender())
    assert "127.0.0.1 took no mail: 451 try later, see mail.example" in words
    mailing.server.refuse = ""
    mailing.server.unknown = {"one@example.com", "two@example.com"}
    assert "550" in await failure_of(mailing.sender())


@ensureDeferred
async def test_one_recipient_that_is_unknown_keeps_nobody_else_from_hearing(
    mailing: Mailing,
) -> None:
    """It is sent once, and the log says that somebody did not get it."""
    mailing.server.unknown = {"two@example.com"}
    await mailing.sender().send(MESSAGE)
    assert mailing.server.recipients == [["one@example.com"]]
    (call,) = mailing.said.calls
    assert (call.kwargs["event"], call.kwargs["recipients"]) == ("alert_recipients_refused", 1)


@ensureDeferred
async def test_a_server_that_is_away_or_silent(
    mailing: Mailing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is given up after a while, without a complaint left behind."""
    words = await failure_of(mailing.sender(port=free_port()))
    assert "127.0.0.1 took no mail" in words
    monkeypatch.setattr("gateway.service.alerting.mail.SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert "did not answer" in await failure_of(mailing.sender(port=port))
