from __future__ import annotations

import datetime as dt
import io
import itertools
import re
import tomllib
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.core.acknowledgement.report import (
    MAX_FILENAME,
    NAMESPACE,
    InterchangeReport,
    ReportAttachment,
    ReportDocument,
    ReportTotals,
    ReportWriter,
    build_report,
    document_of,
    report_filename,
)
from gateway.model.container import Role
from gateway.model.lifecycle import DocumentState
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
    Undetermined,
    Verdict,
    VirusCheck,
)
from gateway.resources import data_folder

SCHEMA = etree.XMLSchema(etree.parse(str(data_folder("schemas") / "interchange-report.xsd")))
ID = "0197d5a0-5f2b-7c1e-9a3d-4b6c8d0e2f11"
SHA = "ab" * 32
"""Of the file sent, and of the document that is that file."""
MEMBER = "ef" * 32
"""Of a document that came out of an archive."""
PACK = PackReference("en16931-ubl", "1.3.14", "cd" * 32)
ERROR = Finding(
    rule="BR-CO-15",
    layer=Layer.SCHEMATRON,
    severity=Severity.ERROR,
    message="[BR-CO-15]-BT-112 = BT-109 + BT-110.",
    pack="en16931-ubl",
    location="/Invoice/cac:LegalMonetaryTotal[1]",
    line=210,
    column=5,
    excerpt="<cac:LegalMonetaryTotal>…",
    terms=("BT-112", "BT-109", "BT-110"),
    explanation=Text(en="The total does not add up.", fr="Le total ne tombe pas juste."),
    remedy=Text(en="Add it up again.", fr="Recalculez-le."),
)
WARNING = Finding(
    rule="W-1", layer=Layer.SCHEMATRON, severity=Severity.WARNING, message="Perhaps not so."
)


def refused(rule: str, layer: Layer) -> Rejected:
    return Rejected((Finding(rule=rule, layer=layer, severity=Severity.ERROR, message="No."),))


def document(
    verdict: Verdict,
    ordinal: int = 1,
    state: DocumentState | None = None,
    remark: str | None = None,
    **known: Any,
) -> ReportDocument:
    state = (
        state
        or {
            Accepted: DocumentState.ACCEPTED,
            Rejected: DocumentState.REJECTED,
            Undetermined: DocumentState.QUARANTINED,
        }[type(verdict)]
    )
    facts = {
        "document": f"{ordinal}.xml",
        "sha256": SHA,
        "size": 15000,
        "flow": "ctc-fr-invoice",
        "syntax": "ubl",
        "document_type": "invoice",
        "profile": "urn:cen.eu:en16931:2017",
        "rules": (PACK,),
        "invoice_number": f"FA-{ordinal}",
        "seller_id": "000123455",
        "buyer_id": "000471102",
        "issue_date": "2026-03-12",
    }
    return document_of(Judgement(verdict=verdict, **(facts | known)), ordinal, state, remark)


def discarded(ordinal: int = 1, remark: str | None = "Nobody can open it.") -> ReportDocument:
    return document(HELD, ordinal, DocumentState.DISCARDED, remark)


def report(**known: Any) -> InterchangeReport:
    facts: dict[str, Any] = {
        "interchange_id": ID,
        "revision": 1,
        "provisional": False,
        "partner": "demo",
        "flow": "ctc-fr-invoice",
        "file_name": "FSO1100A_XXX999_XXX9991100000000000000001.xml",
        "interface_code": "FSO1100A",
        "received_at": dt.datetime(2026, 3, 12, 10, 0, 5, 999, dt.UTC),
        "sha256": SHA,
        "size": 15000,
        "reported_at": dt.datetime(
            2026, 3, 12, 12, 0, 7, tzinfo=dt.timezone(dt.timedelta(hours=2))
        ),
    }
    return InterchangeReport(**(facts | known))


