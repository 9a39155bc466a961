"""Partners, certificates, flows, rules and some settings change while the gateway runs.

    read everything again ─▶ get ready, in every part ─▶ take it, all at once ─▶ let go of the old

Up to the third step anything may fail: then what was in force stays in force, whole, and whoever
asked hears every fault. From the third step on nothing can fail but the letting go, and nobody is
refused: each message, upload and visit ends with what it began with.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Final

from twisted.internet import defer

from gateway.config import Configuration
from gateway.config.reloading import Reread, reread
from gateway.config.rule_files import rule_files
from gateway.config.settings import Settings
from gateway.errors import ConfigurationError, IntakeRefused
from gateway.service.as2 import As2Service
from gateway.service.certificate_watch import CertificateWatch
from gateway.service.control import Handler
from gateway.service.folder_watches import FolderWatches
from gateway.service.http_tokens import Tokens
from gateway.service.intake import InThread
from gateway.service.judges import judge_boot
from gateway.service.replaceable_workers import ReplaceableWorkers
from gateway.service.roster import Flows, Roster
from gateway.service.sftp_client import SftpClients
from gateway.service.sftp_server import SftpService

GRACE_SECONDS: Final = 5.0
"""What folders and servers that are visited no more, or otherwise, may finish."""

LEARNING_SECONDS: Final = 30.0
RULES_CHANGED: Final = "rules: files of flows or rule packs changed, read again"

Prepare = Callable[[Settings], Sequence[Callable[[], None]]]
"""Gets ready for other settings; the answers take them. Raises `ConfigurationError`."""


class Reload:
    """Reads the files of `configuration` again when it is asked to. Parts that are off are None.

    `others`: those who take over settings beside. Whoever asks before `open` waits until then.
    """

    def __init__(
        self,
        reactor: Any,
        configuration: Configuration,
        *,
        in_thread: InThread,
        roster: Roster,
        flows: Flows,
        judges: ReplaceableWorkers,
        tokens: Tokens,
        as2: As2Service | None,
        sftp: SftpService | None,
        folders: FolderWatches,
        remotes: SftpClients,
        certificates: CertificateWatch,
        others: Prepare,
        log: Any,
    ) -> None:
        self._reactor = reactor
        self._running = configuration
        self._in_thread = in_thread
        self._roster = roster
        self._flows = flows
        self._judges = judges
        self._tokens = tokens
        self._as2 = as2
        self._sftp = sftp
        self._folders = folders
        self._remotes = remotes
        self._certificates = certificates
        self._others = others
        self._log = log
        self._rules = rule_files(configuration)
        self._turn = defer.DeferredLock()
        self._turn.acquire()
        self._opened = False
        self._under_way: defer.Deferred[Reread] | None = None
        self._stopping = False

    @property
    def settings(self) -> Settings:
        """Those in force."""
        return self._running.settings

    def handlers(self) -> dict[str, Handler]:
        """For the control socket."""
        return {"reload": self._asked}

    def open(self) -> None:
        """The gateway is up: what was asked for meanwhile, and all that follows, can be done."""
        if not self._opened:
            self._opened = True
            self._turn.release()

    async def reload(self) -> Reread:
        """Take over what the files say now, and tell what that changed.

        Raises `ConfigurationError` with every fault, or `WorkersBroken` when no worker starts with
        it; then nothing changed. One at a time: others wait for their turn.
        """
        return await self._turn.run(self._begin)

    def stop(self) -> None:
        """Give up what is under way; begin nothing any more."""
        self._stopping = True
        self.open()
        if self._under_way is not None:
            self._under_way.cancel()

    # ---- inside

    async def _asked(self, arguments: dict[str, Any]) -> dict[str, Any]:
        if arguments:
            raise ConfigurationError("reload takes no arguments.")
        done = await self.reload()
        return {
            "changes": list(done.changes),
            "later": list(done.later),
            "notices": [str(each) for each in done.notices],
        }

    def _begin(self) -> defer.Deferred[Reread]:
        going = self._under_way = defer.Deferred.fromCoroutine(self._reload())

        def over(result: Any) -> Any:
            self._under_way = None
            return result

        return going.addBoth(over)

    async def _reload(self) -> Reread:
        if self._stopping:
            raise IntakeRefused("The gateway is stopping.")
        try:
            done: Reread = await self._in_thread(reread, self._running)
            new = done.configuration
            sftp = self._sftp.prepare(new.partners.values()) if self._sftp is not None else None
            others = self._others(new.settings)
            judges = await self._judges.prepare(judge_boot(new), done.rules)
            as2 = await self._as2.prepare(new) if self._as2 is not None else None
        except defer.CancelledError as error:
            await self._judges.give_up()
            raise IntakeRefused("The gateway is stopping.") from error
        except Exception as error:
            await self._judges.give_up()
            self._log.error("not_reloaded", error=str(error))
            raise
        # Nothing is waited for from here until everybody goes by the new one.
        self._running = new
        self._roster.replace(new.partners)
        self._flows.replace(new.flows)
        judges()
        for take in others:
            take()
        self._tokens.learn(new.partners.values())
        if as2 is not None:
            as2()
        self._certificates.take(new)
        learning = sftp() if sftp is not None else defer.succeed(None)
        if done.rules != self._rules:
            self._rules = done.rules
            done = dataclasses.replace(done, changes=(*done.changes, RULES_CHANGED))
        self._log.info("reloaded", changes=done.changes, later=done.later)
        for notice in done.notices:
            self._log.warning("configuration_notice", notice=str(notice))
        learning.addTimeout(LEARNING_SECONDS, self._reactor)
        folders = self._folders.replace(new.partners, GRACE_SECONDS)
        remotes = self._remotes.replace(new.partners.values(), GRACE_SECONDS)
        parts = {
            "sftp": learning,
            "folders": defer.Deferred.fromCoroutine(folders),
            "sftp-client": defer.Deferred.fromCoroutine(remotes),
        }
        for part, going in parts.items():
            try:
                await going
            except Exception as error:
                # What one part does not manage is told, and no reason for another to stop.
                self._log.error("reload_unfinished", of=part, error=repr(error))
        return done
