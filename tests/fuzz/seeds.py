"""Sound inputs to begin with: samples, messages of our own, the evil corpus, a corpus in place."""

from __future__ import annotations

import functools
import gzip
import io
import os
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any, Final

from bench.invoices import cii_invoice, ubl_invoice
from gateway.resources import data_folder
from gateway.samples import SAMPLES, sample_bytes
from gateway.samples.sendings import batch
from tests.cdar_documents import status
from tests.evil import building
from tests.pdfs import pdf, xmp

EVIL: Final = Path(__file__).parent.parent / "evil"
MADE: Final = Path(__file__).parent / "sound"
_MAX_SEED: Final = 20_000


def evil(*groups: str) -> list[bytes]:
    """What lies in these folders of the evil corpus as it is."""
    files = [path for group in groups for path in sorted((EVIL / group).iterdir())]
    wanted = [path for path in files if path.suffix not in {".py", ".toml", ".name"}]
    return [path.read_bytes() for path in wanted if path.is_file()]


@functools.cache
def corpus() -> tuple[bytes, ...]:
    """Public example invoices, read where they are, if EDI_GATEWAY_CORPUS names their folder."""
    folder = os.environ.get("EDI_GATEWAY_CORPUS")
    files = sorted(Path(folder).rglob("*.xml")) if folder else []
    return tuple(path.read_bytes() for path in files if path.stat().st_size <= 4 * _MAX_SEED)


def invoices() -> list[bytes]:
    """Good and faulty, in both syntaxes, small and of usual size."""
    made = [
        make(f"FA-{number}", lines=lines, fault=fault)
        for make in (ubl_invoice, cii_invoice)
        for number, (lines, fault) in enumerate(
            [(1, None), (3, None), (1, "total"), (1, "note"), (1, "schema")]
        )
    ]
    return [*made, *(sample_bytes(sample.file) for sample in SAMPLES), *corpus()]


def documents() -> list[bytes]:
    """Invoices, lifecycle messages, and everything evil that is a file."""
    return [*invoices(), *messages(), *evil("xml", "encodings", "documents")]


def messages() -> list[bytes]:
    """Lifecycle messages."""
    codes = [("213", "DOUBLON"), ("200", None), ("210", "CALCUL_ERR")]
    return [status(code, reason) for code, reason in codes]


def archives() -> list[bytes]:
    """tar.gz, tar and ZIP with documents, attachments, signatures and odd entries."""
    one, other, cii = building.GOOD, building.ALSO_GOOD, building.GOOD_CII
    members = (
        building.member("FA-1.xml", one),
        building.member("sub/", type=tarfile.DIRTYPE),
        building.pax(path="sub/Facture-été.xml"),
        building.member("x", other),
        building.member("FA-1.pdf", b"%PDF-1.7\nx"),
        building.member("FA-1.xml.p7s", b"0\x82\x01\x00signature"),
        building.member("long/" + "n" * 120 + ".xml", cii),
        building.member("._FA-1.xml", b"junk"),
    )
    files = {
        "FA-1.xml": one,
        "sub/FA-2.xml": other,
        "FA-1.png": b"\x89PNG\r\n\x1a\nx",
        "e.xml": b"",
    }
    plain = b"".join(members) + building.TAR_END
    return [
        batch(),
        building.tar_gz(*members),
        building.gz(plain[:2048] + building.TAR_END),
        plain,
        gzip.compress(one, mtime=0),
        building.zip_of(files),
        building.zip_of(files, compress_type=0),
        building.zip_of([("FA-1.xml", one), ("fa-1.XML", other)], extra=b"\x01\x00\x04\x00abcd"),
        _streamed_zip(),
    ]


def _streamed_zip() -> bytes:
    """A ZIP written where nobody can go back: sizes behind the data."""

    class OneWay(io.RawIOBase):
        def __init__(self) -> None:
            self.made = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data: Any, /) -> int:
            self.made += data
            return len(data)

    sink: Any = OneWay()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("FA-1.xml", (2026, 1, 1, 0, 0, 0)), building.GOOD)
    return bytes(sink.made)


def pdfs() -> list[bytes]:
    """Factur-X by our own hand, with object streams, and without an invoice.

    The first is one of the demo's, by the library: it says when it was made, so it was made once.
    """
    invoice = building.GOOD_CII
    return [
        (MADE / "facturx.pdf").read_bytes(),
        pdf(("factur-x.xml", invoice)),
        pdf(("factur-x.xml", invoice), ("other.png", b"\x89PNG"), metadata=xmp("BASIC", "x.xml")),
        pdf(("zugferd-invoice.xml", invoice), metadata=None),
        pdf(("order.txt", b"none")),
        *(path.read_bytes() for path in built("pdfs") if path.stat().st_size < 30_000),
    ]


@functools.cache
def built(group: str) -> tuple[Path, ...]:
    """What the builders of a group of the evil corpus make, in a temporary folder."""
    from tests.evil.cases import all_cases  # late: it brings the whole command line

    folder = tempfile.mkdtemp(prefix="fuzz-built-")
    cases = [case for case in all_cases() if case.group == group and "bomb" not in case.name]
    return tuple(case.ready(Path(folder)) for case in cases)


def settings_files(kind: str) -> list[bytes]:
    """Shipped TOML: "settings", "partners" or "flows"."""
    match kind:
        case "settings":
            return [(data_folder("conf") / "gateway.toml").read_bytes()]
        case "partners":
            folder = Path(str(data_folder("conf"))) / "partners"
            return [path.read_bytes() for path in sorted(folder.glob("*.toml"))]
    return [Path(str(path)).read_bytes() for path in data_folder("flows").glob("*.toml")]


def as2(name: str) -> list[bytes]:
    """Messages and receipts made once, with the keys of `keys`, by `as2_seeds`."""
    found = [path.read_bytes() for path in sorted((MADE / "as2").glob(f"{name}*"))]
    assert found, name
    return found
