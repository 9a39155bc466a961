"""A rewritten rule pack finds what the shipped one finds, or is not rewritten.

EDI_GATEWAY_MUTATIONS sets how many damaged invoices every pack judges both ways (default 40; by
the thousand before a change of the compiler is trusted), EDI_GATEWAY_MUTATION_SEED which ones.
The thousands that are aimed at the rules are those of `test_schematron_equivalence`.
With EDI_GATEWAY_CORPUS (a folder with `ubl/*.xml` and `cii/*.xml`) public examples are damaged too.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.invoices import FAULTS, cii_invoice, ubl_invoice
from gateway.core.schematron import runner
from gateway.core.schematron.catalogue import Catalogue, PackProblem
from gateway.core.schematron.compiler import Rewriting, rewrite
from gateway.core.schematron.preparation import prepared, rewriting
from gateway.core.schematron.runner import RulePacks
from gateway.core.xml import ParsedXml, parse
from gateway.errors import RulePackError
from gateway.model.interchange import Syntax
from gateway.model.job import DocumentLimits
from gateway.samples import SAMPLES, sample_bytes
from tests import mini_packs
from tests.b2g_documents import DOCUMENTS as B2G
from tests.both_ways import FAILED, NOTHING_CHECKED, BothWays
from tests.mini_skeleton import Rule, stylesheet
from tests.mutations import Vocabulary, mutants, vocabulary
from tests.official_packs import official

MUTATIONS = int(os.environ.get("EDI_GATEWAY_MUTATIONS", "40"))
SEED = os.environ.get("EDI_GATEWAY_MUTATION_SEED", "1")
CORPUS = Path(os.environ.get("EDI_GATEWAY_CORPUS", "no corpus"))

CATALOGUE = Catalogue.load()
INVOICE_PACKS = tuple(name for name in CATALOGUE.names() if CATALOGUE.pack(name).syntax)
"""All but those for messages that are no invoices, which run as shipped."""


@functools.cache
def words(syntax: Syntax) -> Vocabulary:
    """What all packs of a syntax talk about."""
    found = []
    for name in CATALOGUE.names():
        if CATALOGUE.pack(name).syntax is syntax:
            try:
                found.append(CATALOGUE.artefact(name).stylesheet)
            except PackProblem:
                continue
    return vocabulary(found)


def invoices(syntax: Syntax) -> Iterator[bytes]:
    """Our own samples and generated invoices, good and faulty, and invoices to public buyers."""
    yield from (sample_bytes(sample.file) for sample in SAMPLES if sample.syntax is syntax)
    yield from (data for kind, data in B2G.items() if kind.startswith(syntax.value))
    for fault in (None, *FAULTS):
        if syntax is Syntax.UBL:
            yield ubl_invoice("FA-1", lines=2, fault=fault)
            yield ubl_invoice("FA-2", lines=2, fault=fault, credit_note=True)
        else:
            yield cii_invoice("FA-1", lines=2, fault=fault)


def check(pack: str, documents: Callable[[Syntax], Iterator[bytes]], tmp_path: Path) -> None:
    """Judge every document both ways. The rules must have had something to say."""
    shipped = official(pack)
    both = BothWays(*prepared(shipped))
    findings = 0
    assert shipped.entry.syntax is not None
    for number, data in enumerate(documents(shipped.entry.syntax)):
        expected, found = both.answers(data)
        # A rewritten pack that fails, or cannot tell whether it checked anything, asks the shipped
        # one (`test_the_shipped_pack_has_the_last_word`).
        asks = found == FAILED or (found, expected) == (NOTHING_CHECKED, ())
        if found != expected and not asks:
            kept = tmp_path / f"{pack}-{number}.xml"
            kept.write_bytes(data)
            pytest.fail(f"{pack} on {kept}: shipped {expected}, rewritten {found}")
        findings += len(expected) if not isinstance(expected, str) else 0
    # A phase is for certain invoices, which the public examples may lack.
    assert findings or shipped.entry.phase


@pytest.mark.parametrize("pack", INVOICE_PACKS)
def test_every_official_pack_is_rewritten(pack: str) -> None:
    """All shapes are known. The one pattern that keeps its walk has rules edited to end it."""
    known = rewriting(official(pack))
    assert known.as_shipped == ""
    assert list(known.walks) == (["M86"] if pack == "facturx-extended" else [])


@pytest.mark.parametrize("pack", INVOICE_PACKS)
def test_an_official_pack_finds_the_same_both_ways(pack: str, tmp_path: Path) -> None:
    """Same rules, places, severities and texts, in the same order, on invoices and damaged ones."""

    def documents(syntax: Syntax) -> Iterator[bytes]:
        originals = list(invoices(syntax))
        yield from originals
        yield b"<a/>"
        for number, data in enumerate(originals):
            count = MUTATIONS // len(originals) + (number < MUTATIONS % len(originals))
            yield from mutants(data, words(syntax), seed=f"{SEED}/{pack}/{number}", count=count)

    print(f"EDI_GATEWAY_MUTATION_SEED={SEED}")
    check(pack, documents, tmp_path)


@pytest.mark.corpus
@pytest.mark.skipif(not CORPUS.is_dir(), reason="EDI_GATEWAY_CORPUS names no folder of examples")
@pytest.mark.parametrize("pack", INVOICE_PACKS)
def test_an_official_pack_finds_the_same_both_ways_on_public_examples(
    pack: str, tmp_path: Path
) -> None:
    """The same on invoices that nobody here wrote, and on damaged copies of them."""

    def documents(syntax: Syntax) -> Iterator[bytes]:
        files = sorted((CORPUS / syntax.value).glob("*.xml"))
        assert files
        for file in files:
            data = file.read_bytes()
            seed = f"{SEED}/{pack}/{file.name}"
            yield data
            yield from mutants(data, words(syntax), seed=seed, count=-(-MUTATIONS // len(files)))

    print(f"EDI_GATEWAY_MUTATION_SEED={SEED}")
    check(pack, documents, tmp_path)


LINES = b"""<?xml version="1.0" encoding="UTF-8"?>
<?first of-all?><!-- before -->
<o:order xmlns:o="urn:test:order" xmlns:p="urn:test:part" kind="x">
  <p:line number="1"><p:amount unit="EUR">5</p:amount><p:note/>text</p:line>
  <p:line number="2"><p:amount unit="USD">-7</p:amount><!-- inside --></p:line>
  <p:group><p:line><p:amount>0</p:amount></p:line></p:group>
