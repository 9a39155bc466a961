"""The documents say what the code does."""

from __future__ import annotations

import argparse
import importlib
import re
from pathlib import Path

import pytest

from gateway.cli.main import COMMANDS

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def options_of(command: str) -> set[str]:
    """The long options a subcommand knows, those of its own subcommands included."""
    parser = argparse.ArgumentParser()
    importlib.import_module(f"gateway.cli.{command.replace('-', '_')}").configure(parser)
    found: set[str] = set()
    parsers = [parser]
    while parsers:
        for action in parsers.pop()._actions:
            found.update(o for o in action.option_strings if o.startswith("--"))
            if isinstance(action, argparse._SubParsersAction):
                parsers.extend(action.choices.values())
    return found


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_its_section_and_the_options_named_there_exist(command: str) -> None:
    """docs/commands.md has a section per command, and promises no option the parser lacks."""
    text = (ROOT / "docs" / "commands.md").read_text()
    sections = dict(re.findall(r"^## `([\w-]+)`\n(.*?)(?=^## |\Z)", text, re.M | re.S))
    assert command in sections
    promised = set(re.findall(r"--[a-z][a-z0-9-]+", sections[command]))
    assert promised <= options_of(command), promised - options_of(command)
    # The two every reading command shares stand at the top of the page.
    told = promised | {"--help", "--config", "--state-dir"}
    assert options_of(command) <= told, options_of(command) - told


def test_the_map_of_the_code_names_every_module_of_core_and_service() -> None:
    """docs/architecture.md leaves no room out, and names none that is not there."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    rooms = text.split("## The rooms, one by one")[1].split("## ")[0]
    named = {Path(word).name for word in re.findall(r"`([a-z][a-z0-9_/]+)`", rooms)}
    folders = [ROOT / "gateway" / "core", ROOT / "gateway" / "service"]
    modules = {file.stem for folder in folders for file in folder.rglob("*.py")}
    modules -= {"__init__", "__main__", "env"}
    modules = {name for name in modules if not name[0].isdigit()}  # migrations
    kept = {file.parent.name for folder in folders for file in folder.rglob("__init__.py")}
    assert named - modules - kept == set()
    assert modules - named - kept == set()


def test_the_readme_begins_with_the_two_commands() -> None:
    """`make demo` and `make test` are the README's first lines, and targets of the Makefile."""
    first = (ROOT / "README.md").read_text().split("```")[1]
    assert [line.split("#")[0].strip() for line in first.splitlines()[1:] if line.strip()] == [
        "make demo",
        "make test",
    ]
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M)
    named = set(re.findall(r"\bmake ([a-z]+)", (ROOT / "README.md").read_text()))
    assert named <= {*targets}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    """A relative link in a document names a file of the repository."""
    links = re.findall(r"\]\(([^)#:]+)\)", document.read_text())
    missing = [link for link in links if not (document.parent / link).exists()]
    assert missing == []


def test_every_runtime_dependency_is_explained() -> None:
    """docs/dependencies.md says why each requirement of setup.cfg is there."""
    config = (ROOT / "setup.cfg").read_text()
    block = config.split("install_requires =")[1].split("[options.entry_points]")[0]
    names = re.findall(r"^\s+([A-Za-z0-9-]+)", block, re.M)
    text = (ROOT / "docs" / "dependencies.md").read_text().lower()
    assert [name for name in sorted(names) if name.lower() not in text] == []


def test_the_unit_starts_the_command_that_exists() -> None:
    """The unit runs `run`, with options it knows, and restarts it but for a bad configuration."""
    unit = (ROOT / "systemd" / "edi-gateway.service").read_text()
    settings = dict(re.findall(r"^(\w+)=(.*)$", unit, re.M))
    words = settings["ExecStart"].split()
    assert words[:2] == ["/opt/edi-gateway/bin/edi-gateway", "run"]
    assert set(re.findall(r"--[a-z-]+", settings["ExecStart"])) <= options_of("run")
    assert settings["Type"] == "notify"
    # RestartPreventExitStatus speaks of the main process only: a check in front of it that fails
    # would be started again for ever, and a missing rule pack would close the doors.
    assert settings["RestartPreventExitStatus"] == "2"
    assert "ExecStartPre" not in settings