def built(
    *documents: ReportDocument, language: Language = Language.FR, **known: Any
) -> etree._Element:
    """The report about these documents, parsed again and valid."""
    root = etree.fromstring(build_report(report(**known), documents, language))
    SCHEMA.assertValid(root)
    return root


def text(root: etree._Element, path: str) -> str | None:
    steps = "/".join(f"{{{NAMESPACE}}}{step}" for step in path.split("/"))
    return root.findtext(steps)


def state(root: etree._Element) -> tuple[str | None, str | None]:
    return text(root, "State/Code"), text(root, "State/Qualification")


GOOD = Accepted(b"{}")
BAD = Rejected((ERROR,))
HELD = Undetermined("The rule pack en16931-ubl is missing.")


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([GOOD], ("IN_INTEGRE", "QP_RECEVABLE")),
        ([GOOD, Accepted(b"{}", (WARNING,))], ("IN_INTEGRE", "QP_RECEVABLE")),
        ([GOOD, BAD], ("IN_INTEGRE_PARTIEL", "QP_RECEVABLE_AVEC_ERREUR")),
        ([BAD], ("IN_REJETE", "QP_RECEVABLE_AVEC_ERREUR")),
        ([BAD, BAD], ("IN_REJETE", "QP_RECEVABLE_AVEC_ERREUR")),
        ([refused("XML-EMPTY", Layer.XML)], ("IN_REJETE", "QP_IRRECEVABLE")),
        ([refused("XML-EMPTY", Layer.XML), BAD], ("IN_REJETE", "QP_RECEVABLE_AVEC_ERREUR")),
        ([], ("IN_REJETE", "QP_IRRECEVABLE")),
        ([HELD], ("IN_EN_COURS_TRAITEMENT_CPP", None)),
        ([GOOD, BAD, HELD], ("IN_EN_COURS_TRAITEMENT_CPP", None)),
    ],
)
def test_state_of_the_flux_follows_from_the_documents(
    verdicts: list[Verdict], expected: tuple[str, str | None]
) -> None:
    """Accepted, partly accepted, rejected, unreadable, held: each has its code."""
    root = built(*[document(v, n) for n, v in enumerate(verdicts, 1)])
    assert state(root) == expected
    provisional = text(root, "Interchange/Provisional")
    assert provisional == ("true" if expected[1] is None else "false")


@pytest.mark.parametrize(
    ("rule", "layer", "code"),
    [
        ("XML-EMPTY", Layer.XML, "IRR_VIDE"),
        ("XML-NOT-XML", Layer.XML, "IRR_TYPE"),
        ("XML-SIZE", Layer.XML, "IRR_TAILLE_F"),
        ("XML-ELEMENTS", Layer.XML, "IRR_TAILLE_F"),
        ("XML-TRUNCATED", Layer.XML, "IRR_SYNTAX"),
        ("XML-DOCTYPE", Layer.XML, "IRR_SYNTAX"),
        ("CONTAINER-UNSUPPORTED", Layer.CONTAINER, "IRR_TYPE"),
        ("CONTAINER-VIRUS", Layer.CONTAINER, "IRR_ANTIVIRUS"),
        ("CONTAINER-OTHER", Layer.CONTAINER, "IRR_EXTRAC"),
        ("ROUTE-UNKNOWN-ROOT", Layer.ROUTING, "IRR_TYPE_F"),
        ("ROUTE-NO-FLOW", Layer.ROUTING, "IRR_CODE_INTER"),
    ],
)
def test_findings_about_the_file_are_technical_errors(rule: str, layer: Layer, code: str) -> None:
    """What made a file unusable is told with the platforms' code and with ours."""
    root = built(document(refused(rule, layer)))
    assert text(root, "TechnicalErrors/TechnicalError/Code") == code
    assert text(root, "TechnicalErrors/TechnicalError/Nature") == "FLUX"
    assert text(root, "TechnicalErrors/TechnicalError/Rule") == rule


