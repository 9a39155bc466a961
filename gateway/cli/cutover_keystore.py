"""`edi-gateway cutover keystore`: the PKCS#12 of another AS2 product, with everybody in it."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12
from tabulate import tabulate

from gateway.cli import conf_files
from gateway.cli.certificate_store import (
    add_identity,
    add_partner_certificate,
    edit_list,
    partner_file,
    read_password,
)
from gateway.cli.deed import Deed, written_down
from gateway.config.certificates import key_complaint
from gateway.config.loader import Reading
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from gateway.core.as2.cms import Identity


def keystore(args: argparse.Namespace) -> int:
    """0 when what was named is there now, or the entries were listed; 2 when it cannot be done."""
    password = read_password(args.password_file)
    store = _opened(args.file, password)
    entries = _entries(store)
    wanted = [_pair(each, entries) for each in args.partner]
    if not wanted and not args.ours:
        return _list(store, entries, as_json=args.json)
    reading = conf_files.reading_of(args)
    on = {"file": args.file.name, "partners": " ".join(partner for partner, _ in wanted)}
    if args.ours:
        on["certificate"] = "ours"
    with written_down(reading.configuration.state, "cutover.keystore", **on) as deed:
        _bring_in(args, reading, entries, wanted, password, deed)
    return 0


def _bring_in(
    args: argparse.Namespace,
    reading: Reading,
    entries: dict[str, x509.Certificate],
    wanted: list[tuple[str, str]],
    password: bytes | None,
    deed: Deed,
) -> None:
    settings = conf_files.settings_to_change(args)
    added: list[dict[str, str]] = []
    own = _ours(args.file, password) if args.ours else []
    with conf_files.Changes() as changes:
        for partner, alias in wanted:
            file = partner_file(reading, partner)
            with tempfile.NamedTemporaryFile(suffix=".pem") as pem:
                pem.write(entries[alias].public_bytes(Encoding.PEM))
                pem.flush()
                name = add_partner_certificate(changes, reading, partner, Path(pem.name))
            if name is not None:
                edit_list(changes, file, "certificates", add=[name])
            added.append({"partner": partner, "alias": alias, "file": name or ""})
        stored = add_identity(changes, reading, own) if own else None
        changes.keep(settings, reading)
    files = [each["file"] for each in added if each["file"]]
    deed.said = " ".join([*files, stored.file.name] if stored else files)
    for each in added:
        if args.json:
            print(json.dumps(each, ensure_ascii=False))
        else:
            print(f"{each['partner']}: {each['file'] or 'has it already'}")
    if stored is not None:
        told = {"ours": stored.to_json()}
        print(json.dumps(told, ensure_ascii=False) if args.json else f"\n{stored.words}")
    elif not args.json:
        print("\nA running gateway takes them over with: edi-gateway reload")


def _opened(file: Path, password: bytes | None) -> pkcs12.PKCS12KeyAndCertificates:
    try:
        return pkcs12.load_pkcs12(file.read_bytes(), password)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            f"{file} is no PKCS#12 keystore that opens with this password.",
            remedy="Name the file of its password with --password-file. A Java keystore becomes one"
            " with: keytool -importkeystore -srckeystore OLD.jks -destkeystore NEW.p12"
            " -deststoretype PKCS12. Single certificates: edi-gateway cert import",
        ) from error


def _entries(store: pkcs12.PKCS12KeyAndCertificates) -> dict[str, x509.Certificate]:
    """Alias → certificate; those that have none go by the beginning of their SHA-256."""
    found: dict[str, x509.Certificate] = {}
    for each in [*([store.cert] if store.cert else []), *store.additional_certs]:
        certificate = each.certificate
        digest = certificate.fingerprint(SHA256()).hex()[:8]
        alias = each.friendly_name.decode("utf-8", "replace") if each.friendly_name else digest
        found[alias if alias not in found else f"{alias}-{digest}"] = certificate
    return found


def _pair(word: str, entries: dict[str, x509.Certificate]) -> tuple[str, str]:
    partner, _, alias = word.partition("=")
    if alias not in entries:
        raise ConfigurationError(
            f"--partner {word}: the keystore has no entry {alias!r}.",
            remedy=f"It has: {', '.join(entries) or 'none'}. Write NAME=ALIAS.",
        )
    return partner, alias


def _list(
    store: pkcs12.PKCS12KeyAndCertificates,
    entries: dict[str, x509.Certificate],
    *,
    as_json: bool,
) -> int:
    now = dt.datetime.now(dt.UTC)
    own = store.cert.certificate if store.cert and store.key else None
    rows = []
    for alias, certificate in entries.items():
        told = {
            "alias": alias,
            "subject": certificate.subject.rfc4514_string(),
            "until": f"{certificate.not_valid_after_utc:%Y-%m-%d}",
            "expired": certificate.not_valid_after_utc < now,
            "ours": certificate == own,
        }
        if as_json:
            print(json.dumps(told, ensure_ascii=False))
            continue
        marks = ", ".join(word for word in ("expired", "ours") if told[word])
        rows.append((alias, told["subject"], told["until"], marks))
    if rows:
        print(tabulate(rows, headers=("alias", "subject", "until", ""), disable_numparse=True))
    if not as_json:
        print("\nNothing was changed. Name whose each is with --partner NAME=ALIAS, and --ours.")
    return 0


def _ours(file: Path, password: bytes | None) -> list[Identity]:
    """The key, with its certificate. Raises `ConfigurationError` when it is of no use."""
    from gateway.core.as2.cms import load_identities

    try:
        found = load_identities(file.read_bytes(), password)
    except ValueError as error:
        raise ConfigurationError(f"{file}: {error}") from error
    for identity in found:
        if complaint := key_complaint(identity.certificate):
            raise ConfigurationError(complaint.what, remedy=complaint.remedy)
    return found
