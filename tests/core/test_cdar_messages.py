"""Every status, to partners and to the portal, alone and in groups, by the official rules."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import msgspec
import pytest

from gateway.core.cdar.sending import assembled, local
from gateway.core.cdar.statuses import (
    ACTIONS,
    ALL_REASONS,
    CHARACTERISTICS,
    REJECTED,
    STATUSES,
    Phase,
    Role,
    Status,
)
from gateway.core.cdar.values import Attachment, Characteristic, Detail, Identifier, Party
from gateway.model.legal import LegalIdentity
from tests.cdar_documents import (
    BUYER,
    SELLER,
    WE,
    addressed,
    invoice,
    objections,
    sending,
)

EVERY = pytest.mark.parametrize("status", STATUSES.values(), ids=lambda status: status.code)


def test_the_statuses_are_those_of_the_lifecycle() -> None:
    """200 to 227 with gaps, and the two of a flux; six of them need a reason."""
    codes = [*range(200, 215), 220, 221, 224, 225, 226, 227, 500, 501]
    assert list(STATUSES) == [str(code) for code in codes]
    needed = [status.code for status in STATUSES.values() if status.reason_needed]
    assert needed == ["206", "207", "208", "210", "213", "501"]


@pytest.mark.parametrize("number", [1, 3], ids=["single", "grouped"])
@pytest.mark.parametrize("portal", [False, True], ids=["partner", "portal"])
@EVERY
def test_every_status_is_valid_for_everybody(status: Status, portal: bool, number: int) -> None:
    """By schema and Schematron, with what each recipient asks for."""
    documents = [invoice(status, f"FA-{index}") for index in range(number)]
    message = assembled(status, documents, sending(status, portal=portal))
    assert objections(message) == ()

    assert [each.number for each in message.documents] == ["FA-0", "FA-1", "FA-2"][:number]
    assert {each.status for each in message.documents} == {status.code}
    assert {each.status_text for each in message.documents} == {status.name}
    assert {group.type_code for group in message.acknowledgements} == {status.phase}
    (recipient,) = message.recipients
    if portal:
        assert recipient.ids == (Identifier("0000", "0238"),)
        assert recipient.role == Role.PORTAL
        assert message.process is None
        assert message.sender == Party(
            role="WK", ids=(Identifier("0003", "0238"),), name="Passerelle"
        )
        assert message.issuer is not None
        assert message.issuer.ids
        assert [group.several for group in message.acknowledgements] == [False] * number
        assert all(each.received and each.reference_type for each in message.documents)
    else:
        assert message.process == "REGULATED"
        assert [group.several for group in message.acknowledgements] == [number > 1]
        assert recipient.address is not None


@pytest.mark.parametrize(
    ("status", "reason"),
    [(status, reason) for status in STATUSES.values() for reason in status.reasons],
    ids=lambda value: value.code if isinstance(value, Status) else value,
)
def test_every_reason_of_a_status_is_one_by_the_official_list(status: Status, reason: str) -> None:
    """None of ours is refused; and the next test shows that others are."""
    message = assembled(status, [invoice(status, reason=reason)], sending(status))
    assert objections(message) == ()


@pytest.mark.parametrize("code", ["200", "206", "207", "208", "210", "213", "221", "501"])
def test_no_reason_of_the_official_lists_is_missing(code: str) -> None:
    """Where the rules have a list of a status's own, ours is that list."""
    status = STATUSES[code]
    others = [reason for reason in ALL_REASONS if reason not in status.reasons]
    assert others
    for reason in others:
        message = assembled(status, [invoice(status, reason=reason)], sending(status))
        rules = {finding.rule for finding in objections(message)}
        assert f"BR-FR-CDV-CL-09_MDT-113_{code}" in rules, reason


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_is_known(action: str) -> None:
    """MDT-121."""
    document = msgspec.structs.replace(
        invoice(REJECTED), details=(Detail(reason="DOUBLON", action=action),)
    )
    assert objections(assembled(REJECTED, [document], sending(REJECTED))) == ()


