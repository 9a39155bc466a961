"""The other side of `bench.as2_large`: content of any size, packed and sent from file to file."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.client
import io
import os
import tarfile
from pathlib import Path
from typing import Final

from bench.invoices import ubl_invoice
from gateway.core.as2 import pack, read_mdn
from gateway.core.as2.cms import Identity
from gateway.model.as2 import STRONG_DIGESTS, As2Send, Compression, MdnRead, Packed

INVOICES: Final = 20
_ATTACHMENT: Final = 10_000_000
_ENTRY: Final = 10_000
"""More than tar and gzip add to an attachment."""
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_WAIT_SECONDS: Final = 1800.0
"""A partner's own time limit would end the wait for the receipt sooner."""


def archive(path: Path, most: int) -> None:
    """A tar.gz of at most `most` bytes: INVOICES invoices with attachments of random bytes."""
    left = most - INVOICES * 30_000
    with tarfile.open(path, "w:gz", compresslevel=0) as tar:
        for number in range(INVOICES):
            _add(tar, f"FA-{number:02d}.xml", ubl_invoice(f"FA-{number:02d}"))
        number = 0
        while left > _ENTRY:
            size = min(_ATTACHMENT, left - _ENTRY)
            data = _PNG + os.urandom(size)
            _add(tar, f"FA-{number % INVOICES:02d}_{number}.png", data)
            left -= size + _ENTRY
            number += 1


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def repeated(path: Path, most: int) -> None:
    """One invoice after the other, all the same, `most` bytes of them: zlib makes little of it.

    No archive and no document that anybody would take, but the first look at it says so.
    """
    block = ubl_invoice("FA-0") * 100
    with path.open("wb") as file:
        for at in range(0, most, len(block)):
            file.write(block[: most - at])


class Sender:
    """A partner: packs files, posts them over a connection of their own, reads the receipts."""

    def __init__(self, folder: Path, port: int, ours: Identity, theirs: Identity) -> None:
        self.folder = folder
        self._port, self._ours, self._theirs = port, ours, theirs

    def pack(self, payload: Path, content_type: str, message_id: str, *, base64: bool) -> Packed:
        """Sign, compress, encrypt."""
        into = self.folder / "packed"
        into.mkdir(exist_ok=True)
        return pack(
            payload,
            into,
            filename=payload.name,
            content_type=content_type,
            message_id=message_id,
            as2_from="BENCH",
            as2_to="HUB",
            url_for_async_mdn=None,
            send=As2Send(compress=Compression.BEFORE_SIGNING, base64=base64),
            identity=self._ours,
            recipient_certificates=[self._theirs.certificate],
            now=dt.datetime.now(dt.UTC),
        )

    def connected(self) -> contextlib.closing[http.client.HTTPConnection]:
        """A connection."""
        return contextlib.closing(
            http.client.HTTPConnection(
                "127.0.0.1", self._port, timeout=_WAIT_SECONDS, blocksize=1 << 18
            )
        )

    def post(self, connection: http.client.HTTPConnection, message: Packed) -> None:
        """Send all of it, and delete it here."""
        path = Path(message.path)
        headers = {**dict(message.headers), "Content-Length": str(message.size)}
        with path.open("rb") as body:
            connection.request("POST", "/as2", body, headers)
        path.unlink()

    def receipt(self, connection: http.client.HTTPConnection, message: Packed) -> str | None:
        """Wait for the receipt: what is wrong with it, if anything."""
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            return f"status {answer.status}: {body[:300].decode(errors='replace')}"
        read = read_mdn(
            tuple(answer.getheaders()),
            body,
            [self._theirs.certificate],
            require_signed=True,
            allowed=STRONG_DIGESTS,
            on=dt.datetime.now(dt.UTC),
        )
        good = isinstance(read, MdnRead) and read.processed and read.mic == message.mic
        return None if good else f"no receipt for what was sent: {read}"
