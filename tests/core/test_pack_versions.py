"""Several versions of one rule pack: the day of receipt picks the one that judges."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

import pytest

from gateway.core.pipeline import Judge
from gateway.core.schematron.catalogue import Catalogue
from gateway.core.schematron.catalogue_entries import PackEntry
from gateway.core.schematron.importing_files import Imported, Wanted, import_file
from gateway.core.schematron.versions import applying, in_order, keyed, last_day
from gateway.errors import ConfigurationError, RulePackError
from gateway.model.flow import Chain, Flow
from gateway.model.interchange import Syntax
from gateway.model.job import DocumentLimits, JudgeJob
from gateway.model.verdict import Accepted, Judgement, Rejected, Undetermined
from gateway.samples import sample_bytes
from tests import mini_packs
from tests.schematron_sources import UBL, pattern, rule, schema, written

SAMPLES = {name: sample_bytes(name) for name in ("ubl-invoice.xml", "cii-invoice.xml")}
OCTOBER, NOVEMBER, DECEMBER = (dt.date(2026, month, 1) for month in (10, 11, 12))


def entry(version: str, first: dt.date | None, last: dt.date | None = None) -> PackEntry:
    """A version with these first and last days."""
    return PackEntry(
        title="t",
        syntax=Syntax.UBL,
        package="p",
        path="p.xslt",
        sha256=hashlib.sha256(version.encode()).hexdigest(),
        version=version,
        valid_from=first,
        valid_until=last,
        name="acme",
    )


def test_the_version_that_began_last_applies() -> None:
    """From its first day on; when it ends, the one before applies again."""
    versions = in_order(
        [entry("3", NOVEMBER, dt.date(2026, 11, 30)), entry("1", None), entry("2", OCTOBER)]
    )

    applied = [
        applying(versions, day) for day in (dt.date(2020, 1, 1), OCTOBER, NOVEMBER, DECEMBER)
    ]

    assert [each.version if each else None for each in applied] == ["1", "2", "3", "2"]


def test_there_may_be_no_version_for_a_day() -> None:
    """Before the first one, and after the last one has ended."""
    versions = in_order([entry("1", OCTOBER, dt.date(2026, 10, 31)), entry("2", DECEMBER)])

    days = (dt.date(2026, 9, 30), dt.date(2026, 10, 31), NOVEMBER)

    assert [applying(versions, day) is None for day in days] == [True, False, True]


def test_a_version_ends_the_day_before_the_next_begins() -> None:
    """Or sooner, where that is stated."""
    one, two, three = versions = in_order(
        [entry("1", None), entry("2", OCTOBER, dt.date(2026, 10, 15)), entry("3", DECEMBER)]
    )

    assert last_day(one, versions) == dt.date(2026, 9, 30)
    assert last_day(two, versions) == dt.date(2026, 10, 15)
    assert last_day(three, versions) is None


def test_only_several_versions_are_called_by_their_days() -> None:
    """What a pack with one version is called does not change; NAME alone is the newest."""
    one, two = in_order([entry("1", None), entry("2", OCTOBER)])

    assert keyed((two,)) == {"acme": two}
    assert keyed((one, two)) == {"acme": two, "acme@first": one, "acme@2026-10-01": two}


def two_versions(folder: Path, second: str) -> Path:
    """The file of a catalogue whose pack `mini` has a second version, stated by this TOML."""
    mini_packs.catalogue(folder)
    file = folder / "catalogue.toml"
    first = file.read_text().replace("[packs.mini]", "[[packs.mini]]")
    file.write_text(f'{first}\n[[packs.mini]]\ntitle = "t"\npackage = "mini"\n{second}')
    return file


def test_the_catalogue_states_versions_with_their_sums(tmp_path: Path) -> None:
    """Each is a file of its own, verified by its own sum."""
    newer = mini_packs.stylesheet(mini_packs.ASSERTIONS.replace("T-01", "T-02"))
    file = two_versions(
        tmp_path,
        'syntax = "ubl"\nversion = "2.0"\nvalid_from = 2027-01-01\npath = "mini/rules/mini.xslt"\n'
        f'sha256 = "{hashlib.sha256(newer).hexdigest()}"\n',
    )
    catalogue = Catalogue.load(tmp_path / "packs", file=file)
    place = catalogue.stored_path(catalogue.versions("mini")[1])
    place.parent.mkdir()
    place.write_bytes(newer)

    before, after = (
        catalogue.on("mini", day) for day in (dt.date(2026, 12, 31), dt.date(2027, 1, 1))
    )

    assert b"T-01" in catalogue.artefact(before).stylesheet
    assert catalogue.artefact(after).stylesheet == newer
    assert catalogue.coming("mini", dt.date(2026, 12, 31)) == (after,)
    with pytest.raises(RulePackError, match="no version that applies on 2025-12-31") as caught:
        catalogue.on("mini", dt.date(2025, 12, 31))
    assert "version 1.0 from 2026-01-01 until 2026-12-31" in caught.value.what
    assert "rules import FILE --name mini --valid-from DATE" in caught.value.remedy


@pytest.mark.parametrize(
    ("version", "valid_from", "syntax", "says"),
    [
        ("2.0", "2026-01-01", "ubl", "told apart"),
        ("1.0", "2027-01-01", "ubl", "told apart"),
        ("2.0", "2027-01-01", "cii", "not for the same documents"),
    ],
)
def test_versions_of_the_catalogue_that_clash(
    tmp_path: Path, version: str, valid_from: str, syntax: str, says: str
) -> None:
    """The same first day, the same version, another syntax: nobody could say which is meant."""
    file = two_versions(
        tmp_path,
        f'syntax = "{syntax}"\nversion = "{version}"\nvalid_from = {valid_from}\n'
        'path = "x.xslt"\nsha256 = "00"\n',
    )

    with pytest.raises(RulePackError, match=says):
        Catalogue.load(tmp_path / "packs", file=file)


# ------------------------------------------------------------------------------------ imports


def house(folder: Path, test: str) -> Path:
    """Schematron with one rule about UBL invoices."""
    return written(
        folder, UBL + pattern(rule("/ubl:Invoice", f'<assert id="ACME-1" test="{test}">x</assert>'))
    )


def imported(folder: Path, test: str, first: dt.date | None, name: str = "acme") -> Imported:
    """A version of the pack that demands this, from a day on."""
    catalogue = Catalogue.load(folder / "packs")
    (found,) = import_file(
        catalogue, house(folder, test), SAMPLES, Wanted(name=name, valid_from=first)
    )
    return found


def judged(judge: Judge, day: dt.date) -> Judgement:
    """The judgement on our good UBL invoice, received on that day."""
    data = SAMPLES["ubl-invoice.xml"]
    job = JudgeJob(
        path="/nowhere",
        name="x.xml",
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        partner=None,
        partner_flows=None,
        on=day,
    )
    return judge.judge(job, data)


def judge_of(folder: Path, *rules: str) -> Judge:
    """A judge by these packs."""
    chain = Chain(syntax=Syntax.UBL, schema="ubl-2.1", rules=rules)
    catalogue = Catalogue.load(folder / "packs")
    return Judge((Flow(name="acme", chain=(chain,)),), catalogue, DocumentLimits())


def test_an_import_supersedes_from_its_day_on(tmp_path: Path) -> None:
    """While the judge runs: what was received before is judged as it was."""
    old = imported(tmp_path, "cbc:ID", OCTOBER)
    judge = judge_of(tmp_path, "acme")
    assert isinstance(judged(judge, NOVEMBER).verdict, Accepted)

    new = imported(tmp_path, "not(cbc:ID)", NOVEMBER)
    before, after = judged(judge, OCTOBER), judged(judge, NOVEMBER)
    never = judged(judge, dt.date(2026, 9, 30)).verdict

    assert isinstance(before.verdict, Accepted)
    assert isinstance(after.verdict, Rejected)
    assert [each.rules[0].sha256 for each in (before, after)] == [
        old.entry.sha256,
        new.entry.sha256,
    ]
    assert [each.rules[0].pack for each in (before, after)] == ["acme", "acme"]
    assert after.findings[0].pack == "acme"
    assert isinstance(never, Undetermined)
    assert "acme has no version that applies on 2026-09-30" in never.cause


def test_the_same_day_again_replaces(tmp_path: Path) -> None:
    """There is one version for each day, the one imported last."""
    imported(tmp_path, "cbc:ID", OCTOBER)
    new = imported(tmp_path, "not(cbc:ID)", OCTOBER)

    (only,) = Catalogue.load(tmp_path / "packs").versions("acme")

    assert only.sha256 == new.entry.sha256


def test_another_code_list_is_another_version(tmp_path: Path) -> None:
    """The same stylesheet beside new codes: the version before keeps its own."""
    chosen = {}
    for codes, day in (("<c>X</c>", OCTOBER), ("<c>Y</c>", NOVEMBER)):
        folder = tmp_path / codes[3]
        folder.mkdir()
        (folder / "acme.xslt").write_bytes(
            mini_packs.stylesheet("<xsl:if test=\"document('codes.xml')/c = 'X'\"/>")
        )
        (folder / "codes.xml").write_text(codes)
        catalogue = Catalogue.load(tmp_path / "packs")
        wanted = Wanted(syntax=Syntax.UBL, valid_from=day)
        import_file(catalogue, folder / "acme.xslt", SAMPLES, wanted)
        chosen[day] = codes.encode()

    catalogue = Catalogue.load(tmp_path / "packs")
    for day, content in chosen.items():
        assert catalogue.artefact(catalogue.on("acme", day)).codes == {"codes.xml": content}


def test_an_official_pack_gets_a_new_version_only_by_its_name(tmp_path: Path) -> None:
    """Said with --name, an import takes over from its day on; the official one judges before."""
    catalogue = Catalogue.load(tmp_path / "packs")
    file = tmp_path / "b2g-ubl.sch"
    body = UBL + pattern(rule("/ubl:Invoice", '<assert id="N-1" test="cbc:ID">x</assert>'))
    file.write_text(schema(body), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="by its name alone") as caught:
        import_file(catalogue, file, SAMPLES, Wanted(valid_from=DECEMBER))
    assert "--name b2g-ubl" in caught.value.remedy
    with pytest.raises(ConfigurationError, match="is for UBL"):
        import_file(catalogue, file, SAMPLES, Wanted("b2g-ubl", Syntax.CII, None, DECEMBER))

    import_file(catalogue, file, SAMPLES, Wanted("b2g-ubl", None, None, DECEMBER))

    judge = judge_of(tmp_path, "b2g-ubl")
    before, after = (judged(judge, day) for day in (NOVEMBER, DECEMBER))
    assert before.rules[0].version == "1.0"
    assert any(found.rule.startswith("BR-FR-CPRO") for found in before.findings)
    assert isinstance(after.verdict, Accepted)
    assert len(catalogue.versions("b2g-ubl")) == 2


def test_a_judge_forgets_only_what_changed(tmp_path: Path) -> None:
    """The names of other packs, and of versions that stay, are not among them."""
    for day in (OCTOBER, NOVEMBER):
        imported(tmp_path, "cbc:ID", day)
    imported(tmp_path, "cbc:ID", None, name="other")
    catalogue = Catalogue.load(tmp_path / "packs")
    assert catalogue.refresh() == frozenset()

    imported(tmp_path, "cbc:ID", DECEMBER)

    assert catalogue.refresh() == {"acme", "acme@2026-12-01"}


def test_warming_up_compiles_what_applies_and_what_comes(tmp_path: Path) -> None:
    """No document of the first day of a version has to wait for it; a past one is left alone."""
    for day in (OCTOBER, NOVEMBER, DECEMBER):
        imported(tmp_path, "cbc:ID", day)
    catalogue = Catalogue.load(tmp_path / "packs")
    for path in (tmp_path / "packs").rglob("house.sch"):
        path.write_text("<altered/>")
    judge = judge_of(tmp_path, "acme")

    (now,) = judge.warm_up(NOVEMBER)
    (never,) = judge.warm_up(dt.date(2026, 9, 1))

    assert "acme@2026-11-01" in now.what
    assert "no version that applies on 2026-09-01" in never.what
    assert catalogue.coming("acme", NOVEMBER) == ("acme@2026-12-01",)


def test_people_name_versions_in_several_ways(tmp_path: Path) -> None:
    """By a day, by the version, by the beginning of the sum; a name alone is that of the day."""
    sums = {day: imported(tmp_path, f"cbc:ID != '{day}'", day).entry for day in (OCTOBER, DECEMBER)}
    catalogue = Catalogue.load(tmp_path / "packs")
    first, second = "acme@2026-10-01", "acme@2026-12-01"

    assert catalogue.find("acme", NOVEMBER) == first
    assert catalogue.find("acme", DECEMBER) == second
    assert catalogue.find("acme@2027-03-01", NOVEMBER) == second
    assert catalogue.find(f"acme@{sums[OCTOBER].version}", NOVEMBER) == first
    assert catalogue.find(f"acme@{sums[DECEMBER].sha256[:8]}", NOVEMBER) == second
    assert catalogue.find("acme@9", NOVEMBER) is None
    assert catalogue.find("acme@2026-01-01", NOVEMBER) is None
    assert catalogue.find("nothing", NOVEMBER) is None
