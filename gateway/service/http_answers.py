"""Answers of the HTTP API, in JSON: what was asked for, or what is wrong and what helps."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.model.as2 import Headers
from gateway.service.http_server import Answer

_encode = msgspec.json.Encoder().encode

_COMMON: Headers = (
    ("Content-Type", "application/json"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
)

INTAKE_RETRY_SECONDS = 60
"""`Retry-After` when nothing can be taken in: a disk does not empty itself in seconds."""
REPORT_RETRY_SECONDS = 5
"""`Retry-After` when the acknowledgement is not written yet."""


def ok(status: int, value: Any, *headers: tuple[str, str]) -> Answer:
    """What was asked for."""
    return Answer(status, (*_COMMON, *headers), _encode(value) + b"\n")


def refusal(
    status: int, error: str, message: str, remedy: str = "", *headers: tuple[str, str]
) -> Answer:
    """What is wrong: `error` for programs, the sentences for people."""
    return ok(status, {"error": error, "message": message, "remedy": remedy}, *headers)


def unavailable(message: str) -> Answer:
    """Nothing was promised; the same request may work later."""
    return refusal(
        503,
        "unavailable",
        message,
        "Send the same request again later: nothing was taken in, and nothing is doubled.",
        ("Retry-After", str(INTAKE_RETRY_SECONDS)),
    )


def bad_request(error: str, message: str, remedy: str) -> Answer:
    """The request cannot be understood."""
    return refusal(400, error, message, remedy)


def no_interchange() -> Answer:
    """There is none with this id, or it is another partner's: nobody learns which."""
    return refusal(
        404,
        "no_such_interchange",
        "You have no interchange with this id.",
        "Use the id that POST /v1/interchanges answered.",
    )


def wrong_method(*allowed: str) -> Answer:
    """Status 405."""
    return refusal(
        405,
        "wrong_method",
        "This method is not allowed here.",
        f"Use {' or '.join(allowed)}.",
        ("Allow", ", ".join(allowed)),
    )
