"""The JSON form of the interchange report: the facts of the XML one, to the letter."""

from __future__ import annotations

import io
import itertools
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.core.acknowledgement.flux_state import ReportTotals
from gateway.core.acknowledgement.forms import Form, Forms
from gateway.core.acknowledgement.report import NAMESPACE
from gateway.core.acknowledgement.report_facts import Outcome, ReportAttachment, ReportDocument
from gateway.core.acknowledgement.report_json_writer import JsonReportWriter
from gateway.core.acknowledgement.report_schema import report_schema, schema_text
from gateway.model.container import Role
from gateway.model.lifecycle import DocumentState
from gateway.model.verdict import Finding, Language, Layer, PackReference, Severity
from gateway.resources import data_folder
from tests.reports import MEMBER, SHA, both, document, finding, form_of, report, written

VALIDATOR = jsonschema.Draft202012Validator(
    report_schema(), format_checker=jsonschema.FormatChecker()
)
PACK = PackReference("en16931-ubl", "1.3.16", "cd" * 32)
FULL = finding(
    pack="en16931-ubl",
    location="/Invoice/cac:LegalMonetaryTotal[1]",
    line=210,
    column=5,
    excerpt="<cac:LegalMonetaryTotal>…",
    terms=("BT-112", "BT-109"),
    explanation=both("It does not add up.", "Le compte n'y est pas."),
    remedy=both("Add it up again.", "Recalculez."),
)


def test_the_committed_schema_is_what_the_generator_makes() -> None:
    """Nobody edits it by hand: `python -m gateway.core.acknowledgement.report_schema` writes it."""
    committed = (data_folder("schemas") / "interchange-report.schema.json").read_text("utf-8")
    assert committed == schema_text()
    jsonschema.Draft202012Validator.check_schema(report_schema())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("state", "code"), "IN_WHATEVER"),
        (("interchange", "received_at"), 12),
        (("interchange", "sha256"), "xyz"),
        (("technical_errors", 0, "code"), "IRR_OTHER"),
        (("documents", 0, "verdict"), None),
    ],
)
def test_the_schema_refuses_what_the_report_never_says(path: tuple[Any, ...], value: Any) -> None:
    """A schema that accepts anything would prove nothing."""
    said = json.loads(written(Form.JSON, document(finding("XML-EMPTY", layer=Layer.XML))))
    VALIDATOR.validate(said)
    holder = said
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    assert not VALIDATOR.is_valid(said)


