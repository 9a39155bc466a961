"""Taking the invoice out of a PDF: which file it is, and what is said about every PDF without.

The PDFs are made here, most of them by hand, so that exactly one thing is wrong with each.
"""

from __future__ import annotations

import io
import random
import resource
import subprocess
import sys
import time
import zlib

import facturx
import pytest
from pypdf import PdfReader, PdfWriter

from gateway.core.container.document import OpenedDocument, open_document
from gateway.core.container.pdf import INVOICE_NAMES
from gateway.core.container.xmp import PROFILES, misfit
from gateway.core.explain import definitions
from gateway.core.xml import parse
from gateway.model.interchange import Syntax
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Finding, Layer, Severity
from gateway.samples import sample_bytes
from tests.pdfs import FX, objects, pdf, stream, written, xmp

pytestmark = pytest.mark.alone

LIMITS = DocumentLimits(max_bytes=1_000_000)
XML = b"<a>invoice</a>"
SECONDS = 10.0
"""No PDF here may keep a judge busy for longer; most take milliseconds."""


def opened(data: bytes) -> OpenedDocument:
    """The document in a PDF that must be good for one."""
    found = open_document(data, LIMITS)
    assert isinstance(found, OpenedDocument), found
    assert found.pdf
    return found


def refused(data: bytes, limits: DocumentLimits = LIMITS) -> Finding:
    """The finding for a PDF that must not be taken, made in a bounded time."""
    started = time.monotonic()
    found = open_document(data, limits)
    assert time.monotonic() - started < SECONDS
    assert isinstance(found, Finding), found
    assert found.layer is Layer.CONTAINER
    assert found.severity is Severity.ERROR
    return found


@pytest.mark.parametrize("name", INVOICE_NAMES)
def test_the_invoice_is_found_by_its_name(name: str) -> None:
    """Each of the three names; other files beside it do not matter."""
    data = pdf(("terms.txt", b"..."), (name, XML), metadata=xmp(file_name=name))
    assert opened(data) == OpenedDocument(XML, pdf=True, level="EN 16931")


def test_what_the_factur_x_library_writes_is_read() -> None:
    """A PDF by the usual producer: same bytes as its own reader gives, and nothing to remark."""
    writer = PdfWriter()
    writer.add_blank_page(595, 842)
    page = io.BytesIO()
    writer.write(page)
    invoice = sample_bytes("cii-invoice.xml")
    data = facturx.generate_from_binary(
        page.getvalue(), invoice, attachments={"note.txt": {"filedata": b"x"}}
    )
    assert facturx.get_xml_from_pdf(data, check_xsd=False) == ("factur-x.xml", invoice)
    assert opened(data) == OpenedDocument(invoice, pdf=True, level="EN 16931")


