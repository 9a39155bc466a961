"""`edi-gateway map`: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

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


def test_other_syntaxes_are_not_offered_yet(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Writing UBL and CII comes later: asking for it is a usage error, not a surprise."""
    with pytest.raises(SystemExit) as caught:
        main(["map", "x.xml", "--to", "cii"])
    assert caught.value.code == 2
    assert b"--to" in capfdbinary.readouterr().err
