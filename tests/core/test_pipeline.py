"""Judging: the steps, and the one verdict they add up to."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import pytest

from gateway.core.outcome import MAX_FINDINGS
from gateway.core.pipeline import STEPS, Judge
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.xml import ParsedXml
from gateway.errors import ConfigurationError, GatewayError, RulePackError, WorkerDied
from gateway.model.flow import Chain, Flow, FlowMatch
from gateway.model.interchange import Syntax
from gateway.model.job import DocumentLimits, JudgeJob
from gateway.model.verdict import (
    Accepted,
    Finding,
    Judgement,
    Layer,
    PackReference,
    Rejected,
    Severity,
    Undetermined,
    Verdict,
)
from gateway.samples import sample_bytes
from tests.pdfs import pdf

GOOD = sample_bytes("ubl-invoice.xml")
CATALOGUE = Catalogue.load()
FIRST, SECOND = "en16931-ubl", "br-fr-flux2-ubl"
COMPILED = (f"compile {FIRST}", f"compile {SECOND}")


def finding(severity: Severity, rule: str = "BR-99") -> Finding:
    """A finding of a rule pack."""
    return Finding(rule=rule, layer=Layer.SCHEMATRON, severity=severity, message="text")


class Packs:
    """Rule packs that answer as told: findings, or an exception to raise."""

    def __init__(self, **answers: tuple[Finding, ...] | Exception) -> None:
        self.answers = {name.replace("_", "-"): answer for name, answer in answers.items()}
        self.events: list[str] = []

    def compile(self, name: str) -> None:
        """Note it; raise what is told for the name."""
        self.events.append(f"compile {name}")
        answer = self.answers.get(name)
        if isinstance(answer, Exception):
            raise answer

    def run(self, name: str, parsed: ParsedXml) -> tuple[Finding, ...]:
        """Note it; answer as told."""
        self.events.append(f"run {name}")
        answer = self.answers.get(name, ())
        if isinstance(answer, Exception):
            raise answer
        return answer

    def svrl(self, name: str, parsed: ParsedXml) -> bytes:
        """A report with the pack's name in it."""
        return name.encode()

    def reference(self, name: str) -> PackReference:
        """A made-up version and sum."""
        return PackReference(name, "1", "0" * 64)

    def directory(self) -> None:
        """They ask none."""

    def release(self) -> None:
        """Note it."""
        self.events.append("release")


FLOW = Flow(
    name="french",
    match=FlowMatch(profiles=("urn:cen.eu:en16931:2017",)),
    chain=(Chain(syntax=Syntax.UBL, schema="ubl-2.1", rules=(FIRST, SECOND)),),
)


def job(data: bytes = GOOD, **changes: object) -> JudgeJob:
    """A job for these bytes."""
    plain = JudgeJob(
        path="/nowhere",
        name="invoice.xml",
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        partner="acme",
        partner_flows=("french",),
        on=dt.date(2026, 10, 1),
    )
    return msgspec.structs.replace(plain, **changes)


def judged(
    packs: Packs,
    data: bytes = GOOD,
    *,
    flows: tuple[Flow, ...] = (FLOW,),
    mapping: Callable[[str], object] | None = None,
    **changes: object,
) -> Judgement:
    """Judge with these packs; everything else is real."""
    judge = Judge(flows, CATALOGUE, DocumentLimits(), packs=packs, mapping=mapping)  # type: ignore[arg-type]
    return judge.judge(job(data, **changes), data)


def test_the_steps_are_a_list_in_the_order_of_the_layers() -> None:
    """Whoever reads the pipeline sees what is done, and in which order."""
    assert [name for name, _ in STEPS] == ["open", "parse", "route", "xsd", "schematron", "map"]