</o:order>
"""

NEVER = {"R": "false()"}


def test_the_first_rule_of_a_pattern_takes_the_node() -> None:
    """Of the rules of a pattern only one judges a node; each pattern begins anew."""
    both = BothWays(
        stylesheet(
            [
                Rule("p:line[@number = 2]", {"A": "false()"}),
                Rule("p:line", {"B": "false()"}),
                Rule("p:line/p:amount | p:line", {"C": "false()"}),
            ],
            [Rule("//p:*[@number]", {"D": "false()"}), Rule("*", {"E": "not(self::o:order)"})],
        )
    )
    assert both.rewriting.walks == {}
    assert [found.split()[0] for found in both.found(LINES)] == [
        *("B", "C", "A", "C", "B", "C"),
        *("E", "D", "D"),
    ]


def test_findings_keep_the_order_of_the_document() -> None:
    """Whatever the order of the rules: pattern by pattern, node by node."""
    both = BothWays(
        stylesheet([Rule("p:amount", NEVER), Rule("p:note", NEVER), Rule("/o:order", NEVER)])
    )
    texts = [found.split('"')[1].strip() for found in both.found(LINES)]
    assert [text[:2] for text in texts] == ["5t", "5", "", "-7", "0"]


def test_many_names_are_found_in_one_pass() -> None:
    """Past a number of names all elements are looked at, which changes nothing."""
    names = " | ".join(f"p:n{number}" for number in range(30))
    both = BothWays(stylesheet([Rule(f"{names} | p:amount", NEVER), Rule("p:line", NEVER)]))
    assert 'select="//*"' in both.rewriting.stylesheet
    assert len(both.found(LINES)) == 6


@pytest.mark.parametrize(("walk", "count"), [("*", 0), ("@*|*", 2)])
def test_attributes_are_judged_when_the_walk_visits_them(walk: str, count: int) -> None:
    """Some versions of the skeleton visit attributes, others never do: both are kept."""
    both = BothWays(stylesheet([Rule("p:line/@number", NEVER)], walk=walk))
    shipped, rewritten = both.answers(LINES)
    assert both.rewriting.walks == {}
    assert shipped == rewritten if count else (shipped, rewritten) == (NOTHING_CHECKED,) * 2
    assert len(shipped) == count or shipped == NOTHING_CHECKED


@pytest.mark.parametrize(
    ("rule", "count"),
    [
        (Rule("/", {"R": "not(//p:line)"}), 1),
        (Rule("comment()", NEVER), 1),
        (Rule("processing-instruction()", NEVER), 1),
        (Rule("node()", NEVER), 11),
        (Rule("p:amount/text()", NEVER), 0),
        (Rule(".[self::p:amount]", NEVER), 3),
        (Rule("key('by-number', '2')", NEVER), 1),
        (Rule("p:line", {"R": "position() != 2"}), 1),
        (Rule("p:line", {"R": "$place != last()"}, lets={"place": "position()"}), 1),
        (Rule("p:group", NEVER, ends=True), 1),
    ],
    ids=lambda value: value.context if isinstance(value, Rule) else "",
)
def test_a_pattern_that_depends_on_its_walk_keeps_it(rule: Rule, count: int) -> None:
    """Odd contexts, positions and rules that end the walk: that pattern runs as shipped."""
    both = BothWays(
        stylesheet(
            [rule, Rule("p:line/p:amount", {"B": "false()"})],
            [Rule("p:note", {"C": "false()"})],
            globals_='<xsl:key name="by-number" match="p:line" use="@number"/>',
        )
    )
    assert both.rewriting.as_shipped == ""
    assert list(both.rewriting.walks) == ["M1"]
    found = [finding.split()[0] for finding in both.found(LINES)]
    assert found.count("R") == count
    assert found.count("C") == 1


def test_positions_inside_of_paths_do_no_harm() -> None:
    """position() and last() in a predicate mean the step's place, however the rule is reached."""
    tests = {"R": "p:line[last()]/@number = '2'", "S": "p:line[position() = 1]/@number = '2'"}
    both = BothWays(stylesheet([Rule("o:order", tests)]))
    assert both.rewriting.walks == {}
    assert [finding.split()[0] for finding in both.found(LINES)] == ["S"]


