"""Rules whose authors say in French and in English what they mean (diagnostics with xml:lang)."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from gateway.core.schematron.catalogue import Catalogue
from gateway.core.schematron.importing_files import Wanted, import_file
from gateway.core.schematron.partners import PartnerPacks
from gateway.core.schematron.runner import RulePacks
from gateway.core.schematron.source import compile_source
from gateway.core.xml import ParsedXml, parse
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Finding, Language, Text
from gateway.samples import sample_bytes
from tests import mini_packs
from tests.both_ways import BothWays
from tests.schematron_sources import NAME, UBL, fired, pattern, rule, rules, written

XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
DIAGNOSTICS = """<diagnostics>
  <diagnostic id="en" xml:lang="en-GB">Found <value-of select="."/>: ask ACME.</diagnostic>
  <diagnostic id="fr" xml:lang="fr">Trouvé <value-of select="."/> : demandez à ACME.</diagnostic>
  <diagnostic id="en2" xml:lang="EN">Or ring.</diagnostic>
  <diagnostic id="plain">See the contract.</diagnostic>
  <diagnostic id="de" xml:lang="de">Bitte fragen.</diagnostic>
</diagnostics>"""


def body(names: str, text: str = "No.", diagnostics: str = DIAGNOSTICS) -> str:
    """A rule that never holds, with these diagnostics."""
    asserted = f'<assert id="A" diagnostics="{names}" test="false()">{text}</assert>'
    return pattern(rule("p:total", asserted)) + diagnostics


def parsed(data: bytes = mini_packs.DOCUMENT) -> ParsedXml:
    """A document."""
    found = parse(data, DocumentLimits())
    assert isinstance(found, ParsedXml)
    return found


def finding(folder: Path, schematron: str) -> Finding:
    """What a rule beside a flow has found."""
    (found,) = PartnerPacks([rules(folder, schematron)]).run(NAME, parsed())
    return found


@pytest.mark.parametrize(
    ("names", "message", "explanation"),
    [
        (
            "fr en",
            "No.",
            Text(en="Found 12€: ask ACME.", fr="Trouvé 12€ : demandez à ACME."),
        ),
        ("fr", "No.", Text(en="No.", fr="Trouvé 12€ : demandez à ACME.")),
        ("en en2", "No.", Text(en="Found 12€: ask ACME. Or ring.", fr="No.")),
        ("plain de", "No. See the contract. Bitte fragen.", None),
        ("", "No.", None),
    ],
)
def test_each_language_gets_its_words(
    tmp_path: Path, names: str, message: str, explanation: Text | None
) -> None:
    """Where one is not written, the text of the rule stands; other languages follow that text."""
    found = finding(tmp_path, body(names))

    assert found.message == message
    assert found.explanation == explanation


def test_a_rule_may_have_no_other_text(tmp_path: Path) -> None:
    """Then what it says first is its message."""
    found = finding(tmp_path, body("fr en", text=""))

    assert found.message == "Trouvé 12€ : demandez à ACME."
    assert found.explanation is not None
    assert found.explanation.to(Language.EN) == "Found 12€: ask ACME."


def test_the_language_may_stand_around_them(tmp_path: Path) -> None:
    """At `diagnostics`; that of the schema is about its texts as well, and changes nothing."""
    around = '<diagnostics xml:lang="fr"><diagnostic id="d">Dit.</diagnostic></diagnostics>'
    inside = finding(tmp_path, body("d", diagnostics=around))
    plain = around.replace(' xml:lang="fr"', "")
    path = written(tmp_path, body("d", diagnostics=plain), 'xml:lang="fr"')
    (violation,) = fired(path)

    assert inside.explanation == Text(en="No.", fr="Dit.")
    assert (violation.text, violation.words) == ("No. Dit.", ())


def test_the_report_says_which_language(tmp_path: Path) -> None:
    """As SVRL has it."""
    report = PartnerPacks([rules(tmp_path, body("fr plain"))]).svrl(NAME, parsed())

    said = etree.fromstring(report).iter("{http://purl.oclc.org/dsdl/svrl}diagnostic-reference")
    assert [(each.get("diagnostic"), each.get(XML_LANG)) for each in said] == [
        ("fr", "fr"),
        ("plain", None),
    ]


def test_optimised_they_are_the_same(tmp_path: Path) -> None:
    """Texts, words and languages."""
    both = BothWays(compile_source(written(tmp_path, body("fr en2 plain"))))

    shipped, rewritten = both.answers(mini_packs.DOCUMENT)

    assert both.rewriting.as_shipped == ""
    assert rewritten == shipped
    assert not isinstance(shipped, str)
    assert [language for language, _ in shipped[0].words] == [Language.FR, Language.EN]


def test_an_imported_pack_speaks_for_itself(tmp_path: Path) -> None:
    """What we would say of a rule of that name is left out where its author has said it."""
    lines = "<diagnostics><diagnostic id='f' xml:lang='fr'>Sans acompte.</diagnostic></diagnostics>"
    asserted = '<assert id="BR-CO-15" diagnostics="f" test="false()">No prepayment.</assert>'
    path = written(tmp_path, UBL + pattern(rule("/ubl:Invoice", asserted)) + lines)
    data = sample_bytes("ubl-invoice.xml")
    catalogue = Catalogue.load(tmp_path / "packs")
    import_file(catalogue, path, {"ubl-invoice.xml": data}, Wanted())

    (found,) = RulePacks(catalogue).run("house", parsed(data))

    assert found.explanation == Text(en="No prepayment.", fr="Sans acompte.")
