"""Rule packs from files: compiled and tried first, pinned, and live without a restart."""

from __future__ import annotations

import datetime as dt
import hashlib
import zipfile
from pathlib import Path

import pytest

from gateway.core.pipeline import Judge
from gateway.core.schematron.catalogue import Catalogue, PackProblem, PackState
from gateway.core.schematron.importing_files import Imported, Wanted, import_file
from gateway.core.schematron.source import SourceError, compile_source
from gateway.errors import ConfigurationError, RulePackError
from gateway.model.flow import Chain, Flow
from gateway.model.interchange import Syntax
from gateway.model.job import DocumentLimits, JudgeJob
from gateway.model.verdict import Accepted, Judgement, Rejected, Undetermined
from gateway.samples import sample_bytes
from tests.schematron_sources import UBL, pattern, rule, schema

SAMPLES = {name: sample_bytes(name) for name in ("ubl-invoice.xml", "cii-invoice.xml")}
GOOD = UBL + pattern(rule("/ubl:Invoice", '<assert id="ACME-1" test="cbc:ID">x</assert>'))
BAD = GOOD.replace('test="cbc:ID"', 'test="not(cbc:ID)"')


def imported(
    folder: Path, file: Path, catalogue: Catalogue | None = None, **wanted: object
) -> tuple[Imported, ...]:
    """Import the file into `folder`/packs."""
    catalogue = catalogue or Catalogue.load(folder / "packs")
    return import_file(catalogue, file, SAMPLES, Wanted(**wanted))  # type: ignore[arg-type]


def schematron(folder: Path, body: str = GOOD, name: str = "Acme House.sch") -> Path:
    """Schematron as a file."""
    path = folder / name
    path.write_text(schema(body, 'schemaVersion="7"'), encoding="utf-8")
    return path


def zipped(folder: Path, **files: str) -> Path:
    """A zip of these texts; `__` in a name stands for a slash, the last `_` for the dot."""
    path = folder / "rules.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            stem, _, suffix = name.replace("__", "/").rpartition("_")
            archive.writestr(f"{stem}.{suffix}", content)
    return path


def test_schematron_is_pinned_tried_and_known_afterwards(tmp_path: Path) -> None:
    """By its own sum, under the name of its file, for the syntax it turned out to be about."""
    file = schematron(tmp_path)

    (found,) = imported(tmp_path, file)

    assert found.entry.name == "acme-house"
    assert found.entry.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (found.entry.syntax, found.entry.version) == (Syntax.UBL, "7")
    assert [(trial.sample, trial.rules) for trial in found.trials] == [
        ("ubl-invoice.xml", ()),
        ("cii-invoice.xml", None),
    ]
    catalogue = Catalogue.load(tmp_path / "packs")
    assert catalogue.names()[-1] == "acme-house"
    assert catalogue.locate("acme-house") == found.path
    assert catalogue.source("acme-house") == "imported from Acme House.sch"


def test_an_imported_pack_that_was_altered_is_not_used(tmp_path: Path) -> None:
    """As for every pack, and the remedy is to import it again."""
    (found,) = imported(tmp_path, schematron(tmp_path))
    found.path.write_text(found.path.read_text().replace("ACME-1", "ACME-2"))

    with pytest.raises(PackProblem) as caught:
        Catalogue.load(tmp_path / "packs").artefact("acme-house")

    assert caught.value.state is PackState.ALTERED
    assert "rules import" in caught.value.remedy


def test_a_stylesheet_with_its_code_list(tmp_path: Path) -> None:
    """The list beside it is pinned as well, and read without opening a file."""
    text = compile_source(schematron(tmp_path))
    text = text.replace('test="cbc:ID"', "test=\"document('codes.xml')/c = 'X'\"")
    file = tmp_path / "acme.xslt"
    file.write_text(text)
    (tmp_path / "codes.xml").write_text("<c>Y</c>")

    (found,) = imported(tmp_path, file)

    assert found.trials[0].rules == ("ACME-1",)
    assert found.path.with_name("codes.xml").is_file()
    assert set(found.entry.codes) == {"codes.xml"}


def test_a_zip_gives_its_packs_and_no_others(tmp_path: Path) -> None:
    """Each schema that is not a part of another; a stylesheet goes before its own source."""
    body = '<include href="parts/p.sch"/>' + UBL
    part = pattern(rule("/ubl:Invoice", '<assert id="P" test="1 = 2">x</assert>')).replace(
        "<pattern ", '<pattern xmlns="http://purl.oclc.org/dsdl/schematron" '
    )
    file = zipped(
        tmp_path,
        a__one_sch=schema(body),
        a__parts__p_sch=part,
        b__two_sch=schema(GOOD),
        b__two_xslt=compile_source(schematron(tmp_path, BAD)),
        README_txt="nothing",
    )

    found = {each.entry.name: each for each in imported(tmp_path, file)}

    assert sorted(found) == ["one", "two"]
    assert found["one"].trials[0].rules == ("P",)
    assert found["two"].path.suffix == ".xslt"
    assert found["two"].trials[0].rules == ("ACME-1",)
    assert Catalogue.load(tmp_path / "packs").artefact("one").entry.sha256


