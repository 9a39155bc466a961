"""What judging again says otherwise than the journal: verdicts, rules, the packs they are of."""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.errors import GatewayError
from gateway.model.job import JudgeAnswer
from gateway.model.verdict import Judgement, Severity, verdict_name
from gateway.service.journal import records

RULES_SHOWN: Final = 20

UNJUDGED: Final = "not judged"
UNDETERMINED: Final = "undetermined"
REJECTED: Final = "rejected"


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A document that would be judged otherwise, with the rules it violates no more, and newly.

    `packs`: those these rules are of, with the version that judges now, and the one before it.
    `rejecting`: of the new ones, those it would be rejected for although it was not before.
    """

    document: int
    name: str
    before: str
    after: str
    cause: str | None = None
    gone: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    packs: tuple[str, ...] = ()
    rejecting: tuple[str, ...] = ()


def said_of(answer: JudgeAnswer | GatewayError) -> Judgement | str:
    """What the judge says, or the words of why it says nothing."""
    if isinstance(answer, GatewayError):
        return answer.what
    assert answer.judgement is not None
    return answer.judgement


def difference_of(
    ordinal: int, name: str, row: records.DocumentRow | None, said: Judgement | str
) -> Difference | None:
    """How the document would be judged otherwise; None when it would not."""
    kept = records.load_judgement(row) if row is not None and row.judgement is not None else None
    before = UNJUDGED if kept is None else verdict_name(kept.verdict)
    violated = set() if kept is None else _violated(kept)
    if isinstance(said, str):  # the gateway's own failure: undetermined, as it would be in the line
        if before == "undetermined":
            return None
        return Difference(
            document=ordinal, name=name, before=before, after="undetermined", cause=said
        )
    after, now = verdict_name(said.verdict), _violated(said)
    if before == after and violated == now:
        return None
    return Difference(
        document=ordinal,
        name=name,
        before=before,
        after=after,
        cause=getattr(said.verdict, "cause", None),
        gone=tuple(sorted(violated - now))[:RULES_SHOWN],
        new=tuple(sorted(now - violated))[:RULES_SHOWN],
        packs=_packs(kept, said, violated ^ now),
        rejecting=_rejecting(before, said) if after == REJECTED else (),
    )


def _rejecting(before: str, said: Judgement) -> tuple[str, ...]:
    if before == REJECTED:
        return ()
    errors = {each.rule for each in said.findings if each.severity is Severity.ERROR}
    return tuple(sorted(errors))[:RULES_SHOWN]


def _packs(kept: Judgement | None, said: Judgement, otherwise: set[str]) -> tuple[str, ...]:
    """The packs whose rules object otherwise: `en16931-ubl 1.3.15`, `… (was 1.3.14)`."""
    findings = (*(kept.findings if kept is not None else ()), *said.findings)
    named = {each.pack for each in findings if each.rule in otherwise and each.pack is not None}
    was = {each.pack: each.version for each in kept.rules} if kept is not None else {}
    now = {each.pack: each.version for each in said.rules}
    words = []
    for pack in sorted(named):
        version = now.get(pack, "no longer asked")
        before = was.get(pack, "not asked") if kept is not None else version
        words.append(f"{pack} {version}" + (f" (was {before})" if before != version else ""))
    return tuple(words)


def _violated(judgement: Judgement) -> set[str]:
    return {each.rule for each in judgement.findings if each.severity is not Severity.INFO}
