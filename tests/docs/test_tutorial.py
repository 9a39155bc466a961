"""docs/tutorial.md, followed word by word: every command works, and prints what the page shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.broker import free_port
from tests.docs.walkthrough import ROOT, Shell, agrees, blocks_of, orders

PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")


@pytest.mark.ssh
def test_the_tutorial_works_as_it_is_written(tmp_path: Path) -> None:
    """From the program in place to a stopped gateway, with an accepted, mended invoice."""
    with Shell(tmp_path / "reader", {"2222": str(free_port())}) as shell:
        followed = list(shell.follow(PAGE))
    assert len(followed) == len(blocks_of(PAGE)) - 2


def test_what_is_left_out_is_the_installation() -> None:
    """Only what needs root or the network is not run."""
    left_out = [block for block in blocks_of(PAGE) if block.left_out]
    assert [block.commands.split()[0] for block in left_out] == ["apt-get", "git"]
    assert all("network" in str(block.left_out) for block in left_out)


def test_these_tests_can_fail(tmp_path: Path) -> None:
    """Another output, an exit code and a command that is not there are noticed."""
    assert agrees("a  b\n…\nc …d\n", "a b\nx\ny\nc 1 2 d\n")
    assert not agrees("a b\nc …d\n", "a b\nx\nc 1 2 d\n")
    assert not agrees("a\n", "a\nb\n")
    assert any(agrees("a-…\nb-…\n", each) for each in orders("ls x", "b-1\na-2\n"))
    assert not any(agrees("a-…\nb-…\n", each) for each in orders("cat x", "b-1\na-2\n"))
    good = "```sh\nx=1\nexport y=2\n```\n\n```sh\necho $x$y\n```\n\n```\n12\n```\n"
    bad = "```sh\necho 1\n```\n\n```\n2\n```\n"
    failing = "```sh\nfalse\ntrue\n```\n"
    expected = "<!-- ends with 1 -->\n```sh\nfalse\ntrue\n```\n"
    with Shell(tmp_path / "reader") as shell:
        assert len(list(shell.follow(good + expected))) == 3
        for page in (bad, failing, "```sh\nno-such-command\n```\n"):
            with pytest.raises(AssertionError):
                list(shell.follow(page))
