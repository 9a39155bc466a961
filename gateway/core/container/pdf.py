"""The XML invoice inside a PDF: Factur-X, ZUGFeRD from 2.0 on, XRechnung.

The invoice is a file embedded in the PDF (ISO 32000-1, 7.11.4), listed in the catalogue's tree of
embedded files and in its array of associated files. Its name tells that it is the invoice.

pypdf, on which the factur-x library stands, reads the PDF's structure. That library's own reader
is not used: it takes the first of several invoices, passes over what it cannot read in silence,
and has the XML parsed before anybody looked at it. pypdf repairs much of what is broken, so a PDF
is read strictly first: what only a repairing reader can read is remarked upon.

A PDF is a program's worth of structure written by somebody else. Everything pypdf raises about
one is a finding; what a judge may cost in time and memory is watched from outside the process.
"""

from __future__ import annotations

import copy
import logging
import re
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Final

import msgspec
from pypdf import PdfReader, apply_configuration
from pypdf.errors import LimitReachedError, PyPdfError
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject, PdfObject, StreamObject

from gateway.core.container.kinds import HEAD_BYTES, kind
from gateway.core.container.xmp import read_xmp
from gateway.core.explain import own_finding
from gateway.model.job import DocumentLimits
from gateway.model.verdict import Finding

INVOICE_NAMES: Final = ("factur-x.xml", "zugferd-invoice.xml", "xrechnung.xml")
OBSOLETE_NAME: Final = "ZUGFeRD-invoice.xml"
"""ZUGFeRD 1.0 (2014): older than EN 16931, another XML."""

_TAIL: Final = 1024
"""Readers look for the end marker in so many last bytes (ISO 32000-1, annex H.3.4.4)."""

_MAX_NODES: Final = 10_000
"""Entries of the tree of embedded files. A tree that loops has no end."""

_FILTERS: Final = frozenset(
    ["/FlateDecode", "/ASCIIHexDecode", "/ASCII85Decode", "/LZWDecode", "/RunLengthDecode"]
)
"""Encodings of an embedded file. The others are for images; one has pypdf start a program."""

_MAX_FILTERS: Final = 4

_TOO_MUCH: Final = ("Limit reached", "Stream decoding exceeded")
"""How pypdf begins when there is too much data. Its other limits are for how they are encoded."""

_REFERENCE = re.compile(r"IndirectObject\((\d+), (\d+), \d+\)")

# What pypdf remarks about a partner's PDF is not the operator's business, and quotes it.
logging.getLogger("pypdf").setLevel(logging.CRITICAL + 1)


class PdfInvoice(msgspec.Struct, frozen=True):
    """The invoice in a PDF. `level`: its profile as XMP names it (fx:ConformanceLevel)."""

    xml: bytes
    level: str | None = None
    findings: tuple[Finding, ...] = ()


class _Encrypted(Exception):
    """The PDF is encrypted, whether or not a password is needed to open it."""


class _Damaged(Exception):
    """Something in the PDF is not as its format wants it."""


class _Reader(PdfReader):
    """Stops at an encrypted PDF before any key is derived from what it says."""

    @property
    def is_encrypted(self) -> bool:
        if super().is_encrypted:
            raise _Encrypted
        return False


def open_pdf(data: bytes, limits: DocumentLimits) -> PdfInvoice | Finding:
    """The invoice embedded in a PDF, or the finding that says why there is none to judge."""
    if b"%%EOF" not in data[-_TAIL:]:
        return own_finding("PDF-BROKEN", variant="truncated", reason="no %%EOF at the end")
    with apply_configuration(
        maximum_declared_stream_length=len(data),
        jbig2dec_binary=None,
        disable_legacy_handling=True,
    ):
        found = _attempt(lambda: _invoice(data, limits, strict=True))
        if not isinstance(found, str):
            return found
        mended = _attempt(lambda: _invoice(data, limits, strict=False))
    if isinstance(mended, str):
        return own_finding("PDF-BROKEN", reason=mended)
    if isinstance(mended, Finding):
        # Where the structure is broken, "there is none" only means that none was found.
        missing = mended.rule == "PDF-NO-INVOICE"
        return own_finding("PDF-BROKEN", reason=found) if missing else mended
    remark = own_finding("PDF-REPAIRED", reason=found)
    return msgspec.structs.replace(mended, findings=(remark, *mended.findings))