def test_variables_keys_and_functions_go_on_working() -> None:
    """Lets of a rule, of the schema, keys and functions are what they were."""
    both = BothWays(
        stylesheet(
            [
                Rule(
                    "p:line[number(p:amount) lt $least]",
                    {"R": "$twice ge 0", "S": "key('by-unit', 'EUR')/p:amount = $amount"},
                    lets={"amount": "p:amount", "twice": "p:double($amount)"},
                )
            ],
            globals_="""
            <xsl:variable name="least" select="count(//p:line)"/>
            <xsl:key name="by-unit" match="p:line" use="p:amount/@unit"/>
            <xsl:function name="p:double" as="xs:decimal">
              <xsl:param name="value"/><xsl:sequence select="2 * xs:decimal($value)"/>
            </xsl:function>""",
        )
    )
    assert both.rewriting.walks == {}
    assert [finding.split()[0] for finding in both.found(LINES)] == ["R", "S", "S"]


def test_a_prefix_that_changes_its_meaning_keeps_the_walk() -> None:
    """Names are looked up where the walk starts: there a prefix must mean the same."""
    text = stylesheet([Rule("q:line", NEVER), Rule("p:note", {"B": "false()"})])
    text = text.replace('<xsl:template match="q:line"', f'{_OTHER} match="q:line"')
    both = BothWays(text)
    assert list(both.rewriting.walks) == ["M1"]
    assert len(both.found(LINES)) == 4


