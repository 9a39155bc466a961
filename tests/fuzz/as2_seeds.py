"""Writes tests/fuzz/sound/as2: messages and receipts as they travel, header fields first.

    python -m tests.fuzz.as2_seeds

Encryption has chance in it, so they are made once and kept: the same input in every run.
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

from gateway.core.as2 import build_mdn, cms, mdn_text, open_message, pack, read_request
from gateway.core.as2.headers import As2Request
from gateway.core.as2.mime import canonical
from gateway.model.as2 import (
    As2Limits,
    As2Receive,
    As2Send,
    Cipher,
    Compression,
    Digest,
    Headers,
    KeyTransport,
    MdnMode,
    Opened,
    SignatureScheme,
)
from tests.fuzz.keys import NOW, party
from tests.fuzz.seeds import MADE

XML = b"<Invoice>\r\n  <ID>FA-1</ID>\r\n</Invoice>\r\n"
LAX = As2Receive(
    require_signature=False,
    require_encryption=False,
    digests=tuple(Digest),
    ciphers=tuple(Cipher),
    mdn_urls=("https://supplier.example/",),
)
SENDINGS = {
    "plain": As2Send(sign=None, encrypt=None, mdn=MdnMode.NONE),
    "signed": As2Send(encrypt=None),
    "signed-base64": As2Send(encrypt=None, base64=True, mdn=MdnMode.ASYNC),
    "compressed": As2Send(sign=None, encrypt=None, compress=Compression.BEFORE_SIGNING),
    "compressed-signed": As2Send(encrypt=None, compress=Compression.BEFORE_SIGNING),
    "signed-compressed": As2Send(encrypt=None, compress=Compression.AFTER_SIGNING),
    "encrypted": As2Send(sign=None),
    "all": As2Send(compress=Compression.BEFORE_SIGNING, signature=SignatureScheme.PSS),
    "all-gcm": As2Send(encrypt=Cipher.AES128_GCM, key_transport=KeyTransport.OAEP, base64=True),
    "weak": As2Send(sign=Digest.SHA1, encrypt=Cipher.TRIPLE_DES),
}


def message(headers: Headers, body: bytes) -> bytes:
    """Header fields and body as one file."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return fields.encode("latin-1") + b"\r\n" + body


def split(data: bytes) -> tuple[Headers, bytes]:
    """The same back: fields as an HTTP server hands them over, which are never folded."""
    head, _, body = data.partition(b"\r\n\r\n")
    pairs = [line.partition(":")[::2] for line in head.decode("latin-1").splitlines()]
    return tuple((name.strip(), value.strip()) for name, value in pairs), body


def _made() -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "invoice.xml"
        source.write_bytes(XML)
        for name, send in SENDINGS.items():
            into = Path(folder) / name
            into.mkdir()
            packed = pack(
                source,
                into,
                filename="invoice.xml",
                content_type="application/xml",
                message_id="<1@supplier.example>",
                as2_from="supplier",
                as2_to="gateway",
                url_for_async_mdn="https://supplier.example/mdn",
                send=send,
                identity=party("supplier"),
                recipient_certificates=[party("gateway").certificate],
                now=NOW,
            )
            body = Path(packed.path).read_bytes()
            found[f"message-{name}"] = message(packed.headers, body)
            found |= _receipts(name, packed.headers, body, into)
    return found | _signatures()


def _receipts(name: str, headers: Headers, body: bytes, folder: Path) -> dict[str, bytes]:
    outcome = open_message(
        headers,
        body,
        folder,
        identities=[party("gateway")],
        certificates=[party("supplier").certificate],
        policy=LAX,
        limits=As2Limits(),
        on=NOW,
    )
    assert isinstance(outcome, Opened), outcome
    request = read_request(headers)
    assert isinstance(request, As2Request)
    if request.mdn.mode is MdnMode.NONE:
        return {}
    found = {}
    for how, identity in {"": party("gateway"), "-unsigned": None}.items():
        mdn = build_mdn(
            request,
            outcome,
            identity=identity,
            scheme=SignatureScheme.PKCS1,
            now=NOW,
            message_id="<mdn-1@gateway.example>",
            reporting_ua="edi-gateway",
            text=mdn_text(outcome),
        )
        found[f"receipt-{name}{how}"] = message(mdn.headers, mdn.body)
    return found


def _signatures() -> dict[str, bytes]:
    """CMS by itself: a detached signature, signed with the content inside."""
    import hashlib

    content = io.BytesIO()
    canonical(io.BytesIO(XML), content)
    value = hashlib.sha256(content.getvalue()).digest()
    schemes = {"pkcs1": SignatureScheme.PKCS1, "pss": SignatureScheme.PSS}
    return {
        f"signature-{name}": cms.sign(
            Digest.SHA256, value, party("supplier"), scheme=scheme, now=NOW
        )
        for name, scheme in schemes.items()
    }


def main() -> None:
    """Write them all."""
    folder = MADE / "as2"
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in _made().items():
        (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
