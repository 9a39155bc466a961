"""Whether spool and journal agree: each payload that is needed is there, each that is there needed.

The gateway may run meanwhile. So what looks wrong is looked at once more before it is told: a purge
or a sweep may have come in between.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator

import sqlalchemy as sa

from gateway.errors import SpoolError
from gateway.service.doctor.troubles import MEND, MOST, Trouble, gathered
from gateway.service.journal import records
from gateway.service.journal.doctor_records import payloads_page
from gateway.service.spool_sweep import BATCH, PREFIXES
from gateway.spool import Spool

_PAGE = 1_000

Progress = Callable[[str, int, int], None]


def payload_troubles(
    engine: sa.Engine,
    spool: Spool,
    *,
    deep: bool,
    orphan_hours: float,
    now: dt.datetime,
    progress: Progress = lambda *_: None,
) -> Iterator[Trouble]:
    """What is missing, altered, or nobody's. `deep` reads every payload; else only sizes count."""
    missing: list[str] = []
    altered: list[str] = []
    for done, (sha256, size) in enumerate(_counted(engine)):
        progress("payloads", done, 0)
        if len(missing) + len(altered) < MOST:
            wrong = _wrong(spool, sha256, size, deep=deep)
            if wrong and _is_named(engine, sha256):
                (missing if wrong == "missing" else altered).append(sha256)
    yield from gathered(
        "payloads",
        missing,
        one="A payload that the journal needs is not in the spool:",
        many="{number} payloads that the journal needs are not in the spool:",
        remedy="Copy it from a backup (payloads/ab/abcd…) into spool/payloads; without it, what it"
        " holds cannot be judged again or sent again.",
    )
    yield from gathered(
        "payloads",
        altered,
        one="A payload is not what was stored:",
        many="{number} payloads are not what was stored:",
        remedy="Check the disk; move the file aside and copy it from a backup (payloads/ab/abcd…).",
    )
    before = (now - dt.timedelta(hours=max(orphan_hours, 24.0))).timestamp()
    kept = orphan_hours <= 0
    yield from gathered(
        "orphans",
        _orphans(engine, spool, before, progress),
        one="A payload in the spool is nobody's:",
        many="{number} payloads in the spool are nobody's:",
        remedy="intake.orphan_hours is 0, so they are kept: see what they are before you set it"
        " again."
        if kept
        else f"A sweep removes them once a day; {MEND}",
        mendable=not kept,
        harmless=True,
    )


def _counted(engine: sa.Engine) -> Iterator[tuple[str, int]]:
    """Every payload the journal counts; no transaction is open between the pages."""
    after = ""
    while True:
        with engine.connect() as conn:
            page = payloads_page(conn, after, _PAGE)
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1][0]


def _wrong(spool: Spool, sha256: str, size: int, *, deep: bool) -> str:
    """What is wrong with a payload's file, in a word; "" when nothing is."""
    try:
        if spool.path(sha256).stat().st_size != size:
            return "altered"
    except (OSError, SpoolError):
        return "missing"
    if deep:
        try:
            spool.verify(sha256)
        except SpoolError:
            return "altered"
    return ""


def _is_named(engine: sa.Engine, sha256: str) -> bool:
    with engine.connect() as conn:
        return bool(records.named_payloads(conn, [sha256]))


def _orphans(engine: sa.Engine, spool: Spool, before: float, progress: Progress) -> Iterator[str]:
    for number, prefix in enumerate(PREFIXES):
        progress("spool", number, len(PREFIXES))
        try:
            old = spool.older_than(prefix, before)
        except SpoolError:
            continue  # the folder is made at the next start
        for start in range(0, len(old), BATCH):
            batch = old[start : start + BATCH]
            with engine.connect() as conn:
                named = records.named_payloads(conn, batch)
            yield from (sha256 for sha256 in batch if sha256 not in named)
