"""A trial of a partner: a process of its own, which says each step, and is ended in time."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from pytest_twisted import ensureDeferred
from twisted.internet import defer, reactor

from gateway.errors import GatewayError
from gateway.service import partner_trial
from gateway.service.partner_trial import PartnerTrial
from tests.config.as2_folder import As2Folder

STEPS = [
    {"check": "configuration", "subject": "acme.toml", "result": "ok", "detail": "no faults"},
    {
        "check": "as2",
        "subject": "ACME to US",
        "result": "fault",
        "detail": "",
        "file": "acme.toml",
        "key": "as2.receive",
        "what": "It would be refused.",
        "remedy": "Allow it.",
        "line": 7,
    },
    {"check": "summary", "result": "fault", "faults": 1, "notices": 0},
]


def trial(code: str, seconds: float = 20.0) -> PartnerTrial:
    """One whose check is this code."""
    log = structlog.wrap_logger(structlog.testing.CapturingLogger(), processors=[])
    command = [sys.executable, "-c", code]
    return PartnerTrial(reactor, command, partners={"acme"}, log=log, seconds=seconds)


def says(*steps: dict[str, Any]) -> str:
    """Code that prints these lines, and ends as the command does."""
    lines = [json.dumps(step) for step in steps]
    return f"import sys\nfor line in {lines!r}: print(line)\nsys.exit(1)"


@ensureDeferred
async def test_step_by_step() -> None:
    """What the command prints, without its last line; further keys are no harm."""
    answer = await trial(says(*STEPS)).attempt({"partner": "acme"})
    assert (answer["partner"], answer["faults"], answer["notices"]) == ("acme", 1, 0)
    first, second = answer["steps"]
    assert (first["result"], first["detail"], first["what"]) == ("ok", "no faults", "")
    assert (second["what"], second["remedy"]) == ("It would be refused.", "Allow it.")
    assert (second["file"], second["key"]) == ("acme.toml", "as2.receive")


@ensureDeferred
async def test_the_name_is_an_argument_and_of_somebody_known(tmp_path: Path) -> None:
    """Nothing is started for anybody else, whatever the name looks like."""
    seen = tmp_path / "seen"
    code = f"import sys; open({str(seen)!r}, 'a').write(repr(sys.argv[1:]))\n" + says(STEPS[-1])
    one = trial(code)
    for name in ("nobody", "", "--help", "../acme"):
        with pytest.raises(GatewayError, match="There is no partner"):
            await one.attempt({"partner": name})
    assert not seen.exists()
    assert (await one.attempt({"partner": "acme"}))["steps"] == []
    assert seen.read_text() == "['--lang', 'en', 'acme']"


@ensureDeferred
async def test_its_servers_are_reached_only_when_that_is_asked_for(tmp_path: Path) -> None:
    """An option of the command, for nobody else's word."""
    seen = tmp_path / "seen"
    code = f"import sys; open({str(seen)!r}, 'w').write(repr(sys.argv[1:]))\n" + says(STEPS[-1])
    for asked, option in ((True, "'--connect', "), (False, "")):
        await trial(code).attempt({"partner": "acme", "connect": asked})
        assert seen.read_text() == f"['--lang', 'en', {option}'acme']"
    with pytest.raises(msgspec.ValidationError):
        await trial(code).attempt({"partner": "acme", "connect": "--help"})


@ensureDeferred
async def test_in_the_language_that_is_asked_for(tmp_path: Path) -> None:
    """English unless another is named; one that is not spoken is refused."""
    seen = tmp_path / "seen"
    code = f"import sys; open({str(seen)!r}, 'w').write(sys.argv[2])\n" + says(STEPS[-1])
    one = trial(code)
    for asked, told in (({}, "en"), ({"language": "fr"}, "fr"), ({"language": "en"}, "en")):
        await one.attempt({"partner": "acme", **asked})
        assert seen.read_text() == told
    with pytest.raises(msgspec.ValidationError):
        await one.attempt({"partner": "acme", "language": "de"})


