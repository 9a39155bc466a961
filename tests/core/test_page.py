"""The page to read: what stands on it, in which words, and how large it may become."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree, html

from gateway.core.acknowledgement.flux_state import ReportTotals
from gateway.core.acknowledgement.forms import Form, Forms
from gateway.core.acknowledgement.page import MAX_BYTES, calls_for_page
from gateway.core.acknowledgement.page_excerpt import marked
from gateway.core.acknowledgement.page_words import WORDS, number, time_in_words, typeset, weight
from gateway.core.acknowledgement.report_facts import Outcome, ReportDocument
from gateway.model.verdict import Finding, Language, Layer, PackReference, Severity, VirusCheck
from tests.reports import SHA, both, document, finding, form_of, report, written

TOTAL = finding(
    "BR-CO-15",
    pack="en16931-ubl",
    terms=("BT-112", "BT-109"),
    message="[BR-CO-15]-BT-112 = BT-109 + BT-110.",
    location="/Invoice/cac:LegalMonetaryTotal[1]/cbc:TaxInclusiveAmount[1]",
    line=187,
    column=5,
    excerpt='<cbc:TaxInclusiveAmount currencyID="EUR">4583.61</cbc:TaxInclusiveAmount>',
    explanation=both(
        "(BT-112) is 4,583.61, but (BT-109) makes 4,538.61.",
        "« Total » (BT-112) vaut 4 583,61, alors que (BT-109) donne 4 538,61.",
    ),
    remedy=both("Correct (BT-112, line 187).", "Corrigez (BT-112, ligne 187)."),
)


def page(*documents: ReportDocument, language: Language = Language.EN, **known: object) -> str:
    return written(Form.HTML, *documents, language=language, **known).decode()


def parsed(text: str) -> etree._Element:
    return html.document_fromstring(text)


def words(node: etree._Element) -> str:
    """What a reader sees of it, on one line."""
    return " ".join("".join(str(part) for part in node.itertext()).split())


def entry(text: str, position: int = 1) -> etree._Element:
    (found,) = parsed(text).xpath(f"//article[@id='e{position}']")
    return found


def test_an_entry_says_what_is_wrong_what_to_do_and_where() -> None:
    """The term by name, what was seen and expected, the place marked, the rule's own words."""
    said = entry(page(document(TOTAL), document(ordinal=2)))
    assert words(said.find("h3")) == "1. Invoice total amount with VAT (BT-112) BR-CO-15"
    told = {words(dt): words(dt.getnext()) for dt in said.iter("dt")}
    assert told["Why"] == "(BT-112) is 4,583.61, but (BT-109) makes 4,538.61."
    assert told["What to do"] == "Correct (BT-112, line 187)."
    assert told["About"] == (
        "BT-112 Invoice total amount with VAT; BT-109 Invoice total amount without VAT"
    )
    assert told["Text of the rule"] == "[BR-CO-15]-BT-112 = BT-109 + BT-110. (en16931-ubl)"
    (place,) = said.xpath(".//ol[@class='places']/li")
    assert words(place.find("p")) == "FA-1 1.xml, line 187, column 5"
    assert [words(mark) for mark in place.iter("mark")] == ["4583.61"]
    assert words(place.find("pre")) == TOTAL.excerpt
    assert [words(figure) for figure in said.iter("strong")] == ["4,583.61", "4,538.61"]


def test_the_same_page_in_french() -> None:
    """Its language is told to screen readers; spaces that belong together do not break."""
    text = page(document(TOTAL), language=Language.FR)
    assert '<html lang="fr">' in text
    said = entry(text)
    told = {words(dt): words(dt.getnext()) for dt in said.iter("dt")}
    assert told["Que faire"] == "Corrigez (BT-112, ligne 187)."
    assert "«\N{NO-BREAK SPACE}Total\N{NO-BREAK SPACE}»" in text
    assert [words(figure) for figure in said.iter("strong")] == ["4 583,61", "4 538,61"]
    assert words(parsed(text).find(".//h2")) == "Ce qu'il faut corriger"


