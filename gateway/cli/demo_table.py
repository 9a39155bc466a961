"""What became of each sample of the demo, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

import msgspec
from tabulate import tabulate

from gateway.model.verdict import Finding, Language, Severity
from gateway.samples import Sample
from gateway.service.journal import records


class Outcome(msgspec.Struct, frozen=True):
    """One sample: what should have come out, and what did, as seen from outside."""

    sample: Sample
    verdict: str
    finding: str
    rule: str | None
    published: str
    acknowledged: str

    @property
    def as_expected(self) -> bool:
        """Whether verdict, first finding, message and acknowledgement are what they should be."""
        return (
            self.verdict == self.sample.expected_verdict
            and self.rule == self.sample.expected_rule
            and bool(self.published)
            and bool(self.acknowledged)
        )


def outcome_of(
    sample: Sample,
    documents: Sequence[records.DocumentRow],
    outbox: Sequence[records.OutboxRow],
    state: Path,
    received: Path,
    language: Language,
) -> Outcome:
    """Gather one sample's outcome.

    The verdict is the journal's; the message and the acknowledgement count only if their files
    are really there.
    """
    first: Finding | None = None
    verdict = "not judged"
    if documents:
        verdict = documents[0].verdict or documents[0].state.value
        if documents[0].judgement is not None:
            findings = records.load_judgement(documents[0]).findings
            first = next((f for f in findings if f.severity is Severity.ERROR), None)
            if verdict == "undetermined":
                verdict = f"undetermined: {documents[0].cause}"
    published = ""
    acknowledged = ""
    for row in outbox:
        if row.kind == "document":
            folder = state / "publications" / row.exchange / row.routing_key
            if (folder / f"{row.message_id}.json").is_file():
                published = f"{row.exchange}\n{row.routing_key}"
        elif row.kind == "report" and row.filename and (received / row.filename).is_file():
            acknowledged = row.filename
    return Outcome(
        sample=sample,
        verdict=verdict,
        finding=_words(first, language) if first else "",
        rule=first.rule if first else None,
        published=published,
        acknowledged=acknowledged,
    )


def as_expected(outcomes: Sequence[Outcome], count: int) -> bool:
    """Whether all `count` samples came out as they should."""
    return len(outcomes) == count and all(outcome.as_expected for outcome in outcomes)


def table(outcomes: Sequence[Outcome]) -> str:
    """The outcomes for people."""
    rows = [
        (
            outcome.sample.file,
            fill(outcome.verdict, 24)
            + ("" if outcome.as_expected else f"\nexpected: {outcome.sample.expected_verdict}"),
            outcome.finding or "none",
            outcome.published or "NOTHING",
            _broken(outcome.acknowledged) or "NOTHING",
        )
        for outcome in outcomes
    ]
    return tabulate(
        rows,
        headers=(
            "sent",
            "verdict",
            "first finding",
            "message published",
            "acknowledgement in out/",
        ),
        tablefmt="grid",
        disable_numparse=True,
    )


def _words(finding: Finding, language: Language) -> str:
    text = finding.explanation.to(language) if finding.explanation else finding.message
    where = f" (line {finding.line})" if finding.line else ""
    return fill(f"{finding.rule}{where}: {text}", 44)


def _broken(name: str) -> str:
    """A long file name on several lines, so that the table stays narrow."""
    return "\n".join(name[i : i + 28] for i in range(0, len(name), 28))