def test_every_refusal_code_of_our_own_findings_is_in_the_schema() -> None:
    """Whatever code of the catalogue rejects a file, its report is valid."""
    codes = tomllib.loads((data_folder("schemas") / "findings.toml").read_text())
    for rule, entry in codes.items():
        for sha256 in (SHA, MEMBER, ""):
            built(document(refused(rule, Layer(entry["layer"])), sha256=sha256))


@pytest.mark.parametrize("check", VirusCheck)
def test_it_is_told_whether_a_virus_scanner_looked_at_the_file(check: VirusCheck) -> None:
    """Not checked is said as well: silence could be taken for clean."""
    assert text(built(document(GOOD), virus_check=check), "Interchange/Antivirus") == check.value
    assert text(built(document(GOOD)), "Interchange/Antivirus") == "NotChecked"


def test_an_error_in_the_content_is_no_technical_error() -> None:
    """A business rule concerns one document, not the file."""
    assert built(document(BAD)).find(f"{{{NAMESPACE}}}TechnicalErrors") is None


def test_findings_are_told_whole_in_the_partners_language() -> None:
    """Rule, layer, severity, place, terms, message, explanation, remedy; French or English."""
    french, english = built(document(BAD)), built(document(BAD), language=Language.EN)
    path = "Documents/Document/Finding/"
    finding = french.find(f".//{{{NAMESPACE}}}Finding")
    assert finding is not None
    assert dict(finding.attrib) == {
        "rule": "BR-CO-15",
        "layer": "schematron",
        "severity": "error",
        "pack": "en16931-ubl",
    }
    told = {name: text(french, path + name) for name in ("Location", "Line", "Column", "Excerpt")}
    assert told == {
        "Location": ERROR.location,
        "Line": "210",
        "Column": "5",
        "Excerpt": ERROR.excerpt,
    }
    assert [t.text for t in finding.iter(f"{{{NAMESPACE}}}Term")] == list(ERROR.terms)
    assert text(french, path + "Message") == ERROR.message
    assert text(french, path + "Explanation") == "Le total ne tombe pas juste."
    assert text(english, path + "Explanation") == "The total does not add up."
    assert text(english, path + "Remedy") == "Add it up again."
    assert (french.get("language"), english.get("language")) == ("fr", "en")
    assert text(french, "Documents/Document/Text") == (
        "Rejeté — BR-CO-15 : Le total ne tombe pas juste."
    )


def test_report_says_what_it_is_about() -> None:
    """Interchange, partner, flow, hashes, times in UTC, and every document's own identity."""
    root = built(document(GOOD))
    assert text(root, "Interchange/Id") == ID
    assert text(root, "Interchange/Partner") == "demo"
    assert text(root, "Interchange/InterfaceCode") == "FSO1100A"
    assert text(root, "Interchange/ReceivedAt") == "2026-03-12T10:00:05Z"
    assert text(root, "State/Date") == "2026-03-12T10:00:07Z"
    assert text(root, "Documents/Document/Number") == "FA-1"
    assert text(root, "Documents/Document/SupplierId") == "000123455"
    assert text(root, "Documents/Document/RecipientId") == "000471102"


def test_rule_packs_are_listed_once() -> None:
    """A thousand documents judged by the same packs name them, and describe them once."""
    root = built(*[document(GOOD, n) for n in range(1, 11)])
    packs = root.findall(f".//{{{NAMESPACE}}}RulePack")
    assert [dict(pack.attrib) for pack in packs] == [
        {"id": "pack1", "name": "en16931-ubl", "version": "1.3.14", "sha256": "cd" * 32}
    ]
    documents = root.findall(f".//{{{NAMESPACE}}}Document")
    assert {d.get("rulePacks") for d in documents} == {"pack1"}