_OTHER = '<xsl:template xmlns:q="urn:test:part"'


def test_a_rule_that_fails_fails_both_ways() -> None:
    """A dynamic error is one, rewritten or not."""
    both = BothWays(stylesheet([Rule("p:note", {"R": "xs:decimal(.) = 1"})]))
    assert both.answers(LINES) == (FAILED, FAILED)


KNOWN = stylesheet([Rule("p:line", NEVER)])
_END = "</xsl:stylesheet>"
_ONWARD = '<xsl:apply-templates select="*" mode="M1"/>'


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('version="2.0"', 'version="1.0"', "no xsl:stylesheet of version 2.0 or 3.0"),
        (_END, f"<xsl:import href='x'/>{_END}", "xsl:import"),
        (_END, f"<xsl:mode name='M1' on-no-match='fail'/>{_END}", "xsl:mode"),
        (_END, f"<xsl:template name='x'/>{_END}", "the attribute name"),
        (_END, f"<xsl:template match='p:line'/>{_END}", "the default mode"),
        (_END, f"<xsl:template match='*' mode='#all'/>{_END}", "in mode #all"),
        (_END, f"<xsl:template match='p:x' mode='M1'/>{_END}", "that is no rule"),
        (_END, f"<xsl:template match='p:x' mode='M1' priority='-3'/>{_END}", "that is no rule"),
        (
            _END,
            f"<xsl:template match='p:x' mode='M1' priority='7'/>{_END}",
            "does not open with a plain svrl:fired-rule",
        ),
        (
            _END,
            f"<xsl:variable name='v'><xsl:apply-templates mode='M1'/></xsl:variable>{_END}",
            "outside of templates",
        ),
        (
            _END,
            "<xsl:template match='*' mode='x'><xsl:apply-templates mode='M1'/></xsl:template>"
            + _END,
            "mode M1 are applied out of turn",
        ),
        (
            _END,
            f"<xsl:template match='*' mode='x'><xsl:apply-templates/></xsl:template>{_END}",
            "(default) are applied out of turn",
        ),
        ("<xsl:choose>", "<xsl:message>!</xsl:message><xsl:choose>", "xsl:message"),
        ("<xsl:choose>", "<xsl:param name='p'/><xsl:choose>", "xsl:param stands"),
        ("<xsl:choose>", "<xsl:choose use-when='true()'>", "the attribute use-when"),
        ("<xsl:choose>", "<p:x xsl:use-attribute-sets='s'/><xsl:choose>", "an attribute of XSLT"),
        ("<xsl:choose>", "<xsl:apply-templates mode='M1'/><xsl:choose>", "out of turn"),
        ('<svrl:fired-rule context="p:line"/>', "", "plain svrl:fired-rule"),
        ('context="p:line"/>', 'context="{p:line}"/>', "plain svrl:fired-rule"),
        ('<xsl:apply-templates select="/" mode="M1"/>', "", "it has no patterns"),
        ('<xsl:apply-templates select="/" mode="M1"/>', "<xsl:text/>", "the report holds text"),
        ('select="/" mode="M1"', 'select="/*" mode="M1"', "starts in no known way"),
        ("<xsl:apply-templates/>\n", "", "the walk in the default mode"),
        ("<xsl:apply-templates/>\n", "<p:x/><xsl:apply-templates/>", "an active pattern holds x"),
        ('document-uri(/)"/></xsl:attribute>', '//p:x"/></xsl:attribute>', "than its name"),
        ('<xsl:template match="text()" priority="-1"/>', "", "the default mode"),
        (
            '<xsl:template match="text()" priority="-1"/>',
            '<xsl:template match="text()" priority="-1">x</xsl:template>',
            "more than to drop text",
        ),
        ('match="@*|node()"', 'match="node()"', "that is no rule"),
        (
            'mode="M1">\n  <xsl:apply-templates select="*"',
            'mode="M1">\n  <xsl:apply-templates select="p:line"',
            "does not simply walk on",
        ),
        (
            f"</xsl:choose>\n{_ONWARD}",
            f"</xsl:choose>\n{_ONWARD.replace('*', '@*|*')}",
            "walk on in different ways",
        ),
    ],
)
def test_an_unknown_shape_runs_as_shipped(old: str, new: str, reason: str) -> None:
    """Whatever is not exactly the skeleton is left alone, and it can be told why."""
    assert rewrite(KNOWN).as_shipped == ""
    assert KNOWN.count(old), old
    text = KNOWN.replace(old, new)

    known = rewrite(text)

    assert reason in known.as_shipped
    assert known.stylesheet == text


