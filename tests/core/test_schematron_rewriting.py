"""Each rewriting of the compiler finds the same as what was shipped, on documents made to differ.

Stylesheets are small and of our own; documents are random trees of the few names they speak of,
so that nearly every rule finds something in some and nothing in others. `EDI_GATEWAY_MUTATION_SEED`
sets which.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

import pytest

from gateway.core.schematron.codelists import FEWEST
from tests.both_ways import BothWays
from tests.mini_skeleton import Rule, stylesheet

SEED = os.environ.get("EDI_GATEWAY_MUTATION_SEED", "1")
DOCUMENTS = 200

_NAMES = (
    "line",
    "line",
    "line",
    "group",
    "note",
    "group",
    "amount",
    "lineAmount",
    "ID",
    "mount",
    "other",
)
_PREFIXES = ("p", "p", "p", "same", "foreign", "o")
_VALUES = ("A", "B", "A B", "", " ", " A ", "A  B", "Z", "1", "2", "é", "it's", "true", "\tB")


def trees(count: int = DOCUMENTS) -> Iterator[bytes]:
    """Random documents. `same` is another prefix of `p`; `foreign` is a namespace of its own."""
    for number in range(count):
        dice = random.Random(f"{SEED}/{number}")
        inner = "".join(_element(dice, 0) for _ in range(dice.randint(0, 6)))
        yield (
            '<o:order xmlns:o="urn:test:order" xmlns:p="urn:test:part" xmlns:same="urn:test:part"'
            f' xmlns:foreign="urn:test:foreign">{inner}</o:order>'
        ).encode()


def _element(dice: random.Random, depth: int) -> str:
    name = f"{dice.choice(_PREFIXES)}:{dice.choice(_NAMES)}"
    attributes = "".join(
        f" {attribute}={quoteattr(dice.choice(_VALUES))}"
        for attribute in ("x", "y", "code")
        if dice.random() < 0.15
    )
    count = dice.randint(0, 4) if depth < 4 and dice.random() < 0.7 else 0
    inner = "".join(_element(dice, depth + 1) for _ in range(count))
    return f"<{name}{attributes}>{inner or escape(dice.choice(_VALUES))}</{name}>"


def check(
    text: str, *rewritten: str, documents: Iterator[bytes] | None = None, silent: str = ""
) -> BothWays:
    """Both ways agree on every document; `rewritten` says what must be found in the stylesheet.

    Every rule but `silent` must have spoken.
    """
    both = BothWays(text)
    assert both.rewriting.as_shipped == ""
    for part in rewritten:
        assert part in both.rewriting.stylesheet
    spoke: set[str] = set()
    for data in documents or trees():
        shipped, found = both.answers(data)
        assert found == shipped, data
        if not isinstance(shipped, str):
            spoke |= {violation.rule for violation in shipped}
    expected = {part.split("<")[0] for part in text.split('name="id">')[1:]}
    assert spoke == expected - {silent}
    return both


def _coded(*tests: str) -> str:
    rules = {f"R{number}": test for number, test in enumerate(tests)}
    return stylesheet([Rule("p:amount | p:ID", rules)])


LIST = " A B  C D E F G H I é it''s "
"""Two spaces in a row: the empty code is one of them."""

TAIL = "".join(f" C{number}" for number in range(FEWEST))
"""Makes any list long enough to be looked up."""

SEARCH = f"contains('{LIST}', concat(' ', normalize-space(.), ' '))"


@pytest.mark.parametrize(
    ("test", "looked_up"),
    [
        (f"not(contains(normalize-space(.), ' ')) and {SEARCH}", True),
        (f"((not(contains(normalize-space(.), ' ')) and {SEARCH}))", True),
        (SEARCH, True),
        (f"not({SEARCH})", True),
        (f"@code and (not(contains(normalize-space(@x), ' ')) and {SEARCH})", True),
        (SEARCH.replace("normalize-space(.)", "normalize-space(upper-case(.))"), True),
        (SEARCH.replace("normalize-space(.)", "normalize-space(@code)"), True),
        (SEARCH.replace("normalize-space(.)", "string(.)"), False),
        (SEARCH.replace("' ',", "'  ',"), False),
        (SEARCH.replace("concat(' ', ", "concat('', "), False),
        ("contains(' A B ', concat(' ', normalize-space(.), ' '))", False),
    ],
)
def test_a_list_in_a_string_is_looked_up(test: str, looked_up: bool) -> None:
    """A value with a space stays found where the string holds it so, and "" between two spaces."""
    both = check(_coded(test))
    assert ("map{" in both.rewriting.stylesheet) is looked_up


@pytest.mark.parametrize("number", range(12))
def test_random_lists_and_values_agree(number: int) -> None:
    """Strings of two letters and many spaces: the edges of what stands between two spaces."""
    dice = random.Random(f"{SEED}/lists/{number}")
    codes = "".join(dice.choice("AB ") for _ in range(30)) + TAIL + dice.choice(" B")
    bare = f"contains('{codes}', concat(' ', normalize-space(.), ' '))"
    values = ["".join(dice.choice("AB  ") for _ in range(dice.randint(0, 5))) for _ in range(200)]
    amounts = "".join(f"<p:amount>{value}</p:amount>" for value in ["nothing", "A", *values])
    document = f'<p:group xmlns:p="urn:test:part">{amounts}</p:group>'.encode()
    text = _coded(bare, f"not(contains(normalize-space(.), ' ')) and {bare}", f"not({bare})")
    check(text, "map{", documents=iter([document]))


FILE = """<codedb><cl id="1"><enumeration value="A"/><enumeration value="A B"/></cl>
<cl id="01"><enumeration value="it's"/></cl><cl id="2"><enumeration value="Z"/></cl></codedb>"""


@pytest.mark.parametrize(
    ("lets", "test", "looked_up"),
    [
        ({"v": "."}, "$f/codedb/cl[@id=1]/enumeration[@value=$v]", True),
        ({"v": "@code"}, "string-length($v)=0 or $f/codedb/cl[@id=1]/enumeration[@value=$v]", True),
        ({"v": "number(.)"}, "$f/codedb/cl[@id=1]/enumeration[@value=$v]", False),
        ({"v": "*"}, "$f/codedb/cl[@id=1]/enumeration[@value=$v]", False),
        ({"v": "."}, "$f/codedb/cl[@id=1]/enumeration[starts-with(@value, $v)]", False),
        ({"v": "."}, "(@x or ($f/codedb/cl[@id=1]/enumeration[@value=$v])) and true()", True),
        ({"v": "."}, "$f/codedb/cl[@id=1]/enumeration[@value=$v]/@value = 'A'", False),
        ({"v": "."}, "count($f/codedb/cl[@id=1]/enumeration[@value=$v]) = 1", False),
    ],
)
def test_a_list_in_a_file_is_looked_up(lets: dict[str, str], test: str, looked_up: bool) -> None:
    """Ids are compared as numbers, as ever; values as strings, if they are nodes."""
    text = stylesheet(
        [Rule("p:amount", {"R": test.replace("$f", "$gateway-codes-1")}, lets=lets)],
        globals_='<xsl:param name="gateway-codes-1"/>',
    )
    both = BothWays(text, {"gateway-codes-1": FILE})
    assert ("exists($v/$gateway-list-1(" in both.rewriting.stylesheet) is looked_up
    answers = [both.answers(data) for data in trees()]
    assert all(shipped == found for shipped, found in answers)
    assert not looked_up or {len(shipped) > 0 for shipped, _found in answers} == {True, False}


FORBIDDEN = {
    "A": "not(p:line)",
    "B": "not(p:line/p:note)",
    "C": "not((p:line | p:group)/p:amount)",
    "D": "not(p:group/@x)",
    "E": "not(o:group/p:line)",
    "F": "not(foreign:line)",
    "G": "count(p:note) <= 1",
    "H": "not(//@y)",
    "I": "not(p:line/p:line/p:line)",
    "J": "not((p:line | p:group)/(p:ID | p:other)/@x)",
    "K": "not(p:note[@x])",
    "L": "not(*)",
    "M": "not(//@code)",
    "N": "not(p:note/..)",
}


@pytest.mark.parametrize("context", ["/o:order", "p:group", "p:line | p:group | o:order", "*"])
def test_forbidden_paths_are_found_in_one_walk(context: str) -> None:
    """Overlapping paths, unions, attributes, other prefixes of a name; whatever is not plain stays.

    Findings keep their order, among neighbours that wait for the walk and others that do not.
    """
    text = stylesheet([Rule(context, FORBIDDEN)]).replace(
        "<xsl:stylesheet", '<xsl:stylesheet xmlns:foreign="urn:test:foreign"'
    )
    parts = ("$gateway-attributes = ", 'mode="gateway-step-1"')
    both = check(text, *parts, documents=trees(4 * DOCUMENTS))
    assert both.rewriting.stylesheet.count('match="@y"') == 1


def test_few_forbidden_paths_are_left_alone() -> None:
    """A walk for three of them would cost more than it spares."""
    both = check(stylesheet([Rule("o:order", {n: FORBIDDEN[n] for n in "ABC"})]))
    assert "gateway-step" not in both.rewriting.stylesheet


def test_names_that_no_rule_about_names_means_are_not_tried() -> None:
    """Rules about endings, between others: which rule takes an element stays the same."""
    text = stylesheet(
        [
            Rule("p:ID[@x]", {"A": "false()"}),
            Rule("//p:*[ends-with(name(), 'Amount') and not(parent::p:line)]", {"B": "false()"}),
            Rule("p:line/p:ID | p:group/p:lineAmount", {"C": "false()"}),
            Rule("//*[ends-with(name(), 'mount')]", {"D": "false()"}, lets={"here": "name()"}),
            Rule("p:amount | p:ID | p:note[. = 'A']", {"E": "false()", "F": "not(p:line)"}),
            Rule("foreign:*[ends-with(local-name(), 'e')]", {"G": "false()"}),
            Rule("o:line", {"H": "false()"}),
        ]
    ).replace("<xsl:stylesheet", '<xsl:stylesheet xmlns:foreign="urn:test:foreign"')
    check(text, 'match="p:note" mode="M1" priority="1005.1"')


@pytest.mark.parametrize("context", ["*[@x]", "*:line", "p:*", "*[ends-with(name(), ':ID')]"])
def test_a_rule_that_may_want_any_name_leaves_them_all(context: str) -> None:
    """Nothing can be told of such names beforehand, or only of other rules."""
    rules = [
        Rule("//*[ends-with(name(), 'Amount')]", {"A": "false()"}),
        Rule(context, {"B": "false()"}),
        Rule("p:ID | p:note", {"C": "false()"}),
    ]
    check(stylesheet(rules), silent="C" if context == "p:*" else "")
    check(stylesheet(rules[::-1]))


@pytest.mark.parametrize(
    ("test", "once"),
    [
        ("not(//p:note = 'A')", "not(//p:note = 'A')"),
        ("@x or /o:order/p:note/p:ID = 'A'", "/o:order/p:note/p:ID = 'A'"),
        ("@x or count(//p:line[@y]) != 2", "count(//p:line[@y]) != 2"),
        ("p:twice(count(//p:line)) != 4", "p:twice(count(//p:line)) != 4"),
        ("every $l in //p:line satisfies $l/@x or $l = 'A'", "every $l in //p:line"),
        ("not(. = //p:line[2])", "//p:line[2]"),
        ("not(. = //p:line[. = 'A'][@y])", "//p:line[. = 'A'][@y]"),
        ("not(//p:line[. = current()])", "//p:line"),
        ("some $v in . satisfies not(/o:order/p:line/p:ID[. = $v])", "/o:order/p:line"),
        ("count(//p:note)-count(*) != 1", "count(//p:note)"),
        ("not(*/(if (/o:order/p:note) then @x else @y))", "/o:order/p:note"),
        ("$least != 1 or //p:note[string-length(.) = $least]", "$least != 1 or"),
    ],
)
def test_what_depends_on_no_node_at_hand_is_computed_once(test: str, once: str) -> None:
    """The largest part that means the same everywhere becomes a variable of the stylesheet."""
    text = stylesheet([Rule("p:line | p:amount", {"R": test})], globals_=_GLOBALS)
    escaped = once.replace("<", "&lt;")
    check(text, f'name="gateway-once-1" select="{escaped}')


_GLOBALS = """
<xsl:variable name="least" select="count(//p:line)"/>
<xsl:variable name="l" select="//p:line"/>
<xsl:function name="p:twice"><xsl:param name="n"/><xsl:sequence select="2 * $n"/></xsl:function>
"""


@pytest.mark.parametrize(
    "test",
    [
        "some $l in p:ID | . satisfies /o:order[p:line = $l]",
        "not(//p:line[position() = 2]/@x) or @y",
        "//p:line[current() = .]/@x",
        "$mine = //p:line[. = $mine]/@code",
        "not(//text()[. = current()/@x])",
        "some $n in 1 to 2 satisfies //p:line[$n]/@x",
    ],
)
def test_what_depends_on_the_node_at_hand_stays(test: str) -> None:
    """Variables of a rule or a loop (here one hides a global of its name), current(), positions."""
    rule = Rule("p:line | p:amount", {"R": test}, lets={"mine": "@x"})
    check(stylesheet([rule], globals_=_GLOBALS))


def test_a_rule_about_the_root_keeps_what_it_asks_once() -> None:
    """Only what it asks again for every line is moved."""
    rules = {"A": "not(//p:note)", "B": "every $l in //p:line satisfies count(//p:ID) = 1"}
    both = check(stylesheet([Rule("/o:order", rules)]), 'select="count(//p:ID) = 1"')
    assert 'test="not(//p:note)"' in both.rewriting.stylesheet


def test_elements_of_one_name_are_found_once_for_all_patterns() -> None:
    """Each pattern still judges them in the order of the document, after the one before."""
    text = stylesheet(
        [Rule("p:line", {"A": "false()"})],
        [Rule("p:note | p:line[@x]", {"B": "false()"})],
        [Rule("p:ID | p:note", {"C": "false()"})],
    )
    check(
        text, 'select="$gateway-nodes-2 | $gateway-nodes-1"', 'select="//p:ID | $gateway-nodes-2"'
    )


@pytest.mark.parametrize(
    "test",
    [
        "$file/codedb/cl[@id = /codedb/cl/@id]",
        "$found[/codedb]/@value",
        "p:listed()[/codedb]/@value",
        "$tree/codes[/codes]",
    ],
)
def test_the_root_of_another_document_is_left_alone(test: str) -> None:
    """In the nodes of a parameter, or of a tree in the stylesheet, `/` is another root."""
    text = stylesheet(
        [Rule("p:line", {"R": f"not({test})"})],
        globals_="""
        <xsl:param name="file"/>
        <xsl:variable name="found" select="$file//enumeration"/>
        <xsl:variable name="tree"><codes/></xsl:variable>
        <xsl:function name="p:listed"><xsl:sequence select="$found"/></xsl:function>""",
    )
    both = BothWays(text, {"file": FILE})
    answers = [both.answers(data) for data in trees(20)]
    assert all(shipped == found for shipped, found in answers)
    assert any(shipped and not isinstance(shipped, str) for shipped, _found in answers)
    assert "gateway-once" not in both.rewriting.stylesheet
