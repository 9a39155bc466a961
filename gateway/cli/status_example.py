"""What `status-message` shows to begin with: a request for each status, and the list of them."""

from __future__ import annotations

import json

from tabulate import tabulate

from gateway.core.cdar.reasons import reasons
from gateway.core.cdar.statuses import RECEIVED_PAYMENT, STATUSES, Role, Status
from gateway.model.verdict import Language


def example(code: str) -> str:
    """A request for the status, in TOML, that is taken as it stands."""
    status = STATUSES[code]
    return "\n".join(
        (
            f"# {status.code} {status.name}: {status.name_en}.",
            "# Build and check the message: edi-gateway status-message FILE -o MESSAGE.xml",
            "",
            f'status = "{status.code}"',
            '# "partner": to those named below. "portal": to the public portal (PPF) alone, which',
            "# also wants to know of each invoice when it was received; leave recipients out then.",
            'to = "partner"',
            "# When the status was given; left out: now. With a time zone or in that of [legal].",
            "at = 2026-10-02T09:15:00",
            "# The message's own number; left out: one that follows from what is said here.",
            '# id = "CDV-2026-0001"',
            "# Language of the reasons' names.",
            'language = "fr"',
            *_issuer(status),
            *_recipient(status),
            *_invoice(status),
            "",
        )
    )


def statuses_table(language: Language, *, as_json: bool) -> str:
    """Every status with who gives it and its reasons; as JSON one object for each."""
    named = reasons().codes
    if as_json:
        return "\n".join(
            json.dumps(
                {
                    "status": status.code,
                    "name": status.name if language is Language.FR else status.name_en,
                    "phase": status.phase.value,
                    "by": status.by.value,
                    "reason_needed": status.reason_needed,
                    "reasons": {code: named[code].to(language) for code in status.reasons},
                }
            )
            for status in STATUSES.values()
        )
    return tabulate(
        [
            (
                status.code,
                status.name if language is Language.FR else status.name_en,
                "platform" if status.by_platform else "party",
                _listed(status),
            )
            for status in STATUSES.values()
        ],
        headers=("status", "name", "given by", "reasons (* needed)"),
        disable_numparse=True,
        maxcolwidths=[None, None, None, 60],
    )


def _listed(status: Status) -> str:
    if len(status.reasons) == len(reasons().codes):
        return "any"
    return ("* " if status.reason_needed else "") + " ".join(status.reasons)


def _issuer(status: Status) -> list[str]:
    if status.by_platform:
        return []
    siren = "000471102" if status.by is Role.BUYER else "000123455"
    return [
        "",
        "# Who gives the status: SE the seller, BY the buyer, or an agent of theirs.",
        "[issuer]",
        f'role = "{status.by.value}"',
        "# The SIREN; for others id and scheme instead.",
        f'siren = "{siren}"',
        'name = "Exemple SA"',
    ]


def _recipient(status: Status) -> list[str]:
    role, siren = (
        (Role.BUYER, "000471102") if status.by is Role.SELLER else (Role.SELLER, "000123455")
    )
    return [
        "",
        "# To whom the message goes; repeat the table for others.",
        "[[recipients]]",
        f'role = "{role.value}"',
        f'siren = "{siren}"',
        "# The electronic address, of scheme 0225 unless address_scheme says otherwise. Platforms",
        "# (WK) need none.",
        f'address = "{siren}"',
    ]


def _invoice(status: Status) -> list[str]:
    if status.of_flux:
        lines = ["# The file; repeat the table for others.", "[[invoices]]", "# Its name."]
        lines.append('number = "FSO1100A_XXX999_XXX9991100000000000000001.tar.gz"')
        lines += ["# The day of its deposit."] if status.code == "500" else []
        lines += ["issued = 2026-10-02"] if status.code == "500" else []
    else:
        lines = [
            "# The invoice; repeat the table for others that get the same status.",
            "[[invoices]]",
            "# Number (BT-1), type (BT-3) and date (BT-2) of the invoice, SIREN of its seller.",
            'number = "FA-2026-00187"',
            'type = "380"',
            "issued = 2026-09-12",
            'seller = "000123455"',
        ]
    lines += [
        "# When the platform received it; the portal wants to know.",
        "received = 2026-10-02T08:00:00",
    ]
    return ["", *lines, *_details(status)]


def _details(status: Status) -> list[str]:
    if status is RECEIVED_PAYMENT:
        return [
            "",
            "[[invoices.details]]",
            "",
            "# How much was received, with VAT, at which rate; a table for each rate.",
            "[[invoices.details.values]]",
            'type = "MEN"',
            "amount = 1200.00",
            'currency = "EUR"',
            "percent = 20",
        ]
    if not status.reason_needed:
        return []
    code = status.reasons[0]
    return [
        "",
        f"# Why: {', '.join(status.reasons)}.",
        "[[invoices.details]]",
        f'reason = "{code}"',
        "# Left out: the name of the reason.",
        f'# text = "{reasons().codes[code].fr}"',
        "# What is asked for: NOA nothing, PIN information, NIN a new invoice, CNF, CNP or CNA a",
        "# credit note in full, in part or for an amount, OTH something else.",
        f'action = "{reasons().codes[code].action}"',
        'note = "…"',
    ]