def test_compressed_object_streams_are_read() -> None:
    """PDFs since 1.5 keep their objects, and the table of them, inside compressed streams."""
    packed = stream(XML, "/Type /EmbeddedFile")
    inside = {
        1: b"<</Type/Catalog/Pages 2 0 R/Names<</EmbeddedFiles 3 0 R>>>>",
        2: b"<</Type/Pages/Kids[]/Count 0>>",
        3: b"<</Names[(factur-x.xml) 4 0 R]>>",
        4: b"<</Type/Filespec/UF(factur-x.xml)/EF<</UF 6 0 R>>>>",
    }
    header = body = b""
    for number, content in inside.items():
        header += b"%d %d " % (number, len(body))
        body += content + b" "
    out = bytearray(b"%PDF-1.5\n")
    offsets = {}
    for number, content in (
        (5, stream(header + body, f"/Type /ObjStm /N 4 /First {len(header)}")),
        (6, packed),
    ):
        offsets[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(out)
    rows = [(0, 0, 255), *((2, 5, index) for index in range(4))]
    rows += [(1, offsets[5], 0), (1, offsets[6], 0), (1, start, 0)]
    table = b"".join(
        bytes([kind]) + place.to_bytes(4, "big") + bytes([n]) for kind, place, n in rows
    )
    out += b"7 0 obj\n%s\nendobj\n" % stream(table, "/Type /XRef /W [1 4 1] /Size 8 /Root 1 0 R")
    out += b"startxref\n%d\n%%%%EOF\n" % start
    assert opened(bytes(out)).xml == XML


def test_a_tree_of_names_is_followed_down() -> None:
    """Large PDFs keep the list of their files in a tree of any depth."""
    parts = objects([("factur-x.xml", XML)], xmp())
    parts[30] = parts[5]
    parts[5], parts[6] = b"<< /Kids [6 0 R 7 0 R] >>", b"<< /Kids [30 0 R] >>"
    parts[7] = b"<< /Names [] >>"
    assert opened(written(parts)).xml == XML


def test_a_file_that_is_only_associated_is_found() -> None:
    """PDF 2.0 lists associated files in /AF; some producers fill only that."""
    parts = objects([("factur-x.xml", XML)], xmp(), catalogue="/AF [10 0 R]")
    parts[5] = b"<< /Names [] >>"
    assert opened(written(parts)).xml == XML


@pytest.mark.parametrize("packed", [True, False])
def test_one_file_listed_twice_is_one_invoice(packed: bool) -> None:
    """In the tree and in /AF, as Factur-X wants it; compressed or not."""
    parts = objects([("factur-x.xml", XML)], xmp(), catalogue="/AF [10 0 R 10 0 R]")
    parts[11] = stream(XML, "/Type /EmbeddedFile", packed=packed)
    assert opened(written(parts)).xml == XML


@pytest.mark.parametrize(
    "encoded",
    [
        stream(XML.hex().encode() + b">", "/Filter /ASCIIHexDecode", packed=False),
        stream(
            zlib.compress(XML).hex().encode() + b">",
            "/Filter [/ASCIIHexDecode /FlateDecode]",
            packed=False,
        ),
    ],
)
def test_other_encodings_of_the_stream_are_read(encoded: bytes) -> None:
    """What ISO 32000 allows for data, alone and one upon the other."""
    parts = objects([("factur-x.xml", XML)], xmp())
    parts[11] = encoded
    assert opened(written(parts)).xml == XML


# ------------------------------------------------------------------ which invoice


@pytest.mark.parametrize("attached", [[], [("terms.txt", b"...")], [("Factur-X.xml", XML)]])
def test_no_invoice(attached: list[tuple[str, bytes]]) -> None:
    """Without one of the names there is none; the finding says what else there is."""
    found = refused(pdf(*attached))
    assert found.rule == "PDF-NO-INVOICE"
    assert found.explanation
    for text in (found.explanation.en, found.explanation.fr):
        assert "factur-x.xml" in text
        assert all(name in text for name, _ in attached)


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "is empty"), (b" \n", "is empty"), (b"\x1f\x8b\x08\0", "gzip"), (b"%PDF-1.7", "PDF")],
)
def test_an_embedded_file_that_is_no_xml_is_no_invoice(content: bytes, says: str) -> None:
    """It is the embedded file that is empty or of another kind, and not the PDF: that is said."""
    found = refused(pdf(("factur-x.xml", content)))
    assert found.rule == "PDF-NO-INVOICE"
    assert found.explanation
    assert "The file factur-x.xml is embedded in the PDF" in found.explanation.en
    assert says in found.explanation.en


def test_a_file_that_is_elsewhere_is_not_fetched() -> None:
    """A name without content is not called embedded."""
    parts = objects([("factur-x.xml", XML)], xmp())
    parts[10] = b"<< /FS /URL /F (http://127.0.0.1:9/factur-x.xml) /UF (factur-x.xml) >>"
    found = refused(written(parts))
    assert found.rule == "PDF-NO-INVOICE"
    assert found.explanation
    assert "does not contain it" in found.explanation.en


@pytest.mark.parametrize("second", ["factur-x.xml", "xrechnung.xml", "ZUGFeRD-invoice.xml"])
def test_several_invoices(second: str) -> None:
    """Two files that could be the invoice: neither is taken, even under one name."""
    found = refused(pdf(("factur-x.xml", XML), (second, b"<b/>")))
    assert found.rule == "PDF-SEVERAL"
    assert second in found.message


def test_two_streams_under_one_name_are_several_invoices() -> None:
    """/F and /UF of one entry that differ: every reader would show another invoice."""
    parts = objects([("factur-x.xml", XML)], xmp())
    parts[10] = b"<< /UF (factur-x.xml) /EF << /F 11 0 R /UF 12 0 R >> >>"
    parts[12] = stream(b"<b/>")
    assert refused(written(parts)).rule == "PDF-SEVERAL"