def test_a_good_document_is_accepted_with_its_canonical_invoice() -> None:
    """Every step was made, none objected: the verdict carries the invoice and what judged it."""
    packs = Packs()
    judgement = judged(packs)
    assert isinstance(judgement.verdict, Accepted)
    assert msgspec.json.decode(judgement.verdict.invoice)["invoice_number"] == "FA-2026-00187"
    assert packs.events == [*COMPILED, f"run {FIRST}", f"run {SECOND}", "release"]
    assert [reference.pack for reference in judgement.rules] == [FIRST, SECOND]
    assert (judgement.flow, judgement.syntax, judgement.document_type) == (
        "french",
        "ubl",
        "invoice",
    )
    assert judgement.invoice_number == "FA-2026-00187"
    assert judgement.issue_date == "2026-03-12"
    assert list(judgement.timings_ms) == [name for name, _ in STEPS]


def test_the_same_document_gets_the_same_judgement_but_for_its_times() -> None:
    """Nothing but bytes, packs and flows goes in."""
    first, second = (msgspec.structs.replace(judged(Packs()), timings_ms={}) for _ in range(2))
    assert first == second


def test_the_judgement_says_how_much_the_invoice_has_no_place_for() -> None:
    """The list travels in the invoice, the number beside it: a metric is made of it."""
    assert judged(Packs()).unmapped == 0
    more = GOOD.replace(b"</cbc:ID>", b"</cbc:ID><cbc:UUID>u</cbc:UUID>", 1)
    judgement = judged(Packs(), more)
    assert isinstance(judgement.verdict, Accepted)
    source = msgspec.json.decode(judgement.verdict.invoice)["source"]
    assert source["unmapped"] == ["cbc:UUID"]
    assert judgement.unmapped == source["unmapped_total"] == 1


def test_warnings_do_not_reject() -> None:
    """They travel with the accepted invoice."""
    warning = finding(Severity.WARNING)
    judgement = judged(Packs(en16931_ubl=(warning,)))
    assert isinstance(judgement.verdict, Accepted)
    assert judgement.findings == (warning,)


def test_an_error_rejects_after_every_pack_had_its_say() -> None:
    """The partner hears all of it at once; a rejected document is not mapped."""
    errors = (finding(Severity.ERROR, "A-1"),), (finding(Severity.ERROR, "B-1"),)
    judgement = judged(Packs(en16931_ubl=errors[0], br_fr_flux2_ubl=errors[1]))
    assert isinstance(judgement.verdict, Rejected)
    assert [found.rule for found in judgement.findings] == ["A-1", "B-1"]
    assert "map" not in judgement.timings_ms


@pytest.mark.parametrize(
    ("data", "rule", "last"),
    [
        (b"\x1f\x8b\x08", "CONTAINER-UNSUPPORTED", "open"),
        (b"", "XML-EMPTY", "parse"),
        (GOOD[:1000], "XML-TRUNCATED", "parse"),
        (b"<a/>", "ROUTE-UNKNOWN-ROOT", "route"),
        (GOOD.replace(b">urn:cen.eu:en16931:2017<", b">urn:x<"), "ROUTE-UNKNOWN-PROFILE", "route"),
        (GOOD.replace(b"cbc:IssueDate>", b"cbc:Date>"), "XSD-INVALID", "xsd"),
    ],
)
def test_an_error_in_an_early_step_stops_the_later_ones(data: bytes, rule: str, last: str) -> None:
    """No rule runs on a document that is not XML, not ours, or not valid by its schema."""
    packs = Packs()
    judgement = judged(packs, data)
    assert isinstance(judgement.verdict, Rejected)
    assert judgement.findings[0].rule == rule
    assert list(judgement.timings_ms)[-1] == last
    assert packs.events == ["release"]


def test_an_unknown_profile_is_rejected_where_it_stands() -> None:
    """The finding has the line of BT-24 and what was read before it."""
    judgement = judged(Packs(), GOOD.replace(b">urn:cen.eu:en16931:2017<", b">urn:x<"))
    (found,) = judgement.findings
    assert found.line is not None
    assert found.terms == ("BT-24",)
    assert (judgement.flow, judgement.profile) == (None, "urn:x")


MISSING = RulePackError("The rule pack is missing.", remedy="Import it.")


