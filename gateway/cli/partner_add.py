"""`edi-gateway partner add`: a commented partner file that passes the checks; what comes next."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from gateway.cli import conf_files
from gateway.cli.certificate_store import add_partner_certificate
from gateway.cli.deed import written_down
from gateway.config import consistency
from gateway.config.as2_checks import as2_name_complaint, url_complaint
from gateway.config.credentials import public_key_complaint
from gateway.config.folders import names_in
from gateway.config.loader import Reading
from gateway.config.strict import Complaint
from gateway.errors import ConfigurationError
from gateway.model.verdict import Language

_HEAD = """\
# Partner file. Every key it may have is explained in docs/configuration.md (chapter Partners) and
# shown in the example.toml that comes with the gateway. After a change: edi-gateway check

# Stands in logs and messages and names the partner's home: not to be changed.
name = {name}
# For people only.
description = {description}
# false: nobody can send as this partner.
enabled = {enabled}
# Language of reports to this partner: "fr" or "en".
language = {language}
# Flows this partner may use. No two of them may match the same document.
flows = [{flows}]
"""
_SFTP = """
[sftp]
# Public keys it logs in with, one line each. Two while one replaces the other.
authorized_keys = [
{keys}]
"""
_NO_CHANNEL = """
# How it sends: at least one of these, then enabled = true above.
# [sftp]
# authorized_keys = ["ssh-ed25519 AAAA..."]
# [as2]
# id = "..."
# certificates = ["..."]
# url = "https://..."
"""
_AS2 = """
[as2]
# Its AS2 name, as in AS2-From of what it sends; capitals count.
id = {id}
# Files of the folder paths.certificates. Two while one replaces the other.
certificates = [{certificates}]
"""
_URL = """\
# Where reports are posted to.
url = {url}
# Asynchronous MDNs may go to URLs that begin like this only:
# [as2.receive]
# mdn_urls = ["https://host.example/"]
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `add`."""
    parser.add_argument(
        "--flow",
        action="append",
        default=[],
        metavar="F",
        help="a flow it may use; repeat for more",
    )
    parser.add_argument("--description", default="", metavar="TEXT", help="for people only")
    parser.add_argument(
        "--lang",
        type=Language,
        choices=list(Language),
        default=Language.FR,
        metavar="fr|en",
        help="language of reports to this partner (default: fr)",
    )
    parser.add_argument(
        "--sftp-key", type=Path, metavar="FILE", help="its public key, as ssh-keygen's .pub file"
    )
    parser.add_argument("--as2-id", metavar="ID", help="its AS2 name")
    parser.add_argument(
        "--certificate", type=Path, metavar="FILE", help="its AS2 certificate: PEM, DER or .p7b"
    )
    parser.add_argument("--url", default="", metavar="URL", help="where it takes reports by AS2")


def run(args: argparse.Namespace) -> int:
    """0 when the file stands; raises `ConfigurationError` when nothing was written."""
    _refuse(consistency.name_complaint(args.name))
    if (args.certificate or args.url) and not args.as2_id:
        raise ConfigurationError(
            "--certificate and --url are about AS2.", remedy="Give the partner's name: --as2-id ID"
        )
    if args.as2_id:
        _refuse(as2_name_complaint(args.as2_id), url_complaint(args.url))
    settings = conf_files.settings_to_change(args)
    reading = conf_files.reading_of(args)
    folder = reading.configuration.partners_folder
    file = folder / f"{args.name}.toml"
    if file.exists() or args.name in (names_in(folder) or ()):
        raise ConfigurationError(
            f'There is a partner "{args.name}" already; it was not touched.',
            remedy=f"Look at it: edi-gateway partner show {args.name}",
        )
    if not args.flow:
        known = ", ".join(sorted(reading.configuration.flows)) or "none"
        raise ConfigurationError(
            "A partner needs a flow: it says what judges its invoices.",
            remedy=f"Add --flow F. Flows there are: {known}.",
        )
    keys = _keys(args.sftp_key) if args.sftp_key else []
    state = reading.configuration.state
    with (
        written_down(state, "partner.add", partner=args.name, flows=" ".join(args.flow)) as deed,
        conf_files.Changes() as changes,
    ):
        certificates = []
        if args.certificate:
            name = add_partner_certificate(changes, reading, args.name, args.certificate)
            certificates = [name] if name else []
        text = _text(args, keys, certificates)
        changes.create(file, text.encode(), conf_files.SETTINGS)
        changes.keep(settings, reading)
        deed.said = f"file {file.name}{''.join(f', certificate {each}' for each in certificates)}"
    steps = _what_next(args, file, reading)
    if args.json:
        said = {
            "partner": args.name,
            "file": str(file),
            "enabled": _has_a_way(args),
            "certificates": certificates,
            "next": steps,
        }
        print(json.dumps(said, ensure_ascii=False))
        return 0
    numbered = "\n".join(f"  {number}. {step}" for number, step in enumerate(steps, 1))
    print(f"Written: {file}\n\nWhat comes next:\n{numbered}")
    return 0


def _has_a_way(args: argparse.Namespace) -> bool:
    """Whether it can send: by SFTP, or by AS2."""
    return bool(args.sftp_key or args.as2_id)


def _text(args: argparse.Namespace, keys: list[str], certificates: list[str]) -> str:
    text = _HEAD.format(
        name=_quoted(args.name),
        description=_quoted(args.description),
        enabled="true" if keys or args.as2_id else "false",
        language=_quoted(args.lang.value),
        flows=", ".join(map(_quoted, args.flow)),
    )
    if keys:
        text += _SFTP.format(keys="".join(f"  {_quoted(key)},\n" for key in keys))
    if args.as2_id:
        listed = ", ".join(map(_quoted, certificates))
        text += _AS2.format(id=_quoted(args.as2_id), certificates=listed)
    if args.url:
        text += _URL.format(url=_quoted(args.url))
    return text if keys or args.as2_id else text + _NO_CHANNEL


def _what_next(args: argparse.Namespace, file: Path, reading: Reading) -> list[str]:
    settings = reading.configuration.settings
    steps = []
    if not _has_a_way(args):
        steps.append(f"Say how it sends: edit {file}, then set enabled = true.")
    if args.sftp_key:
        steps.append(
            f"Tell the partner: SFTP, port {settings.sftp.port}, user {args.name}; files go into "
            "in/, reports are in out/. Give it the fingerprint of the host key as well."
        )
    if args.as2_id:
        scheme = "https" if settings.http.tls.enabled else "http"
        steps.append(
            f'Tell the partner: AS2 name "{settings.as2.id}", URL {scheme}://THIS-HOST:'
            f"{settings.http.port}/as2, and our certificate (edi-gateway cert list shows which)."
        )
        steps.append("Compare the SHA-256 of its certificate by another way than the file came.")
    steps.append(f"Look whether it would work: edi-gateway partner check {args.name}")
    steps.append("A running gateway takes the partner over with: edi-gateway reload")
    return steps


def _keys(file: Path) -> list[str]:
    try:
        lines = file.read_bytes().decode().splitlines()
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        lines = ["not text"]
    keys = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    _refuse(*map(public_key_complaint, keys or [""]))
    return keys


def _refuse(*complaints: Complaint | None) -> None:
    for complaint in complaints:
        if complaint is not None:
            raise ConfigurationError(complaint.what, remedy=complaint.remedy)


def _quoted(text: str) -> str:
    """As TOML writes it: JSON's strings are a subset of its own."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
