"""The cases of this folder, made ready on disk, and what the gateway says of them.

A case is a file as it is, a builder `<name of the file>.py`, or a `<case>.name` that holds only the
name under which a good invoice is sent. README.md explains how they are laid out.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gateway.cli import judging
from gateway.cli.main import main
from gateway.config import load_flows
from gateway.resources import data_folder
from tests.evil.building import GOOD

FOLDER = Path(__file__).parent
GROUPS = ("xml", "encodings", "archives", "pdfs", "names", "documents")
LANGUAGES = ("en", "fr")
FLOW = "ctc-fr-invoice"
_PAIR = ".expected.toml"


class Case(NamedTuple):
    """One hostile or broken input, or a good one that looks like one. `source` is its file here."""

    group: str
    source: Path

    @property
    def name(self) -> str:
        """Group and file, as the tests are called."""
        return f"{self.group}/{self.file_name}"

    @property
    def stem(self) -> str:
        """What its pair is called, without the ending."""
        return self.source.name.removesuffix(".py").split(".")[0]

    @property
    def file_name(self) -> str:
        """The name under which the gateway gets it."""
        if self.source.suffix == ".name":
            return str(json.loads(self.source.read_text(encoding="utf-8")))
        return self.source.name.removesuffix(".py")

    @property
    def pair(self) -> Path:
        """The expected answer."""
        return self.source.with_name(self.stem + _PAIR)

    def ready(self, scratch: Path) -> Path:
        """The file itself, made below `scratch` when it does not lie here as it is."""
        if self.source.suffix not in {".py", ".name"}:
            return self.source
        folder = scratch / self.group / self.stem
        folder.mkdir(parents=True)
        path = folder / self.file_name
        if self.source.suffix == ".name":
            path.write_bytes(GOOD)
        else:
            _builder(self.source).build(path)
        return path


def all_cases() -> list[Case]:
    """Every case, in a steady order."""
    return [
        Case(group, path)
        for group in GROUPS
        if (FOLDER / group).is_dir()
        for path in sorted((FOLDER / group).iterdir())
        if path.is_file() and not path.name.endswith(_PAIR)
    ]


def all_pairs() -> list[Path]:
    """Every expected answer, with or without its case."""
    return sorted(FOLDER.rglob(f"*{_PAIR}"))


def answers(cases: Iterable[Case], scratch: Path) -> dict[Case, dict[str, list[dict[str, Any]]]]:
    """What `edi-gateway validate --json` prints for every case, by case and language."""
    told: dict[Case, dict[str, list[dict[str, Any]]]] = {}
    flows = _flows_that_ask_for_names(scratch / "flows")
    named: dict[bool, dict[str, Case]] = {False: {}, True: {}}
    for case in cases:
        named[case.group == "names"][str(case.ready(scratch))] = case
        told[case] = {language: [] for language in LANGUAGES}
    for by_name, files in named.items():
        for language in LANGUAGES if files else ():
            for one in _validated(files, language, flows if by_name else None):
                told[files[one["file"]]][language].append(one)
    return told


def _validated(files: Iterable[str], language: str, flows: Path | None) -> list[dict[str, Any]]:
    """One call for all files, so that the rule packs are compiled once."""
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.setattr(judging, "load_flows", lambda *_, **__: load_flows(flows))
        main(["validate", *files, "--json", "--lang", language, "--flow", FLOW])
    return [json.loads(line) for line in printed.getvalue().splitlines()]


def _flows_that_ask_for_names(folder: Path) -> Path:
    """The shipped flows, with `envelope_names` switched on as the file itself proposes."""
    folder.mkdir(parents=True)
    for path in data_folder("flows").glob("*.toml"):
        text = path.read_text(encoding="utf-8")
        if path.stem == FLOW:
            assert "\n# envelope_names = true\n" in text
            text = text.replace("\n# envelope_names = true\n", "\nenvelope_names = true\n")
        (folder / path.name).write_text(text, encoding="utf-8")
    return folder


def _builder(source: Path) -> Any:
    spec = importlib.util.spec_from_file_location(source.stem, source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