def test_a_pack_that_cannot_run_makes_the_document_undetermined() -> None:
    """Never accepted: cause and remedy are said, and what the others found is kept."""
    warning = finding(Severity.WARNING)
    judgement = judged(Packs(en16931_ubl=MISSING, br_fr_flux2_ubl=(warning,)))
    assert judgement.verdict == Undetermined(
        cause="The rule pack is missing.", remedy="Import it.", findings=(warning,)
    )
    assert [reference.pack for reference in judgement.rules] == [SECOND]
    assert "map" not in judgement.timings_ms


@pytest.mark.parametrize("broken_first", [True, False])
def test_an_error_stands_whatever_else_could_not_run(broken_first: bool) -> None:
    """Rejected, with a word that the list may be incomplete."""
    error = (finding(Severity.ERROR),)
    answers = (MISSING, error) if broken_first else (error, MISSING)
    judgement = judged(Packs(en16931_ubl=answers[0], br_fr_flux2_ubl=answers[1]))
    assert isinstance(judgement.verdict, Rejected)
    assert [found.rule for found in judgement.findings] == ["BR-99", "CHECK-NOT-RUN"]
    assert judgement.findings[1].severity is Severity.INFO


@pytest.mark.parametrize("error", [ValueError("x\ny"), RecursionError(), KeyError("k")])
def test_an_unexpected_exception_is_undetermined_never_accepted(error: Exception) -> None:
    """The cause names the check, the exception and the place in our code."""
    judgement = judged(Packs(br_fr_flux2_ubl=error))
    assert isinstance(judgement.verdict, Undetermined)
    assert SECOND in judgement.verdict.cause
    assert type(error).__name__ in judgement.verdict.cause
    assert "\n" not in judgement.verdict.cause
    assert not judgement.verdict.transient


@pytest.mark.parametrize(
    ("error", "transient"), [(MemoryError(), True), (WorkerDied("x"), True), (MISSING, False)]
)
def test_only_passing_trouble_is_transient(error: Exception, transient: bool) -> None:
    """Trying again helps where the error's own disposition says so, or memory was short."""
    verdict = judged(Packs(en16931_ubl=error)).verdict
    assert isinstance(verdict, Undetermined)
    assert verdict.transient is transient


def test_a_failure_of_the_mapping_is_ours() -> None:
    """A valid invoice that we cannot map is undetermined."""

    class Broken:
        def to_canonical(self, *_: object, **__: object) -> object:
            raise ZeroDivisionError

    verdict = judged(Packs(), mapping=lambda _name: Broken()).verdict
    assert isinstance(verdict, Undetermined)
    assert "ZeroDivisionError" in verdict.cause


def test_a_mapping_that_is_not_there_is_ours() -> None:
    """So is a flow that names no mapping of ours."""
    flow = msgspec.structs.replace(FLOW, mapping="nowhere")
    assert isinstance(judged(Packs(), flows=(flow,)).verdict, Undetermined)


def test_a_missing_schema_is_ours() -> None:
    """XSD that cannot be checked is not XSD that passed."""
    chain = msgspec.structs.replace(FLOW.chain[0], schema="nowhere")
    verdict = judged(Packs(), flows=(msgspec.structs.replace(FLOW, chain=(chain,)),)).verdict
    assert isinstance(verdict, Undetermined)
    assert "nowhere" in verdict.cause


def test_a_pack_outside_its_validity_is_not_run() -> None:
    """The rules of another time must not judge: the document waits for the right ones."""
    chain = Chain(syntax=Syntax.UBL, schema="ubl-2.1", rules=("facturx-en16931",))
    flow = msgspec.structs.replace(FLOW, chain=(chain,))
    packs = Packs()
    verdict = judged(packs, flows=(flow,), on=dt.date(2020, 1, 1)).verdict
    assert isinstance(verdict, Undetermined)
    assert "2020-01-01" in verdict.cause
    assert packs.events == ["release"]
    assert isinstance(judged(packs, flows=(flow,), on=dt.date(2027, 1, 1)).verdict, Accepted)


