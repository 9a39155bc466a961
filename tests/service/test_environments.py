"""Test partners: what they send keeps clear of everything real, outside and in the journal."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from pytest_twisted import ensureDeferred

from gateway.model.interchange import Environment, Transport
from gateway.model.lifecycle import InterchangeState
from gateway.model.partner import Partner, Portal
from gateway.model.publication import Exchange, Publication
from gateway.model.verdict import Judgement, Language, Layer, Rejected
from gateway.service import messages
from gateway.service.amqp_topology import declarations
from gateway.service.answering import FormSent
from gateway.service.journal.rows import Transition
from gateway.service.portal import ways_to_portal
from gateway.service.roster import Roster
from tests.publishing import MOMENT, SHA256
from tests.service.house import FakeJudges, House, finding
from tests.service.test_asyncapi import RECEIVED, at, channel_of, validator
from tests.service.test_repeats import ONCE, ended, invoice, rules, sent

TESTING = msgspec.structs.replace(RECEIVED, environment=Environment.TEST)


def said_of(interchange: Any) -> list[Publication]:
    """One message of each kind about an interchange."""
    judgement = Judgement(
        document="FA.xml",
        sha256=SHA256,
        size=1,
        flow="ctc-fr-invoice",
        syntax="ubl",
        document_type="invoice",
        profile=None,
        verdict=Rejected((finding("BR-CO-15", Layer.SCHEMATRON),)),
        rules=(),
        timings_ms={},
    )
    step = Transition(interchange.id, 0, None, InterchangeState.RECEIVED, MOMENT, None, 1)
    file: dict[str, Any] = {"sha256": SHA256, "filename": "a", "now": MOMENT}
    return [
        messages.document_publication(
            interchange, 1, judgement, Language.EN, revision=1, now=MOMENT
        ),
        messages.report_publication(interchange, b"<r/>", flow=None, revision=1, **file),
        messages.mdn_publication(interchange, b"x", content_type="multipart/report", **file),
        messages.event_publication(interchange, step, None),
    ]


@pytest.mark.parametrize("number", range(4))
def test_what_is_said_of_a_test_goes_to_exchanges_of_its_own(number: int) -> None:
    """With a header that says so; nothing else differs, its id included."""
    real, test = said_of(RECEIVED)[number], said_of(TESTING)[number]
    assert real.exchange.environment is Environment.PRODUCTION
    assert test.exchange == real.exchange.replace("edi.", "edi.test.")
    assert "environment" not in real.headers
    assert test.headers == {**real.headers, "environment": "test"}
    assert (test.message_id, test.routing_key, test.body) == (
        real.message_id,
        real.routing_key,
        real.body,
    )


@pytest.mark.parametrize("number", range(4))
def test_it_fits_the_contract(number: int) -> None:
    """docs/asyncapi.yaml has a channel for it, with the same messages as the real one."""
    message = said_of(TESTING)[number]
    channel = channel_of(message)
    assert channel["messages"] == channel_of(said_of(RECEIVED)[number])["messages"]
    (pointer,) = (
        each["$ref"]
        for each in channel["messages"].values()
        if at(each["$ref"])["name"] == message.type
    )
    validator(f"{pointer}/headers").validate(message.headers)


def test_every_exchange_has_its_counterpart() -> None:
    """And only one."""
    for exchange in Exchange:
        assert exchange.of(exchange.environment) is exchange
        assert {exchange.of(each).environment for each in Environment} == set(Environment)


def test_without_a_test_partner_nothing_for_tests_is_declared() -> None:
    """A broker's user who may not declare it is not asked to, until there is one."""
    with_tests, without = list(declarations(tests=True)), list(declarations())
    assert all("edi.test." not in str(each) for each in without)
    assert [each for each in with_tests if "edi.test." not in str(each)] == without
    assert len(with_tests) == 2 * len(without)
    roster = Roster({"acme": Partner(name="acme")})
    assert not roster.any_test()
    roster.replace({"emca": Partner(name="emca", environment=Environment.TEST)})
    assert roster.any_test()
    roster.replace({})
    assert roster.any_test(), "what it sent is here"


@pytest.mark.parametrize("ours", Environment)
@pytest.mark.parametrize("theirs", Environment)
def test_the_public_portal_hears_of_its_own_environment_alone(
    ours: Environment, theirs: Environment
) -> None:
    """A test invoice is nothing to declare; nor is a real one to a portal for tests."""
    interchange = msgspec.structs.replace(RECEIVED, environment=ours)
    portal = Partner(name="ppf", portal=Portal(channels=("as2",)), environment=theirs)
    publication = messages.cdar_publication(
        interchange,
        b"<x/>",
        id_="1",
        ordinal=1,
        filename="FFE.xml",
        flow=None,
        to_portal=True,
        now=MOMENT,
    )
    form = FormSent(publication=publication, filename="FFE.xml")
    assert len(ways_to_portal(interchange, form, portal, 1)) == (ours is theirs)


@ensureDeferred
async def test_what_was_tried_out_repeats_nothing_once_it_is_real(house: House) -> None:
    """The very file, by the same partner: no resend, no repetition; the second real one is."""
    partner = Partner(name="acme", flows=("ctc-fr-invoice",), uniqueness=ONCE)
    testing = msgspec.structs.replace(partner, environment=Environment.TEST)
    tried = []
    for known, names in ((testing, ["a.xml", "b.xml"]), (partner, ["a.xml", "b.xml"])):
        intake = await house.intake(FakeJudges(invoice()), partners=[known])
        for name in names:
            id_ = await sent(house, intake, name, name.encode(), by=Transport.SFTP)
            await ended(house, id_)
            tried.append(id_)
        await intake.stop(0.0)
    assert len(set(tried)) == 4
    found = [(await rules(house, id_))[0][1:] for id_ in tried]
    assert found == [("accepted", []), ("rejected", ["DOUBLON"])] * 2
    rows = [await house.row(id_) for id_ in tried]
    assert [row.environment.value for row in rows] == ["test", "test", "production", "production"]
    exchanges = [{row.exchange for row in await house.outbox(id_, "document")} for id_ in tried]
    assert exchanges == [{"edi.test.documents"}] * 2 + [{"edi.documents"}] * 2
