"""Pages with commands, followed word by word: each block is typed into one shell.

In a page,

- a block of `sh` is run; every command in it must end with 0, unless the comment
  `<!-- ends with 1 -->` stands above it;
- a block without a language shows what the commands before it print. `…` stands for anything in a
  line, a line of its own for any lines, or none; spaces are not counted;
- `<!-- not run by the tests: why -->` above a block leaves it out.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
SECONDS = 120.0
"""For one block; a gateway that starts on a busy machine takes some of them."""
PATIENCE = 90.0
"""How long what becomes of a file may take."""
_FENCE = re.compile(
    r"(?:^<!-- (?P<remark>[^\n]*) -->\n)?^```(?P<kind>[a-z]*)\n(?P<text>.*?)^```$", re.M | re.S
)


class Block(NamedTuple):
    """Commands, and what they print, if the page shows it."""

    commands: str
    ends_with: int
    shown: str | None
    left_out: str | None


def blocks_of(page: str) -> list[Block]:
    """The commands of a page, each with the output that follows it."""
    found: list[Block] = []
    for fence in _FENCE.finditer(page):
        if fence["kind"] == "sh":
            remark = fence["remark"] or ""
            code = re.fullmatch(r"ends with (\d)", remark)
            reason = re.fullmatch(r"not run by the tests: (.+)", remark)
            assert not remark or code or reason, remark
            found.append(
                Block(fence["text"], int(code[1]) if code else 0, None, reason and reason[1])
            )
        elif not fence["kind"]:
            assert found, "output before any command"
            assert found[-1].shown is None, f"second output for {found[-1].commands}"
            found[-1] = found[-1]._replace(shown=fence["text"])
    return found


LISTED = 6
"""Longer lists are compared as they are."""


def agrees(shown: str, printed: str) -> bool:
    """Whether commands printed what the page shows."""
    pattern = ""
    for line in shown.splitlines():
        words = " ".join(line.split())
        if words == "…":
            pattern += r"(?:[^\n]*\n)*?"
        else:
            pattern += "[^\n]*".join(map(re.escape, words.split("…"))) + "\n"
    lines = "".join(f"{' '.join(line.split())}\n" for line in printed.splitlines())
    return re.fullmatch(pattern, lines) is not None


def orders(commands: str, printed: str) -> Iterator[str]:
    """What was printed; what `ls` listed last in any order, for the names have random parts."""
    yield printed
    lines = printed.splitlines()
    if commands.splitlines()[-1].startswith("ls ") and len(lines) <= LISTED:
        yield from ("\n".join(some) for some in permutations(lines))


def only_asks(commands: str) -> bool:
    """Commands that a reader may simply type again when the answer is not there yet."""
    lines = commands.splitlines()
    return all(re.match(r"edi-gateway (interchanges|status|queues)\b", line) for line in lines)


class Shell:
    """A reader's terminal in an empty folder, with the program where the page has put it.

    `instead` are words of the page that are others here, such as a port that is free.
    """

    def __init__(self, folder: Path, instead: dict[str, str] | None = None) -> None:
        self.folder = folder
        self._instead = instead or {}
        clone = folder / "edi-gateway"
        (clone / ".venv").mkdir(parents=True)
        (clone / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
        for name in ("gateway", "docs", "conf", "flows"):
            (clone / name).symlink_to(ROOT / name)
        environment = {
            name: value for name, value in os.environ.items() if name != "EDI_GATEWAY_CONFIG"
        }
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            stdin=subprocess.PIPE,
            cwd=folder,
            env=environment | {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "COLUMNS": "200"},
            text=True,
            start_new_session=True,
        )
        self._aside = folder.with_name(folder.name + "-typed")
        self._aside.mkdir()
        self._number = 0

    def __enter__(self) -> Shell:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # The shell and what it left in the background: its own session, nobody else's.
        os.killpg(self._process.pid, signal.SIGTERM)
        for _ in range(100):
            if self._process.poll() is not None:
                break
            time.sleep(0.1)
        else:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def here(self, text: str) -> str:
        """The page's words as they are in this shell."""
        for word, other in self._instead.items():
            text = text.replace(word, other)
        return text

    def follow(self, page: str) -> Iterator[Block]:
        """Type every block; each is told once it printed what the page shows."""
        for block in blocks_of(page):
            if block.left_out:
                continue
            deadline = time.monotonic() + PATIENCE
            while True:
                code, printed = self._type(self.here(block.commands))
                shown = None if block.shown is None else self.here(block.shown)
                good = code == block.ends_with and (
                    shown is None
                    or any(agrees(shown, each) for each in orders(block.commands, printed))
                )
                if good:
                    break
                patient = only_asks(block.commands) and time.monotonic() < deadline
                assert patient, f"{block.commands}\nended with {code} and printed\n{printed}"
                time.sleep(0.5)
            yield block

    def _type(self, commands: str) -> tuple[int, str]:
        """Run commands in the shell: the first exit code that is not 0, and what was printed."""
        self._number += 1
        typed, out, code = (
            self._aside / f"{self._number}.{end}" for end in ("sh", "printed", "code")
        )
        typed.write_text(commands, encoding="utf-8")
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(
            "first=0; trap 'last=$?; [ $first = 0 ] && first=$last' ERR\n"
            f". '{typed}' > '{out}' 2>&1\ntrap - ERR\n"
            f"echo $first > '{code}.part'; mv '{code}.part' '{code}'\n"
        )
        stdin.flush()
        deadline = time.monotonic() + SECONDS
        while not code.exists():
            assert self._process.poll() is None, "the shell is gone"
            assert time.monotonic() < deadline, f"{commands}\ntook too long"
            time.sleep(0.05)
        return int(code.read_text()), out.read_text(encoding="utf-8")
