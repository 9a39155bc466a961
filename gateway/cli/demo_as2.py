"""The demo's partner by AS2: one invoice, signed and encrypted, and the receipt for it.

The partner packs and reads with the gateway's own code, so that it agrees proves little. That the
gateway really signed its receipt is therefore said by a stranger: the `openssl` command, which is
given the gateway's certificate and nothing else to trust.
"""

from __future__ import annotations

import datetime as dt
import shlex
import shutil
import subprocess
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

import msgspec
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.cli.as2_rehearsal import throwaway_identity
from gateway.core.as2 import MAX_MDN_BYTES, MdnFault, pack, read_mdn
from gateway.core.as2.cms import Identity
from gateway.model.as2 import (
    STRONG_DIGESTS,
    As2Send,
    Cipher,
    Digest,
    Headers,
    MdnMode,
    MdnRead,
    Mic,
    Packed,
)
from gateway.samples.sendings import Sending

HUB_ID = "DEMO-HUB"
PARTNER_ID = "DEMO-PARTNER"
FOLDER = "as2"
RECEIPT = "receipt.eml"
HUB_CERTIFICATE = "hub.crt"

_MESSAGE_ID = "<1@demo-partner.invalid>"
_SEND = As2Send(
    sign=Digest.SHA256,
    encrypt=Cipher.AES256_CBC,
    mdn=MdnMode.SYNC,
    mdn_signed=True,
    subject="Invoice",
)
_POST_SECONDS = 60.0
_OPENSSL_SECONDS = 30.0


class Keys(NamedTuple):
    """A fresh 2048-bit key and certificate of either side. No private key is ever in a file."""

    hub: Identity
    partner: Identity


class Verification(NamedTuple):
    """OpenSSL's verdict on a signed receipt, in `words`. `good` None: nobody could ask it."""

    good: bool | None
    words: str


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """A message and its answer. `mic` is over what was sent; `read` is None without a receipt."""

    file: str
    url: str
    mic: Mic
    status: int
    read: MdnRead | MdnFault | None
    openssl: Verification

    @property
    def taken(self) -> bool:
        """Whether the gateway says that it has the message: a verdict on the invoice follows."""
        return isinstance(self.read, MdnRead) and self.read.processed

    @property
    def is_ours(self) -> bool:
        """Whether the receipt is about the message that was sent."""
        return isinstance(self.read, MdnRead) and self.read.original_message_id == _MESSAGE_ID

    @property
    def mic_agrees(self) -> bool:
        """Whether the receipt vouches for exactly the bytes that were sent."""
        return isinstance(self.read, MdnRead) and self.read.mic == self.mic

    @property
    def good(self) -> bool:
        """Whether the receipt is for this message, says "processed", and all agree it is sound."""
        return self.taken and self.is_ours and self.mic_agrees and self.openssl.good is not False


def make_keys() -> Keys:
    """Both sides' keys. Takes a moment."""
    now = dt.datetime.now(dt.UTC)
    return Keys(throwaway_identity(HUB_ID, now), throwaway_identity(PARTNER_ID, now))


def exchange(port: int, sending: Sending, folder: Path, keys: Keys) -> Exchange:
    """Send a file to the gateway on that port of loopback, and look hard at what comes back.

    `folder` is a new one; the message as it travelled, the receipt and the gateway's certificate
    stay in it. Blocks. Raises OSError when the gateway cannot be reached.
    """
    folder.mkdir()
    certificate = folder / HUB_CERTIFICATE
    certificate.write_bytes(keys.hub.certificate.public_bytes(Encoding.PEM))
    packed = _packed(sending, folder, keys)
    status, headers, body = _posted(port, packed)
    receipt = folder / RECEIPT
    receipt.write_bytes(_as_mail(headers, body))
    read = None
    if status == 200:
        read = read_mdn(
            headers,
            body,
            [keys.hub.certificate],
            require_signed=True,
            allowed=STRONG_DIGESTS,
            on=dt.datetime.now(dt.UTC),
        )
    return Exchange(
        file=sending.file,
        url=f"http://127.0.0.1:{port}/as2",
        mic=packed.mic,
        status=status,
        read=read,
        openssl=verify(receipt, certificate),
    )


