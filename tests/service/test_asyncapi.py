"""docs/asyncapi.yaml, the contract with consumers, against the topology and real messages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import referencing
import referencing.jsonschema
import yaml

from gateway.core.acknowledgement.forms import Form
from gateway.core.acknowledgement.report import InterchangeReport, document_of
from gateway.core.cdar.order import Order
from gateway.core.cdar.told import Told, tell
from gateway.core.mapping import Mapping
from gateway.core.xml import ParsedXml, parse
from gateway.model.interchange import Envelope, Interchange, Syntax, Transport
from gateway.model.invoice import canonical_json
from gateway.model.job import DocumentLimits
from gateway.model.lifecycle import DocumentState, InterchangeState
from gateway.model.publication import Publication, message_id
from gateway.model.standing import Standing
from gateway.model.verdict import (
    Accepted,
    Finding,
    Judgement,
    Language,
    Layer,
    PackReference,
    Rejected,
    Severity,
    Text,
)
from gateway.resources import data_folder
from gateway.samples import SAMPLES, sample_bytes
from gateway.service import messages, status_messages
from gateway.service.alerts import Alert, alert_event
from gateway.service.amqp_topology import (
    EXCHANGE_TYPE,
    EXCHANGES,
    QUEUE_ARGUMENTS,
    QUEUES,
    TEST_QUEUES,
)
from gateway.service.journal.rows import Transition
from gateway.service.journal.status_records import Invoice
from gateway.service.message_headers import properties_of
from gateway.service.report_files import form_sent, in_memory
from gateway.service.statuses import Weighed
from tests.publishing import INTERCHANGE, MOMENT, SHA256
from tests.status_documents import message

FILE = Path(__file__).parents[2] / "docs" / "asyncapi.yaml"
CONTRACT: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))
SITE = "https://contract.invalid"
BASE = f"{SITE}/docs/asyncapi.yaml"

RECEIVED = Interchange(
    id=INTERCHANGE,
    envelope=Envelope(partner="acme", name="FA.xml", transport=Transport.SFTP, received_at=MOMENT),
    sha256=SHA256,
    size=15_000,
)
FOUND = Finding(
    rule="BR-CO-15",
    layer=Layer.SCHEMATRON,
    severity=Severity.ERROR,
    message="[BR-CO-15]-…",
    pack="en16931-ubl",
    location="/Invoice/cac:LegalMonetaryTotal[1]",
    line=210,
    column=5,
    excerpt="<cac:LegalMonetaryTotal>",
    terms=("BT-112", "EXT-FR-FE-136"),
    explanation=Text("The total does not add up.", "Le total est faux."),
    remedy=Text("Correct BT-112.", "Corrigez BT-112."),
)


def judged(verdict: Accepted | Rejected, **known: Any) -> Judgement:
    """A judgement as a worker gives it."""
    return Judgement(
        document="FA.xml",
        sha256=SHA256,
        size=15_000,
        flow=known.get("flow", "ctc-fr-invoice"),
        syntax=known.get("syntax", "ubl"),
        document_type=known.get("document_type", "invoice"),
        profile=known.get("profile", "urn:cen.eu:en16931:2017"),
        verdict=verdict,
        rules=(PackReference("en16931-ubl", "1.3.16", SHA256),),
        timings_ms={"parse": 0.3},
    )


def canonical(file: str, syntax: Syntax) -> bytes:
    """The canonical invoice of a sample."""
    parsed = parse(sample_bytes(file), DocumentLimits())
    assert isinstance(parsed, ParsedXml)
    return canonical_json(Mapping.load("en16931").to_canonical(parsed.root, syntax).invoice)


def result(judgement: Judgement) -> Publication:
    return messages.document_publication(
        RECEIVED, 1, judgement, Language.FR, revision=1, now=MOMENT
    )


def event(state: InterchangeState | DocumentState, ordinal: int, **more: Any) -> Publication:
    step = Transition(
        interchange_id=INTERCHANGE,
        ordinal=ordinal,
        old=more.get("old"),
        new=state,
        at=MOMENT,
        cause=more.get("cause"),
        id=1,
    )
    return messages.event_publication(RECEIVED, step, more.get("flow"))


def every_message() -> Iterator[Any]:
    """Each kind of message the gateway makes, by the code that makes it."""
    rejected = judged(Rejected((FOUND,)))
    empty = Finding(rule="XML-EMPTY", layer=Layer.XML, severity=Severity.ERROR, message="empty")
    unrouted = judged(
        Rejected((empty,)),
        flow=None,
        syntax=None,
        document_type=None,
        profile=None,
    )
    for sample in (each for each in SAMPLES if each.expected_verdict == "accepted"):
        invoice = canonical(sample.file, sample.syntax)
        yield pytest.param(
            result(judged(Accepted(invoice), syntax=str(sample.syntax))), id=sample.file
        )
    yield pytest.param(result(rejected), id="rejected")
    yield pytest.param(result(unrouted), id="rejected before routing")
    large = result(rejected)
    yield pytest.param(messages.claim_check(large, SHA256, len(large.body)), id="claim check")
    for flow in ("ctc-fr-invoice", None):
        report = messages.report_publication(
            RECEIVED,
            b"<InterchangeReport/>",
            sha256=SHA256,
            filename="a-0123456789ab.report.xml",
            flow=flow,
            revision=1,
            now=MOMENT,
        )
        yield pytest.param(report, id=f"report {flow}")
        yield pytest.param(
            messages.claim_check(report, SHA256, len(report.body)), id=f"large report {flow}"
        )
    said = InterchangeReport(
        interchange_id=INTERCHANGE,
        revision=1,
        provisional=False,
        partner="acme",
        flow="ctc-fr-invoice",
        file_name="FA.xml",
        interface_code=None,
        received_at=MOMENT,
        sha256=SHA256,
        size=15_000,
        reported_at=MOMENT,
    )
    about = document_of(rejected, 1, DocumentState.REJECTED)
    for form, body in in_memory(said, about, Language.FR, tuple(Form)).items():
        made = form_sent(RECEIVED, said, form, body, None, MOMENT).publication
        yield pytest.param(made, id=f"report as {form}")
        yield pytest.param(
            messages.claim_check(made, SHA256, len(body)), id=f"large report as {form}"
        )
    for ordinal in (0, 2):
        for to_portal in (False, True):
            cdar = messages.cdar_publication(
                RECEIVED,
                b"<CrossDomainAcknowledgementAndResponse/>",
                id_=message_id(INTERCHANGE, ordinal, "cdar-213", 1),
                ordinal=ordinal,
                filename="CDV_213_FA-1_0123456789ab.xml",
                flow="ctc-fr-invoice",
                to_portal=to_portal,
                now=MOMENT,
            )
            yield pytest.param(cdar, id=f"cdar {ordinal} {to_portal}")
    yield pytest.param(
        messages.mdn_publication(
            RECEIVED,
            b"--b\r\n\r\n--b--\r\n",
            content_type="multipart/signed",
            sha256=SHA256,
            filename="0123.mdn",
            now=MOMENT,
        ),
        id="mdn",
    )
    yield from status_messages_made()
    for alert in Alert:
        for flow in ("ctc-fr-invoice", None):
            made = alert_event(
                RECEIVED,
                flow,
                alert,
                "why" if alert in (Alert.LATE, Alert.STATUSES_NOT_SENT) else None,
                since=MOMENT,
                key="1",
                now=MOMENT,
            )
            yield pytest.param(made, id=f"alert {alert} {flow}")
    for interchange_state in InterchangeState:
        yield pytest.param(
            event(interchange_state, 0, cause="why"), id=f"event {interchange_state}"
        )
    for document_state in DocumentState:
        yield pytest.param(
            event(document_state, 3, old=DocumentState.EXTRACTED, flow="ctc-fr-invoice"),
            id=f"document event {document_state}",
        )


def status_messages_made() -> Iterator[Any]:
    """What is said of a lifecycle message, and of its statuses, however they stand."""
    parsed = parse(message("212", [str(standing) for standing in Standing]), DocumentLimits())
    assert isinstance(parsed, ParsedXml)
    read = tell(parsed)
    assert isinstance(read, Told)
    invoice = Invoice(
        interchange_id=INTERCHANGE, ordinal=2, partner="acme", seller="siren:000123455", buyer=None
    )
    weighed = [
        Weighed(
            told=status,
            key=str(standing),
            seller="siren:000123455",
            said_at=MOMENT,
            standing=standing,
            order=Order.LATE if standing is Standing.RECORDED else None,
            invoice=None if standing is Standing.UNKNOWN else invoice,
        )
        for status, standing in zip(read.message.statuses, Standing, strict=True)
    ]
    accepted = judged(
        Accepted(b"", message=status_messages.body(read.message, weighed)),
        flow="invoice-status",
        syntax="cdar",
        document_type="status",
    )
    yield pytest.param(result(accepted), id="status")
    told = status_messages.events(RECEIVED, 1, "invoice-status", weighed, revision=0, now=MOMENT)
    assert len(told) == 4
    for each in told:
        yield pytest.param(each, id=f"status event {each.routing_key}")


def validator(pointer: str) -> jsonschema.Draft202012Validator:
    """Checks against the schema at `pointer` (#/…) of the contract; formats included."""
    invoice = json.loads(
        (data_folder("schemas") / "canonical-invoice.schema.json").read_text("utf-8")
    )
    report = json.loads(
        (data_folder("schemas") / "interchange-report.schema.json").read_text("utf-8")
    )
    status = json.loads((data_folder("schemas") / "invoice-status.schema.json").read_text("utf-8"))
    resource = referencing.jsonschema.DRAFT202012.create_resource
    registry: Any = referencing.Registry().with_resources(
        [
            (BASE, resource(CONTRACT)),
            (f"{SITE}/schemas/canonical-invoice.schema.json", resource(invoice)),
            (invoice["$id"], resource(invoice)),
            (f"{SITE}/schemas/interchange-report.schema.json", resource(report)),
            (f"{SITE}/schemas/invoice-status.schema.json", resource(status)),
            (status["$id"], resource(status)),
        ]
    )
    return jsonschema.Draft202012Validator(
        {"$ref": f"{BASE}{pointer}"},
        registry=registry,
        format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER,
    )


def references(node: object) -> Iterator[str]:
    """Every `$ref` below `node`."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def at(pointer: str) -> Any:
    """What `#/a/b` names in the contract; KeyError if nothing."""
    node: Any = CONTRACT
    for step in pointer.removeprefix("#/").split("/"):
        node = node[step]
    return node


def channel_of(publication: Publication) -> dict[str, Any]:
    """The channel whose exchange the message goes to."""
    [channel] = [
        channel
        for channel in CONTRACT["channels"].values()
        if channel.get("bindings", {}).get("amqp", {}).get("exchange", {}).get("name")
        == publication.exchange
    ]
    return channel


def test_every_reference_leads_somewhere() -> None:
    """No dangling `$ref`, in the contract or out of it."""
    found = list(references(CONTRACT))
    assert found
    for reference in found:
        if reference.startswith("#/"):
            at(reference)
        else:
            assert (FILE.parent / reference).is_file()


def test_exchanges_are_those_the_gateway_declares() -> None:
    """Name, type and durability of every exchange."""
    described = [
        channel["bindings"]["amqp"]["exchange"]
        for channel in CONTRACT["channels"].values()
        if channel.get("bindings", {}).get("amqp", {}).get("is") == "routingKey"
    ]
    assert described == [
        {"name": name, "type": EXCHANGE_TYPE, "durable": True, "autoDelete": False}
        for name in EXCHANGES
    ]


def test_queues_are_those_the_gateway_declares() -> None:
    """Name, kind and binding of every default queue."""
    described = [
        (channel["bindings"]["amqp"]["queue"], channel["x-queue-type"], channel["x-binding"])
        for channel in CONTRACT["channels"].values()
        if "x-binding" in channel
    ]
    assert described == [
        (
            {"name": queue.name, "durable": True, "exclusive": False, "autoDelete": False},
            QUEUE_ARGUMENTS["x-queue-type"],
            {"exchange": queue.exchange.value, "routingKey": queue.binding},
        )
        for queue in (*QUEUES, *TEST_QUEUES)
    ]


@pytest.mark.parametrize("publication", list(every_message()))
def test_message_fits_the_contract(publication: Publication) -> None:
    """Its channel, routing key, properties, headers and body are as described."""
    channel = channel_of(publication)
    described = {
        at(message["$ref"])["name"]: message["$ref"] for message in channel["messages"].values()
    }
    assert publication.type in described
    pointer = described[publication.type]

    validator(f"{pointer}/x-amqp-properties").validate(properties_of(publication))
    validator(f"{pointer}/headers").validate(publication.headers)
    assert publication.headers["cloudEvents:id"] == publication.message_id
    assert publication.headers["cloudEvents:type"] == publication.type
    body: Any = publication.body.decode()
    if publication.content_type == "application/json":
        body = json.loads(body)
    else:
        assert publication.content_type == at(pointer)["contentType"]
    validator(f"{pointer}/payload").validate(body)

    template = channel["address"]
    keys = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^.]+)", template), publication.routing_key)
    assert keys is not None
    for name, value in keys.groupdict().items():
        allowed = channel["parameters"][name].get("enum")
        assert allowed is None or value in allowed


def test_contract_notices_a_change() -> None:
    """The schemas do refuse what is not as described: an unknown header, a missing property."""
    publication = next(every_message()).values[0]
    headers = {**publication.headers, "surprise": "1"}
    properties = properties_of(publication)
    del properties["message_id"]
    pointer = "#/components/messages/invoice"
    with pytest.raises(jsonschema.ValidationError):
        validator(f"{pointer}/headers").validate(headers)
    with pytest.raises(jsonschema.ValidationError):
        validator(f"{pointer}/x-amqp-properties").validate(properties)
    with pytest.raises(jsonschema.ValidationError):
        validator(f"{pointer}/payload").validate({"invoice_number": 12})


def test_operations_are_mandatory_as_messages_are() -> None:
    """Results and acknowledgements must reach a queue; events need not."""
    for operation in CONTRACT["operations"].values():
        bindings = at(operation["channel"]["$ref"])["bindings"]["amqp"]
        if "exchange" not in bindings:
            continue  # requests have queues, which are filled by name
        exchange = bindings["exchange"]["name"]
        made = [
            param.values[0] for param in every_message() if param.values[0].exchange == exchange
        ]
        assert made
        assert {p.mandatory for p in made} == {operation["bindings"]["amqp"]["mandatory"]}
