"""Message authentication codes of SSH packets (RFC 4253 §6.4), computed and compared in C.

paramiko makes an object for each code, and compares two codes with a loop in Python: a tenth of
what this process computes for a small file, and no comparison whose time is truly constant. The
standard library has both in C. paramiko offers no place to say so, hence by name; a release that
no longer has these names goes on with what it has.
"""

from __future__ import annotations

import hmac
from typing import Any

import paramiko.packet
import paramiko.util

REPLACED = (
    (paramiko.packet, "compute_hmac", hmac.digest),
    (paramiko.util, "constant_time_bytes_eq", hmac.compare_digest),
)
"""Module of paramiko, name in it, and what takes its place: same arguments, same answer."""


def computed_in_c() -> None:
    """Let paramiko use the standard library's, in this process."""
    module: Any
    for module, name, better in REPLACED:
        if hasattr(module, name):
            setattr(module, name, better)
