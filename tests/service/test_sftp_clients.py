"""What partners do with OpenSSH, lftp and paramiko, against the real server."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import paramiko
import pytest
from pytest_twisted import async_yield_fixture, ensureDeferred
from twisted.internet import defer
from twisted.internet.threads import deferToThread

from gateway.errors import IntakeRefused, SpoolError
from gateway.service.sftp_server import Stored, place_in_out
from tests.service.sftp_gateway import PARTNER, SftpGateway, content, until

pytestmark = [
    pytest.mark.ssh,
    pytest.mark.skipif(shutil.which("sftp") is None, reason="OpenSSH's sftp is not installed"),
]
needs_lftp = pytest.mark.skipif(shutil.which("lftp") is None, reason="lftp is not installed")
BIG = 3_000_000
SLOWLY = ["-l", "8000"]
"""OpenSSH's limit in kbit/s: BIG then takes three seconds, time enough to interrupt it."""


@async_yield_fixture
async def gateway(tmp_path: Path) -> AsyncIterator[SftpGateway]:
    running = SftpGateway(tmp_path)
    await running.service.start()
    yield running
    await running.service.stop(2.0)


@async_yield_fixture
async def strict(tmp_path: Path) -> AsyncIterator[SftpGateway]:
    running = SftpGateway(tmp_path, access={"require_rename": True})
    await running.service.start()
    yield running
    await running.service.stop(2.0)


@ensureDeferred
async def test_put_delivers_and_shows_the_file(gateway: SftpGateway) -> None:
    """A put succeeds once the file is received, and a look afterwards finds it."""
    (gateway.folder / "a.xml").write_bytes(b"<a/>")
    done = await gateway.sftp("put a.xml in/a.xml", "put -p a.xml in/b.xml", "ls -l in")
    assert done.returncode == 0, done.stderr
    assert gateway.received == [("a.xml", b"<a/>"), ("b.xml", b"<a/>")]
    lines = [line.split() for line in done.stdout.splitlines() if line.endswith(".xml")]
    assert [(line[4], line[-1]) for line in lines if line[0] == "--w-------"] == [
        ("4", "a.xml"),
        ("4", "b.xml"),
    ]


@ensureDeferred
async def test_names_arrive_as_they_were_given(gateway: SftpGateway) -> None:
    """Spaces, quotes, accents in either form, backslashes."""
    (gateway.folder / "a.xml").write_bytes(b"<a/>")
    names = ["a b.xml", "l'été.xml", "e\u0301.xml", "x\\..\\y.xml", "$(id).xml", "-rf", "x" * 255]

    def work(sftp: paramiko.SFTPClient) -> None:
        for name in names:
            sftp.put(str(gateway.folder / "a.xml"), f"/in/{name}")
        assert sorted(sftp.listdir("in")) == sorted(names)

    await gateway.with_paramiko(work)
    assert gateway.names == names


@ensureDeferred
async def test_a_killed_client_resumes(gateway: SftpGateway) -> None:
    """`put -a` after a kill -9 in mid-transfer: the file arrives once, and whole."""
    (gateway.folder / "big.xml").write_bytes(content(BIG))
    command = gateway.sftp_command()
    client = gateway.start_client([command[0], *SLOWLY, *command[1:]], "put big.xml in/big.xml\n")
    await until(lambda: gateway.partial_bytes > 500_000)
    client.kill()
    assert gateway.received == []
    done = await gateway.sftp("put -a big.xml in/big.xml")
    assert done.returncode == 0, done.stderr
    assert gateway.received == [("big.xml", content(BIG))]


@ensureDeferred
async def test_a_session_killed_in_mid_file_delivers_nothing(gateway: SftpGateway) -> None:
    """What came is kept and listed, never received; it can be removed or sent again."""
    (gateway.folder / "big.xml").write_bytes(content(BIG))
    command = gateway.sftp_command()
    client = gateway.start_client([command[0], *SLOWLY, *command[1:]], "put big.xml in/big.xml\n")
    await until(lambda: gateway.partial_bytes > 200_000)
    client.kill()
    await until(lambda: gateway.service.status()["sessions"] == {})
    listing = await gateway.sftp("ls in")
    assert "big.xml" in listing.stdout
    assert 200_000 < gateway.partial_bytes < BIG
    again = await gateway.sftp("rm in/big.xml", "put big.xml in/big.xml")
    assert again.returncode == 0, again.stderr
    assert gateway.received == [("big.xml", content(BIG))]