def test_held_document_is_never_told_as_rejected() -> None:
    """Our own failure: nothing to send again, and its internal cause stays with us."""
    root = built(document(HELD))
    summary, said = text(root, "Summary"), text(root, "Documents/Document/Text")
    assert summary is not None
    assert said is not None
    assert "n'en renvoyez rien" in summary
    assert "Ne renvoyez rien" in said
    whole = etree.tostring(root, encoding="unicode")
    assert HELD.cause not in whole
    assert "rejet" not in whole.lower()


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([GOOD], {"fr": "Le document de ce fichier est accepté."}),
        ([GOOD, BAD, BAD], {"fr": "1 est accepté et 2 sont rejetés", "en": "1 is accepted and 2"}),
        ([BAD], {"fr": "Corrigez-le et renvoyez-le", "en": "Mend it and send it again"}),
        ([GOOD, HELD], {"fr": "Nous retenons 1 document de ce fichier", "en": "1 is accepted"}),
        ([GOOD, HELD], {"fr": "un rapport complet suivra", "en": "a completed report will follow"}),
        ([refused("XML-EMPTY", Layer.XML)], {"fr": "Aucune facture", "en": "No invoice"}),
    ],
)
def test_summary_says_what_to_do(
    verdicts: list[Verdict], expected: dict[str, str], language: Language
) -> None:
    """One or two sentences, right in number, in the partner's language."""
    documents = [document(v, n) for n, v in enumerate(verdicts, 1)]
    summary = text(built(*documents, language=language), "Summary")
    assert summary is not None
    assert expected.get(language.value, "") in summary
    assert summary.endswith(".")


@pytest.mark.parametrize(
    ("rule", "layer", "code"),
    [
        ("XML-EMPTY", Layer.XML, "IRR_VIDE_F"),
        ("XML-NOT-XML", Layer.XML, "IRR_TYPE_F"),
        ("XML-SIZE", Layer.XML, "IRR_TAILLE_F"),
        ("XML-TRUNCATED", Layer.XML, "IRR_SYNTAX"),
        ("CONTAINER-UNSUPPORTED", Layer.CONTAINER, "IRR_TYPE_F"),
        ("CONTAINER-OTHER", Layer.CONTAINER, "IRR_EXTRAC"),
    ],
)
def test_a_fault_in_one_member_is_not_told_as_one_of_the_flux(
    rule: str, layer: Layer, code: str
) -> None:
    """The platforms have codes of their own for a file of a flux, also when it is the only one."""
    for sha256 in (MEMBER, ""):
        root = built(document(refused(rule, layer), sha256=sha256))
        assert text(root, "TechnicalErrors/TechnicalError/Code") == code
        assert text(root, "TechnicalErrors/TechnicalError/Nature") == "FICHIER"


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], ("IN_INCIDENTE", None)),
        ([GOOD], ("IN_INTEGRE_PARTIEL", "QP_RECEVABLE_AVEC_ERREUR")),
        ([GOOD, BAD], ("IN_INTEGRE_PARTIEL", "QP_RECEVABLE_AVEC_ERREUR")),
        ([BAD], ("IN_REJETE", "QP_RECEVABLE_AVEC_ERREUR")),
        ([refused("XML-EMPTY", Layer.XML)], ("IN_REJETE", "QP_IRRECEVABLE")),
        ([HELD], ("IN_EN_COURS_TRAITEMENT_CPP", None)),
    ],
)
def test_what_the_operator_set_aside_is_neither_accepted_nor_rejected(
    others: list[Verdict], expected: tuple[str, str | None]
) -> None:
    """Alone it is an incident: all is sent again; beside others it changes no verdict."""
    root = built(discarded(1), *[document(v, n) for n, v in enumerate(others, 2)])
    assert state(root) == expected
    counts = root.find(f"{{{NAMESPACE}}}Counts")
    assert counts is not None
    assert counts.get("discarded") == "1"