def test_the_words_of_a_rule_are_in_the_language_of_the_rule() -> None:
    """CEN words its rules in English, the French pack in French; partners' packs: who knows."""
    for pack, language in (("en16931-ubl", "en"), ("br-fr-flux2-cii", "fr"), ("./acme.sch", None)):
        told = msgspec.structs.replace(TOTAL, pack=pack)
        said = entry(page(document(told)))
        (rule,) = said.xpath(".//dl[@class='background']/div[last()]/dd/span")
        assert (words(rule), rule.get("lang")) == (TOTAL.message, language)


def test_one_cause_on_three_thousand_lines_is_one_entry() -> None:
    """With the count, the first places, and a remedy that names no line of just one of them."""
    lines = [
        finding(
            "BR-24",
            location=f"/Invoice/cac:InvoiceLine[{n}]",
            line=n,
            column=1,
            excerpt=f"<cac:InvoiceLine>{n}",
            explanation=both(f"An amount is missing. Found: “{n}”."),
            remedy=both(f"Write it (BT-131, line {n})."),
        )
        for n in range(2, 3002)
    ]
    text = page(document(*lines))
    assert len(parsed(text).xpath("//article")) == 1
    said = entry(text)
    assert words(said.xpath("p[@class='weight']")[0]) == "3,000 times"
    assert words(said.xpath(".//h4")[0]) == "Where, the first 5 places"
    told = {words(dt): words(dt.getnext()) for dt in said.iter("dt")}
    assert told["Why"] == "An amount is missing."
    assert told["What to do"] == "Write it (BT-131)."
    places = [words(place) for place in said.xpath(".//ol[@class='places']/li")]
    assert len(places) == 5
    assert places[1].startswith("FA-1 1.xml, line 3, column 1 Found: “3”.")
    assert len(text) < 20_000


def test_explanations_that_differ_stand_at_their_places() -> None:
    """Each invoice has its own figures; the first stand above, and are not repeated."""
    other = msgspec.structs.replace(
        TOTAL, explanation=both("(BT-112) is 1.00, but 2.00."), remedy=both("Write 2.00.")
    )
    said = entry(page(document(TOTAL), document(other, ordinal=2)))
    told = {words(dt): words(dt.getnext()) for dt in said.iter("dt")}
    assert told["Why, at the first place"].startswith("(BT-112) is 4,583.61")
    assert told["What to do, at the first place"] == "Correct (BT-112, line 187)."
    first, second = (words(place) for place in said.xpath(".//ol[@class='places']/li"))
    assert "4,583.61, but" not in first
    assert "(BT-112) is 1.00, but 2.00. Write 2.00." in second


def test_documents_are_listed_by_what_became_of_them() -> None:
    """A rejected one with its causes, which lead to their entries."""
    text = page(
        document(TOTAL, finding("BR-1")),
        document(TOTAL, ordinal=2, invoice_number=None),
        document(ordinal=3),
        document(ordinal=4, outcome=Outcome.DISCARDED, remark="Nobody can open it."),
    )
    root = parsed(text)
    titles = [words(title) for title in root.iter("h2")]
    assert titles == [
        "What has to be mended",
        "Not integrated 2",
        "Set aside 1",
        "Integrated 1",
        "The file",
    ]
    first, second = root.xpath("//section[@id='rejected']//tbody/tr")
    assert words(first) == (
        "FA-1 1.xml from 000123455 to 000471102 1. Invoice total amount with VAT (BT-112) 2. Rules"
    )
    assert [link.get("href") for link in first.iter("a")] == ["#e1", "#e2"]
    assert words(second.find("th")).startswith("number not read 2.xml")
    (aside,) = root.xpath("//section[@id='discarded']//tbody/tr")
    assert words(aside).endswith("Nobody can open it.")
    ids = [str(name) for name in root.xpath("//@id")]
    assert len(ids) == len(set(ids))
    assert {str(link)[1:] for link in root.xpath("//a/@href")} <= set(ids)


