"""Who gives a command: the journal keeps the name beside what was done."""

from __future__ import annotations

import os
import pwd


def operator() -> str:
    """The user who is logged in, also behind sudo; the kernel's word for it goes into the log."""
    behind = os.environ.get("SUDO_USER", "")
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid {os.getuid()}"
    return f"{behind} (as {name})" if behind and behind != name else name


def operator_uid() -> str:
    """The same with the user's number, for what auditors read years later."""
    return f"{operator()}, uid {os.getuid()}"
