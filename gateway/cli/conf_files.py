"""Changes to partner files and certificates: all of a command's, or none.

They are made first and looked at with the checks of a start. What would be a new fault is taken
back. A running gateway does not notice before `edi-gateway reload`.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from gateway.cli import options
from gateway.config.loader import Reading, read
from gateway.errors import ConfigurationError, Fault

PRIVATE = 0o600
PUBLIC = 0o644
SETTINGS = 0o640


def add_config(parser: argparse.ArgumentParser) -> None:
    """`--config FILE`; these commands have no use for a state directory."""
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="settings file (default: as for `check`)"
    )


def reading_of(args: argparse.Namespace) -> Reading:
    """What the settings file says, with its faults: they do not keep people from looking."""
    return read(options.configuration_file(args))


def settings_to_change(args: argparse.Namespace) -> Path:
    """The settings file whose folders may be written to: never those of the program itself."""
    file = options.configuration_file(args)
    if file is None:
        raise ConfigurationError(
            "There is no settings file, and the built-in one is not to be changed.",
            remedy="Name yours with --config FILE.",
        )
    return file.absolute()


class Changes:
    """Files made and replaced, to be undone together unless they are kept."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], object]] = []

    def __enter__(self) -> Changes:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        while self._undo:
            self._undo.pop()()

    def create(self, path: Path, content: bytes, mode: int) -> None:
        """A new file. Raises `ConfigurationError` when the name is taken or the folder closed."""
        try:
            path.parent.mkdir(mode=0o750, exist_ok=True)
            temporary = _written(path.parent, content, mode)
            try:
                os.link(temporary, path)  # unlike a rename, it never replaces another file
            finally:
                temporary.unlink()
        except FileExistsError:
            raise ConfigurationError(
                f"{path} is there already.", remedy="Nothing was changed."
            ) from None
        except OSError as error:
            raise _not_writable(path, error) from error
        self._undo.append(path.unlink)

    def edit(self, path: Path, text: str) -> None:
        """Another text for a file that is there; its owner and mode stay."""
        before = path.read_bytes()
        self._replace(path, text.encode())
        self._undo.append(lambda: self._replace(path, before))

    def keep(self, settings: Path, before: Reading) -> Reading:
        """Let the changes stand, unless they bring new faults. Raises `ConfigurationError`."""
        after = read(settings)
        known = set(map(str, before.faults))
        new: Sequence[Fault] = [fault for fault in after.faults if str(fault) not in known]
        if new:
            raise ConfigurationError("The gateway could not start with this.", faults=new)
        self.forget()
        return after

    def forget(self) -> None:
        """Let the changes stand as they are."""
        self._undo.clear()

    def _replace(self, path: Path, content: bytes) -> None:
        try:
            status = path.stat()
            temporary = _written(path.parent, content, status.st_mode & 0o777)
            if os.geteuid() == 0:
                os.chown(temporary, status.st_uid, status.st_gid)
            temporary.replace(path)
        except OSError as error:
            raise _not_writable(path, error) from error


def _written(folder: Path, content: bytes, mode: int) -> Path:
    """A durable file of another name. Dot-files count for nobody, whatever happens next."""
    handle, name = tempfile.mkstemp(dir=folder, prefix=".edi-gateway-")
    try:
        with os.fdopen(handle, "wb") as file:
            owner = folder.stat()
            if os.geteuid() == 0:
                # What root makes must be readable by the gateway: its user or, in a folder that
                # root keeps, its group.
                os.fchown(handle, owner.st_uid, owner.st_gid)
                mode |= 0o040 if owner.st_uid == 0 and owner.st_gid != 0 else 0
            os.fchmod(handle, mode)
            file.write(content)
            file.flush()
            os.fsync(handle)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def _not_writable(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"{path} cannot be written: {error.strerror}.",
        remedy="Run this as a user who may write there.",
    )
