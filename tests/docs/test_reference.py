"""docs/reference: as it is made from what the gateway reads and publishes, and nothing left out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.core.explain import definitions
from gateway.core.wordings import explanations
from gateway.model.verdict import Language
from scripts.reference.findings import findings_page
from scripts.reference.pages import pages
from scripts.reference.rules import rules_page
from scripts.reference.schemas import Contract, properties, type_words

DOCS = Path(__file__).parents[2] / "docs"
PAGES = pages()


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_current(name: str) -> None:
    """Nobody edits it by hand: `python -m scripts.reference` writes it."""
    assert (DOCS / "reference" / name).read_text(encoding="utf-8") == PAGES[name]


@pytest.mark.parametrize("language", Language)
def test_every_finding_says_what_why_and_how(language: Language) -> None:
    """Each code once, in both languages, with every sentence there is, and its narrower cases."""
    text = findings_page(language)
    assert sorted(re.findall(r"^### `(.+)`$", text, re.M)) == sorted(definitions())
    sections = dict(re.findall(r"^### `([\w-]+)`\n(.*?)(?=^##|\Z)", text, re.M | re.S))
    for code, definition in definitions().items():
        assert len(re.findall(r"^\*\*[^*]+\.\*\* .", sections[code], re.M)) == 3, code
        assert set(re.findall(r"^- \*[^*]+\* `(\w[\w-]*)`", sections[code], re.M)) == {
            *definition.variants
        }, code


def test_the_languages_are_not_mixed_up() -> None:
    """French stands on the French page, English on the other."""
    french, english = findings_page(Language.FR), findings_page(Language.EN)
    some = definitions()["CONTAINER-EMPTY"].explanation
    assert some.fr.split("{")[0] in french
    assert some.en.split("{")[0] in english
    assert some.fr.split("{")[0] not in english


@pytest.mark.parametrize(
    ("contract", "page"), [("openapi.yaml", "http.md"), ("asyncapi.yaml", "messages.md")]
)
def test_every_name_of_a_contract_is_on_its_page(contract: str, page: str) -> None:
    """Objects, messages, channels, operations, parameters, statuses, and every property."""
    document: dict[str, Any] = yaml.safe_load((DOCS / contract).read_text(encoding="utf-8"))
    text = PAGES[page]
    headings = set(re.findall(r"^#+ `([^`]+)`", text, re.M))
    expected = {*document["components"]["schemas"], *document["components"].get("messages", {})}
    expected |= {*document.get("channels", {})}
    for path, item in document.get("paths", {}).items():
        expected |= {f"{method.upper()} {path}" for method in item if method != "parameters"}
    assert headings == expected
    names: set[str] = set()

    def look(node: Any) -> None:
        if isinstance(node, dict):
            names.update(node.get("properties", {}))
            for each in node.values():
                look(each)
        elif isinstance(node, list):
            for each in node:
                look(each)

    for schema in document["components"]["schemas"].values():
        look(schema)
    paths = re.findall(r"^\| `([^`]+)` \|", text, re.M)
    shown = {re.split(r"[.\[\]]+", path)[-1] for path in paths}
    assert names - shown == set()


@pytest.mark.parametrize("language", Language)
def test_every_explained_rule_is_there(language: Language) -> None:
    """Each rule with sentences of its own, once; terms by their names, nothing left to fill in."""
    rows = re.findall(r"^\| `([^`]+)` \| (.+?) \| (.+?) \|$", rules_page(language), re.M)
    expected = [rule for rule, words in explanations().rules.items() if all(words.said(language))]
    assert [rule for rule, _, _ in rows] == expected
    assert len(expected) > 300
    text = rules_page(language)
    assert "{" not in text.replace("\\{", "")
    assert ("Montant net" in text) is (language is Language.FR)


def test_a_schema_in_words() -> None:
    """Types, bounds, lists, references and what may be left out."""
    contract = Contract({"components": {"schemas": {"A": {"type": "object"}}}})
    assert type_words({"type": ["string", "null"], "format": "date"}) == "string or `null` (date)"
    assert type_words({"type": "integer", "minimum": 1, "maximum": 9}) == "integer, 1 to 9"
    assert type_words({"type": "array", "items": {"$ref": "#/x/A"}}) == "list of `A`"
    assert type_words({"enum": ["a", None, True]}) == "`a`, `null`, `true`"
    schema = {
        "required": ["a"],
        "properties": {
            "a": {"type": "array", "items": {"properties": {"b": {"const": 2}}}},
            "c": {"type": "string", "description": "One | two."},
        },
    }
    assert list(properties(schema, contract)) == [
        ("`a`", "list of object", ""),
        ("`a[].b`", "`2`", "May be left out."),
        ("`c`", "string", "May be left out. One \\| two."),
    ]
