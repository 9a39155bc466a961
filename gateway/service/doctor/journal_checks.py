"""What is wrong inside the journal, by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import sqlalchemy as sa

from gateway.service.doctor.troubles import EXAMPLES, MEND, MOST, Trouble, gathered
from gateway.service.journal import doctor_records as asked

_KEEP = (
    "Stop the gateway, keep copies of journal.sqlite*, and restore the last backup"
    " (edi-gateway restore)."
)
_REPORT_IT = "Report this as a fault of the gateway, with what edi-gateway show says of it."
_DEAD_ENDS: Final = {
    "judged": ("stands between judged and settled, where none can stand:", _REPORT_IT),
    "unanswered": (
        "waits to be acknowledged, but no report waits to be sent:",
        "Send it again: edi-gateway resend ID.",
    ),
    "unjudged": (
        "is settled and holds documents that were not judged:",
        f"edi-gateway replay ID judges an acknowledged one again. {_REPORT_IT}",
    ),
    "unpublished": (
        "holds documents with a verdict whose result nothing will send:",
        "Send it again: edi-gateway resend ID --kind document.",
    ),
    "empty quarantine": ("is in quarantine, and none of its documents is:", _REPORT_IT),
}
"""What an interchange does that nothing moves any more, and the way out."""


def journal_troubles(conn: sa.Connection, *, deep: bool) -> Iterator[Trouble]:
    """Everything, in one read transaction. `deep` also compares every index with its table."""
    said = _complaints(conn, "integrity_check" if deep else "quick_check")
    if said:
        yield Trouble(
            check="journal",
            what="The journal is damaged, SQLite says:",
            remedy=_KEEP,
            examples=tuple(said),
            number=len(said),
        )
        return  # what it would answer to the questions below is worth nothing
    yield from _relations(conn)
    yield from _counts(conn)
    yield from gathered(
        "outbox",
        asked.bodiless(conn, MOST),
        one="A message waits to be sent that holds nothing to send:",
        many="{number} messages wait to be sent that hold nothing to send:",
        remedy=_REPORT_IT,
    )
    for word, ids in asked.dead_ends(conn, MOST).items():
        what, remedy = _DEAD_ENDS[word]
        yield from gathered(
            "states",
            ids,
            one=f"An interchange {what}",
            many=f"Each of {{number}} interchanges {what}",
            remedy=remedy,
        )


def _complaints(conn: sa.Connection, pragma: str) -> list[str]:
    """What SQLite says of the pages it reads; of some it cannot even say more than that."""
    try:
        answers = conn.exec_driver_sql(f"PRAGMA {pragma}({EXAMPLES})").scalars().all()
    except sa.exc.DatabaseError as error:
        return [str(error.orig)]
    return [" ".join(str(answer).split()) for answer in answers if answer != "ok"]


def _relations(conn: sa.Connection) -> Iterator[Trouble]:
    yield from gathered(
        "claims",
        asked.claims_of_nobody(conn, MOST),
        one="A claim leads to no interchange: the file, sent again, would be called received.",
        many="{number} claims lead to no interchange: their files, sent again, would be called"
        " received.",
        remedy=MEND,
        mendable=True,
    )
    rows = conn.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(MOST)
    broken = [f"{row[0]}, row {row[1]}: no {row[2]}" for row in rows if row[0] != "claims"]
    yield from gathered(
        "rows",
        broken,
        one="A row of the journal belongs to nothing:",
        many="{number} rows of the journal belong to nothing:",
        remedy=_KEEP,
    )


def _counts(conn: sa.Connection) -> Iterator[Trouble]:
    wrong = asked.miscounted(conn, MOST)
    yield from gathered(
        "references",
        [_counted(each) for each in wrong if each.refs < each.least],
        one="A payload is needed more often than it is counted: a purge would remove it too early.",
        many="{number} payloads are needed more often than they are counted: a purge would remove"
        " them too early.",
        remedy=MEND,
        mendable=True,
    )
    yield from gathered(
        "references",
        [_counted(each) for each in wrong if each.refs > each.most],
        one="A payload is counted more often than it is needed: a purge would never remove it.",
        many="{number} payloads are counted more often than they are needed: a purge would never"
        " remove them.",
        remedy=MEND,
        mendable=True,
    )
    yield from gathered(
        "references",
        [each.sha256 for each in asked.uncounted(conn, MOST)],
        one="A payload is needed and not counted at all: it is removed once it is old enough.",
        many="{number} payloads are needed and not counted at all: they are removed once they are"
        " old enough.",
        remedy=f"If the spool still has them, {MEND[0].lower()}{MEND[1:]}",
        mendable=True,
    )
    yield from gathered(
        "documents",
        [each.id for each in asked.wrong_numbers(conn, MOST)],
        one="An interchange has another number of documents, or of open ones, than it says:",
        many="{number} interchanges have another number of documents, or of open ones, than they"
        " say:",
        remedy=MEND,
        mendable=True,
    )


def _counted(found: asked.Miscounted) -> str:
    needed = str(found.most) if found.least == found.most else f"{found.least} to {found.most}"
    return f"{found.sha256}: counted {found.refs}, needed {needed}"
