"""A remote file becomes an arrival: streamed to disk under a name of ours, hashed, fsynced."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

from gateway.durable import fsync
from gateway.errors import SpoolError
from gateway.service.sftp_client.looks import Ready
from gateway.service.sftp_client.session import Session
from gateway.service.sftp_server.arrival import Upload


def download(session: Session, path: bytes, ready: Ready, *, partner: str, into: Path) -> Upload:
    """Fetch one file into the folder `into`, which is on the spool's file system. Blocks.

    Raises `RemoteAway`, `RemoteRefused`, `RemoteChanged` or `SpoolError`; nothing is left then.
    """
    # The partner's name never becomes a path here.
    temporary = into / f"{secrets.token_hex(16)}.part"
    try:
        with closing(session.read(path, ready.size, ready.mtime)) as blocks:
            sha256 = _store(temporary, blocks)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    return Upload(partner, ready.text, temporary, sha256, ready.size)


def _store(path: Path, blocks: Iterable[bytes]) -> str:
    """Write to a new file and fsync: the SHA-256. Only trouble with the disk is `SpoolError`."""
    digest = hashlib.sha256()
    try:
        file = path.open("xb")
    except OSError as error:
        raise _disk(error) from error
    with file:
        for block in blocks:
            digest.update(block)
            try:
                file.write(block)
            except OSError as error:
                raise _disk(error) from error
        try:
            file.flush()
            fsync(file.fileno(), "remote.download")
        except OSError as error:
            raise _disk(error) from error
    return digest.hexdigest()


def _disk(error: OSError) -> SpoolError:
    return SpoolError(
        f"A fetched file could not be written: {error.strerror or error}.",
        remedy="Check the disk and the rights of the state directory.",
    )
