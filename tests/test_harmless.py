"""What partners write reaches no terminal as something it obeys: in the log, in any command."""

from __future__ import annotations

import io
import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import logs
from gateway.cli import main as command
from gateway.harmless import HarmlessStream, harmless

HOSTILE = {
    "a terminal's escape": "\x1b[2J\x1b]0;owned\x07",
    "the same in C1": "\x9b2J",
    "an overwritten line": "rejected\raccepted",
    "a name read backwards": "fac\u202etgz.lmx",
    "isolates": "\u2066a\u2069",
    "a line of its own": "a\u2028b\u2029c\x85d",
    "what is not seen": "a\u200bb\ufeffc\u00add\U000e0041",
    "no character": "\udcff",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_it_is_written_out(text: str) -> None:
    """Visible, and in JSON still the same character."""
    shown = harmless(text)
    assert shown.isprintable()
    assert "\\u" in shown
    assert json.loads(harmless(json.dumps(text, ensure_ascii=False))) == text


@given(st.text())
def test_nothing_a_terminal_obeys_is_left(text: str) -> None:
    """Whatever the text; tab and newline stay, and so does every letter."""
    left = [each for each in harmless(text) if each not in "\t\n"]
    assert not [each for each in left if unicodedata.category(each) in {"Cc", "Cs", "Zl", "Zp"}]
    assert not [each for each in left if unicodedata.bidirectional(each) in _REORDER]
    letters = [each for each in text if unicodedata.category(each)[0] in "LMNPS"]
    assert harmless("".join(letters)) == "".join(letters)


_REORDER = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_the_log_is_one_harmless_line(text: str) -> None:
    """And whoever reads the JSON has the name itself, but for what is no character."""
    stream = io.StringIO()
    logs.configure("info", stream, twisted=False)
    try:
        logs.logger(partner=text).warning("upload", name=text, error=ValueError(text))
    finally:
        logs.reset()
    line = stream.getvalue()
    assert line.endswith("\n")
    assert line[:-1].isprintable()
    if text != "\udcff":
        assert json.loads(line)["name"] == text


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_no_command_hands_it_to_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stream: str, text: str
) -> None:
    """Every command writes through the same streams, which let nothing of it through."""

    def printing(_: object) -> int:
        print(text, file=getattr(sys, stream))
        return 0

    monkeypatch.setattr("gateway.cli.status.run", printing)
    assert command.main(["status"]) == 0
    shown = getattr(capsys.readouterr(), {"stdout": "out", "stderr": "err"}[stream])
    assert shown == harmless(text) + "\n"
    assert shown[:-1].isprintable()


def test_what_is_said_of_wrong_usage_is_harmless_too(capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody pastes a file name as an option."""
    with pytest.raises(SystemExit):
        command.main(["--\x9b2J"])
    assert "\x9b" not in capsys.readouterr().err


def test_the_rest_of_a_stream_is_its_own() -> None:
    """Who moves the cursor on purpose finds the plain one."""
    plain = io.StringIO()
    stream = HarmlessStream(plain)
    assert stream.write("a\x1b") == 2
    stream.flush()
    stream.plain.write("\r")
    assert plain.getvalue() == "a\\u001b\r"
    assert not stream.isatty()
