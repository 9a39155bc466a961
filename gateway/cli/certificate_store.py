"""The folder `paths.certificates` and the lists that name what is in it.

A partner's certificate is written as PEM without the chain it came with; ours as one PEM with its
key, in reach of the gateway's user only, and beside it as the file to hand out.
"""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from gateway.cli import conf_files
from gateway.config.certificates import certificates_in, newest_first
from gateway.config.files import read_secret
from gateway.config.loader import Reading
from gateway.config.strict import Complaint, did_you_mean
from gateway.config.toml_edit import edited_list
from gateway.errors import ConfigurationError

if TYPE_CHECKING:
    from gateway.core.as2.cms import Identity


def add_partner_certificate(
    changes: conf_files.Changes, reading: Reading, partner: str, file: Path
) -> str | None:
    """Put a partner's certificate into the folder; its name there, None if it has it already."""
    own = certificates_in(file)
    if isinstance(own, Complaint):
        raise ConfigurationError(own.what, remedy=own.remedy)
    known = {each.certificate for each in reading.held if each.owner == partner}
    if set(own) <= known:
        return None
    path = _folder(reading) / certificate_name(partner, own)
    pem = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in newest_first(own))
    changes.create(path, pem, conf_files.PUBLIC)
    return path.name


def certificate_name(whose: str, certificates: list[x509.Certificate]) -> str:
    """A file name nobody else chose: whose, since when, and the beginning of its SHA-256."""
    newest = newest_first(certificates)[0]
    word = re.sub(r"[^a-z0-9]+", "-", whose.lower()).strip("-")[:40] or "ours"
    digest = newest.fingerprint(SHA256()).hex()[:8]
    return f"{word}-{newest.not_valid_before_utc:%Y-%m-%d}-{digest}.pem"


def identity_pem(identities: list[Identity], password: bytes | None) -> bytes:
    """Certificates and key in one PEM, the key encrypted if the gateway has a password."""
    seal = BestAvailableEncryption(password) if password else NoEncryption()
    keys = {
        identity.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, seal)
        for identity in identities[:1]
    }
    return b"".join(
        [*keys, *(identity.certificate.public_bytes(Encoding.PEM) for identity in identities)]
    )


class Stored(NamedTuple):
    """Where our certificate is: with its key, and alone (`public`); `words` on what to do next.

    `identities`: what as2.identities of the settings is to hold then; `start`: from when on it
    signs, `encrypted`: whether the key is.
    """

    file: Path
    public: Path
    words: str
    identities: tuple[str, ...]
    start: dt.datetime
    encrypted: bool

    def to_json(self) -> dict[str, Any]:
        """What was written, for `--json`."""
        return {
            "owner": None,
            "file": str(self.file),
            "public": str(self.public),
            "encrypted": self.encrypted,
            "valid_from": self.start.isoformat(),
            "identities": list(self.identities),
        }


def store_identity(reading: Reading, identities: list[Identity]) -> Stored:
    """Write our certificate with its key into the folder."""
    with conf_files.Changes() as changes:
        stored = add_identity(changes, reading, identities)
        changes.forget()
    return stored


def add_identity(
    changes: conf_files.Changes, reading: Reading, identities: list[Identity]
) -> Stored:
    """The same, as one of these changes."""
    settings = reading.configuration.settings.as2
    certificates = [identity.certificate for identity in identities]
    name = certificate_name(settings.id or "ours", certificates)
    password = None
    if settings.password_file:
        password = read_password(Path(settings.password_file))
    path = _folder(reading) / name
    changes.create(path, identity_pem(identities, password), conf_files.PRIVATE)
    public = path.with_suffix(".crt")
    pem = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)
    changes.create(public, pem, conf_files.PUBLIC)
    named = tuple(dict.fromkeys((*settings.identities, name)))
    listed = ", ".join(f'"{each}"' for each in named)
    start = newest_first(certificates)[0].not_valid_before_utc
    protection = "encrypted with the password of as2.password_file" if password else "not encrypted"
    words = (
        f"{path}\n    certificate and key ({protection}): never hand it out.\n"
        f"{public}\n    the certificate alone: send it to the partners.\n\n"
        f"When they have it, write into {reading.configuration.file}, below [as2]:\n\n"
        f"    identities = [{listed}]\n\n"
        f"and run: edi-gateway reload. From {start:%Y-%m-%d} on it then signs with the new one,\n"
        "for partners that last encrypted for an older one with that while it is valid; it "
        "decrypts with\nall of them."
    )
    return Stored(path, public, words, named, start, password is not None)


def partner_file(reading: Reading, name: str) -> Path:
    """The file of a partner. Raises `ConfigurationError` when there is none."""
    if name not in reading.partner_files:
        raise ConfigurationError(
            f'There is no partner "{name}" that can be read.',
            remedy=did_you_mean(name, reading.partner_files),
        )
    return reading.partner_files[name]


def edit_list(
    changes: conf_files.Changes,
    file: Path,
    key: str,
    *,
    table: str = "as2",
    add: list[str] | None = None,
    remove: list[str] | None = None,
) -> None:
    """Change a list of a table of a file, comments and all else untouched."""
    text = file.read_bytes().decode("utf-8-sig")
    edited = edited_list(text, table, key, add=add or [], remove=remove or [])
    if edited is None:
        words = [f"add {', '.join(add)}"] if add else []
        words += [f"remove {', '.join(remove)}"] if remove else []
        raise ConfigurationError(
            f"{file} has no table [{table}], or one written in a way this command does not edit.",
            remedy=f"Do it by hand, below [{table}], in `{key} = [...]`: {' and '.join(words)}.",
        )
    changes.edit(file, edited)


def _folder(reading: Reading) -> Path:
    return Path(reading.configuration.settings.paths.certificates)


def read_password(file: Path | None) -> bytes | None:
    """What a password file holds; None without one. Raises `ConfigurationError`."""
    if file is None:
        return None
    secret = read_secret(file, "the password")
    if secret.fault:
        raise ConfigurationError(secret.fault.what, remedy=secret.fault.remedy)
    return secret.value.encode()
