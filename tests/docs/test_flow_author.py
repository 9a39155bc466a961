"""docs/guides/flow-author.md, followed word by word: its flow and its rules really judge."""

from __future__ import annotations

from pathlib import Path

from gateway.core.mapping.table import read_table
from gateway.resources import data_folder
from tests.docs.walkthrough import ROOT, Shell, blocks_of

PAGE = (ROOT / "docs" / "guides" / "flow-author.md").read_text(encoding="utf-8")


def test_the_guide_works_as_it_is_written(tmp_path: Path) -> None:
    """A flow, rules beside it in two languages, a trial, the page of a supplier, the mapping."""
    with Shell(tmp_path / "reader") as shell:
        followed = list(shell.follow(PAGE))
    assert len(followed) == len(blocks_of(PAGE))
    assert [block.ends_with for block in followed].count(1) == 3


def test_the_mapping_it_names_is_the_one_there_is() -> None:
    """One table, where the page says it is, that reads."""
    tables = list(data_folder("mappings").glob("*.toml"))
    assert [f"`mappings/{file.name}`" in PAGE for file in tables] == [True]
    assert read_table(tables[0])