def test_zugferd_1_is_named_as_such() -> None:
    """Its name differs by capitals only, so the finding says which version it stands for."""
    found = refused(pdf(("ZUGFeRD-invoice.xml", XML)))
    assert found.rule == "PDF-OBSOLETE"
    assert "ZUGFeRD 1.0" in found.message


# ------------------------------------------------------------------ XMP


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        (None, "has no metadata"),
        (b"<x:xmpmeta", "cannot be read"),
        (b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>', "DOCTYPE"),
        (b"<x>" + b" " * 6_000_000 + b"</x>", "6000007"),
        (xmp(level=None), "do not name the profile"),
        (xmp(file_name="other.xml"), "other.xml"),
    ],
)
def test_useless_metadata_are_remarked_upon(metadata: bytes | None, says: str) -> None:
    """Whatever is wrong with XMP is a warning: the invoice is there all the same."""
    found = opened(pdf(("factur-x.xml", XML), metadata=metadata))
    assert found.xml == XML
    (remark,) = found.findings
    assert (remark.rule, remark.severity) == ("PDF-XMP", Severity.WARNING)
    assert remark.explanation
    assert says in remark.explanation.en


@pytest.mark.parametrize("metadata", ["<< /Type /Metadata >>", "3", "99 0 R"])
def test_metadata_that_are_no_stream_are_absent(metadata: str) -> None:
    """A number, a dictionary, a reference into nothing: as good as none."""
    parts = objects([("factur-x.xml", XML)], None, catalogue="/Metadata 4 0 R")
    parts[4] = metadata.encode()
    found = opened(written(parts))
    assert "PDF-XMP" in {remark.rule for remark in found.findings}


def test_a_bomb_in_the_metadata_is_not_unpacked() -> None:
    """Compressed XMP is bounded as well; the invoice itself is still read."""
    parts = objects([("factur-x.xml", XML)], xmp())
    parts[4] = stream(b"<x>" + b" " * 60_000_000, "/Type /Metadata /Subtype /XML")
    (remark,) = opened(written(parts)).findings
    assert remark.rule == "PDF-XMP"


def test_properties_may_be_attributes() -> None:
    """RDF lets a property stand as an attribute of its description."""
    packet = (
        f'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:fx="{FX}">'
        '<rdf:Description fx:ConformanceLevel="BASIC" fx:DocumentFileName="factur-x.xml"/>'
        "</rdf:RDF>"
    )
    found = opened(pdf(("factur-x.xml", XML), metadata=packet.encode()))
    assert (found.level, found.findings) == ("BASIC", ())


def test_the_profiles_are_those_of_the_factur_x_library() -> None:
    """Its word for each profile is in our table, under the BT-24 it recognises."""
    from facturx.facturx import FACTURX_LEVEL2xmp

    assert set(PROFILES) == {*FACTURX_LEVEL2xmp.values(), "XRECHNUNG"}
    for own, level in FACTURX_LEVEL2xmp.items():
        profile = PROFILES[level][0]
        assert own in (profile.rpartition(":")[2], "en16931")
        assert misfit(Syntax.CII, profile, level) is None


@pytest.mark.parametrize(
    ("profile", "level", "expected"),
    [
        ("urn:cen.eu:en16931:2017", "BASIC", "EN 16931"),
        ("urn:factur-x.eu:1p0:minimum", "EXTENDED", "MINIMUM"),
        ("urn:cen.eu:en16931:2017", "COMFORTABLE", "EN 16931"),
        ("urn:cen.eu:en16931:2017", "EN16931", None),
        ("urn:factur-x.eu:1p0:basicwl", "basic-wl", None),
        ("urn:cen.eu:en16931:2017#compliant#urn:xeinkauf.de:kosit:xrechnung_3.0", "BASIC", "XRECH"),
        (
            "urn:cen.eu:en16931:2017#conformant#urn.cpro.gouv.fr:1p0:extended-ctc-fr",
            "EXTENDED",
            None,
        ),
        ("urn:nobody:knows", "BASIC", None),
        (None, "BASIC", None),
        ("urn:cen.eu:en16931:2017", None, None),
    ],
)
def test_the_announced_profile_is_compared(
    profile: str | None, level: str | None, expected: str | None
) -> None:
    """XMP and BT-24 must be the same profile; spelling aside, and where both are known."""
    found = misfit(Syntax.CII, profile, level)
    if expected is None:
        assert found is None
        return
    assert found is not None
    assert (found.rule, found.severity, found.terms) == ("PDF-PROFILE", Severity.ERROR, ("BT-24",))
    assert str(level) in found.message
    assert str(profile) in found.message
    assert found.remedy
    assert expected in found.remedy.fr


