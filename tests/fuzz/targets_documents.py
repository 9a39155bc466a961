"""XML documents: the parser, routing, schemas, mapping, lifecycle messages, all of judging."""

from __future__ import annotations

import datetime as dt
import functools
import io
from typing import Final

import msgspec
from lxml import etree

from gateway.config.loader import load_flows
from gateway.core.acknowledgement.forms import Form, Forms
from gateway.core.acknowledgement.report import InterchangeReport, document_of, report_filename
from gateway.core.cdar.told import Told, encode, tell
from gateway.core.facts import DocumentFacts, identify
from gateway.core.flow_choice import flow_for
from gateway.core.mapping import Mapping
from gateway.core.mapping.writer import InvoiceWriter
from gateway.core.mapping.writer_contents import contents
from gateway.core.pipeline import Judge
from gateway.core.routing import chain_for
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.uniqueness import invoice_key
from gateway.core.xml import ParsedXml, friendly_path, locate, locate_all, parse
from gateway.core.xsd import SchemaStore
from gateway.model.flow import Flow
from gateway.model.interchange import Syntax
from gateway.model.invoice import Invoice, canonical_json
from gateway.model.job import DocumentLimits, JudgeJob
from gateway.model.lifecycle import DocumentState
from gateway.model.verdict import Accepted, Finding, Judgement, Language, Undetermined
from gateway.resources import data_folder
from tests.fuzz import seeds
from tests.fuzz.target import Broken, Kind, Parser, Target

LIMITS: Final = DocumentLimits()
SMALL: Final = DocumentLimits(max_elements=2000, max_depth=50)
"""So that what is beyond the limits is met as well."""
DAY: Final = dt.date(2026, 11, 24)
_MOST_PLACES: Final = 40


def xml() -> Parser:
    """`parse`, then the places of what was read. It has no exceptions."""

    def run(data: bytes) -> bool:
        parsed = parse(data, SMALL)
        if isinstance(parsed, Finding):
            return False
        expect(parsed.data.decode("utf-8", "strict") is not None, "text that is no UTF-8")
        elements = list(parsed.root.iter())[:_MOST_PLACES]
        places = locate_all(parsed, elements)
        for element in elements:
            friendly_path(element)
            place = places[element]
            expect(
                place.line is not None and place.column is not None, "an element without a place"
            )
        return True

    return run


def routing() -> Parser:
    """`identify` and the choice of a flow. A finding is all that can be wrong."""
    flows = load_flows()

    def run(data: bytes) -> bool:
        parsed = parse(data, LIMITS)
        if isinstance(parsed, Finding):
            return False
        facts = identify(parsed)
        if isinstance(facts, Finding):
            return False
        flow, _remark = flow_for(job(data), facts, flows, pdf=False)
        return isinstance(flow, Flow) and not isinstance(chain_for(flow, facts), Finding)

    return run


def known(data: bytes) -> tuple[ParsedXml, DocumentFacts] | None:
    """The document and what it is, if it got that far."""
    parsed = parse(data, LIMITS)
    if isinstance(parsed, Finding):
        return None
    facts = identify(parsed)
    return None if isinstance(facts, Finding) else (parsed, facts)


def xsd() -> Parser:
    """`SchemaStore.validate`: what is wrong is a finding, each with its place."""
    flow = load_flows()["ctc-fr-invoice"]
    store = SchemaStore(Catalogue.load())

    def run(data: bytes) -> bool:
        found = known(data)
        if found is None:
            return False
        chain = chain_for(flow, found[1])
        if isinstance(chain, Finding):
            return False
        findings = store.validate(chain.schema, found[0])
        expect(all(one.explanation for one in findings), "a finding that explains nothing")
        return not findings

    return run


