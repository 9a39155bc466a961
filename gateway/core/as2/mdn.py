"""What became of a message → the receipt for it (RFC 4130 §7.4, RFC 3798 §3).

A receipt is a multipart/report of a text for people and a message/disposition-notification for
programs; when the sender asks for it, that report is the signed part of a multipart/signed. All
but the signature follows from the arguments alone: the same message gets the same receipt.

The MIC is written only for a message that was taken (RFC 4130 §7.4.3), and with its algorithm
spelled as the sender spelled it, for many compare the two texts.
"""

from __future__ import annotations

import datetime as dt
import quopri
from collections.abc import Iterable
from email.utils import format_datetime

from gateway.core.as2 import cms
from gateway.core.as2.dispositions import disposition
from gateway.core.as2.fields import format_fields
from gateway.core.as2.headers import AS2_VERSION, As2Request, format_as2_name
from gateway.core.as2.signing import boundary_for, signed_frame
from gateway.core.as2.streams import hasher
from gateway.model.as2 import Digest, Mdn, Mic, Opened, Refused, SignatureScheme


def build_mdn(
    request: As2Request,
    outcome: Opened | Refused,
    *,
    identity: cms.Identity | None,
    scheme: SignatureScheme,
    now: dt.datetime,
    message_id: str,
    reporting_ua: str,
    text: str,
) -> Mdn:
    """The receipt for a message. Without an `identity` it is not signed, whatever was asked for.

    `message_id` is the receipt's own; `text` is for people, see `mdn_text`.
    """
    failure = outcome.failure if isinstance(outcome, Refused) else None
    mic = outcome.mic if isinstance(outcome, Opened) else None
    recipient = f"rfc822; {format_as2_name(request.as2_to)}"
    notification = [
        ("Reporting-UA", reporting_ua),
        ("Original-Recipient", recipient),
        ("Final-Recipient", recipient),
        ("Original-Message-ID", request.message_id),
        ("Disposition", disposition(failure)),
    ]
    if mic is not None:
        notification.append(("Received-Content-MIC", f"{mic.value}, {_spelled(request, mic)}"))
    content_type, body = _report(text, notification, seed=message_id)
    if request.mdn.signed and identity is not None:
        entity = format_fields([("Content-Type", content_type)]) + body
        digest = _signature_digest(request, mic)
        hashed = hasher(digest)
        hashed.update(entity)
        frame = signed_frame(digest, hashed.digest(), identity, scheme=scheme, now=now)
        content_type, body = frame.content_type, frame.before + entity + frame.behind
    headers = (
        ("AS2-Version", AS2_VERSION),
        ("AS2-From", format_as2_name(request.as2_to)),
        ("AS2-To", format_as2_name(request.as2_from)),
        ("Message-ID", message_id),
        ("Date", format_datetime(now.astimezone(dt.UTC), usegmt=True)),
        ("Subject", "Message Disposition Notification"),
        ("MIME-Version", "1.0"),
        ("Content-Type", content_type),
    )
    format_fields(headers)
    return Mdn(headers=headers, body=body)


def _report(text: str, notification: Iterable[tuple[str, str]], *, seed: str) -> tuple[str, bytes]:
    """The multipart/report (RFC 3462): its Content-Type and its body."""
    words = text.replace("\r\n", "\n").rstrip("\n") + "\n"
    readable = quopri.encodestring(words.encode()).replace(b"\n", b"\r\n")
    fields = format_fields(notification)
    parts = (
        format_fields(
            (
                ("Content-Type", "text/plain; charset=utf-8"),
                ("Content-Transfer-Encoding", "quoted-printable"),
            )
        )
        + readable,
        format_fields(
            (
                ("Content-Type", "message/disposition-notification"),
                ("Content-Transfer-Encoding", "7bit"),
            )
        )
        + fields,
    )
    boundary = boundary_for(seed.encode(), *parts)
    delimiter = b"--" + boundary.encode()
    body = b"".join(delimiter + b"\r\n" + part + b"\r\n" for part in parts) + delimiter + b"--\r\n"
    return f'multipart/report; report-type=disposition-notification; boundary="{boundary}"', body


def _spelled(request: As2Request, mic: Mic) -> str:
    for digest, name in zip(request.mdn.digests, request.mic_names, strict=False):
        if digest is mic.digest:
            return name
    return mic.digest.value


def _signature_digest(request: As2Request, mic: Mic | None) -> Digest:
    """The hash function the receipt is signed with: that of the MIC, which was agreed.

    Without one it is the first the sender lists that is strong: nobody said SHA-1 may be used.
    """
    if mic is not None:
        return mic.digest
    return next((each for each in request.mdn.digests if each is not Digest.SHA1), Digest.SHA256)
