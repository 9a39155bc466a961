"""Commands, options, settings and variables that any page names: they are there, and all are named.

docs/commands.md and docs/configuration.md have tests of their own; here every other page is held
against the program as well, and the reference of commands the other way round.
"""

from __future__ import annotations

import argparse
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import inspect

from gateway.cli.main import COMMANDS
from gateway.config.settings import Settings
from gateway.model.flow import FlowFile
from gateway.model.partner import Partner
from tests.test_docs import options_of
from tests.test_docs_configuration import leaves

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
COMMANDS_PAGE = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## `([\w-]+)`\n(.*?)(?=^## |\Z)", COMMANDS_PAGE, re.M | re.S))
KEYS = {
    key for struct in (Settings, Partner, FlowFile) for key, _ in leaves(inspect.type_info(struct))
}
TABLES = {key.split(".")[0] for key in KEYS if "." in key}
NOT_SETTINGS = {"log"}
"""Words before a point that are files as well: gateway.log and the like."""


def subcommands_of(command: str) -> set[str]:
    """What may follow a command: `partner` → list, show, add, check."""
    parser = argparse.ArgumentParser()
    importlib.import_module(f"gateway.cli.{command.replace('-', '_')}").configure(parser)
    return {
        name
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
        for name in action.choices
    }


def command_lines(text: str) -> Iterator[list[str]]:
    """Every `edi-gateway …` of a page, in a block or in a line, as words."""
    code = re.findall(r"^```[a-z]*\n(.*?)^```", text, re.M | re.S)
    code += re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)
    for piece in code:
        for line in re.sub(r"\\\n\s*", " ", piece).splitlines():
            found = re.search(r"(?<!-[a-zA-Z] )(?:^|(?<=[\s(/]))edi-gateway ([a-z].*)", line)
            if found:
                yield re.split(r"\s[|>&#→]|[;)\"]|\s+[·]", found[1])[0].split()


def faults_of(words: list[str]) -> Iterator[str]:
    """What of a command is not there."""
    command = words[0]
    if command not in COMMANDS:
        yield f"no command {command}"
        return
    options = {word.split("=")[0] for word in words if re.match(r"--[a-z]", word)}
    options = {re.sub(r"[^a-z-].*$", "", option[2:]) for option in options}
    unknown = {f"--{option}" for option in options} - options_of(command) - {"--help"}
    if unknown:
        yield f"{command} has no {', '.join(sorted(unknown))}"
    subcommands = subcommands_of(command)
    following = words[1] if len(words) > 1 else ""
    if subcommands and re.fullmatch("[a-z]+", following) and following not in subcommands:
        yield f"{command} has no {following}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_a_page_names_is_there(page: Path) -> None:
    """With its subcommand and its options."""
    text = page.read_text(encoding="utf-8")
    faults = [fault for words in command_lines(text) for fault in faults_of(words)]
    assert faults == []


def test_the_reference_of_commands_is_complete_both_ways() -> None:
    """A section for each command, and for none that is not there."""
    assert set(SECTIONS) == set(COMMANDS)


@pytest.mark.parametrize("command", sorted({*SECTIONS} & {*COMMANDS}))
def test_every_subcommand_is_told_of(command: str) -> None:
    """As a line of the section's list, or with the command in front of it."""
    text = SECTIONS[command]
    named = set(re.findall(r"^- `(?:\w+ )?([a-z-]+)", text, re.M))
    for words in re.findall(rf"`(?:edi-gateway )?{command} ([a-z|-]+)", text):
        named |= set(words.split("|"))
    assert subcommands_of(command) - named == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_setting_a_page_names_is_there(page: Path) -> None:
    """`sftp.port`, `outbox.late_hours`, `acknowledgements.cdar`: of settings, partners or flows."""
    named = re.findall(r"`([a-z0-9_]+(?:\.[a-z0-9_]+)+)(?: = [^`]*)?`", page.read_text("utf-8"))
    settings = {key for key in named if key.split(".")[0] in TABLES - NOT_SETTINGS}
    endings = (
        ".toml",
        ".md",
        ".py",
        ".sch",
        ".yaml",
        ".json",
        ".jsonl",
        ".xml",
        ".conf",
        ".service",
    )
    settings = {key for key in settings if not key.endswith(endings)}
    tables = {key.rpartition(".")[0] for key in KEYS}
    assert settings - KEYS - tables == set()


def test_every_variable_of_the_environment_is_told() -> None:
    """Those of the program stand in the reference, and those of the reference in the program."""
    text = (ROOT / "docs" / "reference" / "index.md").read_text(encoding="utf-8")
    told = set(re.findall(r"`(EDI_GATEWAY_[A-Z_]+)`", text))
    source = "\n".join(
        file.read_text(encoding="utf-8") for file in (ROOT / "gateway").rglob("*.py")
    )
    there = set(re.findall(r"\bEDI_GATEWAY_[A-Z_]+\b", source))
    for_tests = {"EDI_GATEWAY_FAULTS"}
    assert there - for_tests == told


def test_these_tests_can_fail() -> None:
    """What is not there is found."""
    text = (
        "`edi-gateway gone`, `edi-gateway check --gone` and\n\n```sh\nedi-gateway cert gone\n```\n"
    )
    faults = [fault for words in command_lines(text) for fault in faults_of(words)]
    assert sorted(faults) == ["cert has no gone", "check has no --gone", "no command gone"]