@pytest.mark.parametrize("bytes_sent", [0, 1, 100_000])
@ensureDeferred
async def test_a_connection_lost_with_an_open_file_delivers_nothing(
    gateway: SftpGateway, bytes_sent: int
) -> None:
    """Also when every byte had arrived and only the close is missing."""

    def work() -> None:
        client = gateway.paramiko()
        file = client.open_sftp().open("in/a.xml", "wb")
        file.write(content(bytes_sent))
        file.flush()
        file.stat()
        transport = client.get_transport()
        assert transport is not None
        transport.sock.close()

    await deferToThread(work)
    await until(lambda: gateway.service.status()["sessions"] == {})
    assert gateway.received == []
    assert gateway.partial_bytes == bytes_sent


@ensureDeferred
async def test_an_interrupted_client_closes_as_if_it_were_done(gateway: SftpGateway) -> None:
    """The limit of SFTP: Ctrl-C in OpenSSH sends an ordinary close of what was sent so far.

    The server cannot know; the judge finds the truncation. See `require_rename` below.
    """
    (gateway.folder / "big.xml").write_bytes(content(BIG))
    command = gateway.sftp_command()
    client = gateway.start_client([command[0], *SLOWLY, *command[1:]], "put big.xml in/big.xml\n")
    await until(lambda: gateway.partial_bytes > 200_000)
    client.interrupt()
    await until(lambda: client.ended)
    await until(lambda: bool(gateway.received))
    ((name, received),) = gateway.received
    assert name == "big.xml"
    assert content(BIG).startswith(received)
    assert 0 < len(received) < BIG


@ensureDeferred
async def test_with_require_rename_an_interrupted_put_delivers_nothing(
    strict: SftpGateway,
) -> None:
    """The rename is the signal, and whoever pressed Ctrl-C does not give it."""
    (strict.folder / "big.xml").write_bytes(content(BIG))
    command = strict.sftp_command()
    client = strict.start_client([command[0], *SLOWLY, *command[1:]], "put big.xml in/big.part\n")
    await until(lambda: strict.partial_bytes > 200_000)
    client.interrupt()
    await until(lambda: client.ended)
    await until(lambda: strict.service.status()["sessions"] == {})
    assert strict.received == []


@ensureDeferred
async def test_an_interrupted_batch_that_renames_delivers_a_truncated_file(
    strict: SftpGateway,
) -> None:
    """What `require_rename` cannot prevent: OpenSSH counts an interrupted put as done.

    In a batch it then runs the next command. If that is the rename, the server is told twice,
    in good order, that the file is complete; only the judge can see that it is not.
    """
    (strict.folder / "big.xml").write_bytes(content(BIG))
    command = strict.sftp_command()
    client = strict.start_client(
        [command[0], *SLOWLY, *command[1:]],
        "put big.xml in/big.part\nrename in/big.part in/big.xml\n",
    )
    await until(lambda: strict.partial_bytes > 200_000)
    client.interrupt()
    await until(lambda: client.ended)
    await until(lambda: bool(strict.received))
    ((name, received),) = strict.received
    assert name == "big.xml"
    assert content(BIG).startswith(received)
    assert len(received) < BIG


@ensureDeferred
async def test_with_require_rename_only_a_rename_delivers(strict: SftpGateway) -> None:
    """A file put under its final name waits; one renamed to it is received."""
    (strict.folder / "a.xml").write_bytes(b"<a/>")
    done = await strict.sftp(
        "put a.xml in/direct.xml", "put a.xml in/a.part", "rename in/a.part in/a.xml", "ls in"
    )
    assert done.returncode == 0, done.stderr
    assert strict.names == ["a.xml"]
    assert "direct.xml" in done.stdout


