"""What would be said of a payload today: judged again from the spool, and nothing written.

`replay_commit` is the one that writes.

For whoever wants to know which verdicts other rule packs would change, before they are in force or
after they were mended: the judges get the stored payload with another date, and what they say is
held against what the journal keeps. Judging for a replay waits its turn like any other work.
"""

from __future__ import annotations

import datetime as dt
import itertools
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from twisted.internet import defer

from gateway.config.settings import Intake as IntakeSettings
from gateway.config.settings import Judges as JudgeSettings
from gateway.core.container.manifest import read_manifest
from gateway.core.outcome import unreadable
from gateway.errors import GatewayError, WorkersStopped
from gateway.model.container import Member, Role
from gateway.model.interchange import Interchange
from gateway.model.job import JudgeAnswer, JudgeJob
from gateway.model.partner import Partner
from gateway.model.verdict import Judgement
from gateway.service.control import CommandRefused, Handler
from gateway.service.intake import InThread
from gateway.service.journal import Journal, records
from gateway.service.judges import Judging, job_for, member_job
from gateway.service.payloads_gone import refuse_purged
from gateway.service.replay_differences import Difference, difference_of, said_of
from gateway.spool import Spool

WIDTH: Final = 4
"""Members of one archive judged at once: most judges stay free for what comes in meanwhile."""
PAGE: Final = 200
SHOWN: Final = 200
"""Documents named in an answer; of more there is the number."""