def verify(receipt: Path, certificate: Path) -> Verification:
    """Have the `openssl` command verify a multipart/signed in a file, Content-Type on top.

    The signer must be the one of `certificate` (PEM); certificates that came along do not count.
    """
    if shutil.which("openssl") is None:
        return Verification(
            None,
            "not shown to OpenSSL: the command openssl is not on this machine\n"
            "(Debian: apt-get install openssl); only the gateway's own code looked at it",
        )
    done = subprocess.run(  # noqa: S603  # our own arguments, no shell
        _command(receipt, certificate),
        capture_output=True,
        timeout=_OPENSSL_SECONDS,
        check=False,
    )
    said = done.stderr.decode(errors="replace").strip() or f"exit code {done.returncode}"
    good = done.returncode == 0
    return Verification(good, f"{'verified' if good else 'NOT verified'} by OpenSSL: {said}")


def verify_by_hand(folder: Path) -> str | None:
    """The command that verifies the receipt in this folder and shows it; None without openssl."""
    if shutil.which("openssl") is None:
        return None
    return shlex.join(_command(folder / RECEIPT, folder / HUB_CERTIFICATE))


def words(exchange: Exchange) -> str:
    """What happened, for people."""
    lines = [f"{exchange.file} was sent by AS2: POST {exchange.url}, {_protection()}."]
    if exchange.read is None:
        lines.append(_line("answer", f"HTTP status {exchange.status}, NOT a receipt"))
        return "\n".join(lines)
    if isinstance(exchange.read, MdnFault):
        lines.append(_line("receipt (MDN)", f"NOT usable: {exchange.read.why}"))
    else:
        lines.append(_line("receipt (MDN)", exchange.read.disposition))
        if not exchange.read.processed:
            lines.append(_line("", "the message was NOT taken"))
        if not exchange.is_ours:
            lines.append(_line("", f"NOT ours: it is about {exchange.read.original_message_id}"))
        lines.append(_line("hash in it (MIC)", str(exchange.read.mic or "NONE")))
        agrees = "the same" if exchange.mic_agrees else f"{exchange.mic}: NOT the same"
        lines.append(_line("hash of what we sent", agrees))
    lines.append(_line("gateway's signature", exchange.openssl.words))
    return "\n".join(lines)


def _protection() -> str:
    return f"signed ({_SEND.sign}) and encrypted ({_SEND.encrypt})"


def _line(name: str, value: str) -> str:
    indented = value.replace("\n", "\n" + " " * 24)
    return f"  {name:<21} {indented}"


def _packed(sending: Sending, folder: Path, keys: Keys) -> Packed:
    payload, into = folder / sending.file, folder / "message"
    payload.write_bytes(sending.content)
    into.mkdir()
    return pack(
        payload,
        into,
        filename=sending.file,
        content_type="application/xml",
        message_id=_MESSAGE_ID,
        as2_from=PARTNER_ID,
        as2_to=HUB_ID,
        url_for_async_mdn=None,
        send=_SEND,
        identity=keys.partner,
        recipient_certificates=[keys.hub.certificate],
        now=dt.datetime.now(dt.UTC),
    )


def _posted(port: int, packed: Packed) -> tuple[int, Headers, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=_POST_SECONDS)
    try:
        connection.request("POST", "/as2", Path(packed.path).read_bytes(), dict(packed.headers))
        answer = connection.getresponse()
        return answer.status, tuple(answer.getheaders()), answer.read(MAX_MDN_BYTES + 1)
    finally:
        connection.close()


def _as_mail(headers: Headers, body: bytes) -> bytes:
    """The answer as S/MIME is kept in files: the type of the body, which HTTP has in its header."""
    kind = next((value for name, value in headers if name.lower() == "content-type"), "text/plain")
    return f"MIME-Version: 1.0\r\nContent-Type: {kind}\r\n\r\n".encode("latin-1") + body


def _command(receipt: Path, certificate: Path) -> list[str]:
    """`-nointern -certfile`: signed by this certificate; `-CAfile`: which is trusted as it is."""
    return [
        *("openssl", "cms", "-verify", "-in", str(receipt)),
        *("-nointern", "-certfile", str(certificate), "-CAfile", str(certificate)),
        *("-purpose", "smimesign"),
    ]
