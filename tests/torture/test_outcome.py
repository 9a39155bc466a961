"""The account counts both sides of everything."""

from __future__ import annotations

import msgspec

from tests.torture.checks import Faults
from tests.torture.outcome import Outcome, account
from tests.torture.test_checks import PARCEL, evidence


def test_the_account_counts_both_sides() -> None:
    """Files, ends, messages by id and by delivery, acknowledgements, and what had no verdict."""
    found = evidence()
    found.undetermined = ["Worker 17 was killed", "Worker 4711 was killed", "pack missing"]
    found.outbox.append(msgspec.structs.replace(found.outbox[0], id="M9", state="pending"))
    made = account({PARCEL.key: PARCEL}, {PARCEL.key}, 2, 7, found)
    assert made.files == {"sent": 1, "called received": 1, "sent again": 2}
    assert made.interchanges == {"acknowledged": 1}
    assert made.documents == {"accepted and published": 1, "rejected and published": 1}
    assert made.publications == {
        "written": 5,
        "confirmed": 4,
        "different message_ids taken": 4,
        "deliveries": 7,
    }
    assert made.acknowledgements == {"written": 1, "delivered": 1, "files partners hold": 1}
    assert made.undetermined == {"A worker was killed": 2, "pack missing": 1}
    assert "files            1 sent, 1 called received, 2 sent again" in str(made)
    outcome = Outcome(
        seed=1,
        kills={"judge": 3, "queue deleted": 1},
        hangups={"acme": 2},
        seconds=5.0,
        sent=1,
        documents=2,
        resends=2,
        messages=4,
        redelivered=3,
        released=0,
        account=made,
        faults=Faults(),
    )
    assert str(outcome).startswith(
        "seed 1: 4 kills and faults (3 judge, 1 queue deleted) in 5 s;"
        " senders that vanished: 2 by acme; 1 files with 2 documents sent"
    )