def facts_of_xml(xml: bytes) -> dict[str, Any]:
    """What the XML report says, under the keys of the JSON one."""
    root = etree.fromstring(xml)

    def text(node: etree._Element, name: str) -> str | None:
        found = node.find(f"{{{NAMESPACE}}}{name}")
        return None if found is None else found.text or ""

    def all_of(node: etree._Element, path: str) -> list[etree._Element]:
        steps = "/".join(f"{{{NAMESPACE}}}{step}" for step in path.split("/"))
        return node.findall(steps)

    (interchange,) = all_of(root, "Interchange")
    (state,) = all_of(root, "State")
    (counts,) = all_of(root, "Counts")
    return {
        "language": root.get("language"),
        "interchange": {
            "id": text(interchange, "Id"),
            "revision": int(text(interchange, "Revision") or 0),
            "provisional": text(interchange, "Provisional") == "true",
            "partner": text(interchange, "Partner"),
            "flow": text(interchange, "Flow"),
            "file_name": text(interchange, "FileName"),
            "interface_code": text(interchange, "InterfaceCode"),
            "received_at": text(interchange, "ReceivedAt"),
            "size": int(text(interchange, "Size") or 0),
            "sha256": text(interchange, "Sha256"),
            "antivirus": text(interchange, "Antivirus"),
        },
        "state": {
            "code": text(state, "Code"),
            "date": text(state, "Date"),
            "qualification": text(state, "Qualification"),
        },
        "summary": text(root, "Summary"),
        "counts": {key: int(value) for key, value in counts.items()},
        "technical_errors": [
            {
                "document": int(error.get("document", 0)) or None,
                "code": text(error, "Code"),
                "nature": text(error, "Nature"),
                "text": text(error, "Text"),
                "rule": text(error, "Rule"),
            }
            for error in all_of(root, "TechnicalErrors/TechnicalError")
        ],
        "rule_packs": [dict(pack.attrib) for pack in all_of(root, "RulePacks/RulePack")],
        "documents": [
            {
                "ordinal": int(each.get("ordinal", 0)),
                "verdict": each.get("verdict"),
                "state": each.get("state"),
                "rule_packs": (each.get("rulePacks") or "").split(),
                "name": text(each, "Name"),
                "number": text(each, "Number"),
                "issue_date": text(each, "IssueDate"),
                "supplier_id": text(each, "SupplierId"),
                "recipient_id": text(each, "RecipientId"),
                "flow": text(each, "Flow"),
                "syntax": text(each, "Syntax"),
                "type": text(each, "Type"),
                "profile": text(each, "Profile"),
                "size": int(text(each, "Size") or 0),
                "sha256": text(each, "Sha256"),
                "text": text(each, "Text"),
                "findings": [
                    {
                        "rule": told.get("rule"),
                        "layer": told.get("layer"),
                        "pack": told.get("pack"),
                        "severity": told.get("severity"),
                        "location": text(told, "Location"),
                        "line": int(text(told, "Line") or 0) or None,
                        "column": int(text(told, "Column") or 0) or None,
                        "excerpt": text(told, "Excerpt"),
                        "terms": [term.text or "" for term in all_of(told, "Term")],
                        "message": text(told, "Message"),
                        "explanation": text(told, "Explanation"),
                        "remedy": text(told, "Remedy"),
                    }
                    for told in all_of(each, "Finding")
                ],
            }
            for each in all_of(root, "Documents/Document")
        ],
        "attachments": [
            {
                "role": each.get("role"),
                "beside": each.get("beside"),
                "name": text(each, "Name"),
                "size": int(text(each, "Size") or 0),
                "sha256": text(each, "Sha256"),
                "text": text(each, "Text"),
            }
            for each in all_of(root, "Attachments/Attachment")
        ],
    }


HOSTILE = st.text(
    st.one_of(
        st.characters(codec=None, exclude_categories=()),
        st.sampled_from("\x00\x0b\x1f\ud800\udfff\ufffe\uffff\u202e]]><&\"'\\\u2028"),
    ),
    max_size=20,
)
MAYBE = st.none() | HOSTILE
# A parser of XML makes one space of every white space in an attribute, and one line break of \r\n.
NAMES = HOSTILE.map(lambda text: "".join(text.split()))
FINDINGS = st.builds(
    Finding,
    rule=NAMES,
    layer=st.sampled_from(Layer),
    severity=st.sampled_from(Severity),
    message=HOSTILE,
    pack=st.none() | NAMES,
    location=MAYBE,
    line=st.none() | st.integers(0, 10**9),
    column=st.none() | st.integers(0, 10**9),
    excerpt=MAYBE,
    terms=st.lists(HOSTILE, max_size=2).map(tuple),
    explanation=st.none() | st.builds(both, HOSTILE, HOSTILE),
    remedy=st.none() | st.builds(both, HOSTILE, HOSTILE),
)
DOCUMENTS = st.builds(
    document,
    st.just(FULL),
    FINDINGS,
    outcome=st.sampled_from(Outcome),
    name=HOSTILE,
    invoice_number=MAYBE,
    seller_id=MAYBE,
    buyer_id=MAYBE,
    issue_date=MAYBE,
    flow=MAYBE,
    syntax=MAYBE,
    document_type=MAYBE,
    profile=MAYBE,
    sha256=st.sampled_from([SHA, MEMBER, ""]),
    rules=st.sampled_from([(), (PACK,)]),
    remark=MAYBE,
)


