"""Bytes of requests and responses, apart from what Twisted reads itself."""

from __future__ import annotations

from urllib.parse import unquote

from twisted.web import http

from gateway.model.as2 import Headers

BODILESS = frozenset({204, 304})
"""Statuses whose responses never have a body (RFC 9110 §6.4.1)."""

_NO_BREAKS = str.maketrans("\r\n\0", "   ")


def target_of(target: bytes) -> tuple[str, str]:
    """The decoded path and the query of a request target, also in absolute form."""
    text = target.decode("latin-1")
    if not text.startswith("/"):
        _, found, rest = text.partition("://")
        if found:  # http://host/path?query, as to a proxy: RFC 9112 §3.2.2 wants it understood
            end = min((at for at in map(rest.find, "/?") if at >= 0), default=len(rest))
            text = rest[end:]
            text = text if text.startswith("/") else f"/{text}"
    path, _, query = text.partition("?")
    return unquote(path, errors="replace"), query


def head_of(status: int, headers: Headers, *, length: int, close: bool, date: str) -> bytes:
    """Status line and header fields of a response."""
    reason = http.RESPONSES.get(status, b"Unknown").decode("ascii")
    lines = [f"HTTP/1.1 {status} {reason}", "Server: edi-gateway", f"Date: {date}"]
    # A header is never more than one line, whatever a handler puts in it.
    lines += [f"{name}: {value.translate(_NO_BREAKS)}" for name, value in headers]
    if status not in BODILESS:
        lines.append(f"Content-Length: {length}")
    if close:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def wants_close(headers: Headers, version: bytes) -> bool:
    """Whether the connection ends after this request (RFC 9112 §9.3)."""
    if version != b"HTTP/1.1":
        return True
    return any(
        option.strip().lower() == "close"
        for name, value in headers
        if name.lower() == "connection"
        for option in value.split(",")
    )
