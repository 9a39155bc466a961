"""`edi-gateway check` and the versions of a rule pack: those of today, and those to come."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.main import main
from tests.schematron_sources import UBL, pattern, rule, written

TODAY = dt.datetime.now(tz=dt.UTC).date()
PAST, COMING = (TODAY + dt.timedelta(days=days) for days in (-400, 400))


class Gateway:
    """A configuration whose one flow names the imported pack `house`."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._root, self._capsys = root, capsys
        self.packs = root / "packs"
        for folder in ("partners", "flows", "state"):
            (root / folder).mkdir()
        self._config = root / "gateway.toml"
        self._config.write_text(
            '[paths]\nstate = "state"\nflows = "flows"\nrule_packs = "packs"\n[sftp]\nport = 0\n'
        )
        (root / "flows" / "house.toml").write_text(
            'name = "house"\n[match]\nsyntaxes = ["ubl"]\n'
            '[[chain]]\nsyntax = "ubl"\nschema = "ubl-2.1"\nrules = ["house"]\n'
        )

    def version(self, first: dt.date) -> None:
        """Import a version that begins on this day."""
        test = f"cbc:ID != '{first}'"
        body = UBL + pattern(rule("/ubl:Invoice", f'<assert id="H-1" test="{test}">x</assert>'))
        file = written(self._root, body)
        command = ["rules", "import", str(file), "--valid-from", first.isoformat()]
        assert main([*command, "--rule-packs", str(self.packs)]) == 0
        self._capsys.readouterr()

    def said(self) -> tuple[int, list[tuple[str, str, str]]]:
        """The exit code; of each rule pack its name, the result, and what is wrong."""
        code = main(["check", "--json", "--config", str(self._config)])
        outcomes: list[dict[str, Any]] = [
            json.loads(line) for line in self._capsys.readouterr().out.splitlines()
        ]
        return code, [
            (each["subject"], each["result"], each.get("what", ""))
            for each in outcomes
            if each["check"] == "rule pack"
        ]


@pytest.fixture
def gateway(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Gateway:
    return Gateway(tmp_path, capsys)


def test_versions_of_today_and_to_come_are_compiled(gateway: Gateway) -> None:
    """One that has had its time is left alone, even when its file is gone."""
    for first in (PAST - dt.timedelta(days=1), PAST, COMING):
        gateway.version(first)
    oldest = json.loads(
        (
            gateway.packs / "imported" / "house" / f"pack-{PAST - dt.timedelta(days=1)}.json"
        ).read_bytes()
    )
    (gateway.packs / "imported" / oldest["path"]).unlink()

    assert gateway.said() == (
        0,
        [(f"house@{PAST}", "ok", ""), (f"house@{COMING}", "ok", "")],
    )


def test_a_pack_that_only_begins_is_a_notice(gateway: Gateway) -> None:
    """Until then its documents are undetermined: said, but it may be meant."""
    gateway.version(COMING)

    code, (notice, coming) = gateway.said()

    assert code == 0
    assert notice[:2] == ("house", "notice")
    assert f"no version that applies on {dt.datetime.now(tz=dt.UTC).date()}" in notice[2]
    assert coming == ("house", "ok", "")


def test_a_version_to_come_that_is_altered_is_a_fault(gateway: Gateway) -> None:
    """Found before its day, not on it."""
    gateway.version(PAST)
    gateway.version(COMING)
    entry = json.loads((gateway.packs / "imported" / "house" / f"pack-{COMING}.json").read_bytes())
    (gateway.packs / "imported" / entry["path"]).write_text("<altered/>")

    code, (today, coming) = gateway.said()

    assert code == 1
    assert today == (f"house@{PAST}", "ok", "")
    assert coming[:2] == (f"house@{COMING}", "fault")