def test_what_stops_nothing_is_told_apart() -> None:
    """Warnings and remarks come after what has to be mended, and say what they are."""
    warning = finding("W-1", severity=Severity.WARNING)
    remark = finding("I-1", severity=Severity.INFO)
    root = parsed(page(document(warning, remark)))
    titles = [words(title) for title in root.iter("h2")]
    assert titles == ["What has to be mended", "Warnings", "Remarks", "Integrated 1", "The file"]
    assert words(root.xpath("//section[@id='errors']/p")[0]) == "Nothing."
    assert [str(name) for name in root.xpath("//article/@id")] == ["w1", "i1"]


def test_a_file_that_cannot_be_read_has_the_code_of_the_platforms() -> None:
    """Whoever knows the national platforms finds their code, and what it means."""
    told = entry(page(document(finding("XML-EMPTY", layer=Layer.XML), sha256=SHA)))
    assert "Code of the platforms IRR_VIDE — The flux is empty." in words(told)
    assert words(told.find("h3")) == "1. Reading the XML XML-EMPTY"


def test_the_file_itself_is_told() -> None:
    """Everything somebody needs who asks us about it."""
    root = parsed(
        page(
            document(rules=(PackReference("en16931-ubl", "1.3.16", "cd" * 32),)),
            virus_check=VirusCheck.CLEAN,
            interface_code="FSO1100A",
            revision=2,
        )
    )
    facts = {words(dt): words(dt.getnext()) for dt in root.xpath("//section[@id='file']//dt")}
    assert facts == {
        "Name": "batch.tar.gz",
        "Received": "12 March 2026, 10:00:05 (UTC)",
        "In this state since": "12 March 2026, 10:00:07 (UTC)",
        "Size": "15,000 bytes",
        "Account": "demo",
        "Interface code": "FSO1100A",
        "Flow": "ctc-fr-invoice",
        "Antivirus": "nothing found",
        "Judged by": "en16931-ubl 1.3.16",
        "SHA-256 sum": SHA,
        "Our reference": "0197d5a0-5f2b-7c1e-9a3d-4b6c8d0e2f11",
        "Edition of this report": "2",
    }


def test_many_causes_are_listed_at_a_glance() -> None:
    """The twelve that weigh most, by name, before the first entry."""
    told = [finding(f"R-{n}", terms=(f"BT-{n}",)) for n in range(1, 16)]
    root = parsed(page(document(*told), document(told[14], ordinal=2)))
    links = root.xpath("//nav//a")
    assert len(links) == 12
    assert words(links[0]) == "Buyer reference (BT-10)" or words(links[0]).endswith("(BT-15)")
    assert str(links[0].get("href")) == "#e1"
    assert parsed(page(document(*told[:3]))).xpath("//nav") == []


def test_an_interchange_without_documents_says_so() -> None:
    """Nothing to list, and still a page that says what to do."""
    root = parsed(page())
    assert words(root.xpath("//section[@id='errors']/p")[0]) == "There is no document in this file."
    assert words(root.xpath("//p[@class='state']")[0]) == "Rejected IN_REJETE"


def totals(*documents: ReportDocument) -> ReportTotals:
    counted = ReportTotals()
    for each in documents:
        counted.add(each)
    return counted


def test_a_page_is_called_for_when_there_is_something_to_do() -> None:
    """Rejected in part or wholly, set aside, or empty; not for what is accepted or still open."""
    rejected, held = document(TOTAL), document(outcome=Outcome.UNDETERMINED)
    assert calls_for_page(totals(document(), rejected), provisional=False)
    assert calls_for_page(totals(rejected, held), provisional=True)
    assert calls_for_page(totals(document(outcome=Outcome.DISCARDED)), provisional=False)
    assert calls_for_page(totals(), provisional=False)
    assert not calls_for_page(totals(document()), provisional=False)
    assert not calls_for_page(totals(held), provisional=True)
    assert not calls_for_page(totals(), provisional=True)


