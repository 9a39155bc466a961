"""The public portal as a destination, on a whole gateway: its file, its server, an operator."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.invoices import ubl_invoice
from gateway.service.journal.resend_records import TO_PORTAL
from tests.gateway_process import GatewayProcess
from tests.integration.test_status_line import LEGAL, put, said, told
from tests.service.sshd import Sshd, needs_sshd

pytestmark = [pytest.mark.ssh, pytest.mark.timeout(600), needs_sshd]

SOON = (
    "[outbox]\npoll_seconds = 0.2\nretry_min_seconds = 0.2\nretry_max_seconds = 0.5\n"
    "breaker_failures = 2\n"
)


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    """The portal's server."""
    folder = tmp_path / "portal"
    folder.mkdir()
    server = Sshd(folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    """One partner, whose invoices the portal is told of; nobody is the portal yet."""
    process = GatewayProcess(
        tmp_path / "gateway",
        judges=1,
        sftp_processes=1,
        settings=LEGAL + SOON,
        acknowledgements='html = "never"\nportal = true',
    )
    process.start()
    yield process
    process.ensure_gone()


def portal_file(sshd: Sshd, more: str = "") -> str:
    """What the portal's file says: no flows, files pushed to its server."""
    remote = sshd.remote()
    return (
        f'name = "ppf"\n[portal]\nchannels = ["sftp_remote"{more}]\n[sftp_remote]\n'
        f'host = "{remote.host}"\nport = {remote.port}\nusername = "{remote.username}"\n'
        f'host_key = "{remote.host_key}"\nkey_file = "{remote.key_file}"\n'
        f'push_to = "{sshd.home / "in"}"\n'
    )


def until(gateway: GatewayProcess, condition: Callable[[], bool]) -> None:
    """Poll until the condition holds."""
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, gateway.log_tail()
        time.sleep(0.1)


def done(gateway: GatewayProcess, *words: str) -> str:
    """A command that must succeed: what it printed."""
    run = gateway.command(*words)
    assert run.returncode == 0, run.stderr
    return run.stdout


def pushed(sshd: Sshd) -> dict[str, bytes]:
    """What lies on the portal's server, whole."""
    names = [name for name in sshd.names("in") if not name.endswith(".part")]
    return {name: (sshd.home / "in" / name).read_bytes() for name in names}


def to_portal(gateway: GatewayProcess) -> dict[str, bytes]:
    """What RabbitMQ has for the portal by now, by the name of the file."""
    found = {}
    for file in (gateway.state / "publications" / "edi.acknowledgements").rglob("*.headers.json"):
        headers = json.loads(file.read_bytes())["headers"]
        body = file.with_name(file.name.replace(".headers.json", ".xml"))  # written last
        if headers["cloudEvents:type"] == TO_PORTAL and body.exists():
            found[headers["filename"]] = body.read_bytes()
    return found


def interchange(gateway: GatewayProcess, name: str) -> str:
    """The id of what came under this name."""
    return str(next(each["id"] for each in told(gateway, "interchanges") if each["name"] == name))


def rows(gateway: GatewayProcess, id_: str) -> list[dict[str, Any]]:
    """The outbox's messages for the portal, those of RabbitMQ left out."""
    (shown,) = told(gateway, "show", id_)
    return [each for each in shown["outbox"] if each["partner"] == "ppf"]


def test_the_portal_is_a_destination_like_a_partner(gateway: GatewayProcess, sshd: Sshd) -> None:
    """RabbitMQ alone until a file names it; then pushed, held, resumed, tried again, resent."""
    put(gateway, "FA-1.xml", ubl_invoice("FA-1", lines=2))
    until(gateway, lambda: len(to_portal(gateway)) == 1)
    first = interchange(gateway, "FA-1.xml")
    assert rows(gateway, first) == []

    partners = gateway.folder / "partners"
    (partners / "ppf.toml").write_text(portal_file(sshd))
    assert "partner ppf: added" in done(gateway, "reload")
    put(gateway, "FA-2.xml", ubl_invoice("FA-2", lines=2, fault="total"))
    until(gateway, lambda: len(pushed(sshd)) == 1)
    second = interchange(gateway, "FA-2.xml")
    assert said(pushed(sshd)) == {("FA-2", "213", ("MONTANTTOTAL_ERR",)): 1}
    published = to_portal(gateway)
    ((name, body),) = pushed(sshd).items()
    assert name.startswith("FFE0614A_AAA123_AAA1230614")
    assert published[name] == body
    until(gateway, lambda: rows(gateway, second)[0]["state"] == "delivered")
    (row,) = rows(gateway, second)
    assert (row["destination"], row["attempts"], row["filename"]) == ("sftp-remote", 1, name)
    assert "sftp-remote ppf" in done(gateway, "show", second)

    # What was said before there was a channel can be sent to it.
    done(gateway, "resend", first, "--kind", "cdar", "--to", "portal")
    until(gateway, lambda: said(pushed(sshd))["FA-1", "200", ()] == 1)

    done(gateway, "hold", "--partner", "ppf", "--destination", "sftp-remote", "--reason", "closed")
    put(gateway, "FA-3.xml", ubl_invoice("FA-3", lines=2))
    until(gateway, lambda: len(to_portal(gateway)) == 3)
    queue, hold = told(gateway, "queues")
    assert (queue["destination"], queue["partner"]) == ("sftp-remote", "ppf")
    assert (queue["waiting"], queue["held"], hold["kind"]) == (1, 1, "hold")
    (status,) = told(gateway, "status")
    assert status["outbox"]["sftp-remote"]["pending"] == 1
    assert len(pushed(sshd)) == 2

    # Its server is away: one attempt after the other, a circuit of its own, and then all is well.
    sshd.stop()
    done(gateway, "resume", "--partner", "ppf", "--destination", "sftp-remote")
    until(gateway, lambda: any(queue.get("away") for queue in told(gateway, "queues")))
    sshd.start()
    until(gateway, lambda: len(pushed(sshd)) == 3)
    until(gateway, lambda: told(gateway, "queues") == [])
    (row,) = rows(gateway, interchange(gateway, "FA-3.xml"))
    assert row["state"] == "delivered"
    assert row["attempts"] > 1
    assert to_portal(gateway) == pushed(sshd)

    # A folder beside it, and one message again, named by its id.
    folder = gateway.folder / "to-portal"
    for each in (folder, gateway.folder / "from-portal"):
        each.mkdir()
    (partners / "ppf.toml").write_text(
        portal_file(sshd, ', "folder"')
        + f'[folder]\ninbox = "{gateway.folder / "from-portal"}"\nout = "{folder}"\n'
    )
    done(gateway, "reload")
    put(gateway, "FA-4.xml", ubl_invoice("FA-4", lines=2))
    until(gateway, lambda: len(pushed(sshd)) == 4)
    until(gateway, lambda: len(list(folder.glob("FFE*"))) == 1)
    fourth = interchange(gateway, "FA-4.xml")
    until(gateway, lambda: {row["state"] for row in rows(gateway, fourth)} == {"delivered"})
    (file,) = folder.iterdir()
    assert pushed(sshd)[file.name] == file.read_bytes()
    file.unlink()
    (again,) = [row for row in rows(gateway, fourth) if row["destination"] == "folder"]
    printed = done(gateway, "resend", fourth, "--message-id", again["message_id"])
    assert "1 message is sent again" in printed
    until(gateway, file.exists)
