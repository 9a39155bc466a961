"""Which bytes a MIC is over, and by which hash function.

Both ends must take the same bytes, or the sender believes its message damaged and sends it again
for ever. The RFCs say:

signed                     what was signed: the first part of the multipart/signed with its header
                           fields, byte for byte, or the content of the signed-data; compressed or
                           not, as it was when it was signed (RFC 4130 §7.3.1, RFC 5402 §4.1)
encrypted or compressed,   the innermost MIME entity, decrypted and uncompressed, with its header
not signed                 fields and its transfer encoding (RFC 4130 §7.3.1, RFC 5402 §4.2, §4.3)
nothing of it              the content without any header field, for those travel as HTTP headers
                           and may be changed on the way (RFC 4130 §7.3.1); a transfer encoding is
                           taken off, as it is of the header

RFC 4130 §7.3.1 has the content made canonical before it is hashed, because the sender had to do so
before signing. So nothing is changed here: what was hashed there are the bytes that came. Only
where a signature does not fit and line breaks are bare is the canonical form tried, and if it was
that which was signed, it is also what is delivered and hashed.

The hash function is the first that the sender lists in signed-receipt-micalg and the partner file
allows (RFC 4130 §7.3). If there is none, it is that of the signature, as §7.3.1 wants it, or
SHA-256; unless the sender says `required`, when there can be no receipt at all (§7.5.3).
"""

from __future__ import annotations

import base64

from gateway.core.as2.headers import As2Request
from gateway.model.as2 import As2Receive, Digest, MdnMode, Mic


class NoCommonDigest(ValueError):
    """The sender requires a MIC by a hash function that the partner file does not allow."""


def choose_digest(request: As2Request, policy: As2Receive, signed: Digest | None) -> Digest | None:
    """The hash function of the MIC; None when neither a receipt nor a signature needs one.

    `signed` is the hash function of the signature, if there is one. Raises NoCommonDigest.
    """
    if request.mdn.mode is MdnMode.NONE:
        return signed
    for digest in request.mdn.digests:
        if digest in policy.digests:
            return digest
    if request.mic_required:
        raise NoCommonDigest
    return signed or Digest.SHA256


def mic_of(value: bytes, digest: Digest) -> Mic:
    """The MIC as it stands in a receipt (RFC 4130 §7.4.3)."""
    return Mic(base64.b64encode(value).decode("ascii"), digest)
