"""`edi-gateway doctor --report FILE`: what a support engineer asks for, in one archive.

Each part is another command of ours, run as a program of its own with a time limit: the report is
wanted most where something is broken, and what is broken must not keep the rest from being told.
It holds no invoice, key, password, token or log; names of partners, files and addresses are in it.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from gateway.cli.doctor_facts import facts
from gateway.config.settings import Settings
from gateway.errors import ConfigurationError

FOLDER: Final = "edi-gateway-report"
SECONDS: Final = 180.0
"""How long one part may take; compiling every rule pack takes most."""
MOST_BYTES: Final = 8_000_000
"""Of what one part says."""

OF_STATE: Final[dict[str, tuple[str, ...]]] = {
    "doctor.json": ("doctor", "--json"),
    "status.json": ("status", "--json"),
    "queues.jsonl": ("queues", "--json"),
    "alerts.jsonl": ("alerts", "--all", "--json"),
    "quarantine.jsonl": ("quarantine", "list", "--json"),
}
"""Files, and the commands that say what is in them: from the state directory."""
OF_CONFIGURATION: Final[dict[str, tuple[str, ...]]] = {
    "check.jsonl": ("check", "--json", "--no-broker"),
    "rules.jsonl": ("rules", "--json"),
    "partners.jsonl": ("partner", "list", "--json"),
    "certificates.jsonl": ("cert", "list", "--json"),
}
"""The same, from settings, flows, partners and rules."""


class Part(NamedTuple):
    """One file of the report: how its command ended (None: not in time), and what it said."""

    file: str
    command: tuple[str, ...]
    code: int | None
    content: bytes
    complaints: str


def write(
    path: Path,
    state: Path,
    settings: Settings | None,
    *,
    config: Sequence[str],
    of_state: Sequence[str],
    said: Callable[[str, int, int], None],
) -> list[Part]:
    """Write the report, readable by its maker only; what is in it.

    `settings`: None when they cannot be read. `config` and `of_state`: the options that name the
    configuration, and the state directory. `said` hears of each part. Raises `ConfigurationError`
    when there is such a file already, or none can be made.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigurationError(
            f"The report cannot be written to {path}: {error.strerror}.",
            remedy="Name a file that is not there yet, in a folder you may write to.",
        ) from error
    parts: list[Part] = []
    commands = [(name, (*words, *of_state)) for name, words in OF_STATE.items()]
    commands += [(name, (*words, *config)) for name, words in OF_CONFIGURATION.items()]
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
        _add(archive, "facts.json", _json(facts(state)))
        if settings is not None:
            _add(archive, "settings.json", _json(shown(settings)))
        for name, command in commands:
            said(command[0], len(parts), len(commands))
            part = _run(name, command)
            _add(archive, name, part.content)
            parts.append(part)
        _add(archive, "commands.json", _json([_told(part) for part in parts]))
    return parts


def shown(settings: Settings) -> dict[str, Any]:
    """The settings in force. They name files of secrets and hold none, but for one address."""
    found: dict[str, Any] = msgspec.to_builtins(settings)
    found["alerts"]["webhook"]["url"] = settings.alerts.webhook.host
    return found


def _run(name: str, command: tuple[str, ...]) -> Part:
    code: int | None
    try:
        done = subprocess.run(  # noqa: S603  # our own arguments, no shell
            [sys.executable, "-m", "gateway", *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        code, said, complaints = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as late:
        code, said, complaints = None, late.stdout or b"", late.stderr or b""
    text = complaints.decode(errors="replace")[-10_000:]
    return Part(name, command, code, said[:MOST_BYTES], text)


def _told(part: Part) -> dict[str, Any]:
    return {
        "file": part.file,
        "command": " ".join(part.command),
        "exit_code": part.code,
        "in_time": part.code is not None,
        "complaints": part.complaints,
    }


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str).encode()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(f"{FOLDER}/{name}")
    entry.size, entry.mode, entry.mtime = len(content), 0o600, int(time.time())
    archive.addfile(entry, io.BytesIO(content))
