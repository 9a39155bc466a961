"""Messages and receipts as they travelled, by bytes that do not depend on how ours are read."""

from __future__ import annotations

import base64
import re
from typing import Final

from gateway.model.as2 import Headers, KeyTransport, Mdn, SignatureScheme

_OF_HTTP: Final = frozenset(
    {"connection", "content-length", "date", "host", "server", "transfer-encoding", "user-agent"}
)
_RSA: Final = bytes.fromhex("06092a864886f70d0101")
_OAEP: Final = _RSA + b"\x07"
"""id-RSAES-OAEP (RFC 8017, appendix C) in DER."""
_PSS: Final = _RSA + b"\x0a"
"""id-RSASSA-PSS."""


def seen(headers: Headers, body: bytes) -> tuple[frozenset[tuple[str, str]], bytes]:
    """What of a receipt must be the same whenever it travels: all that is not HTTP's own."""
    fields = {(name.lower(), value) for name, value in headers}
    return frozenset(each for each in fields if each[0] not in _OF_HTTP), body


def on_the_wire(headers: Headers, body: bytes) -> tuple[str, KeyTransport | None]:
    """What a message is from outside: its smime-type, else its media type; and its key's way."""
    fields = {name.lower(): value for name, value in headers}
    kind = fields["content-type"].lower()
    if fields.get("content-transfer-encoding") == "base64":
        body = base64.b64decode(body)
    smime = re.search(r"smime-type=([a-z-]+)", kind)
    if smime is None or "enveloped" not in smime[1]:
        return smime[1] if smime else kind.partition(";")[0], None
    return smime[1], KeyTransport.OAEP if _OAEP in body else KeyTransport.PKCS1


def signed_by(mdn: Mdn) -> SignatureScheme | None:
    """How a receipt is signed; None: it is not."""
    kind = next(value for name, value in mdn.headers if name.lower() == "content-type")
    if not kind.startswith("multipart/signed"):
        return None
    lines = re.findall(rb"\r\n\r\n([A-Za-z0-9+/=\r\n]+)\r\n--", mdn.body)
    return SignatureScheme.PSS if _PSS in base64.b64decode(lines[-1]) else SignatureScheme.PKCS1