# ------------------------------------------------------------------ broken and hostile


def test_truncated_anywhere_is_broken() -> None:
    """However much of the end is missing, there is a finding and no invoice."""
    whole = pdf(("factur-x.xml", sample_bytes("cii-invoice.xml")))
    assert opened(whole)
    for cut in (*range(10, len(whole) - 6, 97), len(whole) - 7):
        found = refused(whole[:cut])
        assert found.rule == "PDF-BROKEN", cut
        assert found.explanation
        assert "%%EOF" in found.explanation.fr


def test_bytes_missing_in_the_middle_are_noticed() -> None:
    """A gap moves everything behind it: repaired with a remark, or refused; never unremarked."""
    whole = pdf(("factur-x.xml", sample_bytes("cii-invoice.xml")))
    fates = set()
    for cut in range(20, len(whole) - 400, 101):
        found = open_document(whole[:cut] + whole[cut + 13 :], LIMITS)
        if isinstance(found, OpenedDocument):
            assert found.xml == sample_bytes("cii-invoice.xml")
            assert "PDF-REPAIRED" in {remark.rule for remark in found.findings}, cut
            fates.add("repaired")
        else:
            assert found.rule in {"PDF-BROKEN", "PDF-NO-INVOICE"}, cut
            fates.add("refused")
    assert fates == {"repaired", "refused"}


def test_objects_that_are_not_where_the_table_says_are_remarked_upon() -> None:
    """The library looks for them all over the file, in silence: other readers may find others."""
    whole = pdf(("factur-x.xml", XML))
    rows = whole.index(b"xref\n0 12\n") + 10
    page, file = (whole[rows + 20 * number : rows + 20 * number + 20] for number in (3, 11))
    found = opened(whole[:rows] + whole[rows:].replace(file, page))
    assert found.xml == XML
    assert [remark.rule for remark in found.findings] == ["PDF-REPAIRED"]


def test_what_is_said_of_a_pdf_is_the_same_each_time() -> None:
    """No address in memory, and one full stop at the end of a sentence."""
    parts = objects([("factur-x.xml", XML)], xmp())
    parts[11] = b"<< /Length 11 0 R >>\nstream\nabc\nendstream"
    found = refused(written(parts))
    assert found == refused(written(parts))
    assert "11 0 R" in found.message
    assert not found.message.endswith("..")


def test_a_predictor_out_of_bounds_is_no_invoice_that_is_too_large() -> None:
    """What is wrong is how it is encoded."""
    parts = objects([("factur-x.xml", XML)], xmp())
    parts[11] = stream(XML, "/DecodeParms << /Predictor 12 /Columns 1000000000 >>")
    assert refused(written(parts)).rule == "PDF-BROKEN"


def test_line_ends_changed_in_transfer_are_noticed() -> None:
    """The classical accident of a transfer in text mode."""
    whole = pdf(("factur-x.xml", sample_bytes("cii-invoice.xml")))
    assert b"\n" in zlib.compress(sample_bytes("cii-invoice.xml"), 9)
    assert refused(whole.replace(b"\n", b"\r\n")).rule == "PDF-BROKEN"


def test_a_header_behind_rubbish_is_remarked_upon() -> None:
    """Readers accept it, PDF/A does not."""
    found = opened(b"rubbish\n" + pdf(("factur-x.xml", XML)))
    assert found.findings[0].rule == "PDF-REPAIRED"
    assert found.findings[0].severity is Severity.WARNING


def test_damaged_bytes_in_the_invoice_are_refused() -> None:
    """One bit flipped inside the compressed invoice: its check sum tells, nothing is guessed."""
    whole = bytearray(pdf(("factur-x.xml", sample_bytes("cii-invoice.xml"))))
    middle = whole.index(b"/EmbeddedFile /Subtype") + 600
    whole[middle] ^= 4
    assert refused(bytes(whole)).rule == "PDF-BROKEN"