def _attempt(read: Callable[[], PdfInvoice | Finding]) -> PdfInvoice | Finding | str:
    """What reading gives; for a PDF that cannot be read so, the reason."""
    try:
        return read()
    except _Encrypted:
        return own_finding("PDF-ENCRYPTED")
    except MemoryError:
        raise  # ours: another attempt may have more of it
    except RecursionError:
        return "its structure is nested too deeply"
    except (_Damaged, PyPdfError) as error:
        return _reason(str(error))
    except Exception as error:  # pypdf raises whatever its code stumbles upon
        return f"its structure makes no sense ({type(error).__name__})"


def _reason(said: str) -> str:
    """What pypdf says, as part of a sentence, and the same each time: without places in memory."""
    return _REFERENCE.sub(r"\1 \2 R", said).strip().rstrip(".")


def _invoice(data: bytes, limits: DocumentLimits, *, strict: bool) -> PdfInvoice | Finding:
    reader = _Reader(BytesIO(data), strict=strict)
    table = copy.deepcopy(reader.xref)
    catalogue = reader.root_object
    invoices: dict[tuple[int, int], tuple[str, StreamObject]] = {}
    attached: dict[str, None] = {}
    hollow: str | None = None
    for names, spec in _file_specs(catalogue):
        attached |= dict.fromkeys(names)
        called = [name for name in names if name in INVOICE_NAMES or name == OBSOLETE_NAME]
        if called:
            found = {place: (called[0], stream) for place, stream in _streams(spec)}
            invoices |= found
            hollow = hollow if found else called[0]
    if not invoices and hollow is not None:
        return own_finding("PDF-NO-INVOICE", variant="elsewhere", name=hollow)
    if not invoices:
        variant = None if attached else "bare"
        return own_finding(
            "PDF-NO-INVOICE", variant=variant, known=INVOICE_NAMES, attached=tuple(attached)
        )
    if len(invoices) > 1:
        return own_finding("PDF-SEVERAL", names=tuple(name for name, _ in invoices.values()))
    ((name, stream),) = invoices.values()
    if name == OBSOLETE_NAME:
        return own_finding("PDF-OBSOLETE", name=name, known=INVOICE_NAMES)
    xml = _content(stream, limits.max_bytes)
    if xml is None:
        return own_finding("PDF-TOO-LARGE", name=name, limit=limits.max_bytes)
    if not xml.strip():
        return own_finding("PDF-NO-INVOICE", variant="empty", name=name)
    other = kind(xml[:HEAD_BYTES])
    if other is not None:
        return own_finding("PDF-NO-INVOICE", variant="kind", name=name, kind=other)
    if strict and reader.xref != table:
        # Even when strict, pypdf looks for an object that is not where it should be, and says so
        # in its log only.
        raise _Damaged("objects are not where its table says")
    level, remarks = _claims(catalogue, name)
    return PdfInvoice(xml, level, remarks)


def _file_specs(catalogue: DictionaryObject) -> Iterator[tuple[tuple[str, ...], DictionaryObject]]:
    """Every file specification with its names: that of the tree, /UF, /F (ISO 32000-1, 7.11.3)."""
    trees = _dictionary(catalogue.get("/Names"))
    waiting: list[object] = [trees.get("/EmbeddedFiles")]
    nodes = 0
    while waiting:
        node = _dictionary(waiting.pop())
        waiting += reversed(_array(node.get("/Kids")))
        pairs = _array(node.get("/Names"))
        nodes += 1 + len(pairs)
        if nodes + len(waiting) > _MAX_NODES:
            raise _Damaged("its list of embedded files has no end")
        for key, value in zip(pairs[::2], pairs[1::2], strict=False):
            yield _named(value, key)
    for value in _array(catalogue.get("/AF"))[:_MAX_NODES]:
        yield _named(value)


def _named(value: object, key: object = None) -> tuple[tuple[str, ...], DictionaryObject]:
    spec = _dictionary(value)
    names = (_resolved(name) for name in (spec.get("/UF"), spec.get("/F"), key))
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str))), spec


