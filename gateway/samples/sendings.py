"""The samples as partners send them: one by one, several in a tar.gz, one inside a Factur-X PDF.

One more goes by AS2. The invoices are those of the package; all but those sent one by one have
numbers of their own, for nobody issues an invoice twice.
"""

from __future__ import annotations

import gzip
import io
import tarfile

import msgspec
from lxml import etree

from gateway.samples import SAMPLES, Sample, sample_bytes

BATCH = "batch.tar.gz"
CORRECTED = "batch-corrected.tar.gz"
HYBRID = "facturx-invoice.pdf"
BY_AS2 = "as2-invoice.xml"
_CII = "cii-invoice.xml"
_UBL = "ubl-invoice.xml"
_MENDED = {
    "ubl-invoice-faulty.xml": (_UBL, b"FA-2026-00187", b"FA-2026-00188"),
    "ubl-credit-note-faulty.xml": ("ubl-credit-note.xml", b"AV-2026-00021", b"AV-2026-00022"),
    "cii-invoice-faulty.xml": (_CII, b"2026/TC/0942", b"2026/TC/0943"),
}
"""What each faulty sample is mended to: a good one, its number, and the number it gets."""


class Sending(msgspec.Struct, frozen=True):
    """One file a partner sends: its bytes, and each document in it with what must come of it."""

    file: str
    content: bytes
    documents: tuple[tuple[str, Sample], ...]


def sendings() -> list[Sending]:
    """By SFTP: every sample by itself, then all in one archive, half of them faulty, then a PDF."""
    alone = [Sending(s.file, sample_bytes(s.file), ((s.file, s),)) for s in SAMPLES]
    hybrid = msgspec.structs.replace(_sample(_CII), title="Factur-X PDF with an EN 16931 invoice")
    return [
        *alone,
        Sending(BATCH, batch(), tuple((sample.file, sample) for sample in SAMPLES)),
        Sending(HYBRID, facturx_pdf(), ((HYBRID, hybrid),)),
    ]


def by_as2() -> Sending:
    """A good UBL invoice, which the demo's partner signs and encrypts."""
    content = renumbered(sample_bytes(_UBL), "3")
    return Sending(BY_AS2, content, ((BY_AS2, _sample(_UBL)),))


def corrected() -> Sending:
    """The batch once more, the faulty invoices mended; the others are in it as before.

    As its sender's program makes it, which packs the whole batch again.
    """
    documents = []
    for sample in SAMPLES:
        if sample.file in _MENDED:
            now = msgspec.structs.replace(sample, expected_verdict="accepted", expected_rule=None)
        else:
            now = msgspec.structs.replace(
                sample, expected_verdict="rejected", expected_rule="DOUBLON"
            )
        documents.append((sample.file, now))
    contents = {sample.file: _mended(sample.file) for sample in SAMPLES}
    return Sending(CORRECTED, _packed(contents), tuple(documents))


def _mended(file: str) -> bytes:
    good, number, its_own = _MENDED.get(file, (file, b"", b""))
    return sample_bytes(good).replace(number, its_own) if number else sample_bytes(good)


def batch() -> bytes:
    """A tar.gz of all samples, as bulk senders pack them. Same bytes every time."""
    return _packed({sample.file: sample_bytes(sample.file) for sample in SAMPLES})


def _packed(contents: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for file, invoice in contents.items():
            content = renumbered(invoice, "1")
            member = tarfile.TarInfo(file)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0)


def facturx_pdf() -> bytes:
    """The CII sample inside a PDF, put there by the factur-x library, below a page to read."""
    import facturx  # loads much; only the demo and tests need it

    invoice = renumbered(sample_bytes(_CII), "2")
    pdf: bytes = facturx.generate_from_binary(
        _page(invoice), invoice, flavor="factur-x", level="en16931", check_xsd=False, lang="fr-FR"
    )
    return pdf


def renumbered(invoice: bytes, series: str) -> bytes:
    """The sample under another number, of the series 0 to 9; what it refers to moves along."""
    for start in (b"FA-2026-", b"AV-2026-", b"2026/TC/"):
        invoice = invoice.replace(start + b"0", start + series.encode())
    return invoice


def _sample(file: str) -> Sample:
    return next(sample for sample in SAMPLES if sample.file == file)


def _page(invoice: bytes) -> bytes:
    """A PDF of one page that says in words what the invoice is about."""
    from pypdf import PdfWriter
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

    root = etree.fromstring(invoice, etree.XMLParser(resolve_entities=False, no_network=True))

    def text(path: str) -> str:
        return str(root.findtext(f".//{path}"))

    lines = [
        "Facture " + text("{*}ExchangedDocument/{*}ID"),
        "Vendeur : " + text("{*}SellerTradeParty/{*}Name"),
        "Acheteur : " + text("{*}BuyerTradeParty/{*}Name"),
        "Total TTC : " + text("{*}GrandTotalAmount").replace(".", ",") + " EUR",
        "La facture entière est le fichier factur-x.xml joint à ce PDF.",
    ]
    shown = "\n".join(f"({_escaped(line)}) Tj T*" for line in lines)
    content = DecodedStreamObject()
    content.set_data(f"BT /F1 14 Tf 24 TL 72 740 Td\n{shown}\nET".encode("cp1252"))
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
            NameObject("/Encoding"): NameObject("/WinAnsiEncoding"),
        }
    )
    writer = PdfWriter()
    page = writer.add_blank_page(width=595, height=842)
    page[NameObject("/Contents")] = writer._add_object(content)
    fonts = DictionaryObject({NameObject("/F1"): writer._add_object(font)})
    page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()


def _escaped(text: str) -> str:
    for character in "\\()":
        text = text.replace(character, "\\" + character)
    return text
