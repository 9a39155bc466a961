"""The files that are rule packs: the one file that is imported, or those of a zip.

Names inside a zip become paths only after a look at each part.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from lxml import etree

from gateway.errors import ConfigurationError

STYLESHEETS: Final = (".xslt", ".xsl")
KINDS: Final = (".sch", *STYLESHEETS, ".zip")
"""The endings of files that are taken."""

_SCH_ROOT: Final = "{http://purl.oclc.org/dsdl/schematron}schema"
_MAX_BYTES: Final = 100_000_000
_MAX_MEMBERS: Final = 5_000


def packs_in(file: Path, scratch: Path) -> Iterator[Path]:
    """The files that are packs: the file itself, or those of a zip, unpacked below `scratch`.

    Raises ConfigurationError, OSError.
    """
    if file.suffix.lower() != ".zip":
        yield file
        return
    _unpack(file, scratch)
    sheets = sorted(path for path in scratch.rglob("*") if path.suffix.lower() in STYLESHEETS)
    yield from sheets
    # A schema and its stylesheet come together: then its authors' own stylesheet is the pack.
    stems = {path.stem for path in sheets}
    schemas = [
        path
        for path in sorted(scratch.rglob("*.sch"))
        if _is_schema(path) and path.stem not in stems
    ]
    if not sheets and not schemas:
        raise ConfigurationError(
            f"{file} holds no rules.", remedy="Name a zip with Schematron (.sch) or XSLT in it."
        )
    yield from schemas


def _unpack(file: Path, scratch: Path) -> None:
    """Every member as a plain file below `scratch`. Raises ConfigurationError, OSError."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if sum(m.file_size for m in members) > _MAX_BYTES or len(members) > _MAX_MEMBERS:
                raise ConfigurationError(
                    f"{file} holds more than {_MAX_MEMBERS} files or {_MAX_BYTES} bytes.",
                    remedy="Make a zip of just the rules.",
                )
            for member in members:
                path = PurePosixPath(member.filename)
                if path.is_absolute() or ".." in path.parts or "\\" in member.filename:
                    raise ConfigurationError(
                        f"{file} holds a file that would leave its folder: {member.filename!r}.",
                        remedy="Do not trust it: ask its makers.",
                    )
                target = scratch / path  # to which zipfile gives no more than the size it claims
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as content, target.open("xb") as out:
                    shutil.copyfileobj(content, out)
    # RuntimeError is zipfile's word for a password, NotImplementedError for odd compression.
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise ConfigurationError(
            f"{file} cannot be unpacked: {error}.", remedy="Fetch it again, without a password."
        ) from error


def _is_schema(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            _, root = next(etree.iterparse(file, events=("start",), no_network=True))
    except (etree.XMLSyntaxError, StopIteration):
        return True  # to be told what is wrong with it
    return bool(root.tag == _SCH_ROOT)
