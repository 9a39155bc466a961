"""PDFs for the tests, written by hand: whatever is to be wrong with one can be written so."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

FX = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"

Objects = dict[int, bytes]


def xmp(level: str | None = "EN 16931", file_name: str | None = "factur-x.xml") -> bytes:
    """An XMP packet with the properties of Factur-X, as elements."""
    inside = f"<fx:ConformanceLevel>{level}</fx:ConformanceLevel>" if level else ""
    if file_name:
        inside += f"<fx:DocumentFileName>{file_name}</fx:DocumentFileName>"
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" xmlns:fx="{FX}">{inside}</rdf:Description>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def stream(data: bytes, entries: str = "", *, packed: bool = True) -> bytes:
    """A stream object, compressed or as it is. `entries` go into its dictionary."""
    if packed:
        data, entries = zlib.compress(data, 9), f"/Filter /FlateDecode {entries}"
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), entries.encode(), data)


def objects(
    attached: Sequence[tuple[str, bytes]], metadata: bytes | None, *, catalogue: str = ""
) -> Objects:
    """The objects of a PDF of one empty page: catalogue 1, pages 2 and 3, XMP 4, names 5.

    From 10 on, in pairs, come a file specification and its embedded file for each of `attached`.
    """
    specs = [(name, 10 + 2 * index) for index, (name, _) in enumerate(attached)]
    listed = " ".join(f"({name}) {number} 0 R" for name, number in specs)
    found: Objects = {
        2: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        3: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>",
        5: f"<< /Names [{listed}] >>".encode(),
    }
    about = f"/Type /Catalog /Pages 2 0 R /Names << /EmbeddedFiles 5 0 R >> {catalogue}"
    if metadata is not None:
        found[4] = stream(metadata, "/Type /Metadata /Subtype /XML", packed=False)
        about += " /Metadata 4 0 R"
    found[1] = f"<< {about} >>".encode()
    for (name, number), (_, data) in zip(specs, attached, strict=True):
        found[number] = (
            f"<< /Type /Filespec /F ({name}) /UF ({name}) /AFRelationship /Data "
            f"/EF << /F {number + 1} 0 R /UF {number + 1} 0 R >> >>"
        ).encode()
        found[number + 1] = stream(data, "/Type /EmbeddedFile /Subtype /text#2Fxml")
    return found


def written(parts: Mapping[int, bytes], *, trailer: str = "") -> bytes:
    """The PDF: header, objects, one cross-reference table, trailer."""
    out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    last = max(parts)
    rows = ["0000000000 65535 f \n"] + ["0000000000 00000 f \n"] * last
    for number, body in sorted(parts.items()):
        rows[number] = f"{len(out):010d} 00000 n \n"
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += f"xref\n0 {last + 1}\n{''.join(rows)}".encode()
    out += f"trailer\n<< /Size {last + 1} /Root 1 0 R {trailer} >>\n".encode()
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


def pdf(*attached: tuple[str, bytes], metadata: bytes | None = b"", catalogue: str = "") -> bytes:
    """A sound PDF with these embedded files. `metadata` b"": fitting XMP; None: no XMP."""
    packet = xmp() if metadata == b"" else metadata
    return written(objects(attached, packet, catalogue=catalogue))
