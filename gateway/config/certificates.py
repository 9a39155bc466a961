"""The certificates of the folder `paths.certificates`: ours with their keys, and the partners'.

The code that reads them is imported only when some are named: a gateway without AS2 starts without
it. Nothing here shows a key or a password.

A partner's file may hold a chain. Only the certificate at its end is the partner's own; those that
issued it are passed over, for what they sign is not the partner's.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from gateway.config.files import open_to_all, read_secret
from gateway.config.folders import Folder, fault_at
from gateway.config.settings import Settings
from gateway.config.strict import Complaint
from gateway.errors import Fault
from gateway.model.partner import Partner

if TYPE_CHECKING:  # only a name here: see above
    from gateway.core.as2.cms import Identity

MIN_RSA_BITS = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One certificate: whose it is (None: ours), and where it stands."""

    owner: str | None
    file: Path
    key: str
    certificate: x509.Certificate


@dataclass(slots=True)
class Certificates:
    """What could be read, newest first, and what is wrong with it or will be soon."""

    identities: tuple[Identity, ...] = field(default=(), repr=False)
    by_partner: dict[str, tuple[x509.Certificate, ...]] = field(default_factory=dict)
    held: list[Held] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    notices: list[Fault] = field(default_factory=list)


def read_certificates(
    file: Path, settings: Settings, partners: Folder[Partner], now: dt.datetime
) -> Certificates:
    """Everything the settings in `file` and the partners name."""
    out = Certificates()
    if settings.as2.identities:
        _ours(file, settings, out, now)
    folder = Path(settings.paths.certificates)
    for name, partner in partners.by_name.items():
        if partner.as2 is None:
            continue
        where = partners.files[name]
        faults: list[Fault] = []
        for index, entry in enumerate(partner.as2.certificates):
            key = f"as2.certificates[{index}]"
            if partners.touched(where, key):
                continue
            found = certificates_in(folder / entry)
            if isinstance(found, Complaint):
                faults.append(fault_at(where, key, found))
                continue
            out.held += [
                Held(owner=name, file=folder / entry, key=key, certificate=certificate)
                for certificate in found
            ]
        own = [held for held in out.held if held.owner == name]
        out.by_partner[name] = newest_first([held.certificate for held in own])
        if partner.enabled:  # a disabled one need not be complete
            out.faults += faults
            days = settings.as2.expiry_warning_days
            out.notices += [fault_at(where, *found) for found in remarks(own, now, days)]
            out.notices += [fault_at(where, *found) for found in _mixed_up(own, out.identities)]
    return out


def certificates_in(path: Path) -> list[x509.Certificate] | Complaint:
    """A partner's own certificates in a file, or why it cannot be used."""
    from gateway.core.as2.cms import load_certificates

    try:
        data = path.read_bytes()
    except OSError as error:
        return Complaint(
            f"{path} cannot be read: {error.strerror}.",
            "Bring the partner's certificate in with: edi-gateway cert import FILE --partner NAME",
        )
    if b"PRIVATE KEY-----" in data:
        return Complaint(
            f"{path} holds a private key; it is compromised now that you have it.",
            "Remove it, tell the partner to make a new pair, and ask for the certificate alone.",
        )
    try:
        found = load_certificates(data)
    except ValueError as error:
        remedy = "Ask the partner for its public certificate as PEM, DER (.cer, .crt) or .p7b."
        return Complaint(f"{path}: {error}", remedy)
    own = [each for each in found if not _issued_another(each, found)]
    for certificate in own:
        if complaint := key_complaint(certificate):
            return Complaint(f"{path}: {complaint.what}", complaint.remedy)
    return own


def key_complaint(certificate: x509.Certificate) -> Complaint | None:
    """A key that AS2 here cannot use, or that is too weak."""
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPublicKey):
        return Complaint(
            "The key of the certificate is not an RSA key.",
            f"AS2 needs an RSA key of {MIN_RSA_BITS} bits or more: ask for another certificate.",
        )
    if key.key_size < MIN_RSA_BITS:
        return Complaint(
            f"An RSA key of {key.key_size} bits is too weak.",
            f"Ask for a certificate with an RSA key of {MIN_RSA_BITS} bits or more.",
        )
    return None


def in_use(certificates: Sequence[x509.Certificate], now: dt.datetime) -> x509.Certificate | None:
    """The newest valid one: what is encrypted to, or, of ours, what is signed with.

    A partner that last encrypted for another valid one of ours gets signatures of that one.
    """
    valid = [each for each in certificates if _is_valid(each, now)]
    return newest_first(valid)[0] if valid else None


def days_left(certificate: x509.Certificate, now: dt.datetime) -> int:
    """Whole days until it expires; below zero when it has."""
    return (certificate.not_valid_after_utc - now).days


