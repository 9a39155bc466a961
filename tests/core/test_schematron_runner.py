"""Running rule packs: what they find, what they may not do, and how they fail."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.core.schematron.catalogue import Catalogue
from gateway.core.schematron.findings import MAX_PLACES
from gateway.core.schematron.preparation import prepared
from gateway.core.schematron.runner import RulePacks
from gateway.core.xml import ParsedXml, parse
from gateway.errors import RulePackError
from gateway.model.interchange import Syntax
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Layer, Severity
from gateway.samples import SAMPLES, Sample, sample_bytes
from tests import mini_packs

UBL_SAMPLES = [sample for sample in SAMPLES if sample.syntax is Syntax.UBL]


def says(select: str, *, each: str = "/") -> str:
    """Instructions that fail rule R with the value of `select`, once for `each` node."""
    return f"""<xsl:for-each select="{each}">
      <svrl:failed-assert test="x" id="R" location="/">
        <svrl:text><xsl:value-of select="{select}"/></svrl:text>
      </svrl:failed-assert></xsl:for-each>"""


def parsed(data: bytes = mini_packs.DOCUMENT) -> ParsedXml:
    document = parse(data, DocumentLimits())
    assert isinstance(document, ParsedXml)
    return document


def run(folder: Path, body: str, data: bytes = mini_packs.DOCUMENT) -> list[str]:
    """The messages of a pack made of `body`."""
    packs = RulePacks(mini_packs.catalogue(folder, mini_packs.stylesheet(body)))
    return [finding.message for finding in packs.run("mini", parsed(data))]


def test_a_failed_assertion_becomes_a_finding_with_its_place(tmp_path: Path) -> None:
    """Rule, text, terms, friendly path, line, column and excerpt all come through."""
    (finding,) = RulePacks(mini_packs.catalogue(tmp_path)).run("mini", parsed())

    assert finding.rule == "T-01"
    assert finding.layer is Layer.SCHEMATRON
    assert finding.pack == "mini"
    assert finding.severity is Severity.ERROR
    assert finding.message == '[T-01]-The amount (BT-131) is "-7".'
    assert finding.terms == ("BT-131",)
    assert finding.location == "/o:order/p:line[2]/p:amount[1]"
    assert (finding.line, finding.column) == (5, 11)
    assert finding.excerpt == "<p:amount>-7</p:amount>"
    assert finding.explanation is not None
    assert "“Invoice line net amount” (BT-131)" in finding.explanation.en


def test_a_finding_on_an_attribute_points_to_its_element(tmp_path: Path) -> None:
    """The path names the attribute, line and excerpt are those of the element."""
    body = """<svrl:failed-assert test="x" id="A">
      <xsl:attribute name="location">
        <xsl:apply-templates select="//@currency" mode="path"/></xsl:attribute>
      <svrl:text>x</svrl:text></svrl:failed-assert>"""
    packs = RulePacks(mini_packs.catalogue(tmp_path, mini_packs.stylesheet(body)))

    (finding,) = packs.run("mini", parsed())

    assert finding.location == "/o:order/p:total[1]/@currency"
    assert finding.line == 3


def test_flags_and_roles_weigh_findings(tmp_path: Path) -> None:
    """Only what calls itself a warning or an information is one; silence is an error."""
    body = "".join(
        f'<svrl:{kind} test="x" id="{number}" location="/" {weight}>'
        f"<svrl:text>x</svrl:text></svrl:{kind}>"
        for number, (kind, weight) in enumerate(
            [
                ("failed-assert", 'flag="fatal"'),
                ("failed-assert", 'flag="warning"'),
                ("successful-report", 'role="warning"'),
                ("failed-assert", 'role="information"'),
                ("successful-report", ""),
                ("failed-assert", 'flag="unheard-of"'),
                ("failed-assert", 'flag="fatal" role="warning"'),
            ]
        )
    )
    packs = RulePacks(mini_packs.catalogue(tmp_path, mini_packs.stylesheet(body)))

    found = [finding.severity for finding in packs.run("mini", parsed())]

    error, warning, info = Severity.ERROR, Severity.WARNING, Severity.INFO
    assert found == [error, warning, warning, info, error, error, error]


def test_characters_survive_whatever_the_document_was_encoded_in(tmp_path: Path) -> None:
    """Saxon reads the characters the parser read, whatever the XML declaration says."""
    body = says(".", each="//*[text()]")
    document = '<?xml version="1.0" encoding="{}"?><a>é€ œ</a>'

    latin = run(tmp_path, body, document.format("ISO-8859-15").encode("iso-8859-15"))
    plain = run(tmp_path, body, document.format("UTF-8").encode())

    assert latin == plain == ["é€ œ"]


def test_a_clean_document_gives_no_finding(tmp_path: Path) -> None:
    """No finding, but only because rules applied to the document."""
    data = mini_packs.DOCUMENT.replace(b"-7", b"7")
    assert RulePacks(mini_packs.catalogue(tmp_path)).run("mini", parsed(data)) == ()


def test_a_pack_of_another_syntax_is_no_clean_bill(official: RulePacks) -> None:
    """When no rule of a pack applies to the document, that is a failure, not an acceptance."""
    with pytest.raises(RulePackError, match="nothing was checked"):
        official.run("br-fr-flux2-ubl", parsed(b"<a/>"))


def test_a_stylesheet_that_gives_up_is_a_failure_with_its_words(tmp_path: Path) -> None:
    """xsl:message terminate="yes" ends in an error that quotes the message."""
    with pytest.raises(RulePackError, match="out of patience"):
        run(tmp_path, '<xsl:message terminate="yes">out of patience</xsl:message>')


def test_a_dynamic_error_is_a_failure(tmp_path: Path) -> None:
    """An error inside the stylesheet never counts as a passed check."""
    with pytest.raises(RulePackError, match="failed on this document"):
        run(
            tmp_path,
            "<xsl:value-of select=\"xs:integer('x')\" "
            'xmlns:xs="http://www.w3.org/2001/XMLSchema"/>',
        )


def test_a_pack_that_does_not_compile_says_so(tmp_path: Path) -> None:
    """`compile` is enough to find out, and names the pack."""
    packs = RulePacks(
        mini_packs.catalogue(tmp_path, mini_packs.stylesheet('<xsl:value-of select="1 +"/>'))
    )
    with pytest.raises(RulePackError, match="rule pack mini does not compile"):
        packs.compile("mini")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"not xml", id="no XML"),
        pytest.param(
            b'<xsl:stylesheet version="2.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">'
            b'<xsl:template match="/"><other/></xsl:template></xsl:stylesheet>',
            id="no SVRL",
        ),
        pytest.param(
            b'<xsl:stylesheet version="2.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">'
            b'<xsl:output method="text"/><xsl:template match="/"/></xsl:stylesheet>',
            id="nothing",
        ),
    ],
)
def test_what_is_no_rule_pack_cannot_accept_anything(tmp_path: Path, content: bytes) -> None:
    """A file that is no XML, answers something else, or nothing, is a failure."""
    with pytest.raises(RulePackError):
        RulePacks(mini_packs.catalogue(tmp_path, content)).run("mini", parsed())


def test_an_altered_pack_never_runs(tmp_path: Path) -> None:
    """The sum is verified on the very bytes that are compiled."""
    catalogue = mini_packs.catalogue(tmp_path)
    path = catalogue.locate("mini")
    path.write_bytes(mini_packs.stylesheet(""))

    with pytest.raises(RulePackError, match="not the one the catalogue knows"):
        RulePacks(catalogue).run("mini", parsed())


def test_a_missing_pack_never_runs(tmp_path: Path) -> None:
    """A pack whose file is gone is a failure with a remedy."""
    catalogue = mini_packs.catalogue(tmp_path)
    catalogue.locate("mini").unlink()

    with pytest.raises(RulePackError, match="is missing") as caught:
        RulePacks(catalogue).compile("mini")

    assert "rules import" in caught.value.remedy


@pytest.fixture(scope="module")
def official() -> RulePacks:
    """The official packs, compiled once."""
    return RulePacks(Catalogue.load())


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """An HTTP server on loopback, and the paths it was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"<a/>")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}/x", asked
        httpd.shutdown()
        thread.join()


