"""`edi-gateway status-message`: what it prints, where, and with which exit code."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import msgspec
import pytest

from gateway.cli import status_message
from gateway.cli.main import main
from gateway.core.cdar.message_reader import MessageRead, read
from gateway.core.cdar.request import StatusRequest
from gateway.core.cdar.statuses import STATUSES
from gateway.core.cdar.values import Identifier
from gateway.model.job import DocumentLimits
from tests.cdar_documents import check

Capture = pytest.CaptureFixture[bytes]


@pytest.fixture(autouse=True)
def _official_rules() -> None:
    """Skip where the official rules were not imported."""
    check()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings that say who we are, beside partners that cannot be read."""
    (tmp_path / "partners").mkdir()
    (tmp_path / "partners" / "broken.toml").write_text("name = ")
    file = tmp_path / "gateway.toml"
    file.write_text('[legal]\nid = "0003"\nname = "Passerelle"\napplication = "AAA123"\n')
    return file


def request(folder: Path, capture: Capture, code: str = "210", *changes: tuple[str, str]) -> Path:
    """The example for a status in a file, with some places changed."""
    assert main(["status-message", "--example", code]) == 0
    text = capture.readouterr().out.decode()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file = folder / "request.toml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("code", STATUSES)
def test_the_example_of_every_status_is_taken(
    code: str, tmp_path: Path, capfdbinary: Capture
) -> None:
    """As it stands: the message alone is on standard output, and says what was asked."""
    file = request(tmp_path, capfdbinary, code)
    assert main(["status-message", str(file)]) == 0
    output, errors = capfdbinary.readouterr()
    assert errors == b""
    found = read(output, DocumentLimits())
    assert isinstance(found, MessageRead)
    assert found.unread == ()
    assert {each.status for each in found.message.documents} == {code}


def test_it_goes_to_a_file_or_into_a_folder(tmp_path: Path, capfdbinary: Capture) -> None:
    """Into a folder under the name a message has; which file it is, is printed."""
    file = request(tmp_path, capfdbinary)
    assert main(["status-message", str(file), "-o", str(tmp_path / "m.xml")]) == 0
    assert capfdbinary.readouterr().out.decode().strip() == str(tmp_path / "m.xml")
    out = tmp_path / "out"
    out.mkdir()
    assert main(["status-message", str(file), "-o", str(out)]) == 0
    (written,) = out.iterdir()
    assert written.name.startswith("CDV_210_FA-2026-00187_")
    assert written.read_bytes() == (tmp_path / "m.xml").read_bytes()


def test_to_the_portal_with_our_number(tmp_path: Path, config: Path, capfdbinary: Capture) -> None:
    """[legal] of the settings is read, whatever is wrong with partners."""
    text = request(tmp_path, capfdbinary, "213", ('"partner"\n', '"portal"\n')).read_text()
    head, _, rest = text.partition("# To whom the message goes")
    file = tmp_path / "portal.toml"
    file.write_text(head + rest.partition("\n\n")[2])
    command = ["status-message", str(file), "--config", str(config), "-o", str(tmp_path)]
    assert main(command) == 0
    written = Path(capfdbinary.readouterr().out.decode().strip())
    assert written.name.startswith("FFE0614A_AAA123_AAA1230614")
    found = read(written.read_bytes(), DocumentLimits())
    assert isinstance(found, MessageRead)
    assert found.message.sender is not None
    assert found.message.sender.ids == (Identifier("0003", "0238"),)


