"""The server as such: who gets in, what is refused, and how its processes live and die."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import paramiko
import psutil
import pytest
from paramiko.sftp import CMD_CLOSE
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet import defer, reactor, task
from twisted.internet.threads import deferToThread

from gateway.config.settings import Sftp
from gateway.errors import AddressUnavailable, ConfigurationError, WorkersBroken
from gateway.model.partner import Partner, SftpAccess
from gateway.service import guessing
from gateway.service.sftp_server import SftpService, Upload, service
from gateway.service.sftp_server.keys import host_key_file
from gateway.service.sftp_server.logins import Accounts
from gateway.service.sftp_server.process import MAX_NOT_LOGGED_IN_PER_ADDRESS
from gateway.service.sftp_server.wire import MAX_BEFORE_LOGIN, MAX_RECV, Wire
from tests.service.sftp_gateway import PARTNER, PASSWORD, SftpGateway, content, until

pytestmark = [
    pytest.mark.ssh,
    pytest.mark.skipif(shutil.which("ssh") is None, reason="OpenSSH's client is not installed"),
]


@async_yield_fixture
async def gateway(tmp_path: Path) -> AsyncIterator[SftpGateway]:
    running = SftpGateway(tmp_path)
    await running.service.start()
    yield running
    await running.service.stop(2.0)


async def running(tmp_path: Path, **settings: Any) -> SftpGateway:
    made = SftpGateway(tmp_path, **settings)
    await made.service.start()
    return made


# ---- who gets in


@ensureDeferred
async def test_key_and_password_let_the_partner_in(gateway: SftpGateway) -> None:
    """Either is enough."""

    def work() -> list[str]:
        with gateway.paramiko(password=PASSWORD) as client:
            return client.open_sftp().listdir("/")

    assert await deferToThread(work) == ["in", "out"]
    assert (await gateway.sftp("ls")).returncode == 0


@pytest.mark.parametrize(
    ("username", "secret"),
    [
        (PARTNER, "wrong"),
        (PARTNER, ""),
        (PARTNER, "x" * 100),
        (PARTNER, PASSWORD + "\0"),
        ("nobody", PASSWORD),
        ("left", PASSWORD),
        ("../acme", PASSWORD),
    ],
)
@ensureDeferred
async def test_a_wrong_password_or_user_stays_out(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], username: str, secret: str
) -> None:
    """All are answered alike, and the log names the user but not what was typed."""
    gateway = await running(tmp_path)

    def work() -> None:
        with pytest.raises(paramiko.AuthenticationException):
            gateway.paramiko(username=username, password=secret)

    await deferToThread(work)
    await gateway.service.stop(2.0)
    failed = [each for each in gateway.log.events if each["event"] == "sftp_login_failed"]
    assert [each["username"] for each in failed] == [username]
    log = capfd.readouterr().err + repr(gateway.log.events)
    assert PASSWORD not in log
    assert not secret or secret not in log


@pytest.mark.parametrize(
    ("user", "stranger"), [(PARTNER, True), ("nobody", False), ("left", False)]
)
@ensureDeferred
async def test_a_wrong_key_or_user_stays_out(
    gateway: SftpGateway, user: str, stranger: bool
) -> None:
    """Also a partner that was switched off, with its own key."""
    key = gateway.stranger_key if stranger else gateway.key
    done = await gateway.sftp("ls", user=user, key=key)
    assert done.returncode != 0
    assert "Permission denied" in done.stderr


@ensureDeferred
async def test_a_known_public_key_without_its_private_half_stays_out(
    gateway: SftpGateway,
) -> None:
    """The server says that the key would do; the signature still has to fit."""

    class Impostor(paramiko.Ed25519Key):
        def asbytes(self) -> bytes:
            return paramiko.Ed25519Key(filename=str(gateway.key)).asbytes()

    def work() -> None:
        with pytest.raises(paramiko.AuthenticationException):
            gateway.paramiko(pkey=Impostor(filename=str(gateway.stranger_key)))

    await deferToThread(work)


@ensureDeferred
async def test_without_passwords_none_is_asked_for(tmp_path: Path) -> None:
    """If no partner has one, the method is not offered."""
    gateway = await running(tmp_path, access={"password_hash": None})

    def work() -> None:
        with pytest.raises(paramiko.BadAuthenticationType) as caught:
            gateway.paramiko(password="x")
        assert caught.value.allowed_types == ["publickey"]

    await deferToThread(work)
    await gateway.service.stop(2.0)


@ensureDeferred
async def test_guessing_passwords_is_slowed_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over all processes; a key, another address, and what was right there before still do."""
    monkeypatch.setattr(guessing, "FIRST_WAIT_SECONDS", 60.0)
    gateway = await running(tmp_path, processes=2)

    def password(given: str, source: str, username: str = PARTNER) -> bool:
        with socket.create_connection(
            ("127.0.0.1", gateway.service.port), 20, (source, 0)
        ) as connected:
            transport = paramiko.Transport(connected)
            try:
                transport.start_client(timeout=20)
                transport.auth_password(username, given)
                return transport.is_authenticated()
            except paramiko.AuthenticationException:
                return False
            finally:
                transport.close()

    def attack() -> list[bool]:
        return [password(f"guess{number}", "127.0.0.9") for number in range(6)]

    assert await deferToThread(password, PASSWORD, "127.0.0.7")
    assert await deferToThread(attack) == [False] * 6
    assert await deferToThread(password, PASSWORD, "127.0.0.7")
    assert not await deferToThread(password, PASSWORD, "127.0.0.9"), "not looked at"
    assert await deferToThread(password, PASSWORD, "127.0.0.8")
    assert (await gateway.sftp("ls")).returncode == 0
    failed = [each for each in gateway.log.events if each["event"] == "sftp_login_failed"]
    assert [(each["peer"], each["failures"]) for each in failed] == [
        ("127.0.0.9", 1),
        ("127.0.0.9", 5),
    ]
    assert gateway.service.guesses.outcomes == {"failed": 5, "put-off": 2}
    await gateway.service.stop(2.0)