def test_an_invoice_whose_compression_ends_early_is_refused() -> None:
    """Half a compressed stream would give half an invoice."""
    parts = objects([("factur-x.xml", XML)], xmp())
    half = zlib.compress(sample_bytes("cii-invoice.xml"))[:900]
    parts[11] = stream(half, "/Filter /FlateDecode", packed=False)
    found = refused(written(parts))
    assert found.rule == "PDF-BROKEN"
    assert "ends too early" in found.message


def loops() -> dict[str, bytes]:
    """PDFs that lead a reader round and round, or very deep."""
    sound = objects([("factur-x.xml", XML)], xmp())
    plain = written(sound)
    start = int(plain.rpartition(b"startxref\n")[2].split()[0])
    kids = {5: b"<< /Kids [5 0 R] >>"}
    wide = {
        5: b"<< /Kids [" + b"6 0 R " * 500 + b"] >>",
        6: b"<< /Kids [" + b"5 0 R " * 500 + b"] >>",
    }
    deep = {5: b"<< /Names " + b"[" * 50_000 + b"]" * 50_000 + b" >>"}
    dictionaries = {5: b"<< /Kids " + b"[ << /Kids " * 20_000 + b"[]" + b" >> ]" * 20_000 + b" >>"}
    return {
        "kids": written(sound | kids),
        "kids by the thousand": written(sound | wide),
        "deep arrays": written(sound | deep),
        "deep dictionaries": written(sound | dictionaries),
        "deep trailer": written(sound, trailer="/X " + "[" * 50_000 + "]" * 50_000),
        "reference to itself": written(sound | {5: b"5 0 R"}),
        "filter that refers to the stream": written(
            sound | {11: b"<< /Length 3 /Filter 11 0 R >>\nstream\nabc\nendstream"}
        ),
        "length that refers to the stream": written(
            sound | {11: b"<< /Length 11 0 R >>\nstream\nabc\nendstream"}
        ),
        "sixty filters": written(
            sound | {11: stream(XML, "/Filter [" + "/ASCIIHexDecode " * 60 + "]", packed=False)}
        ),
        "image filter": written(sound | {11: stream(XML, "/Filter /JBIG2Decode", packed=False)}),
        "no catalogue": written({2: sound[2]}),
        "catalogue is a number": written({1: b"7"}),
        "table points to itself": plain.replace(b"/Root 1 0 R", b"/Root 1 0 R /Prev %d" % start)[
            : -len(b"%%EOF\n")
        ].replace(b"/Root 1 0 R", b"/Root 9 0 R")
        + b"%%EOF\n",
        "table of a billion entries": plain.replace(b"xref\n0 12", b"xref\n0 999999999"),
        "start in nowhere": plain.replace(b"startxref\n%d" % start, b"startxref\n99999999"),
        "start negative": plain.replace(b"startxref\n%d" % start, b"startxref\n-5"),
        "only a header and an end": b"%PDF-1.7\n%%EOF\n",
        "an end without a PDF": b"%PDF-1.7\n" + b"\0" * 100_000 + b"%%EOF\n",
        "objects without end": b"%PDF-1.7\n" + b"1 0 obj\n" * 50_000 + b"startxref\n9\n%%EOF\n",
    }


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", list(loops()))
def test_a_pdf_that_loops_or_is_too_deep_is_broken(name: str) -> None:
    """Whatever pypdf runs into, it is a finding about the PDF, soon."""
    found = open_document(loops()[name], LIMITS)
    if isinstance(found, OpenedDocument):
        # pypdf mends some of them: then that is said, and the invoice is the right one.
        assert found.xml == XML
        assert found.findings[0].rule == "PDF-REPAIRED"
    else:
        assert refused(loops()[name]).rule in {"PDF-BROKEN", "PDF-NO-INVOICE"}


@pytest.mark.timeout(60)
def test_random_damage_is_never_more_than_a_finding() -> None:
    """Bytes changed at random: a finding, or the very invoice; no exception, no other invoice."""
    chance = random.Random(20261)
    invoice = sample_bytes("cii-invoice.xml")
    whole = pdf(("factur-x.xml", invoice))
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            damaged[chance.randrange(len(damaged))] = chance.choice(b"0129<>[]()/ R\n\0\xff")
        found = open_document(bytes(damaged), LIMITS)
        if isinstance(found, OpenedDocument) and found.xml != invoice:
            # The word that says how to decode it is gone, or the mark of a PDF: no XML either way.
            assert isinstance(parse(found.xml, LIMITS), Finding)


