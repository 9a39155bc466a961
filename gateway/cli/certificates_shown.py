"""Certificates as people see them: whose, since when, until when, and what they do today."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec
from tabulate import tabulate

from gateway.config.certificates import Held, days_left, in_use
from gateway.model.as2 import CertificateInfo

_HEADERS = ("whose", "file", "subject", "valid", "days left", "today", "serial", "sha-256")


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One certificate. `owner` None: ours. `uses`: sign, decrypt, verify, encrypt."""

    owner: str | None
    file: str
    info: CertificateInfo
    days_left: int
    uses: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The object `cert list --json` prints."""
        out = msgspec.to_builtins(self)
        return {**out, **out.pop("info")}


def shown(held: Sequence[Held], now: dt.datetime) -> list[Shown]:
    """Each certificate once in each file that has it, in the order they came."""
    from gateway.core.as2.cms import describe, fingerprint

    first = {
        owner: in_use([each.certificate for each in held if each.owner == owner], now)
        for owner in {each.owner for each in held}
    }
    out = []
    for each in held:
        info = describe(each.certificate)
        used = first[each.owner]
        uses = _uses(
            ours=each.owner is None,
            first=used is not None and fingerprint(used) == info.sha256,
            valid=info.not_before <= now <= info.not_after,
        )
        left = days_left(each.certificate, now)
        out.append(
            Shown(owner=each.owner, file=str(each.file), info=info, days_left=left, uses=uses)
        )
    return out


def table(certificates: Sequence[Shown], now: dt.datetime) -> str:
    """For a terminal."""
    rows = [
        (
            each.owner or "ours",
            each.file.rpartition("/")[2],
            each.info.subject,
            f"{each.info.not_before:%Y-%m-%d} to {each.info.not_after:%Y-%m-%d}",
            str(each.days_left),
            state(each, now),
            each.info.serial,
            each.info.sha256,
        )
        for each in certificates
    ]
    return tabulate(rows, headers=_HEADERS, disable_numparse=True)


def state(certificate: Shown, now: dt.datetime) -> str:
    """What it does today, or why nothing."""
    does = ", ".join(f"{use}s" if use != "verify" else "verifies" for use in certificate.uses)
    if certificate.info.not_after < now:
        return f"expired, still {does}" if does else "expired"
    if certificate.info.not_before > now:
        return f"not yet valid{', but ' + does if does else ''}"
    return does


def _uses(*, ours: bool, first: bool, valid: bool) -> tuple[str, ...]:
    """Ours decrypts whatever its dates are: what was encrypted for it may still be under way."""
    if ours:
        return ("sign", "decrypt") if first else ("decrypt",)
    return ("verify", "encrypt") if first else ("verify",) if valid else ()