def test_two_flows_for_one_document_are_our_fault() -> None:
    """Nobody is rejected because our flows overlap, or lack a chain."""
    twin = msgspec.structs.replace(FLOW, name="twin")
    verdict = judged(Packs(), flows=(FLOW, twin), partner_flows=None).verdict
    assert isinstance(verdict, Undetermined)
    assert "french, twin" in verdict.cause
    assert verdict.remedy
    cii_only = Chain(syntax=Syntax.CII, schema="cii-d22b", rules=())
    verdict = judged(Packs(), flows=(msgspec.structs.replace(FLOW, chain=(cii_only,)),)).verdict
    assert isinstance(verdict, Undetermined)


def test_a_forced_flow_skips_routing() -> None:
    """The command line may judge by a flow that would not match; an unknown one is ours."""
    data = GOOD.replace(b">urn:cen.eu:en16931:2017<", b">urn:x<")
    assert isinstance(judged(Packs(), data, flow="french", partner_flows=()).verdict, Accepted)
    verdict = judged(Packs(), flow="nowhere").verdict
    assert isinstance(verdict, Undetermined)
    assert "french" in verdict.remedy


@pytest.mark.parametrize(
    ("layers", "events"),
    [
        ((Layer.XSD,), ["release"]),
        ((Layer.SCHEMATRON,), [*COMPILED, f"run {FIRST}", f"run {SECOND}", "release"]),
    ],
)
def test_layers_restrict_the_checks_and_withhold_the_verdict(
    layers: tuple[Layer, ...], events: list[str]
) -> None:
    """What was not checked is not accepted; what failed is rejected."""
    packs = Packs()
    assert isinstance(judged(packs, layers=layers).verdict, Undetermined)
    assert packs.events == events
    broken = GOOD.replace(b"cbc:IssueDate>", b"cbc:Date>")
    verdict: Verdict = judged(Packs(), broken, layers=layers).verdict
    assert isinstance(verdict, Rejected) is (Layer.XSD in layers)


def test_many_findings_are_cut_errors_last() -> None:
    """A bulk invoice may break one rule on every line: errors are kept before warnings."""
    warnings = (finding(Severity.WARNING),) * 2000
    judgement = judged(Packs(en16931_ubl=(*warnings, finding(Severity.ERROR, "E-1"))))
    assert isinstance(judgement.verdict, Rejected)
    assert len(judgement.findings) == MAX_FINDINGS + 1
    assert judgement.findings[-2].rule == "E-1"
    assert judgement.findings[-1].rule == "FINDINGS-CUT"
    assert "1001" in judgement.findings[-1].message


def test_a_payload_beyond_the_limit_is_refused_unread() -> None:
    """Its size is enough."""
    judge = Judge((FLOW,), CATALOGUE, DocumentLimits(max_bytes=10), packs=Packs())
    assert judge.too_large(11)
    assert not judge.too_large(10)
    judgement = judge.refuse_size(job(GOOD))
    assert isinstance(judgement.verdict, Rejected)
    assert judgement.findings[0].rule == "XML-SIZE"
    assert judgement.size == len(GOOD)


def test_reports_gives_the_svrl_of_every_pack_of_the_chain() -> None:
    """Rule authors read the whole report; a document that is not routed has none."""
    judge = Judge((FLOW,), CATALOGUE, DocumentLimits(), packs=Packs())
    assert dict(judge.reports(job(), GOOD)) == {FIRST: FIRST.encode(), SECOND: SECOND.encode()}
    assert dict(judge.reports(job(b"<a/>"), b"<a/>")) == {}


def test_warming_up_compiles_what_the_flows_name_and_names_what_is_missing() -> None:
    """A missing pack is told, not raised: other documents can be judged."""
    packs = Packs(en16931_ubl=MISSING)
    judge = Judge((FLOW,), CATALOGUE, DocumentLimits(), packs=packs)
    assert judge.warm_up() == (MISSING,)
    assert packs.events == [f"compile {FIRST}", f"compile {SECOND}"]


