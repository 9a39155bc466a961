"""`edi-gateway validate`: exit codes, JSON, words, and the SVRL beside them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lxml import etree

from gateway.cli.main import main
from gateway.cli.validate_text import in_words
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.xml import ParsedXml, parse
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Finding, Judgement, Language, Layer, Rejected, Severity
from gateway.samples import sample_bytes
from tests.schematron_sources import UBL, rule, written

FLOW = ("--flow", "en16931-invoice")


@pytest.fixture(autouse=True)
def no_imported_packs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this machine has imported makes no difference."""
    monkeypatch.setenv("EDI_GATEWAY_RULE_PACKS", str(tmp_path / "none"))


@pytest.fixture
def sample(tmp_path: Path) -> Any:
    """A function that puts a sample, or bytes of its own, on disk and gives its path."""

    def put(name: str, data: bytes | None = None) -> str:
        path = tmp_path / name
        path.write_bytes(sample_bytes(name) if data is None else data)
        return str(path)

    return put


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The JSON objects printed."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_good_invoice_is_accepted(sample: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0 and one object with the documented keys."""
    path = sample("ubl-invoice.xml")
    assert main(["validate", path, *FLOW, "--json"]) == 0
    (said,) = lines(capsys)
    assert said["file"] == path
    assert said["document"] == "ubl-invoice.xml"
    assert said["sha256"] == hashlib.sha256(sample_bytes("ubl-invoice.xml")).hexdigest()
    assert (said["flow"], said["syntax"]) == ("en16931-invoice", "ubl")
    assert said["profile"] == "urn:cen.eu:en16931:2017"
    assert (said["verdict"], said["findings"]) == ("accepted", [])
    (pack,) = said["rules"]
    assert set(pack) == {"pack", "version", "sha256"}
    assert {"parse", "xsd", "schematron", "map"} <= set(said["timings_ms"])


