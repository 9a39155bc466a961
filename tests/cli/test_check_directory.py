"""`edi-gateway check` and the directory of recipients that B2G rules ask."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.main import main
from gateway.core.directory import Directories, Recipient
from gateway.errors import RulePackError
from tests.directories import snapshot

SIRETS = ("12345678900011", "12345678900029")


def recipient(siret: str) -> Recipient:
    """One that wants everything."""
    return Recipient(siret, True, True, True, True, True, ("SVC",))


class Gateway:
    """A configuration with a flow that asks the directory."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._root, self._capsys = root, capsys
        self.directory = root / "state" / "directory"
        for folder in ("partners", "flows", "state", "drop"):
            (root / folder).mkdir()
        (root / "gateway.toml").write_text(
            '[paths]\nstate = "state"\nflows = "flows"\nrule_packs = "packs"\n[sftp]\nport = 0\n'
        )
        self.flow("b2g-ubl")

    def flow(self, pack: str) -> None:
        """Let the flow have this pack."""
        (self._root / "flows" / "public.toml").write_text(
            'name = "public"\n[match]\nsyntaxes = ["ubl"]\n'
            f'[[chain]]\nsyntax = "ubl"\nschema = "ubl-2.1"\nrules = ["{pack}"]\n'
        )

    def partner(self, *, enabled: bool = True) -> None:
        """Let a partner send by it."""
        (self._root / "partners" / "acme.toml").write_text(
            f'name = "acme"\nenabled = {str(enabled).lower()}\nflows = ["public"]\n'
            f"[folder]\ninbox = {str(self._root / 'drop')!r}\n"
        )

    def said(self) -> tuple[int, list[dict[str, Any]]]:
        """The exit code, and what the check says of the directory."""
        code = main(["check", "--json", "--config", str(self._root / "gateway.toml")])
        outcomes = [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]
        return code, [each for each in outcomes if each["check"] == "directory"]


@pytest.fixture
def gateway(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Gateway:
    return Gateway(tmp_path, capsys)


def test_the_snapshot_in_force_is_read_through(gateway: Gateway) -> None:
    """How many recipients it lists, and since when it is there."""
    path = snapshot(gateway.directory, *(recipient(siret) for siret in SIRETS))

    code, (outcome,) = gateway.said()

    assert (code, outcome["result"], outcome["subject"]) == (0, "ok", path.name)
    assert outcome["detail"] == "2 recipients, imported 2026-09-01 06:00 UTC"


def test_without_one_it_is_told_what_goes_unchecked(gateway: Gateway) -> None:
    """A notice where a partner sends by the flow; nobody else has to care."""
    code, (outcome,) = gateway.said()
    assert (code, outcome["result"]) == (0, "skipped")

    gateway.partner()
    code, (outcome,) = gateway.said()

    assert (code, outcome["result"]) == (0, "notice")
    assert "they did not check (flows public, of acme)" in outcome["what"]
    assert "directory import" in outcome["remedy"]
    gateway.partner(enabled=False)
    assert gateway.said()[1][0]["result"] == "skipped"


@pytest.mark.parametrize("content", [b"altered", b""])
def test_an_altered_snapshot_is_a_fault(gateway: Gateway, content: bytes) -> None:
    """What rules ask it would stay undetermined: a fault as soon as somebody sends so."""
    snapshot(gateway.directory, recipient(SIRETS[0])).write_bytes(content)
    code, (outcome,) = gateway.said()
    assert (code, outcome["result"]) == (0, "notice")

    gateway.partner()
    code, (outcome,) = gateway.said()

    assert (code, outcome["result"]) == (1, "fault")
    assert "its sha256 differs" in outcome["what"]
    assert outcome["file"] == str(gateway.directory)


def test_flows_that_ask_nothing_need_no_directory(gateway: Gateway) -> None:
    """Then nothing is said."""
    gateway.flow("en16931-ubl")
    gateway.partner()

    assert gateway.said() == (0, [])


@pytest.mark.parametrize(
    "line",
    [
        recipient(SIRETS[0]).line(),  # once more
        b"1234567890001\t11111\t\n",
        SIRETS[1].encode() + b"\t1111\t\n",
        SIRETS[1].encode() + b" 11111 \n",
        b"\n",
    ],
)
def test_a_snapshot_with_a_line_that_says_nothing(gateway: Gateway, line: bytes) -> None:
    """Its sum may fit, if somebody made it by hand."""
    good = recipient(SIRETS[0]).line()
    path = snapshot(gateway.directory, recipient(SIRETS[0]))
    sha256 = hashlib.sha256(good + line).hexdigest()
    made = path.with_name(f"{path.name[:17]}{sha256}.tsv")
    made.write_bytes(good + line)
    path.unlink()

    current = Directories(gateway.directory).current()

    assert current is not None
    with pytest.raises(RulePackError, match="Line 2 "):
        list(current.recipients())
    gateway.partner()
    code, (outcome,) = gateway.said()
    assert (code, outcome["result"]) == (1, "fault")