def test_json_in_and_out(
    tmp_path: Path, capfdbinary: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From standard input, as a program would ask."""
    asked = {
        "status": 205,
        "issuer": {"siren": "000471102"},
        "recipients": [{"role": "WK"}],
        "invoices": [{"number": "A", "issued": "2026-09-12", "seller": "000123455"}],
    }

    class Input:
        buffer = io.BytesIO(json.dumps(asked).encode())

    monkeypatch.setattr(status_message.sys, "stdin", Input)
    assert main(["status-message", "-", "--json"]) == 0
    told = json.loads(capfdbinary.readouterr().out)
    assert (told["outcome"], told["status"], told["documents"]) == ("built", "205", 1)
    assert told["file"] is None
    assert told["findings"] == []
    found = read(told["message"].encode(), DocumentLimits())
    assert isinstance(found, MessageRead)
    assert found.message.id == told["id"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('reason = "TX_TVA_ERR"', 'reason = "REJ_COH"', "invoices[0].details[0].reason"),
        ("seller = ", "saler = ", "invoices[0].saler"),
        ("[[invoices]]", "[invoices]", "invoices"),
        ('number = "FA-2026-00187"', "number = true", "invoices[0].number"),
        ('status = "210"', 'status = "21o"', "status"),
        ('to = "partner"', 'to = "ppf"', "to"),
        ('status = "210"', "status = ", "Neither TOML nor JSON"),
    ],
)
def test_a_faulty_request_is_refused_with_the_path_of_the_key(
    old: str, new: str, told: str, tmp_path: Path, capfdbinary: Capture
) -> None:
    """Exit code 2; nothing is written, and each fault has its way out."""
    file = request(tmp_path, capfdbinary, "210", (old, new))
    out = tmp_path / "m.xml"
    assert main(["status-message", str(file), "-o", str(out)]) == 2
    output, errors = capfdbinary.readouterr()
    assert output == b""
    assert f"{file}" in errors.decode()
    assert told in errors.decode()
    assert not out.exists()
    assert main(["status-message", str(file), "--json"]) == 2
    refused = json.loads(capfdbinary.readouterr().out)
    assert refused["outcome"] == "refused"
    assert all(fault["what"] and fault["remedy"] for fault in refused["faults"])


def test_what_the_rules_refuse_is_not_written(tmp_path: Path, capfdbinary: Capture) -> None:
    """Exit code 1 and the finding in words: a recipient's rules are the last word."""
    config = tmp_path / "gateway.toml"
    config.write_text('[legal]\nid = "0003"\nportal_id = "9998"\n')
    file = tmp_path / "request.toml"
    file.write_text(
        'status = "203"\nto = "portal"\n[[invoices]]\nnumber = "A"\nissued = 2026-09-12\n'
        'seller = "000123455"\nreceived = 2026-09-12T08:00:00\n'
    )
    out = tmp_path / "m.xml"
    command = ["status-message", str(file), "--config", str(config), "--lang", "en"]
    assert main([*command, "-o", str(out)]) == 1
    output, errors = capfdbinary.readouterr()
    assert output == b""
    assert b"[BR-FR-CDV-02_MDT-3]" in errors
    assert not out.exists()
    assert main([*command, "--json"]) == 1
    told = json.loads(capfdbinary.readouterr().out)
    assert told["outcome"] == "invalid"
    assert told["message"] is None
    assert "BR-FR-CDV-02_MDT-3" in {finding["rule"] for finding in told["findings"]}


def test_a_check_that_cannot_be_made_is_no_success(
    tmp_path: Path, capfdbinary: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 3, and no message: without the official rules nobody knows whether it is valid."""
    monkeypatch.setenv("EDI_GATEWAY_RULE_PACKS", str(tmp_path / "none"))
    file = request(tmp_path, capfdbinary)
    assert main(["status-message", str(file), "-o", str(tmp_path / "m.xml")]) == 3
    output, errors = capfdbinary.readouterr()
    assert output == b""
    assert b"cdar-d22b is missing" in errors
    assert not (tmp_path / "m.xml").exists()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ('[legal]\nrole = "XX"\n', b"legal.role"),
        ('[legal]\ntime_zone = "Paris"\n', b"legal.time_zone"),
        ('[legal]\napplication = "abc"\n', b"legal.application"),
        ("[legl]\n", b'Did you mean "legal"'),
        ("[legal\n", b"Not valid TOML"),
    ],
)
def test_faulty_settings_are_told(
    settings: str, told: bytes, tmp_path: Path, capfdbinary: Capture
) -> None:
    """Exit code 2, as for every command."""
    config = tmp_path / "gateway.toml"
    config.write_text(settings)
    file = request(tmp_path, capfdbinary)
    assert main(["status-message", str(file), "--config", str(config)]) == 2
    assert told in capfdbinary.readouterr().err


def test_files_that_cannot_be_read_or_written(tmp_path: Path, capfdbinary: Capture) -> None:
    """Exit code 2, with the file."""
    assert main(["status-message", str(tmp_path / "none.toml")]) == 2
    told = capfdbinary.readouterr().err
    assert b"none.toml" in told
    assert b"The file cannot be read: No such file" in told
    file = request(tmp_path, capfdbinary)
    assert main(["status-message", str(file), "-o", str(tmp_path / "none" / "m.xml")]) == 2
    assert b"cannot be written" in capfdbinary.readouterr().err
    file.write_bytes(b"\xff\xfe")
    assert main(["status-message", str(file)]) == 2
    assert b"Neither TOML nor JSON" in capfdbinary.readouterr().err
    file.write_bytes(b'{"a":' * 100_000)
    assert main(["status-message", str(file)]) == 2


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_statuses_are_listed(language: str, capfdbinary: Capture) -> None:
    """For people and for programs, with the reasons of each in their words."""
    assert main(["status-message", "--statuses", "--lang", language]) == 0
    text = capfdbinary.readouterr().out.decode()
    assert ("Refusée" if language == "fr" else "refused") in text
    assert main(["status-message", "--statuses", "--json", "--lang", language]) == 0
    rows = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert [row["status"] for row in rows] == list(STATUSES)
    refused = next(row for row in rows if row["status"] == "210")
    assert refused["reason_needed"] is True
    assert refused["reasons"]["CALCUL_ERR"] in ("Erreur de calcul", "Error of calculation")


def keys(struct: msgspec.inspect.Type) -> set[str]:
    """Every key a request may have, those of its tables included."""
    found: set[str] = set()
    match struct:
        case msgspec.inspect.StructType():
            for field in struct.fields:
                found |= {field.name} | keys(field.type)
        case msgspec.inspect.UnionType():
            for kind in struct.types:
                found |= keys(kind)
        case msgspec.inspect.VarTupleType():
            found |= keys(struct.item_type)
    return found


def test_the_document_names_every_key_of_a_request() -> None:
    """docs/commands.md leaves none out."""
    document = Path(__file__).parents[2] / "docs" / "commands.md"
    section = document.read_text(encoding="utf-8").split("## `status-message`")[1].split("\n## ")[0]
    named = set(re.findall(r"`\[*([a-z_.]+)\]*`", section))
    named |= {name.rpartition(".")[2] for name in named}
    assert keys(msgspec.inspect.type_info(StatusRequest)) <= named
