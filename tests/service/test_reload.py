"""When a reload begins and when it does not; what it does is tested with a whole gateway.

See tests/integration/test_reload_line.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
from pytest_twisted import ensureDeferred
from twisted.internet import defer, reactor

from gateway.errors import GatewayError, WorkersBroken
from gateway.service.certificate_watch import CertificateWatch
from gateway.service.http_tokens import Tokens
from gateway.service.reload import Reload
from gateway.service.roster import Flows, Roster
from tests.config.as2_folder import PARTNER, As2Folder


class Doors:
    """Folders and servers: they remember what they were told."""

    def __init__(self) -> None:
        self.told: list[list[str]] = []

    async def replace(self, partners: Any, grace: float) -> None:
        """As `FolderWatches` and `SftpClients`, the latter of which is told no names."""
        del grace
        self.told.append([getattr(each, "name", each) for each in partners])


class Broken(Doors):
    """Do not manage it."""

    async def replace(self, partners: Any, grace: float) -> None:
        """Never."""
        raise OSError("no")


class Judges:
    """Remember which flows and rules they were started with, and which are in place."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.in_place: list[str] = []
        self.given_up = 0

    async def prepare(self, boot: bytes, files: str) -> Callable[[], None]:
        """As `ReplaceableWorkers`."""
        assert b"ctc-fr-invoice" in boot
        self.started.append(files)
        return lambda: self.in_place.append(files)

    async def give_up(self) -> None:
        """As `ReplaceableWorkers`."""
        self.given_up += 1


class Workers:
    """AS2 whose workers do not start with anything new."""

    async def prepare(self, configuration: Any) -> Callable[[], None]:
        """As `As2Service`."""
        raise WorkersBroken("no worker starts")


class Reloading:
    """A reload of a folder; files are read when the test says so."""

    def __init__(self, folder: As2Folder, *, as2: Any = None, folders: Doors | None = None) -> None:
        configuration = folder.load()
        self.flows = Flows(configuration.flows)
        self.judges = Judges()
        self.levels: list[str] = []
        self.roster = Roster(configuration.partners)
        self.said = structlog.testing.CapturingLogger()
        log = structlog.wrap_logger(self.said, processors=[])
        self.readings: list[defer.Deferred[None]] = []
        self.remotes = Doors()
        self.reload = Reload(
            reactor,
            configuration,
            in_thread=self._in_thread,
            roster=self.roster,
            flows=self.flows,
            judges=self.judges,  # type: ignore[arg-type]
            tokens=Tokens((), seconds=lambda: 0.0, log=log),
            as2=as2,
            sftp=None,
            folders=folders or Doors(),  # type: ignore[arg-type]
            remotes=self.remotes,  # type: ignore[arg-type]
            certificates=CertificateWatch(configuration, log=log),
            others=lambda new: [lambda: self.levels.append(new.log.level)],
            log=log,
        )

    async def _in_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        reading: defer.Deferred[None] = defer.Deferred()
        self.readings.append(reading)
        await reading
        return function(*args)

    def ask(self) -> defer.Deferred[Any]:
        """Begin one."""
        return defer.Deferred.fromCoroutine(self.reload.reload())


@pytest.fixture
def folder(tmp_path: Path) -> As2Folder:
    return As2Folder(tmp_path)


@ensureDeferred
async def test_nothing_is_reloaded_before_the_gateway_is_up(folder: As2Folder) -> None:
    """Who asks earlier waits; who asks meanwhile has its turn afterwards, and sees what came."""
    reloading = Reloading(folder)
    first, second = reloading.ask(), reloading.ask()
    assert reloading.readings == []
    folder.partner(PARTNER.replace("acme", "emca").replace("ACME", "EMCA"), "emca")
    folder.put("emca.pem", (folder.certificates / "acme.pem").read_bytes())
    reloading.reload.open()
    assert len(reloading.readings) == 1
    reloading.readings[0].callback(None)
    done = await first
    assert done.changes[0] == "partner emca: added"
    assert sorted(reloading.roster) == ["acme", "emca"]
    assert len(reloading.readings) == 2
    reloading.readings[1].callback(None)
    assert (await second).changes == ()


@ensureDeferred
async def test_a_gateway_that_stops_reloads_nothing(folder: As2Folder) -> None:
    """Neither what is under way, nor what waits, nor what is asked for later."""
    reloading = Reloading(folder)
    reloading.reload.open()
    asked = [reloading.ask(), reloading.ask()]
    folder.partner('name = "new"\nenabled = false\n', "new")
    reloading.reload.stop()
    for each in (*asked, reloading.ask()):
        with pytest.raises(GatewayError, match="stopping"):
            await each
    assert list(reloading.roster) == ["acme"]
    assert reloading.remotes.told == []


@ensureDeferred
async def test_without_workers_nothing_changes(folder: As2Folder) -> None:
    """Whoever asked hears why, and so does the log."""
    reloading = Reloading(folder, as2=Workers())
    reloading.reload.open()
    folder.partner('name = "new"\nenabled = false\n', "new")
    going = reloading.ask()
    reloading.readings[0].callback(None)
    with pytest.raises(WorkersBroken):
        await going
    assert list(reloading.roster) == ["acme"]
    assert reloading.remotes.told == []
    assert [call.kwargs["event"] for call in reloading.said.calls] == ["not_reloaded"]


@ensureDeferred
async def test_a_part_that_does_not_let_go_keeps_no_other_from_it(folder: As2Folder) -> None:
    """It is told as an error; the new partners are in force."""
    reloading = Reloading(folder, folders=Broken())
    reloading.reload.open()
    folder.partner('name = "new"\nenabled = false\n', "new")
    going = reloading.ask()
    reloading.readings[0].callback(None)
    assert (await going).changes == ("partner new: added, disabled",)
    assert sorted(reloading.roster) == ["acme", "new"]
    assert reloading.remotes.told == [["acme", "new"]]
    assert "reload_unfinished" in [call.kwargs["event"] for call in reloading.said.calls]