@ensureDeferred
async def test_a_key_lets_in_from_an_address_that_guesses(gateway: SftpGateway) -> None:
    """Keys cannot be guessed: whoever shares an address with a guesser works on."""
    for _ in range(20):
        gateway.service.guesses.failed("127.0.0.1", PARTNER)
    assert (await gateway.sftp("ls")).returncode == 0


@ensureDeferred
async def test_one_address_cannot_take_every_place(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Who connects and does not log in leaves room for others, and floods no log."""
    gateway = await running(tmp_path)
    opened = []
    for _ in range(MAX_NOT_LOGGED_IN_PER_ADDRESS + 30):
        address = ("127.0.0.1", gateway.service.port)
        opened.append(socket.create_connection(address, 20, ("127.0.0.9", 0)))
    done = await gateway.sftp("ls")
    for each in opened:
        each.close()
    await gateway.service.stop(2.0)
    assert done.returncode == 0
    assert 1 <= capfd.readouterr().err.count('"sftp_too_many_logins_at_once"') <= 2


def test_unknown_users_cost_a_hash_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the time of the answer would tell who exists."""
    import bcrypt

    from gateway.service.sftp_server.channel import Account

    hashed = bcrypt.hashpw(b"right", bcrypt.gensalt(5)).decode()
    account = Account(
        partner="p", username="known", keys=(), password_hash=hashed, require_rename=False
    )
    keyed = Account(
        partner="q", username="keyed", keys=(), password_hash=None, require_rename=False
    )
    checked: list[bytes] = []
    real = bcrypt.checkpw

    def count(password: bytes, against: bytes) -> bool:
        checked.append(against[:7])
        return real(password, against)

    monkeypatch.setattr(bcrypt, "checkpw", count)
    accounts = Accounts([account, keyed])
    assert accounts.password_fits("known", "right")
    assert not accounts.password_fits("known", "wrong")
    assert not accounts.password_fits("unknown", "right")
    assert not accounts.password_fits("keyed", "right")
    assert checked == [b"$2b$05$"] * 4


# ---- what is refused


@pytest.mark.parametrize("arguments", [["id"], [], ["-s", "netconf"], ["sh", "-c", "ls"]])
@ensureDeferred
async def test_there_is_no_shell_and_no_other_subsystem(
    gateway: SftpGateway, arguments: list[str]
) -> None:
    """Commands, shells and unknown subsystems are refused."""
    if arguments[:1] == ["-s"]:
        options = [*gateway.ssh_options(), "-p", str(gateway.service.port), "-s"]
        done = await gateway.run(["ssh", *options, f"{PARTNER}@127.0.0.1", arguments[1]])
    else:
        done = await gateway.ssh(*arguments)
    assert done.returncode != 0
    assert done.stdout == ""


@ensureDeferred
async def test_nothing_is_forwarded(gateway: SftpGateway) -> None:
    """Neither terminals nor ports either way, nor X11."""

    def work() -> None:
        with gateway.paramiko() as client:
            transport = client.get_transport()
            assert transport is not None
            with pytest.raises(paramiko.ChannelException):
                transport.open_channel(
                    "direct-tcpip", ("127.0.0.1", gateway.service.port), ("127.0.0.1", 1)
                )
            with pytest.raises(paramiko.ChannelException):
                transport.open_channel("x11", src_addr=("127.0.0.1", 1))
            with pytest.raises(paramiko.SSHException, match="forwarding request denied"):
                transport.request_port_forward("127.0.0.1", 0)
            requests: list[Callable[[paramiko.Channel], object]] = [
                lambda channel: channel.get_pty(),
                lambda channel: channel.invoke_shell(),
                lambda channel: channel.exec_command("id"),
                lambda channel: channel.request_x11(),
                lambda channel: channel.invoke_subsystem("netconf"),
            ]
            for request in requests:
                channel = transport.open_session()
                with pytest.raises(paramiko.SSHException):
                    request(channel)
                channel.close()
            assert client.open_sftp().listdir("/") == ["in", "out"]

    await deferToThread(work)


@pytest.mark.parametrize(
    "option",
    [
        "Ciphers=3des-cbc",
        "Ciphers=aes128-cbc",
        "Ciphers=aes256-cbc",
        "MACs=hmac-sha1",
        "MACs=hmac-sha1-etm@openssh.com",
        "MACs=hmac-md5",
        "MACs=hmac-md5-96",
        "MACs=umac-64@openssh.com",
        "KexAlgorithms=diffie-hellman-group1-sha1",
        "KexAlgorithms=diffie-hellman-group14-sha1",
        "KexAlgorithms=diffie-hellman-group-exchange-sha1",
        "HostKeyAlgorithms=ssh-rsa",
    ],
)
@ensureDeferred
async def test_outdated_algorithms_are_refused(gateway: SftpGateway, option: str) -> None:
    """The negotiation fails."""
    command = gateway.sftp_command()
    # Without ciphers that bring a MAC of their own, of which none would be negotiated.
    ctr = ["-o", "Ciphers=aes128-ctr"] if option.startswith("MACs") else []
    done = await gateway.run([command[0], "-o", option, *ctr, *command[1:]], "ls\n")
    assert done.returncode != 0
    assert "no matching" in done.stderr


@ensureDeferred
async def test_rsa_keys_need_a_signature_of_today(tmp_path: Path) -> None:
    """An RSA key logs in with SHA-2 (RFC 8332), and not with SHA-1, which ssh-rsa stands for."""
    key = tmp_path / "rsa"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", key], check=True, timeout=60
    )
    line = key.with_suffix(".pub").read_text().strip()
    gateway = await running(tmp_path, access={"authorized_keys": (line,)})
    command = gateway.sftp_command(key=key)
    outcomes = {}
    for algorithm in ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"):
        option = f"PubkeyAcceptedAlgorithms={algorithm}"
        done = await gateway.run([command[0], "-o", option, *command[1:]], "ls\n")
        outcomes[algorithm] = done.returncode == 0
    await gateway.service.stop(2.0)
    assert outcomes == {"rsa-sha2-512": True, "rsa-sha2-256": True, "ssh-rsa": False}


