"""`edi-gateway cutover host-keys` and `authorized-keys`: the SSH keys of the site before."""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

from gateway.cli import conf_files, options
from gateway.cli.certificate_store import edit_list, partner_file
from gateway.cli.deed import written_down
from gateway.config.credentials import KEY_TYPES, MIN_RSA_BITS, public_key_complaint
from gateway.durable import make_folder
from gateway.errors import ConfigurationError
from gateway.service.sftp_server import keys

_LIMITING = ("from=", "expiry-time=", "cert-authority", "principals=", "verify-required")
"""Options of a line that keep somebody out. Without them it would let in more than it did."""
_WORD = re.compile(r'(?:[^\s"]|"(?:[^"\\]|\\.)*+(?:"|\\?$))++', re.DOTALL)
"""A quote that is never closed goes on to the end of the line."""


def host_keys(args: argparse.Namespace) -> int:
    """0 when they were brought in; 2 when one of them cannot be, and then none is."""
    state = options.journal_path(args).parent
    found = dict(map(_host_key, args.files))
    if len(found) < len(args.files):
        raise ConfigurationError(
            "Two of these host keys are of one kind; the server shows one of each.",
            remedy="Name those that partners know.",
        )
    taken = [
        str(keys.host_key_file(state, kind))
        for kind in found
        if keys.host_key_file(state, kind).exists() and not args.replace
    ]
    if taken:
        raise ConfigurationError(
            f"There are host keys already: {', '.join(taken)}.",
            remedy="With --replace these take their place; partners who know the old ones are"
            " warned then.",
        )
    on = {"kinds": " ".join(found), "replace": "yes" if args.replace else ""}
    make_folder(state / "keys")
    with written_down(state, "cutover.host-keys", **on) as deed:
        for kind, key in found.items():
            written = keys.store_host_key(state, kind, key)
            _give_to_owner(state, state / "keys", *written)
            line = written[1].read_text().split()
            mark = _fingerprint(line[1])
            told = {"kind": kind, "file": str(written[0]), "fingerprint": mark}
            print(json.dumps(told) if args.json else f"{line[0]} {mark}  {written[0]}")
            deed.said = f"{deed.said} {line[0]} {mark}".strip()
    if not args.json:
        print("\nThe gateway shows them from its next start on: systemctl restart edi-gateway")
    return 0


def _host_key(file: Path) -> tuple[str, keys.PrivateKey]:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"{file} cannot be read: {error.strerror}.",
            remedy="Run this as a user who may read it, such as root.",
        ) from error
    load = load_ssh_private_key if b"OPENSSH PRIVATE KEY" in data else load_pem_private_key
    try:
        key: Any = load(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(
            f"{file} holds no private key that can be read without a password.",
            remedy="Name the private key itself, not its .pub; take a password off with:"
            " ssh-keygen -p -N '' -f COPY",
        ) from error
    kind = keys.kind_of(key)
    if kind is None:
        raise ConfigurationError(
            f"{file}: the server cannot show a host key of this kind.",
            remedy=f"It shows Ed25519, ECDSA, and RSA of {MIN_RSA_BITS} bits or more.",
        )
    return kind, key


def _give_to_owner(state: Path, *paths: Path) -> None:
    """What root writes there must belong to the gateway's user."""
    if os.geteuid() == 0:
        owner = state.stat()
        for path in paths:
            os.chown(path, owner.st_uid, owner.st_gid)


class Line(NamedTuple):
    """One line of an authorized_keys file: the key as partner files have it, or why not."""

    number: int
    key: str
    why: str = ""


def authorized_keys(args: argparse.Namespace) -> int:
    """0 when every key is there now; 1 when lines were left out; 2 when it cannot be done."""
    settings = conf_files.settings_to_change(args)
    reading = conf_files.reading_of(args)
    file = partner_file(reading, args.partner)
    try:
        lines = [*lines_of(args.file.read_text("utf-8", "replace"))]
    except OSError as error:
        raise ConfigurationError(f"{args.file} cannot be read: {error.strerror}.") from error
    sftp = reading.configuration.partners[args.partner].sftp
    known = {line.split()[1] for line in sftp.authorized_keys} if sftp else set()
    new: dict[str, str] = {}
    for line in lines:
        if line.key and line.key.split()[1] not in known:
            new.setdefault(line.key.split()[1], line.key)
    if new:
        on = {"partner": args.partner, "file": args.file.name}
        state = reading.configuration.state
        with (
            written_down(state, "cutover.authorized-keys", **on) as deed,
            conf_files.Changes() as changes,
        ):
            _add(changes, file, [*new.values()])
            changes.keep(settings, reading)
            deed.said = f"keys added {' '.join(map(_fingerprint, new))}"
    for line in lines:
        _tell(line, known, as_json=args.json)
    if not args.json:
        _end(args, new, file)
    return 1 if any(line.why for line in lines) else 0


def lines_of(text: str) -> Iterator[Line]:
    """What an authorized_keys file says. Options that only narrow what a login may do are dropped.

    Here a login may do no more than SFTP in its own home, whatever an option says.
    """
    for number, line in enumerate(text.splitlines(), 1):
        words = _WORD.findall(line)
        if not words or words[0].startswith("#"):
            continue
        place = next((n for n, word in enumerate(words[:2]) if word in KEY_TYPES), None)
        if place is None or len(words) < place + 2:
            yield Line(number, "", "no public key of a type the server knows")
            continue
        limits = [
            each.partition("=")[0].rstrip("=")
            for each in _options(words[0] if place else "")
            if each.lower().startswith(_LIMITING)
        ]
        key = " ".join(words[place : place + 2])
        # The comment is for people; what it may hold here, a TOML string may.
        comment = re.sub(r"[^\w@.+]+", "-", "-".join(words[place + 2 :]), flags=re.ASCII)
        complaint = public_key_complaint(key)
        if limits:
            yield Line(number, "", f"its option {', '.join(limits)} has no equivalent here")
        elif complaint:
            yield Line(number, "", complaint.what)
        else:
            yield Line(number, f"{key} {comment}".strip())


def _options(word: str) -> list[str]:
    return re.findall(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+', word)


def _add(changes: conf_files.Changes, file: Path, new: list[str]) -> None:
    text = file.read_bytes().decode("utf-8-sig")
    if "sftp" in tomllib.loads(text):
        edit_list(changes, file, "authorized_keys", table="sftp", add=new)
        return
    listed = "".join(f'  "{key}",\n' for key in new)
    changes.edit(file, f"{text.rstrip()}\n\n[sftp]\nauthorized_keys = [\n{listed}]\n")


def _tell(line: Line, known: set[str], *, as_json: bool) -> None:
    words = line.key.split()
    result = "left out" if line.why else "known" if words[1] in known else "added"
    mark = _fingerprint(words[1]) if words else ""
    if as_json:
        print(json.dumps({"line": line.number, "result": result, "key": mark, "why": line.why}))
    else:
        print(f"line {line.number}: {result}: {line.why or f'{words[0]} {mark}'}")


def _end(args: argparse.Namespace, new: dict[str, str], file: Path) -> None:
    if new:
        print(
            f"\n{len(new)} added to {file}. A running gateway takes them over with:"
            " edi-gateway reload"
        )
    else:
        print(f"\nNothing was changed: {args.partner} has every key that can be taken.")


def _fingerprint(encoded: str) -> str:
    """As `ssh-keygen -l` prints it."""
    digest = hashlib.sha256(base64.b64decode(encoded)).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"
