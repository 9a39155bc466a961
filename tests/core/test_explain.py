"""Our own findings: every code is worded, in both languages, and used."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import pytest

import gateway
from gateway.core.explain import Wording, definitions, own_finding, quoted, read_definitions
from gateway.errors import ConfigurationError
from gateway.model.verdict import Layer, Severity

CODE = re.compile(
    r"(CONTAINER|ATTACHMENT|PDF|ENVELOPE|PAYLOAD|XML|ROUTE|XSD|MAP|CHECK|FINDINGS|REQUEST)"
    r"-[A-Z]+(-[A-Z]+)*"
    r"|DOUBLON"
)


def codes_in_source() -> set[str]:
    """Every string in the package that is a code of ours."""
    found = set()
    for path in Path(gateway.__file__).parent.rglob("*.py"):
        if "samples" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            value = node.value if isinstance(node, ast.Constant) else None
            if isinstance(value, str) and CODE.fullmatch(value):
                found.add(value)
    return found


def test_every_code_used_is_worded_and_every_code_worded_is_used() -> None:
    """schemas/findings.toml and the source hold the same codes."""
    assert codes_in_source() == set(definitions())


def variants_in_source() -> set[str]:
    """Every string in the core: variants are picked from tables, so any of them may be one."""
    core = Path(gateway.__file__).parent / "core"
    return {
        node.value
        for path in core.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


@pytest.mark.parametrize("code", sorted(definitions()))
def test_both_languages_say_the_same_values(code: str) -> None:
    """French and English name the same values, are written, and end like sentences."""
    definition = definitions()[code]
    assert definition.message
    wordings: list[Wording] = [definition, *definition.variants.values()]
    for wording in wordings:
        for text in (wording.explanation, wording.remedy):
            assert fields(text.fr, "_fr") == fields(text.en, "_en"), text
            for sentence in (text.fr, text.en):
                assert re.search(r"[.}]$", sentence), sentence


@pytest.mark.parametrize("code", sorted(definitions()))
def test_every_variant_is_used(code: str) -> None:
    """No variant is worded that no code picks."""
    assert set(definitions()[code].variants) <= variants_in_source()


def fields(text: str, language: str) -> set[str]:
    """The `{name}`s of a sentence; `name_fr` is what `name_en` is in English."""
    names = (name for _, name, _, _ in string.Formatter().parse(text) if name)
    return {name.removesuffix(language) for name in names}


def test_a_finding_carries_its_words_and_place() -> None:
    """Values fill the sentences of both languages; place and terms are passed on."""
    finding = own_finding("XML-SIZE", line=3, column=4, terms=("BT-1",), size=11, limit=10)
    assert finding.layer is Layer.XML
    assert finding.severity is Severity.ERROR
    assert (finding.line, finding.column, finding.terms) == (3, 4, ("BT-1",))
    assert finding.explanation is not None
    assert "11" in finding.explanation.fr
    assert "11" in finding.explanation.en
    assert "10" in finding.message


def test_a_lesser_finding_does_not_reject() -> None:
    """The file decides the severity, unless the caller does."""
    assert own_finding("XSD-MORE", shown=50).severity is Severity.INFO
    assert own_finding("XML-EMPTY", size=0, severity=Severity.INFO).severity is Severity.INFO


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a\nb\x00c\x1b[31m", "a b c [31m"),
        ("x" * 400, "x" * 299 + "…"),
        (("a", "b\n"), "a, b"),
        (7, "7"),
        ("{size}", "{size}"),
        ("abc\u202edef", "abc def"),
    ],
)
def test_quoted_values_are_harmless(value: object, shown: str) -> None:
    """What a document says stays on one line, short, and without control characters."""
    assert quoted(value) == shown


def test_braces_in_a_value_are_not_filled() -> None:
    """A partner's text is never a template."""
    finding = own_finding("ROUTE-UNKNOWN-ROOT", root="{known} {0}", known=("x",))
    assert "{known} {0}" in finding.message


def test_a_value_that_is_missing_is_our_mistake() -> None:
    """The sentence would have a hole: better to fail in a test."""
    with pytest.raises(KeyError):
        own_finding("XML-SIZE", size=1)


@pytest.mark.parametrize(
    "content",
    [
        "not toml",
        '[X]\nlayer = "nowhere"\nmessage = ""\n',
        '[X]\nlayer = "xml"\nmessage = ""\nunknown = 1\n',
    ],
)
def test_a_broken_file_is_a_configuration_error_that_names_it(tmp_path: Path, content: str) -> None:
    """Whoever edits the sentences hears which file is wrong."""
    file = tmp_path / "findings.toml"
    file.write_text(content)
    with pytest.raises(ConfigurationError, match=re.escape(str(file))):
        read_definitions(file)