def test_a_huge_length_is_not_believed() -> None:
    """A stream that claims two gigabytes in a file of a few kB: noticed, and nothing allocated."""
    parts = objects([("factur-x.xml", XML)], xmp())
    parts[11] = parts[11].replace(b"/Length ", b"/Length 2000000", 1)
    found = open_document(written(parts), LIMITS)
    if isinstance(found, OpenedDocument):
        assert found.xml == XML
        assert found.findings[0].rule == "PDF-REPAIRED"
    else:
        assert found.rule == "PDF-BROKEN"


@pytest.mark.parametrize(
    "filters", ["/FlateDecode", "[/FlateDecode /FlateDecode]", "[/ASCIIHexDecode /FlateDecode]"]
)
def test_a_bomb_is_stopped_at_the_limit(filters: str) -> None:
    """A few kB that unpack to 100 MB: refused, and not more than the limit was unpacked."""
    packed = zlib.compress(b"<" * 100_000_000, 9)
    if filters.count("Flate") == 2:
        packed = zlib.compress(packed, 9)
    elif "Hex" in filters:
        packed = packed.hex().encode() + b">"
    parts = objects([("factur-x.xml", XML)], xmp())
    parts[11] = stream(packed, f"/Filter {filters}", packed=False)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = refused(written(parts))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert found.rule == "PDF-TOO-LARGE"
    assert "1000000" in found.message
    assert grown < 60_000  # kB


def test_the_limit_counts_to_the_byte() -> None:
    """As many bytes as allowed are taken; one more is not."""
    data = pdf(("factur-x.xml", b"<a>" + b" " * 93 + b"</a>"))
    assert isinstance(open_document(data, DocumentLimits(max_bytes=100)), OpenedDocument)
    assert refused(data, DocumentLimits(max_bytes=99)).rule == "PDF-TOO-LARGE"


@pytest.mark.parametrize("password", ["", "secret"])
@pytest.mark.parametrize("algorithm", ["RC4-128", "AES-256"])
def test_encryption_is_refused_with_and_without_password(password: str, algorithm: str) -> None:
    """PDF/A forbids it either way, and the finding says that it means both."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf(("factur-x.xml", XML)))))
    writer.encrypt(user_password=password, owner_password="owner", algorithm=algorithm)
    buffer = io.BytesIO()
    writer.write(buffer)
    found = refused(buffer.getvalue())
    assert found.rule == "PDF-ENCRYPTED"
    assert found.explanation
    assert "without a password" in found.explanation.en
    assert "sans mot de passe" in found.explanation.fr


def test_encryption_that_makes_no_sense_is_still_encryption() -> None:
    """No key is derived from what such a PDF says: it stops at the word."""
    parts = objects([("factur-x.xml", XML)], xmp())
    for said in ("<< /Filter /Standard /V 5 /R 6 >>", "7", "<< >>"):
        assert refused(written(parts, trailer=f"/Encrypt {said}")).rule == "PDF-ENCRYPTED"


def test_running_out_of_memory_is_not_the_partners_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another attempt may have more memory: it must not become a finding."""

    def exhausted(*_args: object, **_named: object) -> None:
        raise MemoryError

    monkeypatch.setattr("gateway.core.container.pdf._invoice", exhausted)
    with pytest.raises(MemoryError):
        open_document(pdf(("factur-x.xml", XML)), LIMITS)


def test_xml_alone_does_not_load_pypdf() -> None:
    """Most judges never see a PDF: they neither wait for it nor hold it in memory."""
    code = (
        "import sys; from gateway.core.container.document import open_document as o;"
        "from gateway.model.job import DocumentLimits as L; o(b'<a/>', L());"
        "sys.exit('pypdf' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_every_sentence_about_a_pdf_can_be_said() -> None:
    """The tests above bring about every code and variant about PDFs, or routing's do."""
    codes = {code for code in definitions() if code.startswith("PDF-")}
    assert codes == {
        "PDF-BROKEN",
        "PDF-ENCRYPTED",
        "PDF-NO-INVOICE",
        "PDF-OBSOLETE",
        "PDF-ONLY",
        "PDF-PROFILE",
        "PDF-REPAIRED",
        "PDF-SEVERAL",
        "PDF-TOO-LARGE",
        "PDF-UBL",
        "PDF-UNWANTED",
        "PDF-XMP",
    }