class Try(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Arguments of `replay.try` and `replay.commit`.

    `rules`: the day whose packs judge; None: as it was received.
    """

    interchange: str
    rules: dt.date | None = None


class Compared(NamedTuple):
    """An interchange judged again: how many documents, and what would be different."""

    interchange: str
    documents: int
    differences: list[Difference]


class Replay:
    """Answers `replay.try`; `handlers` is what `Control` wants."""

    def __init__(
        self,
        journal: Journal,
        *,
        spool: Spool,
        in_thread: InThread,
        judges: Judging,
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
        self._log = log

    def handlers(self) -> Mapping[str, Handler]:
        """Commands by name."""
        return {"replay.try": self.attempt}

    async def attempt(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """`{"interchange", "documents": how many, "changed": how many, "differences": […]}`.

        Raises `CommandRefused` for what cannot be judged again.
        """
        compared = await self.compare(msgspec.convert(arguments, Try))
        return {
            "interchange": compared.interchange,
            "documents": compared.documents,
            "changed": len(compared.differences),
            "differences": [msgspec.to_builtins(each) for each in compared.differences[:SHOWN]],
        }

    async def compare(self, wanted: Try) -> Compared:
        """Judge it again, and write nothing. Raises `CommandRefused`."""
        row = await self._journal.read(
            "interchange", lambda conn: records.interchange(conn, wanted.interchange)
        )
        if row is None:
            raise CommandRefused(
                f"There is no interchange {wanted.interchange}.",
                remedy="Find it with: edi-gateway interchanges",
            )
        await self._journal.read(
            "purged", lambda conn: refuse_purged(conn, wanted.interchange, "judged again")
        )
        partner = self._partners.get(row.partner)
        if partner is None:
            raise CommandRefused(
                f"Interchange {row.id} came from {row.partner}, who is no partner any more.",
                remedy="Without its file nobody knows which flows it may use.",
            )
        folder = self._scratch / f"replay-{secrets.token_hex(8)}"
        interchange = msgspec.structs.replace(row.interchange(), rules_on=wanted.rules)
        trial = _Trial(self, interchange, partner, folder)
        try:
            count, differences = await trial.run()
        finally:
            await self._in_thread(shutil.rmtree, folder, True)
        self._log.info(
            "replay_tried",
            interchange=row.id,
            partner=row.partner,
            flow=row.flow,
            rules=str(wanted.rules or "as received"),
            documents=count,
            changed=len(differences),
        )
        return Compared(row.id, count, differences)

    async def judge(self, job: JudgeJob) -> JudgeAnswer:
        """Have it judged. Raises `GatewayError` when the judge failed."""
        return await self._judges.judge(job, alone=job.size >= self._judging.large_bytes)

    def payload(self, interchange: Interchange) -> Path:
        """Where it is."""
        return self._spool.path(interchange.sha256)

    def room(self) -> int:
        """Bytes an archive may be unpacked to."""
        return (self._spool.free_mb() - self._settings.min_free_mb) * 1_000_000

    async def known(self, interchange_id: str, after: int) -> list[records.DocumentRow]:
        """What the journal keeps of the next documents."""
        return await self._journal.read(
            "documents_page",
            lambda conn: records.documents_page(conn, interchange_id, after=after, limit=PAGE),
        )

    async def page(self, members: Iterator[Member]) -> list[Member]:
        """The next documents of an archive."""
        return list(await self._in_thread(lambda: list(itertools.islice(members, PAGE))))


class _Trial:
    """One interchange, judged again."""

    def __init__(
        self,
        replay: Replay,
        interchange: Interchange,
        partner: Partner,
        folder: Path,
    ) -> None:
        self._replay = replay
        self._interchange = interchange
        self._partner = partner
        self._folder = folder

    async def run(self) -> tuple[int, list[Difference]]:
        """How many documents were judged, and what is different, in the documents' order."""
        job = job_for(
            self._interchange,
            self._partner,
            self._replay.payload(self._interchange),
            unpack_to=self._folder,
            disk_bytes=self._replay.room(),
        )
        answer = await self._asked(job)
        unpacked = answer.unpacked if isinstance(answer, JudgeAnswer) else None
        if unpacked is not None and unpacked.no_room is not None:
            raise CommandRefused(
                f"The archive cannot be unpacked now: {unpacked.no_room}",
                remedy="Free space where paths.state is.",
            )
        if unpacked is not None and unpacked.refused is None and unpacked.documents:
            return await self._members()
        said: Judgement | str
        if unpacked is not None:
            findings = (unpacked.refused,) if unpacked.refused is not None else ()
            said = self._shut(self._interchange.envelope.name, findings)
        else:
            said = said_of(answer)
        known = await self._replay.known(self._interchange.id, 0)
        name = self._interchange.envelope.name
        found = difference_of(1, name, known[0] if known else None, said)
        return 1, [found] if found is not None else []

    async def _members(self) -> tuple[int, list[Difference]]:
        members = (m for m in read_manifest(self._folder) if m.role is Role.DOCUMENT)
        differences: list[Difference] = []
        count = 0
        while page := await self._replay.page(members):
            rows = {
                row.ordinal: row for row in await self._replay.known(self._interchange.id, count)
            }
            turn = defer.DeferredSemaphore(WIDTH)
            going = [turn.run(self._member, member) for member in page]
            said = await defer.gatherResults(going, consumeErrors=True)
            for member, each in zip(page, said, strict=True):
                count += 1
                found = difference_of(count, member.name, rows.get(count), each)
                if found is not None:
                    differences.append(found)
        return count, differences

    def _member(self, member: Member) -> defer.Deferred[Judgement | str]:
        return defer.Deferred.fromCoroutine(self._judged(member))

    async def _judged(self, member: Member) -> Judgement | str:
        if member.findings:
            return self._shut(member.name, member.findings)
        path = self._folder / str(member.position)
        job = member_job(
            self._interchange,
            self._partner,
            path,
            name=member.name,
            sha256=member.sha256,
            size=member.size,
        )
        return said_of(await self._asked(job))

    async def _asked(self, job: JudgeJob) -> JudgeAnswer | GatewayError:
        try:
            return await self._replay.judge(job)
        except WorkersStopped:  # the gateway stops: that says nothing about the document
            raise
        except GatewayError as error:
            return error

    def _shut(self, name: str, findings: tuple[Any, ...]) -> Judgement:
        return unreadable(name, self._interchange.sha256, self._interchange.size, findings)
