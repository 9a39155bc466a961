"""What came of a torture: the balanced account, as figures and as text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Set

import msgspec

from tests.torture.checks import Faults
from tests.torture.evidence import Evidence
from tests.torture.load import Parcel


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent against what is found. Counts, by what they are counts of."""

    files: Mapping[str, int]
    interchanges: Mapping[str, int]
    """By the state they ended in."""
    documents: Mapping[str, int]
    """By verdict and state."""
    publications: Mapping[str, int]
    """To the broker: what the journal wrote, the ids the consumer has, how often they came."""
    acknowledgements: Mapping[str, int]
    """To the partner: what the journal wrote and delivered, and the files that partners hold."""
    undetermined: Mapping[str, int]
    """Why documents had no verdict for a while; they were judged again in the end."""

    def __str__(self) -> str:
        """One line for each."""
        return "\n".join(
            f"{name:<16} " + (", ".join(f"{n} {what}" for what, n in counts.items()) or "none")
            for name, counts in msgspec.structs.asdict(self).items()
        )


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    seed: int
    kills: dict[str, int]
    """And faults of disk and broker, by kind."""
    hangups: dict[str, int]
    """Senders that vanished in the middle, by route."""
    seconds: float
    sent: int
    documents: int
    resends: int
    messages: int
    redelivered: int
    released: int
    account: Account
    faults: Faults

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.kills.items()))
        gone = ", ".join(f"{count} by {route}" for route, count in sorted(self.hangups.items()))
        return (
            f"seed {self.seed}: {sum(self.kills.values())} kills and faults ({kinds})"
            f" in {self.seconds:.0f} s; senders that vanished: {gone or 'none'};"
            f" {self.sent} files with {self.documents} documents sent, {self.resends} sent again;"
            f" {self.messages} messages taken, {self.redelivered} of them redelivered;"
            f" {self.released} released from quarantine; {len(self.faults.lost)} lost,"
            f" {len(self.faults.doubled)} doubled, {len(self.faults.wrong)} wrong"
        )


def account(
    parcels: Mapping[tuple[str, str], Parcel],
    received: Set[tuple[str, str]],
    resends: int,
    deliveries: int,
    evidence: Evidence,
) -> Account:
    """Both sides of it, counted from what each side has."""
    to_broker = [row for row in evidence.outbox if row.destination == "broker"]
    to_partners = [
        row for row in evidence.outbox if row.destination != "broker" and row.kind == "report"
    ]
    return Account(
        files={
            "sent": len(parcels),
            "called received": len(received),
            "sent again": resends,
        },
        interchanges=_counted(each.state for each in evidence.interchanges),
        documents=_counted(f"{each.verdict} and {each.state}" for each in evidence.documents),
        publications={
            "written": len({row.id for row in to_broker}),
            "confirmed": sum(row.state == "delivered" for row in to_broker),
            "different message_ids taken": len(evidence.taken),
            "deliveries": deliveries,
        },
        acknowledgements={
            "written": len(to_partners),
            "delivered": sum(row.state == "delivered" for row in to_partners),
            "files partners hold": len(evidence.out),
        },
        undetermined=_counted(evidence.undetermined),
    )


def _counted(words: Iterable[str]) -> dict[str, int]:
    """By cause, whichever worker it was."""
    causes = Counter(re.sub(r"Worker \d+", "A worker", each) for each in words)
    return dict(sorted(causes.items()))
