"""`edi-gateway cert`: the certificates of AS2, ours and the partners', and their replacement.

Old and new stand beside each other until nobody uses the old one: `import` only adds, and what
`rotate` removes has expired and been superseded.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
from pathlib import Path

from gateway.cli import cert_rotate, certificates_shown, conf_files
from gateway.cli.certificate_store import (
    add_partner_certificate,
    edit_list,
    partner_file,
    read_password,
    store_identity,
)
from gateway.cli.deed import written_down
from gateway.config.certificates import key_complaint
from gateway.errors import ConfigurationError


def configure(parser: argparse.ArgumentParser) -> None:
    """Subcommands and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    words = "every certificate: whose, valid how long, and what it does today"
    listing = actions.add_parser("list", help=words, description=words)
    listing.add_argument("--json", action="store_true", help="one JSON object per line")
    words = "add a certificate; those that are there stay"
    adding = actions.add_parser("import", help=words, description=words)
    adding.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="PEM, DER or .p7b of a partner; PEM or PKCS#12 with the key for --ours",
    )
    adding.add_argument(
        "--password-file", type=Path, metavar="F", help="holds the password of FILE, one line"
    )
    words = "how far a replacement is; remove what expired and was superseded"
    rotating = actions.add_parser("rotate", help=words, description=words)
    for action in (adding, rotating):
        whose = action.add_mutually_exclusive_group(required=True)
        whose.add_argument("--partner", metavar="NAME", help="a partner's")
        whose.add_argument("--ours", action="store_true", help="our own")
    cert_rotate.configure(rotating)
    for action in (adding, rotating):
        action.add_argument("--json", action="store_true", help="one JSON object")
    for action in (listing, adding, rotating):
        conf_files.add_config(action)


def run(args: argparse.Namespace) -> int:
    """0 when it was done, or there was nothing to do; 2 when it cannot be done like this."""
    if args.action == "list":
        return _list(args)
    if args.action == "rotate":
        return cert_rotate.run(args)
    return _import_ours(args) if args.ours else _import(args)


def _list(args: argparse.Namespace) -> int:
    reading, now = conf_files.reading_of(args), dt.datetime.now(dt.UTC)
    found = certificates_shown.shown(reading.held, now) if reading.held else []
    if args.json:
        for each in found:
            print(json.dumps(each.to_json(), ensure_ascii=False))
        return 0
    print(certificates_shown.table(found, now) if found else "There are no certificates yet.")
    for notice in reading.configuration.notices:
        if notice.key.startswith(("as2.certificates", "as2.identities")):
            print(f"\n{notice}")
    return 0


def _import(args: argparse.Namespace) -> int:
    settings = conf_files.settings_to_change(args)
    reading = conf_files.reading_of(args)
    file = partner_file(reading, args.partner)
    on = {"partner": args.partner, "file": args.file.name}
    with (
        written_down(reading.configuration.state, "cert.import", **on) as deed,
        conf_files.Changes() as changes,
    ):
        name = add_partner_certificate(changes, reading, args.partner, args.file)
        if name is None:
            after = reading
            deed.said = "nothing was changed: the partner has it already"
        else:
            edit_list(changes, file, "certificates", add=[name])
            after = changes.keep(settings, reading)
            deed.said = f"certificate {name}"
    now = dt.datetime.now(dt.UTC)
    held = [each for each in after.held if each.owner == args.partner]
    certificates = certificates_shown.shown(held, now)
    if args.json:
        said = {
            "owner": args.partner,
            "file": name,
            "named_in": str(file),
            "certificates": [each.to_json() for each in certificates],
        }
        print(json.dumps(said, ensure_ascii=False))
        return 0
    if name is None:
        print(f'Partner "{args.partner}" has this certificate already: nothing was changed.')
        return 0
    print(certificates_shown.table(certificates, now))
    print(
        f"\n{name} was added to {file}; the others stay. Compare the SHA-256 with the partner by "
        "another way than the file came.\nA running gateway takes it over with: edi-gateway reload"
    )
    return 0


def _import_ours(args: argparse.Namespace) -> int:
    from gateway.core.as2.cms import load_identities

    conf_files.settings_to_change(args)
    reading = conf_files.reading_of(args)
    try:
        found = load_identities(args.file.read_bytes(), read_password(args.password_file))
    except OSError as error:
        raise ConfigurationError(f"{args.file} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        remedy = "Give PEM or PKCS#12 with certificate and key; --password-file if it has one."
        raise ConfigurationError(f"{args.file}: {error}", remedy=remedy) from error
    for identity in found:
        if complaint := key_complaint(identity.certificate):
            raise ConfigurationError(complaint.what, remedy=complaint.remedy)
    state = reading.configuration.state
    with written_down(state, "cert.import", certificate="ours", file=args.file.name) as deed:
        stored = store_identity(reading, found)
        deed.said = f"certificate and key {stored.file.name}"
    print(json.dumps(stored.to_json(), ensure_ascii=False) if args.json else stored.words)
    return 0
