"""`edi-gateway cert rotate`: how far the replacement of a certificate is, and its next step."""

from __future__ import annotations

import argparse
import datetime as dt
import json
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.cli import certificates_shown, conf_files
from gateway.cli.certificate_store import edit_list, partner_file, store_identity
from gateway.cli.deed import written_down
from gateway.config.certificates import Held, in_use
from gateway.config.loader import Reading
from gateway.errors import ConfigurationError

KEY_BITS = 3072
YEARS = 3


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `rotate` alone."""
    parser.add_argument("--yes", action="store_true", help="remove what expired and was superseded")
    parser.add_argument(
        "--new", action="store_true", help=f"with --ours: make a new key, valid {YEARS} years"
    )
    parser.add_argument(
        "--from",
        dest="start",
        type=_date,
        metavar="DATE",
        help="with --new: the day from which we sign with it, 2026-01-31 (default: today)",
    )


def run(args: argparse.Namespace) -> int:
    """Do the next step, or tell which it is."""
    now = dt.datetime.now(dt.UTC)
    if args.new or args.start:
        return _new(args, now)
    owner: str | None = args.partner
    reading = conf_files.reading_of(args)
    if owner is not None:
        partner_file(reading, owner)
    held = [each for each in reading.held if each.owner == owner]
    gone = superseded(held, now)
    certificates = certificates_shown.shown(held, now) if held else []
    if not args.json:
        if held:
            print(certificates_shown.table(certificates, now), end="\n\n")
        else:
            print("There is no certificate yet.")
    removed: list[Path] = []
    if not held:
        said = f"First step: {_first_step(owner)}"
    elif not gone:
        said = _state(held, owner, now)
    elif not args.yes:
        whose = "--ours" if owner is None else f"--partner {owner}"
        names = ", ".join(path.name for path in gone)
        said = (
            f"Expired and superseded: {names}. Remove with: edi-gateway cert rotate {whose} --yes"
        )
    else:
        removed, said = _remove(args, reading, owner, gone)
    if args.json:
        told = {
            "owner": owner,
            "certificates": [each.to_json() for each in certificates],
            "superseded": [path.name for path in gone],
            "no_longer_named": [path.name for path in gone] if args.yes else [],
            "removed": [str(path) for path in removed],
            "said": said,
        }
        said = json.dumps(told, ensure_ascii=False)
    print(said)
    return 0


def superseded(held: list[Held], now: dt.datetime) -> list[Path]:
    """Files all of whose certificates have expired, if another certificate is valid today."""
    if in_use([each.certificate for each in held], now) is None:
        return []
    alive = {each.file for each in held if each.certificate.not_valid_after_utc >= now}
    return [file for file in dict.fromkeys(each.file for each in held) if file not in alive]


def _state(held: list[Held], owner: str | None, now: dt.datetime) -> str:
    certificates = [each.certificate for each in held]
    if in_use(certificates, now) is None:
        return f"None is valid today. Next step: {_first_step(owner)}"
    waiting = [each for each in certificates if each.not_valid_before_utc > now]
    if waiting:
        start = min(each.not_valid_before_utc for each in waiting)
        return f"A replacement is ready and takes over on {start:%Y-%m-%d}. Nothing to do."
    valid = [each for each in certificates if each.not_valid_after_utc >= now]
    if len(valid) > 1:
        first = min(each.not_valid_after_utc for each in valid)
        return (
            f"A replacement is under way: {len(valid)} are valid. When the old one has expired "
            f"({first:%Y-%m-%d}), run this again to remove it."
        )
    return (
        f"One is in use, until {valid[0].not_valid_after_utc:%Y-%m-%d}; no replacement yet. Next "
        f"step, in good time: {_first_step(owner)}"
    )


def _first_step(owner: str | None) -> str:
    if owner is None:
        return "edi-gateway cert rotate --ours --new --from DATE"
    return f"ask the partner for it, then: edi-gateway cert import FILE --partner {owner}"


def _remove(
    args: argparse.Namespace, reading: Reading, owner: str | None, gone: list[Path]
) -> tuple[list[Path], str]:
    """Take them out of the list: the files that are removed, and words on it."""
    settings = conf_files.settings_to_change(args)
    names = [path.name for path in gone]
    on = {"certificate": "ours"} if owner is None else {"partner": owner}
    with (
        written_down(reading.configuration.state, "cert.rotate", **on) as deed,
        conf_files.Changes() as changes,
    ):
        if owner is None:
            edit_list(changes, settings, "identities", remove=names)
        else:
            edit_list(changes, partner_file(reading, owner), "certificates", remove=names)
        after = changes.keep(settings, reading)
        deed.said = f"no longer named: {', '.join(names)}"
    lines = [
        f"No longer named: {', '.join(names)}. A running gateway takes that over with: "
        "edi-gateway reload"
    ]
    if owner is None:
        files = " ".join(map(str, gone))
        lines.append(
            f"The keys are still there. Once nobody encrypts for them any more: rm {files}"
        )
        return [], "\n".join(lines)
    still = {each.file for each in after.held}
    removed = [path for path in gone if path not in still]  # another partner may name the same file
    for path in removed:
        path.unlink(missing_ok=True)
        lines.append(f"Removed: {path}")
    return removed, "\n".join(lines)


def _new(args: argparse.Namespace, now: dt.datetime) -> int:
    from gateway.core.as2.cms import Identity

    if not args.ours or not args.new:
        raise ConfigurationError(
            "--new and --from are for certificates of ours.",
            remedy="Run: edi-gateway cert rotate --ours --new [--from DATE]",
        )
    conf_files.settings_to_change(args)
    reading = conf_files.reading_of(args)
    name = reading.configuration.settings.as2.id
    if not name:
        raise ConfigurationError(
            "The certificate bears our AS2 name, and there is none yet.",
            remedy=f"Set as2.id in {reading.configuration.file}.",
        )
    day = args.start or now.date()
    start = dt.datetime.combine(day, dt.time(), dt.UTC)
    key = rsa.generate_private_key(65537, KEY_BITS)
    state = reading.configuration.state
    with written_down(state, "cert.rotate", certificate="ours", valid_from=f"{day}") as deed:
        stored = store_identity(reading, [Identity(self_signed(name, key, start), key)])
        deed.said = f"new certificate and key {stored.file.name}"
    print(json.dumps(stored.to_json(), ensure_ascii=False) if args.json else stored.words)
    return 0


def self_signed(name: str, key: rsa.RSAPrivateKey, start: dt.datetime) -> x509.Certificate:
    """A certificate that vouches for itself, as AS2 partners exchange them."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name[:64])])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=True,
        data_encipherment=True,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=YEARS * 365 + 1))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _date(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date such as 2026-01-31") from None
