"""Flows, and the rules beside them, change while a partner is connected."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import resources
from tests.gateway_process import GatewayProcess
from tests.schematron_sources import UBL, pattern, rule, schema

SAMPLE = Path(__file__).parents[2] / "gateway" / "samples" / "ubl-invoice.xml"
REFUSING = rule("ubl:Invoice", '<assert id="HOUSE-1" test="false()">Never.</assert>')
ALLOWING = rule("ubl:Invoice", '<assert id="HOUSE-1" test="true()">Always.</assert>')

pytestmark = [pytest.mark.ssh, pytest.mark.timeout(300)]


class House:
    """A gateway with flows of its own, and one SFTP session that lasts through everything."""

    def __init__(self, folder: Path) -> None:
        self.line = GatewayProcess(folder, judges=1, sftp_processes=1)
        self.flows = folder / "flows"
        self.flows.mkdir()
        for file in resources.data_folder("flows").glob("*.toml"):
            (self.flows / file.name).write_bytes(file.read_bytes())
        config = self.line.config
        config.write_text(config.read_text().replace("[paths]\n", '[paths]\nflows = "flows"\n'))
        self.session: subprocess.Popen[str] | None = None

    def begin(self) -> None:
        """Start it, and log in."""
        self.line.start()
        self.session = subprocess.Popen(
            self.line.sftp_command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )

    def verdict(self, name: str) -> str:
        """Send the sample in the one session; what becomes of it."""
        assert self.session is not None
        assert self.session.stdin is not None
        self.session.stdin.write(f"put {SAMPLE} in/{name}\n")
        self.session.stdin.flush()
        until = time.monotonic() + 60
        while time.monotonic() < until:
            found = [each for each in self._listed() if each["name"] == name]
            if found and found[0]["state"] == "acknowledged":
                (verdict,) = found[0]["verdicts"]
                return str(verdict)
            time.sleep(0.3)
        raise AssertionError(f"nothing became of {name}:\n{self.line.log_tail()}")

    def _listed(self) -> list[dict[str, Any]]:
        state = str(self.line.state)  # whose settings may be at fault at the moment
        done = self.line.command("interchanges", "--json", "--state-dir", state)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def rules(self, body: str) -> None:
        """Rules of the house, beside the flow."""
        (self.flows / "ctc-fr-invoice.sch").write_text(schema(UBL + pattern(body)))

    def end(self) -> None:
        """Log out: every upload in the session went well; and stop in order."""
        assert self.session is not None
        assert self.session.stdin is not None
        self.session.stdin.close()
        assert self.session.wait(30) == 0
        assert self.line.stop() == 0

    def close(self) -> None:
        """Leave nothing behind."""
        if self.session is not None and self.session.poll() is None:
            self.session.kill()
        self.line.ensure_gone()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Up, with a partner who is logged in."""
    made = House(tmp_path)
    try:
        made.begin()
        yield made
    finally:
        made.close()


def test_rules_change_and_nobody_is_hung_up_on(house: House) -> None:
    """Each upload is judged by the rules of its day; a flow with a fault changes nothing."""
    assert house.verdict("before.xml") == "accepted"

    house.rules(REFUSING)
    done = house.line.command("reload")
    assert done.returncode == 0, done.stderr
    assert "rules: files of flows or rule packs changed" in done.stdout
    assert house.verdict("refused.xml") == "rejected"

    flow = house.flows / "ctc-fr-invoice.toml"
    sound = flow.read_text()
    flow.write_text(sound + "\ncolour = 1\n")
    done = house.line.command("reload")
    assert done.returncode == 2
    assert "colour" in done.stderr
    assert house.verdict("still.xml") == "rejected"

    flow.write_text(sound.replace("description = ", 'description = "By our rules"\n# ', 1))
    house.rules(ALLOWING)
    done = house.line.command("reload")
    assert "flow ctc-fr-invoice: changed description" in done.stdout
    assert house.verdict("after.xml") == "accepted"
    assert "Nothing is different." in house.line.command("reload").stdout
    house.end()