def test_it_needs_nothing_but_itself() -> None:
    """No script, nothing fetched, no handler, no style beside the sheet the policy vouches for."""
    text = page(document(TOTAL), document(finding("BR-1"), ordinal=2))
    root = parsed(text)
    (policy,) = root.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert str(policy).startswith("default-src 'none'; style-src 'sha256-")
    assert root.xpath("//script | //link | //img | //iframe | //object | //form | //base") == []
    attributes = {str(name) for node in root.iter() for name in node.attrib}
    assert not [name for name in attributes if name.startswith("on") or name == "style"]
    assert not re.search(r"url\(|@import|https?:", text)


HOSTILE = st.text(
    st.one_of(
        st.characters(codec=None, exclude_categories=()),
        st.sampled_from("<>&\"'/=\x00\ud800\u202e]]>"),
    ),
    max_size=30,
)
MAYBE = st.none() | HOSTILE
FINDINGS = st.builds(
    Finding,
    rule=HOSTILE,
    layer=st.sampled_from(Layer),
    severity=st.sampled_from(Severity),
    message=HOSTILE,
    pack=MAYBE,
    location=MAYBE,
    line=st.none() | st.integers(0, 10**9),
    column=st.none() | st.integers(0, 10**9),
    excerpt=MAYBE,
    terms=st.lists(HOSTILE, max_size=2).map(tuple),
    explanation=st.none() | st.builds(both, HOSTILE, HOSTILE),
    remedy=st.none() | st.builds(both, HOSTILE, HOSTILE),
)
KNOWN = {
    *("html", "head", "meta", "title", "style", "body", "a", "header", "main", "footer", "section"),
    *(
        "nav",
        "wbr",
        "article",
        "h1",
        "h2",
        "h3",
        "h4",
        "p",
        "dl",
        "div",
        "dt",
        "dd",
        "ol",
        "li",
        "table",
    ),
    *("thead", "tbody", "tr", "th", "td", "span", "strong", "bdi", "code", "pre", "mark", "time"),
}
ATTRIBUTES = {
    *("lang", "charset", "http-equiv", "content", "name", "class", "href", "id", "scope"),
    *("datetime", "translate", "aria-label"),
}


@given(
    findings=st.lists(FINDINGS, max_size=3),
    outcome=st.sampled_from(Outcome),
    name=HOSTILE,
    identifier=MAYBE,
    language=st.sampled_from(Language),
)
def test_whatever_partners_write_stays_text(
    findings: list[Finding],
    outcome: Outcome,
    name: str,
    identifier: str | None,
    language: Language,
) -> None:
    """No element, attribute or link that is not ours."""
    told = document(
        *findings, outcome=outcome, name=name, invoice_number=identifier, remark=identifier
    )
    root = parsed(page(told, language=language, file_name=name, partner=name, flow=identifier))
    assert {str(node.tag) for node in root.iter()} <= KNOWN
    assert all(re.fullmatch(r"#(errors|e\d+|w\d+|i\d+)", str(h)) for h in root.xpath("//@href"))
    attributes = {str(key) for node in root.iter() for key in node.attrib}
    assert attributes <= ATTRIBUTES


@pytest.mark.parametrize(
    ("excerpt", "location", "expected"),
    [
        ("<a>12</a>", "/b/a[1]", ("<a>", "12", "</a>")),
        ('<a x="1" y="2">12</a>', "/b/a[1]/@y", ('<a x="1" ', 'y="2"', ">12</a>")),
        ("<a x='1'/>", "/a/@x", ("<a ", "x='1'", "/>")),
        ('<a xy="1" y = "2">', "/a/@y", ('<a xy="1" ', 'y = "2"', ">")),
        ("<a>12</a>", "/a/@gone", ("<a>", "12", "</a>")),
        ("<a> <b>1</b>", "/a", ("", "<a>", " <b>1</b>")),
        ("<a></a>", None, ("", "<a>", "</a>")),
        ("<a> </a>", None, ("", "<a>", " </a>")),
        ("<a>cut off…", None, ("", "<a>", "cut off…")),
        ("<ram:Very…", None, ("", "<ram:Very…", "")),
        ("no tag <a>", "/a", ("no tag <a>", "", "")),
        ("", None, ("", "", "")),
    ],
)
def test_the_place_is_marked_in_the_excerpt(
    excerpt: str, location: str | None, expected: tuple[str, str, str]
) -> None:
    """The attribute, the value, else the tag; between tags nothing is claimed."""
    assert marked(excerpt, location) == expected


