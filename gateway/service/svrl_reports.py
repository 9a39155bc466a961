"""The SVRL report of a rule pack on a document that was judged, for whoever asks: `svrl`.

The journal keeps findings, not reports. So the report is made again: a judge runs the version of
the pack that judged (its SHA-256 stands in the judgement), as shipped, on the kept bytes; a member
of an archive is unpacked first. Nothing is written to the journal, and the verdict stays.

One report is made at a time, within the time a document of its size may take. A few of the last
ones are kept for some minutes as files in the scratch folder, which is emptied at a start. What has
just failed is not tried again at once, for a report that takes too long costs a judge.
"""

from __future__ import annotations

import shutil
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from twisted.internet import defer

from gateway.config.settings import Intake as IntakeSettings
from gateway.config.settings import Judges as JudgeSettings
from gateway.core.container.manifest import read_manifest
from gateway.core.directory import NAME as DIRECTORY
from gateway.durable import make_folder
from gateway.errors import GatewayError, WorkersStopped
from gateway.model.interchange import Interchange
from gateway.model.job import JudgeJob, SvrlJob
from gateway.model.partner import Partner
from gateway.model.verdict import PackReference
from gateway.service.control import CommandRefused, Handler
from gateway.service.intake import InThread
from gateway.service.journal import Journal, records
from gateway.service.judges import Reporting, job_for, member_job
from gateway.service.payloads_gone import refuse_purged
from gateway.spool import Spool

