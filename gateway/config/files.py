"""Files that a setting or a partner file names: whether they can be used, and who may read them.

Nothing here repeats what a file holds.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Final, NamedTuple

from gateway.config.strict import Complaint


class Secret(NamedTuple):
    """A password and what is wrong with its file: a fault stops the gateway, a notice does not."""

    value: str = ""
    fault: Complaint | None = None
    notice: Complaint | None = None


CREDENTIALS: Final = "$CREDENTIALS_DIRECTORY/"
"""What the name of a file begins with when systemd brings it (LoadCredential=)."""


def credentials_folder() -> Path:
    """Where systemd puts the service's credentials, for others than the service itself as well."""
    given = os.environ.get("CREDENTIALS_DIRECTORY")
    return Path(given or "/run/credentials/edi-gateway.service")


def read_secret(file: Path, holds: str) -> Secret:
    """The one line of a password file; a line end after it does not count.

    `holds` says in words which password it is.
    """
    try:
        value = file.read_bytes().decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        what = f"{file} cannot be read: {why}."
        remedy = f"Put {holds} in it, one line, readable by the gateway's user only."
        if file.parent == credentials_folder():
            remedy = (
                f"Have systemd bring {holds}, one line, with LoadCredential={file.name}:… in the "
                "unit; it is there only while the service runs."
            )
        return Secret(fault=Complaint(what, remedy))
    if not value:
        return Secret(fault=Complaint(f"{file} is empty.", f"Put {holds} in it, one line."))
    return Secret(value, notice=open_to_all(file))


def open_to_all(file: Path) -> Complaint | None:
    """A complaint when every user of the machine may read a file that holds a secret."""
    try:
        mode = file.stat().st_mode
    except OSError:
        return None  # whoever reads it says so
    if mode & 0o007:
        return Complaint(f"{file} is open to every user.", f"Run: chmod o= {file}")
    return None


def authorities_complaint(file: str, whose: str) -> Complaint | None:
    """What OpenSSL has against a PEM file of CA certificates. `whose`: what they vouch for."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)
    except (OSError, ssl.SSLError) as error:
        return Complaint(
            f"{file} holds no usable CA certificate: {error.strerror or error}.",
            f"Name a PEM file with the certificate of the authority that signed {whose}.",
        )
    return None


def pair_complaint(certificate_file: str, key_file: str) -> Complaint | None:
    """Two PEM files that are no pair. An encrypted key is refused, for nobody could unlock it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_cert_chain(certificate_file, key_file, password=lambda: "")
    except (OSError, ssl.SSLError) as error:
        return Complaint(
            f"{certificate_file} and {key_file} are no usable pair: {error.strerror or error}.",
            "Name the PEM files of a certificate and of its own key, the key not encrypted.",
        )
    return None


def process_user() -> str:
    """Who this process is, as an administrator knows it: `edi-gateway (id 987)`."""
    import pwd

    number = os.geteuid()
    try:
        return f"{pwd.getpwuid(number).pw_name} (id {number})"
    except KeyError:
        return f"id {number}"