def test_a_faulty_invoice_is_rejected_with_a_full_finding(
    sample: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1; the finding has rule, place, terms, and words in the language asked for."""
    path = sample("ubl-invoice-faulty.xml")
    assert main(["validate", path, *FLOW, "--json", "--lang", "fr"]) == 1
    (said,) = lines(capsys)
    (finding,) = said["findings"]
    assert finding["rule"] == "BR-CO-15"
    assert (finding["layer"], finding["severity"]) == ("schematron", "error")
    assert finding["pack"] == "en16931-ubl"
    assert finding["location"]
    assert finding["line"] > 0
    assert finding["column"] > 0
    assert set(finding["terms"]) >= {"BT-112", "BT-109", "BT-110"}
    assert "TVA" in finding["explanation"]
    assert finding["remedy"]


def test_the_words_are_in_the_language_asked_for(
    sample: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --json people read verdict, what, where, why and how to mend."""
    path = sample("ubl-invoice-faulty.xml")
    assert main(["validate", path, *FLOW, "--lang", "fr"]) == 1
    french = capsys.readouterr().out
    assert main(["validate", path, *FLOW, "--lang", "en"]) == 1
    english = capsys.readouterr().out
    for text, words in (
        (french, ("REJETÉ", "BR-CO-15 (erreur)", "ligne", "pourquoi", "que faire", "BT-112")),
        (english, ("REJECTED", "BR-CO-15 (error)", "line", "why", "to mend it", "BT-112")),
    ):
        for word in words:
            assert word in text


@pytest.mark.parametrize(
    ("file", "language", "kind"),
    [
        ("ubl-invoice.xml", "fr", "facture UBL"),
        ("ubl-credit-note.xml", "fr", "avoir UBL"),
        ("ubl-credit-note.xml", "en", "UBL credit note"),
    ],
)
def test_the_kind_of_document_is_in_the_language_too(
    sample: Any, capsys: pytest.CaptureFixture[str], file: str, language: str, kind: str
) -> None:
    """People read what kind of document it was taken for, not our code for it."""
    assert main(["validate", sample(file), *FLOW, "--layers", "xsd", "--lang", language]) == 3
    assert f"-invoice ({kind})" in capsys.readouterr().out


def test_what_cannot_be_read_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder, a missing file: named, with the way out, and nothing on standard output."""
    assert main(["validate", str(tmp_path), str(tmp_path / "none.xml"), *FLOW, "--json"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    folder, missing = said.err.splitlines()
    assert "Name the files in it" in folder
    assert "Correct the name" in missing


@pytest.mark.parametrize(
    ("environment", "word"), [("fr_FR.UTF-8", "ACCEPTÉ"), ("C.UTF-8", "ACCEPTED")]
)
def test_the_language_is_that_of_the_environment(
    sample: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    environment: str,
    word: str,
) -> None:
    """A French terminal speaks French, any other English."""
    monkeypatch.setenv("LC_ALL", environment)
    assert main(["validate", sample("ubl-invoice.xml"), *FLOW]) == 0
    assert word in capsys.readouterr().out


def test_a_pack_that_is_not_there_leaves_it_undetermined(
    sample: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 3, cause and remedy."""
    assert main(["validate", sample("cii-invoice.xml"), *FLOW, "--json"]) == 3
    (said,) = lines(capsys)
    assert said["verdict"] == "undetermined"
    assert "en16931-cii" in said["cause"]
    assert "rules import" in said["remedy"]


def test_of_several_flows_the_strictest_judges(
    sample: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --flow a plain invoice fits two: the one with more rules judges, and it is said."""
    path = sample("ubl-invoice.xml")
    assert main(["validate", path, "--json"]) == 0
    (said,) = lines(capsys)
    assert (said["flow"], said["verdict"]) == ("ctc-fr-invoice", "accepted")
    (remark,) = said["findings"]
    assert (remark["rule"], remark["severity"]) == ("ROUTE-FLOW-CHOSEN", "info")
    assert "en16931-invoice" in remark["message"]

    assert main(["validate", path, "--flow", "en16931-invoice", "--json"]) == 0
    (said,) = lines(capsys)
    assert (said["flow"], said["findings"]) == ("en16931-invoice", [])


@pytest.mark.parametrize(
    ("language", "chosen", "passed"),
    [
        ("fr", "nommez-le avec --flow", "Tous les contrôles sont passés."),
        ("en", "name it with --flow", "Every check passed."),
    ],
)
def test_the_choice_is_told_beside_the_flow(
    sample: Any, capsys: pytest.CaptureFixture[str], language: str, chosen: str, passed: str
) -> None:
    """It is no finding about the document: nothing is numbered, and every check has passed."""
    assert main(["validate", sample("ubl-invoice.xml"), "--lang", language]) == 0

    out = capsys.readouterr().out
    words = " ".join(out.split())
    assert chosen in words
    assert passed in words
    assert "1. " not in out
    assert "ROUTE-FLOW-CHOSEN" not in out


@pytest.mark.parametrize(
    ("file", "language", "says"),
    [
        (
            "ubl-invoice-faulty.xml",
            "fr",
            "(BT-112) vaut 4 583,61, alors que « Montant total de la facture hors TVA » (BT-109) "
            "3 809,00 + « Montant total de TVA de la facture » (BT-110) 729,61 = 4 538,61 : 45,00 "
            "de trop. que faire Corrigez « Montant total de la facture avec TVA » (BT-112, ligne "
            "187)",
        ),
        (
            "ubl-invoice-faulty.xml",
            "en",
            "(BT-112) is 4,583.61, but “Invoice total amount without VAT” (BT-109) 3,809.00 + "
            "“Invoice total VAT amount” (BT-110) 729.61 = 4,538.61: 45.00 too much. to mend it "
            "Correct “Invoice total amount with VAT” (BT-112, line 187)",
        ),
        (
            "ubl-credit-note-faulty.xml",
            "fr",
            "que faire Citez la facture créditée et sa date.",
        ),
        (
            "ubl-credit-note-faulty.xml",
            "en",
            "to mend it Name the invoice that is credited, and its date.",
        ),
    ],
)
def test_a_faulty_sample_is_told_so_that_it_can_be_mended(
    sample: Any, capsys: pytest.CaptureFixture[str], file: str, language: str, says: str
) -> None:
    """With the terms, the figures of the document and the line, without a flow being named."""
    assert main(["validate", sample(file), "--lang", language]) == 1

    assert says in " ".join(capsys.readouterr().out.split())


def test_a_document_that_fits_one_flow_needs_no_choice(
    sample: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """BT-24 alone decides where it can."""
    old = b">urn:cen.eu:en16931:2017<"
    extended = b">urn:cen.eu:en16931:2017#conformant#urn.cpro.gouv.fr:1p0:extended-ctc-fr<"
    path = sample("extended.xml", sample_bytes("ubl-invoice.xml").replace(old, extended))
    main(["validate", path, "--json"])
    (said,) = lines(capsys)
    assert said["flow"] == "ctc-fr-invoice"
    assert [rules["pack"] for rules in said["rules"]] == ["extended-ctc-fr-ubl", "br-fr-flux2-ubl"]


def test_the_rules_of_another_day_can_be_tried(
    sample: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A version that is to come judges already, where its day is named."""
    asserted = rule("/ubl:Invoice", '<assert id="H-1" test="not(cbc:ID)">x</assert>')
    body = f"{UBL}<pattern>{asserted}</pattern>"
    (tmp_path / "house.toml").write_text(
        'name = "house"\n[match]\nsyntaxes = ["ubl"]\n'
        '[[chain]]\nsyntax = "ubl"\nschema = "ubl-2.1"\nrules = ["acme"]\n'
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    packs = ("--rule-packs", str(tmp_path / "packs"))
    for test, first in (("cbc:ID", "2020-01-01"), ("not(cbc:ID)", "2999-01-01")):
        file = written(elsewhere, body.replace("not(cbc:ID)", test), name="acme.sch")
        assert main(["rules", "import", str(file), "--valid-from", first, *packs]) == 0
    command = ["validate", sample("ubl-invoice.xml"), "--flows", str(tmp_path), "--json", *packs]
    capsys.readouterr()

    assert main(command) == 0
    assert main([*command, "--rules", "2999-01-01"]) == 1
    assert main([*command, "--rules", "2019-12-31"]) == 3

    today, coming, never = lines(capsys)
    assert today["findings"] == []
    assert [found["rule"] for found in coming["findings"]] == ["H-1"]
    assert "acme has no version that applies on 2019-12-31" in never["cause"]


def test_layers_run_only_those_checks(sample: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The verdict is withheld unless something failed."""
    good = sample("ubl-invoice.xml")
    assert main(["validate", good, *FLOW, "--layers", "xsd", "--json"]) == 3
    faulty = sample("ubl-invoice-faulty.xml")
    assert main(["validate", faulty, *FLOW, "--layers", "xsd", "--json"]) == 3
    assert main(["validate", faulty, *FLOW, "--layers", "schematron,xsd", "--json"]) == 1
    said = lines(capsys)
    assert [one["verdict"] for one in said] == ["undetermined", "undetermined", "rejected"]
    assert said[0]["rules"] == []


@pytest.mark.parametrize("layers", ["", "xml", "xsd,map"])
def test_unknown_layers_are_a_usage_error(sample: Any, layers: str) -> None:
    """Exit code 2, as for every wrong option."""
    with pytest.raises(SystemExit) as ended:
        main(["validate", sample("ubl-invoice.xml"), "--layers", layers])
    assert ended.value.code == 2


def test_an_unknown_flow_is_a_usage_error(sample: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and the flows there are."""
    assert main(["validate", sample("ubl-invoice.xml"), "--flow", "nowhere"]) == 2
    assert "en16931-invoice" in capsys.readouterr().err


def test_svrl_is_written_for_every_pack(sample: Any, tmp_path: Path) -> None:
    """One file per pack, the report as the official stylesheet writes it."""
    folder = tmp_path / "svrl" / "deep"
    main(["validate", sample("ubl-invoice.xml"), "--flow", "ctc-fr-invoice", "--svrl", str(folder)])
    names = sorted(path.name for path in folder.iterdir())
    assert names == [
        "ubl-invoice.xml.br-fr-flux2-ubl.svrl.xml",
        "ubl-invoice.xml.en16931-ubl.svrl.xml",
    ]
    for name in names:
        root = etree.parse(str(folder / name)).getroot()
        assert root.tag == "{http://purl.oclc.org/dsdl/svrl}schematron-output"


def test_the_gravest_outcome_is_the_exit_code(
    sample: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every file is judged, whatever the others are; a file that is not there is a usage error."""
    good, faulty = sample("ubl-invoice.xml"), sample("ubl-invoice-faulty.xml")
    undetermined, missing = sample("cii-invoice.xml"), str(tmp_path / "missing.xml")
    assert main(["validate", good, undetermined, faulty, *FLOW, "--json"]) == 1
    assert len(lines(capsys)) == 3
    assert main(["validate", good, undetermined, *FLOW, "--json"]) == 3
    capsys.readouterr()
    assert main(["validate", missing, faulty, good, *FLOW, "--json"]) == 2
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 2
    assert "missing.xml" in printed.err
    assert main(["validate", str(tmp_path), *FLOW]) == 2


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "XML-EMPTY"),
        (gzip.compress(b"<a/>"), "CONTAINER-NO-TAR"),
        (b"7z\xbc\xaf\x27\x1c", "CONTAINER-UNSUPPORTED"),
        (b"<a/>", "ROUTE-UNKNOWN-ROOT"),
    ],
    ids=["empty", "gzip", "7z", "another root"],
)
def test_what_is_no_invoice_is_rejected(
    sample: Any, capsys: pytest.CaptureFixture[str], data: bytes, rule: str
) -> None:
    """Whatever a file holds, it gets a finding."""
    assert main(["validate", sample("x.xml", data), "--json"]) == 1
    (said,) = lines(capsys)
    assert [finding["rule"] for finding in said["findings"]] == [rule]


def test_standard_input_is_a_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`-` reads from a pipe."""
    stream = SimpleNamespace(buffer=io.BytesIO(sample_bytes("ubl-invoice.xml")))
    monkeypatch.setattr(sys, "stdin", stream)
    assert main(["validate", "-", *FLOW, "--json"]) == 0
    (said,) = lines(capsys)
    assert said["file"] == "-"


def test_what_a_document_says_cannot_command_the_terminal() -> None:
    """Control characters from a document or a file name are not printed."""
    finding = Finding(
        rule="X", layer=Layer.XML, severity=Severity.ERROR, message="a\x1b[2Jb", excerpt="\x07"
    )
    judgement = Judgement(
        document="d",
        sha256="",
        size=0,
        flow=None,
        syntax=None,
        document_type=None,
        profile="\x1b]0;owned\x07",
        verdict=Rejected((finding,)),
    )
    for language in Language:
        text = in_words(judgement, "f\x1b.xml", language)
        assert all(character.isprintable() or character == "\n" for character in text)


def ubl_corpus() -> list[Path]:
    """Public UBL examples kept outside the project, if they are here."""
    folder = os.environ.get("EDI_GATEWAY_CORPUS")
    return sorted(Path(folder, "ubl").glob("*.xml")) if folder else []


MUTATIONS = (
    (rb"(<cbc:PayableAmount[^>]*>)[^<]*", rb"\g<1>77.77"),
    (rb"(<cbc:TaxAmount[^>]*>)[^<]*", rb"\g<1>-5.005"),
    (rb"(currencyID=)\"...\"", rb'\1"ZZZ"'),
    (rb"<cbc:ID>[^<]*</cbc:ID>", rb"<cbc:ID></cbc:ID>"),
    (rb"(<cbc:IdentificationCode[^>]*>)[^<]*", rb"\1QQ"),
    (rb"<cac:PartyLegalEntity>.*?</cac:PartyLegalEntity>", rb""),
)
"""Faults that break many rules: the examples themselves break none."""


@pytest.mark.corpus
@pytest.mark.skipif(not ubl_corpus(), reason="EDI_GATEWAY_CORPUS names no folder of examples")
def test_the_corpus_fails_the_same_rules_as_the_official_stylesheet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rule by rule and in the same order, on every public UBL example, whole and with faults."""
    from saxonche import PySaxonProcessor

    whole = ubl_corpus()
    main(["validate", *map(str, whole), *FLOW, "--json"])
    said = lines(capsys)
    faulty = []
    for file in whole:
        for number, (pattern, replacement) in enumerate(MUTATIONS):
            copy = tmp_path / f"{number}-{file.name}"
            copy.write_bytes(re.sub(pattern, replacement, file.read_bytes(), flags=re.DOTALL))
            faulty.append(copy)
    main(["validate", *map(str, faulty), *FLOW, "--layers", "schematron", "--json"])
    said += lines(capsys)

    stylesheet = Catalogue.load().locate("en16931-ubl")
    namespaces = {"svrl": "http://purl.oclc.org/dsdl/svrl"}
    seen = set()
    with PySaxonProcessor(license=False) as saxon:
        official = saxon.new_xslt30_processor().compile_stylesheet(stylesheet_file=str(stylesheet))
        for file, one in zip([*whole, *faulty], said, strict=True):
            document = parse(file.read_bytes(), DocumentLimits())
            assert isinstance(document, ParsedXml)
            node = saxon.parse_xml(xml_text=document.data.decode(), encoding="UTF-8")
            svrl = etree.fromstring(official.transform_to_string(xdm_node=node).encode())
            failed = svrl.xpath("//svrl:failed-assert/@id", namespaces=namespaces)
            rules = [f["rule"] for f in one["findings"] if f["layer"] == "schematron"]
            assert rules == failed, file
            seen.update(failed)
    assert len(seen) > 15