@ensureDeferred
async def test_sessions_are_limited_per_partner(tmp_path: Path) -> None:
    """Over all processes; a session that ended makes room."""
    gateway = await running(tmp_path, access={"max_sessions": 2}, processes=2)

    def work() -> None:
        clients = [gateway.paramiko() for _ in range(3)]
        sessions = [client.open_sftp() for client in clients[:2]]
        with pytest.raises(paramiko.SSHException):
            clients[2].open_sftp()
        sessions[0].close()
        clients[0].close()

    await deferToThread(work)
    await until(lambda: gateway.service.status()["sessions"].get(PARTNER, 0) < 2)
    assert (await gateway.sftp("ls")).returncode == 0
    await gateway.service.stop(2.0)


@ensureDeferred
async def test_who_does_not_log_in_is_shown_out(tmp_path: Path) -> None:
    """After the login time; before, nobody else is kept waiting."""
    gateway = await running(tmp_path, login_timeout_seconds=1)
    address = ("127.0.0.1", gateway.service.port)
    idle = [socket.create_connection(address) for _ in range(20)]
    assert (await gateway.sftp("ls")).returncode == 0

    def closed() -> bool:
        for connection in idle:
            connection.settimeout(10)
            while connection.recv(4096):
                pass
        return True

    assert await deferToThread(closed)
    await gateway.service.stop(2.0)