@ensureDeferred
async def test_a_rename_to_the_final_name_delivers(gateway: SftpGateway) -> None:
    """By OpenSSH's posix-rename, and by the plain rename of others."""
    (gateway.folder / "a.xml").write_bytes(b"<a/>")
    done = await gateway.sftp("put a.xml in/a.xml.part", "rename in/a.xml.part in/a.xml")
    assert done.returncode == 0, done.stderr

    def work(sftp: paramiko.SFTPClient) -> None:
        sftp.put(str(gateway.folder / "a.xml"), "in/.b.xml")
        sftp.rename("in/.b.xml", "in/b.xml")
        assert sftp.stat("in/b.xml").st_size == 4

    await gateway.with_paramiko(work)
    assert gateway.received == [("a.xml", b"<a/>"), ("b.xml", b"<a/>")]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (IntakeRefused("The gateway takes nothing now."), "takes nothing now"),
        (SpoolError("cannot write /var/lib/secret/path"), "could not store it"),
        (RuntimeError("a fault at /var/lib/secret/path"), "could not store it"),
    ],
)
@ensureDeferred
async def test_a_refusal_reaches_the_client(
    gateway: SftpGateway, error: Exception, words: str
) -> None:
    """Every client ends with a failure; the text says why, and names no path of ours."""

    async def refuse(_: Stored) -> str:
        raise error

    gateway.answer = refuse
    (gateway.folder / "a.xml").write_bytes(b"<a/>")
    done = await gateway.sftp("put a.xml in/a.xml")
    assert done.returncode != 0
    done = await gateway.sftp("put a.xml in/a.part", "rename in/a.part in/a.xml")
    assert done.returncode != 0

    def work(sftp: paramiko.SFTPClient) -> None:
        # paramiko swallows the failed close; it then looks for the file.
        with pytest.raises(FileNotFoundError):
            sftp.put(str(gateway.folder / "a.xml"), "in/a.xml")
        with pytest.raises(OSError, match=words) as caught:
            sftp.rename("in/a.part", "in/a.xml")
        assert "secret" not in str(caught.value)

    await gateway.with_paramiko(work)
    gateway.answer = None
    done = await gateway.sftp("put a.xml in/a.xml")
    assert done.returncode == 0, done.stderr
    assert gateway.names == ["a.xml"]


@ensureDeferred
async def test_four_sessions_at_once(tmp_path: Path) -> None:
    """Over two processes: every file once, every client content."""
    gateway = SftpGateway(tmp_path, processes=2)
    await gateway.service.start()
    files = [f"{number}.xml" for number in range(25)]
    for name in files:
        (tmp_path / name).write_bytes(content(15_000))
    outcomes = await defer.gatherResults(
        defer.ensureDeferred(gateway.sftp(*(f"put {name} in/{session}-{name}" for name in files)))
        for session in range(4)
    )
    await gateway.service.stop(2.0)
    assert [done.returncode for done in outcomes] == [0] * 4
    assert sorted(gateway.names) == sorted(f"{each}-{name}" for each in range(4) for name in files)
    assert {received for _, received in gateway.received} == {content(15_000)}


@ensureDeferred
async def test_two_sessions_cannot_write_one_file(gateway: SftpGateway) -> None:
    """The second is told so; the first is not disturbed."""

    def work(sftp: paramiko.SFTPClient) -> None:
        with sftp.open("in/a.xml", "wb") as file:
            file.write(b"<first/>")
            with (
                gateway.paramiko() as other,
                other.open_sftp() as second,
                pytest.raises(OSError, match="another session"),
            ):
                second.open("in/a.xml", "wb")

    await gateway.with_paramiko(work)
    assert gateway.received == [("a.xml", b"<first/>")]