def packs(folder: Path, text: str, *, optimise: bool = True) -> RulePacks:
    """The gateway's own runner with one pack."""
    return RulePacks(mini_packs.catalogue(folder, text.encode()), optimise=optimise)


def parsed(data: bytes = LINES) -> ParsedXml:
    document = parse(data, DocumentLimits())
    assert isinstance(document, ParsedXml)
    return document


def test_the_whole_report_is_that_of_the_shipped_pack(tmp_path: Path) -> None:
    """`svrl` names every pattern and every rule that fired; a run does without."""
    made = packs(tmp_path, stylesheet([Rule("p:line", NEVER)]))
    assert len(made.run("mini", parsed())) == 3
    report = made.svrl("mini", parsed())
    assert report.count(b"<svrl:fired-rule") == 3
    assert report.count(b"<svrl:active-pattern") == 1


@pytest.mark.parametrize("optimise", [True, False])
def test_rewriting_can_be_switched_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optimise: bool
) -> None:
    """`optimise=False` runs what was shipped, and finds the same."""
    asked: list[str] = []

    def spy(text: str, codes: dict[str, str]) -> Rewriting:
        asked.append(text)
        return rewrite(text, codes)

    monkeypatch.setattr(runner, "rewrite", spy)
    found = packs(tmp_path, KNOWN, optimise=optimise).run("mini", parsed())
    assert len(found) == 3
    assert len(asked) == optimise


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(KNOWN.replace("false()", "false("), id="does not compile"),
        pytest.param(KNOWN.replace("false()", "xs:decimal(.)"), id="fails"),
        pytest.param(KNOWN.replace("svrl:schematron-output", "svrl:other"), id="says nonsense"),
        pytest.param(KNOWN.replace('"p:line"', '"p:none"'), id="checks nothing"),
    ],
)
def test_the_shipped_pack_has_the_last_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: str
) -> None:
    """Should a rewritten pack ever give no answer, the shipped one is asked."""
    monkeypatch.setattr(runner, "rewrite", lambda _text, _codes: Rewriting(bad, "", {}))
    assert len(packs(tmp_path, KNOWN).run("mini", parsed())) == 3


def test_a_check_without_findings_is_told_from_no_check(tmp_path: Path) -> None:
    """Only rules with conditions fired, and none complained: that is a clean document."""
    text = stylesheet([Rule("p:line[p:amount]", {"R": "true()"}), Rule("p:none", NEVER)])
    assert BothWays(text).answers(LINES) == ((), NOTHING_CHECKED)
    assert packs(tmp_path, text).run("mini", parsed()) == ()
    with pytest.raises(RulePackError, match="nothing was checked"):
        packs(tmp_path, text).run("mini", parsed(b"<a/>"))


def test_a_pack_of_conditions_only_says_itself_that_it_checked() -> None:
    """Where no rule fires for a name alone, the rules go on reporting that they fired."""
    both = BothWays(stylesheet([Rule("p:line[p:amount]", {"R": "true()"})]))
    assert both.answers(LINES) == ((), ())
    assert both.answers(b"<a/>") == (NOTHING_CHECKED, NOTHING_CHECKED)
