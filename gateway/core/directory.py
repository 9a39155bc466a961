"""The directory of recipients that B2G rules ask: who is active, who is public, who wants what.

`edi-gateway directory import` turns a table into a snapshot: a file that is never changed, named by
when it was imported and by the SHA-256 of what it says. Judges look at the newest one, and only for
the few SIRETs a document names, by bisection in the mapped file: a directory of a million entries
costs a judgement no more than an empty one. What a judgement records is the snapshot's sum, so that
it can be repeated.

A snapshot has one line per SIRET, sorted: SIRET, five flags (`0` or `1`), service codes, apart by
tabs; the codes sorted and apart by `|`. The same table in another order is the same snapshot.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import mmap
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple, Protocol, cast
from xml.sax.saxutils import escape

from lxml import etree

from gateway.core.xml import ParsedXml
from gateway.errors import RulePackError
from gateway.model.verdict import PackReference

NAMESPACE: Final = "urn:edi-gateway:directory"
NAME: Final = "directory"
"""What a judgement calls it, among the rule packs it was judged by."""
MAX_SIRETS: Final = 100
"""SIRETs of one document that are looked up. Seller, buyer and agent have one each; more than one
in a party is a finding of the French rules (BR-FR-CO-10)."""

_FILE: Final = re.compile(r"(?P<imported>\d{8}T\d{6}Z)-(?P<sha256>[0-9a-f]{64})\.tsv")
_STAMP: Final = "%Y%m%dT%H%M%SZ"
_SIRET: Final = re.compile(rb"\d{14}")
_PARTIES: Final = etree.XPath(
    "/*/cac:AccountingSupplierParty//cbc:ID | /*/cac:AccountingCustomerParty//cbc:ID"
    " | /*/*/ram:ApplicableHeaderTradeAgreement/*/ram:GlobalID",
    namespaces={
        "cac": "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2",
        "cbc": "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2",
        "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
    },
)


class Recipient(NamedTuple):
    """What the directory says of one SIRET. `either_required`: a service code or an engagement."""

    siret: str
    active: bool
    public: bool
    service_code_required: bool
    engagement_required: bool
    either_required: bool
    service_codes: tuple[str, ...] = ()

    def line(self) -> bytes:
        """The line of a snapshot that says this."""
        flags = "".join("01"[flag] for flag in self[1:6])
        codes = "|".join(sorted(set(self.service_codes)))
        return f"{self.siret}\t{flags}\t{codes}\n".encode()

    @classmethod
    def of_line(cls, line: bytes) -> Recipient:
        """What a line of a snapshot says."""
        siret, flags, codes = line.decode().rstrip("\n").split("\t")
        one, two, three, four, five = (flag == "1" for flag in flags)
        return cls(siret, one, two, three, four, five, tuple(filter(None, codes.split("|"))))


class Directory:
    """One snapshot, proven to be the one its name says."""

    def __init__(self, path: Path) -> None:
        """Open and verify it. Raises RulePackError when it is missing, misnamed or altered."""
        named = _FILE.fullmatch(path.name)
        if named is None:
            raise RulePackError(
                f"{path} is no snapshot of a directory.",
                remedy="Name one of those that edi-gateway directory list prints.",
            )
        self.path = path
        self.sha256 = named["sha256"]
        self.imported = dt.datetime.strptime(named["imported"], _STAMP).replace(tzinfo=dt.UTC)
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
                size = file.seek(0, 2)
                # An empty file cannot be mapped.
                self._lines: mmap.mmap | bytes = (
                    mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
                )
        except OSError as error:
            raise RulePackError(
                f"The directory {path} cannot be read: {error.strerror}.",
                remedy="Import it again: edi-gateway directory import.",
            ) from error
        if found != self.sha256:
            raise RulePackError(
                f"The directory {path} is not what was imported: its sha256 differs.",
                remedy="Import it again: edi-gateway directory import.",
            )

    @property
    def reference(self) -> PackReference:
        """What a judgement that asked it records."""
        return PackReference(NAME, self.imported.isoformat(timespec="seconds"), self.sha256)

    def find(self, siret: str) -> Recipient | None:
        """What it says of a SIRET; None when it does not list it."""
        wanted = siret.encode()
        if not _SIRET.fullmatch(wanted):
            return None
        low, high = 0, len(self._lines)
        while low < high:
            middle = (low + high) // 2
            start = max(self._lines.rfind(b"\n", low, middle) + 1, low)
            end = self._lines.find(b"\n", start) + 1
            line = self._lines[start:end]
            if line[:14] == wanted:
                return Recipient.of_line(line)
            if line[:14] < wanted:
                low = end
            else:
                high = start
        return None

    def recipients(self) -> Iterator[Recipient]:
        """Every entry, in order. Raises RulePackError at a line that is none, or out of order."""
        before, start, number = "", 0, 0
        while start < len(self._lines):
            end = self._lines.find(b"\n", start) + 1 or len(self._lines)
            number += 1
            try:
                found = Recipient.of_line(self._lines[start:end])
                usable = bool(_SIRET.fullmatch(found.siret.encode())) and found.siret > before
            except ValueError:
                usable = False
            if not usable:
                raise RulePackError(
                    f"Line {number} of the directory {self.path} is no entry, or out of order.",
                    remedy="Import it again: edi-gateway directory import.",
                )
            yield found
            before, start = found.siret, end

    def extract(self, sirets: Iterable[str]) -> str:
        """What it says of these, as the XML that B2G rules read (schemas/b2g/b2g-ubl.sch)."""
        imported = self.imported.strftime("%Y-%m-%dT%H:%M:%SZ")
        parts = [f'<directory xmlns="{NAMESPACE}" sha256="{self.sha256}" imported="{imported}">']
        parts += (_element(found) for siret in sirets if (found := self.find(siret)))
        return "".join([*parts, "</directory>"])


class Snapshots(Protocol):
    """Where judges find the directory."""

    def current(self) -> Directory | None:
        """The snapshot to ask; None: there is none. Raises RulePackError when it is unusable."""


class Directories:
    """The snapshots in a folder, which need not exist."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: Directory | None = None

    def paths(self) -> list[Path]:
        """Every snapshot, the newest first."""
        try:
            found = [path for path in self._folder.iterdir() if _FILE.fullmatch(path.name)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RulePackError(
                f"The folder of the directory, {self._folder}, cannot be read: {error.strerror}.",
                remedy="Let the gateway's user read it.",
            ) from error
        return sorted(found, key=lambda path: path.name, reverse=True)

    def current(self) -> Directory | None:
        """The newest snapshot, as it is now; None when nothing was imported.

        Raises RulePackError when the newest cannot be used: an older one would answer, but wrongly.
        """
        paths = self.paths()
        if not paths:
            self._open = None
        elif self._open is None or self._open.path != paths[0]:
            self._open = Directory(paths[0])
        return self._open


class OneDirectory:
    """One snapshot and no other: to repeat a judgement."""

    def __init__(self, path: Path) -> None:
        """Raises RulePackError as `Directory` does."""
        self._directory = Directory(path)

    def current(self) -> Directory:
        """The snapshot."""
        return self._directory


def folder_in(state: Path) -> Path:
    """Where the snapshots of a state directory are."""
    return state / NAME


def file_name(sha256: str, imported: dt.datetime) -> str:
    """What a snapshot is called."""
    return f"{imported.astimezone(dt.UTC).strftime(_STAMP)}-{sha256}.tsv"


def sirets_in(parsed: ParsedXml) -> tuple[str, ...]:
    """The SIRETs (scheme 0009) of seller, buyer and their agents, `MAX_SIRETS` at most."""
    found: dict[str, None] = {}
    elements = cast("list[etree._Element]", _PARTIES(parsed.root))
    for element in elements:
        if element.get("schemeID") == "0009" and len(found) < MAX_SIRETS:
            found[" ".join((element.text or "").split())] = None
    return tuple(found)


def _element(found: Recipient) -> str:
    flags = zip(
        ("active", "public", "service-code-required", "engagement-required", "either-required"),
        found[1:6],
        strict=True,
    )
    said = " ".join(f'{name}="{str(flag).lower()}"' for name, flag in flags)
    codes = "".join(f"<service-code>{escape(code)}</service-code>" for code in found.service_codes)
    return f'<recipient siret="{found.siret}" {said}>{codes}</recipient>'
