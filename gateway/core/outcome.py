"""From a case to its verdict.

Accepted only when every step was made and none objected. A check that could not be made never
counts as one that passed: the document is then undetermined, unless another check has already
found an error, for that stands whatever else is broken.
"""

from __future__ import annotations

from typing import Final

from gateway.core.case import Case
from gateway.core.explain import own_finding
from gateway.model.verdict import (
    Accepted,
    Finding,
    Judgement,
    Rejected,
    Severity,
    Undetermined,
    Verdict,
)

MAX_FINDINGS: Final = 1000
"""Findings one judgement carries; a bulk invoice can break the same rule on every line."""


def judgement(case: Case, timings: dict[str, float]) -> Judgement:
    """Everything the case says. `timings`: milliseconds by step."""
    facts, job = case.facts, case.job
    verdict = _verdict(case)
    return Judgement(
        document=job.name,
        sha256=job.sha256,
        size=job.size,
        flow=case.flow.name if case.flow else None,
        syntax=facts.syntax.value if facts else None,
        document_type=facts.document_type.value if facts else None,
        profile=facts.profile if facts else None,
        verdict=verdict,
        rules=case.rules,
        invoice_number=facts.invoice_number if facts else None,
        issue_date=facts.issue_date if facts else None,
        seller_id=facts.seller_id if facts else None,
        buyer_id=facts.buyer_id if facts else None,
        seller_name=facts.seller_name if facts else None,
        buyer_name=facts.buyer_name if facts else None,
        amount=facts.amount if facts else None,
        currency=facts.currency if facts else None,
        pdf=case.pdf,
        timings_ms=timings,
        unmapped=case.unmapped,
        files=case.files if isinstance(verdict, Accepted) else (),
    )


def unreadable(name: str, sha256: str, size: int, findings: tuple[Finding, ...]) -> Judgement:
    """The judgement on what could not even be opened, for the reasons in `findings`.

    `sha256` and `size` are those of what was received or unpacked; "" when nothing was. Nothing
    is known of what the document is, so no flow is named.
    """
    return Judgement(
        document=name,
        sha256=sha256,
        size=size,
        flow=None,
        syntax=None,
        document_type=None,
        profile=None,
        verdict=Rejected(_bounded(findings)),
    )


def _verdict(case: Case) -> Verdict:
    findings = _bounded(case.findings)
    if case.objected:
        notices = (own_finding("CHECK-NOT-RUN", check=failed.check) for failed in case.failures)
        return Rejected((*findings, *notices))
    if case.failures:
        outcomes = [failed.outcome for failed in case.failures]
        return Undetermined(
            cause=" ".join(outcome.cause for outcome in outcomes),
            remedy=" ".join(dict.fromkeys(outcome.remedy for outcome in outcomes)).strip(),
            findings=findings,
            transient=all(outcome.transient for outcome in outcomes),
        )
    if case.job.layers is not None:
        return Undetermined(
            cause=f"Only these checks were made: {', '.join(case.job.layers)}; none objected.",
            remedy="Leave --layers out for a full verdict.",
            findings=findings,
        )
    if case.message is not None:
        return Accepted(b"", findings, message=case.message)
    if case.invoice is None:
        return Undetermined(
            cause="Judging ended before the invoice was mapped.",
            remedy="Keep the document and report this to the makers of the gateway.",
            findings=findings,
        )
    return Accepted(case.invoice, findings)


def _bounded(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """At most MAX_FINDINGS, errors before others, in their order, and a word on the rest."""
    if len(findings) <= MAX_FINDINGS:
        return findings
    weights = list(Severity)
    kept = sorted(
        sorted(range(len(findings)), key=lambda at: weights.index(findings[at].severity))[
            :MAX_FINDINGS
        ]
    )
    rest = own_finding("FINDINGS-CUT", left_out=len(findings) - MAX_FINDINGS)
    return (*(findings[at] for at in kept), rest)
