"""`edi-gateway map`: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lxml import etree

from gateway.cli.main import main

DATA = Path(__file__).parent.parent / "data" / "mapping"


@pytest.mark.parametrize("file", ["full.ubl.xml", "full.cii.xml", "credit-note.ubl.xml"])
def test_it_prints_the_canonical_invoice_and_nothing_else(
    file: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Indented JSON in UTF-8 on standard output, which a program can read; exit code 0."""
    assert main(["map", str(DATA / file)]) == 0
    output, errors = capfdbinary.readouterr()
    assert errors == b""
    assert output.startswith(b'{\n  "invoice_number"')
    printed = json.loads(output)
    assert printed.pop("source")["syntax"] == file.split(".")[1]
    assert printed == json.loads((DATA / f"{file.split('.', maxsplit=1)[0]}.json").read_bytes())


def test_what_cannot_be_read_is_said_and_the_rest_is_shown(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Exit code 1, the reason with its line on standard error, the invoice on standard output."""
    text = (DATA / "full.ubl.xml").read_text(encoding="utf-8")
    faulty = tmp_path / "faulty.xml"
    faulty.write_text(text.replace("2026-04-15", "2026-04-31"), encoding="utf-8")
    assert main(["map", str(faulty), "--to", "json"]) == 1
    output, errors = capfdbinary.readouterr()
    assert b"faulty.xml, line 9, column 3: error: BT-9" in errors
    assert b"MAP-DATE" in errors
    assert b"payment_due_date" not in output
    assert json.loads(output)["invoice_number"] == "VEL-2026-0042"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", b"XML-EMPTY"),
        (b"hello", b"XML-NOT-XML"),
        (b"<Invoice>", b"XML-TRUNCATED"),
        (b"<!DOCTYPE x><x/>", b"XML-DOCTYPE"),
        (b"<Order/>", b"ROUTE-UNKNOWN-ROOT"),
        (b"PK\x03\x04....", b"CONTAINER-UNSUPPORTED"),
    ],
)
def test_a_file_that_is_no_invoice_is_refused_in_words(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], data: bytes, told: bytes
) -> None:
    """Exit code 1, nothing on standard output, the finding on standard error."""
    file = tmp_path / "file"
    file.write_bytes(data)
    assert main(["map", str(file)]) == 1
    output, errors = capfdbinary.readouterr()
    assert output == b""
    assert told in errors
    assert b"Traceback" not in errors


@pytest.mark.parametrize("name", ["missing.xml", "."])
def test_a_file_that_cannot_be_opened_is_a_usage_error(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], name: str
) -> None:
    """Exit code 2 and the system's reason."""
    assert main(["map", str(tmp_path / name)]) == 2
    output, errors = capfdbinary.readouterr()
    assert output == b""
    assert b"cannot be read" in errors


def test_what_a_terminal_would_obey_is_escaped(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """A control sequence in a name reaches a program as it was sent, and no terminal."""
    text = (DATA / "full.ubl.xml").read_text(encoding="utf-8")
    file = tmp_path / "invoice.xml"
    file.write_text(text.replace("Aline Moyeu", "A\u009b31m\u202eB"), encoding="utf-8")
    assert main(["map", str(file)]) == 0
    output = capfdbinary.readouterr().out.decode()
    assert "A\\u009b31m\\u202eB" in output
    assert json.loads(output)["seller"]["contact"]["contact_point"] == "A\u009b31m\u202eB"


@pytest.mark.parametrize("to", ["ubl", "cii"])
@pytest.mark.parametrize("file", ["full.ubl.xml", "full.cii.xml", "credit-note.cii.xml"])
def test_it_writes_the_invoice_again_in_either_syntax(
    file: str, to: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """A document on standard output that says the same, attached files included; exit code 0."""
    assert main(["map", str(DATA / file), "--to", to]) == 0
    output, errors = capfdbinary.readouterr()
    assert errors.count(b"[MAP-") == (file == "full.ubl.xml")  # the network of a payment card
    written = tmp_path / "written.xml"
    written.write_bytes(output)
    assert main(["map", str(written)]) == 0
    printed = json.loads(capfdbinary.readouterr().out)
    assert printed.pop("source")["syntax"] == to
    assert printed == json.loads((DATA / f"{file.split('.', maxsplit=1)[0]}.json").read_bytes())
    if file.startswith("full"):
        received = etree.parse(DATA / file).xpath("string(//*[@mimeCode])")
        assert str(received).strip() in output.decode()


def test_what_cannot_be_written_is_said_and_the_rest_is_written(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Exit code 1, the place in the canonical invoice and the value on standard error."""
    text = (DATA / "full.cii.xml").read_text(encoding="utf-8")
    file = tmp_path / "subject.xml"
    file.write_text(text.replace(">AAI<", ">NOTE<"), encoding="utf-8")
    assert main(["map", str(file), "--to", "ubl"]) == 1
    output, errors = capfdbinary.readouterr()
    assert b"subject.xml, invoice_notes[0].subject_code: error: BT-21 cannot be written" in errors
    assert b"'NOTE'" in errors
    assert b"<cbc:Note>Bicycles and their upkeep" in output


def test_what_the_canonical_invoice_has_no_room_for_is_said_to_be_left_behind(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """JSON lists it under `source.unmapped`; a document written has no such place. Exit code 0."""
    text = (DATA / "full.ubl.xml").read_text(encoding="utf-8")
    file = tmp_path / "more.xml"
    more = "<cbc:IssueTime>10:00:00</cbc:IssueTime>"
    file.write_text(text.replace("<cbc:DueDate>", f"{more}<cbc:DueDate>"), encoding="utf-8")
    assert main(["map", str(file), "--to", "cii"]) == 0
    errors = capfdbinary.readouterr().err
    assert b"cbc:IssueTime, cac:PaymentMeans[1]/cac:CardAccount/cbc:NetworkID (2 in all)" in errors
    assert b"[MAP-NOT-TAKEN]" in errors


def test_a_document_written_holds_nothing_a_terminal_would_obey(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """A control sequence is written as a reference, which a program reads as it was sent."""
    text = (DATA / "full.ubl.xml").read_text(encoding="utf-8")
    file = tmp_path / "invoice.xml"
    file.write_text(text.replace("Aline Moyeu", "A\u009b31m\u202eB"), encoding="utf-8")
    assert main(["map", str(file), "--to", "cii"]) == 0
    output = capfdbinary.readouterr().out
    assert b"A&#x9b;31m&#x202e;B" in output
    name = etree.fromstring(output).find(".//{*}SellerTradeParty//{*}PersonName")
    assert name is not None
    assert name.text == "A\u009b31m\u202eB"
