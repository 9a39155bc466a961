"""The demo's last words: where its web console is, and who may log in there."""

from __future__ import annotations

import secrets
from typing import Final

from twisted.internet.threads import deferToThread

from gateway.daemon import Daemon
from gateway.service.console import passwords
from gateway.service.console.visit import ROOT

NAME: Final = "demo"


async def invitation(daemon: Daemon) -> str:
    """Make a login with a password of this run alone, and say where to use it."""
    assert daemon.parts.management is not None
    password = secrets.token_urlsafe(12)
    await daemon.parts.commands["user.add"](
        {
            "name": NAME,
            "role": "administrator",
            "password_hash": await deferToThread(passwords.hashed, password),
        }
    )
    address = f"http://127.0.0.1:{daemon.parts.management.port}{ROOT}/"
    return (
        f"\nThe web console: {address}"
        f"\n  log in as {NAME}, password {password} (for this run alone)"
    )