def newest_first(certificates: Iterable[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    """Each once, in the order in which they are to be used."""
    once = {certificate.fingerprint(SHA256()): certificate for certificate in certificates}
    return tuple(sorted(once.values(), key=lambda each: each.not_valid_before_utc, reverse=True))


def _ours(file: Path, settings: Settings, out: Certificates, now: dt.datetime) -> None:
    from gateway.core.as2.cms import load_identities

    password = None
    if settings.as2.password_file:
        secret = read_secret(Path(settings.as2.password_file), "the password of as2.identities")
        key = "as2.password_file"
        out.faults += [fault_at(file, key, secret.fault)] if secret.fault else []
        out.notices += [fault_at(file, key, secret.notice)] if secret.notice else []
        if secret.fault:
            return  # what needs it cannot be opened: that is this fault, not another
        password = secret.value.encode()
    identities: dict[str, Identity] = {}
    for index, entry in enumerate(settings.as2.identities):
        path, key = Path(settings.paths.certificates) / entry, f"as2.identities[{index}]"
        try:
            found = load_identities(path.read_bytes(), password)
        except (OSError, ValueError) as error:
            out.faults.append(fault_at(file, key, _unusable_identity(path, error)))
            continue
        for identity in found:
            if complaint := key_complaint(identity.certificate):
                what = f"{path}: {complaint.what}"
                out.faults.append(fault_at(file, key, complaint._replace(what=what)))
                continue
            identities.setdefault(identity.fingerprint, identity)
            certificate = identity.certificate
            out.held.append(Held(owner=None, file=path, key=key, certificate=certificate))
        if notice := open_to_all(path):
            out.notices.append(fault_at(file, key, notice))
    out.identities = tuple(
        sorted(
            identities.values(), key=lambda own: own.certificate.not_valid_before_utc, reverse=True
        )
    )
    days = settings.as2.expiry_warning_days
    out.notices += [fault_at(file, *found) for found in remarks(out.held, now, days)]


def _unusable_identity(path: Path, error: OSError | ValueError) -> Complaint:
    if isinstance(error, OSError):
        return Complaint(
            f"{path} cannot be read: {error.strerror}.",
            "Let the gateway's user read it, or: edi-gateway cert import FILE --ours",
        )
    return Complaint(
        f"{path}: {error}",
        "Give a PEM file with a certificate and its RSA key, or a PKCS#12 file; the password, if "
        "there is one, in as2.password_file.",
    )


def remarks(
    held: Sequence[Held], now: dt.datetime, warning_days: int
) -> Iterator[tuple[str, Complaint]]:
    """(key, complaint) about the validity of the certificates of one owner."""
    if not held:
        return
    ours = held[0].owner is None
    bring = "--ours" if ours else f"--partner {held[0].owner}"
    remedy = (
        "Make the next one (edi-gateway cert rotate --ours --new) and hand it to the partners."
        if ours
        else f"Ask the partner for its next one: edi-gateway cert import FILE {bring}"
    )
    if in_use([each.certificate for each in held], now) is None:
        key = "as2.identities" if ours else "as2.certificates"
        effect = (
            "what we sign is refused by partners that look at the date"
            if ours
            else "its signed messages are refused"
        )
        what = f"No certificate of {'ours' if ours else 'the partner'} is valid today: {effect}."
        yield key, Complaint(f"{what} {'; '.join(map(_span, held))}.", remedy)
        return
    last = max(each.certificate.not_valid_after_utc for each in held)
    for each in held:
        left = days_left(each.certificate, now)
        until = each.certificate.not_valid_after_utc
        if until < now:
            what = f"{each.file.name} expired on {until:%Y-%m-%d}; another one is in use."
            tidy = f"Nothing is lost by removing it: edi-gateway cert rotate {bring} --yes"
            yield each.key, Complaint(what, tidy)
        elif until == last and left < warning_days:
            what = f"{each.file.name} expires in {left} days, on {until:%Y-%m-%d}, as the last one."
            yield each.key, Complaint(what, remedy)


def _mixed_up(
    held: Sequence[Held], identities: Sequence[Identity]
) -> Iterator[tuple[str, Complaint]]:
    """Our own certificate in a partner's place: the file to hand out, brought in."""
    ours = {identity.certificate for identity in identities}
    for each in held:
        if each.certificate in ours:
            what = f"{each.file.name} is our own certificate, not the partner's."
            yield each.key, Complaint(what, "Ask the partner for its own, and remove this one.")


def _span(held: Held) -> str:
    start, end = held.certificate.not_valid_before_utc, held.certificate.not_valid_after_utc
    return f"{held.file.name} is from {start:%Y-%m-%d} to {end:%Y-%m-%d}"


def _issued_another(one: x509.Certificate, several: Sequence[x509.Certificate]) -> bool:
    """Whether it is of an authority: the issuer of another in the same file.

    One that names itself as issuer proves nothing: a partner's old and new self-signed
    certificates have the same name.
    """
    return any(
        other.issuer == one.subject != other.subject for other in several if other is not one
    )


def _is_valid(certificate: x509.Certificate, now: dt.datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
