"""What became of each sample of the demo, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

import msgspec
from tabulate import tabulate

from gateway.model.verdict import Finding, Language, Severity
from gateway.samples import Sample
from gateway.samples.sendings import Sending
from gateway.service.journal import records


class Outcome(msgspec.Struct, frozen=True):
    """One document sent: what should have come out, and what did, as seen from outside."""

    file: str
    document: str
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


def outcomes_of(
    sending: Sending,
    documents: Sequence[records.DocumentRow],
    outbox: Sequence[records.OutboxRow],
    state: Path,
    received: Path,
    language: Language,
) -> list[Outcome]:
    """Gather the outcome of each document in one file.

    The verdicts are the journal's; messages and acknowledgement count only if their files are
    really there.
    """
    rows = {row.name: row for row in documents}
    published = {
        row.ordinal: f"{row.exchange}\n{row.routing_key}"
        for row in outbox
        if row.kind == "document"
        and (
            state / "publications" / row.exchange / row.routing_key / f"{row.message_id}.json"
        ).is_file()
    }
    acknowledged = [
        row.filename or ""
        for row in outbox
        if row.kind == "report"
        and (row.filename or "").endswith(".xml")
        and (received / (row.filename or "")).is_file()
    ]
    outcomes = []
    for name, sample in sending.documents:
        row = rows.get(name)
        verdict, first = _judged(row)
        outcomes.append(
            Outcome(
                file=sending.file,
                document=name,
                sample=sample,
                verdict=verdict,
                finding=_words(first, language) if first else "",
                rule=first.rule if first else None,
                published=published.get(row.ordinal, "") if row else "",
                acknowledged=acknowledged[-1] if acknowledged else "",
            )
        )
    return outcomes


def _judged(row: records.DocumentRow | None) -> tuple[str, Finding | None]:
    """The verdict in words, and the first error."""
    if row is None:
        return "not judged", None
    verdict = row.verdict or row.state.value
    if verdict == "undetermined":
        verdict = f"undetermined: {row.cause}"
    if row.judgement is None:
        return verdict, None
    findings = records.load_judgement(row).findings
    return verdict, next((f for f in findings if f.severity is Severity.ERROR), None)


def as_expected(outcomes: Sequence[Outcome], count: int) -> bool:
    """Whether all `count` documents came out as they should."""
    return len(outcomes) == count and all(outcome.as_expected for outcome in outcomes)


def table(outcomes: Sequence[Outcome]) -> str:
    """The outcomes for people."""
    rows = [
        (
            _sent(outcome),
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


def _sent(outcome: Outcome) -> str:
    if outcome.document == outcome.file:
        return outcome.file
    return f"{outcome.file}:\n{outcome.document}"


def _words(finding: Finding, language: Language) -> str:
    text = finding.explanation.to(language) if finding.explanation else finding.message
    where = f" (line {finding.line})" if finding.line else ""
    return fill(f"{finding.rule}{where}: {text}", 44)


def _broken(name: str) -> str:
    """A long file name on several lines, so that the table stays narrow."""
    return "\n".join(name[i : i + 28] for i in range(0, len(name), 28))
