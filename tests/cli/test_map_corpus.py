"""`edi-gateway map` and `validate` over every public example, as an operator would run them.

Each file is mapped to JSON, UBL and CII, what was written is mapped to JSON again, and all is
judged by the flow en16931-invoice. Whatever is not as it should be makes a row of one table, and
the table must be the one that was reviewed.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gateway.cli.main import main
from gateway.core.mapping.schema import canonical_schema
from gateway.model.interchange import INVOICE_SYNTAXES, Syntax
from tests.core.mapping_documents import has_no_place, mapping

CORPUS = Path(os.environ.get("EDI_GATEWAY_CORPUS", "/nonexistent"))
FILES = sorted([*CORPUS.glob("*/*.xml"), *CORPUS.glob("**/*.pdf")])

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not FILES, reason="EDI_GATEWAY_CORPUS names no folder with examples"),
]

Row = tuple[str, str]
_RULE = re.compile(r"\[([A-Z0-9-]+)\]$")

_REVIEWED: dict[Row, str] = {
    **dict.fromkeys(
        [
            ("CII_business_example_01.xml", "json told MAP-REPEATED"),
            ("CII_example2.xml", "json told MAP-REPEATED"),
            ("CII_example5.xml", "json told MAP-REPEATED"),
        ],
        "Net and gross price each have a quantity, and these differ: BT-149 is one.",
    ),
    **dict.fromkeys(
        [
            ("CII_business_example_01.xml", "json told ATTACHMENT-CONTENT"),
            ("CII_example2.xml", "json told ATTACHMENT-CONTENT"),
            ("CII_example5.xml", "json told ATTACHMENT-CONTENT"),
            ("ubl-tc434-example2.xml", "json told ATTACHMENT-CONTENT"),
            ("ubl-tc434-example5.xml", "json told ATTACHMENT-CONTENT"),
        ],
        "The attached file calls itself a PDF and is a line of text.",
    ),
}
"""What is not as it should be, and why it is right."""


def _rows(folder: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Row]:
    """Everything that is not as the issue would have it."""
    validator = jsonschema.Draft202012Validator(canonical_schema(mapping().table))
    written: list[Path] = []
    for file in FILES:
        invoice, told = _mapped(file, "json", capfd)
        yield from ((file.name, f"json told {rule}") for rule in told)
        source = invoice.pop("source")
        if not validator.is_valid({**invoice, "source": source}):
            yield file.name, "json breaks the schema"
        for path in source["unmapped"]:
            if not has_no_place(path):
                yield file.name, f"unmapped {path}"
        for syntax in INVOICE_SYNTAXES:
            copy = folder / f"{file.stem}.{syntax}.xml"
            written.append(copy)
            told_again = _written(file, syntax, copy, capfd)
            told_again -= {*told, *(["MAP-NOT-TAKEN"] if source["unmapped"] else [])}
            yield from ((file.name, f"{syntax} told {rule}") for rule in told_again)
            again, told_of_copy = _mapped(copy, "json", capfd)
            yield from ((file.name, f"{syntax} read told {one}") for one in told_of_copy - told)
            if again.pop("source")["unmapped"]:
                yield file.name, f"{syntax} read leaves something out"
            if again != invoice:
                yield file.name, f"{syntax} reads back otherwise"
    good = {name for name, verdict in _verdicts(FILES, capfd) if verdict == "accepted"}
    assert good
    for name, verdict in _verdicts(written, capfd):
        stem, syntax, _ = name.rsplit(".", 2)
        (origin,) = (file.name for file in FILES if file.stem == stem)
        if origin in good and verdict != "accepted":
            yield origin, f"{syntax} is {verdict}"


def _mapped(
    file: Path, to: str, capfd: pytest.CaptureFixture[str]
) -> tuple[dict[str, Any], set[str]]:
    main(["map", str(file), "--to", to])
    output, errors = capfd.readouterr()
    return json.loads(output), _rules(errors)


def _written(file: Path, syntax: Syntax, copy: Path, capfd: pytest.CaptureFixture[str]) -> set[str]:
    main(["map", str(file), "--to", syntax.value])
    output, errors = capfd.readouterr()
    copy.write_text(output, encoding="utf-8")
    return _rules(errors)


def _rules(errors: str) -> set[str]:
    return {found[1] for line in errors.splitlines() if (found := _RULE.search(line))}


def _verdicts(files: list[Path], capfd: pytest.CaptureFixture[str]) -> Iterator[tuple[str, str]]:
    main(["validate", *map(str, files), "--flow", "en16931-invoice", "--json"])
    for file, line in zip(files, capfd.readouterr().out.splitlines(), strict=True):
        yield file.name, json.loads(line)["verdict"]


def test_every_example_goes_both_ways(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing but what was reviewed; `-s` shows the table."""
    found = sorted(set(_rows(tmp_path, capfd)))
    with capfd.disabled():
        print(f"\n{len(FILES)} files, {len(found)} exceptions")
        for row in found:
            print(" | ".join((*row, _REVIEWED.get(row, "NOT REVIEWED"))))
    assert found == sorted(_REVIEWED)