@pytest.mark.parametrize("name", ["../evil.sch", "/evil.sch", "a/../../evil.sch", "..\\evil.sch"])
def test_a_zip_that_would_leave_its_folder(tmp_path: Path, name: str) -> None:
    """Refused as a whole; nothing is written anywhere."""
    file = tmp_path / "rules.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("good.sch", schema(GOOD))
        archive.writestr(name, schema(GOOD))

    with pytest.raises(ConfigurationError, match="leave its folder"):
        imported(tmp_path, file)

    assert not (tmp_path / "packs").exists()


@pytest.mark.parametrize(
    ("body", "error", "says"),
    [
        (GOOD.replace('"cbc:ID"', '"cbc:ID ="'), SourceError, "is not understood"),
        (GOOD.replace('"cbc:ID"', '"xs:date(cbc:ID)"'), RulePackError, "fails on our sample"),
        (
            '<ns prefix="q" uri="urn:q"/>'
            + pattern(rule("q:Order", '<assert test="true()">x</assert>')),
            ConfigurationError,
            "No rule of acme-house applies",
        ),
        (
            pattern('<rule context="*:ID"><assert test="true()">x</assert></rule>'),
            ConfigurationError,
            "apply to cii and ubl",
        ),
    ],
)
def test_what_does_not_stand_its_trial_is_not_stored(
    tmp_path: Path, body: str, error: type[Exception], says: str
) -> None:
    """It does not compile, fails, has nothing to say, or about more than one syntax."""
    with pytest.raises(error, match=says):
        imported(tmp_path, schematron(tmp_path, body))

    assert not (tmp_path / "packs").exists()


def test_a_syntax_can_be_told(tmp_path: Path) -> None:
    """Rules for both are imported once for each."""
    body = pattern('<rule context="*:ID"><assert test="true()">x</assert></rule>')
    file = schematron(tmp_path, body)

    (found,) = imported(tmp_path, file, name="acme-cii", syntax=Syntax.CII)

    assert (found.entry.name, found.entry.syntax) == ("acme-cii", Syntax.CII)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.xslt", "<x/>", "not an XSLT stylesheet"),
        ("x.xslt", "<x", "not XML"),
        ("x.txt", "x", "no file of rules"),
        ("x.zip", "x", "cannot be unpacked"),
        ("en16931-ubl.sch", schema(GOOD), "pack of the catalogue"),
        ("é.sch", schema(GOOD), "not a usable name"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, content: str, says: str) -> None:
    """With what is wrong with them."""
    file = tmp_path / name
    file.write_text(content)

    with pytest.raises(ConfigurationError, match=says) as caught:
        imported(tmp_path, file)

    assert caught.value.remedy


def test_a_stylesheet_that_answers_something_else_than_svrl(tmp_path: Path) -> None:
    """Its answers could not be read."""
    file = tmp_path / "x.xslt"
    file.write_text(
        '<xsl:stylesheet version="2.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">'
        '<xsl:template match="/"><x/></xsl:template></xsl:stylesheet>'
    )

    with pytest.raises(RulePackError, match="not SVRL"):
        imported(tmp_path, file)


FLOW = Flow(name="acme", chain=(Chain(syntax=Syntax.UBL, schema="ubl-2.1", rules=("acme-house",)),))


def judged(judge: Judge) -> Judgement:
    """The judgement on our good UBL invoice."""
    data = SAMPLES["ubl-invoice.xml"]
    job = JudgeJob(
        path="/nowhere",
        name="x.xml",
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        partner=None,
        partner_flows=None,
        on=dt.date(2026, 10, 1),
    )
    return judge.judge(job, data)


def test_a_judge_that_runs_takes_an_import_in(tmp_path: Path) -> None:
    """Before the first import it is missing, afterwards each document meets the newest."""
    judge = Judge((FLOW,), Catalogue.load(tmp_path / "packs"), DocumentLimits())
    assert isinstance(judged(judge).verdict, Undetermined)

    (first,) = imported(tmp_path, schematron(tmp_path))
    accepted = judged(judge)
    (second,) = imported(tmp_path, schematron(tmp_path, BAD))
    rejected = judged(judge)

    assert isinstance(accepted.verdict, Accepted)
    assert accepted.rules[0].sha256 == first.entry.sha256
    assert isinstance(rejected.verdict, Rejected)
    assert rejected.rules[0].sha256 == second.entry.sha256


def test_an_import_that_cannot_be_read_is_no_verdict(tmp_path: Path) -> None:
    """Somebody changed the entry by hand: what applies is not known, so nothing is judged."""
    judge = Judge((FLOW,), Catalogue.load(tmp_path / "packs"), DocumentLimits())
    imported(tmp_path, schematron(tmp_path))
    (tmp_path / "packs" / "imported" / "acme-house" / "pack.json").write_text("{")

    verdict = judged(judge).verdict

    assert isinstance(verdict, Undetermined)
    assert "Import it again" in verdict.remedy
