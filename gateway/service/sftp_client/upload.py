"""A report is left in a partner's folder: whole, or not at all. Blocks.

It is written under a temporary name that every reader knows to leave alone, and gets its own name
when the server has confirmed every byte. The temporary name is the same at every attempt, so that
a broken attempt leaves nothing behind once the next one succeeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from gateway import faults
from gateway.errors import DeliveryFailed
from gateway.service.sftp_client.clearing import inside
from gateway.service.sftp_client.errors import RemoteAway, RemoteRefused
from gateway.service.sftp_client.session import BLOCK_BYTES, Session
from gateway.service.sftp_server.protocol import Status

_CANNOT_SAY = frozenset({Status.PERMISSION_DENIED, Status.OP_UNSUPPORTED})


def upload(session: Session, folder: str, filename: str, body: bytes | Path) -> None:
    """Put a file into a remote folder. Safe to repeat.

    Raises `RemoteAway`, `RemoteRefused`, or `DeliveryFailed` when what arrived is not what was
    sent, or what is to be sent cannot be read here.
    """
    temporary = inside(folder, f".{filename}.part".encode())
    final = inside(folder, filename.encode())
    try:
        size = session.write(temporary, _blocks(body))
        _must_have(session, temporary, size, filename)
        with faults.around("remote.name"):
            _give_name(session, temporary, final, size)
    except RemoteAway:
        raise
    except BaseException:
        with suppress(RemoteAway, RemoteRefused):
            session.remove(temporary)
        raise


def _blocks(body: bytes | Path) -> Iterator[bytes]:
    if isinstance(body, bytes):
        for start in range(0, len(body), BLOCK_BYTES):
            yield body[start : start + BLOCK_BYTES]
        return
    try:
        with body.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                yield block
    except OSError as error:
        raise DeliveryFailed(
            f"The report could not be read from the spool: {error.strerror or error}.",
            remedy="Check the disk and the rights of the state directory.",
        ) from error


def _must_have(session: Session, path: bytes, size: int, filename: str) -> None:
    try:
        found = session.look(path).size
    except RemoteRefused as error:
        if error.code in _CANNOT_SAY:  # a folder to write into only; every write was confirmed
            return
        raise
    if found is not None and found != size:
        raise DeliveryFailed(
            f"{filename} has {found} bytes on the partner's server instead of {size}.",
            remedy="It is sent again; if it stays so, ask the partner about its disk.",
        )


def _give_name(session: Session, temporary: bytes, final: bytes, size: int) -> None:
    if session.replaces:
        session.replace(temporary, final)
        return
    try:
        session.rename(temporary, final)
    except RemoteRefused:
        # Perhaps because the name is taken, by an attempt whose success we never heard of.
        try:
            there = session.look(final).size
        except RemoteRefused:
            there = None
        if there is None:
            raise
        if there == size:
            session.remove(temporary)
            return
        # Report names are ours alone, and this one is not whole. For a moment there is none.
        session.remove(final)
        session.rename(temporary, final)