def _streams(spec: DictionaryObject) -> Iterator[tuple[tuple[int, int], StreamObject]]:
    """The embedded streams of a file specification, each with its place in the PDF.

    /UF and /F ought to be one stream. Where they are two, readers differ in which they show.
    """
    embedded = _dictionary(spec.get("/EF"))
    for key in ("/UF", "/F"):
        place = embedded.get(key)
        if not isinstance(place, IndirectObject):
            continue
        stream = place.get_object()
        if not isinstance(stream, StreamObject):
            raise _Damaged(f"the embedded file {key} is not a stream")
        yield (place.idnum, place.generation), stream


def _content(stream: StreamObject, limit: int) -> bytes | None:
    """The embedded file, decoded; None when it has more than `limit` bytes."""
    named = _resolved(stream.get("/Filter"))
    filters = [_resolved(name) for name in named] if isinstance(named, ArrayObject) else [named]
    if filters == ["/FlateDecode"] and not _resolved(stream.get("/DecodeParms")):
        # pypdf makes the best of damaged data, and has no public word for the bytes as they are.
        return _inflated(stream._data, limit)
    if len(filters) > _MAX_FILTERS:
        raise _Damaged(f"the embedded file is encoded {len(filters)} times over")
    if named is not None and not _FILTERS.issuperset(filters):
        raise _Damaged(f"the embedded file is encoded as {', '.join(map(str, filters))}")
    try:
        with apply_configuration(
            zlib_maximum_output_length=limit + 1,
            zlib_maximum_recovery_input_length=0,
            lzw_maximum_output_length=limit + 1,
            run_length_maximum_output_length=limit + 1,
        ):
            content = stream.get_data()
    except LimitReachedError as error:
        if isinstance(error.__cause__, zlib.error):
            raise _Damaged(f"the embedded file is damaged: {error.__cause__}") from error
        if not str(error).startswith(_TOO_MUCH):
            raise _Damaged(str(error)) from error
        return None
    return content if len(content) <= limit else None


def _inflated(data: bytes, limit: int) -> bytes | None:
    engine = zlib.decompressobj()
    try:
        content = engine.decompress(data, limit + 1)
    except zlib.error as error:
        raise _Damaged(f"the embedded file is damaged: {error}") from error
    if len(content) > limit:
        return None
    if not engine.eof:
        raise _Damaged("the embedded file ends too early")
    return content


def _claims(catalogue: DictionaryObject, name: str) -> tuple[str | None, tuple[Finding, ...]]:
    """The profile XMP names, and what is to be remarked about XMP. It rejects nothing by itself."""
    variant, reason, level = "absent", "", None
    packet = _attempt_packet(catalogue)
    if isinstance(packet, bytes):
        claims = read_xmp(packet)
        if isinstance(claims, Finding):
            variant, reason = "unreadable", claims.message
        elif claims.level is None:
            variant = "silent"
        elif claims.file_name not in (name, None):
            variant, reason, level = "file-name", claims.file_name or "", claims.level
        else:
            return claims.level, ()
    elif packet is not None:
        variant, reason = "unreadable", packet
    return level, (own_finding("PDF-XMP", variant=variant, name=name, reason=reason),)


def _attempt_packet(catalogue: DictionaryObject) -> bytes | str | None:
    """The XMP packet, why it cannot be read, or None when there is none."""
    try:
        stream = _resolved(catalogue.get("/Metadata"))
        if not isinstance(stream, StreamObject):
            return None
        with apply_configuration(zlib_maximum_output_length=5_000_001):
            return stream.get_data()
    except MemoryError:
        raise
    except Exception as error:
        return f"{_reason(str(error) or type(error).__name__)}."


def _resolved(value: object) -> object:
    return value.get_object() if isinstance(value, PdfObject) else value


def _dictionary(value: object) -> DictionaryObject:
    found = _resolved(value)
    return found if isinstance(found, DictionaryObject) else DictionaryObject()


def _array(value: object) -> list[object]:
    found = _resolved(value)
    return list(found) if isinstance(found, ArrayObject) else []
