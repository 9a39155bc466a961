"""The check of certificates: how many days each has left."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator
from typing import Final

from gateway.cli.probes import Outcome, Result
from gateway.config.certificates import days_left
from gateway.config.loader import Reading
from gateway.model.verdict import Language, Text

WORDS: Final = {
    "ours": Text(en="ours {file}", fr="notre {file}"),
    "left": Text(
        en="{days} days left, until {until:%Y-%m-%d}",
        fr="jours restants : {days}, jusqu'au {until:%d/%m/%Y}",
    ),
    "expired": Text(en="expired {until:%Y-%m-%d}", fr="expiré le {until:%d/%m/%Y}"),
}


def certificates(
    reading: Reading,
    now: dt.datetime,
    *,
    owners: Collection[str | None] | None = None,
    language: Language = Language.EN,
) -> Iterator[Outcome]:
    """Certificates with their days, of these owners or of all (a name of None: ours).

    What is wrong with one is told by the checks of the configuration.
    """
    for held in reading.held:
        if owners is not None and held.owner not in owners:
            continue
        left = days_left(held.certificate, now)
        told = WORDS["left" if left >= 0 else "expired"].to(language)
        name = held.file.name
        yield Outcome(
            check="certificate",
            subject=f"{held.owner} {name}"
            if held.owner
            else WORDS["ours"].to(language).format(file=name),
            result=Result.OK if left >= 0 else Result.SKIPPED,
            detail=told.format(days=left, until=held.certificate.not_valid_after_utc),
        )