@ensureDeferred
async def test_floods_before_the_login_are_cut(gateway: SftpGateway) -> None:
    """Neither a huge packet length nor endless noise occupies memory or anybody's time."""
    banner = b"SSH-2.0-flood\r\n"
    floods = [
        banner + b"\xff\xff\xff\xff" + b"x" * 100_000,
        b"A" * (2 * MAX_BEFORE_LOGIN),
        b"no banner\n" * 200_000,
        banner + (b"\0\0\0\x0c\x0a\x02" + b"\0" * 10) * 100_000,
    ]

    def work() -> None:
        for flood in floods:
            with socket.create_connection(("127.0.0.1", gateway.service.port)) as connection:
                connection.settimeout(20)
                try:
                    connection.sendall(flood)
                    while connection.recv(65536):
                        pass
                except (ConnectionError, BrokenPipeError):
                    continue

    (process,) = gateway.processes()
    before = process.memory_info().rss
    await deferToThread(work)
    assert process.memory_info().rss - before < 20_000_000
    assert (await gateway.sftp("ls")).returncode == 0


def test_an_announced_packet_is_bounded_after_the_login_too() -> None:
    """Whoever is logged in cannot make the server wait for, and keep, a packet of 4 GB."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as peer,
    ):
        wire = Wire(server.accept()[0])
        wire.logged_in()
        peer.sendall(b"abc")
        with pytest.raises(paramiko.SSHException, match="announced a packet"):
            wire.recv(MAX_RECV + 1)
        assert wire.recv(2) == b"ab"
        assert wire.recv(MAX_RECV) == b"c"
        wire.close()


@ensureDeferred
async def test_an_idle_session_ends(tmp_path: Path) -> None:
    """And gives its place back."""
    gateway = await running(tmp_path, idle_timeout_seconds=1)

    def work() -> None:
        with gateway.paramiko() as client:
            sftp = client.open_sftp()
            assert sftp.listdir("/") == ["in", "out"]
            transport = client.get_transport()
            assert transport is not None
            transport.join(15)
            assert not transport.is_active()

    await deferToThread(work)
    await until(lambda: gateway.service.status()["sessions"] == {})
    await gateway.service.stop(2.0)


@ensureDeferred
async def test_noise_in_a_session_ends_only_that_session(gateway: SftpGateway) -> None:
    """A client that does not speak SFTP is let go."""

    def work() -> None:
        with gateway.paramiko() as client:
            transport = client.get_transport()
            assert transport is not None
            channel = transport.open_session()
            channel.settimeout(15)
            channel.invoke_subsystem("sftp")
            channel.sendall(b"\xff" * 1000)
            assert channel.recv(100) == b""
            assert client.open_sftp().listdir("/") == ["in", "out"]

    await deferToThread(work)


# ---- keys and processes


@ensureDeferred
async def test_the_host_keys_survive_a_restart(gateway: SftpGateway) -> None:
    """A client that knows the server does not get a warning."""
    assert (await gateway.sftp("ls")).returncode == 0
    file = host_key_file(gateway.state, "ed25519")
    before = file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    await gateway.restart()
    assert file.read_bytes() == before
    command = [
        word.replace("StrictHostKeyChecking=no", "StrictHostKeyChecking=yes")
        for word in gateway.sftp_command()
    ]
    done = await gateway.run(command, "ls\n")
    assert done.returncode == 0, done.stderr


@ensureDeferred
async def test_no_secret_shows_in_the_process_list(gateway: SftpGateway) -> None:
    """Keys and hashes go through the pipe, not over the command line or the environment."""
    (process,) = gateway.processes()
    shown = " ".join(process.cmdline()) + str(process.environ())
    assert "$2b$" not in shown
    assert "PRIVATE KEY" not in shown
    assert str(gateway.state) not in shown


def test_a_process_has_no_reactor() -> None:
    """Threads and a reactor in one process would be one too many.

    (structlog by itself loads a few modules of twisted.python.)
    """
    code = (
        "import sys; import gateway.service.sftp_server.boot;"
        "sys.exit('twisted.internet' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@ensureDeferred
async def test_a_dead_process_is_replaced(gateway: SftpGateway) -> None:
    """Its sessions are over; the next ones find a new process."""
    (process,) = gateway.processes()

    def hold() -> paramiko.SSHClient:
        client = gateway.paramiko()
        client.open_sftp()
        return client

    client = await deferToThread(hold)
    assert gateway.service.status()["sessions"] == {PARTNER: 1}
    process.kill()
    await until(lambda: gateway.service.status()["processes"] not in ([], [process.pid]))
    assert gateway.service.status()["sessions"] == {}
    assert (await gateway.sftp("ls")).returncode == 0
    assert [each["reason"] for each in gateway.log.events if each["event"] == "sftp_process_died"]
    await deferToThread(client.close)


@ensureDeferred
async def test_a_process_that_dies_with_a_file_under_way_loses_nothing(
    gateway: SftpGateway,
) -> None:
    """The daemon accepted, the client heard nothing and sends again: it is received again."""
    (process,) = gateway.processes()

    async def kill_then_take(upload: Upload) -> str:
        gateway.answer = None
        process.kill()
        return gateway.take(upload)

    gateway.answer = kill_then_take
    (gateway.folder / "a.xml").write_bytes(b"<a/>")
    first = await gateway.sftp("put a.xml in/a.xml")
    assert first.returncode != 0
    await until(lambda: gateway.service.status()["processes"] not in ([], [process.pid]))
    second = await gateway.sftp("put a.xml in/a.xml")
    assert second.returncode == 0, second.stderr
    assert gateway.received == [("a.xml", b"<a/>")] * 2


@ensureDeferred
async def test_the_processes_end_with_the_daemon(gateway: SftpGateway) -> None:
    """The end of their pipe is enough, however the daemon died."""
    (process,) = gateway.processes()
    gateway.service._stopping = True
    for child in gateway.service._children.values():
        assert child._orders is not None
        child._orders.close()
    await until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)


@ensureDeferred
async def test_signals_meant_for_the_daemon_do_not_end_its_processes(
    gateway: SftpGateway,
) -> None:
    """Ctrl-C and SIGTERM reach the whole group; the daemon decides about the drain."""
    (process,) = gateway.processes()
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(process.pid, number)
    assert (await gateway.sftp("ls")).returncode == 0
    assert gateway.processes() == [process]


# ---- receipts and stopping


@ensureDeferred
async def test_without_an_answer_in_time_the_client_hears_failure(tmp_path: Path) -> None:
    """A late yes makes the name visible; the resend meanwhile did no harm."""
    gateway = await running(tmp_path, receipt_timeout_seconds=1)
    waiting: list[tuple[Upload, defer.Deferred[None]]] = []

    async def slowly(upload: Upload) -> str:
        hold: defer.Deferred[None] = defer.Deferred()
        waiting.append((upload, hold))
        await hold
        return gateway.take(upload)

    gateway.answer = slowly
    (tmp_path / "a.xml").write_bytes(b"<a/>")
    done = await gateway.sftp("put a.xml in/a.xml")
    assert done.returncode != 0
    assert "a.xml" not in (await gateway.sftp("ls in")).stdout.split("ls in")[1]
    waiting[0][1].callback(None)
    await until(lambda: bool(gateway.received))
    listing = ""
    while "a.xml" not in listing:
        listing = (await gateway.sftp("ls in")).stdout.split("ls in")[1]
    await gateway.service.stop(2.0)


@ensureDeferred
async def test_stopping_lets_a_close_hear_its_answer(gateway: SftpGateway) -> None:
    """And takes no new connection meanwhile."""
    asked: defer.Deferred[None] = defer.Deferred()

    async def after_the_stop_began(upload: Upload) -> str:
        asked.callback(None)
        await task.deferLater(reactor, 0.5)
        return gateway.take(upload)

    gateway.answer = after_the_stop_began
    port = gateway.service.port

    def put() -> None:
        with gateway.paramiko() as client:
            file = client.open_sftp().open("in/a.xml", "wb")
            file.write(b"<a/>")
            # The request itself, for it raises what paramiko's own close() swallows. What comes
            # after its answer is none of this test's business: the server is stopping.
            file.sftp._request(CMD_CLOSE, file.handle)

    putting = deferToThread(put)
    await asked
    stopped = defer.ensureDeferred(gateway.service.stop(10.0))
    await until(lambda: not accepts(port))
    await putting
    await stopped
    assert gateway.received == [("a.xml", b"<a/>")]


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@ensureDeferred
async def test_stopping_keeps_what_was_under_way_for_a_resume(gateway: SftpGateway) -> None:
    """An upload that does not finish within the grace stays a partial over the restart."""

    def begin() -> paramiko.SFTPFile:
        file = gateway.paramiko().open_sftp().open("in/a.xml", "wb")
        file.write(content(50_000))
        file.stat()
        return file

    file = await deferToThread(begin)
    (process,) = gateway.processes()
    await gateway.restart()
    assert not process.is_running()
    del file
    (gateway.folder / "a.xml").write_bytes(content(80_000))
    done = await gateway.sftp("put -a a.xml in/a.xml")
    assert done.returncode == 0, done.stderr
    assert gateway.received == [("a.xml", content(80_000))]


@ensureDeferred
async def test_stopping_with_idle_sessions_is_quick(gateway: SftpGateway) -> None:
    """Nobody waits for a client that does nothing: the grace is not used up."""

    def hold() -> paramiko.SSHClient:
        client = gateway.paramiko()
        client.open_sftp().listdir("/")
        return client

    client = await deferToThread(hold)
    stopping = defer.ensureDeferred(gateway.service.stop(600.0))
    stopping.addTimeout(60.0, reactor)
    await stopping
    await deferToThread(client.close)


@ensureDeferred
async def test_a_process_that_does_not_boot_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the process's own words; nothing keeps listening."""
    gateway = SftpGateway(tmp_path)
    broken = gateway._new(command=[sys.executable, "-c", "import sys; sys.exit(7)"])
    with pytest.raises(WorkersBroken, match="exit code 7"):
        await broken.start()
    assert broken.port == 0
    not_there = gateway._new(command=["/does/not/exist"])
    with pytest.raises(WorkersBroken):
        await not_there.start()