@pytest.mark.parametrize("function", ["document", "doc", "unparsed-text", "collection"])
def test_a_stylesheet_cannot_reach_the_network(
    tmp_path: Path, server: tuple[str, list[str]], function: str
) -> None:
    """No function of XPath opens a connection: the server hears nothing."""
    url, asked = server
    with pytest.raises(RulePackError, match=r"prohibited|disallowed"):
        run(tmp_path, f"<xsl:copy-of select=\"{function}('{url}')\"/>")
    assert asked == []


@pytest.mark.parametrize("function", ["document", "doc", "unparsed-text", "json-doc"])
def test_a_stylesheet_cannot_read_files(tmp_path: Path, function: str) -> None:
    """Not even a file beside it."""
    secret = tmp_path / "secret.xml"
    secret.write_text("<a>secret</a>")
    with pytest.raises(RulePackError, match="prohibited"):
        run(tmp_path, f"<xsl:copy-of select=\"{function}('{secret.as_uri()}')\"/>")


def test_a_stylesheet_cannot_write_files(tmp_path: Path) -> None:
    """xsl:result-document is refused, and nothing is written."""
    target = tmp_path / "out.xml"
    with pytest.raises(RulePackError):
        run(tmp_path, f'<xsl:result-document href="{target.as_uri()}"><a/></xsl:result-document>')
    assert not target.exists()