@given(
    documents=st.lists(DOCUMENTS, max_size=3),
    name=HOSTILE,
    language=st.sampled_from(Language),
    attached=MAYBE,
)
def test_it_says_what_the_xml_report_says(
    documents: list[ReportDocument], name: str, language: Language, attached: str | None
) -> None:
    """Every value, whatever partners write; and what it says is valid by its schema."""
    numbered = [
        document(*each.findings, ordinal=n, **_facts(each)) for n, each in enumerate(documents, 1)
    ]
    beside = []
    if attached is not None:
        role = Role.ATTACHMENT
        beside.append(ReportAttachment(name=attached, role=role, size=3, sha256=MEMBER))
    forms = Forms(report(file_name=name), lambda: [numbered], language, beside)
    said = json.loads(form_of(forms, Form.JSON))
    VALIDATOR.validate(said)
    assert said.pop("format") == NAMESPACE
    assert said == facts_of_xml(form_of(forms, Form.XML))


def _facts(told: ReportDocument) -> dict[str, Any]:
    names = [name for name in told.__struct_fields__ if name not in ("ordinal", "findings")]
    return {name: getattr(told, name) for name in names}


def test_an_interchange_without_documents_says_so() -> None:
    """Four lists, one of them with the reason."""
    said = json.loads(written(Form.JSON))
    assert said["technical_errors"] == [
        {
            "document": None,
            "code": "IRR_VIDE",
            "nature": "FLUX",
            "text": "Aucun document.",
            "rule": None,
        }
    ]
    assert said["rule_packs"] == said["documents"] == said["attachments"] == []
    assert said["state"]["code"] == "IN_REJETE"


def test_a_verdict_reached_while_it_is_written_waits_for_the_next() -> None:
    """Judging goes on between the passes: head and documents must still say the same."""
    totals, sink = ReportTotals(), io.BytesIO()
    totals.add(document(outcome=Outcome.UNDETERMINED, state=DocumentState.EXTRACTED))
    judged = document(finding("XML-EMPTY", layer=Layer.XML), rules=(PACK,))
    writer = JsonReportWriter(report(provisional=True), totals, Language.EN, sink)
    writer.technical_errors([judged])
    writer.documents([judged])
    writer.close()
    said = json.loads(sink.getvalue())
    assert said["technical_errors"] == []
    assert said["documents"][0]["verdict"] == "undetermined"


def test_a_report_that_lacks_documents_is_not_ended() -> None:
    """A head that counts what is not there would be believed."""
    totals = ReportTotals()
    totals.add(document())
    writer = JsonReportWriter(report(), totals, Language.EN, io.BytesIO())
    with pytest.raises(ValueError, match="1 documents were counted, 0 written"):
        writer.close()


def test_it_is_laid_out_for_people() -> None:
    """One value a line, indented by where it stands."""
    lines = written(Form.JSON, document(FULL), language=Language.EN).decode().splitlines()
    assert lines[0] == "{"
    assert '  "language": "en",' in lines
    assert '    "code": "IN_REJETE",' in lines
    assert '      "ordinal": 1,' in lines
    assert '          "rule": "BR-CO-15",' in lines
    assert lines[-1] == "}"


def test_every_form_of_twenty_thousand_documents_is_written_in_bounded_memory(
    tmp_path: Path,
) -> None:
    """Pages in, files out: what is held does not grow with the number of documents."""
    number, page_size = 20_000, 50

    def pages() -> Iterator[list[ReportDocument]]:
        ordinals = iter(range(1, number + 1))
        while page := list(itertools.islice(ordinals, page_size)):
            yield [document(*([FULL] if n % 2 else []), ordinal=n) for n in page]

    tracemalloc.start()
    try:
        forms = Forms(report(), pages, Language.FR)
        for form in Form:
            with (tmp_path / form).open("wb") as sink:
                forms.write(form, sink)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3_000_000
    said = json.loads((tmp_path / "json").read_bytes())
    assert len(said["documents"]) == said["counts"]["documents"] == number