@ensureDeferred
async def test_a_check_that_comes_to_no_end(tmp_path: Path) -> None:
    """It is killed, what it has said so far is no answer, and the next may begin."""
    alive = tmp_path / "alive"
    code = (
        f"import time\nprint({json.dumps(STEPS[0])!r}, flush=True)\n"
        f"open({str(alive)!r}, 'w').close()\ntime.sleep(60)"
    )
    one = trial(code, seconds=1.0)
    began = time.monotonic()
    with pytest.raises(GatewayError, match="came to no end within 1 s"):
        await one.attempt({"partner": "acme"})
    assert time.monotonic() - began < 15
    with pytest.raises(GatewayError, match="came to no end"):
        await one.attempt({"partner": "acme"})


@ensureDeferred
async def test_one_at_a_time() -> None:
    """A second is told to wait, and does not end the first."""
    one = trial("import time; time.sleep(0.5)\n" + says(*STEPS))
    first = defer.Deferred.fromCoroutine(one.attempt({"partner": "acme"}))
    with pytest.raises(GatewayError, match="tried already"):
        await one.attempt({"partner": "acme"})
    assert (await first)["faults"] == 1


@pytest.mark.parametrize(
    "code",
    [
        "import sys; sys.exit('no such\\n file')",
        says(*STEPS[:2]),
        "print('this is no JSON')",
        "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
    ],
    ids=["it fails", "no sum", "no JSON", "it dies"],
)
@ensureDeferred
async def test_a_check_that_breaks_off(code: str) -> None:
    """Without its last line it is no check that passed; only one that came to its end is."""
    with pytest.raises(GatewayError, match="broke off"):
        await trial(code).attempt({"partner": "acme"})


@ensureDeferred
async def test_what_says_too_much_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is not its to take."""
    monkeypatch.setattr(partner_trial, "MOST_BYTES", 10_000)
    with pytest.raises(GatewayError, match="came to no end"):
        await trial("while True: print('x' * 1000)").attempt({"partner": "acme"})


@ensureDeferred
async def test_a_command_that_is_not_there() -> None:
    """Told as such; nothing is left running."""
    log = structlog.wrap_logger(structlog.testing.CapturingLogger(), processors=[])
    one = PartnerTrial(reactor, ["/nowhere/python"], partners={"acme"}, log=log)
    with pytest.raises(GatewayError, match="broke off"):
        await one.attempt({"partner": "acme"})


@ensureDeferred
async def test_the_command_itself(tmp_path: Path) -> None:
    """AS2 is rehearsed by the files as they are: all well, then a flow that is not there."""
    folder = As2Folder(tmp_path)
    command = [sys.executable, "-m", "gateway", "partner", "check", "--json"]
    log = structlog.wrap_logger(structlog.testing.CapturingLogger(), processors=[])
    one = PartnerTrial(
        reactor, [*command, "--config", str(folder.file)], partners={"acme"}, log=log
    )
    answer = await one.attempt({"partner": "acme"})
    assert answer["faults"] == 0
    rehearsed = [step for step in answer["steps"] if step["check"] == "as2"]
    assert len(rehearsed) >= 2
    assert {step["result"] for step in rehearsed} == {"ok"}
    french = await one.attempt({"partner": "acme", "language": "fr"})
    assert french["faults"] == 0
    assert [step["check"] for step in french["steps"]] == [
        step["check"] for step in answer["steps"]
    ]
    assert {step["detail"] for step in french["steps"] if step["check"] == "as2"} == {
        "accepté, accusé valable",
        "le message peut être produit",
    }
    folder.partner('name = "acme"\nflows = ["nowhere"]\n')
    answer = await one.attempt({"partner": "acme"})
    assert answer["faults"] >= 1
    assert any("nowhere" in step["what"] and step["remedy"] for step in answer["steps"])
