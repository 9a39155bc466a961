"""What partners send while the gateway is being killed: files whose verdicts are known beforehand.

Everything follows from the seed: the same seed, sender and number give the same file, to the byte.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import tarfile
from functools import cached_property

import msgspec

from bench.invoices import EXPECTED_RULE, FAULTS, cii_invoice, ubl_invoice

ARCHIVES = 0.25
"""The share of files that are archives."""
ARCHIVE_DOCUMENTS = (5, 20)
"""From so many to so many documents in one."""
FAULTY = 0.3
"""The share of single invoices that are faulty; in archives it is every other one."""


class Document(msgspec.Struct, frozen=True):
    """An invoice in a file: its name there, its number (BT-1), and the rule it breaks, if any."""

    name: str
    number: str
    rule: str | None

    @property
    def verdict(self) -> str:
        """What the gateway must say."""
        return "accepted" if self.rule is None else "rejected"


class Parcel(msgspec.Struct, frozen=True, dict=True):
    """One file to send. `renamed`: sent under a temporary name, then renamed."""

    name: str
    content: bytes
    documents: tuple[Document, ...]
    renamed: bool

    @cached_property
    def sha256(self) -> str:
        """Of its bytes, lower-case hex."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def key(self) -> tuple[str, str]:
        """What makes two deliveries the same one: name and content."""
        return self.name, self.sha256


def parcel(seed: int, sender: int, number: int, *, archives: bool) -> Parcel:
    """The file that this sender sends as its `number`th."""
    dice = random.Random(f"{seed}/{sender}/{number}")
    stem = f"T{seed}-{sender}-{number:05d}"
    renamed = dice.random() < 0.3
    if not archives or dice.random() >= ARCHIVES:
        document, content = _invoice(dice, f"{stem}.xml", stem, dice.random() < FAULTY)
        return Parcel(document.name, content, (document,), renamed)
    made = [
        _invoice(dice, f"{stem}-{index:02d}.xml", f"{stem}-{index:02d}", index % 2 == 1)
        for index in range(dice.randint(*ARCHIVE_DOCUMENTS))
    ]
    documents = tuple(document for document, _ in made)
    return Parcel(f"{stem}.tar.gz", _tar_gz(made), documents, renamed)


def _invoice(dice: random.Random, name: str, number: str, faulty: bool) -> tuple[Document, bytes]:
    fault = dice.choice(FAULTS) if faulty else None
    syntax = dice.choice(("ubl", "cii"))
    maker = ubl_invoice if syntax == "ubl" else cii_invoice
    rule = EXPECTED_RULE[syntax, fault] if fault else None
    return Document(name, number, rule), maker(number, lines=dice.randint(1, 12), fault=fault)


def _tar_gz(made: list[tuple[Document, bytes]]) -> bytes:
    packed = io.BytesIO()
    # No time in it: the same documents make the same bytes, on every day.
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w") as archive,
    ):
        for document, content in made:
            member = tarfile.TarInfo(document.name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()
