"""The report for spreadsheets: rows that can be counted, cells that calculate nothing."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.acknowledgement.flux_state import ReportTotals
from gateway.core.acknowledgement.forms import Form
from gateway.core.acknowledgement.report_csv import CsvReportWriter
from gateway.core.acknowledgement.report_facts import Outcome, ReportDocument
from gateway.model.verdict import Language, Severity
from tests.reports import both, document, finding, written

DELIMITERS = {Language.FR: ";", Language.EN: ","}


def rows(*documents: ReportDocument, language: Language = Language.FR) -> list[list[str]]:
    """The table as a spreadsheet reads it."""
    said = written(Form.CSV, *documents, language=language)
    assert said.startswith(b"\xef\xbb\xbf")
    text = said.decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=DELIMITERS[language]))


def test_each_finding_has_a_row_with_its_document() -> None:
    """Who sorts or filters the table by any column still sees which invoice it is."""
    found = finding(
        terms=("BT-112", "BT-109"),
        pack="en16931-ubl",
        line=12,
        column=3,
        location="/Invoice",
        excerpt="<Invoice>",
        explanation=both("Too much; by 1.", "Trop ; de 1."),
        remedy=both("Mend it.", "Corrigez."),
    )
    head, first, second = rows(document(found, finding("BR-2", severity=Severity.WARNING)))
    assert dict(zip(head, first, strict=True)) == {
        "Document": "1",
        "Fichier": "1.xml",
        "Numéro de facture": "FA-1",
        "Date d'émission": "2026-03-12",
        "Fournisseur": "000123455",
        "Destinataire": "000471102",
        "Verdict": "rejeté",
        "Gravité": "erreur",
        "Règle": "BR-CO-15",
        "Contrôle": "règles",
        "Jeu de règles": "en16931-ubl",
        "Termes": "BT-112 Montant total de la facture avec TVA"
        " | BT-109 Montant total de la facture hors TVA",
        "Ligne": "12",
        "Colonne": "3",
        "Endroit": "/Invoice",
        "Extrait": "<Invoice>",
        "Explication": "Trop ; de 1.",
        "Que faire": "Corrigez.",
        "Texte de la règle": "[BR-CO-15]-Text of the rule.",
    }
    assert second[:10] == [*first[:7], "avertissement", "BR-2", "règles"]


@pytest.mark.parametrize(
    ("outcome", "verdict", "said"),
    [
        (Outcome.ACCEPTED, "accepted", "Accepted."),
        (Outcome.UNDETERMINED, "not decided yet", "Held by us"),
        (Outcome.DISCARDED, "set aside", "Set aside by our operator"),
    ],
)
def test_a_document_without_findings_has_a_row(outcome: Outcome, verdict: str, said: str) -> None:
    """The table names everything that was received, and what became of it."""
    head, row = rows(document(outcome=outcome), language=Language.EN)
    told = dict(zip(head, row, strict=True))
    assert told["Verdict"] == verdict
    assert told["Explanation"].startswith(said)
    assert told["Rule"] == told["What to do"] == told["Text of the rule"] == ""


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize(
    "name",
    [
        "=1+1",
        "=cmd|' /C calc'!A0",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        "\ufeff=1",
        "\uff1d1",
    ],
)
def test_no_cell_is_calculated(name: str, language: Language) -> None:
    """What begins as a formula does gets an apostrophe in front, and is otherwise as it was."""
    _, row = rows(document(name=name, invoice_number=name, seller_id=name), language=language)
    assert row[1] == row[2] == row[4] == f"'{name}"


@pytest.mark.parametrize("name", ["FA-1", "1=1", "'x", "a;b,c", 'say "no"', "two\nlines", "é€"])
def test_other_cells_stay_as_they_are(name: str) -> None:
    """Quotes, separators and line breaks within a cell come back as written."""
    for language in Language:
        assert rows(document(name=name), language=language)[1][1] == name


@given(st.text(), st.text(), st.sampled_from(Language))
def test_every_table_can_be_read_and_nothing_in_it_starts_a_formula(
    name: str, message: str, language: Language
) -> None:
    """Whatever partners write: as many rows and columns as there must be."""
    told = document(finding(message=message, excerpt=name), name=name)
    table = rows(told, told, language=language)
    assert [len(row) for row in table] == [19, 19, 19]
    for cell in table[1]:
        assert not cell.lstrip().startswith(
            ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
        )
        assert "\x00" not in cell


def test_a_cell_longer_than_excel_takes_ends_with_an_ellipsis() -> None:
    """Excel cuts after 32,767 characters, and says nothing."""
    (cell,) = {row[1] for row in rows(document(name="x" * 100_000))[1:]}
    assert len(cell) == 32_000
    assert cell.endswith("x…")


def test_a_table_that_lacks_documents_is_not_ended() -> None:
    """Whoever forgets a page hears of it."""
    totals = ReportTotals()
    totals.add(document())
    table = CsvReportWriter(totals, Language.EN, io.BytesIO())
    with pytest.raises(ValueError, match="1 documents were counted, 0 written"):
        table.close()
