"""What the demo sends and what its sender gets for it, word for word, as pairs of files."""

from __future__ import annotations

from collections import Counter

import pytest
from lxml import etree

from gateway.core.acknowledgement.forms import Form
from gateway.core.cdar.checking import MessageCheck
from gateway.core.cdar.message_reader import MessageRead, read
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.schematron.runner import RulePacks
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Language
from gateway.resources import data_folder
from gateway.samples.sendings import BATCH, CORRECTED, by_as2, corrected, sendings
from tests.report_pairs import DATA, answers, cases, expected, pair
from tests.sent_files import FIRST

DEMO = {sending.file: sending for sending in (*sendings(), by_as2(), corrected())}
ABOUT_THE_FILE = {"cut-invoice.xml": ("501", "cut-invoice.xml", ("IRR_SYNTAX",))}
"""CDAR has no code for an archive that is cut, nor for an empty flux: the report alone says it."""


@pytest.fixture(scope="module")
def check() -> MessageCheck:
    """The official schema and Schematron of lifecycle messages."""
    catalogue = Catalogue.load()
    return MessageCheck(catalogue, RulePacks(catalogue))


@pytest.fixture(scope="module")
def report_schema() -> etree.XMLSchema:
    """The schema that we publish."""
    return etree.XMLSchema(etree.parse(data_folder("schemas") / "interchange-report.xsd"))


def told(body: bytes) -> tuple[str | None, str | None, tuple[str | None, ...]]:
    """(status, number, reasons) of the one document a message speaks of."""
    found = read(body, DocumentLimits())
    assert isinstance(found, MessageRead)
    (one,) = found.message.documents
    return one.status, one.number, tuple(detail.reason for detail in one.details)


@pytest.mark.parametrize("name", cases())
def test_what_a_sender_gets_is_what_lies_there(name: str) -> None:
    """Every form of the report and every lifecycle message, in both languages, byte for byte.

    `python -m tests.report_pairs` writes them for review.
    """
    said = dict(expected(name))
    for language in Language:
        for form in Form:
            assert pair(name, language, form) in said
    for file, body in said.items():
        assert body.decode() == file.read_bytes().decode(), file


def test_no_pair_lies_there_that_nobody_compares() -> None:
    """A renamed case leaves nothing behind; and every file of the demo is a case."""
    assert set(DATA.iterdir()) == {file for name in cases() for file, _ in expected(name)}
    assert set(DEMO) < set(cases())


def test_the_pairs_stay_small() -> None:
    """They are read by people, and travel with every clone."""
    assert sum(file.stat().st_size for file in DATA.iterdir()) < 1_500_000


@pytest.mark.parametrize("name", DEMO)
def test_the_pairs_are_of_what_the_demo_expects(name: str) -> None:
    """Each document has the verdict that the demo checks, and its first error."""
    documents = answers()[name].documents
    expectations = DEMO[name].documents
    assert len(documents) == len(expectations)
    for document, (file, sample) in zip(documents, expectations, strict=True):
        assert document.name == file
        assert document.outcome == sample.expected_verdict
        assert next((each.rule for each in document.findings), None) == sample.expected_rule


@pytest.mark.parametrize("name", cases())
def test_the_xml_reports_keep_to_their_schema(name: str, report_schema: etree.XMLSchema) -> None:
    """As they lie there, in both languages."""
    for language in Language:
        root = etree.parse(pair(name, language, Form.XML))
        assert report_schema.validate(root), report_schema.error_log


@pytest.mark.parametrize("language", Language)
def test_each_message_that_lies_there_is_valid(language: Language, check: MessageCheck) -> None:
    """By the official schema and Schematron, without even a warning."""
    files = sorted(DATA.glob(f"*.{language}.CDV_*.xml"))
    assert len(files) == 21
    for file in files:
        assert check.findings(file.read_bytes(), FIRST.date()) == (), file.name


@pytest.mark.parametrize("name", cases())
def test_each_document_has_one_message_that_says_what_became_of_it(name: str) -> None:
    """200 for what was accepted, 213 with its reason for what was rejected, 501 for a file."""
    found = [told(message.body) for message in answers()[name].messages(Language.EN)]
    if name not in DEMO:
        assert found == [ABOUT_THE_FILE[name]] if name in ABOUT_THE_FILE else found == []
        return
    by_number = {number: (status, reasons) for status, number, reasons in found}
    rows = answers()[name].rows
    assert len(found) == len(by_number) == len(rows)
    for row in rows:
        status, reasons = by_number[row.invoice_number]
        assert status == {"accepted": "200", "rejected": "213"}[row.verdict or ""]
        assert bool(reasons) == (status == "213")


def test_no_two_messages_have_one_id() -> None:
    """Over all files: a partner's program takes a known id for a message that came again."""
    ids = [each.message.id for name in cases() for each in answers()[name].messages(Language.FR)]
    names = [each.filename for name in cases() for each in answers()[name].messages(Language.FR)]
    assert len(ids) == len(set(ids)) == len(set(names)) == 21


def test_the_corrected_batch_brings_the_rest_and_refuses_what_came_before() -> None:
    """In part integrated, twice; then every invoice of the batch was deposited once."""
    for name in (BATCH, CORRECTED):
        state = etree.parse(pair(name, Language.FR, Form.XML)).findtext("{*}State/{*}Code")
        assert state == "IN_INTEGRE_PARTIEL"
    first = [told(message.body) for message in answers()[BATCH].messages(Language.FR)]
    second = [told(message.body) for message in answers()[CORRECTED].messages(Language.FR)]
    deposited = Counter(number for status, number, _ in first + second if status == "200")
    assert len(deposited) == 6
    assert set(deposited.values()) == {1}
    rejected = {number for status, number, _ in first if status == "213"}
    repeated = {number for status, number, reasons in second if reasons == ("DOUBLON",)}
    assert rejected | repeated == set(deposited)
    assert len(rejected) == len(repeated) == 3
