"""The expected answer beside each case: what must be told to its sender, word for word.

    [[document]]
    verdict = "rejected"

    [[document.finding]]
    rule = "XML-DOCTYPE"
    …

Of a finding with a pack, `message` is the text of a standard or of a schema processor and not
ours: it may change with their next version and is left out.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

_HEAD = "# What the gateway must say of the file beside this one. README.md explains the fields.\n"
_FACTS = ("rule", "layer", "severity", "line", "column", "terms")


def expected(pair: Path) -> list[dict[str, Any]]:
    """The documents of a pair, in order."""
    content = tomllib.loads(pair.read_text(encoding="utf-8"))
    assert set(content) == {"document"}, f"{pair} has other keys than [[document]]"
    documents: list[dict[str, Any]] = content["document"]
    return documents


def told(
    answers: Mapping[str, Sequence[Mapping[str, Any]]], file_name: str
) -> list[dict[str, Any]]:
    """What was said of one case in both languages, in the form of a pair."""
    english, french = answers["en"], answers["fr"]
    assert len(english) == len(french), "one language tells of more documents"
    return [_document(en, fr, file_name) for en, fr in zip(english, french, strict=True)]


def write(pair: Path, documents: Iterable[Mapping[str, Any]]) -> None:
    """Write a pair as a person would: one value a line, texts whole."""
    lines = [_HEAD]
    for document in documents:
        lines.append("[[document]]")
        lines += _values(document, ("member", "verdict"))
        for finding in document.get("finding", ()):
            lines += ["", "[[document.finding]]", *_values(finding, (*_FACTS, "message"))]
            for key in ("explanation", "remedy"):
                if key in finding:
                    lines += [f"[document.finding.{key}]", *_values(finding[key], ("en", "fr"))]
        lines.append("")
    pair.write_text("\n".join(lines), encoding="utf-8")


def _document(en: Mapping[str, Any], fr: Mapping[str, Any], file_name: str) -> dict[str, Any]:
    document: dict[str, Any] = {"verdict": en["verdict"]}
    assert fr["verdict"] == en["verdict"]
    if en["document"] != file_name:
        document["member"] = en["document"]
    findings = [_finding(*both) for both in zip(en["findings"], fr["findings"], strict=True)]
    if findings:
        document["finding"] = findings
    return document


def _finding(en: Mapping[str, Any], fr: Mapping[str, Any]) -> dict[str, Any]:
    finding = {key: en[key] for key in _FACTS if en[key] not in (None, [])}
    if finding["severity"] == "error":
        del finding["severity"]
    assert all(fr[key] == en[key] for key in (*_FACTS, "message"))
    if en["pack"] is None:
        finding["message"] = en["message"]
    for key in ("explanation", "remedy"):
        if en[key] is not None:
            finding[key] = {"en": en[key], "fr": fr[key]}
    return finding


def _values(table: Mapping[str, Any], keys: Iterable[str]) -> list[str]:
    # JSON's strings, numbers and lists are TOML's, but for DEL, which TOML wants escaped.
    return [
        f"{key} = {json.dumps(table[key], ensure_ascii=False)}".replace("\x7f", "\\u007f")
        for key in keys
        if key in table
    ]
