"""One line on a terminal, written over again and again."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from gateway.cli import progress
from gateway.cli.progress import Progress


class Terminal(io.StringIO):
    """What a person looks at."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        """Yes."""
        return True

    @property
    def lines(self) -> list[str]:
        """Each state of the line."""
        return [line.rstrip() for line in self.getvalue().split("\r")[1:]]


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A clock that stands still."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])

    def later(seconds: float) -> None:
        now[0] += seconds

    return later


def test_a_bar_with_its_share_and_what_is_left(pass_time: Callable[[float], None]) -> None:
    """Each is shown at most five times a second; the line is left empty at the end."""
    terminal = Terminal()
    shown = Progress(terminal)
    shown("payloads", 0, 2000)
    shown("payloads", 1, 2000)
    pass_time(100.0)
    shown("payloads", 1000, 2000)
    pass_time(100.0)
    shown("payloads", 2000, 2000)
    shown.end()
    assert terminal.lines == [
        "payloads: 0 of 2,000 ░░░░░░░░░░░░░░░░░░░░   0%",
        "payloads: 1,000 of 2,000 ██████████░░░░░░░░░░  50%  1 min 40 s left",
        "payloads: 2,000 of 2,000 ████████████████████ 100%",
        "",
        "",
    ]


def test_how_long_is_counted_for_each_piece_of_work(pass_time: Callable[[float], None]) -> None:
    """A slow beginning of one says nothing of the next; nor does a moment."""
    terminal = Terminal()
    shown = Progress(terminal)
    shown("journal", 1, 2)
    pass_time(1000.0)
    shown("payloads", 1, 2)
    pass_time(2.0)
    shown("payloads", 1, 2)
    pass_time(2.0)
    shown("payloads", 1, 2)
    assert [line.partition("%")[2].strip() for line in terminal.lines] == ["", "", "", "4 s left"]


def test_without_a_total_there_is_no_bar(pass_time: Callable[[float], None]) -> None:
    """And more than the total is no more than all of it."""
    terminal = Terminal()
    shown = Progress(terminal)
    shown("files", 12_345, 0)
    pass_time(1.0)
    shown("files", 3, 2)
    assert terminal.lines == ["files: 12,345", "files: 3 of 2 ████████████████████ 100%"]


def test_a_terminal_of_letters_gets_letters() -> None:
    """Such as one in the C locale."""
    terminal = Terminal()
    terminal.encoding = "ascii"
    Progress(terminal)("files", 1, 2)
    assert terminal.lines == ["files: 1 of 2 ##########..........  50%"]


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_nothing_is_said_to_a_file_or_when_it_is_off(stream: io.StringIO) -> None:
    """Logs are not for what is written over."""
    shown = Progress(stream, shown=not stream.isatty())
    shown("files", 1, 2)
    shown.end()
    assert stream.getvalue() == ""
