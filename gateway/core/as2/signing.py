"""A multipart/signed of our own, as receipts and messages have it (RFC 1847, RFC 5751 §3.4.3)."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from typing import NamedTuple

from gateway.core.as2 import cms
from gateway.core.as2.fields import format_fields
from gateway.model.as2 import Digest, SignatureScheme


class Frame(NamedTuple):
    """What stands around the signed bytes: the type of the whole, what comes before and behind."""

    content_type: str
    before: bytes
    behind: bytes


def boundary_for(*seeds: bytes) -> str:
    """A boundary that no content can hold by chance or intent: it is a hash of the content."""
    return f"=_edi_{hashlib.sha256(b'|'.join(seeds)).hexdigest()[:40]}"


def signed_frame(
    digest: Digest,
    value: bytes,
    identity: cms.Identity,
    *,
    scheme: SignatureScheme,
    now: dt.datetime,
) -> Frame:
    """The frame that makes a multipart/signed of the entity whose hash is `value`."""
    signature = cms.sign(digest, value, identity, scheme=scheme, now=now)
    boundary = boundary_for(value)
    fields = format_fields(
        (
            ("Content-Type", 'application/pkcs7-signature; name="smime.p7s"'),
            ("Content-Transfer-Encoding", "base64"),
            ("Content-Disposition", 'attachment; filename="smime.p7s"'),
        )
    )
    delimiter = b"--" + boundary.encode()
    lines = base64.encodebytes(signature).replace(b"\n", b"\r\n")
    return Frame(
        content_type='multipart/signed; protocol="application/pkcs7-signature"; '
        f'micalg={digest}; boundary="{boundary}"',
        before=delimiter + b"\r\n",
        behind=b"\r\n" + delimiter + b"\r\n" + fields + lines + b"\r\n" + delimiter + b"--\r\n",
    )
