"""A judgement in plain words for a terminal."""

from __future__ import annotations

import msgspec
import pytest

from gateway.cli.validate_text import in_words
from gateway.model.verdict import (
    Finding,
    Judgement,
    Language,
    Layer,
    Rejected,
    Severity,
    Text,
)

FINDING = Finding(
    rule="BR-CO-15",
    layer=Layer.SCHEMATRON,
    severity=Severity.ERROR,
    message="[BR-CO-15]-Invoice total amount with VAT (BT-112) = …",
    location="/Invoice",
    line=8,
    column=1,
    excerpt="<Invoice>…",
    terms=("BT-112",),
    explanation=Text(
        en="The total with VAT (BT-112) is 1,210.01, but 1,000.00 + 210.00 = 1,210.00.",
        fr="« Montant total » (BT-112) vaut 1\N{NO-BREAK SPACE}210,01 : 0,01 de trop. " * 4,
    ),
    remedy=Text(en="Correct BT-112 on line 214.", fr="Corrigez BT-112, ligne 214."),
)


def said(finding: Finding, language: Language) -> list[str]:
    """The lines about one finding."""
    judgement = Judgement(
        document="d",
        sha256="0" * 64,
        size=1,
        flow=None,
        syntax=None,
        document_type=None,
        profile=None,
        verdict=Rejected(findings=(finding,)),
    )
    return in_words(judgement, "invoice.xml", language).splitlines()[2:]


@pytest.mark.parametrize(
    ("language", "labels"),
    [
        (Language.EN, ["why", "to mend it", "where", "about", "rule"]),
        (Language.FR, ["pourquoi", "que faire", "où", "concerne", "règle"]),
    ],
)
def test_what_helps_comes_first_and_the_rule_s_own_text_last(
    language: Language, labels: list[str]
) -> None:
    """Why and what to do, then the place, then what only an implementer reads."""
    lines = said(FINDING, language)
    assert lines[0].startswith("1. BR-CO-15 (")
    assert [line[3:18].strip() for line in lines[1:] if line[3:18].strip()] == labels


@pytest.mark.parametrize(("language", "times"), [(Language.EN, 1), (Language.FR, 2)])
def test_nothing_is_said_twice(language: Language, times: int) -> None:
    """A rule of one's own may speak by its text alone, in one of the languages."""
    text = Text(en="Ask ACME.", fr="Demandez à ACME.")
    finding = msgspec.structs.replace(FINDING, message=text.en, explanation=text, remedy=None)

    lines = "\n".join(said(finding, language))

    assert lines.count("ACME") == times


def test_no_line_ends_inside_a_number_or_before_french_punctuation() -> None:
    """A colon, a closing quote or the end of an amount alone on a line cannot be read."""
    lines = said(FINDING, Language.FR)
    for line in lines:
        assert not line.endswith(("«", "vaut 1")), line
        assert not line.lstrip().startswith(("»", ":", "210,01")), line
    assert "\N{NO-BREAK SPACE}" not in "".join(lines)
    assert "vaut 1 210,01 : 0,01" in " ".join(" ".join(lines).split())


def test_control_characters_of_a_document_do_not_reach_the_terminal() -> None:
    """A terminal would obey them."""
    hostile = Finding(
        rule="R",
        layer=Layer.XSD,
        severity=Severity.ERROR,
        message="m\x1b[2J",
        location="/a\x07",
        excerpt="<a>\u202e",
    )
    text = "".join(said(hostile, Language.EN))
    assert not {"\x1b", "\x07", "\u202e"} & set(text)