FOLDER: Final = "svrl"
"""Below the scratch folder."""
MOST_BYTES: Final = 100_000_000
"""Of one report."""
KEPT: Final = 8
"""Reports kept at once."""
KEPT_SECONDS: Final = 600.0
"""So long a report is kept: it quotes the document, which may be purged meanwhile."""
MOST_WAITING: Final = 8
"""Who wait for their report at once."""
FAILURE_SECONDS: Final = 600.0
"""So long a report that could not be made is not tried again."""
FAILURES: Final = 200


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of `svrl`: a document of an interchange, and the SHA-256 of a pack it names."""

    interchange: Annotated[str, msgspec.Meta(max_length=100)]
    document: Annotated[int, msgspec.Meta(ge=1)]
    pack: Annotated[str, msgspec.Meta(max_length=64)]


class _Wanted(msgspec.Struct, frozen=True, kw_only=True):
    interchange: Interchange
    partner: Partner
    document: records.DocumentRow
    pack: PackReference

    @property
    def key(self) -> str:
        return f"{self.interchange.id}-{self.document.ordinal}-{self.pack.sha256}"


class SvrlReports:
    """Answers the command; `handlers` is what `Control` wants. `reactor`: its clock."""

    def __init__(
        self,
        reactor: Any,
        *,
        journal: Journal,
        spool: Spool,
        in_thread: InThread,
        judges: Reporting,
        partners: Mapping[str, Partner],
        scratch: Path,
        settings: IntakeSettings,
        judging: JudgeSettings,
        log: Any,
    ) -> None:
        self._journal = journal
        self._spool = spool
        self._in_thread = in_thread
        self._judges = judges
        self._partners = partners
        self._scratch = scratch
        self._settings = settings
        self._judging = judging
        self._reactor = reactor
        self._log = log
        self._turn = defer.DeferredLock()
        self._kept: OrderedDict[str, Path] = OrderedDict()
        self._failed: OrderedDict[str, tuple[float, str]] = OrderedDict()

    def handlers(self) -> Mapping[str, Handler]:
        """Commands by name."""
        return {"svrl": self.make}

    @property
    def waiting(self) -> int:
        """How many wait for their report, but for the one whose report is being made."""
        return len(self._turn.waiting)

    async def make(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """`{"path": of the report, "name": for people, "size": bytes}`.

        The file stays for a while, and is nobody's to change. Raises `GatewayError`.
        """
        wanted = await self._wanted(msgspec.convert(arguments, Asked))
        self._refuse_failed(wanted.key)
        if self.waiting >= MOST_WAITING:
            raise CommandRefused(
                "Other SVRL reports are being made.", remedy="Ask again in a minute."
            )
        async with self._turn:
            path = self._kept.get(wanted.key)
            if path is None or not await self._in_thread(path.is_file):
                self._refuse_failed(wanted.key)  # whoever was before has just found that out
                path = await self._made(wanted)
        status = await self._in_thread(path.stat)
        return {
            "path": str(path),
            "name": f"{wanted.document.name}.{file_word(wanted.pack.pack)}.svrl.xml",
            "size": status.st_size,
        }

    async def _wanted(self, asked: Asked) -> _Wanted:
        def look(
            conn: Any,
        ) -> tuple[records.InterchangeRow | None, records.DocumentRow | None]:
            refuse_purged(conn, asked.interchange, "reported on in SVRL")
            return (
                records.interchange(conn, asked.interchange),
                records.document(conn, asked.interchange, asked.document),
            )

        row, document = await self._journal.read("svrl", look)
        packs = packs_of(document)
        pack = next((each for each in packs if each.sha256 == asked.pack), None)
        if row is None or document is None or pack is None:
            raise CommandRefused(
                "No document that was judged by these rules is there.",
                remedy="Look at how it stands now: it may have been judged again.",
            )
        partner = self._partners.get(row.partner) or Partner(name=row.partner, flows=())
        return _Wanted(interchange=row.interchange(), partner=partner, document=document, pack=pack)

    async def _made(self, wanted: _Wanted) -> Path:
        if self._spool.free_mb() - self._settings.min_free_mb < MOST_BYTES // 1_000_000:
            raise CommandRefused(
                "The disk has no room for an SVRL report.",
                remedy="Free space where paths.state is.",
            )
        folder = self._scratch / FOLDER
        await self._in_thread(make_folder, folder)
        path, beside = folder / f"{wanted.key}.xml", folder / f"{wanted.key}.members"
        try:
            job = SvrlJob(
                document=await self._document(wanted, beside),
                pack=wanted.pack,
                into=str(path),
                most_bytes=MOST_BYTES,
            )
            large = job.document.size >= self._judging.large_bytes
            size = await self._judges.svrl(job, alone=large)
        except GatewayError as error:
            await self._in_thread(path.unlink, True)
            if not isinstance(error, CommandRefused | WorkersStopped):
                self._note_failure(wanted.key, f"{error.what} {error.remedy}".strip())
            raise
        finally:
            await self._in_thread(shutil.rmtree, beside, True)
        self._log.info(
            "svrl_made",
            interchange=wanted.interchange.id,
            document=wanted.document.ordinal,
            pack=wanted.pack.pack,
            size=size,
        )
        await self._keep(wanted.key, path)
        return path

    async def _document(self, wanted: _Wanted, beside: Path) -> JudgeJob:
        """The job of judging the document, which is found in its archive if it is in one."""
        document = wanted.document
        whole = job_for(
            wanted.interchange,
            wanted.partner,
            self._spool.path(wanted.interchange.sha256),
            unpack_to=beside,
            disk_bytes=(self._spool.free_mb() - self._settings.min_free_mb) * 1_000_000,
        )
        if document.position is None:
            return whole
        answer = await self._judges.judge(whole, alone=whole.size >= self._judging.large_bytes)
        if answer.unpacked is None or answer.unpacked.no_room is not None:
            raise CommandRefused(
                "The archive cannot be unpacked now.", remedy="Free space where paths.state is."
            )
        members = await self._in_thread(
            lambda: [each for each in read_manifest(beside) if each.position == document.position]
        )
        if not members or members[0].sha256 != document.sha256:
            raise CommandRefused(
                "The document is not found in its archive any more.",
                remedy="Have it judged again (replay): limits on archives may have changed.",
            )
        return member_job(
            wanted.interchange,
            wanted.partner,
            beside / str(document.position),
            name=document.name,
            sha256=document.sha256,
            size=document.size,
        )

    async def _keep(self, key: str, path: Path) -> None:
        self._kept[key] = path
        self._reactor.callLater(KEPT_SECONDS, self._expire, key, path)
        while len(self._kept) > KEPT:
            _, old = self._kept.popitem(last=False)
            await self._remove(old)

    def _expire(self, key: str, path: Path) -> None:
        if self._kept.get(key) is path:  # and not one that was made anew
            del self._kept[key]
            defer.Deferred.fromCoroutine(self._remove(path))

    async def _remove(self, path: Path) -> None:
        try:
            await self._in_thread(path.unlink, True)
        except OSError as error:
            self._log.warning("svrl_not_removed", path=str(path), error=str(error))

    def _note_failure(self, key: str, words: str) -> None:
        self._failed[key] = (self._reactor.seconds(), words)
        while len(self._failed) > FAILURES:
            self._failed.popitem(last=False)

    def _refuse_failed(self, key: str) -> None:
        found = self._failed.get(key)
        if found is None:
            return
        if self._reactor.seconds() - found[0] >= FAILURE_SECONDS:
            del self._failed[key]
            return
        raise CommandRefused(
            f"This report could not be made a moment ago: {found[1]}",
            remedy=f"It is not tried again for {FAILURE_SECONDS / 60:.0f} minutes.",
        )


def packs_of(document: records.DocumentRow | None) -> tuple[PackReference, ...]:
    """The rule packs that judged a document, and can report on it; the directory cannot."""
    if document is None or document.judgement is None:
        return ()
    rules = records.load_judgement(document).rules
    return tuple(each for each in rules if each.pack != DIRECTORY)


def file_word(pack: str) -> str:
    """A pack's name as a part of a file's name."""
    return pack.removeprefix("./").replace("/", "-")