def mapping() -> Parser:
    """`Mapping.to_canonical` "never raises for what is in it"; written again in either syntax."""
    table = Mapping.load("en16931")
    writer = InvoiceWriter(table.table, Catalogue.load())

    def run(data: bytes) -> bool:
        found = known(data)
        if found is None or found[1].syntax is Syntax.CDAR:
            return False
        parsed, facts = found
        result = table.to_canonical(parsed.root, facts.syntax, functools.partial(locate, parsed))
        encoded = canonical_json(result.invoice)
        again = msgspec.json.decode(encoded, type=Invoice)
        expect(canonical_json(again) == encoded, "JSON that reads as another invoice")
        invoice_key(encoded)
        files = contents(parsed.root, table.table)
        for syntax in (Syntax.UBL, Syntax.CII):
            written = writer.write(result.invoice, syntax, files)
            expect(
                isinstance(parse(written.document, LIMITS), ParsedXml), "an invoice that is no XML"
            )
        return not result.findings

    return run


def cdar() -> Parser:
    """`read_parsed` and `tell`: what a lifecycle message says, or findings."""

    def run(data: bytes) -> bool:
        parsed = parse(data, LIMITS)
        if isinstance(parsed, Finding):
            return False
        told = tell(parsed)
        if not isinstance(told, Told):
            return False
        encode(told.message)
        return not told.findings

    return run


def judge() -> Parser:
    """A document judged by every step and the official rules, and the report in every form.

    "Never raises for anything in the document": nor may it be undetermined, for that would be a
    failure of ours. The XML report is valid by its schema.
    """
    judged = Judge(load_flows().values(), Catalogue.load(), LIMITS)
    schema = etree.XMLSchema(etree.parse(data_folder("schemas") / "interchange-report.xsd"))

    def run(data: bytes) -> bool:
        judgement = judged.judge(job(data, flows=("ctc-fr-invoice", "invoice-status")), data)
        verdict = judgement.verdict
        expect(not isinstance(verdict, Undetermined), f"undetermined: {verdict}")
        msgspec.json.encode(judgement)
        _report(judgement, schema)
        return isinstance(verdict, Accepted)

    return run


def _report(judgement: Judgement, schema: etree.XMLSchema) -> None:
    accepted = isinstance(judgement.verdict, Accepted)
    state = DocumentState.ACCEPTED if accepted else DocumentState.REJECTED
    at = dt.datetime(2026, 11, 24, 10, tzinfo=dt.UTC)
    report = InterchangeReport(
        interchange_id="0197d5a0-5f2b-7c1e-9a3d-4b6c8d0e2f11",
        revision=1,
        provisional=False,
        partner="demo",
        flow=judgement.flow,
        file_name=judgement.document,
        interface_code=None,
        received_at=at,
        sha256=judgement.sha256,
        size=judgement.size,
        reported_at=at,
    )
    report_filename(judgement.document, report.interchange_id, 1)
    documents = [document_of(judgement, 1, state)]
    for language in Language:
        forms = Forms(report, lambda: [documents], language)
        for form in Form:
            sink = io.BytesIO()
            forms.write(form, sink)
            sink.getvalue().decode("utf-8", "strict")
            if form is Form.XML:
                schema.assertValid(etree.fromstring(sink.getvalue()))


def job(data: bytes, flows: tuple[str, ...] | None = None) -> JudgeJob:
    """A document from nobody in particular. `flows`: those it may come to."""
    return JudgeJob(
        path="",
        name="FA-1.xml",
        sha256="ab" * 32,
        size=len(data),
        partner=None,
        partner_flows=flows,
        on=DAY,
    )


def expect(condition: bool, otherwise: str) -> None:
    """Raise `Broken` that says what came instead."""
    if not condition:
        raise Broken(otherwise)


TARGETS: Final = (
    Target(name="xml", kind=Kind.XML, parser=xml, seeds=seeds.documents, share=40),
    Target(name="routing", kind=Kind.XML, parser=routing, seeds=seeds.invoices),
    Target(name="xsd", kind=Kind.XML, parser=xsd, seeds=seeds.invoices, seconds=10, share=2),
    Target(name="mapping", kind=Kind.XML, parser=mapping, seeds=seeds.invoices, share=10),
    Target(name="cdar", kind=Kind.XML, parser=cdar, seeds=seeds.messages, share=10),
    Target(
        name="judge",
        kind=Kind.XML,
        parser=judge,
        seeds=lambda: [*seeds.invoices(), *seeds.messages() * 3, *seeds.pdfs()[:2]],
        seconds=30,
        megabytes=700,
        share=2,
        accepted=2,
    ),
)