@pytest.mark.parametrize(
    ("language", "said", "summary"),
    [
        (
            Language.FR,
            "Mis de côté par notre exploitant, et non traité. Renvoyez-le. "
            "Motif : Nobody can open it.",
            "Sur les 3 documents de ce fichier, 1 est accepté, 1 est rejeté et 1 a été mis de côté "
            "par notre exploitant et non traité. Corrigez ce qui est rejeté ; ne renvoyez que cela "
            "et ce qui a été mis de côté.",
        ),
        (
            Language.EN,
            "Set aside by our operator, and not processed. Send it again. "
            "Reason: Nobody can open it.",
            "Of 3 documents in this file 1 is accepted, 1 is rejected and 1 was set aside by our "
            "operator and not processed. Mend what is rejected; send only that, and what was set "
            "aside, again.",
        ),
    ],
)
def test_a_discarded_document_is_to_be_sent_again(
    language: Language, said: str, summary: str
) -> None:
    """Its report says who set it aside, why, and what to do; its internal cause stays with us."""
    root = built(discarded(1), document(GOOD, 2), document(BAD, 3), language=language)
    assert text(root, "Documents/Document/Text") == said
    assert text(root, "Summary") == summary
    assert HELD.cause not in etree.tostring(root, encoding="unicode")


def test_a_completed_report_says_that_it_replaces_the_earlier_one() -> None:
    """Two reports about one file must not be read as two files; the first replaces none."""
    replaces = {
        Language.FR: "Ce rapport remplace notre rapport précédent sur ce fichier.",
        Language.EN: "This report replaces our earlier one about this file.",
    }
    for language, words in replaces.items():
        first = text(built(document(GOOD), language=language), "Summary")
        second = text(built(document(GOOD), language=language, revision=2), "Summary")
        assert second == f"{first} {words}"


def test_a_provisional_report_tells_held_documents_from_unfinished_ones() -> None:
    """What waits its turn is not told as our failure; both are told not to be sent again."""
    open_ = [document(HELD, n, DocumentState.EXTRACTED) for n in (1, 2)]
    root = built(*open_, document(GOOD, 3), provisional=True, language=Language.EN)
    assert text(root, "Summary") == (
        "2 of the 3 documents in this file are still being checked. Send nothing of it again: a "
        "completed report will follow and replace this one. 1 is accepted."
    )
    assert text(root, "Documents/Document/Text") == (
        "Not all checks have been made yet. Send nothing again: a completed report will follow."
    )
    root = built(*open_, document(HELD, 3), provisional=True, language=Language.EN)
    summary = text(root, "Summary")
    assert summary is not None
    assert summary.startswith("We hold 1 document of this file")
    assert "2 of the 3 documents in this file are still being checked." in summary


def test_what_lay_beside_the_documents_is_listed() -> None:
    """Attachments and signatures, with what they belong to; nothing claims they were checked."""
    beside = [
        ReportAttachment(name="a.pdf", role=Role.ATTACHMENT, size=9, sha256=MEMBER, beside="1.xml"),
        ReportAttachment(name="1.xml.p7s\x00", role=Role.SIGNATURE, size=1, sha256=""),
    ]
    totals, sink = ReportTotals(), io.BytesIO()
    totals.add(document(GOOD))
    writer = ReportWriter(report(), totals, Language.FR, sink)
    writer.documents([document(GOOD)])
    writer.attachments(beside[:1])
    writer.attachments(beside[1:])
    writer.close()
    root = etree.fromstring(sink.getvalue())
    SCHEMA.assertValid(root)
    listed = root.findall(f".//{{{NAMESPACE}}}Attachment")
    assert [dict(element.attrib) for element in listed] == [
        {"role": "attachment", "beside": "1.xml"},
        {"role": "signature"},
    ]
    assert [element.findtext(f"{{{NAMESPACE}}}Text") for element in listed] == [
        "Reçue ; les pièces jointes ne sont pas contrôlées.",
        "Reçue ; la signature n'a pas été vérifiée.",
    ]
    assert listed[1].findtext(f"{{{NAMESPACE}}}Name") == "1.xml.p7s\ufffd"


