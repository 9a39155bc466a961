"""A text whose character set takes the square of its length to decode."""

from __future__ import annotations


def build() -> bytes:
    """A receipt of less than the size one may have."""
    return (
        b"Content-Type: multipart/report; report-type=disposition-notification; boundary=r\r\n\r\n"
        b"--r\r\nContent-Type: text/plain; charset=punycode\r\n\r\n"
        + b"a" * 500_000
        + b"-"
        + b"bcd9" * 70_000
        + b"\r\n"
        b"--r\r\nContent-Type: message/disposition-notification\r\n\r\n"
        b"Original-Message-ID: <7@gateway.example>\r\n"
        b"Disposition: automatic-action/MDN-sent-automatically; processed\r\n\r\n--r--\r\n"
    )