@ensureDeferred
async def test_out_is_listed_fetched_and_emptied(gateway: SftpGateway) -> None:
    """Acknowledgements: ls, get, rm."""
    reports = {f"report-{number}.xml": content(40_000 + number) for number in range(3)}
    for name, body in reports.items():
        place_in_out(gateway.state, PARTNER, name, body)
    done = await gateway.sftp("ls out", "get out/* fetched-", "rm out/report-0.xml", "ls -1 out")
    assert done.returncode != 0  # "fetched-" is no folder
    done = await gateway.sftp("get out/report-0.xml 0", "get out/report-2.xml 2", "rm out/*-0.xml")
    assert done.returncode == 0, done.stderr
    assert (gateway.folder / "0").read_bytes() == reports["report-0.xml"]
    assert (gateway.folder / "2").read_bytes() == reports["report-2.xml"]

    def work(sftp: paramiko.SFTPClient) -> None:
        assert sftp.listdir("/out") == ["report-1.xml", "report-2.xml"]
        with sftp.open("out/report-1.xml") as file:
            assert file.stat().st_size == 40_001
            assert file.read() == reports["report-1.xml"]
        sftp.remove("out/report-1.xml")
        sftp.remove("out/report-2.xml")
        assert sftp.listdir("/out") == []

    await gateway.with_paramiko(work)


@ensureDeferred
async def test_nothing_leads_out_of_the_home(gateway: SftpGateway) -> None:
    """By name, by link, by rename, by folder: all refused, nothing created, the session lives."""
    (gateway.folder / "a.xml").write_bytes(b"<a/>")
    before = {str(path) for path in gateway.folder.rglob("*") if "/in/" not in str(path)}
    place_in_out(gateway.state, PARTNER, "r.xml", b"<r/>")

    def work(sftp: paramiko.SFTPClient) -> None:
        attempts: list[Any] = [
            lambda: sftp.open("../../../../etc/passwd"),
            lambda: sftp.open("/etc/passwd"),
            lambda: sftp.open("in/../../../etc/passwd"),
            lambda: sftp.open("/in/../key"),
            lambda: sftp.open("escaped.xml", "w"),
            lambda: sftp.open("../escaped.xml", "w"),
            lambda: sftp.open("in/sub/escaped.xml", "w"),
            lambda: sftp.open("out/escaped.xml", "w"),
            lambda: sftp.open("out/r.xml", "r+"),
            lambda: sftp.open("in/nul\0.xml", "w"),
            lambda: sftp.open("in/line\nbreak.xml", "w"),
            lambda: sftp.open("in/part.part"),
            lambda: sftp.symlink("/etc/passwd", "in/link.xml"),
            lambda: sftp.symlink("/etc", "out/link"),
            lambda: sftp.readlink("in/part.part"),
            lambda: sftp.mkdir("in/sub"),
            lambda: sftp.mkdir("/sub"),
            lambda: sftp.rmdir("in"),
            lambda: sftp.rmdir("out"),
            lambda: sftp.rename("in/part.part", "../escaped.xml"),
            lambda: sftp.rename("in/part.part", "out/escaped.xml"),
            lambda: sftp.posix_rename("in/part.part", "/escaped.xml"),
            lambda: sftp.rename("out/r.xml", "in/r.xml"),
            lambda: sftp.rename("in", "elsewhere"),
            lambda: sftp.remove("in"),
            lambda: sftp.chown("out/r.xml", 0, 0),
            lambda: sftp.truncate("out/r.xml", 0),
            lambda: sftp.listdir("/etc"),
            lambda: sftp.listdir("../.."),
        ]
        sftp.put(str(gateway.folder / "a.xml"), "in/part.part")
        for attempt in attempts[:-1]:
            with pytest.raises(OSError):
                attempt()
        assert attempts[-1]() == ["in", "out"]  # `../..` of the home is the home
        assert sftp.normalize("../../..") == "/"

    await gateway.with_paramiko(work)
    done = await gateway.sftp("-ln in/part.part in/hard.xml", "-ln -s /etc in/soft.xml", "ls in")
    assert "hard.xml" not in done.stdout.split("ls in")[1]
    after = {str(path) for path in gateway.folder.rglob("*") if "/in/" not in str(path)}
    assert after - before == {
        str(gateway.folder / "known_hosts"),
        str(gateway.state / "sftp" / PARTNER / "out" / "r.xml"),
    }
    assert gateway.received == []