def test_a_verdict_reached_while_a_provisional_report_is_written_waits_for_the_next() -> None:
    """Judging goes on between the passes: head and documents must still say the same."""
    totals, sink = ReportTotals(), io.BytesIO()
    totals.add(document(HELD, 1, DocumentState.EXTRACTED, rules=()))
    judged = document(refused("XML-EMPTY", Layer.XML), rules=(PACK,))
    writer = ReportWriter(report(provisional=True), totals, Language.EN, sink)
    writer.technical_errors([judged])
    writer.documents([judged])
    writer.close()
    root = etree.fromstring(sink.getvalue())
    SCHEMA.assertValid(root)
    told = root.find(f".//{{{NAMESPACE}}}Document")
    assert told is not None
    assert (told.get("verdict"), told.get("state")) == ("undetermined", "extracted")
    assert root.find(f"{{{NAMESPACE}}}TechnicalErrors") is None


def test_a_report_that_lacks_documents_is_not_ended() -> None:
    """A head that counts what is not there would be believed."""
    totals = ReportTotals()
    totals.add(document(GOOD))
    writer = ReportWriter(report(), totals, Language.EN, io.BytesIO())
    with pytest.raises(ValueError, match="1 documents were counted, 0 written"):
        writer.close()


def test_the_report_is_laid_out_for_people() -> None:
    """One element per line, indented, the namespace declared once."""
    lines = build_report(report(), [document(BAD)], Language.EN).decode().splitlines()
    assert lines[1] == f'<InterchangeReport xmlns="{NAMESPACE}" language="en">'
    assert "  <Interchange>" in lines
    assert "    <Id>" + ID + "</Id>" in lines
    assert "    <Document " in "".join(line[:14] for line in lines)
    assert "        <Location>/Invoice/cac:LegalMonetaryTotal[1]</Location>" in lines
    assert lines[-1] == "</InterchangeReport>"
    assert "".join(lines).count("xmlns") == 1


HOSTILE = st.text(
    st.one_of(
        st.characters(codec=None, exclude_categories=()),
        st.sampled_from("\x00\x0b\x1f\ud800\udfff\ufffe\uffff\u202e]]><&\"'\r\n\t"),
    ),
    max_size=40,
)
MAYBE = st.none() | HOSTILE
FINDINGS = st.builds(
    Finding,
    rule=HOSTILE,
    layer=st.sampled_from(Layer),
    severity=st.sampled_from(Severity),
    message=HOSTILE,
    pack=MAYBE,
    location=MAYBE,
    line=st.none() | st.integers(0, 10**9),
    column=st.none() | st.integers(0, 10**9),
    excerpt=MAYBE,
    terms=st.lists(HOSTILE, max_size=3).map(tuple),
    explanation=st.none() | st.builds(Text, en=HOSTILE, fr=HOSTILE),
    remedy=st.none() | st.builds(Text, en=HOSTILE, fr=HOSTILE),
)
MANY = st.lists(FINDINGS, max_size=3).map(tuple)
VERDICTS = st.one_of(
    st.builds(Accepted, invoice=st.just(b""), findings=MANY),
    st.builds(Rejected, findings=MANY),
    st.builds(Undetermined, cause=HOSTILE, findings=MANY),
)
JUDGEMENTS = st.builds(
    Judgement,
    document=HOSTILE,
    sha256=st.just(SHA),
    size=st.integers(0, 10**12),
    flow=MAYBE,
    syntax=MAYBE,
    document_type=MAYBE,
    profile=MAYBE,
    verdict=VERDICTS,
    rules=st.lists(st.builds(PackReference, HOSTILE, HOSTILE, st.just(SHA)), max_size=2).map(tuple),
    invoice_number=MAYBE,
    issue_date=MAYBE,
    seller_id=MAYBE,
    buyer_id=MAYBE,
)