class Watching:
    """Keeps what whoever watches hears, among the events of the packs."""

    def __init__(self, events: list[str]) -> None:
        self.events = events

    @contextmanager
    def preparing(self) -> Iterator[None]:
        """Note both ends."""
        self.events.append("prepares")
        yield
        self.events.append("works")

    def opened(self, size: int) -> None:
        """Note it."""
        self.events.append(f"opened {size}")


def test_whoever_watches_hears_of_compiling_once() -> None:
    """By the first document, all its packs between one beginning and one end; then no more."""
    packs = Packs()
    judge = Judge((FLOW,), CATALOGUE, DocumentLimits(), packs=packs, watcher=Watching(packs.events))
    ran = [f"run {FIRST}", f"run {SECOND}", "release"]
    judge.judge(job(), GOOD)
    assert packs.events == ["prepares", "works", "prepares", *COMPILED, "works", *ran]
    packs.events.clear()
    judge.judge(job(), GOOD)
    assert packs.events == ran


def test_whoever_watches_hears_how_large_the_document_in_a_pdf_is() -> None:
    """When it is larger than the PDF: what it may cost goes by what is judged."""
    events: list[str] = []
    judge = Judge((FLOW,), CATALOGUE, DocumentLimits(), packs=Packs(), watcher=Watching(events))
    xml = sample_bytes("cii-invoice.xml") + b" " * 100_000
    data = pdf(("factur-x.xml", xml))
    assert len(data) < len(xml)
    judge.judge(job(data), data)
    assert events[0] == f"opened {len(xml)}"
    events.clear()
    plain = pdf(("factur-x.xml", b"<a/>"))
    judge.judge(job(plain), plain)
    assert not [event for event in events if event.startswith("opened")]


def test_a_pack_that_does_not_compile_is_told_by_the_document_that_needs_it() -> None:
    """Preparing says nothing of it, and is tried again: it may have been mended."""
    packs = Packs(en16931_ubl=MISSING)
    judge = Judge((FLOW,), CATALOGUE, DocumentLimits(), packs=packs, watcher=Watching(packs.events))
    judge.judge(job(), GOOD)
    packs.events.clear()
    verdict = judge.judge(job(), GOOD).verdict
    assert isinstance(verdict, Undetermined)
    assert verdict.cause == MISSING.what
    assert packs.events[:3] == ["prepares", f"compile {FIRST}", "works"]


def test_warming_up_goes_step_by_step() -> None:
    """Each step is one thing compiled, and told; what is ready already is no step."""
    packs = Packs(en16931_ubl=MISSING)
    judge = Judge((FLOW,), CATALOGUE, DocumentLimits(), packs=packs, watcher=Watching(packs.events))
    steps = judge.warming_up()
    assert next(steps) == (FIRST, MISSING)
    assert packs.events == ["prepares", f"compile {FIRST}"]
    assert next(steps) is None
    assert packs.events[2:] == ["prepares", f"compile {SECOND}", "works"]
    roots = list(steps)
    assert roots == [None] * len(CATALOGUE.schema("ubl-2.1").roots)
    assert list(judge.warming_up()) == [(FIRST, MISSING)]


def test_warming_up_survives_whatever_fails() -> None:
    """The judge goes on; the documents that need it will be undetermined."""
    packs = Packs(en16931_ubl=OSError("no such library"))
    judge = Judge((FLOW,), CATALOGUE, DocumentLimits(), packs=packs)
    (trouble,) = judge.warm_up()
    assert "OSError: no such library" in trouble.what
    assert packs.events == [f"compile {FIRST}", f"compile {SECOND}"]


def test_warming_up_with_a_broken_mapping_fails() -> None:
    """Nothing of that flow could ever be accepted."""
    flow = msgspec.structs.replace(FLOW, mapping="nowhere")
    judge = Judge((flow,), CATALOGUE, DocumentLimits(), packs=Packs())
    with pytest.raises(ConfigurationError):
        judge.warm_up()


def test_our_errors_speak_for_themselves() -> None:
    """A GatewayError's words and remedy are the verdict's."""
    verdict = judged(Packs(en16931_ubl=GatewayError("What.", remedy="Do."))).verdict
    assert verdict == Undetermined(cause="What.", remedy="Do.")