@ensureDeferred
async def test_a_large_file_passes_through_in_little_memory(gateway: SftpGateway) -> None:
    """50 MB: the process holds a window of it, never the whole."""
    size = 50_000_000
    (gateway.folder / "large.xml").write_bytes(content(size))

    async def take(upload: Stored) -> str:
        assert upload.size == size
        gateway.received.append((upload.sha256, b""))
        return "large"

    gateway.answer = take
    (process,) = gateway.processes()
    before = process.memory_info().rss
    done = await gateway.sftp("put large.xml in/large.xml")
    assert done.returncode == 0, done.stderr
    (highest,) = [
        int(line.split()[1]) * 1024
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
        if line.startswith("VmHWM")
    ]
    assert highest - before < 25_000_000
    assert gateway.names == [hashlib.sha256(content(size)).hexdigest()]


@ensureDeferred
async def test_a_file_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    """The client hears it; nothing is received."""
    gateway = SftpGateway(tmp_path, max_file_bytes=100_000)
    await gateway.service.start()
    for name, size in (("small.xml", 100_000), ("large.xml", 100_001)):
        (tmp_path / name).write_bytes(content(size))
    small = await gateway.sftp("put small.xml in/small.xml")
    large = await gateway.sftp("put large.xml in/large.xml")
    await gateway.service.stop(2.0)
    assert small.returncode == 0, small.stderr
    assert large.returncode != 0
    assert gateway.names == ["small.xml"]


@needs_lftp
@ensureDeferred
async def test_lftp_puts_lists_gets_and_removes(gateway: SftpGateway) -> None:
    """Its put sets times afterwards; its rename is the plain one."""
    (gateway.folder / "a.xml").write_bytes(b"<a/>")
    place_in_out(gateway.state, PARTNER, "r.xml", b"<r/>")
    done = await gateway.run(
        gateway.lftp_command(
            "put a.xml -o in/a.xml",
            "put a.xml -o in/b.part",
            "mv in/b.part in/b.xml",
            "cls in",
            "get out/r.xml -o r.xml",
            "rm out/r.xml",
            "cls out",
        )
    )
    assert done.returncode == 0, done.stderr
    assert gateway.received == [("a.xml", b"<a/>"), ("b.xml", b"<a/>")]
    assert done.stdout.split() == ["in/a.xml", "in/b.xml"]
    assert (gateway.folder / "r.xml").read_bytes() == b"<r/>"


@needs_lftp
@ensureDeferred
async def test_lftp_resumes(gateway: SftpGateway) -> None:
    """`put -c` after a kill -9 in mid-transfer: the file arrives once, and whole."""
    (gateway.folder / "big.xml").write_bytes(content(BIG))
    slow = gateway.lftp_command("set net:limit-rate 0:1000000", "put big.xml -o in/big.xml")
    client = gateway.start_client(slow)
    await until(lambda: gateway.partial_bytes > 500_000)
    client.kill()
    assert gateway.received == []
    done = await gateway.run(gateway.lftp_command("put -c big.xml -o in/big.xml"))
    assert done.returncode == 0, done.stderr
    assert gateway.received == [("big.xml", content(BIG))]


@needs_lftp
@ensureDeferred
async def test_a_resume_that_lacks_only_the_close_still_delivers(gateway: SftpGateway) -> None:
    """All bytes had arrived when the connection broke: the client must not think it is done."""

    def work() -> None:
        client = gateway.paramiko()
        file = client.open_sftp().open("in/a.xml", "wb")
        file.write(content(50_000))
        file.stat()
        transport = client.get_transport()
        assert transport is not None
        transport.sock.close()

    for resume in ("lftp", "sftp"):
        gateway.received.clear()
        await deferToThread(work)
        await until(lambda: gateway.service.status()["sessions"] == {})
        (gateway.folder / "a.xml").write_bytes(content(50_000))
        if resume == "lftp":
            done = await gateway.run(gateway.lftp_command("put -c a.xml -o in/a.xml"))
        else:
            done = await gateway.sftp("put -a a.xml in/a.xml")
        assert done.returncode == 0, done.stderr
        assert gateway.received == [("a.xml", content(50_000))]
