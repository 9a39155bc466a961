"""A real gateway calls for somebody: by webhook and by mail, once, whatever happens to it."""

from __future__ import annotations

import json
import ssl
import time
from pathlib import Path

import msgspec
import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.threads import deferToThread

from gateway.service.alerting.messages import AlertMessage
from tests.as2_partner import Listener, Said
from tests.gateway_process import GatewayProcess
from tests.mail_server import PASSWORD, USER, Certified, MailServer

pytestmark = [pytest.mark.timeout(300)]

TOKEN = "hook-s3cret"
FULL = "disk_free_mb = 100_000_000\n"
"""No disk has as much: the alert is on."""
ROOM = "disk_free_mb = 1\n"
SECONDS = 75.0
"""A gateway looks every 30 s."""


def a_gateway(
    folder: Path, certified: Certified, receiver: Listener, mails: MailServer
) -> GatewayProcess:
    """Who tells both, with secrets in files."""
    made = GatewayProcess(folder / "gateway", judges=1, sftp_processes=1)
    for name, secret in (("token", TOKEN), ("password", PASSWORD)):
        file = made.folder / name
        file.write_text(secret + "\n")
        file.chmod(0o600)
    made.config.write_text(
        made.config.read_text()
        + '[alerts]\nname = "Test line"\ncalm_minutes = 0\nquarantine = true\n# limits\n'
        + f'[alerts.webhook]\nurl = "{receiver.url("/hook?k=url-s3cret")}"\n'
        + f'token_file = "token"\nca_file = "{certified.ca_file}"\n'
        + f'[alerts.mail]\nhost = "127.0.0.1"\nport = {mails.port}\nusername = "{USER}"\n'
        + f'password_file = "password"\nca_file = "{certified.ca_file}"\n'
        + 'sender = "gw@example.com"\nrecipients = ["edi@example.com"]\n'
    )
    return made


def limits(gateway: GatewayProcess, text: str) -> None:
    """What it goes by from the next start."""
    head, _, tail = gateway.config.read_text().partition("# limits\n")
    rest = tail[tail.index("[alerts.webhook]") :]
    gateway.config.write_text(f"{head}# limits\n{text}{rest}")


@ensureDeferred
async def test_once_each_over_kills_and_restarts(tmp_path: Path) -> None:
    """Begins; is killed and started again; is over. Two messages by each way, and a trial."""
    certified = Certified(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certified.certificate)
    receiver = Listener(tls=context)
    path = "/hook?k=url-s3cret"
    receiver.answers[path] = lambda _: Said(200, (), b"")
    mails = MailServer(certified, tls="starttls")
    mails.start()
    gateway = a_gateway(tmp_path, certified, receiver, mails)

    def heard() -> list[AlertMessage]:
        return [msgspec.json.decode(each.body, type=AlertMessage) for each in receiver.at(path)]

    def wait_for(number: int) -> None:
        deadline = time.monotonic() + SECONDS
        while len(heard()) < number or len(mails.came) < number:
            assert time.monotonic() < deadline, (heard(), len(mails.came), gateway.log_tail())
            time.sleep(0.2)

    try:
        limits(gateway, FULL)
        await deferToThread(gateway.start)
        tried = await deferToThread(gateway.command, "alerts", "test")
        assert tried.stdout.splitlines() == ["webhook: sent", "mail: sent"], tried.stderr
        await deferToThread(wait_for, 2)
        listed = await deferToThread(gateway.command, "alerts", "--json")
        assert listed.returncode == 1
        (on,) = [json.loads(line) for line in listed.stdout.splitlines()]
        assert on["kind"] == "disk"

        gateway.kill()
        await deferToThread(gateway.start)
        await deferToThread(time.sleep, 35)
        assert len(heard()) == len(mails.came) == 2

        assert await deferToThread(gateway.stop) == 0
        limits(gateway, ROOM)
        await deferToThread(gateway.start)
        await deferToThread(wait_for, 3)
        assert await deferToThread(gateway.stop) == 0
        listed = await deferToThread(gateway.command, "alerts")
        assert (listed.returncode, listed.stdout) == (0, "No alert is on.\n")
    finally:
        gateway.ensure_gone()
        receiver.close()
        await mails.stop()
    messages = heard()
    assert [(each.event, each.kind) for each in messages] == [
        ("test", "test"),
        ("began", "disk"),
        ("over", "disk"),
    ]
    assert messages[1].alert == messages[2].alert
    assert {each.gateway for each in messages} == {"Test line"}
    assert all(each.get("Authorization") == f"Bearer {TOKEN}" for each in receiver.at(path))
    assert [mail["Subject"].partition(":")[0] for mail in mails.came] == [
        "[Test line] TEST",
        "[Test line] ALERT",
        "[Test line] OVER",
    ]
    assert all(mails.encrypted)
    log = gateway.log_file.read_text()
    assert log.count('"alert_began"') == log.count('"alert_over"') == 1
    assert "s3cret" not in log
