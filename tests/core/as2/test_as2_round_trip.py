"""Two ends talk: what one packs the other opens, and the receipt fits the message."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.as2 import MdnFault, is_mdn, read_mdn
from gateway.model.as2 import (
    As2Send,
    Cipher,
    Compression,
    Digest,
    KeyTransport,
    MdnMode,
    Refused,
    SignatureScheme,
)
from tests.core.as2.parties import NOW, XML, packed, party, receipt, request_of, taken

layers = pytest.mark.usefixtures("layers")

SENDING = st.builds(
    As2Send,
    sign=st.sampled_from([None, *Digest]),
    signature=st.sampled_from(SignatureScheme),
    encrypt=st.sampled_from([None, *Cipher]),
    key_transport=st.sampled_from(KeyTransport),
    compress=st.sampled_from(Compression),
    base64=st.booleans(),
    mdn=st.sampled_from(MdnMode),
    mdn_signed=st.booleans(),
)
PAYLOADS = st.one_of(
    st.just(XML),
    st.binary(max_size=300),
    st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"--", b"a", b"\0", b"="])).map(b"".join),
)


@settings(max_examples=300, deadline=None)
@given(send=SENDING, payload=PAYLOADS, pss=st.sampled_from(SignatureScheme))
def test_every_combination_arrives_and_its_receipt_fits(
    send: As2Send, payload: bytes, pss: SignatureScheme
) -> None:
    """Whatever is asked for: the payload is equal, the MIC is equal on both sides."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        message = packed(folder, send, payload)
        assert message.size == Path(message.path).stat().st_size
        assert [each.name for each in Path(message.path).parent.iterdir()] == [
            Path(message.path).name
        ]
        opened = taken(folder, message.headers, Path(message.path))
        assert Path(opened.path).read_bytes() == payload
        assert (opened.size, opened.sha256) == (len(payload), hashlib.sha256(payload).hexdigest())
        assert (opened.filename, opened.content_type) == ("invoice.xml", "application/xml")

    security = opened.security
    assert (security.signed, security.encrypted) == (send.sign, send.encrypt)
    assert security.compressed == (send.compress is not Compression.NONE)
    assert security.signature == (send.signature if send.sign else None)
    assert security.signer == (party("supplier").fingerprint if send.sign else None)
    assert security.decrypted_with == (party("gateway").fingerprint if send.encrypt else None)

    request = request_of(message.headers)
    assert request.mdn.mode is send.mdn
    if send.mdn is MdnMode.NONE:
        assert opened.mic == (message.mic if send.sign else None)
        return
    assert opened.mic == message.mic
    mdn = receipt(message.headers, opened, scheme=pss)
    assert is_mdn(mdn.headers, mdn.body[:4096])
    read = read_mdn(
        mdn.headers,
        mdn.body,
        [party("gateway").certificate],
        require_signed=send.mdn_signed,
        allowed=tuple(Digest),
        on=NOW,
    )
    assert not isinstance(read, MdnFault)
    assert read.processed
    assert read.mic == message.mic
    assert read.original_message_id == "<1@supplier.example>"
    assert read.signer == (party("gateway").fingerprint if send.mdn_signed else None)
    assert "not yet a verdict" in read.text
    assert "pas encore un verdict" in read.text


@layers
def test_base64_keeps_what_travels_to_seven_bits(tmp_path: Path) -> None:
    """With base64, every body is text, however it is wrapped; without encryption also inside."""
    for encrypt in (None, Cipher.AES256_GCM):
        for compress in Compression:
            for sign in (None, Digest.SHA256):
                send = As2Send(sign=sign, encrypt=encrypt, compress=compress, base64=True)
                message = packed(tmp_path, send, bytes(range(256)) * 4)
                body = Path(message.path).read_bytes()
                assert body.isascii()
                assert b"\0" not in body
                assert max(map(len, body.split(b"\r\n"))) < 200


@layers
def test_a_name_beyond_ascii_arrives(tmp_path: Path) -> None:
    """File names with accents travel as RFC 2231 has it, quotes and folders do no harm."""
    message = packed(tmp_path, As2Send(), filename='../été "2026"\r\nX: y.xml')
    opened = taken(tmp_path, message.headers, Path(message.path))
    assert opened.filename == 'été "2026"X: y.xml'


@layers
@pytest.mark.parametrize(
    ("send", "changes"),
    [
        (As2Send(), {"identity": None}),
        (As2Send(), {"recipient_certificates": []}),
        (As2Send(mdn=MdnMode.ASYNC), {"url_for_async_mdn": None}),
        (As2Send(), {"as2_to": ""}),
        (As2Send(), {"as2_to": "é"}),
        (As2Send(), {"message_id": "<1@x>\r\nX: y"}),
        (As2Send(), {"content_type": "text/xml\r\nX: y"}),
    ],
)
def test_what_cannot_be_packed_is_our_mistake(
    tmp_path: Path, send: As2Send, changes: dict[str, Any]
) -> None:
    """Without a key, a certificate, a URL or a valid name there is no message and no file."""
    with pytest.raises(ValueError, match=r"."):
        packed(tmp_path, send, **changes)
    assert [each.name for each in tmp_path.rglob("*") if each.is_file()] == ["invoice.xml"]


@layers
def test_a_subject_beyond_ascii_is_encoded(tmp_path: Path) -> None:
    """HTTP headers carry ASCII: a French subject becomes an encoded word."""
    message = packed(tmp_path, As2Send(subject="Accusé\r\nd'exécution"))
    subject = dict(message.headers)["Subject"]
    assert subject.isascii()
    assert subject.startswith("=?utf-8?")


@layers
def test_nothing_refused_here(tmp_path: Path) -> None:
    """The same message comes twice and is opened twice with the same result, path apart."""
    message = packed(tmp_path, As2Send())
    first, second = (taken(tmp_path, message.headers, Path(message.path)) for _ in range(2))
    assert not isinstance(first, Refused)
    assert (first.sha256, first.mic) == (second.sha256, second.mic)
