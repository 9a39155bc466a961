"""The AS2 evidence of an interchange for `edi-gateway show`: who, what, and the receipt."""

from __future__ import annotations

from typing import Any

import msgspec
from tabulate import tabulate

from gateway.cli import options
from gateway.model.as2 import Security
from gateway.service.journal import records
from gateway.spool import Spool


def print_message(row: records.As2Row) -> None:
    """One message and its receipt, for people."""
    lines = [
        ("direction", row.direction),
        ("Message-ID", row.message_id),
        ("names", f"{row.as2_from} \N{RIGHTWARDS ARROW} {row.as2_to}"),
        ("state", row.state.value),
        *_protection(row.security),
        ("MIC", row.mic or "none"),
        ("receipt", _receipt(row)),
        *([("error", row.error)] if row.error else []),
    ]
    print("\nAS2")
    print(
        tabulate(
            [(name, options.printable(value)) for name, value in lines],
            tablefmt="plain",
            disable_numparse=True,
        )
    )


def as_json(row: records.As2Row, spool: Spool) -> dict[str, Any]:
    """One message and its receipt, all of it; bytes in base64, the body that travelled as path."""
    shown: dict[str, Any] = msgspec.to_builtins(row)
    shown["raw"] = str(spool.path(row.raw_sha256))
    return shown


def _protection(security: Security) -> list[tuple[str, str]]:
    """How it was protected, and with which certificates."""

    def of(what: str | None, certificate: str | None) -> str:
        if what is None:
            return "no"
        return f"{what}, certificate {certificate}" if certificate else what

    signed = security.signed and f"{security.signed}, {security.signature}"
    return [
        ("encrypted", of(security.encrypted, security.decrypted_with)),
        ("signed", of(signed, security.signer)),
        ("compressed", "yes" if security.compressed else "no"),
    ]


def _receipt(row: records.As2Row) -> str:
    wanted = f"{row.mdn_mode}, to {row.mdn_url}" if row.mdn_url else row.mdn_mode
    if row.mdn_at is None:
        return f"none ({wanted})"
    return f"{row.mdn_at.isoformat(timespec='seconds')} ({wanted})"