@given(
    name=HOSTILE,
    partner=HOSTILE,
    code=MAYBE,
    judged=st.lists(st.tuples(JUDGEMENTS, st.sampled_from(DocumentState), MAYBE), max_size=3),
    provisional=st.booleans(),
    received=st.datetimes(timezones=st.just(dt.UTC)),
    language=st.sampled_from(Language),
)
def test_every_report_is_valid_whatever_partners_write(
    name: str,
    partner: str,
    code: str | None,
    judged: list[tuple[Judgement, DocumentState, str | None]],
    provisional: bool,
    received: dt.datetime,
    language: Language,
) -> None:
    """Control characters, lone surrogates, markup, right-to-left marks: well-formed and valid."""
    documents = [document_of(j, n, s, why) for n, (j, s, why) in enumerate(judged, 1)]
    built(
        *documents,
        file_name=name,
        partner=partner,
        interface_code=code,
        provisional=provisional,
        received_at=received,
        language=language,
    )


@given(HOSTILE | st.text(min_size=150), st.integers(1, 10**6))
def test_report_name_is_safe_for_any_file_name(name: str, revision: int) -> None:
    """Plain characters, bounded, never hidden, never a path, never a temporary name."""
    filename = report_filename(name, ID, revision)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*\.report\.xml", filename)
    assert len(filename) <= MAX_FILENAME
    assert ".." not in filename
    assert "4b6c8d0e2f11" in filename


@pytest.mark.parametrize(
    ("name", "revision", "expected"),
    [
        (
            "FSO3110A_XXX999_XXX9993110000000000000001.tar.gz",
            1,
            "CSO3110A_XXX999_XXX9993110000000000000001-4b6c8d0e2f11.report.xml",
        ),
        ("facture n°12 – été.XML", 1, "facture_n12_ete-4b6c8d0e2f11.report.xml"),
        ("../../etc/passwd", 1, "etc_passwd-4b6c8d0e2f11.report.xml"),
        ("batch.tar.gz", 2, "batch-4b6c8d0e2f11-r2.report.xml"),
        ("发票.xml", 1, "interchange-4b6c8d0e2f11.report.xml"),
    ],
)
def test_report_name_can_be_recognised(name: str, revision: int, expected: str) -> None:
    """The platforms' way for their names, else the partner's own name, plainly written."""
    assert report_filename(name, ID, revision) == expected


def test_reports_about_the_same_name_do_not_collide() -> None:
    """Another interchange or another revision is another file."""
    other = "0197d5a0-5f2b-7c1e-9a3d-4b6c8d0e2f12"
    long = "x" * 300
    names = {report_filename(long, i, r) for i in (ID, other) for r in (1, 2, 11)}
    assert len(names) == 6


def test_twenty_thousand_documents_are_written_in_constant_memory(tmp_path: Path) -> None:
    """Pages in, a valid file out: what is held does not grow with the number of documents."""
    number, page_size = 20_000, 50

    def pages() -> Iterator[list[ReportDocument]]:
        ordinals = iter(range(1, number + 1))
        while page := list(itertools.islice(ordinals, page_size)):
            yield [document(BAD if n % 2 else GOOD, n, sha256=MEMBER) for n in page]

    target = tmp_path / "report.xml"
    tracemalloc.start()
    try:
        totals = ReportTotals()
        for page in pages():
            for each in page:
                totals.add(each)
        with target.open("wb") as sink:
            writer = ReportWriter(report(), totals, Language.FR, sink)
            for page in pages():
                writer.technical_errors(page)
            for page in pages():
                writer.documents(page)
            writer.close()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000
    root = etree.parse(str(target)).getroot()
    SCHEMA.assertValid(root)
    assert len(root.findall(f".//{{{NAMESPACE}}}Document")) == number
    assert text(root, "State/Code") == "IN_INTEGRE_PARTIEL"