def test_a_stylesheet_cannot_read_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Environment variables hold secrets; the stylesheet sees none."""
    monkeypatch.setenv("EDI_TEST_SECRET", "hunter2")
    body = says("concat('[', environment-variable('EDI_TEST_SECRET'), ']')")
    assert run(tmp_path, body) == ["[]"]


CODES = b"<codes><code>EUR</code></codes>"
LOOKUP = says("document('codes.xml')//code = //@currency")


def test_a_code_list_of_the_catalogue_is_handed_over(tmp_path: Path) -> None:
    """document() of a code list gives its content, although no file may be opened."""
    catalogue = mini_packs.catalogue(
        tmp_path, mini_packs.stylesheet(LOOKUP), codes={"codes.xml": CODES}
    )
    packs = RulePacks(catalogue)
    packs.compile("mini")
    catalogue.locate("mini").with_name("codes.xml").unlink()

    assert [finding.message for finding in packs.run("mini", parsed())] == ["true"]


def test_a_code_list_nobody_named_stays_shut(tmp_path: Path) -> None:
    """The same call without an entry in the catalogue is refused."""
    catalogue = mini_packs.catalogue(tmp_path, mini_packs.stylesheet(LOOKUP))
    catalogue.locate("mini").with_name("codes.xml").write_bytes(CODES)

    with pytest.raises(RulePackError, match="prohibited"):
        RulePacks(catalogue).run("mini", parsed())


def test_a_code_list_the_pack_does_not_read_is_a_mistake(tmp_path: Path) -> None:
    """The catalogue must not claim what the stylesheet does not do."""
    catalogue = mini_packs.catalogue(tmp_path, codes={"codes.xml": CODES})
    with pytest.raises(RulePackError, match=r"does not read codes\.xml"):
        RulePacks(catalogue).compile("mini")


def test_only_instructions_are_rewritten(tmp_path: Path) -> None:
    """What a report quotes (an assertion's test) stays as its authors wrote it."""
    body = """<svrl:failed-assert test="document('codes.xml')" id="R" location="/"/>
      <xsl:if test="document('codes.xml')//none"/>"""
    artefact = mini_packs.catalogue(
        tmp_path, mini_packs.stylesheet(body), codes={"codes.xml": CODES}
    ).artefact("mini")

    text, parameters = prepared(artefact)

    assert text.count("document('codes.xml')") == 1
    assert text.count("$gateway-codes-1") == 1
    assert list(parameters) == ["gateway-codes-1"]


def test_every_factur_x_pack_reads_its_code_list_from_us() -> None:
    """None of the shipped Factur-X packs needs to open a file."""
    catalogue = Catalogue.load()
    for name in catalogue.names():
        if name.startswith("facturx-"):
            text, parameters = prepared(catalogue.artefact(name))
            instructions = text.replace("<svrl:", "\n<svrl:").splitlines()
            assert parameters
            assert not [
                line for line in instructions if "document('" in line and "<svrl:" not in line
            ]


def test_places_are_bounded_but_findings_are_not(tmp_path: Path) -> None:
    """A thousand and more findings are all told; only the first thousand carry line and column."""
    lines = b"<p:line><p:amount>-1</p:amount></p:line>" * (MAX_PLACES + 5)
    data = b'<o:order xmlns:o="urn:test:order" xmlns:p="urn:test:part">' + lines + b"</o:order>"

    found = RulePacks(mini_packs.catalogue(tmp_path)).run("mini", parsed(data))

    assert len(found) == MAX_PLACES + 5
    assert found[MAX_PLACES - 1].column is not None
    assert found[-1].column is None
    assert found[-1].location == f"/o:order/p:line[{MAX_PLACES + 5}]/p:amount[1]"


def test_a_long_quotation_is_shortened(tmp_path: Path) -> None:
    """A rule that quotes a megabyte of the document does not blow up its message."""
    body = says(".", each="/a")
    (message,) = run(tmp_path, body, b"<a>" + b"x" * 1_000_000 + b"</a>")
    assert len(message) == 2000
    assert message.endswith("…")


def test_several_documents_do_not_mix(tmp_path: Path) -> None:
    """The document kept for the next pack of a chain is never used for another document."""
    packs = RulePacks(mini_packs.catalogue(tmp_path))
    bad, good = parsed(), parsed(mini_packs.DOCUMENT.replace(b"-7", b"7"))

    assert len(packs.run("mini", bad)) == 1
    assert len(packs.run("mini", good)) == 0
    packs.release()
    assert len(packs.run("mini", bad)) == 1


def test_the_report_can_be_had_whole(tmp_path: Path) -> None:
    """`svrl` gives the pack's own report, for those who write rules."""
    report = RulePacks(mini_packs.catalogue(tmp_path)).svrl("mini", parsed())
    assert report.startswith(b"<?xml")
    assert b'id="T-01"' in report
    assert b"svrl:fired-rule" in report


def test_a_judgement_can_name_its_pack(tmp_path: Path) -> None:
    """The reference holds name, version and sum."""
    catalogue = mini_packs.catalogue(tmp_path)
    reference = RulePacks(catalogue).reference("mini")
    assert (reference.pack, reference.version) == ("mini", "1.0")
    assert reference.sha256 == catalogue.pack("mini").sha256


@pytest.mark.parametrize("sample", UBL_SAMPLES, ids=lambda sample: sample.file)
def test_our_ubl_samples_get_the_first_rule_they_were_written_for(
    sample: Sample, official: RulePacks
) -> None:
    """The official UBL chain finds in each sample what the sample says it should."""
    document = parsed(sample_bytes(sample.file))
    errors = [
        finding.rule
        for pack in ("en16931-ubl", "br-fr-flux2-ubl")
        for finding in official.run(pack, document)
        if finding.severity is Severity.ERROR
    ]
    assert next(iter(errors), None) == sample.expected_rule