@given(HOSTILE, MAYBE)
def test_marking_loses_nothing(excerpt: str, location: str | None) -> None:
    """The three parts are the excerpt."""
    assert "".join(marked(excerpt, location)) == excerpt


def test_ten_thousand_invoices_with_a_thousand_rejected_stay_small() -> None:
    """A page somebody can open by mail, whose every rejected invoice is still named."""

    def pages() -> Iterator[list[ReportDocument]]:
        for start in range(1, 10_001, 50):
            yield [
                document(*([TOTAL, finding(f"BR-{n % 7}")] if n % 10 == 0 else []), ordinal=n)
                for n in range(start, start + 50)
            ]

    text = form_of(Forms(report(), pages, Language.FR), Form.HTML)
    assert len(text) < 500_000
    root = parsed(text.decode())
    assert len(root.xpath("//section[@id='rejected']//tbody/tr")) == 1000
    assert len(root.xpath("//article")) == 8
    assert words(root.xpath("//section[@id='accepted']/p[last()]")[0]).startswith(
        "Et 8 800 de plus"
    )
    assert "Sur les 10 000 documents" in words(root.xpath("//p[@class='summary']")[0])


def test_no_page_is_larger_than_is_said() -> None:
    """A file made to be as large as can be: every name, excerpt and sentence beyond its bounds."""
    long = "<&" * 3000

    def pages() -> Iterator[list[ReportDocument]]:
        for n in range(1, 2001):
            told = finding(
                f"R-{n % 400}-{long}",
                message=long,
                pack=long,
                location=long,
                excerpt=long,
                terms=tuple(f"BT-{i}{long}" for i in range(50)),
                explanation=both(f"{n}{long}"),
                remedy=both(f"{n}{long}"),
            )
            yield [
                document(
                    told,
                    ordinal=n,
                    name=long,
                    invoice_number=long,
                    seller_id=long,
                    buyer_id=long,
                )
            ]

    text = form_of(Forms(report(file_name=long), pages, Language.EN), Form.HTML)
    assert MAX_BYTES * 3 / 4 < len(text) < MAX_BYTES
    root = parsed(text.decode())
    assert len(root.xpath("//article")) > 20
    counts = [
        re.findall(r"And ([\d,]+) ", words(told)) for told in root.xpath("//section/p[last()]")
    ]
    left_out = int(counts[0][0].replace(",", ""))
    shown = sum(int(words(w).split()[1]) for w in root.xpath("//p[@class='weight']"))
    assert shown + left_out == 2000
    links = {str(link)[1:] for link in root.xpath("//a/@href")}
    assert links <= {str(name) for name in root.xpath("//@id")}


def test_counts_and_dates_are_written_as_the_language_does() -> None:
    """Numbers grouped, plurals right, months by name."""
    assert number(1234567, Language.EN) == "1,234,567"
    assert number(1234, Language.FR) == "1\N{NARROW NO-BREAK SPACE}234"
    assert weight(1, 1, 9, Language.EN) == ""
    assert weight(3, 1, 9, Language.FR) == "3 fois dans 1 document"
    assert weight(3, 3, 9, Language.FR) == "dans 3 documents"
    assert weight(3, 1, 1, Language.EN) == "3 times"
    moment = report().received_at
    assert time_in_words(moment, Language.FR) == "12 mars 2026 à 10:00:05 (UTC)"
    assert time_in_words(moment.replace(day=1), Language.FR).startswith("1er mars")
    assert typeset("« a » : b ?", Language.EN) == "« a » : b ?"


def test_both_languages_fill_in_the_same_values() -> None:
    """A label that lost its {count} in one language would say less there."""
    for key, text in WORDS.items():
        names = [set(re.findall(r"\{(\w+)\}", said)) for said in (text.en, text.fr)]
        assert names[0] == names[1], key
