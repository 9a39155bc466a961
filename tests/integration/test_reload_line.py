"""Partners and certificates change while a real gateway works; OpenSSL plays the partners."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import struct
import subprocess
import termios
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.cli.demo_client import make_key
from gateway.model.as2 import Failure
from tests.broker import free_port
from tests.rolling_gateway import (
    Dated,
    Receiving,
    RollingGateway,
    an_invoice,
    lines_about,
    token_table,
    until,
)

REFUSED = f"processed/Error: {Failure.AUTHENTICATION.value}"
MANAGEMENT = free_port()
UNREADABLE = f"processed/Error: {Failure.DECRYPTION.value}"


@pytest.fixture(scope="module")
def rolling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RollingGateway]:
    """One gateway for all; each test has partners of its own, and names our certificates."""
    made = RollingGateway(
        tmp_path_factory.mktemp("rolling"),
        settings=f"[management]\nenabled = true\nport = {MANAGEMENT}\n",
    )
    try:
        made.gateway.start()
        yield made
        assert made.gateway.stop() == 0
        log = made.gateway.log_file.read_text(errors="replace")
        assert "Traceback" not in log
        assert "Unhandled" not in log
        assert "PRIVATE KEY" not in log
    finally:
        made.close()


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that does nothing meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def waiting_in_stdin(pid: int) -> int:
    """How many bytes a process has not read yet from its standard input, a pipe."""
    descriptor = os.open(f"/proc/{pid}/fd/0", os.O_RDONLY | os.O_NONBLOCK)
    try:
        answer = fcntl.ioctl(descriptor, termios.FIONREAD, struct.pack("i", 0))
        return int(struct.unpack("i", answer)[0])
    finally:
        os.close(descriptor)


def test_our_certificate_is_replaced_with_overlap(rolling: RollingGateway) -> None:
    """Old, then both, then new alone: what is for either is read, and what we sign, they know.

    While both are there the partner gets receipts and reports of the one it last encrypted for.
    """
    url = f'url = "{rolling.listener.url("/ours")}"'
    rolling.partner("ours", keys=url)
    reports = Receiving(rolling, "/ours", rolling.them)
    rolling.use("old")
    rolling.reloaded()
    _, answer = rolling.send("ours", rolling.them, "old")
    assert rolling.disposition(answer, by="old") == "processed"
    assert reports.next() == ("old", "them")

    rolling.use("old", "new")
    assert lines_about(rolling.reloaded(), ["certificate of ours: added us-new.pem", "serial"])
    for recipient in ("old", "new", "old"):
        _, answer = rolling.send("ours", rolling.them, recipient)
        assert rolling.disposition(answer, by=recipient) == "processed"
        assert reports.next() == (recipient, "them")
    _, answer = rolling.send("ours", rolling.them, "new")
    assert reports.next() == ("new", "them")

    rolling.use("new")
    assert lines_about(rolling.reloaded(), ["certificate of ours: removed us-old.pem"])
    _, answer = rolling.send("ours", rolling.them, "new")
    assert rolling.disposition(answer, by="new") == "processed"
    assert reports.next() == ("new", "them")
    _, answer = rolling.send("ours", rolling.them, "old")
    assert rolling.disposition(answer, by="new") == UNREADABLE


def test_a_partners_certificate_is_replaced_with_overlap(
    rolling: RollingGateway, tmp_path: Path
) -> None:
    """Old, then both, then new alone: either verifies while it is valid; newest is encrypted to."""
    old, new = Dated(tmp_path, "theirs-old", (-90, 9)), Dated(tmp_path, "theirs-new", (-1, 300))
    url = f'url = "{rolling.listener.url("/theirs")}"'
    reports = Receiving(rolling, "/theirs", old, new)
    rolling.use("old")
    rolling.partner("theirs", old, keys=url)
    rolling.reloaded()
    _, answer = rolling.send("theirs", new, "old")
    assert rolling.disposition(answer, by="old") == REFUSED
    _, answer = rolling.send("theirs", old, "old")
    assert rolling.disposition(answer, by="old") == "processed"
    assert reports.next() == ("old", "theirs-old")

    rolling.partner("theirs", old, new, keys=url)
    said = rolling.reloaded()
    assert lines_about(said, ["partner theirs: changed as2.certificates"])
    assert lines_about(said, ["certificate of theirs: added theirs-new.crt"])
    for signer in (old, new, old):
        _, answer = rolling.send("theirs", signer, "old")
        assert rolling.disposition(answer, by="old") == "processed"
        assert reports.next() == ("old", "theirs-new")

    rolling.partner("theirs", new, keys=url)
    rolling.reloaded()
    _, answer = rolling.send("theirs", old, "old")
    assert rolling.disposition(answer, by="old") == REFUSED


def test_what_an_expired_certificate_signed_is_refused(
    rolling: RollingGateway, tmp_path: Path
) -> None:
    """With authentication-failed and a log line that has the dates; another one still verifies."""
    past, present = Dated(tmp_path, "past", (-90, -1)), Dated(tmp_path, "present", (-9, 9))
    rolling.use("old")
    rolling.partner("late", past, present)
    rolling.reloaded()
    message_id, answer = rolling.send("late", past, "old")
    assert rolling.disposition(answer, by="old") == REFUSED
    (line,) = [each for each in rolling.logged("as2_refused") if each["message_id"] == message_id]
    assert line["partner"] == "late"
    assert "is not valid: it is from" in str(line["why"])
    _, answer = rolling.send("late", present, "old")
    assert rolling.disposition(answer, by="old") == "processed"


def test_what_is_under_way_ends_with_what_it_began_with(
    rolling: RollingGateway, tmp_path: Path
) -> None:
    """A message whose signer is taken away while a worker holds it is taken; the next one is not.

    Meanwhile nobody waits for that worker: new ones work beside it. It ends when it is done.
    """
    old, new = Dated(tmp_path, "held-old", (-90, 9)), Dated(tmp_path, "held-new", (-1, 300))
    rolling.use("old")
    rolling.partner("held", old)
    rolling.reloaded()
    until(lambda: len(rolling.workers()) == 1, "workers of before are left")
    (worker,) = rolling.workers()
    with ThreadPoolExecutor(1) as pool:
        with stopped(worker):
            sending = pool.submit(rolling.send, "held", old, "old")
            until(lambda: waiting_in_stdin(worker), "no job reached the worker")
            rolling.partner("held", new)
            rolling.reloaded()
            _, answer = rolling.send("held", new, "old")
            assert rolling.disposition(answer, by="old") == "processed"
            _, answer = rolling.send("held", old, "old")
            assert rolling.disposition(answer, by="old") == REFUSED
            assert not sending.done()
            assert worker in rolling.workers()
        _, answer = sending.result()
    assert rolling.disposition(answer, by="old") == "processed"
    until(lambda: len(rolling.workers() - {worker}) == 1, "the new worker is gone")
    until(lambda: worker not in rolling.workers(), "the old worker stays")
    assert len(rolling.workers()) == 1
    assert len(rolling.interchanges("held")) == 2


def test_nobody_is_refused_while_certificates_rotate(
    rolling: RollingGateway, tmp_path: Path
) -> None:
    """Messages come in without a pause while keys come and go: each is taken, and taken once."""
    spare = Dated(tmp_path, "spare", (-1, 300))
    rolling.use("old", "new")
    rolling.partner("busy")
    rolling.reloaded()
    until(lambda: len(rolling.workers()) == 1, "workers of before are left")
    before = rolling.workers()
    over = threading.Event()
    sent: list[str] = []

    def keep_sending(number: int) -> None:
        while not over.is_set():
            recipient = ("old", "new")[number % 2]
            message_id, answer = rolling.send("busy", rolling.them, recipient)
            assert rolling.disposition(answer, by=recipient) == "processed", answer
            sent.append(message_id)

    with ThreadPoolExecutor(4) as pool:
        going = [pool.submit(keep_sending, number) for number in range(4)]
        try:
            for turn in range(6):
                rolling.partner("busy", *((rolling.them, spare) if turn % 2 else (rolling.them,)))
                rolling.use(*(("old", "new") if turn % 2 else ("new", "old")))
                seen = len(sent)
                rolling.reloaded()
                until(lambda seen=seen: len(sent) >= seen + 4, "no message is taken any more")  # type: ignore[misc]
        finally:
            over.set()
        for each in going:
            each.result()
    assert len(set(sent)) == len(sent)
    assert len(rolling.interchanges("busy")) == len(sent)
    until(lambda: not rolling.workers() & before, "workers with old certificates are left")


def test_with_a_fault_nothing_changes(rolling: RollingGateway) -> None:
    """Every fault is told; the sound change beside them waits until they are mended."""
    rolling.use("old")
    rolling.partner("good")
    rolling.reloaded()
    until(lambda: len(rolling.workers()) == 1, "workers of before are left")
    workers = rolling.workers()
    rolling.partner("latecomer")
    wrong = rolling.partner("wrong", keys='colour = "red"', tables='[sftp]\nusername = ""\n')
    gone = rolling.partner("gone")
    gone.write_text(gone.read_text().replace("them.crt", "nowhere.crt"))
    done = rolling.reload()
    assert done.returncode == 2
    assert "nothing changed" in done.stderr
    for words in ("as2.colour", "sftp.username", "nowhere.crt"):
        assert words in done.stderr
    assert rolling.send("latecomer", rolling.them, "old")[1].status == 403
    assert rolling.disposition(rolling.send("good", rolling.them, "old")[1], "old") == "processed"
    assert rolling.workers() == workers
    wrong.unlink()
    gone.unlink()
    rolling.use("old", more="[log]\ncolour = 1\n")
    done = rolling.reload()
    assert (done.returncode, "log.colour" in done.stderr) == (2, True)
    assert rolling.send("latecomer", rolling.them, "old")[1].status == 403
    rolling.use("old")
    assert lines_about(rolling.reloaded(), ["partner latecomer: added"])
    _, answer = rolling.send("latecomer", rolling.them, "old")
    assert rolling.disposition(answer, "old") == "processed"


def test_partners_come_and_go_at_every_door(rolling: RollingGateway, tmp_path: Path) -> None:
    """AS2, token, SFTP key and folder open with one reload, and close with another."""
    private, public = make_key(tmp_path / "guest-key")
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    tables = (
        f'{token_table("secret")}[sftp]\nauthorized_keys = ["{public}"]\n'
        f'[folder]\ninbox = "{inbox}"\nquiet_seconds = 0\n'
    )
    gateway = rolling.gateway
    gateway.know("guest", private)
    rolling.use("old")

    def doors(number: int) -> tuple[bool, bool, bool]:
        local = tmp_path / f"{number}.xml"
        local.write_bytes(an_invoice())
        return (
            rolling.send("guest", rolling.them, "old")[1].status == 200,
            rolling.upload("secret", f"{number}-http.xml") == 202,
            gateway.sftp([f"put {local} in/{number}.xml"], partner="guest").returncode == 0,
        )

    assert doors(1) == (False, False, False)
    file = rolling.partner("guest", tables=tables)
    assert "partner guest: added" in rolling.reloaded()
    assert doors(2) == (True, True, True)
    (inbox / "folder.xml").write_bytes(an_invoice())
    until(lambda: not list(inbox.glob("*.xml")), "nobody takes the file")

    rolling.partner("guest", tables=tables, enabled=False)
    assert "partner guest: changed enabled" in rolling.reloaded()
    assert doors(3) == (False, False, False)
    (inbox / "late.xml").write_bytes(an_invoice())
    rolling.partner("guest", tables=tables.replace("secret", "other"))
    rolling.reloaded()
    assert doors(4) == (True, True, True)
    until(lambda: not list(inbox.glob("*.xml")), "the folder is watched no more")

    file.unlink()
    assert "partner guest: removed" in rolling.reloaded()
    assert doors(5) == (False, False, False)

    def judged() -> bool:
        states = [each["state"] for each in rolling.interchanges("guest")]
        return len(states) == 8 and set(states) == {"acknowledged"}

    until(judged, "what it sent before is not judged to the end")


def test_an_open_session_ends_with_its_partner(rolling: RollingGateway, tmp_path: Path) -> None:
    """Whoever is logged in by SFTP when the partner is disabled is shown out."""
    private, public = make_key(tmp_path / "visitor-key")
    rolling.gateway.know("visitor", private)
    rolling.use("old")
    table = f'[sftp]\nauthorized_keys = ["{public}"]\n'
    rolling.partner("visitor", tables=table)
    rolling.reloaded()
    command = rolling.gateway.sftp_command("visitor")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        assert client.stdin is not None
        client.stdin.write(b"ls in\n")
        client.stdin.flush()
        until(
            lambda: any(each.get("partner") == "visitor" for each in rolling.logged("sftp_login")),
            "no login",
        )
        rolling.partner("visitor", tables=table, enabled=False)
        rolling.reloaded()
        try:
            until(
                lambda: any(
                    each.get("partner") == "visitor"
                    for each in rolling.logged("sftp_connection_over")
                ),
                "the session goes on",
            )
        finally:
            client.kill()


def test_what_waits_for_a_restart_is_named(rolling: RollingGateway) -> None:
    """By its key; what the gateway goes by stays as it was. Others are taken over at once."""
    more = '[log]\nlevel = "warning"\n[shutdown]\ndrain_seconds = 7\n[documents]\nmax_depth = 90\n'
    rolling.use("old", more=more)
    said = rolling.reloaded()
    waiting = said.partition("Needs a restart:")[2].partition("\n\n")[0]
    assert waiting.split() == ["documents.max_depth"]
    assert lines_about(said, ["setting log.level: changed"])
    assert lines_about(said, ["setting shutdown.drain_seconds: changed"])
    rolling.use("old")
    assert "Needs a restart" not in rolling.reloaded()


def watched(path: str) -> str:
    """What the management listener says."""
    with urllib.request.urlopen(f"http://127.0.0.1:{MANAGEMENT}{path}", timeout=10) as answer:
        said: str = answer.read().decode()
        return said


def test_metrics_follow_a_reload(rolling: RollingGateway, tmp_path: Path) -> None:
    """Days to expiry of what is in force now; messages are counted over all workers there were."""
    rolling.use("old")
    first = Dated(tmp_path, "seen-first", (-9, 41))
    rolling.partner("seen", first)
    rolling.reloaded()
    assert watched("/readyz") == "ready\n"
    before = watched("/metrics")
    (line,) = lines_about(before, ["expiry_days{", 'owner="partner",partner="seen"'])
    assert 'file="seen-first.crt"' in line
    assert 40 < float(line.split()[-1]) < 42
    assert lines_about(before, ["expiry_days{", 'owner="ours"', 'file="us-old.pem"'])
    rolling.send("seen", first, "old")
    rolling.send("seen", rolling.them, "old")
    rolling.partner("seen", first, Dated(tmp_path, "seen-next", (-1, 141)))
    rolling.reloaded()
    after = watched("/metrics")
    assert len(lines_about(after, ["expiry_days{", 'partner="seen"'])) == 2
    for outcome in ("received", "refused"):
        name = f'edi_gateway_as2_messages_total{{outcome="{outcome}"}}'
        counts = [float(lines_about(said, [name])[0].split()[-1]) for said in (before, after)]
        assert counts[1] == counts[0] + 1


def test_sighup_is_a_reload(rolling: RollingGateway) -> None:
    """The log tells what came of it."""
    rolling.use("old")
    rolling.partner("signalled")
    os.kill(rolling.gateway.pid, signal.SIGHUP)
    until(
        lambda: any("partner signalled: added" in str(each) for each in rolling.logged("reloaded")),
        "the signal did nothing",
    )
    _, answer = rolling.send("signalled", rolling.them, "old")
    assert rolling.disposition(answer, "old") == "processed"
