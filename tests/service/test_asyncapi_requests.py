"""docs/asyncapi.yaml about requests for statuses: queues, requests, answers and dead letters."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from gateway.core.cdar.request import InvoiceAsked, PartyAsked, StatusRequest
from gateway.core.cdar.request_findings import MAX_INVOICES, MAX_VALUES
from gateway.core.cdar.statuses import STATUSES
from gateway.service.amqp_consumer import LONGEST_PAUSE, PREFETCH
from gateway.service.amqp_topology import request_declarations
from gateway.service.status_request_reading import MAX_BYTES, read_request
from tests.service.test_asyncapi import CONTRACT, at, validator
from tests.status_requests import asked

SCHEMA = "#/components/schemas/statusRequest"


def test_queues_are_those_the_gateway_declares() -> None:
    """Name, durability and kind of both, under the name that the documents recommend."""
    described = [
        (channel["bindings"]["amqp"]["queue"]["name"], channel["x-queue-type"])
        for channel in CONTRACT["channels"].values()
        if channel.get("x-setting") == "rabbitmq.requests_queue"
    ]
    declared = [
        (arguments["queue"], arguments["arguments"]["x-queue-type"])
        for _, _, arguments in request_declarations("edi.status-requests")
    ]
    assert described == declared


def test_limits_are_those_of_the_code() -> None:
    """Bytes, values, invoices; how many are in hand, and the longest pause."""
    said = at("#/components/messages/statusRequest")["description"]
    for number in (MAX_BYTES, MAX_VALUES, MAX_INVOICES):
        assert f"{number:,} " in said
    assert at(SCHEMA)["properties"]["invoices"]["maxItems"] == MAX_INVOICES
    assert f"at most {PREFETCH} requests" in CONTRACT["channels"]["statusRequests"]["description"]
    taking = CONTRACT["operations"]["takeStatusRequest"]["description"]
    assert f"1 to {LONGEST_PAUSE:g} seconds" in taking


@pytest.mark.parametrize(
    ("struct", "pointer"),
    [
        (StatusRequest, SCHEMA),
        (PartyAsked, "#/components/schemas/statusParty"),
        (InvoiceAsked, f"{SCHEMA}/properties/invoices/items"),
    ],
)
def test_keys_are_those_that_are_read(struct: Any, pointer: str) -> None:
    """Every key of a request, and no other."""
    assert set(at(pointer)["properties"]) == set(struct.__struct_fields__)


@pytest.mark.parametrize("code", sorted(STATUSES))
def test_a_request_fits_the_contract_and_is_read(code: str) -> None:
    """Each status; what the contract has no key for is refused by both."""
    request = asked(code)
    validator(SCHEMA).validate(request)
    assert isinstance(read_request(json.dumps(request).encode()), StatusRequest)
    request["surprise"] = 1
    with pytest.raises(jsonschema.ValidationError):
        validator(SCHEMA).validate(request)
    assert not isinstance(read_request(json.dumps(request).encode()), StatusRequest)