@pytest.mark.parametrize("type_code", CHARACTERISTICS)
def test_every_characteristic_is_known(type_code: str) -> None:
    """MDT-207, with everything that may stand beside it."""
    status = STATUSES["207"]
    value = Characteristic(
        type=type_code,
        changed=True,
        name="Prix",
        location="/Invoice",
        value="12",
        date=dt.date(2026, 10, 1),
        percent=Decimal("5.5"),
    )
    details = (Detail(reason="PU_ERR", characteristics=(value,), notes=("Voir le bon.",)),)
    document = msgspec.structs.replace(invoice(status), details=details)
    assert objections(assembled(status, [document], sending(status))) == ()


def test_several_recipients_and_an_attachment() -> None:
    """What the other builder that is known cannot write."""
    status = STATUSES["205"]
    file = Attachment(content=b"%PDF-1.7", filename="bon.pdf", mime_code="application/pdf")
    document = msgspec.structs.replace(invoice(status), attachments=(file,))
    to = msgspec.structs.replace(
        sending(status), recipients=(addressed(SELLER), addressed(BUYER), Party(role="WK"))
    )
    message = assembled(status, [document], to)
    assert [each.role for each in message.recipients] == ["SE", "BY", "WK"]
    assert objections(message) == ()


def test_details_are_counted_from_one_in_each_document() -> None:
    """MDT-124-2."""
    details = tuple(Detail(reason=reason) for reason in ("CALCUL_ERR", "REJ_COH"))
    document = msgspec.structs.replace(invoice(REJECTED), details=details)
    message = assembled(REJECTED, [document, document], sending(REJECTED))
    numbers = [[detail.sequence for detail in each.details] for each in message.documents]
    assert numbers == [[Decimal(1), Decimal(2)]] * 2


@pytest.mark.parametrize(
    ("time", "zone", "said"),
    [
        ("2026-10-02T07:15:00+00:00", "Europe/Paris", "2026-10-02T09:15:00"),
        ("2026-12-02T07:15:00+00:00", "Europe/Paris", "2026-12-02T08:15:00"),
        ("2026-12-31T23:30:00+00:00", "Europe/Paris", "2027-01-01T00:30:00"),
        ("2026-10-02T07:15:00+00:00", "UTC", "2026-10-02T07:15:00"),
        ("2026-10-02T09:15:30.000005", "Europe/Paris", "2026-10-02T09:15:30"),
    ],
)
def test_times_are_those_of_our_zone(time: str, zone: str, said: str) -> None:
    """A message names no zone: a time that has one is converted, in summer and winter."""
    we = msgspec.structs.replace(WE, time_zone=zone)
    assert local(dt.datetime.fromisoformat(time), we).isoformat() == said


def test_the_same_values_give_the_same_message() -> None:
    """No clock, no chance: a message that is made again is the same."""
    made = [assembled(REJECTED, [invoice(REJECTED)], sending(REJECTED)) for _ in range(2)]
    assert made[0] == made[1]
    assert made[0].name == "213 Rejetée, facture FA-2026-00187"


def test_a_platform_is_not_identified_as_issuer_towards_partners() -> None:
    """BR-FR-CDV-07; and with an identifier of another list it is not as sender either."""
    message = assembled(REJECTED, [invoice(REJECTED)], sending(REJECTED))
    assert message.issuer == Party(role="WK", name="Passerelle")
    assert message.sender is not None
    assert message.sender.ids == (Identifier("0003", "0238"),)

    status = STATUSES["210"]
    we = LegalIdentity(id="000999999", scheme="0002", role="SR")
    message = assembled(status, [invoice(status)], sending(status, we=we))
    assert message.sender == Party(role="SR")
    assert objections(message) == ()


def test_phases_have_the_official_codes() -> None:
    """MDT-88 by phase, each code in the list the rules have for it, and none twice but 47 and 5."""
    codes = {status.code: status.status_code for status in STATUSES.values()}
    assert codes["200"] == "10"
    assert codes["213"] == "8"
    assert codes["204"] == "45"
    assert codes["211"] == codes["212"] == "47"
    transmitted = {s.status_code for s in STATUSES.values() if s.phase is Phase.TRANSMISSION}
    assert transmitted == {"10", "51", "43", "48", "8", None}