@ensureDeferred
async def test_processes_that_keep_failing_are_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway says so once, and refuses connections instead of letting them wait."""
    monkeypatch.setattr(service, "FIRST_RETRY_SECONDS", 0.01)
    gateway = await running(tmp_path)
    heard: list[WorkersBroken] = []
    gateway.service.on_broken = heard.append
    gateway.service._command = [sys.executable, "-c", "import sys; sys.exit(7)"]
    port = gateway.service.port
    for process in gateway.processes():
        process.kill()
    await until(lambda: bool(heard))
    assert "exit code 7" in str(heard[0])
    assert gateway.service.broken is heard[0]
    assert not accepts(port)
    await gateway.service.stop(1.0)


@ensureDeferred
async def test_a_port_in_use_is_named(gateway: SftpGateway) -> None:
    """It names address and port."""
    second = SftpService(
        reactor,
        settings=Sftp(port=gateway.service.port, processes=1),
        partners=[],
        state=gateway.folder / "second",
        receive=lambda _: asyncio.sleep(0),  # type: ignore[arg-type,return-value]
        out=gateway.out,
        log=gateway.log,
    )
    with pytest.raises(AddressUnavailable, match=str(gateway.service.port)):
        await second.start()


@ensureDeferred
async def test_two_partners_with_one_username_are_a_configuration_error(tmp_path: Path) -> None:
    """Nobody could tell whose file it is."""
    gateway = SftpGateway(tmp_path)
    gateway._partners.append(Partner(name="other", sftp=SftpAccess(username=PARTNER)))
    with pytest.raises(ConfigurationError, match="both log in"):
        await gateway._new().start()
